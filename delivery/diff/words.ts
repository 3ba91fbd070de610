/** Texts that the terminal and the Markdown output share. */
import type {
  AttributeChange,
  Awaited,
  PlanSummary,
  ResourceSummary,
  StackSummary,
  StatementChange,
  Value,
} from "./summary";

/**
 * Makes external text (names, descriptions, tags) visible on one line: control characters could colour or clear a
 * terminal, and direction marks could show one address as another.
 */
export function printable(text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
}

/** At most `width` characters; the end is cut. */
export function clip(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}

/** A value on one line. */
export function valueText(value: Value): string {
  switch (value.kind) {
    case "known":
      return printable(JSON.stringify(value.value));
    case "hidden":
      return "(hidden)";
    case "unknown":
      return value.from.length === 0
        ? "(known after the deployment)"
        : `(known after the deployment, from ${value.from.map(printable).join(", ")})`;
    case "absent":
      return "(none)";
  }
}

/** "3 stacks", "1 stack". */
export const count = (number: number, one: string, many = `${one}s`): string =>
  `${number} ${number === 1 ? one : many}`;

/** "a, b and c". */
export const list = (items: readonly string[]): string =>
  items.length < 2 ? items.join("") : `${items.slice(0, -1).join(", ")} and ${items.at(-1) ?? ""}`;

const verbs = { Allow: "allows", Deny: "denies" } as const;

/** An added or removed statement in one sentence; a changed one with a line for each part. */
export function statementLines({ statement, effect, change, parts }: StatementChange): string[] {
  if (change !== "changed") {
    const side = change === "added" ? "added" : "removed";
    const of = (wanted: string): readonly string[] => parts.find(({ part }) => part === wanted)?.[side] ?? [];
    const actions = [...of("Action"), ...of("NotAction").map((action) => `all but ${action}`)];
    const resources = [...of("Resource"), ...of("NotResource").map((resource) => `all but ${resource}`)];
    const principals = [...of("Principal"), ...of("NotPrincipal").map((principal) => `all but ${principal}`)];
    const conditions = of("Condition");
    return [
      [
        `${statement}: ${verbs[effect]} ${list(actions)}`,
        ...(resources.length > 0 ? [`on ${list(resources)}`] : []),
        ...(principals.length > 0 ? [`to ${list(principals)}`] : []),
        ...(conditions.length > 0 ? [`if ${list(conditions)}`] : []),
      ].join(" "),
    ].map(printable);
  }
  return parts.flatMap(({ part, added, removed }) => [
    ...added.map((item) => printable(`${statement} (${verbs[effect]}): + ${part} ${item}`)),
    ...removed.map((item) => printable(`${statement} (${verbs[effect]}): - ${part} ${item}`)),
  ]);
}

/** The text after a resource's address: the reason for a replacement, and other remarks. */
export function remarkOn(resource: ResourceSummary): string {
  const {
    action,
    createBeforeDelete = false,
    reason,
    previousAddress,
    holds,
    protected: isProtected = false,
  } = resource;
  const what = {
    delete: "is deleted",
    replace: `is replaced${createBeforeDelete ? ", the new one first" : ""}`,
    forget: "is forgotten by Terraform, and stays in AWS",
    import: "is taken over",
    move: `is moved here from ${printable(previousAddress ?? "")}`,
    update: "",
    create: "",
  }[action];
  return [
    ...[what, reason ?? ""].filter((part) => part !== ""),
    ...(holds === undefined ? [] : [`it holds ${holds}`]),
    ...(isProtected ? ["prevent_destroy protects it"] : []),
  ].join("; ");
}

/** Resources of one stack that change in the same way. */
export interface Alike {
  readonly addresses: readonly string[];
  readonly resource: ResourceSummary;
}

/** Groups resources with equal changes and reasons. Resources with data, and deleted ones, are not grouped. */
export function alike(resources: readonly ResourceSummary[]): readonly Alike[] {
  const groups = new Map<string, { addresses: string[]; resource: ResourceSummary }>();
  for (const resource of resources) {
    const { action, attributes, holds, reason } = resource;
    const grouped = action === "update" || (action === "replace" && holds === undefined);
    const told = attributes.filter(({ forcesReplacement }) => action === "update" || forcesReplacement);
    const key = grouped ? JSON.stringify([action, reason, told]) : resource.address;
    const group = groups.get(key);
    if (group) {
      group.addresses.push(resource.address);
    } else {
      groups.set(key, { addresses: [resource.address], resource });
    }
  }
  return [...groups.values()];
}

/** A tag that changes equally on several resources of a stack, as default tags do. */
export interface CommonTag {
  readonly attribute: AttributeChange;
  readonly addresses: readonly string[];
}

/**
 * Separates tags that change on several resources: repeated in every line, they would hide other changes.
 * @returns those tags, and the resources without them; a resource without other changes is left out
 */
export function withoutCommonTags(resources: readonly ResourceSummary[]): {
  readonly tags: readonly CommonTag[];
  readonly others: readonly ResourceSummary[];
} {
  const found = new Map<string, { attribute: AttributeChange; addresses: string[] }>();
  const keyOf = (attribute: AttributeChange): string => JSON.stringify(attribute);
  const isTag = ({ path, forcesReplacement }: AttributeChange): boolean =>
    path.startsWith("tags_all") && !forcesReplacement;
  for (const { address, attributes } of resources) {
    for (const attribute of attributes.filter(isTag)) {
      const tag = found.get(keyOf(attribute)) ?? { attribute, addresses: [] };
      tag.addresses.push(address);
      found.set(keyOf(attribute), tag);
    }
  }
  const tags = [...found.values()].filter(({ addresses }) => addresses.length > 1);
  const common = new Set(tags.map(({ attribute }) => keyOf(attribute)));
  const others = resources.flatMap((resource) => {
    const attributes = resource.attributes.filter((attribute) => !common.has(keyOf(attribute)));
    const told = resource.action !== "update" || attributes.length > 0 || resource.attributes.length === 0;
    return told ? [{ ...resource, attributes }] : [];
  });
  return { tags, others };
}

/** Number of resources by type, the most frequent first. */
export function byType(resources: readonly ResourceSummary[]): readonly (readonly [type: string, count: number])[] {
  const counts = new Map<string, number>();
  for (const { type } of resources) {
    counts.set(type, (counts.get(type) ?? 0) + 1);
  }
  return [...counts].sort(([one, few], [other, many]) => many - few || one.localeCompare(other));
}

/** "until network and data are deployed". */
export function awaitedText(awaits: readonly Awaited[]): string {
  const deployed = awaits.filter(({ until }) => until === "deployed").map(({ stack }) => stack);
  const run = awaits.filter(({ until }) => until === "run").map(({ stack }) => stack);
  return [
    ...(deployed.length > 0 ? [`until ${list(deployed)} ${deployed.length === 1 ? "is" : "are"} deployed`] : []),
    ...(run.length > 0 ? [`until the workflow of ${list(run)} has registered a model`] : []),
  ].join(", and ");
}

/** "after data, which changes DataKey". */
export function readsChangingText({ readsChanging }: Pick<StackSummary, "readsChanging">): string {
  const stacks = [...new Set(readsChanging.map(({ stack }) => stack))];
  return list(
    stacks.map((stack) => {
      const parameters = readsChanging.filter((one) => one.stack === stack).map(({ parameter }) => parameter);
      return `${stack} changes ${list(parameters)}`;
    }),
  );
}

/** "3 to delete, 2 to replace, 1 to change, 85 to create". */
export function totals({ stacks }: PlanSummary): string {
  const words = {
    delete: "to delete",
    replace: "to replace",
    forget: "to forget",
    update: "to change",
    import: "to take over",
    move: "to move",
    create: "to create",
  } as const;
  const all = stacks.flatMap(({ resources }) => resources);
  const parts = Object.entries(words)
    .map(([action, word]) => [all.filter((resource) => resource.action === action).length, word] as const)
    .filter(([number]) => number > 0)
    .map(([number, word]) => `${number} ${word}`);
  return parts.length === 0 ? "nothing to change" : parts.join(", ");
}

/** The most important arguments: for a replacement those that force it, for an update all. */
export function toldAttributes({ action, attributes }: ResourceSummary): {
  readonly told: readonly AttributeChange[];
  readonly others: number;
} {
  const told =
    action === "replace"
      ? attributes.filter(({ forcesReplacement, after }) => forcesReplacement || after.kind !== "unknown")
      : attributes;
  return { told, others: attributes.length - told.length };
}
