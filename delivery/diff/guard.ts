/**
 * Refuses to replace or delete what holds data that can't be made again, unless somebody allows it by its name.
 *
 *     const allowed = readAllowed(process.env.ALLOW_REPLACE);
 *     enforceGuard({ command: "make deploy ENVIRONMENT=production", allowed }, [summarizeStack("data", plan)]);
 *
 * It watches over what `holds` something by its record in aws-services/. A name is `<stack>/<address>`: two stacks have
 * the same addresses where they are made from one class, and a permission for the test website must not reach the
 * production website.
 */
import { stackIds } from "../../stacks/contract";
import { DeploymentError } from "../terraform";
import type { Refusal, StackSummary } from "./summary";

/** The exit status of a command that refused. */
export const refusedStatus = 2;

/** The guard refused. */
export class RefusedError extends DeploymentError {
  readonly exitStatus = refusedStatus;
}

/**
 * Reads `ALLOW_REPLACE`: names, separated by commas or spaces.
 * @throws DeploymentError when one names no stack
 */
export function readAllowed(value = ""): readonly string[] {
  // A key of for_each stands in brackets and may hold anything.
  const names = value.match(/(?:[^\s,[]|\[[^\]]*\])+/g) ?? [];
  for (const name of names) {
    const [stack = "", address = ""] = name.split(/\/(.*)/s);
    if (!(stackIds as readonly string[]).includes(stack) || !/^[a-z]\w*\.[^\s[]+(\[.*\])*$/s.test(address)) {
      throw new DeploymentError(
        `ALLOW_REPLACE is ${JSON.stringify(name)}; expected a stack and an address, such as data/aws_sagemaker_feature_group.features_group.`,
        "Take the name from the refusal, and type it again.",
      );
    }
  }
  return names;
}

/** How a resource is named where it is allowed. */
export const nameOf = ({ stack, address }: Pick<Refusal, "stack" | "address">): string => `${stack}/${address}`;

/**
 * What stacks would lose and nobody has allowed.
 * @param allowed from `readAllowed`
 */
export function refusalsOf(stacks: readonly StackSummary[], allowed: readonly string[] = []): Refusal[] {
  return stacks.flatMap(({ stack, resources }) =>
    resources.flatMap(({ address, action, holds, protected: isProtected = false }): Refusal[] =>
      holds !== undefined &&
      (action === "delete" || action === "replace") &&
      !allowed.includes(nameOf({ stack, address }))
        ? [{ stack, address, action, holds, protected: isProtected }]
        : [],
    ),
  );
}

/** "would be replaced: its items would be lost". */
export const lossOf = ({ action, holds }: Pick<Refusal, "action" | "holds">): string =>
  `would be ${action === "replace" ? "replaced" : "deleted"}, and holds ${holds}`;

/** What somebody types who wants it all the same. */
export function howToAllow(command: string, refused: readonly Refusal[], allowed: readonly string[]): string {
  const names = [...allowed, ...refused.map(nameOf)];
  // An address of for_each has quotes and brackets, which a shell would take for its own.
  const list = names.join(",");
  return `${command} ALLOW_REPLACE=${/^[\w./,-]*$/.test(list) ? list : `'${list.replaceAll("'", `'\\''`)}'`}`;
}

/**
 * Stops a command that would lose data.
 * @throws RefusedError that names each resource, what would be lost, and how to allow it
 */
export function enforceGuard(
  { command, allowed }: { readonly command: string; readonly allowed: readonly string[] },
  stacks: readonly StackSummary[],
): void {
  const refused = refusalsOf(stacks, allowed);
  if (refused.length === 0) {
    return;
  }
  const isProtected = refused.some((one) => one.protected);
  throw new RefusedError(
    `The plan would lose data, so nothing was done:\n${refused.map((one) => `  ${nameOf(one)} ${lossOf(one)}`).join("\n")}`,
    `Take the change back. If that is what you want: ${howToAllow(command, refused, allowed)}` +
      (isProtected ? `\n  prevent_destroy protects it besides: ${protectionRemedy}` : ""),
  );
}

/** How `prevent_destroy` is given up. */
export const protectionRemedy =
  "set protectData to false in environments/, deploy that alone, and set it back afterwards.";
