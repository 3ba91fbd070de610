/** The model's page: how good the model in use is, from `/model.json`. */
import type { ScriptMessages } from "../messages/en";
import { type Facts, facts, type GroupCoverage, type Measured } from "./facts";
import { element, find } from "./form";

function list(rows: readonly (readonly [string, string, string?])[]): HTMLElement {
  const created = element("dl", "", "figures");
  for (const [name, value, note] of rows) {
    const row = element("div");
    const shown = element("dd", value);
    if (note !== undefined) {
      shown.append(element("small", note));
    }
    row.append(element("dt", name), shown);
    created.append(row);
  }
  return created;
}

function table(title: string, head: readonly string[], rows: readonly (readonly string[])[]): HTMLElement {
  const created = element("table");
  const headings = element("tr");
  headings.append(
    ...head.map((text) => {
      const cell = element("th", text);
      cell.setAttribute("scope", "col");
      return cell;
    }),
  );
  const body = element("tbody");
  body.append(
    ...rows.map(([name = "", ...values]) => {
      const row = element("tr");
      const cell = element("th", name);
      cell.setAttribute("scope", "row");
      row.append(cell, ...values.map((value) => element("td", value)));
      return row;
    }),
  );
  const top = element("thead");
  top.append(headings);
  created.append(element("caption", title), top, body);
  return created;
}

/** The page contains the names of the sexes, from the feature contract. */
function sexes(place: HTMLElement): Readonly<Record<string, string>> {
  return Object.fromEntries(new URLSearchParams(place.dataset.sexes));
}

function show(
  place: HTMLElement,
  { model, rows, origins, rmse, meanAbsoluteError, coverage, limits }: Facts,
  words: ScriptMessages,
): void {
  const { figures, number, tenths, date } = words;
  const percent = (share: number): string => number(share * 100);
  const covers = (share: number): string => figures.percent(tenths(share * 100));
  const measured = (name: string, { value, low, high, confidence }: Measured): [string, string, string] => [
    name,
    figures.years(tenths(value)),
    figures.from(tenths(low), tenths(high), percent(confidence)),
  ];
  const covered = ({ rows: tested, coverage: share }: GroupCoverage): [string, string] => [
    number(tested),
    covers(share),
  ];
  const head = [figures.group, figures.rows, figures.share];
  const names = sexes(place);
  place.replaceChildren(
    list([
      measured(figures.meanAbsoluteError, meanAbsoluteError),
      measured(figures.rmse, rmse),
      [figures.coverage(percent(coverage.confidence)), covers(coverage.overall)],
      [figures.learnt, figures.animals(rows.training)],
      [figures.tested, figures.animals(rows.heldOut)],
      [figures.all, figures.animals(rows.all), figures.others],
      [figures.trained, date(model.trainedAt), model.name],
    ]),
    // Too long for a column on a phone.
    ...origins.map((origin) => element("p", figures.origin(origin.rows, origin.source, origin.licence), "origin")),
    table(
      figures.bySex,
      head,
      Object.entries(coverage.bySex).map(([sex, group]) => [names[sex] ?? sex, ...covered(group)]),
    ),
    table(
      figures.byThird,
      head,
      coverage.byThird.map((group) => [figures.third(tenths(group.from), tenths(group.to)), ...covered(group)]),
    ),
  );
  if (limits.length === 0) {
    return;
  }
  const found = element("ul");
  found.append(...limits.map((limit) => element("li", limit)));
  place.append(element("h3", figures.limits), found);
}

/** Fills the page's figures in. */
export function start(words: ScriptMessages): void {
  const place = find<HTMLElement>(document, "#figures");
  place.replaceChildren(element("p", place.dataset.loading ?? "", "muted"));
  void facts().then((found) => {
    if (found) {
      show(place, found, words);
    } else {
      place.replaceChildren(element("p", words.figures.missing, "notice"));
    }
  });
}
