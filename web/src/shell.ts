/**
 * The drawing of an abalone's shell: growth lines around the apex, which lies near the edge, and the row of breathing holes.
 *
 * A shell grows by adding to its edge, so every line is the outer one made smaller towards the apex. Nothing here touches a document: the page is
 * built with it, and the answer is drawn with it.
 */

/** An ellipse in a drawing 240 wide and 190 high. */
export interface Ellipse {
  readonly cx: number;
  readonly cy: number;
  readonly rx: number;
  readonly ry: number;
}

const apex = { x: 186, y: 112 };
const outline: Ellipse = { cx: 120, cy: 95, rx: 106, ry: 76 };

/** Share of the full size that a shell has after a year: von Bertalanffy's growth, at a rate that keeps the lines apart. */
const growthRate = 0.13;
const grown = (year: number): number => 1 - Math.exp(-growthRate * year);

const rounded = (value: number): number => Math.round(value * 10) / 10;

function shrunk(ellipse: Ellipse, share: number): Ellipse {
  return {
    cx: rounded(apex.x + (ellipse.cx - apex.x) * share),
    cy: rounded(apex.y + (ellipse.cy - apex.y) * share),
    rx: rounded(ellipse.rx * share),
    ry: rounded(ellipse.ry * share),
  };
}

/** One growth line a ring, the outermost (the shell's edge) first. */
export function growthLines(rings: number): Ellipse[] {
  const count = Math.max(1, Math.round(rings));
  return Array.from({ length: count }, (_, index) => shrunk(outline, grown(count - index) / grown(count)));
}

/** The five breathing holes that are open, along the left of the edge. */
export function breathingHoles(): Ellipse[] {
  return [2.3, 2.58, 2.86, 3.14, 3.42].map((angle, index) => ({
    cx: rounded(outline.cx + Math.cos(angle) * outline.rx * 0.84),
    cy: rounded(outline.cy + Math.sin(angle) * outline.ry * 0.82),
    rx: 5.5 - index * 0.5,
    ry: 4.5 - index * 0.4,
  }));
}
