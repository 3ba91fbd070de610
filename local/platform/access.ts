import { IAM, paginateListRoles } from "@aws-sdk/client-iam";

import { isArguments, list, parseObject, texts } from "../../aws-services/arguments";
import { covers, coversResource } from "../../policies/statements";
import { type Excuse, excuses } from "./access-excuses";
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

/** Whether an excuse is for a right. A policy's resource of `*` is excused only by an excuse for just that. */
function isExcusedBy(
  { action, resource }: Excuse,
  right: { readonly action: string; readonly resource: string },
): boolean {
  return (
    covers(action, right.action) &&
    (resource === undefined || (resource === "*" ? right.resource === "*" : coversResource(resource, right.resource)))
  );
}

const excuseOf = (right: { readonly action: string; readonly resource: string }): string | null =>
  excuses.find((excuse) => isExcusedBy(excuse, right))?.reason ?? null;

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

/**
 * What several platforms' roles asked for, as if they were one: a right is unused where no platform has used it.
 * @param platforms the access of each platform's roles; keys of KMS are taken for one another, as each platform makes
 * its own
 */
export function mergeAccess(platforms: readonly (readonly RoleAccess[])[]): RoleAccess[] {
  const nameOf = ({ action, resource }: { readonly action: string; readonly resource: string }): string =>
    `${action} ${resource.replace(/:key\/.+/, ":key/*")}`;
  const roles = [...new Set(platforms.flatMap((accesses) => accesses.map(({ role }) => role)))].sort();
  return roles.map((role) => {
    const own = platforms.flatMap((accesses) => accesses.filter((access) => access.role === role));
    const unused = own.map((access) => new Set(access.unused.map(nameOf)));
    return {
      role,
      used: own.flatMap((access) => access.used),
      unused: own[0]?.unused.filter((right) => unused.every((names) => names.has(nameOf(right)))) ?? [],
      refused: own.flatMap((access) => access.refused),
    };
  });
}

/**
 * What is wrong with what roles asked for and may do, a sentence each.
 * @param roles of a whole loop: of less, most rights were never used
 */
export function accessFaults(roles: readonly RoleAccess[]): string[] {
  // A right that was used now and then, or never, is there.
  const rights = roles.flatMap(({ used, unused }) => [...unused, ...used]);
  const place = "local/platform/access-excuses.ts";
  return [
    ...roles.flatMap(({ role, refused }) =>
      refused.map(({ action, resource, why }) => `${role} was refused ${action} on ${resource}: ${why}.`),
    ),
    ...roles.flatMap(({ role, unused }) =>
      unused
        .filter(({ excuse }) => excuse === null)
        .map(
          ({ action, resource }) =>
            `${role} never used ${action} on ${resource}: take the right away, or say in ${place} why it is needed.`,
        ),
    ),
    ...excuses
      .filter((excuse) => !rights.some((right) => isExcusedBy(excuse, right)))
      .map(
        ({ action, resource = "any resource" }) => `${place} excuses ${action} on ${resource}, which no role may do.`,
      ),
  ];
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
