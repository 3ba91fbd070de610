/** Prints the costs as a table: for a terminal, and as Markdown for the docs. */
import { wrap } from "../diff/text";
import { count } from "../diff/words";
import { type CostLine, type Costs, sum, unverified } from "./costs";
import { durations } from "./durations";
import { priceOf, prices } from "./prices";

/** "1,234.50", two digits after the point. */
export const money = (dollars: number): string =>
  dollars.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });

const amount = (quantity: number): string =>
  quantity.toLocaleString("en-US", { maximumFractionDigits: quantity < 10 ? 2 : 0 });

type Row = readonly string[];

/** A table in either format: the first column is text, the columns in `right` are right-aligned. */
interface Table {
  readonly head: Row;
  readonly right: readonly number[];
  readonly rows: readonly Row[];
}

/** Charges below this are combined, in US dollars per month. */
const small = 0.5;

function stackTable({ lines }: Costs): Table {
  const stacks = [...new Set(lines.map(({ stack }) => stack))];
  const row = (title: string, own: readonly CostLine[]): Row => {
    const [fixed, use] = (["fixed", "use"] as const).map((kind) => sum(own.filter((line) => line.kind === kind)));
    return [title, money(fixed ?? 0), money(use ?? 0), money(sum(own)), money(sum(unverified(own)))];
  };
  return {
    head: ["stack", "fixed", "by use", "together", "of it unverified"],
    right: [1, 2, 3, 4],
    rows: [
      ...stacks.map((stack) =>
        row(
          stack,
          lines.filter((line) => line.stack === stack),
        ),
      ),
      row("all", lines),
    ],
  };
}

/** The charges over all stacks, by type and price. */
function byTypeAndPrice(lines: readonly CostLine[]): readonly CostLine[] {
  const groups = new Map<string, CostLine>();
  for (const line of lines) {
    const key = JSON.stringify([line.type, line.price, line.kind]);
    const group = groups.get(key);
    groups.set(key, {
      ...line,
      count: line.count + (group?.count ?? 0),
      quantity: line.quantity + (group?.quantity ?? 0),
      dollars: line.dollars + (group?.dollars ?? 0),
    });
  }
  return [...groups.values()].sort(
    // Equal costs have a fixed order on all machines.
    (one, other) =>
      Math.round(1e6 * (other.dollars - one.dollars)) ||
      `${one.type} ${one.price}`.localeCompare(`${other.type} ${other.price}`, "en"),
  );
}

function lineTable({ lines }: Costs): Table {
  const groups = byTypeAndPrice(lines);
  const rest = groups.filter(({ dollars }) => dollars < small);
  return {
    head: ["dollars", "", "resources", "price", "seen"],
    right: [0],
    rows: [
      ...groups
        .filter(({ dollars }) => dollars >= small)
        .map(({ type, count, price, kind, quantity, dollars }): Row => {
          const { usd, unit, seen } = priceOf(price) ?? { usd: 0, unit: "", seen: "unverified" };
          return [
            money(dollars),
            kind,
            `${count} ${type.replace(/^aws_/, "")}`,
            `${amount(quantity)} × ${usd} / ${unit}`,
            seen === "unverified" ? "UNVERIFIED" : seen,
          ];
        }),
      ...(rest.length === 0 ? [] : [[money(sum(rest)), "", `${rest.length} more`, `below ${money(small)} each`, ""]]),
    ],
  };
}

const widthsOf = ({ head, rows }: Table, least: number): readonly number[] =>
  head.map((_, column) => Math.max(least, ...[head, ...rows].map((row) => (row[column] ?? "").length)));

/** Cells as wide as their columns. */
function pad(row: Row, { right }: Table, widths: readonly number[]): readonly string[] {
  return row.map((cell, column) =>
    right.includes(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
  );
}

/** A table in Prettier's format, so that a written document passes its check. */
function markdownTable(table: Table): string {
  const widths = widthsOf(table, 3);
  const rule = widths.map((width, column) =>
    table.right.includes(column) ? `${"-".repeat(width - 1)}:` : "-".repeat(width),
  );
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [
    line(pad(table.head, table, widths)),
    line(rule),
    ...table.rows.map((row) => line(pad(row, table, widths))),
  ].join("\n");
}

function textTable(table: Table): string {
  const widths = widthsOf(table, 0);
  return [table.head, ...table.rows].map((row) => `  ${pad(row, table, widths).join("  ").trimEnd()}`).join("\n");
}

/** Costs that no resource shows, so they are in no sum. */
const notInTheStacks: readonly string[] = [
  "the volumes behind endpoints, whose size SageMaker chooses",
  "metrics that the functions write, and X-Ray's traces",
  "data between availability zones",
  "a second and third version of each key after its yearly rotations",
  "support and taxes; also free tiers and discounts, which would lower the costs",
];

/** What the sums leave out, one item per line. */
export function leftOut({ unpriced }: Costs): readonly string[] {
  return [...unpriced.map(({ stack, type, count, why }) => `${stack}: ${count} ${type}: ${why}`), ...notInTheStacks];
}

/** The kind of prices, shown wherever prices are shown. */
export const caveat =
  `List prices of ${prices.region} in ${prices.currency} a month, recorded on ${prices.date} and not looked up live ` +
  "(delivery/costs/prices.json names AWS's page for each). UNVERIFIED prices come from memory.";

/** "flow log gigabytes" of `flowLogGigabytes`. */
const wordsOf = (name: string): string => name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

/** The assumptions, one per line. */
const assumptions = ({ usage }: Costs): readonly string[] =>
  Object.entries(usage).flatMap(([name, value]) =>
    typeof value === "number"
      ? [`${wordsOf(name)} ${value.toLocaleString("en-US")}`]
      : Object.entries(value as Costs["usage"]["websites"]).map(
          ([stage, { visits, predictions, messages }]) =>
            `website ${stage}: ${visits.toLocaleString("en-US")} visits, ${predictions.toLocaleString("en-US")} predictions, ` +
            `${count(messages, "message")} a day`,
        ),
  );

/** Compares the sum with the budget. */
export function budgetLine({ budget, lines }: Costs): string {
  const total = sum(lines);
  if (budget === undefined) {
    return "There is no budget alarm.";
  }
  const share = `${Math.round((100 * total) / budget)} % of its budget of ${money(budget)}`;
  return total > budget ? `${share}: the budget's alarms will go off every month.` : `${share}.`;
}

const width = 100;

/** The costs for a terminal, in 100 columns unless a name is longer. */
export function renderCosts(costs: Costs): string {
  const paragraph = (text: string, indent = ""): readonly string[] =>
    wrap(text, width - indent.length).map((line) => `${indent}${line}`);
  return [
    `${costs.environment}: ${money(sum(costs.lines))} dollars a month, ${budgetLine(costs)}`,
    ...paragraph(caveat),
    "",
    textTable(stackTable(costs)),
    "",
    textTable(lineTable(costs)),
    "",
    `  ${costs.free} resources cost nothing. Not counted:`,
    ...leftOut(costs).flatMap((text) => paragraph(text, "    ")),
    "",
    ...paragraph(`Assumed in a month (delivery/costs/usage.ts): ${assumptions(costs).join("; ")}`, "  "),
    "",
  ].join("\n");
}

/** Columns of a document, where Prettier wraps prose. */
export const documentWidth = 120;

/** The costs of one environment as Markdown; the text changes only when a cost changes. */
export function renderCostsMarkdown(costs: Costs): string {
  return [
    `### ${costs.environment}: ${money(sum(costs.lines))} dollars a month`,
    "",
    budgetLine(costs),
    "",
    markdownTable(stackTable(costs)),
    "",
    "<details>",
    "<summary>Charge by charge</summary>",
    "",
    markdownTable(lineTable(costs)),
    "",
    ...wrap(`Assumed in a month: ${assumptions(costs).join("; ")}.`, documentWidth),
    "",
    "</details>",
    "",
    "Not counted:",
    "",
    ...leftOut(costs).map((text) => `- ${wrap(text, documentWidth - 2).join("\n  ")}`),
    "",
  ].join("\n");
}

/** How long deployments take, as Markdown. */
export function renderDurations(): string {
  return markdownTable({
    head: ["what", "time of its first deployment", "source"],
    right: [],
    rows: durations.map(({ what, time, source }) => [what, time, source]),
  });
}
