/**
 * Builds the website: the pages with their forms written from the feature contract, one script, one stylesheet.
 *
 * The form stands in the HTML itself, so it is there before the script is, and a page can't offer a field that the API doesn't take. The same
 * sources give the same bytes, in any folder and at any time. Script and stylesheet carry a hash of their content in their names: they may be cached for
 * ever, the other files may not.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { buildSync, transformSync } from "esbuild";
import {
  camelCase,
  type CategoryFeature,
  type Feature,
  features,
  type Measure,
  proportions,
  yearsBeyondRings,
} from "../survey/contract";
import { contactLimits } from "./contact-limits";
import { breathingHoles, type Ellipse, growthLines } from "./src/shell";

/** The fields of a contact message. */
const contactFields = [
  { name: "name", label: "Name", type: "text", autocomplete: "name" },
  { name: "email", label: "E-mail address", type: "email", autocomplete: "email" },
  { name: "message", label: "Message", type: "textarea", autocomplete: "off" },
] as const;

/** The browsers that are served: those that still got security updates in 2023. */
const browsers = ["chrome109", "edge109", "firefox115", "safari16.4"];

const groups: Record<Measure["unit"], { readonly title: string; readonly inWords: string }> = {
  mm: { title: "Lengths in millimetres", inWords: "millimetres" },
  g: { title: "Weights in grams", inWords: "grams" },
};

function escape(text: string | number): string {
  return String(text)
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

function attributes(values: Readonly<Record<string, string | number | boolean | undefined>>): string {
  return Object.entries(values)
    .filter(([, value]) => value !== undefined && value !== false)
    .map(([name, value]) => (value === true ? ` ${name}` : ` ${name}="${escape(value as string | number)}"`))
    .join("");
}

function categoryField(feature: CategoryFeature): string {
  const name = camelCase(feature.name);
  const choices = Object.entries(feature.categories).map(([value, label], index) => {
    const radio = attributes({
      type: "radio",
      id: index === 0 ? name : `${name}-${value}`,
      name,
      value,
      required: true,
      "data-label": feature.label,
      "data-example": index === 0 ? value : undefined,
    });
    return `<label class="choice"><input${radio} />${escape(label)}</label>`;
  });
  return `<fieldset aria-describedby="${name}-hint ${name}-error">
<legend>${escape(feature.label)}</legend>
<p class="hint" id="${name}-hint">${escape(feature.description)}.</p>
<p class="error" id="${name}-error"></p>
<div class="choices">${choices.join("")}</div>
</fieldset>`;
}

/**
 * A text field with a decimal keyboard, not a number field: typed into Chromium's number field, 20,2 silently becomes 202, and a wheel over the field
 * changes the value unseen. Here a comma is a point, and everything else is said.
 */
function measureField(measure: Measure): string {
  const name = camelCase(measure.name);
  const atMost = proportions
    .filter(({ lesser }) => lesser === measure.name)
    .map(({ greater }) => camelCase(greater))
    .join(" ");
  const input = attributes({
    type: "text",
    inputmode: "decimal",
    id: name,
    name,
    required: true,
    maxlength: 12,
    "aria-describedby": `${name}-hint ${name}-error`,
    "data-label": measure.label,
    "data-unit": measure.unit,
    "data-minimum": measure.minimum,
    "data-maximum": measure.maximum,
    "data-step": measure.step,
    "data-example": measure.example,
    "data-at-most": atMost === "" ? undefined : atMost,
  });
  return `<div class="field">
<label for="${name}">${escape(measure.label)} <span class="unseen">in ${groups[measure.unit].inWords}</span></label>
<div class="measure"><input${input} /><span class="unit" aria-hidden="true">${measure.unit}</span></div>
<p class="error" id="${name}-error"></p>
<p class="hint" id="${name}-hint">${escape(measure.description)}.<br />${measure.minimum} to ${measure.maximum} ${measure.unit}, to the nearest ${measure.step}.</p>
</div>`;
}

/** The fields in the contract's order; neighbours of one unit share a fieldset. */
function calculatorFields(inputs: readonly Feature[]): string {
  const parts: string[] = [];
  let unit: Measure["unit"] | undefined;
  for (const feature of inputs) {
    const next = feature.type === "number" ? feature.unit : undefined;
    if (next !== unit && unit !== undefined) parts.push("</div></fieldset>");
    if (next !== unit && next !== undefined) {
      parts.push(`<fieldset><legend>${groups[next].title}</legend><div class="fields">`);
    }
    unit = next;
    parts.push(feature.type === "number" ? measureField(feature) : categoryField(feature));
  }
  if (unit !== undefined) parts.push("</div></fieldset>");
  return parts.join("\n");
}

function contactForm(): string {
  return contactFields
    .map(({ name, label, type, autocomplete }) => {
      const control = attributes({
        type: type === "textarea" ? undefined : type,
        id: name,
        name,
        autocomplete,
        required: true,
        maxlength: contactLimits[name],
        rows: type === "textarea" ? 6 : undefined,
        "aria-describedby": `${name}-error`,
        "data-label": label,
      });
      return `<div class="field">
<label for="${name}">${label}</label>
<p class="error" id="${name}-error"></p>
${type === "textarea" ? `<textarea${control}></textarea>` : `<input${control} />`}
</div>`;
    })
    .join("\n");
}

function ellipses(drawn: readonly Ellipse[], className: string): string {
  return drawn.map(({ cx, cy, rx, ry }) => `<ellipse${attributes({ class: className, cx, cy, rx, ry })} />`).join("");
}

/** A shell with as many growth lines as there are rings. */
function shell(rings: number): string {
  return ellipses(growthLines(rings), "line") + ellipses(breathingHoles(), "hole");
}

function fill(page: string, source: string, values: Readonly<Record<string, string>>): string {
  return source.replace(/\{\{(\w+)\}\}/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) {
      throw new Error(
        `web/${page} asks for {{${name}}}, which the build doesn't have: use one of ${Object.keys(values).join(", ")}.`,
      );
    }
    return value;
  });
}

/** Puts a hash of the content into a file's name. */
function fingerprinted(name: string, extension: string, content: string): string {
  return `${name}.${createHash("sha256").update(content).digest("hex").slice(0, 12)}.${extension}`;
}

/**
 * The website's files: content by name. All lie in one folder.
 * @param folder the folder `web`, which whoever bundles this file must name. @default the folder of this file
 * @throws Error when a page has a placeholder that the build can't fill, or when the script doesn't compile
 */
export function websiteFiles(folder = __dirname): ReadonlyMap<string, string> {
  const source = (name: string): string => readFileSync(join(folder, name), "utf8");
  const bundle = buildSync({
    entryPoints: [join(folder, "src", "main.ts")],
    absWorkingDir: folder,
    bundle: true,
    minify: true,
    format: "iife",
    target: browsers,
    charset: "utf8",
    tsconfigRaw: {},
    legalComments: "none",
    write: false,
    logLevel: "silent",
  });
  const script = bundle.outputFiles[0]?.text ?? "";
  const stylesheet = transformSync(source("styles.css"), {
    loader: "css",
    minify: true,
    target: browsers,
    charset: "utf8",
    logLevel: "silent",
  }).code;
  const names = {
    script: fingerprinted("script", "js", script),
    stylesheet: fingerprinted("styles", "css", stylesheet),
  };
  const values = {
    ...names,
    fields: calculatorFields(features),
    contactFields: contactForm(),
    mark: shell(4),
    drawing: shell(7),
    opening: shell(14),
    yearsBeyondRings: String(yearsBeyondRings),
  };
  const pages = ["404.html", "index.html"].map((page) => [page, fill(page, source(page), values)] as const);
  return new Map([
    ...pages,
    ["favicon.svg", source("favicon.svg")],
    ["robots.txt", source("robots.txt")],
    [names.script, script],
    [names.stylesheet, stylesheet],
  ]);
}
