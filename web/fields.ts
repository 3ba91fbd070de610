/** The fields of the two forms, written from the feature contract and the limits of a message. */
import { camelCase, type CategoryFeature, type Feature, type Measure, proportions } from "../survey/feature-contract";
import { contactLimits } from "./contact-limits";
import { measuringDrawing, sexDrawing } from "./drawings";
import { attributes, type Html, html } from "./html";
import type { PageMessages } from "./messages/en";

function categoryField(feature: CategoryFeature, step: number): Html {
  const name = camelCase(feature.name);
  const choices = Object.entries(feature.categories).map(([value, label], index) => {
    const radio = attributes({
      type: "radio",
      id: index === 0 ? name : `${name}-${value}`,
      name,
      value,
      required: true,
      "data-label": feature.label,
    });
    return html`<label class="choice">${sexDrawing(value)}<input${radio} />${label}</label>`;
  });
  return html`<fieldset class="step" aria-describedby="${name}-hint ${name}-error">
    <legend><span class="number" aria-hidden="true">${step}</span> ${feature.label}</legend>
    <p class="hint" id="${name}-hint">${feature.description.replaceAll("'", "’")}.</p>
    <p class="error" id="${name}-error"></p>
    <div class="choices">${choices}</div>
  </fieldset>`;
}

/**
 * A text field with a decimal keyboard, not a number field: in Chromium's number field, 20,2 silently becomes 202, and
 * the mouse wheel changes the value unnoticed. Here a comma is read as a point, and any other fault is reported.
 */
function measureField(measure: Measure, messages: PageMessages): Html {
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
    required: measure.optional !== true,
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
  const label = measure.optional === true ? `${measure.label} (${messages.optional})` : measure.label;
  const { inWords } = messages.units[measure.unit];
  const range = messages.range(measure.minimum, measure.maximum, measure.unit, measure.step);
  return html`<div class="field">
    <label for="${name}">${label} <span class="unseen">in ${inWords}</span></label>
    <div class="measure"><input${input} /><span class="unit" aria-hidden="true">${measure.unit}</span></div>
    <p class="error" id="${name}-error"></p>
    <p class="hint" id="${name}-hint">${measure.description}.<br />${range}</p>
  </div>`;
}

/** Consecutive fields of one kind: measures of one unit, or a single category. */
function groupsOf(inputs: readonly Feature[]): Feature[][] {
  const groups: Feature[][] = [];
  for (const feature of inputs) {
    const last = groups.at(-1)?.at(-1);
    if (feature.type === "number" && last?.type === "number" && last.unit === feature.unit) {
      groups.at(-1)?.push(feature);
    } else {
      groups.push([feature]);
    }
  }
  return groups;
}

/** The calculator's fields in the contract's order; consecutive measures of one unit share a numbered step. */
export function calculatorFields(inputs: readonly Feature[], messages: PageMessages): Html {
  return html`${groupsOf(inputs).map((group, index) => {
    const [first] = group;
    if (first?.type !== "number") {
      return first && categoryField(first, index + 1);
    }
    return html`<fieldset class="step">
      <legend><span class="number" aria-hidden="true">${index + 1}</span> ${messages.units[first.unit].title}</legend>
      ${first.unit === "mm" ? measuringDrawing(messages, "drawing-title") : undefined}
      <div class="fields fields-${first.unit}">
        ${group.map((feature) => (feature.type === "number" ? measureField(feature, messages) : undefined))}
      </div>
    </fieldset>`;
  })}`;
}

/**
 * The contact form's fields, and one that people can neither see nor reach. Only a program fills it in, and the API
 * stores nothing of such a request.
 */
export function contactFields({ index }: PageMessages): Html {
  const fields = [
    { name: "name", label: index.name, type: "text", autocomplete: "name" },
    { name: "email", label: index.email, type: "email", autocomplete: "email" },
    { name: "message", label: index.message, type: undefined, autocomplete: "off" },
  ] as const;
  const written = fields.map(({ name, label, type, autocomplete }) => {
    const control = attributes({
      type,
      id: name,
      name,
      autocomplete,
      required: true,
      // The message has no `maxlength`: browsers silently cut off what is pasted beyond it. The page itself reports a
      // text that is too long.
      maxlength: type === undefined ? undefined : contactLimits[name],
      "data-longest": type === undefined ? contactLimits[name] : undefined,
      rows: type === undefined ? 6 : undefined,
      "aria-describedby": `${name}-error`,
      "data-label": label,
    });
    return html`<div class="field field-${name}">
      <label for="${name}">${label}</label>
      <p class="error" id="${name}-error"></p>
      ${type === undefined ? html`<textarea${control}></textarea>` : html`<input${control} />`}
    </div>`;
  });
  return html`${written}
    <div class="trap" aria-hidden="true">
      <label for="website">${index.trap}</label
      ><input type="text" id="website" name="website" tabindex="-1" autocomplete="off" data-trap />
    </div>`;
}
