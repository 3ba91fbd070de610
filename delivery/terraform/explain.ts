/** Explains Terraform's errors in our words, with the next step. */
import type { StackId } from "../../stacks/contract";
import type { Ended } from "./child";
import { DeploymentError, ExistsError, ProtectedError, StaleError } from "./error";

/** A lock on a state, from the lock file or an error. */
export interface Lock {
  readonly id: string;
  /** Bucket and key of the state. */
  readonly path: string;
  /** `OperationTypeApply`, `OperationTypePlan` … */
  readonly operation: string;
  /** User and host. */
  readonly who: string;
  /** ISO 8601, UTC. */
  readonly created: string;
}

/** What Terraform was doing, and where. */
export interface Circumstances {
  readonly environmentName: string;
  readonly stack: StackId;
  /** Terraform's operation: "init", "plan", "apply" … */
  readonly operation: string;
}

/** Parses the block "Lock Info" of an error. */
export function lockIn(text: string): Lock | undefined {
  const block = /Lock Info:\n((?: {2}\w+:.*\n?)+)/.exec(text)?.[1];
  if (block === undefined) {
    return undefined;
  }
  const field = (name: string): string => new RegExp(`^ {2}${name}: +(.*)$`, "m").exec(block)?.[1]?.trim() ?? "";
  return {
    id: field("ID"),
    path: field("Path"),
    operation: field("Operation"),
    who: field("Who"),
    // Go prints "2026-11-22 19:09:44.123456789 +0000 UTC".
    created: field("Created").replace(/^(\S+) (\d\d:\d\d:\d\d)\S* \+0000 UTC$/, "$1T$2Z"),
  };
}

/** A time for people: "2026-11-22 19:09:44 UTC, 5 minutes ago". */
export function since(created: string, now: Date = new Date()): string {
  const time = new Date(created);
  if (Number.isNaN(time.getTime())) {
    return created === "" ? "an unknown time" : created;
  }
  const minutes = Math.round((now.getTime() - time.getTime()) / 60_000);
  const amount = (count: number, unit: string): string => `${count} ${unit}${count === 1 ? "" : "s"} ago`;
  const ago =
    minutes < 1
      ? "less than a minute ago"
      : minutes < 120
        ? amount(minutes, "minute")
        : minutes < 2_880
          ? amount(Math.round(minutes / 60), "hour")
          : amount(Math.round(minutes / 1_440), "day");
  return `${time.toISOString().slice(0, 19).replace("T", " ")} UTC (${ago})`;
}

/** A lock's operation in a word: "deploy" for `OperationTypeApply`. */
export function workOf({ operation }: Lock): string {
  const known: Readonly<Record<string, string>> = {
    OperationTypeApply: "a deploy",
    OperationTypePlan: "a plan",
    OperationTypeRefresh: "a refresh",
  };
  return known[operation] ?? (operation === "" ? "an unknown operation" : operation);
}

/** The error for a state that somebody else has locked. */
export function heldLock({ environmentName, stack }: Omit<Circumstances, "operation">, lock: Lock): DeploymentError {
  return new DeploymentError(
    `The state of ${stack} in ${environmentName} is locked by ${lock.who || "somebody"}, for ${workOf(lock)}, since ${since(lock.created)}.`,
    `Wait until that has ended. If you are sure that it no longer runs: make unlock ENVIRONMENT=${environmentName} STACK=${stack} LOCK=${lock.id}`,
  );
}

/** Removes the frame that Terraform draws around its messages, and colours. */
export function unframe(text: string): string {
  return (
    text
      // eslint-disable-next-line no-control-regex -- colours begin with the character ESC
      .replace(/\u001b\[[0-9;]*m/g, "")
      .replace(/\r/g, "")
      .split("\n")
      .filter((line) => !/^[╷╵]\s*$/.test(line))
      .map((line) => line.replace(/^│ ?/, ""))
      .join("\n")
  );
}

/** A known error of Terraform or the provider. */
interface Fault {
  readonly pattern: RegExp;
  readonly problem: (match: RegExpExecArray, at: Circumstances) => string;
  readonly next: (at: Circumstances, match: RegExpExecArray) => string;
  /** @default DeploymentError */
  readonly kind?: typeof DeploymentError;
}

const again = ({ environmentName, stack }: Circumstances): string =>
  `make deploy ENVIRONMENT=${environmentName} STACK=${stack}`;

/** The first match counts. */
const faults: readonly Fault[] = [
  {
    pattern: /S3 bucket "([^"]+)" does not exist/,
    problem: ([, bucket], { environmentName }) =>
      `The state bucket ${bucket ?? ""} of ${environmentName} does not exist.`,
    next: ({ environmentName }) => `make bootstrap ENVIRONMENT=${environmentName}`,
  },
  {
    pattern: /No valid credential sources found|failed to refresh cached credentials|NoCredentialProviders/,
    problem: () => "There are no AWS credentials, or they can't be read.",
    next: () => "Sign in (aws sso login), or set AWS_PROFILE, and run it again.",
  },
  {
    pattern: /ExpiredToken|InvalidClientTokenId|UnrecognizedClientException|SignatureDoesNotMatch/,
    problem: ([code]) => `AWS does not accept the credentials (${code}).`,
    next: () => "Sign in again (aws sso login), or correct AWS_PROFILE, and run it again.",
  },
  {
    pattern: /AWS account ID not allowed: (\d+)/,
    problem: ([, account], { environmentName }) =>
      `The credentials belong to account ${account ?? ""}, which is not the account of ${environmentName}.`,
    next: () => "Set AWS_PROFILE to a profile of the environment's account (environments/), and run it again.",
  },
  {
    pattern: /Backend configuration changed|Terraform Cloud configuration changed|HCP Terraform configuration changed/,
    problem: (_, { stack, environmentName }) =>
      `The backend of the state of ${stack} in ${environmentName} has changed since the last run.`,
    next: ({ environmentName, stack }) =>
      `If the state is already there, remove cdktf.out/${environmentName} and run it again; if it must be moved: ` +
      `terraform -chdir=cdktf.out/${environmentName}/stacks/${stack} init -migrate-state`,
  },
  {
    pattern: /Required token could not be found|No credentials found for|invalid or unauthorized token/i,
    problem: () => "There is no token for Terraform Cloud.",
    next: () => "terraform login (or set TF_TOKEN_app_terraform_io), and run it again.",
  },
  {
    kind: StaleError,
    // Terraform Cloud discards a workspace's saved plans when another run is applied.
    pattern: /Saved plan is (?:stale|discarded)|Saved plan does not match the given state/,
    problem: (_, { stack, environmentName }) =>
      `Somebody else has changed ${stack} in ${environmentName} since this plan was made, so it was not applied.`,
    next: again,
  },
  {
    pattern:
      /Failed to query available provider packages|Failed to install provider|Could not retrieve the list of available versions/,
    problem: () => "Terraform can't get a provider.",
    next: () =>
      "Check that registry.terraform.io can be reached, or that TF_CLI_CONFIG_FILE names a mirror that has it, and run it again.",
  },
  {
    kind: ProtectedError,
    pattern: /Instance cannot be destroyed[\s\S]*?Resource (\S+) has/,
    problem: ([, address], { stack }) =>
      `The change would destroy ${address ?? ""} of ${stack}, which holds data and is protected.`,
    next: () => "Undo the change. If the data may be deleted: docs/deployment.md says how to remove the protection.",
  },
  {
    pattern:
      /ParameterNotFound|couldn't find resource[\s\S]*?data\.aws_ssm_parameter\.(\w+)|reading SSM Parameter \(([^)]+)\)[^\n]*(?:couldn't find resource|empty result)/,
    problem: (_, { stack }) => `${stack} reads a parameter that no other stack has published yet.`,
    next: ({ environmentName }) =>
      `Deploy the stacks before it first; this deploys all in order: make deploy ENVIRONMENT=${environmentName}`,
  },
  {
    // Terraform may break lines between any two words.
    pattern: /Scope\s+ARN:\s+(\S+)\s+does\s+not\s+exist\s+or\s+is\s+not\s+attachable/,
    problem: ([, boundary], { stack, environmentName }) =>
      `The roles of ${stack} need the permissions boundary ${boundary ?? ""}, which does not exist: the stack governance of ${environmentName} creates it.`,
    next: ({ environmentName, stack }) =>
      `make deploy ENVIRONMENT=${environmentName} STACK=governance, with an engineer's rights; ` +
      `then ${again({ environmentName, stack, operation: "" })}`,
  },
  {
    kind: ExistsError,
    // Services have different codes for it; SageMaker, Athena and others have only a sentence.
    pattern:
      /\w*(?:AlreadyExists|AlreadyOwnedByYou|DuplicateItem|DuplicateRecord|NameExists|NameInUse|ResourceConflict|ResourceInUse)\w*|already\s+(?:created|exist(?:ing|s))/,
    problem: ([code], { stack }) =>
      `Something that ${stack} wants to create already exists (${code}): a deploy that was killed may have created it.`,
    next: ({ environmentName, stack }) =>
      `Import it into the state (terraform -chdir=cdktf.out/${environmentName}/stacks/${stack} import ADDRESS ID), or remove it from AWS; ` +
      `then ${again({ environmentName, stack, operation: "" })}`,
  },
];

/** The error for a failed terraform or cdktf. */
export function explain(
  at: Circumstances,
  { output, errors, late, interrupted }: Omit<Ended, "status">,
): DeploymentError {
  const text = unframe(`${errors}\n${output}`);
  // Terraform prints errors on standard error; other output would follow the last of them.
  const said = lastErrors(/^Error: /m.test(unframe(errors)) ? unframe(errors) : text);
  const lock = text.includes("Error acquiring the state lock") ? lockIn(text) : undefined;
  if (lock) {
    return heldLock(at, lock);
  }
  const { operation, stack, environmentName } = at;
  if (interrupted) {
    return new DeploymentError(
      `The ${operation} of ${stack} in ${environmentName} was interrupted${operation === "deploy" ? "; Terraform has saved what was done" : ""}.`,
      "Run it again.",
    );
  }
  if (late) {
    return new DeploymentError(
      `The ${operation} of ${stack} in ${environmentName} exceeded its time limit, and was stopped.`,
      "Look in the AWS console for what hangs, and run it again.",
      said,
    );
  }
  for (const { pattern, problem, next, kind } of faults) {
    const match = pattern.exec(said);
    if (match) {
      return new (kind ?? DeploymentError)(problem(match, at), next(at, match), said);
    }
  }
  return new DeploymentError(
    `The ${operation} of ${stack} in ${environmentName} failed.`,
    "Correct what Terraform says, and run it again.",
    said,
  );
}

/** Terraform's own errors; without any, its last lines. */
function lastErrors(text: string): string {
  const parts = text.split(/^(?=(?:Error|Warning): )/m).filter((part) => part.startsWith("Error: "));
  return parts.length > 0
    ? parts.map((part) => part.trim()).join("\n\n")
    : text.trim().split("\n").slice(-20).join("\n");
}
