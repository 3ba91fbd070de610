/** Which of checkov's findings have a written reason, and which reasons have no finding any more. */
import type { CheckovException } from "./exceptions";
import type { Failure } from "./scan";

/** A failure with where it was found. */
export interface Finding extends Failure {
  readonly environment: string;
  readonly stack: string;
}

/** One entry of a row in the exceptions that excuses nothing. */
export interface IdleEntry {
  readonly check: string;
  readonly resource: string;
}

/** What becomes of the findings. */
export interface Judgement {
  readonly excused: readonly Finding[];
  readonly unexcused: readonly Finding[];
  readonly idle: readonly IdleEntry[];
}

/** Whether `pattern`, in which `*` stands for any part of a stack's or a resource's name, names a resource. */
function names(pattern: string, { stack, address }: Finding): boolean {
  const parts = pattern.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join("[^/.]*")}$`).test(`${stack}/${address}`);
}

/** Sorts the findings of all environments at once: an exception may be for one of them alone. */
export function judge(findings: readonly Finding[], exceptions: readonly CheckovException[]): Judgement {
  const entries = exceptions.flatMap(({ check, environments, resources }) =>
    resources.map((resource) => ({ check, resource, environments })),
  );
  const used = new Set<(typeof entries)[number]>();
  const excused: Finding[] = [];
  const unexcused: Finding[] = [];
  for (const finding of findings) {
    const fitting = entries.filter(
      ({ check, environments, resource }) =>
        check === finding.check && (environments?.includes(finding.environment) ?? true) && names(resource, finding),
    );
    for (const entry of fitting) {
      used.add(entry);
    }
    (fitting.length > 0 ? excused : unexcused).push(finding);
  }
  return { excused, unexcused, idle: entries.filter((entry) => !used.has(entry)) };
}

/**
 * What people read when something is left to do; empty when all is well.
 * @param judgement of all environments
 */
export function complaint({ unexcused, idle }: Judgement): string {
  // The same resource of several environments is one thing to mend.
  const places = new Map<string, { readonly finding: Finding; readonly environments: string[] }>();
  for (const finding of unexcused) {
    const key = `${finding.check} ${finding.stack}/${finding.address}`;
    const known = places.get(key);
    if (known) {
      known.environments.push(finding.environment);
    } else {
      places.set(key, { finding, environments: [finding.environment] });
    }
  }
  const failures = [...places.values()].map(
    ({ finding: { address, check, name, stack }, environments }) =>
      `  ${stack}/${address} (${environments.join(", ")}) fails ${check}: ${name}`,
  );
  const rows = idle.map(({ check, resource }) => `  ${check} for ${resource}`);
  return [
    ...(failures.length === 0
      ? []
      : [
          `${failures.length === 1 ? "One failure has" : `${failures.length} failures have`} no reason:`,
          ...failures,
          "  → Mend the resource, or write in __tests__/checkov/exceptions.ts why it is right as it is.",
        ]),
    ...(rows.length === 0
      ? []
      : [
          `${rows.length === 1 ? "One exception excuses" : `${rows.length} exceptions excuse`} nothing any more:`,
          ...rows,
          "  → Remove it from __tests__/checkov/exceptions.ts, or correct its resource.",
        ]),
  ].join("\n");
}
