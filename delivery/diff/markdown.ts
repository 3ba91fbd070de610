/** The summary for a pull request, in GitHub's and GitLab's Markdown: losses are visible, the rest is collapsed. */
import { howToAllow, lossOf, nameOf, protectionRemedy } from "./guard";
import type { AttributeChange, PlanSummary, ResourceSummary, StackSummary } from "./summary";
import {
  alike,
  awaitedText,
  byType,
  clip,
  count,
  printable,
  readsChangingText,
  remarkOn,
  statementLines,
  toldAttributes,
  totals,
  valueText,
  withoutCommonTags,
} from "./words";

/** GitHub's limit for a comment is 65,536 characters. */
const limit = 60_000;

/** Maximum length of a shown value. */
const longestValue = 200;

/**
 * External text as a code span, so that Markdown, HTML, mentions and links in it have no effect. The fence is longer
 * than every run of backticks inside (CommonMark, "Code spans").
 */
export function code(text: string): string {
  const clean = printable(text);
  const longest = Math.max(0, ...(clean.match(/`+/g) ?? []).map((run) => run.length));
  const fence = "`".repeat(longest + 1);
  const pad = clean === "" || /^[` ]|[` ]$/.test(clean) ? " " : "";
  return `${fence}${pad}${clean}${pad}${fence}`;
}

function block(text: string): string[] {
  const longest = Math.max(2, ...(text.match(/`+/g) ?? []).map((run) => run.length));
  const fence = "`".repeat(longest + 1);
  return [fence, ...text.split("\n").map(printable), fence];
}

const marks: Readonly<Record<ResourceSummary["action"], string>> = {
  delete: "🔴",
  replace: "🔴",
  forget: "🟠",
  update: "🟡",
  import: "🔵",
  move: "🔵",
  create: "🟢",
};

function attributeLines({ path, before, after, forcesReplacement, policy }: AttributeChange): string[] {
  const why = forcesReplacement ? " **makes it a replacement**" : "";
  if (!policy) {
    const [old, later] = [before, after].map((value) => code(clip(valueText(value), longestValue)));
    return [`  - ${code(path)}: ${old ?? ""} → ${later ?? ""}${why}`];
  }
  return [
    `  - ${code(path)}${why}${policy.length === 0 ? ": only the order or the names of its statements" : ""}`,
    ...policy.flatMap((statement) => {
      const mark = { added: "➕", removed: "➖", changed: "✏️" }[statement.change];
      const more = statement.mayAllowMore ? " **may allow more than before**" : "";
      return statementLines(statement).map((line) => `    - ${mark} ${code(clip(line, 2 * longestValue))}${more}`);
    }),
  ];
}

function resourceLines(resource: ResourceSummary, addresses: readonly string[] = [resource.address]): string[] {
  const { told, others } = toldAttributes(resource);
  const rest = others + resource.knownLater;
  const mark = marks[resource.action];
  const each = resource.action === "replace" ? addresses : addresses.slice(0, 20);
  const remark =
    resource.action === "move" ? `is moved here from ${code(resource.previousAddress ?? "")}` : remarkOn(resource);
  return [
    addresses.length === 1
      ? `- ${mark} ${code(resource.address)} ${remark}`.trimEnd()
      : `- ${mark} ${addresses.length} resources ${resource.action === "replace" ? "are replaced alike" : "change alike"}: ${each.map(code).join(", ")}${each.length < addresses.length ? " …" : ""}`,
    ...told.flatMap(attributeLines),
    ...(rest > 0 && addresses.length === 1 ? [`  - ${count(rest, "more value")} known after the deployment`] : []),
  ];
}

const collapsible = (title: string, lines: readonly string[]): string[] => [
  "<details>",
  `<summary>${title}</summary>`,
  "",
  ...lines,
  "",
  "</details>",
  "",
];

const withActions = (
  { resources }: StackSummary,
  ...actions: readonly ResourceSummary["action"][]
): readonly ResourceSummary[] => resources.filter(({ action }) => actions.includes(action));

/** One line per stack. */
function tableLines({ stacks }: PlanSummary): string[] {
  const cell = (stack: StackSummary, ...actions: readonly ResourceSummary["action"][]): string => {
    const number = withActions(stack, ...actions).length;
    return number === 0 ? "" : String(number);
  };
  const rows = stacks.map((stack) => {
    const numbers = [
      cell(stack, "delete"),
      cell(stack, "replace"),
      cell(stack, "update", "import", "move", "forget"),
      cell(stack, "create"),
    ];
    const remark = { changes: "", unchanged: "no change", waiting: "unknown yet", failed: "**failed**" }[stack.status];
    return `| ${[stack.stack, ...numbers, remark].join(" | ")} |`;
  });
  return ["| stack | delete | replace | change | create | |", "| --- | ---: | ---: | ---: | ---: | --- |", ...rows];
}

/** What everybody must read: never collapsed, never cut. */
function lossLines({ stacks, refused }: PlanSummary, command: string, allowed: readonly string[]): string[] {
  const lines: string[] = [];
  if (refused.length > 0) {
    lines.push(
      "### ⛔ Refused: this would lose data",
      "",
      ...refused.map((one) => `- ${code(nameOf(one))} ${lossOf(one)}`),
      "",
      "Undo the change. If you want the loss, allow it by name:",
      "",
      ...block(howToAllow(command, refused, allowed)),
      "",
      ...(refused.some((one) => one.protected)
        ? [`\`prevent_destroy\` also protects it: ${protectionRemedy}`, ""]
        : []),
    );
  }
  const failed = stacks.filter(({ status }) => status === "failed");
  if (failed.length > 0) {
    lines.push("### Could not be planned", "");
    for (const { stack, error } of failed) {
      lines.push(`- **${stack}**: ${code(error?.problem ?? "")} → ${code(error?.next ?? "")}`, "");
      if (error && error.details !== "") {
        lines.push(...collapsible(`What Terraform said of ${stack}`, block(clip(error.details, 4_000))));
      }
    }
  }
  const losing = stacks.filter((stack) => withActions(stack, "delete", "replace", "forget").length > 0);
  if (losing.length > 0) {
    lines.push("### Deletions and replacements", "");
    for (const stack of losing) {
      lines.push(`**${stack.stack}**`, "");
      const { others } = withoutCommonTags(withActions(stack, "delete", "replace", "forget"));
      lines.push(...alike(others).flatMap(({ resource, addresses }) => resourceLines(resource, addresses)), "");
    }
  }
  return lines;
}

function changeLines({ stacks }: PlanSummary): string[] {
  return stacks.flatMap((stack) => {
    const changed = withActions(stack, "update", "import", "move");
    if (changed.length === 0) {
      return [];
    }
    const { tags, others } = withoutCommonTags(changed);
    const more = changed.some(({ attributes }) =>
      attributes.some(({ policy = [] }) => policy.some(({ mayAllowMore }) => mayAllowMore)),
    );
    return collapsible(
      `<b>${stack.stack}</b>: ${count(changed.length, "change")}${more ? ", permissions among them" : ""}`,
      [
        ...alike(others).flatMap(({ resource, addresses }) => resourceLines(resource, addresses)),
        ...tags.flatMap(({ attribute, addresses }) => [
          `- ${marks.update} ${addresses.length} resources get another tag`,
          ...attributeLines(attribute),
        ]),
      ],
    );
  });
}

function creationLines({ stacks }: PlanSummary, listed: boolean): string[] {
  return stacks.flatMap((stack) => {
    const created = withActions(stack, "create");
    if (created.length === 0) {
      return [];
    }
    const types = byType(created).map(([type, number]) => `- ${number} × ${code(type)}`);
    const each = created.map(
      ({ address, reason }) => `- ${marks.create} ${code(address)}${reason === undefined ? "" : ` ${reason}`}`,
    );
    return collapsible(`<b>${stack.stack}</b>: ${count(created.length, "creation")}`, listed ? each : types);
  });
}

function restLines({ stacks }: PlanSummary): string[] {
  const waiting = stacks.filter(({ status }) => status === "waiting");
  const readers = stacks.filter(({ readsChanging }) => readsChanging.length > 0);
  const unchanged = stacks.filter(({ status }) => status === "unchanged");
  return [
    ...(waiting.length === 0
      ? []
      : ["### Unknown yet", "", ...waiting.map(({ stack, awaits }) => `- **${stack}** ${awaitedText(awaits)}`), ""]),
    ...(readers.length === 0
      ? []
      : [
          "### Will change as well, once what they read has changed",
          "",
          ...readers.map((reader) => `- **${reader.stack}**: ${readsChangingText(reader)}`),
          "",
        ]),
    ...(unchanged.length === 0 ? [] : [`No change: ${unchanged.map(({ stack }) => stack).join(", ")}`, ""]),
  ];
}

/**
 * The summary as Markdown, with a newline at its end. If it is too long for a comment, it drops the list of creations
 * first, then that of changes, and never the losses.
 */
export function renderMarkdown(
  summary: PlanSummary,
  { command, allowed }: { readonly command: string; readonly allowed: readonly string[] },
): string {
  const head = [`## Plan of ${summary.environment}: ${totals(summary)}`, "", ...tableLines(summary), ""];
  const loss = lossLines(summary, command, allowed);
  const changes = changeLines(summary);
  const rest = restLines(summary);
  const titled = (title: string, lines: readonly string[]): string[] =>
    lines.length === 0 ? [] : [title, "", ...lines];
  const whole = (told: readonly string[], creations: readonly string[]): string =>
    `${[...head, ...loss, ...titled("### Changes", told), ...titled("### Creations", creations), ...rest].join("\n").trimEnd()}\n`;
  const left = ["Too many to show here: see `make diff`.", ""];
  const candidates = [
    whole(changes, creationLines(summary, true)),
    whole(changes, creationLines(summary, false)),
    whole(changes.length === 0 ? [] : left, creationLines(summary, false)),
  ];
  return candidates.find((text) => text.length <= limit) ?? candidates.at(-1) ?? "";
}
