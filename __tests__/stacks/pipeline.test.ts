import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { awsServices } from "../../aws-services";
import { type Environment, environmentNames, loadEnvironment } from "../../environments";
import { type Contract, contract, deploymentOrder, stackIds } from "../../stacks/contract";
import { stackName } from "../../stacks/platform";
import { commandsOf, deployedByHand, releaseSteps, testCommands } from "../../stacks/release";
import { Policy, type RequestContext } from "../support/policy";
import { type Arguments, synthesizePlatform, type Template } from "../support/synthesize";

const names = environmentNames.filter((name) => loadEnvironment(name).pipeline);
const platforms = Object.fromEntries(names.map((name) => [name, synthesizePlatform(name)] as const));
const production = platforms.production!;
const pipelineOf = (name: string): Template => platforms[name]!.pipeline!;

const account = "444455556666";
const region = "eu-west-1";
const regional = (service: string, resource: string): string => `arn:aws:${service}:${region}:${account}:${resource}`;
const role = (name: string): string => `arn:aws:iam::${account}:role/acme-production-${name}`;

/** All that a project's role may do: the policy within the role, and those attached to it. */
function policyOf(template: Template, project: string): Policy {
  const documents = [
    template.resource("aws_iam_role_policy", `${project}_role_policy`).policy,
    ...Object.entries(template.resources("aws_iam_policy"))
      .filter(([name]) => new RegExp(`^${project}_policy-\\d+$`).test(name))
      .map(([, { policy }]) => policy),
  ];
  return new Policy(JSON.stringify({ Statement: documents.flatMap((document) => JSON.parse(document).Statement) }));
}

const stagesOf = (template: Template): readonly Arguments[] => template.resource("aws_codepipeline").stage;
const actionsOf = (template: Template): readonly Arguments[] => stagesOf(template).flatMap(({ action }) => action);

/**
 * What stands in the tree for people to review: every action with what it does, and every role with what it may do to
 * what.
 */
function outline(template: Template): string {
  const projects = template.resources("aws_codebuild_project");
  const pipeline = template.resource("aws_codepipeline");
  const actionLines = ({ name, provider, configuration }: Arguments): readonly string[] => {
    const project = Object.values(projects).find((each) => each.name === configuration?.ProjectName);
    if (!project) {
      const settings = Object.entries<string>(configuration ?? {}).map(([key, value]) => `    ${key}: ${value}`);
      return [`  ${name}: ${provider}`, ...settings];
    }
    const { phases } = JSON.parse(project.source.buildspec);
    const { compute_type: machine, privileged_mode: docker } = project.environment;
    return [
      `  ${name}: ${provider}, ${machine}${docker ? " with Docker" : ""}, ${project.build_timeout} minutes`,
      ...[...(phases.install.commands ?? []), ...phases.build.commands].map((command) => `    $ ${command}`),
    ];
  };
  const roles = Object.keys(projects).map((address) => address.replace(/_project$/, ""));
  return [
    `Mode ${pipeline.execution_mode}`,
    ...stagesOf(template).flatMap(({ name, action }) => ["", `Stage ${name}`, ...action.flatMap(actionLines)]),
    ...roles.flatMap((builder) => [
      "",
      `Role of ${builder}, within ${template.resource("aws_iam_role", `${builder}_role_role`).permissions_boundary}`,
      ...policyOf(template, builder).statements.flatMap(({ Sid, Action, Resource, Condition }) => [
        `  ${Sid}${Condition ? ` if ${JSON.stringify(Condition)}` : ""}`,
        ...[Action].flat().map((action) => `    ${action}`),
        ...[Resource].flat().map((resource) => `    on ${resource}`),
      ]),
    ]),
    "",
  ].join("\n");
}

test.each(names)("the pipeline of %s is the one that people have reviewed", (name) => {
  const file = join(__dirname, `pipeline.${name}.lock.txt`);
  const made = outline(pipelineOf(name));
  if (process.env.UPDATE_LOCK === "yes") {
    writeFileSync(file, made);
  }
  const reviewed = existsSync(file) ? readFileSync(file, "utf8") : "";
  // The remedy stands in front of the lines that differ.
  const remedy = "Read the change, then: UPDATE_LOCK=yes npx jest __tests__/stacks/pipeline.test.ts";
  expect([...(made === reviewed ? [] : [remedy]), ...made.split("\n")]).toEqual(reviewed.split("\n"));
});

describe.each(names)("the pipeline of %s", (name) => {
  const template = pipelineOf(name);
  const deployed = actionsOf(template)
    .map(({ name: action }) => String(action))
    .filter((action) => action.startsWith("deploy-"))
    .map((action) => action.replace("deploy-", ""));

  test("deploys itself first, then every stack of the environment in the contract's order, except those of engineers", () => {
    const order = deploymentOrder().filter(
      (stack) => stack in platforms[name]! && !(stack in deployedByHand) && stack !== "pipeline",
    );
    expect(order.length).toBeGreaterThan(5);
    expect(deployed).toEqual(["pipeline", ...order]);
  });

  test("runs one action after the other, each build with its own project and role", () => {
    for (const { action } of stagesOf(template)) {
      expect(action.map(({ run_order: order }: Arguments) => order ?? 1)).toEqual(
        action.map((_: unknown, index: number) => index + 1),
      );
    }
    const projects = actionsOf(template).flatMap(({ configuration }) => configuration?.ProjectName ?? []);
    expect(new Set(projects).size).toBe(projects.length);
    const roles = Object.values(template.resources("aws_codebuild_project")).map(({ service_role }) => service_role);
    expect(new Set(roles).size).toBe(roles.length);
    expect(projects.length).toBe(roles.length);
  });

  test("all that changes the account is in one stage, so that two runs never mix", () => {
    const changing = stagesOf(template).filter(({ action }) =>
      action.some(({ name: each }: Arguments) => !["source", "test"].includes(each)),
    );
    expect(changing.map((stage) => stage.name)).toEqual(["Release"]);
  });

  test("only the image is built with Docker", () => {
    const privileged = Object.values(template.resources("aws_codebuild_project"))
      .filter(({ environment }) => environment.privileged_mode)
      .map((project) => project.name);
    expect(privileged).toEqual([`acme-${name}-pipeline-deploy-model-image`]);
  });

  test("every resource that a stack names has a name that its role allows, and no other stack's role", () => {
    const restricted: Readonly<Record<string, readonly [action: string, argument: string, prefix: string]>> = {
      aws_iam_role: ["iam:CreateRole", "name", `arn:aws:iam::${loadEnvironment(name).account}:role/`],
      aws_s3_bucket: ["s3:CreateBucket", "bucket", "arn:aws:s3:::"],
      aws_lambda_function: ["lambda:UpdateFunctionCode", "function_name", arnIn(name, "lambda", "function:")],
      aws_cloudwatch_log_group: ["logs:CreateLogGroup", "name", arnIn(name, "logs", "log-group:")],
      aws_cloudwatch_metric_alarm: ["cloudwatch:PutMetricAlarm", "alarm_name", arnIn(name, "cloudwatch", "alarm:")],
      aws_sns_topic: ["sns:CreateTopic", "name", arnIn(name, "sns", "")],
      aws_dynamodb_table: ["dynamodb:CreateTable", "name", arnIn(name, "dynamodb", "table/")],
      aws_sfn_state_machine: ["states:UpdateStateMachine", "name", arnIn(name, "states", "stateMachine:")],
      aws_sagemaker_endpoint: ["sagemaker:UpdateEndpoint", "name", arnIn(name, "sagemaker", "endpoint/")],
      aws_ssm_parameter: ["ssm:PutParameter", "name", arnIn(name, "ssm", "parameter")],
      aws_codebuild_project: ["codebuild:UpdateProject", "name", arnIn(name, "codebuild", "project/")],
      aws_mwaa_environment: ["airflow:UpdateEnvironment", "name", arnIn(name, "airflow", "environment/")],
      aws_ecr_repository: ["ecr:CreateRepository", "name", arnIn(name, "ecr", "repository/")],
      aws_kms_alias: ["kms:CreateAlias", "name", arnIn(name, "kms", "")],
    };
    let seen = 0;
    for (const stack of deployed) {
      for (const [type, , resource] of platforms[name]![stack]!.all()) {
        const [action, argument, prefix] = restricted[type] ?? [];
        if (action === undefined || argument === undefined || prefix === undefined) {
          continue;
        }
        const arn = `${prefix}${resource[argument] as string}`;
        const { permissions_boundary: boundary } = resource;
        const context: RequestContext = boundary === undefined ? {} : { "iam:PermissionsBoundary": String(boundary) };
        const allowed = deployed.filter((each) => policyOf(template, `deploy-${each}`).allows(action, arn, context));
        expect([arn, allowed]).toEqual([arn, [stack]]);
        seen += 1;
      }
    }
    expect(seen).toBeGreaterThan(60);
  });

  test("no role may delete what can't be made again", () => {
    const deletions: Readonly<Record<string, string>> = {
      aws_cloudtrail: "cloudtrail:DeleteTrail",
      aws_codecommit_repository: "codecommit:DeleteRepository",
      aws_dynamodb_table: "dynamodb:DeleteTable",
      aws_ecr_repository: "ecr:DeleteRepository",
      aws_kms_key: "kms:ScheduleKeyDeletion",
      aws_mwaa_environment: "airflow:DeleteEnvironment",
      aws_s3_bucket: "s3:DeleteBucket",
      aws_sagemaker_feature_group: "sagemaker:DeleteFeatureGroup",
      aws_sagemaker_model_package_group: "sagemaker:DeleteModelPackageGroup",
    };
    expect(Object.keys(deletions)).toEqual(awsServices.having("holds").map(([type]) => type));
    for (const builder of Object.keys(template.resources("aws_codebuild_project"))) {
      const actions = policyOf(template, builder.replace(/_project$/, "")).statements.flatMap(({ Action }) => Action);
      expect(actions.length).toBeGreaterThan(3);
      expect(actions.filter((action) => Object.values(deletions).includes(action))).toEqual([]);
    }
  });

  test("no role holds a policy longer than IAM takes, nor more of them", () => {
    for (const { policy } of Object.values(template.resources("aws_iam_policy"))) {
      expect(policy.length).toBeLessThanOrEqual(6_144);
    }
    for (const { policy } of Object.values(template.resources("aws_iam_role_policy"))) {
      expect(policy.length).toBeLessThanOrEqual(10_240);
    }
  });
});

function arnIn(name: Environment["name"], service: string, resource: string): string {
  const { region: where, account: owner } = loadEnvironment(name);
  return `arn:aws:${service}:${where}:${owner}:${resource}`;
}

describe("the order of a release", () => {
  const all = [...stackIds];
  const order = (table: Contract): readonly string[] =>
    releaseSteps(all, { approval: true }, table).map(({ name }) => name);

  test("follows a contract that changes", () => {
    const before = order(contract);
    expect(before.indexOf("deploy-data")).toBeLessThan(before.indexOf("deploy-model-image"));
    const after = order({
      ...contract,
      ModelImageUri: { ...contract.ModelImageUri, readers: ["ml-workflow", "data"] },
    });
    expect(after.indexOf("deploy-model-image")).toBeLessThan(after.indexOf("deploy-data"));
    expect([...after].sort()).toEqual([...before].sort());
  });

  test("trains before any website, and takes to production only what was tested, reviewed and approved", () => {
    const steps = order(contract);
    const expected = [
      "deploy-ml-workflow",
      "train",
      "deploy-website-test",
      "system-test-test",
      "review",
      "approve",
      "deploy-website-production",
      "system-test-production",
      "deploy-data-workflow",
    ];
    expect(steps.filter((step) => expected.includes(step))).toEqual(expected);
    expect(steps[0]).toBe("deploy-pipeline");
  });

  test("needs no approval if the environment asks for none", () => {
    const steps = releaseSteps(all, { approval: false }).map(({ kind }) => kind);
    expect(steps).not.toContain("approve");
    expect(steps).not.toContain("review");
  });

  test("each build runs commands that a person types", () => {
    const commands = releaseSteps(all, { approval: true }).flatMap((step) => commandsOf(step, "production") ?? []);
    for (const { install = [], build } of [testCommands, ...commands]) {
      for (const command of [...install, ...build]) {
        expect(command).toMatch(/^(make [a-z-]+( |$)|\. \.\/review\.env$)/);
      }
    }
  });
});

describe("a role", () => {
  const template = pipelineOf("production");
  const test_ = policyOf(template, "deploy-website-test");
  const productionRole = policyOf(template, "deploy-website-production");
  const review = policyOf(template, "review");
  const stateBucket = "arn:aws:s3:::${data.aws_ssm_parameter.StateBucket.insecure_value}";
  const stateOf = (stack: string): string => `${stateBucket}/production/${stack}.tfstate`;

  test("reads and writes its own stack's state and lock, and no other's", () => {
    for (const action of ["s3:GetObject", "s3:PutObject"]) {
      expect(test_.allows(action, stateOf("website-test"))).toBe(true);
      expect(test_.allows(action, `${stateOf("website-test")}.tflock`)).toBe(true);
      expect(test_.allows(action, stateOf("website-production"))).toBe(false);
    }
    expect(test_.allows("s3:DeleteObject", `${stateOf("website-test")}.tflock`)).toBe(true);
    expect(test_.allows("s3:DeleteObject", stateOf("website-test"))).toBe(false);
    expect(test_.allows("s3:ListBucket", stateBucket, { "s3:prefix": "production/data.tfstate" })).toBe(false);
  });

  test("that plans for an approver changes nothing but its page", () => {
    expect(review.allows("s3:GetObject", stateOf("website-production"))).toBe(true);
    expect(review.allows("s3:PutObject", stateOf("website-production"))).toBe(false);
    expect(review.allows("s3:PutObject", "${aws_s3_bucket.artefacts_bucket.arn}/reviews/1.md")).toBe(true);
    const changing = review.statements
      .flatMap(({ Action }) => Action)
      .filter((action) => !/:(Get|Describe|List|BatchGet|GET$|Decrypt|GenerateDataKey|Validate|GitPull)/.test(action));
    expect([...new Set(changing)].sort()).toEqual([
      "logs:CreateLogStream",
      "logs:PutLogEvents",
      "s3:AbortMultipartUpload",
      "s3:PutObject",
    ]);
  });

  test("passes a role of its stack only to its stack's services", () => {
    const passed = { "iam:PassedToService": "lambda.amazonaws.com" };
    expect(productionRole.allows("iam:PassRole", role("website-production-predict"), passed)).toBe(true);
    expect(
      productionRole.allows("iam:PassRole", role("website-production-predict"), {
        "iam:PassedToService": "ec2.amazonaws.com",
      }),
    ).toBe(false);
    expect(productionRole.allows("iam:PassRole", role("website-test-predict"), passed)).toBe(false);
    expect(productionRole.allows("iam:AttachRolePolicy", role("website-production-predict"))).toBe(false);
  });

  test("changes only keys with its stack's tag", () => {
    const key = regional("kms", "key/1");
    expect(productionRole.allows("kms:PutKeyPolicy", key, { "aws:ResourceTag/Stack": "website-production" })).toBe(
      true,
    );
    expect(productionRole.allows("kms:PutKeyPolicy", key, { "aws:ResourceTag/Stack": "data" })).toBe(false);
    expect(productionRole.allows("kms:PutKeyPolicy", key)).toBe(false);
    expect(productionRole.allows("kms:CreateKey", "*", { "aws:RequestTag/Stack": "data" })).toBe(false);
  });

  test("tags a new key as its stack's, and no key that is another's", () => {
    const key = regional("kms", "key/1");
    const own = { "aws:RequestTag/Stack": "website-production" };
    expect(productionRole.allows("kms:TagResource", key, own)).toBe(true);
    expect(
      productionRole.allows("kms:TagResource", key, { ...own, "aws:ResourceTag/Stack": "website-production" }),
    ).toBe(true);
    for (const stack of ["state", "governance", "website-test"]) {
      expect(productionRole.allows("kms:TagResource", key, { ...own, "aws:ResourceTag/Stack": stack })).toBe(false);
    }
  });

  test("of a stack without its own key encrypts with the key that it reads, and can't change it", () => {
    const dataWorkflow = policyOf(template, "deploy-data-workflow");
    const key = regional("kms", "key/1");
    const via = (service: string, stack: string): Record<string, string> => ({
      "aws:ResourceTag/Stack": stack,
      "kms:ViaService": `${service}.${region}.amazonaws.com`,
    });
    // The bucket of DAGs and Airflow itself.
    expect(dataWorkflow.allows("kms:GenerateDataKey", key, via("s3", "data"))).toBe(true);
    for (const action of ["kms:CreateGrant", "kms:DescribeKey", "kms:GenerateDataKey"]) {
      expect([action, dataWorkflow.allows(action, key, via("airflow", "data"))]).toEqual([action, true]);
    }
    expect(dataWorkflow.allows("kms:CreateGrant", key, via("s3", "data"))).toBe(false);
    expect(dataWorkflow.allows("kms:GenerateDataKey", key, via("s3", "state"))).toBe(false);
    expect(dataWorkflow.allows("kms:PutKeyPolicy", key, via("s3", "data"))).toBe(false);
    expect(productionRole.allows("kms:GenerateDataKey", key, via("s3", "data"))).toBe(false);
  });

  test("changes what begins with its own stack's name, and nothing of any other stack", () => {
    const deployed = stackIds.filter((stack) => template.resources("aws_codebuild_project")[`deploy-${stack}_project`]);
    expect(deployed).toContain("data-workflow");
    for (const stack of deployed) {
      const policy = policyOf(template, `deploy-${stack}`);
      const touched = stackIds.filter((other) => {
        const name = `${stackName(other)}-anything`;
        return [
          policy.allows("ecr:PutLifecyclePolicy", regional("ecr", `repository/acme-production-${name}`)),
          policy.allows("iam:DeleteRole", role(name)),
          policy.allows("s3:PutBucketPolicy", `arn:aws:s3:::acme-production-${name}`),
          policy.allows("logs:DeleteLogGroup", regional("logs", `log-group:/aws/lambda/acme-production-${name}`)),
          policy.allows("dynamodb:UpdateTable", regional("dynamodb", `table/acme-production-${name}`)),
          policy.allows("lambda:DeleteFunction", regional("lambda", `function:acme-production-${name}`)),
        ].includes(true);
      });
      expect([stack, touched]).toEqual([stack, [stack]]);
    }
  });

  test("of the data stack makes the offline store's table, in SageMaker's database alone", () => {
    const data = policyOf(template, "deploy-data");
    const table = (database: string): string => regional("glue", `table/${database}/acme-production-abalone-1`);
    expect(data.allows("glue:CreateTable", table("sagemaker_featurestore"))).toBe(true);
    expect(data.allows("glue:CreateTable", table("others"))).toBe(false);
  });

  test("of the network gives endpoints their private names", () => {
    expect(
      policyOf(template, "deploy-network").allows(
        "route53:AssociateVPCWithHostedZone",
        "arn:aws:route53:::hostedzone/Z1",
      ),
    ).toBe(true);
  });

  test("changes only that part of the network that is not another stack's", () => {
    const network = policyOf(template, "deploy-network");
    const group = regional("ec2", "security-group/sg-1");
    expect(network.allows("ec2:DeleteSecurityGroup", group, { "aws:ResourceTag/Stack": "network" })).toBe(true);
    expect(network.allows("ec2:DeleteSecurityGroup", group, { "aws:ResourceTag/Stack": "data-workflow" })).toBe(false);
  });

  test("reads only the parameters that its stack reads", () => {
    const parameter = (name: string): string => regional("ssm", `parameter/acme/production/${name}`);
    for (const [name, { publisher, readers }] of Object.entries<Contract[string]>(contract)) {
      const reads = publisher === "website-test" || readers.includes("website-test");
      expect([name, test_.allows("ssm:GetParameter", parameter(name))]).toEqual([name, reads]);
    }
  });

  test("of a website reads the public figures in the data bucket, with their key, and no surveys or runs", () => {
    const bucket = "arn:aws:s3:::acme-production-data-444455556666-eu-west-1";
    const throughS3 = { "kms:ViaService": "s3.eu-west-1.amazonaws.com" };
    for (const role of [test_, productionRole, review]) {
      for (const action of ["s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectTagging"]) {
        expect(role.allows(action, `${bucket}/figures/run.json`)).toBe(true);
        expect(role.allows(action, `${bucket}/runs/run/dataset/train/data.csv`)).toBe(false);
        expect(role.allows(action, `${bucket}/surveys/new.csv`)).toBe(false);
      }
      expect(role.allows("s3:PutObject", `${bucket}/figures/run.json`)).toBe(false);
      const key = regional("kms", "key/1");
      expect(role.allows("kms:Decrypt", key, { ...throughS3, "aws:ResourceTag/Stack": "data" })).toBe(true);
      expect(role.allows("kms:Decrypt", key, { "aws:ResourceTag/Stack": "data" })).toBe(false);
      expect(role.allows("kms:Encrypt", key, { ...throughS3, "aws:ResourceTag/Stack": "data" })).toBe(false);
    }
    const workflow = policyOf(template, "deploy-ml-workflow");
    expect(workflow.allows("s3:GetObject", `${bucket}/figures/run.json`)).toBe(false);
  });

  test("of the tests has access only to its source and its log", () => {
    const services = policyOf(template, "test").statements.flatMap(({ Action }) =>
      [Action].flat().map((action) => action.split(":")[0]),
    );
    expect([...new Set(services)].sort()).toEqual(["codecommit", "kms", "logs", "s3"]);
  });

  test("attaches no policy that AWS manages to the pipeline's own roles", () => {
    const own = policyOf(template, "deploy-pipeline");
    const to = role("pipeline-test");
    const bounded = {
      "iam:PermissionsBoundary": `arn:aws:iam::${account}:policy/acme-production-governance-deploy-boundary`,
    };
    const policy = { "iam:PolicyARN": `arn:aws:iam::${account}:policy/acme-production-pipeline-1` };
    const administrator = { "iam:PolicyARN": "arn:aws:iam::aws:policy/AdministratorAccess" };
    expect(own.allows("iam:AttachRolePolicy", to, { ...bounded, ...policy })).toBe(true);
    expect(own.allows("iam:AttachRolePolicy", to, { ...bounded, ...administrator })).toBe(false);
    expect(own.allows("iam:AttachRolePolicy", to, policy)).toBe(false);
  });

  test("of the pipeline runs its own projects and the workflow, and no others", () => {
    const delivery = template.policyOf("delivery_role_policy");
    expect(
      delivery.allows("states:StartExecution", regional("states", "stateMachine:acme-production-ml-workflow-training")),
    ).toBe(true);
    expect(delivery.allows("states:StartExecution", regional("states", "stateMachine:other"))).toBe(false);
    expect(delivery.allows("codebuild:StartBuild", regional("codebuild", "project/other"))).toBe(false);
    expect(delivery.allows("codebuild:StartBuild", "${aws_codebuild_project.test_project.arn}")).toBe(true);
  });
});

describe("starts and ends", () => {
  const rules = (template: Template): readonly Arguments[] =>
    Object.values(template.resources("aws_cloudwatch_event_rule"));
  const connection = {
    type: "codeconnections",
    connectionArn: `arn:aws:codeconnections:${region}:${account}:connection/01234567-89ab-cdef-0123-456789abcdef`,
    repository: "acme/mlsdlc",
    branch: "main",
  } as const;

  test("a push to the branch starts it, and nothing polls", () => {
    const pattern = JSON.parse(
      rules(production.pipeline!).find(({ name }) => name === "acme-production-pipeline-source-changed")!.event_pattern,
    );
    expect(pattern.resources).toEqual([regional("codecommit", "acme-mlsdlc")]);
    expect(pattern.detail.referenceName).toEqual(["main"]);
    expect(actionsOf(production.pipeline!)[0]!.configuration.PollForSourceChanges).toBe("false");
  });

  test("a connection's push starts it by the pipeline's own trigger, on that branch alone", () => {
    const template = synthesizePlatform("production", { pipeline: { source: connection, approval: true } }).pipeline!;
    expect(rules(template).map(({ name }) => name)).not.toContain("acme-production-pipeline-source-changed");
    expect(template.resource("aws_codepipeline").trigger).toEqual([
      {
        provider_type: "CodeStarSourceConnection",
        git_configuration: { source_action_name: "source", push: [{ branches: { includes: ["main"] } }] },
      },
    ]);
    expect(policyOf(template, "test").allows("codeconnections:UseConnection", connection.connectionArn)).toBe(true);
    const passed: [string, string] = ["codeconnections:PassConnection", connection.connectionArn];
    expect(policyOf(template, "deploy-pipeline").allows(...passed)).toBe(true);
    expect(policyOf(template, "deploy-website-test").allows(...passed)).toBe(false);
  });

  test("what has a generated name or id is changed by the stack that tagged it, and made by any", () => {
    const role = policyOf(production.pipeline!, "deploy-website-production");
    const cases: readonly [create: string, change: string, arn: string, context?: Record<string, string>][] = [
      ["sagemaker:CreateModel", "sagemaker:DeleteModel", `sagemaker:${region}:${account}:model/terraform-1`],
      ["logs:CreateDelivery", "logs:DeleteDelivery", `logs:us-east-1:${account}:delivery:1`],
      [
        "application-autoscaling:RegisterScalableTarget",
        "application-autoscaling:DeleteScalingPolicy",
        `application-autoscaling:${region}:${account}:scalable-target/1`,
        { "application-autoscaling:service-namespace": "sagemaker" },
      ],
      [
        "lambda:DeleteEventSourceMapping",
        "lambda:DeleteEventSourceMapping",
        `lambda:${region}:${account}:event-source-mapping:1`,
      ],
    ];
    for (const [create, change, arn, context = {}] of cases) {
      expect(role.allows(create, `arn:aws:${arn}`, context)).toBe(true);
      for (const stack of ["website-test", "website-production"]) {
        const tagged = { ...context, "aws:ResourceTag/Stack": stack };
        expect(role.allows(change, `arn:aws:${arn}`, tagged)).toBe(stack === "website-production");
      }
    }
  });

  test("who makes the Airflow environment has the rights with which it makes its network interfaces and grants", () => {
    const role = policyOf(production.pipeline!, "deploy-data-workflow");
    const ec2 = (kind: string): string => `arn:aws:ec2:${region}:${account}:${kind}/x-1`;
    for (const kind of ["network-interface", "subnet", "security-group"]) {
      expect(role.allows("ec2:CreateNetworkInterface", ec2(kind))).toBe(true);
    }
    expect(role.allows("ec2:DescribeRouteTables", "*")).toBe(true);
    const key = `arn:aws:kms:${region}:${account}:key/1`;
    const own = { "aws:ResourceTag/Stack": "data", "kms:ViaService": `airflow.${region}.amazonaws.com` };
    for (const verb of ["CreateGrant", "ListGrants", "RevokeGrant"]) {
      expect(role.allows(`kms:${verb}`, key, own)).toBe(true);
    }
  });

  test("a run that a new definition cancels is started again; one that somebody stops is not", () => {
    const { event_pattern: pattern } = rules(production.pipeline!).find(
      ({ name }) => name === "acme-production-pipeline-definition-changed",
    )!;
    expect(JSON.parse(pattern).detail).toEqual({ pipeline: ["acme-production-pipeline"], state: ["CANCELED"] });
  });

  test("the rule alone notifies the topic of each failed action", () => {
    const topic = new Policy(production.pipeline!.resource("aws_sns_topic_policy").policy);
    const from = (arn: string): boolean =>
      topic.allows(
        "sns:Publish",
        "${aws_sns_topic.alarms_topic.arn}",
        { "aws:SourceAccount": account, "aws:SourceArn": arn },
        "events.amazonaws.com",
      );
    expect(from("${aws_cloudwatch_event_rule.delivery_action-failed.arn}")).toBe(true);
    expect(from("arn:aws:events:eu-west-1:444455556666:rule/other")).toBe(false);
    const key = new Policy(production.pipeline!.resource("aws_kms_key").policy);
    expect(key.allows("kms:GenerateDataKey", "any", { "aws:SourceAccount": account }, "events.amazonaws.com")).toBe(
      true,
    );
  });

  test("an approver is shown the plan and the model, and has two days", () => {
    const approve = actionsOf(production.pipeline!).find(({ name }) => name === "approve")!;
    expect(approve.timeout_in_minutes).toBe(2_880);
    expect(approve.configuration.ExternalEntityLink).toBe("#{review.REVIEW_URL}");
    expect(approve.configuration.CustomData).toContain("#{review.MODEL_URL}");
    const review = actionsOf(production.pipeline!).find(({ name }) => name === "review")!;
    expect(review.namespace).toBe("review");
    const specification = JSON.parse(
      production.pipeline!.resource("aws_codebuild_project", "review_project").source.buildspec,
    );
    expect(specification.env["exported-variables"]).toEqual(["REVIEW_URL", "MODEL_URL", "MODEL_SUMMARY"]);
  });

  test("with Terraform Cloud, builds that plan take its token from Secrets Manager, and none reads a state bucket", () => {
    const template = synthesizePlatform("production", {
      backend: { type: "cloud", organization: "acme", hostname: "tfe.acme-labs.example" },
    }).pipeline!;
    const project = template.resource("aws_codebuild_project", "deploy-data_project");
    expect(project.environment.environment_variable).toEqual([
      {
        name: "TF_TOKEN_tfe_acme__labs_example",
        type: "SECRETS_MANAGER",
        value: "acme-production-pipeline-terraform-cloud-token",
      },
    ]);
    expect(template.resource("aws_codebuild_project", "test_project").environment.environment_variable ?? []).toEqual(
      [],
    );
    expect(JSON.stringify(template.document)).not.toContain("StateBucket");
  });
});
