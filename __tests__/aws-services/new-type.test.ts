import { readdirSync } from "node:fs";
import { join } from "node:path";
import { awsServices } from "../../aws-services";
import { Registry } from "../../aws-services/registry";
import type { Service } from "../../aws-services/record";
import { costsOf } from "../../delivery/costs/costs";
import { summarizeResources } from "../../delivery/diff/summarize";
import { candidates } from "../../delivery/orphans";
import type { TerraformPlan } from "../../delivery/terraform";
import { loadEnvironment } from "../../environments";
import { deployStatements, planStatements } from "../../modules/pipeline/deploy-permissions";
import { projectRoot } from "../../modules/project-root";
import { breaches } from "../../policies";

const type = "aws_granary_silo";
const production = loadEnvironment("production");
const scope = {
  ...{ account: "111122223333", region: "eu-west-1", partition: "aws", stack: "data" },
  ...{ names: ["acme-production-data*"], prefix: "acme-production-", parameterPath: "/acme/production/" },
  ...{ published: [], read: [], roleServices: [], keyStack: "data" },
};

const planOf = (action: "create" | "delete"): TerraformPlan =>
  ({
    format_version: "1.2",
    terraform_version: "1.11.4",
    resource_changes: [
      {
        ...{ address: `${type}.grain`, mode: "managed", type, name: "grain", provider_name: "aws" },
        change: { actions: [action], before: { name: "grain" }, after: { name: "grain" }, after_unknown: {} },
      },
    ],
  }) as never;

/** All that asks for what is known of a type, and what each finds for the made-up one. */
const users = {
  deploy: () => deployStatements([type], scope),
  plan: () => planStatements([type], scope),
  costs: () => costsOf(production, { data: { resource: { [type]: { grain: { tons: 3 } } } } }).lines,
  orphans: () => candidates(planOf("create"), scope),
  guard: () => summarizeResources(planOf("delete")),
  rules: () =>
    breaches([{ id: "data", document: { resource: { [type]: { grain: {} } } } }], {
      ...{ protectData: true, requiredTags: [], boundedRoles: false },
    }).map(({ rule, found }) => `${rule.id}: ${found}`),
};

const records: Service = {
  [type]: {
    permissions: { sid: "Silos", reads: "granary:GetSilo", writes: "granary:CreateSilo", on: "granary:silo/{name}" },
    price: { charges: ({ tons }) => [{ price: "keyMonth", quantity: Number(tons), kind: "fixed" }] },
    importId: "name",
    holds: { what: "grain", lostBy: ["granary:DeleteSilo"] },
    encryption: () => [{ by: "none" }],
  },
};

/** Has the whole house know other services for a test. */
function know(services: Readonly<Record<string, Service>>): void {
  Object.assign(awsServices, new Registry(services));
}

const { services } = awsServices;
afterEach(() => {
  know(services);
});

test("a new type needs only one record", () => {
  know({ ...services, granary: records });
  const resources = ["arn:aws:granary:eu-west-1:111122223333:silo/acme-production-data*"];
  expect(users.deploy()).toEqual([{ sid: "Silos", actions: ["granary:GetSilo", "granary:CreateSilo"], resources }]);
  expect(users.plan()).toEqual([{ sid: "Silos", actions: ["granary:GetSilo"], resources }]);
  expect(users.costs()).toMatchObject([{ type, price: "keyMonth", quantity: 3 }]);
  expect(users.orphans()).toEqual([{ to: `${type}.grain`, id: "grain" }]);
  expect(users.guard()).toMatchObject([{ action: "delete", holds: "grain" }]);
  expect(users.rules()).toEqual([
    "encrypted-at-rest: nothing encrypts it",
    "protected: has no prevent_destroy, and holds grain",
  ]);
  expect(awsServices.namedServices).toContain("granary");
});

test.each(Object.keys(users) as (keyof typeof users)[])("without a record, %s names the file to write", (user) => {
  const sentence = `There is no record of ${type}: write one in aws-services/granary.ts`;
  if (user === "rules") {
    expect(users.rules()).toEqual([
      expect.stringMatching(new RegExp(`^known-types: has an unknown type. ${sentence}`)),
    ]);
  } else {
    expect(users[user]).toThrow(sentence);
  }
});

test("what only engineers deploy is in no stack of the pipeline", () => {
  expect(() => deployStatements(["aws_cloudtrail"], scope)).toThrow(
    "Only engineers deploy aws_cloudtrail: give it permissions in aws-services/by-hand.ts",
  );
});

test("a pattern with a word that no stack has is refused", () => {
  const permissions = { sid: "A", reads: "a:B", on: "a:{age}" };
  know({ granary: { [type]: { ...records[type]!, permissions } } });
  expect(users.deploy).toThrow("has {age}; expected one of name, prefix,");
});

test("every file with records is in the index, under its name", () => {
  const files = readdirSync(join(projectRoot, "aws-services")).map((file) => file.replace(/\.ts$/, ""));
  const helpers = ["arguments", "arn", "index", "permissions", "record", "registry"];
  expect(Object.keys(services).sort()).toEqual(files.filter((file) => !helpers.includes(file)).sort());
});

test("no two services have a record of one type, and no two permissions one name", () => {
  const types = Object.values(services).flatMap((service) => Object.keys(service));
  expect(types).toHaveLength(new Set(types).size);
  const names = awsServices.permissions.map(({ sid }) => sid);
  expect(names).toHaveLength(new Set(names).size);
});
