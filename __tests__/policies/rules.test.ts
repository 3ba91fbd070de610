import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { awsServices } from "../../aws-services";
import { environmentNames, loadEnvironment } from "../../environments";
import { platformTags } from "../../environments/settings";
import {
  allBreaches,
  breaches,
  enforce,
  excuses,
  type PolicySettings,
  rules,
  type StackDocument,
} from "../../policies";
import { actionsWithoutResources } from "../../policies/actions-without-resources";
import { exceptions } from "../../policies/exceptions";
import { projectRoot } from "../../modules/project-root";
import type { Rule } from "../../policies/rule";
import { type Arguments, synthesizePlatform } from "../support/synthesize";
import { type Blocks, type Fixture, fixtures, stack } from "./fixtures";

const settings: PolicySettings = { protectData: true, requiredTags: ["Project"], boundedRoles: true };

const asStacks = (given: Fixture[1]): readonly StackDocument[] =>
  Array.isArray(given) ? (given as readonly StackDocument[]) : [stack(given as Blocks)];

test("every rule has a fixture that breaks it and one that passes", () => {
  expect(Object.keys(fixtures).sort()).toEqual(rules.map(({ id }) => id).sort());
  for (const { breaking, passing } of Object.values(fixtures)) {
    expect(breaking.length).toBeGreaterThan(0);
    expect(passing.length).toBeGreaterThan(0);
  }
});

describe.each(rules.map((rule) => [rule.id, rule] as const))("%s", (id, rule) => {
  const found = (given: Fixture[1]): string[] =>
    breaches(asStacks(given), settings)
      .filter((breach) => breach.rule === rule)
      .map((breach) => breach.found);

  test.each([...fixtures[id]!.breaking])("is broken: %s", (_, given, says) => {
    const findings = found(given);
    expect(findings).toHaveLength(1);
    expect(findings[0]).toContain(says);
  });

  test.each([...fixtures[id]!.passing])("is kept: %s", (_, given) => {
    expect(found(given)).toEqual([]);
  });

  test("says what holds, who asks for it, and what to do", () => {
    for (const text of [rule.promise, rule.source, rule.remedy]) {
      expect(text.length).toBeGreaterThan(10);
    }
    const [, given] = fixtures[id]!.breaking[0]!;
    expect(() => {
      enforce(asStacks(given), settings);
    }).toThrow(rule.remedy);
  });
});

test("breaches are reported rule by rule: the rule, the resources, what to do", () => {
  const roles = { "aws_iam_role.a": { name: "a" }, "aws_iam_role.b": { name: "b" } };
  const [{ promise, id, source, remedy }] = rules.filter((rule) => rule.id === "bounded-roles") as [Rule];
  expect(() => {
    enforce([stack(roles)], settings);
  }).toThrow(
    new Error(
      [
        "2 breaches of the rules in policies/; nothing was written.",
        "",
        `${promise} [${id}; ${source}]`,
        "  example/aws_iam_role.a has no permissions_boundary",
        "  example/aws_iam_role.b has no permissions_boundary",
        `  → ${remedy}`,
      ].join("\n"),
    ),
  );
});

test("data that the environment gives up need not be protected", () => {
  const bucket = [stack({ "aws_s3_bucket.a": {} })];
  const broken = (protectData: boolean): string[] =>
    breaches(bucket, { ...settings, protectData }).map(({ rule }) => rule.id);
  expect(broken(true)).toContain("protected");
  expect(broken(false)).not.toContain("protected");
});

test("an exception allows one resource to break one rule, and nothing else", () => {
  const logs = { "aws_s3_bucket.logs_bucket": {} };
  const ids = (id: string, blocks: Blocks): string[] =>
    breaches([stack(blocks, id)], settings).map(({ rule }) => rule.id);
  const encrypted = {
    ...logs,
    "aws_s3_bucket_server_side_encryption_configuration.logs": {
      bucket: "${aws_s3_bucket.logs_bucket.bucket}",
      rule: { apply_server_side_encryption_by_default: { sse_algorithm: "AES256" } },
    },
  };
  expect(ids("data", encrypted)).not.toContain("own-key");
  expect(ids("other", encrypted)).toContain("own-key");
  expect(ids("data", logs)).toContain("encrypted-at-rest");
});

test("an exception for what one statement allows excuses no other statement, action or resource", () => {
  const pull = (Sid: string, Action: string, address = "aws_vpc_endpoint.endpoints_ecr-api"): string[] => {
    const policy = JSON.stringify({ Statement: { Sid, Effect: "Allow", Principal: "*", Action, Resource: "*" } });
    return breaches([stack({ [address]: { policy } }, "network")], settings)
      .map(({ rule }) => rule.id)
      .filter((id) => id.startsWith("named-"));
  };
  expect(pull("PullImages", "ecr:BatchGetImage")).toEqual([]);
  expect(pull("PullImages", "ecr:PutImage")).toEqual(["named-resources"]);
  expect(pull("PullImages", "ecr:*")).toEqual(["named-actions", "named-resources"]);
  expect(pull("Other", "ecr:BatchGetImage")).toEqual(["named-resources", "named-principals"]);
  expect(pull("PullImages", "ecr:BatchGetImage", "aws_vpc_endpoint.other")).toEqual([
    "named-resources",
    "named-principals",
  ]);
});

describe("the platform's own stacks", () => {
  const platforms = environmentNames.map((name) => {
    const stacks = Object.entries(synthesizePlatform(name)).map(([id, { document }]) => ({ id, document }));
    const { protectData, emulated } = loadEnvironment(name);
    return [name, stacks, { protectData, requiredTags: platformTags, boundedRoles: !emulated }] as const;
  });
  const everything = platforms.flatMap(([, stacks]) => stacks);

  test.each(platforms)("%s keeps every rule", (_, stacks, given) => {
    expect(breaches(stacks, given)).toEqual([]);
  });

  test("every exception is used", () => {
    const broken = platforms.flatMap(([, stacks, given]) => allBreaches(stacks, given));
    const idle = exceptions.filter((exception) => !broken.some((breach) => excuses(exception, breach)));
    expect(idle).toEqual([]);
    for (const { reason } of exceptions) {
      expect(reason.length).toBeGreaterThan(20);
    }
  });

  test("every action without resources is used", () => {
    const used = JSON.stringify(everything);
    for (const action of actionsWithoutResources) {
      expect(used).toContain(action);
    }
  });

  test("every type that the provider can encrypt with a key has a rule, or a reason for none", () => {
    const types = new Set(everything.flatMap(({ document }) => Object.keys((document.resource ?? {}) as Arguments)));
    const without = [...types].filter((type) => {
      if (!type.startsWith("aws_") || awsServices.record(type).encryption !== undefined) {
        return false;
      }
      const folder = type.slice("aws_".length).replaceAll("_", "-");
      const file = join(projectRoot, "node_modules/@cdktf/provider-aws/lib", folder, "index.d.ts");
      expect([type, existsSync(file)]).toEqual([type, true]);
      return /readonly \w*(?:kms|encrypt)\w*\??:/i.test(readFileSync(file, "utf8"));
    });
    expect(types.size).toBeGreaterThan(30);
    expect(without).toEqual([]);
  });
});
