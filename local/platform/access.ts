import { IAM, paginateListRoles } from "@aws-sdk/client-iam";

import { isArguments, list, parseObject, texts } from "../../aws-services/arguments";
import { covers, coversResource } from "../../policies/statements";
import { excuses } from "./access-excuses";
import { harmlessCredentials, type Instance, readJson, region } from "./instance";
import { addressOf } from "./services";

/** A request that the emulator has judged, as `local/emulator/patches/authorization.py` counts it. */
interface JudgedRequest {
  readonly role: string;
  readonly action: string;
  readonly resource: string;
  /** Why it was refused, as a clause; empty where it was allowed. */
  readonly why: string;
  readonly times: number;
}

/** What a role asked for, and what it never asked for although it may. */
export interface RoleAccess {
  readonly role: string;
  readonly used: readonly { readonly action: string; readonly resource: string; readonly times: number }[];
  /** Rights, as the role's policies write them. `excuse`: why one need not be used here, null where nothing says so. */
  readonly unused: readonly { readonly action: string; readonly resource: string; readonly excuse: string | null }[];
  readonly refused: readonly { readonly action: string; readonly resource: string; readonly why: string }[];
}

/** Why a right need not be used. A policy's resource of `*` is excused only by an excuse for just that. */
function excuseOf(right: { readonly action: string; readonly resource: string }): string | null {
  const excuse = excuses.find(
    ({ action, resource }) =>
      covers(action, right.action) &&
      (resource === undefined ||
        (resource === "*" ? right.resource === "*" : coversResource(resource, right.resource))),
  );
  return excuse?.reason ?? null;
}

/**
 * Compares what roles asked for with what their policies allow.
 * @param policies The documents of each role's policies, by its name.
 * @returns One entry for each role, by name; of those that have asked for nothing, too.
 */
export function compareAccess(
  policies: Readonly<Record<string, readonly string[]>>,
  requests: readonly JudgedRequest[],
): RoleAccess[] {
  return Object.keys(policies)
    .sort()
    .map((role) => {
      const own = requests.filter((request) => request.role === role);
      const allowed = own.filter(({ why }) => why === "");
      const rights = (policies[role] ?? [])
        .flatMap((document) => list(parseObject(document)?.Statement).filter(isArguments))
        .filter(({ Effect }) => Effect === "Allow")
        .flatMap(({ Action, Resource }) =>
          texts(Action).flatMap((action) => texts(Resource).map((resource) => ({ action, resource }))),
        );
      const isUsed = (right: { readonly action: string; readonly resource: string }): boolean =>
        allowed.some(
          ({ action, resource }) => covers(right.action, action) && coversResource(right.resource, resource),
        );
      return {
        role,
        used: allowed.map(({ action, resource, times }) => ({ action, resource, times })),
        unused: rights.filter((right) => !isUsed(right)).map((right) => ({ ...right, excuse: excuseOf(right) })),
        refused: own.filter(({ why }) => why !== "").map(({ action, resource, why }) => ({ action, resource, why })),
      };
    });
}

async function rolePolicies(iam: IAM): Promise<Record<string, string[]>> {
  const policies: Record<string, string[]> = {};
  for await (const { Roles = [] } of paginateListRoles({ client: iam }, {})) {
    for (const { RoleName = "" } of Roles) {
      const { PolicyNames = [] } = await iam.listRolePolicies({ RoleName });
      policies[RoleName] = await Promise.all(
        PolicyNames.map(async (PolicyName) => {
          const { PolicyDocument = "" } = await iam.getRolePolicy({ RoleName, PolicyName });
          return decodeURIComponent(PolicyDocument);
        }),
      );
    }
  }
  return policies;
}

/**
 * Reads what the platform's roles asked for since it was made.
 * @throws Error when the emulator does not run: the policies are read from it.
 */
export async function readAccess(instance: Instance): Promise<{ readonly roles: readonly RoleAccess[] }> {
  const endpoint = addressOf(instance, "emulator");
  const iam = new IAM({ endpoint, region, credentials: harmlessCredentials, maxAttempts: 2 });
  try {
    const file = instance.path("emulator/state/access/requests.json");
    return { roles: compareAccess(await rolePolicies(iam), readJson<readonly JudgedRequest[]>(file, [])) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`The roles' policies could not be read from the emulator (${reason}). Start it with make up.`, {
      cause: error,
    });
  } finally {
    iam.destroy();
  }
}

/** The access of all roles as text for a terminal: refusals first, for they are faults. */
export function describeAccess(roles: readonly RoleAccess[]): string {
  const lines = roles.flatMap(({ role, used, unused, refused }) => [
    "",
    role,
    ...refused.map(({ action, resource, why }) => `  refused  ${action} on ${resource}: ${why}`),
    ...used.map(({ action, resource, times }) => `  used     ${String(times).padStart(6)}  ${action} on ${resource}`),
    ...unused.map(
      ({ action, resource, excuse }) =>
        `  unused           ${action} on ${resource}${excuse === null ? "" : `: ${excuse}`}`,
    ),
  ]);
  const count = (of: (access: RoleAccess) => readonly unknown[]): number =>
    roles.reduce((sum, access) => sum + of(access).length, 0);
  const total = [
    `${roles.length} roles: ${count(({ used }) => used)} kinds of requests`,
    `${count(({ unused }) => unused)} rights never used`,
    `of which ${count(({ unused }) => unused.filter(({ excuse }) => excuse !== null))} have an excuse`,
    `${count(({ refused }) => refused)} refused.`,
  ];
  return `${total.join(", ")}\n${lines.join("\n")}`;
}
