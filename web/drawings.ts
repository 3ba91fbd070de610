/**
 * The pages' line drawings. The stylesheet colours them, so that they fit the light and the dark theme.
 */
import type { PageMessages } from "./messages/en";
import { attributes, type Html, html } from "./html";
import { breathingHoles, growthLines, type Hole, shellBox } from "./src/shell";

const hole = ({ x, y, rx, ry, degrees }: Hole): Html =>
  html`<ellipse${attributes({ class: "hole", cx: x, cy: y, rx, ry, transform: `rotate(${degrees} ${x} ${y})` })} />`;

/** The content of a drawing of a shell, with one growth line for each ring. */
export function shell(rings: number): Html {
  return html`${growthLines(rings).map((d) => html`<path${attributes({ class: "line", d })} />`)}${breathingHoles().map(hole)}`;
}

/** A shell that only decorates. */
export function ornament(rings: number, className: string): Html {
  return html`<svg class="${className}" viewBox="0 0 240 190" aria-hidden="true" focusable="false">
    ${shell(rings)}
  </svg>`;
}

/** The colours of mother-of-pearl, which the stylesheet defines. A page that uses them contains this once. */
export const nacre = html`<svg class="unseen" width="1" height="1" aria-hidden="true" focusable="false">
  <defs>
    <linearGradient id="nacre" gradientUnits="userSpaceOnUse" x1="0" y1="0" x2="240" y2="190">
      <stop class="nacre-1" offset="0" />
      <stop class="nacre-2" offset=".3" />
      <stop class="nacre-3" offset=".55" />
      <stop class="nacre-4" offset=".8" />
      <stop class="nacre-1" offset="1" />
    </linearGradient>
  </defs>
</svg>`;

/**
 * Where to measure: the shell from above and from the side, with a bar for each length, as long as what it measures.
 * The stylesheet highlights a bar while its field has the focus; `data-measure` names the measure.
 * @param id makes the title's identifier unique in a page
 */
export function measuringDrawing({ drawing }: PageMessages, id: string): Html {
  const { left, top, right, bottom } = shellBox;
  const side = { left: 300, right: 432, top: 82, bottom: 154 };
  const bar = (name: string, d: string, text: string, x: number, y: number, anchor: string): Html =>
    html`<g class="bar bar-${name}"><path d="${d}" /><text${attributes({ x, y, "text-anchor": anchor })}>${text}</text></g>`;
  return html`<svg class="measuring" viewBox="0 0 476 232" role="img" aria-labelledby="${id}">
    <title id="${id}">${drawing.title}</title>
    <g class="drawn">
      ${shell(7)}
      <path class="foot" d="M${side.left + 14} ${side.bottom - 7}c8 9 96 9 104 0z" />
      <path class="line side" d="M${side.left} ${side.bottom - 8}c4-42 30-64 62-64s62 22 70 64c-14 4-118 4-132 0z" />
      <path class="inner" d="M319 148c3-31 21-49 44-49s43 18 51 49M339 149c2-20 11-33 25-33s25 13 30 33" />
    </g>
    ${bar("length", `M${left} 194H${right}M${left} 187v14M${right} 187v14`, drawing.length, (left + right) / 2, 222, "middle")}
    ${bar("diameter", `M248 ${top}V${bottom}M241 ${top}h14M241 ${bottom}h14`, drawing.diameter, 260, 32, "start")}
    ${bar("height", `M452 ${side.top}V${side.bottom}M445 ${side.top}h14M445 ${side.bottom}h14`, drawing.height, 464, 68, "end")}
  </svg>`;
}

/** An animal from below: shell, foot, and the gonad, whose colour shows the sex; an infant's gonad is not visible. */
export function sexDrawing(sex: string): Html {
  const infant = sex === "I";
  const transform = infant ? "translate(22 18) scale(.62)" : undefined;
  return html`<svg class="sex sex-${sex}" viewBox="0 0 116 92" aria-hidden="true" focusable="false"><g${attributes({ transform })}><path class="rim" d="M5 48C5 24 30 6 60 6s51 19 51 43-21 37-49 37C31 86 5 72 5 48z" /><path class="body" d="M15 48c0-18 20-32 45-32s41 14 41 32-17 28-41 28c-25 0-45-10-45-28z" />${infant ? undefined : html`<path class="gonad" d="M86 26c13 8 17 21 11 33-5 11-17 17-30 18 10-6 17-13 20-22 3-10 3-20-1-29z" />`}<path class="sole" d="M24 47c0-13 15-23 33-23s28 10 28 23-11 21-28 21c-18 0-33-8-33-21z" /></g></svg>`;
}
