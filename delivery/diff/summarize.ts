/** Summarizes Terraform's plan for a reviewer. */
import { awsServices } from "../../aws-services";
import { type StackId } from "../../stacks/contract";
import type { ResourceChange, TerraformPlan } from "../terraform";
import { compareResource } from "./attributes";
import type { ResourceSummary, StackSummary } from "./summary";

/**
 * Terraform's reasons ("JSON Output Format", action_reason) in our words. If an update is not possible, the attributes
 * show why.
 */
const reasons: Readonly<Record<string, string>> = {
  replace_because_tainted: "its last creation failed half-way (tainted)",
  replace_by_request: "asked for by -replace",
  replace_by_triggers: "replace_triggered_by names something that changes",
  delete_because_no_resource_config: "it is no longer in the configuration",
  delete_because_no_module: "its module is no longer in the configuration",
  delete_because_wrong_repetition: "count or for_each of the configuration has changed",
  delete_because_count_index: "count of the configuration has become smaller",
  delete_because_each_key: "its key is no longer in for_each of the configuration",
};

/** The order of the kinds of changes: losses first. */
export const actionOrder = ["delete", "replace", "forget", "update", "import", "move", "create"] as const;

function actionOf({ change, previous_address }: ResourceChange): ResourceSummary["action"] | undefined {
  const { actions, importing } = change;
  if (actions.includes("delete")) {
    return actions.includes("create") ? "replace" : "delete";
  }
  if (actions.includes("forget")) {
    return "forget";
  }
  if (importing) {
    return "import";
  }
  if (actions.includes("create")) {
    return "create";
  }
  if (actions.includes("update")) {
    return "update";
  }
  return previous_address === undefined ? undefined : "move";
}

/** The part of the plan's configuration with the arguments that are set, and their sources. */
interface Configuration {
  readonly root_module?: {
    readonly resources?: readonly {
      readonly address: string;
      readonly expressions?: Readonly<Record<string, unknown>>;
    }[];
  };
}

/**
 * The resources that a plan changes, losses first.
 * @param protectedAddresses addresses that `prevent_destroy` protects
 */
export function summarizeResources(
  { resource_changes = [], resource_drift = [], configuration }: TerraformPlan,
  protectedAddresses: ReadonlySet<string> = new Set(),
): ResourceSummary[] {
  const declared = new Map(
    ((configuration as Configuration | undefined)?.root_module?.resources ?? []).map(
      ({ address, expressions = {} }) => [address, expressions],
    ),
  );
  const deletedByOthers = new Set(
    resource_drift.filter(({ change }) => change.actions.includes("delete")).map(({ address }) => address),
  );
  const summaries = resource_changes.flatMap((resource): ResourceSummary[] => {
    const { address, mode, type, change, action_reason = "", previous_address } = resource;
    const action = mode === "managed" ? actionOf(resource) : undefined;
    if (action === undefined) {
      return [];
    }
    // Instances of one resource share its configuration: `aws_subnet.private[0]`.
    const expressions = declared.get(address.replace(/\[.*$/, "")) ?? {};
    const whole = action === "create" || action === "delete" || action === "forget" || action === "move";
    const { changes, knownLater } = whole ? { changes: [], knownLater: 0 } : compareResource(resource, expressions);
    const reason =
      action === "create" && deletedByOthers.has(address)
        ? "somebody deleted it outside Terraform"
        : reasons[action_reason];
    const lost = action === "delete" || action === "replace";
    const holds = lost ? awsServices.find(type)?.holds?.what : undefined;
    return [
      {
        address,
        type,
        action,
        createBeforeDelete: action === "replace" ? change.actions[0] === "create" : undefined,
        reason,
        previousAddress: previous_address,
        holds,
        protected: lost && protectedAddresses.has(address) ? true : undefined,
        attributes: changes,
        knownLater,
      },
    ];
  });
  return summaries.sort((one, other) => actionOrder.indexOf(one.action) - actionOrder.indexOf(other.action));
}

/** The summary of a planned stack. */
export function summarizeStack(
  stack: StackId,
  plan: TerraformPlan,
  protectedAddresses?: ReadonlySet<string>,
): StackSummary {
  const resources = summarizeResources(plan, protectedAddresses);
  return { stack, status: resources.length > 0 ? "changes" : "unchanged", resources, awaits: [], readsChanging: [] };
}
