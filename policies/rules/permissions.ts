/** Permissions: no broad managed policies, no wildcards, roles passed only to named services, no unnamed principals. */
import { actionsWithoutResources } from "../actions-without-resources";
import { boundaries } from "../boundaries";
import { type Documents, isArguments, type Resource, texts, values, walk } from "../documents";
import type { Finding, Rule } from "../rule";
import { covers, isAnyone, type Statement, statements, unreadablePolicies } from "../statements";

const broadPolicy = /(?:^|\/)([\w+=,.@-]*FullAccess|AdministratorAccess|PowerUserAccess)$/;

/** AWS managed policies that grant all of a service, or all of AWS. */
export const managedPolicies: Rule = {
  id: "managed-policies",
  promise: "No role has a managed policy that grants all of a service.",
  source: 'IAM User Guide, "Security best practices in IAM": apply least-privilege permissions',
  remedy: "Give the role the statements that it needs (modules/execution-role.ts).",
  *check(documents) {
    for (const resource of documents.all) {
      const names = new Set<string>();
      walk(resource.arguments, (value, key) => {
        const name = typeof value === "string" ? broadPolicy.exec(value)?.[1] : undefined;
        // A name without an ARN means a policy only in a policy data source.
        if (name !== undefined && (String(value).includes("policy/") || (key === "name" && isPolicy(resource)))) {
          names.add(name);
        }
      });
      for (const name of names) {
        yield { place: resource, found: `has the policy ${name}` };
      }
    }
  },
};

const isPolicy = ({ type }: Resource): boolean => type === "data.aws_iam_policy";

/** A key's policy is the only resource policy whose resource is always "*", and whose first statement is AWS's own. */
const keyTypes: ReadonlySet<string> = new Set(["aws_kms_key", "aws_kms_key_policy", "aws_kms_replica_key"]);

/**
 * The first statement of AWS in every key policy: it gives the key to its own account, whose IAM policies then decide.
 * Without it, nobody can change the key any more (KMS Developer Guide, "Default key policy"). The account is the one of
 * the stack's provider.
 */
function givesKeyToAccount({ resource, principal, actions }: Statement, { stacks }: Documents): boolean {
  if (!keyTypes.has(resource.type) || actions.join() !== "kms:*" || !isArguments(principal)) {
    return false;
  }
  const document = stacks.find(({ id }) => id === resource.stack)?.document;
  const accounts = texts(values(document, "provider", "aws", "allowed_account_ids"));
  const [holder, ...others] = Object.values(principal).flatMap(texts);
  const account = /^arn:[^:]+:iam::(\d{12}):root$/.exec(holder ?? "")?.[1];
  return others.length === 0 && account !== undefined && accounts.includes(account);
}

/**
 * The policies of endpoints grant nothing: they only limit requests; the caller's and the resource's policies still
 * decide.
 */
const endpointTypes: ReadonlySet<string> = new Set(["aws_vpc_endpoint", "aws_vpc_endpoint_policy"]);

/**
 * Whether a statement of an endpoint's policy limits all callers to named accounts: "An endpoint policy does not
 * override or replace IAM user policies or service-specific policies" (AWS PrivateLink Guide, "Control access to VPC
 * endpoints using endpoint policies"). An IfExists operator would allow requests without the key, and StringLike any
 * account.
 */
function boundsAccounts({ resource, conditions: { StringEquals: equal } }: Statement): boolean {
  if (!endpointTypes.has(resource.type) || !isArguments(equal)) {
    return false;
  }
  const accounts = Object.entries(equal)
    .filter(([key]) => key.toLowerCase() === "aws:principalaccount")
    .flatMap(([, value]) => texts(value));
  return accounts.length > 0;
}

/** All of one service, which is what an endpoint is for; not all of AWS. */
const serviceWide = /^[\w-]+:\*$/;

/** All of one service, or part of it. */
const withinService = /^[\w-]+:[\w*]+$/;

const finding = ({ resource, name }: Statement, found: string): Finding => ({
  place: resource,
  found: `allows ${found} (statement ${name})`,
});

/** Actions that are not listed one by one. */
export const namedActions: Rule = {
  id: "named-actions",
  promise: "A policy names the actions that it allows.",
  source: 'IAM User Guide, "Security best practices in IAM": apply least-privilege permissions',
  remedy:
    "List the actions. Only a resource policy and a boundary, which grants nothing, may use an action that ends with *. Only a boundary and a VPC endpoint's policy may allow all of a service, the latter to named accounts (StringEquals aws:PrincipalAccount).",
  *check(documents) {
    for (const statement of statements(documents)) {
      if (!statement.allows || givesKeyToAccount(statement, documents)) {
        continue;
      }
      for (const key of statement.inverted.filter((inverted) => inverted !== "NotPrincipal")) {
        yield finding(statement, `all but what its ${key} lists`);
      }
      const identity = statement.principal === undefined;
      for (const action of statement.actions) {
        if (boundsAccounts(statement) && serviceWide.test(action)) {
          continue;
        }
        if (boundaries(documents).has(statement.resource) && withinService.test(action)) {
          continue;
        }
        if (identity ? /[*?]/.test(action) : /^(?:[^:]*:)?[*?]+$/.test(action)) {
          yield finding(statement, action);
        }
      }
    }
  },
};

/** `*`, or an ARN whose last part is only `*` and whose other parts name nothing. */
const anything = /^(?:\*+|arn:[^:]*:[^:]*:[*]*:[*]*:\*+)$/;

/** List and Describe actions: many take no resource, and all are read-only. */
const lists = /^[\w-]+:(?:Describe|List)\*$/;

/** The actions that are listed as taking no resource, and those that the stacks use. */
function knownActions(documents: Documents): ReadonlySet<string> {
  const named = statements(documents).flatMap(({ actions }) => actions.filter((action) => !/[*?]/.test(action)));
  return new Set([...actionsWithoutResources, ...named]);
}

/** Whether all known actions that match a boundary's pattern take no resource. */
function knowsNoResources(pattern: string, known: ReadonlySet<string>): boolean {
  if (lists.test(pattern)) {
    return true;
  }
  if (serviceWide.test(pattern)) {
    return false;
  }
  const meant = [...known].filter((action) => covers(pattern, action));
  return meant.length > 0 && meant.every((action) => actionsWithoutResources.has(action));
}

/** Resources that are not named. */
export const namedResources: Rule = {
  id: "named-resources",
  promise: "A policy names the resources on which it allows something.",
  source: 'IAM User Guide, "Security best practices in IAM": apply least-privilege permissions',
  remedy:
    "Name the resource's ARN. If the action takes no resource, add it to its type's record in aws-services/, or with AWS's reason to policies/actions-without-resources.ts. A boundary, which grants nothing, may use a pattern for such actions (ec2:Describe*). A VPC endpoint may allow any resource to named accounts (StringEquals aws:PrincipalAccount).",
  *check(documents) {
    const known = knownActions(documents);
    for (const statement of statements(documents)) {
      if (!statement.allows || keyTypes.has(statement.resource.type) || boundsAccounts(statement)) {
        continue;
      }
      const resource = statement.resources.find((candidate) => anything.test(candidate));
      if (resource === undefined) {
        continue;
      }
      const bounds = boundaries(documents).has(statement.resource);
      for (const action of statement.actions) {
        if (bounds && knowsNoResources(action, known)) {
          continue;
        }
        if (!actionsWithoutResources.has(action)) {
          yield finding(statement, `${action} on ${resource}`);
        }
      }
    }
  },
};

/** Whether a statement applies only to named services. An IfExists operator would allow requests without the key. */
function namesServices({ conditions }: Statement): boolean {
  return ["StringEquals", "StringLike"].some((operator) => {
    const entries = Object.entries(isArguments(conditions[operator]) ? conditions[operator] : {});
    const services = entries
      .filter(([key]) => key.toLowerCase() === "iam:passedtoservice")
      .flatMap(([, value]) => texts(value));
    return services.length > 0 && services.every((service) => !/[*?]/.test(service));
  });
}

/** Who can pass a role to any service gets the role's rights. */
export const passedRoles: Rule = {
  id: "passed-roles",
  promise: "A role is passed to named services only.",
  source:
    'IAM User Guide, "Grant a user permissions to pass a role to an AWS service", condition key iam:PassedToService',
  remedy: "Add the condition StringEquals iam:PassedToService with the service (passRole in modules/policy.ts).",
  *check(documents) {
    for (const statement of statements(documents)) {
      if (!statement.allows || namesServices(statement) || boundaries(documents).has(statement.resource)) {
        continue;
      }
      const action = statement.actions.find((pattern) => covers(pattern, "iam:PassRole"));
      if (action !== undefined) {
        yield finding(statement, `${action} to whatever service`);
      }
    }
  },
};

/** The condition keys that limit the caller or the source (S3 User Guide, "The meaning of public"). */
const limitingKey = /^(?:aws:(?:Principal|Source)\w+|kms:CallerAccount)$/i;

const isLimited = ({ conditions }: Statement): boolean =>
  Object.values(conditions).some((keys) => isArguments(keys) && Object.keys(keys).some((key) => limitingKey.test(key)));

/** A resource policy that allows everybody. */
export const namedPrincipals: Rule = {
  id: "named-principals",
  promise: "A resource policy allows only principals that it names.",
  source:
    'IAM User Guide, "AWS JSON policy elements: Principal": do not use a wildcard in Allow unless a condition limits it',
  remedy: "Name the principal, or limit the statement by a condition on the caller, such as aws:PrincipalAccount.",
  *check(documents) {
    for (const statement of statements(documents)) {
      if (!statement.allows || isLimited(statement)) {
        continue;
      }
      if (isAnyone(statement.principal) || statement.inverted.includes("NotPrincipal")) {
        yield finding(statement, "anyone in");
      }
    }
    for (const permission of documents.resources("aws_lambda_permission")) {
      if (permission.arguments.principal === "*") {
        yield { place: permission, found: "allows anyone" };
      }
    }
  },
};

/** Policies that no rule can read. */
export const readablePolicies: Rule = {
  id: "readable-policies",
  promise: "Every policy and every state machine is plain JSON in the stack, so that these rules can read it.",
  source: "policies/README.md",
  remedy: "Write it with policyDocument (modules/policy.ts) or JSON.stringify, with references in its texts only.",
  *check(documents) {
    for (const [resource, argument] of unreadablePolicies(documents)) {
      yield { place: resource, found: `has a ${argument} that is not JSON before Terraform runs` };
    }
    for (const machine of documents.resources("aws_sfn_state_machine")) {
      const [definition] = values(machine.arguments, "definition");
      if (typeof definition !== "string" || !definition.startsWith("{")) {
        yield { place: machine, found: "has a definition that is not JSON before Terraform runs" };
      }
    }
  },
};
