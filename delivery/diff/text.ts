/** The summary for a terminal: at most 100 columns, losses first. */
import { styleText } from "node:util";
import { howToAllow, lossOf, nameOf, protectionRemedy } from "./guard";
import type { AttributeChange, PlanSummary, ResourceSummary, StackSummary } from "./summary";
import {
  alike,
  awaitedText,
  byType,
  clip,
  count,
  list,
  printable,
  readsChangingText,
  remarkOn,
  statementLines,
  toldAttributes,
  totals,
  valueText,
  withoutCommonTags,
} from "./words";

/** Options of the text. */
export interface TextOptions {
  readonly colour: boolean;
  /** Whether to list every created resource. @default false: counted by type */
  readonly details?: boolean;
  /** The command, to which the permission for a replacement is added. */
  readonly command: string;
  /** The names that are already allowed. */
  readonly allowed: readonly string[];
  /** @default 100 */
  readonly width?: number;
}

type Style = Parameters<typeof styleText>[0];

/** Wraps text; a no-break space keeps words together and becomes a space. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line].map((each) => each.replaceAll("\u00a0", " "));
}

const marks: Readonly<Record<ResourceSummary["action"], readonly [mark: string, style: Style]>> = {
  delete: ["-", "red"],
  replace: ["±", "red"],
  forget: ["×", "yellow"],
  update: ["~", "yellow"],
  import: ["<", "cyan"],
  move: [">", "cyan"],
  create: ["+", "green"],
};

class Writer {
  private readonly lines: string[] = [];
  private readonly width: number;

  constructor(private readonly options: TextOptions) {
    this.width = options.width ?? 100;
  }

  style(style: Style, text: string): string {
    return this.options.colour ? styleText(style, text, { validateStream: false }) : text;
  }

  line(text = "", style?: Style): void {
    this.lines.push(style === undefined ? text : this.style(style, text));
  }

  /** Text whose further lines are aligned under the first. */
  paragraph(start: string, text: string, style?: Style): void {
    for (const [index, line] of wrap(text, this.width - start.length).entries()) {
      this.line(`${index === 0 ? start : " ".repeat(start.length)}${line}`, style);
    }
  }

  heading(text: string, style: Style = "bold"): void {
    this.line();
    this.line(text, style);
  }

  resource(resource: ResourceSummary, addresses: readonly string[] = [resource.address]): void {
    const [mark, style] = marks[resource.action];
    const remark = remarkOn(resource);
    const reason = resource.reason === undefined ? "" : `: ${resource.reason}`;
    if (addresses.length === 1) {
      this.paragraph(`    ${mark} `, `${printable(resource.address)}${remark === "" ? "" : `: ${remark}`}`, style);
    } else {
      this.line(
        `    ${mark} ${addresses.length} resources ${resource.action === "replace" ? "are replaced" : "change"} alike${reason}`,
        style,
      );
      this.addresses(addresses, resource.action === "replace");
    }
    const { told, others } = toldAttributes(resource);
    for (const attribute of told) {
      this.attribute(attribute);
    }
    const rest = others + resource.knownLater;
    if (rest > 0 && addresses.length === 1) {
      this.line(`        ${count(rest, "more value")} known after the deployment`, "dim");
    }
  }

  /** Some of the addresses, or all. */
  addresses(addresses: readonly string[], all: boolean): void {
    const shown = all || this.options.details === true ? addresses : addresses.slice(0, 3);
    const more = addresses.length - shown.length;
    this.paragraph("        ", `${shown.map(printable).join(", ")}${more > 0 ? ` and ${more}\u00a0more` : ""}`, "dim");
  }

  attribute({ path, before, after, forcesReplacement, policy }: AttributeChange): void {
    const why = forcesReplacement ? "  ← this makes it a replacement" : "";
    if (policy) {
      this.line(`        ${printable(path)}${why}`);
      if (policy.length === 0) {
        this.line("          only the order or the names of its statements", "dim");
      }
      for (const statement of policy) {
        const mark = { added: "+", removed: "-", changed: "~" }[statement.change];
        for (const line of statementLines(statement)) {
          this.paragraph(`          ${mark} `, line);
        }
        if (statement.mayAllowMore) {
          this.line("            ↑ may allow more than before", "yellow");
        }
      }
      return;
    }
    const [old, later] = [valueText(before), valueText(after)];
    const start = `        ${printable(path)}: `;
    const whole = `${start}${old} → ${later}${why}`;
    if (whole.length <= this.width) {
      this.line(whole);
      return;
    }
    const room = this.width - 12;
    this.line(`${start.trimEnd()}${why}`);
    this.line(`          - ${differingPart(old, later, room)}`);
    this.line(`          + ${differingPart(later, old, room)}`);
  }

  text(): string {
    return `${this.lines.join("\n")}\n`;
  }
}

/** The part of a long value that differs from the other one. */
function differingPart(text: string, other: string, room: number): string {
  if (text.length <= room) {
    return text;
  }
  let same = 0;
  while (same < text.length && text[same] === other[same]) {
    same += 1;
  }
  const start = Math.max(0, Math.min(same - 20, text.length - room + 1));
  return clip(start === 0 ? text : `…${text.slice(start)}`, room);
}

/** Resources with certain actions, by stack. */
function section(
  writer: Writer,
  title: string,
  stacks: readonly StackSummary[],
  actions: readonly ResourceSummary["action"][],
): void {
  const found = stacks
    .map(({ stack, resources }) => [stack, resources.filter(({ action }) => actions.includes(action))] as const)
    .filter(([, resources]) => resources.length > 0);
  if (found.length === 0) {
    return;
  }
  writer.heading(title);
  for (const [stack, resources] of found) {
    writer.line(`  ${stack}`, "bold");
    const { tags, others } = withoutCommonTags(resources);
    for (const { resource, addresses } of alike(others)) {
      writer.resource(resource, addresses);
    }
    for (const { attribute, addresses } of tags.filter(() => actions.includes("update"))) {
      writer.line(`    ~ ${addresses.length} resources get another tag`, "yellow");
      writer.addresses(addresses, false);
      writer.attribute(attribute);
    }
  }
}

/** The summary as text, with a newline at its end. */
export function renderText(summary: PlanSummary, options: TextOptions): string {
  const { stacks, refused, environment } = summary;
  const writer = new Writer(options);
  const of = (status: StackSummary["status"]): readonly StackSummary[] =>
    stacks.filter((stack) => stack.status === status);

  writer.paragraph("", `${environment}: ${totals(summary)} in ${count(stacks.length, "stack")}`, "bold");

  if (refused.length > 0) {
    writer.heading("REFUSED: this would lose data", ["bold", "red"]);
    for (const one of refused) {
      writer.paragraph("  ", `${printable(nameOf(one))} ${lossOf(one)}`, "red");
    }
    writer.paragraph("  ", "Undo the change. If you want the loss, allow it by name:");
    writer.line(`    ${printable(howToAllow(options.command, refused, options.allowed))}`);
    if (refused.some((one) => one.protected)) {
      writer.paragraph("  ", `prevent_destroy protects it besides: ${protectionRemedy}`);
    }
  }

  const failed = of("failed");
  if (failed.length > 0) {
    writer.heading("COULD NOT BE PLANNED", ["bold", "red"]);
    for (const { stack, error } of failed) {
      writer.paragraph(`  ${stack}  `, error?.problem ?? "", "red");
      writer.paragraph("    → ", error?.next ?? "");
      for (const line of (error?.details ?? "").split("\n").slice(0, 20)) {
        writer.line(`    ${clip(printable(line), 96)}`, "dim");
      }
    }
  }

  section(writer, "DELETIONS AND REPLACEMENTS", stacks, ["delete", "replace", "forget"]);
  section(writer, "CHANGES", stacks, ["update", "import", "move"]);

  const creating = stacks.filter(({ resources }) => resources.some(({ action }) => action === "create"));
  if (creating.length > 0) {
    writer.heading(`CREATIONS${options.details === true ? "" : " (each one: DETAILS=yes)"}`);
    for (const { stack, resources } of creating) {
      const created = resources.filter(({ action }) => action === "create");
      if (options.details === true) {
        writer.line(`  ${stack}`, "bold");
        for (const resource of created) {
          writer.resource(resource);
        }
        continue;
      }
      const types = byType(created).map(([type, number]) => `${number}\u00a0${type}`);
      writer.paragraph(`  ${stack.padEnd(20)} `, `${created.length}: ${types.join(", ")}`);
      // A resource that existed before is listed in any case.
      for (const resource of created.filter(({ reason }) => reason !== undefined)) {
        writer.resource(resource);
      }
    }
  }

  const waiting = of("waiting");
  if (waiting.length > 0) {
    writer.heading("UNKNOWN YET");
    for (const { stack, awaits } of waiting) {
      writer.paragraph(`  ${stack.padEnd(20)} `, awaitedText(awaits));
    }
  }

  const readers = stacks.filter(({ readsChanging }) => readsChanging.length > 0);
  if (readers.length > 0) {
    writer.heading("WILL CHANGE AS WELL, once what they read has changed");
    for (const reader of readers) {
      writer.paragraph(`  ${reader.stack.padEnd(20)} `, readsChangingText(reader));
    }
  }

  const unchanged = of("unchanged").map(({ stack }) => stack);
  if (unchanged.length > 0) {
    writer.heading("NO CHANGE");
    writer.paragraph("  ", list(unchanged));
  }
  return writer.text();
}
