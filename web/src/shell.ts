/**
 * The drawing of an abalone's shell: growth lines around the apex, which is near the edge, and the row of breathing
 * holes.
 *
 * A shell grows at its edge, so every line is the outer one, made smaller towards the apex. Nothing here uses a
 * document, because both the build and the browser draw shells.
 */

/** A place in a drawing 240 wide and 190 high. */
interface Place {
  readonly x: number;
  readonly y: number;
}

/** A breathing hole, rotated by so many degrees. */
export interface Hole extends Place {
  readonly rx: number;
  readonly ry: number;
  readonly degrees: number;
}

/** Where the shell began to grow: the centre of all its lines. */
const apex: Place = { x: 181, y: 118 };

/** The edge: Bézier curves from the left, clockwise, three points each. Its box is {@link shellBox}. */
const edge: readonly Place[] = [
  { x: 12, y: 101 },
  ...[
    [12, 53, 63, 17, 123, 17],
    [184, 17, 228, 57, 228, 104],
    [228, 147, 188, 173, 131, 173],
    [64, 173, 12, 149, 12, 101],
  ].flatMap(([a = 0, b = 0, c = 0, d = 0, e = 0, f = 0]) => [
    { x: a, y: b },
    { x: c, y: d },
    { x: e, y: f },
  ]),
];

/** The box around the shell's edge. */
export const shellBox = { left: 12, top: 17, right: 228, bottom: 173 } as const;

/**
 * Share of the full size after so many years: von Bertalanffy's growth, at a rate that keeps the lines apart.
 */
const growthRate = 0.13;
const grown = (year: number): number => 1 - Math.exp(-growthRate * year);

const rounded = (value: number): number => Math.round(value * 10) / 10;

/** The edge made smaller towards the apex, as the `d` of a path. */
function line(share: number): string {
  const [start, ...rest] = edge.map(
    ({ x, y }) => `${rounded(apex.x + (x - apex.x) * share)} ${rounded(apex.y + (y - apex.y) * share)}`,
  );
  return `M${start ?? ""}C${rest.join(" ")}Z`;
}

/** One growth line a ring as the `d` of a path, the outermost (the shell's edge) first. */
export function growthLines(rings: number): string[] {
  const count = Math.max(1, Math.round(rings));
  return Array.from({ length: count }, (_, index) => line(grown(count - index) / grown(count)));
}

/** The breathing holes that are open, along the left of the edge, smaller towards the apex. */
export function breathingHoles(): Hole[] {
  return [0, 1, 2, 3, 4].map((index) => {
    const angle = Math.PI * (0.86 + index * 0.115);
    return {
      x: rounded(116 + Math.cos(angle) * 88),
      y: rounded(97 + Math.sin(angle) * 62),
      rx: rounded(6.4 - index * 0.8),
      ry: rounded(4.6 - index * 0.55),
      degrees: Math.round((angle * 180) / Math.PI) + 90,
    };
  });
}
