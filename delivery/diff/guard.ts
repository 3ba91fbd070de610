/**
 * Refuses to replace or delete resources whose data can't be made again, unless somebody allows it by name.
 *
 *     const allowed = readAllowed(process.env.ALLOW_REPLACE);
 *     enforceGuard({ command: "make deploy ENVIRONMENT=production", allowed }, [summarizeStack("data", plan)]);
 *
 * It protects types whose record in aws-services/ has `holds`. A name is `<stack>/<address>`: stacks of one class have
 * the same addresses, and a permission for the test website must not apply to the production website.
 */
import { stackIds } from "../../stacks/contract";
import { DeploymentError } from "../terraform";
import type { Refusal, StackSummary } from "./summary";

/** The exit status of a command that refused. */
export const refusedStatus = 2;

/** The guard refused the plan. */
export class RefusedError extends DeploymentError {
  readonly exitStatus = refusedStatus;
}

/**
 * Reads `ALLOW_REPLACE`: names, separated by commas or spaces.
 * @throws DeploymentError when one names no stack
 */
export function readAllowed(value = ""): readonly string[] {
  // A for_each key is in brackets and may contain anything.
  const names = value.match(/(?:[^\s,[]|\[[^\]]*\])+/g) ?? [];
  for (const name of names) {
    const [stack = "", address = ""] = name.split(/\/(.*)/s);
    if (!(stackIds as readonly string[]).includes(stack) || !/^[a-z]\w*\.[^\s[]+(\[.*\])*$/s.test(address)) {
      throw new DeploymentError(
        `ALLOW_REPLACE is ${JSON.stringify(name)}; expected a stack and an address, such as data/aws_sagemaker_feature_group.features_group.`,
        "Copy the name from the refusal, and run it again.",
      );
    }
  }
  return names;
}

/** A resource's name in `ALLOW_REPLACE`. */
export const nameOf = ({ stack, address }: Pick<Refusal, "stack" | "address">): string => `${stack}/${address}`;

/**
 * The losses that nobody has allowed.
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

/** The command that allows it. */
export function howToAllow(command: string, refused: readonly Refusal[], allowed: readonly string[]): string {
  const names = [...allowed, ...refused.map(nameOf)];
  // An address with a for_each key has quotes and brackets, which a shell would interpret.
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
    `Undo the change. If you want the loss: ${howToAllow(command, refused, allowed)}` +
      (isProtected ? `\n  prevent_destroy also protects it: ${protectionRemedy}` : ""),
  );
}

/** How to remove `prevent_destroy`. */
export const protectionRemedy =
  "set protectData to false in environments/, deploy that alone, and set it back afterwards.";
