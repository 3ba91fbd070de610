import { type Environment, environmentNames, loadEnvironment } from "../../environments";
import { managedPolicyCharacters } from "../../modules/permissions-boundary";
import { contains, outside, overlaps, type RenderedStatement, Stacks, statementsOf } from "../support/containment";
import { Policy, type RequestContext } from "../support/policy";
import { synthesizePlatform, type Template } from "../support/synthesize";

type Platform = Readonly<Record<string, Template>>;

/** A platform, and what its roles stand in. */
class Bounded {
  readonly stacks: Stacks;
  readonly prefix: string;

  constructor(
    readonly platform: Platform,
    readonly environment: Environment,
    readonly partition = "aws",
  ) {
    this.stacks = new Stacks(platform, { ...environment, partition });
    this.prefix = `acme-${environment.name}`;
  }

  /** The document of the boundary with this ARN, or of this resource of the stack `governance`. */
  boundary(value: string): string {
    const policies = this.platform.governance!.resources("aws_iam_policy");
    const [, reference] = /^\$\{aws_iam_policy\.([\w-]+)\.arn\}$/.exec(value) ?? [];
    const found =
      reference === undefined
        ? Object.values(policies).find(
            ({ name }) => value === `arn:${this.partition}:iam::${this.account}:policy/${name}`,
          )
        : policies[reference];
    if (!found) {
      throw new Error(`No policy of governance is ${value}.`);
    }
    return found.policy;
  }

  get account(): string {
    return this.environment.account;
  }

  arn(service: string, resource: string): string {
    return `arn:${this.partition}:${service}:${this.environment.region}:${this.account}:${resource}`;
  }

  iam(resource: string): string {
    return `arn:${this.partition}:iam::${this.account}:${resource}`;
  }

  boundaryArn(name: "boundary" | "deploy-boundary"): string {
    return this.iam(`policy/${this.prefix}-governance-${name}`);
  }

  /** Each role with its boundary and all that its policies say, within it and attached to it. */
  roles(): readonly { stack: string; address: string; boundary: string; statements: readonly RenderedStatement[] }[] {
    return Object.entries(this.platform).flatMap(([stack, template]) =>
      Object.entries(template.resources("aws_iam_role")).map(([address, { permissions_boundary: boundary }]) => {
        const holds = ({ role }: { role?: string }): boolean => role === `\${aws_iam_role.${address}.name}`;
        const name: unknown = template.resource("aws_iam_role", address).name;
        const inline = Object.values(template.resources("aws_iam_role_policy")).filter(holds as never);
        const attached = Object.values(template.resources("aws_iam_role_policy_attachment"))
          .filter((attachment) => holds(attachment as never) || attachment.role === name)
          .map(({ policy_arn: arn }) => {
            const [, policy = ""] = /^\$\{aws_iam_policy\.([\w-]+)\.arn\}$/.exec(arn) ?? [];
            return template.resource("aws_iam_policy", policy);
          });
        return {
          stack,
          address,
          boundary: boundary as string,
          statements: [...inline, ...attached].flatMap(({ policy }) => statementsOf(policy)),
        };
      }),
    );
  }
}

const onAws = environmentNames.filter((name) => !loadEnvironment(name).emulated);
const bounded = (name: Environment["name"], changes: Partial<Environment> = {}, partition = "aws"): Bounded =>
  new Bounded(synthesizePlatform(name, changes), { ...loadEnvironment(name), ...changes }, partition);

const zone = "Z1D633PJN98FT9";
const { websites } = loadEnvironment("production");
const domain = {
  name: "abalone.example.com",
  certificateArn: "arn:aws:acm:us-east-1:444455556666:certificate/01234567-89ab-cdef-0123-456789abcdef",
  hostedZoneId: zone,
};
/** A platform whose production website has a name in a hosted zone. */
const named = bounded("production", {
  websites: { ...websites, production: { ...websites.production, domain } },
});

const cases: readonly (readonly [string, Bounded])[] = [
  ...onAws.map((name) => [name, bounded(name)] as const),
  [
    "production with Terraform Cloud and GitHub",
    bounded("production", {
      backend: { type: "cloud", organization: "acme" },
      pipeline: {
        source: {
          type: "codeconnections",
          connectionArn:
            "arn:aws:codeconnections:eu-west-1:444455556666:connection/01234567-89ab-cdef-0123-456789abcdef",
          repository: "acme/mlsdlc",
          branch: "main",
        },
        approval: true,
      },
    }),
  ],
  ["production with names in a hosted zone", named],
  ["production in a partition of long names", bounded("production", { region: "us-gov-west-1" }, "aws-us-gov")],
];
const production = cases.find(([name]) => name === "production")![1];

test("patterns are compared as IAM reads them", () => {
  expect(contains("s3:Get*", "s3:GetObject")).toBe(true);
  expect(contains("s3:get*", "s3:GetObject*")).toBe(true);
  expect(contains("s3:GetObject", "s3:Get*")).toBe(false);
  expect(contains("a?c", "a*c")).toBe(false);
  expect(contains("arn:aws:s3:::acme-*", "arn:aws:s3:::acme-*/runs/*")).toBe(true);
  expect(overlaps("arn:*:data*", "arn:aws:*-workflow")).toBe(true);
  expect(overlaps("a*b?d", "*bc*")).toBe(true);
  expect(overlaps("acme-trail-*", "acme-training*")).toBe(false);
  expect(overlaps("s3:Put*", "s3:GetObject")).toBe(false);
});

describe.each(cases)("%s", (_, given) => {
  const roles = given.roles();

  test("every role has a boundary: the pipeline's that of whoever deploys, all others that of what runs", () => {
    expect(roles.length).toBeGreaterThan(25);
    for (const { stack, address, boundary } of roles) {
      const expected =
        stack === "governance"
          ? "${aws_iam_policy.boundary_policy.arn}"
          : given.boundaryArn(stack === "pipeline" ? "deploy-boundary" : "boundary");
      expect([stack, address, boundary]).toEqual([stack, address, expected]);
    }
  });

  test("whatever a role is allowed lies inside its boundary, so that it works as it did without one", () => {
    const found = roles.flatMap(({ stack, address, boundary, statements }) => {
      expect([stack, address, statements.length > 0]).toEqual([stack, address, true]);
      const around = statementsOf(given.boundary(boundary));
      return statements.flatMap((statement) => outside(around, given.stacks, { stack, statement }));
    });
    expect(found).toEqual([]);
  });

  test("both boundaries fit into IAM's limit, with room for another role", () => {
    // A partition's name stands in every ARN.
    const spare = given.partition === "aws" ? 300 : 0;
    for (const name of ["boundary", "deploy-boundary"] as const) {
      const { length } = given.boundary(given.boundaryArn(name)).replace(/\s/g, "");
      expect(length).toBeLessThanOrEqual(managedPolicyCharacters - spare);
    }
  });
});

describe("statements outside are found", () => {
  const around = (name: "boundary" | "deploy-boundary"): readonly RenderedStatement[] =>
    statementsOf(production.boundary(production.boundaryArn(name)));
  const allowing = (
    Action: string,
    Resource: string,
    Condition?: RenderedStatement["Condition"],
  ): RenderedStatement => ({
    Sid: "Given",
    Effect: "Allow",
    Action,
    Resource,
    ...(Condition ? { Condition } : {}),
  });
  const states = `arn:aws:s3:::acme-state-${production.account}-eu-west-1`;

  test.each<[string, "boundary" | "deploy-boundary", string, RenderedStatement, string]>([
    ["everything", "boundary", "data", allowing("*", "*"), "not allowed"],
    ["another's bucket", "boundary", "data", allowing("s3:GetObject", "arn:aws:s3:::other/*"), "not allowed"],
    ["more than its own buckets", "boundary", "data", allowing("s3:GetObject", "arn:aws:s3:::acme-*"), "not allowed"],
    ["the states", "boundary", "data", allowing("s3:GetObject", `${states}/a`), "refused by NoStatesNoRecords"],
    [
      "the trail's records",
      "boundary",
      "data",
      allowing("s3:GetObject", "arn:aws:s3:::acme-production-governance-trail-1/a"),
      "refused",
    ],
    [
      "the key of the states",
      "boundary",
      "state",
      allowing("kms:Decrypt", "${aws_kms_key.encryption_key.arn}"),
      "refused",
    ],
    [
      "a key of which nothing is known",
      "boundary",
      "data",
      allowing("kms:Decrypt", "arn:aws:kms:eu-west-1:1:key/1"),
      "not allowed",
    ],
    [
      "a role to another service",
      "boundary",
      "data",
      allowing("iam:PassRole", "arn:aws:iam::444455556666:role/acme-production-a", {
        StringEquals: { "iam:PassedToService": "ec2.amazonaws.com" },
      }),
      "not allowed",
    ],
    [
      "a role without a boundary",
      "deploy-boundary",
      "pipeline",
      allowing("iam:CreateRole", "arn:aws:iam::444455556666:role/acme-production-a"),
      "not allowed",
    ],
    [
      "the state of governance",
      "deploy-boundary",
      "pipeline",
      allowing("s3:PutObject", `${states}/production/governance.tfstate`),
      "refused by KeepStates",
    ],
    [
      "the alarms of governance",
      "deploy-boundary",
      "pipeline",
      allowing("sns:SetTopicAttributes", "arn:aws:sns:eu-west-1:444455556666:acme-production-governance*"),
      "refused by KeepGovernance",
    ],
    [
      "the loss of data",
      "deploy-boundary",
      "pipeline",
      allowing("s3:DeleteBucket", "arn:aws:s3:::acme-production-data"),
      "refused by NoOtherRights",
    ],
  ])("%s", (_, name, stack, statement, says) => {
    expect(outside(around(name), production.stacks, { stack, statement }).join("\n")).toContain(says);
  });
});

/**
 * What a role can do: what its policies allow and its boundary allows too (IAM User Guide, "Policy evaluation logic").
 */
const effective =
  (...policies: readonly Policy[]) =>
  (action: string, resource: string, context: RequestContext = {}): boolean =>
    policies.every((policy) => policy.allows(action, resource, context));

const everything = new Policy('{"Statement":[{"Sid":"All","Effect":"Allow","Action":"*","Resource":"*"}]}');

test("names are written in the zone of the settings alone, and mails come from their domain alone", () => {
  const statements = named
    .roles()
    .filter(({ stack }) => stack === "pipeline")
    .flatMap((role) => role.statements);
  const granted = (action: string): unknown[] =>
    statements.filter(({ Action }) => [Action].flat().includes(action)).map(({ Resource }) => Resource);
  expect(granted("route53:ChangeResourceRecordSets").flat()).toEqual([`arn:aws:route53:::hostedzone/${zone}`]);
  expect(granted("ses:CreateEmailIdentity").flat()).toEqual([named.arn("ses", "identity/acme.example")]);

  const boundary = new Policy(named.boundary(named.boundaryArn("deploy-boundary")));
  for (const [id, allowed] of [
    [zone, true],
    ["ZOTHER", false],
  ] as const) {
    expect(boundary.allows("route53:ChangeResourceRecordSets", `arn:aws:route53:::hostedzone/${id}`)).toBe(allowed);
    expect(boundary.allows("route53:AssociateVPCWithHostedZone", `arn:aws:route53:::hostedzone/${id}`)).toBe(true);
  }
  for (const [environment, allowed] of [
    ["production", true],
    ["development", false],
  ] as const) {
    expect(boundary.allows("ssm:PutParameter", named.arn("ssm", `parameter/acme/${environment}/x`))).toBe(allowed);
  }
});

describe("whoever may push", () => {
  const execution = production.boundaryArn("boundary");
  const deploy = production.boundaryArn("deploy-boundary");
  const builds = production
    .roles()
    .filter(({ stack, address }) => stack === "pipeline" && address.startsWith("deploy-"))
    .map(({ address, statements, boundary }) => {
      const own = new Policy(JSON.stringify({ Statement: statements }));
      return [address.split("_")[0]!, own, new Policy(production.boundary(boundary))] as const;
    });
  const administrator = "arn:aws:iam::aws:policy/AdministratorAccess";

  test("all builds that deploy are checked", () => {
    expect(builds.map(([name]) => name)).toContain("deploy-pipeline");
    expect(builds.length).toBeGreaterThan(6);
  });

  test.each(builds)("%s makes and changes roles with their boundary alone", (name, own, boundary) => {
    const can = effective(own, boundary);
    const roles = own.statements.filter(({ Sid }) => Sid === "BoundedRoles").flatMap(({ Resource }) => Resource);
    const makesRoles = name !== "deploy-model-image";
    expect(roles.length > 0).toBe(makesRoles);
    const [mine, theirs] = name === "deploy-pipeline" ? [deploy, execution] : [execution, deploy];
    for (const pattern of roles) {
      const role = pattern.replaceAll("*", "");
      for (const action of [
        "iam:CreateRole",
        "iam:PutRolePolicy",
        "iam:DeleteRolePolicy",
        "iam:PutRolePermissionsBoundary",
      ]) {
        expect([action, can(action, role, { "iam:PermissionsBoundary": mine })]).toEqual([action, true]);
        for (const context of [
          {},
          { "iam:PermissionsBoundary": theirs },
          { "iam:PermissionsBoundary": administrator },
        ]) {
          expect([action, context, can(action, role, context as RequestContext)]).toEqual([action, context, false]);
        }
      }
      for (const context of [{}, { "iam:PermissionsBoundary": mine }]) {
        expect(can("iam:DeleteRolePermissionsBoundary", role, context as RequestContext)).toBe(false);
        expect(
          can("iam:AttachRolePolicy", role, { ...context, "iam:PolicyARN": administrator } as RequestContext),
        ).toBe(false);
      }
    }
  });

  test.each(builds)("%s can't change a boundary, nor can a policy of its own let it", (_, own, boundary) => {
    for (const can of [effective(own), effective(everything, boundary)]) {
      for (const arn of [execution, deploy]) {
        for (const action of [
          "CreatePolicy",
          "CreatePolicyVersion",
          "DeletePolicy",
          "DeletePolicyVersion",
          "SetDefaultPolicyVersion",
          "TagPolicy",
          "UntagPolicy",
        ]) {
          expect([action, arn, can(`iam:${action}`, arn)]).toEqual([action, arn, false]);
        }
      }
    }
  });

  const bucket = "arn:aws:s3:::acme-production-data-444455556666-eu-west-1";
  const states = `arn:aws:s3:::acme-state-${production.account}-eu-west-1`;
  const role = production.iam("role/acme-production-website-production-predict");
  const key = production.arn("kms", "key/1");
  const outsideBoth: readonly (readonly [action: string, resource: string, context?: RequestContext])[] = [
    ["iam:CreateUser", production.iam("user/acme-production-a")],
    ["iam:CreateAccessKey", production.iam("user/engineer")],
    ["iam:CreateRole", role],
    ["iam:PutRolePolicy", role],
    ["iam:PutRolePolicy", role, { "iam:PermissionsBoundary": administrator }],
    ["iam:AttachRolePolicy", role, { "iam:PolicyARN": administrator }],
    ["iam:DeleteRolePermissionsBoundary", role, { "iam:PermissionsBoundary": execution }],
    ["iam:UpdateAssumeRolePolicy", production.iam("role/engineer")],
    ["iam:PassRole", production.iam("role/engineer"), { "iam:PassedToService": "lambda.amazonaws.com" }],
    ["sts:AssumeRole", production.iam("role/engineer")],
    ["organizations:LeaveOrganization", "*"],
    ["account:CloseAccount", "*"],
    ["cloudtrail:StopLogging", production.arn("cloudtrail", "trail/acme-production-governance-trail")],
    ["s3:PutObject", `${states}/production/governance.tfstate`],
    ["s3:PutObject", `${states}/production/state.tfstate`],
    ["s3:PutBucketPolicy", states],
    ["s3:DeleteObject", "arn:aws:s3:::acme-production-governance-trail-444455556666-eu-west-1/a"],
    ["s3:DeleteBucket", bucket],
    ["kms:PutKeyPolicy", key, { "aws:ResourceTag/Stack": "state", "aws:ResourceTag/Environment": "production" }],
    ["kms:Decrypt", key, { "aws:ResourceTag/Stack": "governance", "aws:ResourceTag/Environment": "production" }],
    ["kms:Decrypt", key],
    ["kms:ScheduleKeyDeletion", key, { "aws:ResourceTag/Stack": "data", "aws:ResourceTag/Environment": "production" }],
    ["ec2:RunInstances", production.arn("ec2", "instance/*")],
    ["s3:GetObject", "arn:aws:s3:::others/a"],
    ["secretsmanager:GetSecretValue", production.arn("secretsmanager", "secret:others")],
  ];

  test.each(["boundary", "deploy-boundary"] as const)("gives a role with the %s no more, even by *", (name) => {
    const can = effective(everything, new Policy(production.boundary(production.boundaryArn(name))));
    for (const [action, resource, context] of outsideBoth) {
      expect([action, resource, context, can(action, resource, context)]).toEqual([action, resource, context, false]);
    }
    // So that the lines above don't say no for a fault of their own.
    expect(can("s3:GetObject", `${bucket}/a`)).toBe(true);
    expect(
      can("kms:Decrypt", key, { "aws:ResourceTag/Stack": "data", "aws:ResourceTag/Environment": "production" }),
    ).toBe(true);
  });

  test("can let what runs on the platform read no state, and use none of its keys", () => {
    const can = effective(everything, new Policy(production.boundary(execution)));
    const ofState = { "aws:ResourceTag/Stack": "state", "aws:ResourceTag/Environment": "production" };
    expect(can("s3:GetObject", `${states}/production/data.tfstate`)).toBe(false);
    expect(can("kms:Decrypt", key, ofState)).toBe(false);
    expect(can("ssm:PutParameter", production.arn("ssm", "parameter/acme/production/StateKey"), ofState)).toBe(false);
    expect(
      can("lambda:UpdateFunctionCode", production.arn("lambda", "function:acme-production-website-test-predict")),
    ).toBe(false);
    expect(can("s3:PutBucketPolicy", bucket)).toBe(false);
    expect(can("iam:PassRole", role, { "iam:PassedToService": "lambda.amazonaws.com" })).toBe(false);
  });
});

test("an environment without governance has no boundary to name", () => {
  for (const template of Object.values(synthesizePlatform("local"))) {
    for (const role of Object.values(template.resources("aws_iam_role"))) {
      expect(role).not.toHaveProperty("permissions_boundary");
    }
  }
});
