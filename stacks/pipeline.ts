import { IamRole } from "@cdktf/provider-aws/lib/iam-role";
import { Route53Record } from "@cdktf/provider-aws/lib/route53-record";
import { Sesv2EmailIdentity } from "@cdktf/provider-aws/lib/sesv2-email-identity";
import { SsmParameter } from "@cdktf/provider-aws/lib/ssm-parameter";
import { TerraformDataSource, TerraformResource } from "cdktf";
import type { DeployScope } from "../aws-services/permissions";
import type { Environment } from "../environments";
import type { AlarmTopic } from "../modules/alarm";
import type { EncryptionKey } from "../modules/encryption-key";
import type { BuildCommands } from "../modules/pipeline/build-spec";
import { BuildProject, type BuildProjectProps } from "../modules/pipeline/build-project";
import { buildAction, DeliveryPipeline, type PipelineAction, readSource } from "../modules/pipeline/delivery-pipeline";
import { deployStatements, planStatements } from "../modules/pipeline/deploy-permissions";
import { boundaryOf } from "../modules/permissions-boundary";
import { placeOf } from "../modules/place";
import { type Statement, allowKeyUse } from "../modules/policy";
import { SecureBucket } from "../modules/secure-bucket";
import { type Contract, contract, type ParameterName, publicFigures, type StackId } from "./contract";
import { keepsOwnState, type Platform, PlatformStack } from "./platform";
import { commandsOf, releaseSteps, type ReleaseStep, testCommands } from "./release";

/** The parameters that the steps read while they run. */
const addresses: Readonly<Record<"test" | "production", readonly ParameterName[]>> = {
  test: ["TestWebsite", "TestApi"],
  production: ["ProductionWebsite", "ProductionApi"],
};

/** Builds that differ from the default: machine, time limit, Docker. */
const deployBuilds: Partial<Record<string, Pick<BuildProjectProps, "machine" | "timeoutMinutes" | "docker">>> = {
  "model-image": { docker: true, machine: "medium" },
  // CloudFront and an endpoint that moves from one model to the next take up to half an hour each.
  "website-test": { timeoutMinutes: 120 },
  "website-production": { timeoutMinutes: 120 },
  // MWAA User Guide, "Create an environment": 20 to 30 minutes; an update with a new version takes up to two hours.
  "data-workflow": { timeoutMinutes: 240 },
};

/** Time limit for an approval, in minutes; meanwhile no other release can begin. */
const approvalMinutes = 2 * 24 * 60;

/**
 * Releases a change: tests it, deploys stack after stack, trains, tests the test website, waits for an approval, and
 * deploys production. It deploys the stacks that the app has when it is made, so `main.ts` makes it last. An engineer
 * deploys it once; after that it deploys itself.
 *
 * Everything that changes the account is in one pipeline stage, `Release`, and only one run at a time is in a stage. So
 * a model that one run registered never goes to production in another run that waited for approval, and no run changes
 * the pipeline while another deploys.
 */
export class PipelineStack extends PlatformStack {
  private readonly settings: NonNullable<Environment["pipeline"]>;
  private readonly key: EncryptionKey;
  private readonly artefacts: SecureBucket;
  private readonly topic: AlarmTopic;
  private readonly state: { readonly bucket: string; readonly key: string } | undefined;

  constructor(platform: Platform, settings: NonNullable<Environment["pipeline"]>) {
    super(platform, "pipeline");
    this.settings = settings;
    const { account, region, logRetentionDays, oldVersionDays, protectData: protect } = this.environment;
    const name = this.named();

    this.key = this.encryptionKey({
      description: "Encrypts the pipeline's artefacts, logs and notifications",
      logGroupsNamed: name,
    });
    this.artefacts = new SecureBucket(this, "artefacts", {
      name: this.named(`artefacts-${account}-${region}`),
      encryptionKeyArn: this.key.arn,
      expireOldVersionsAfterDays: oldVersionDays,
      expiries: [{ prefix: "", days: logRetentionDays }],
      protect,
    });
    this.topic = this.alarmTopic(this.key.arn);
    this.state = keepsOwnState(this.environment)
      ? { bucket: this.read("StateBucket"), key: this.read("StateKey") }
      : undefined;

    const stacks = new Map(
      platform.app.node.children.filter((child) => child instanceof PlatformStack).map((stack) => [stack.id, stack]),
    );
    const builds = new Map<StackId, BuildProject>();
    const steps = releaseSteps([...stacks.keys()], settings);
    const release = steps.map((step): PipelineAction => {
      const commands = commandsOf(step, this.environment.name);
      switch (step.kind) {
        case "train":
          return this.train(step);
        case "approve":
          return this.approve(step);
        case "review":
          return buildAction(step.name, this.review(step, commands, stacks.get(step.stack)), {
            variables: { RELEASE: "#{codepipeline.PipelineExecutionId}" },
            namespace: "review",
          });
        case "system-test":
          return buildAction(
            step.name,
            this.build(step.name, commands, `Runs the system tests on the website's stage ${step.stage}`, [
              this.readParameters("ReadAddresses", addresses[step.stage]),
            ]),
          );
        case "deploy": {
          const project = this.deploy(step, commands, stacks.get(step.stack));
          builds.set(step.stack, project);
          return buildAction(step.name, project);
        }
      }
    });
    const tests = this.build("test", testCommands, "Runs all tests of the project, without access to the account", [], {
      machine: "large",
      timeoutMinutes: 120,
    });

    new DeliveryPipeline(this, "delivery", {
      name,
      source: settings.source,
      bucket: this.artefacts,
      encryptionKey: this.key,
      topic: this.topic,
      stages: [
        { name: "Test", actions: [buildAction("test", tests)] },
        { name: "Release", actions: release },
      ],
    });
    this.publish("Pipeline", name);

    // All parts of the pipeline itself are known only now.
    builds.get("pipeline")?.allow(this.mayDeploy(this));
  }

  private build(
    name: string,
    commands: BuildCommands | undefined,
    description: string,
    statements: readonly Statement[],
    options: Pick<BuildProjectProps, "machine" | "timeoutMinutes" | "docker"> = {},
  ): BuildProject {
    if (!commands) {
      throw new Error(`The step ${name} has no commands: add them to commandsOf in stacks/release.ts.`);
    }
    const { backend, logRetentionDays } = this.environment;
    const withTerraform = commands.install !== undefined && backend.type === "cloud" && name !== "test";
    const token = this.named("terraform-cloud-token");
    return new BuildProject(this, name, {
      name: this.named(name),
      description,
      commands,
      logRetentionDays,
      encryptionKeyArn: this.key.arn,
      ...options,
      secrets: withTerraform ? { [tokenVariable(backend.hostname)]: token } : undefined,
      statements: [
        {
          sid: "ReadSourceArtefact",
          actions: ["s3:GetObject", "s3:GetObjectVersion"],
          resources: [`${this.artefacts.arn}/*`],
        },
        this.key.useStatement(["s3"], "write"),
        readSource(this.settings.source, placeOf(this)),
        ...(withTerraform
          ? [
              {
                sid: "ReadToken",
                actions: ["secretsmanager:GetSecretValue"],
                resources: [this.arn("secretsmanager", `secret:${token}-??????`)],
              },
            ]
          : []),
        ...statements,
      ],
    });
  }

  private deploy(
    { name, stack }: Extract<ReleaseStep, { kind: "deploy" }>,
    commands: BuildCommands | undefined,
    made: PlatformStack | undefined,
  ): BuildProject {
    const project = this.build(
      name,
      commands,
      `Deploys the stack ${stack} of ${this.environment.name}`,
      this.useState(stack, "write"),
      deployBuilds[stack],
    );
    if (made && made !== this) {
      project.allow(this.mayDeploy(made));
    }
    return project;
  }

  /** Builds what an approver reads: the plan of the deployment, made with a read-only role. */
  private review(
    { name, stack }: Extract<ReleaseStep, { kind: "review" }>,
    commands: BuildCommands | undefined,
    made: PlatformStack | undefined,
  ): BuildProject {
    const project = this.build(name, commands, `Prepares what the approver of ${stack} reads`, [
      ...this.useState(stack, "read"),
      ...this.artefacts.writeStatements(["reviews/"], "Reviews"),
      this.readParameters("ReadForReview", ["ModelPackageName", "Pipeline"]),
      {
        sid: "DescribeModel",
        actions: ["sagemaker:DescribeModelPackage"],
        resources: [this.arn("sagemaker", `model-package/${this.named("abalone", "ml-workflow")}/*`)],
      },
    ]);
    if (made) {
      project.allow(planStatements(typesOf(made), this.scopeOf(made)));
    }
    return project;
  }

  /**
   * Runs the ML workflow and waits for it. Each try is a new execution, named after the action's id, so names never
   * clash. A kept champion is a success. A model below the threshold is a failure, which ends the release before any
   * website has changed.
   */
  private train({ name }: ReleaseStep): PipelineAction {
    const machine = this.named("training", "ml-workflow");
    return {
      action: {
        name,
        category: "Invoke",
        owner: "AWS",
        provider: "StepFunctions",
        version: "1",
        configuration: {
          StateMachineArn: this.arn("states", `stateMachine:${machine}`),
          ExecutionNamePrefix: "pipeline",
          InputType: "Literal",
          Input: JSON.stringify({ pipelineExecution: "#{codepipeline.PipelineExecutionId}" }),
        },
      },
      statements: [
        {
          sid: "StartWorkflow",
          actions: ["states:DescribeStateMachine", "states:StartExecution"],
          resources: [this.arn("states", `stateMachine:${machine}`)],
        },
        {
          sid: "FollowWorkflow",
          actions: ["states:DescribeExecution"],
          resources: [this.arn("states", `execution:${machine}:*`)],
        },
      ],
    };
  }

  private approve({ name }: ReleaseStep): PipelineAction {
    return {
      action: {
        name,
        category: "Approval",
        owner: "AWS",
        provider: "Manual",
        version: "1",
        timeoutInMinutes: approvalMinutes,
        configuration: {
          NotificationArn: this.topic.arn,
          ExternalEntityLink: "#{review.REVIEW_URL}",
          CustomData: "#{review.MODEL_SUMMARY} Model card: #{review.MODEL_URL}",
        },
      },
      statements: [
        { sid: "AskForApproval", actions: ["sns:Publish"], resources: [this.topic.arn] },
        this.key.useStatement(["sns"], "write", "EncryptQuestions"),
      ],
    };
  }

  private scopeOf(stack: PlatformStack): DeployScope {
    const table: Contract = contract;
    const constructs = stack.node.findAll();
    const { account, region, partition } = placeOf(stack);
    const source = this.environment.pipeline?.source;
    return {
      account,
      region,
      partition,
      stack: stack.id,
      names: [`${stack.named()}*`],
      prefix: this.namePrefix,
      boundary: boundaryOf(stack),
      parameterPath: `/acme/${this.environment.name}/`,
      published: constructs.flatMap((construct) =>
        construct instanceof SsmParameter ? [construct.nameInput ?? ""] : [],
      ),
      read: (Object.keys(table) as ParameterName[])
        .filter((name) => table[name]?.readers.includes(stack.id))
        .map((name) => this.parameterName(name)),
      lookedUp: typesOf(stack).includes("data.aws_s3_object") ? this.figures() : undefined,
      mailIdentities: constructs.flatMap((construct) =>
        construct instanceof Sesv2EmailIdentity ? [construct.emailIdentityInput ?? ""] : [],
      ),
      hostedZones: [
        ...new Set(
          constructs.flatMap((construct) => (construct instanceof Route53Record ? [construct.zoneIdInput ?? ""] : [])),
        ),
      ],
      connections: source?.type === "codeconnections" ? [source.connectionArn] : [],
      roleServices: roleServicesOf(stack),
      keyStack: keyStackOf(stack),
    };
  }

  /** What the websites read at plan time: the public figures in the data bucket, which is named by convention. */
  private figures(): NonNullable<DeployScope["lookedUp"]> {
    const { account, region } = this.environment;
    const bucketArn = this.bucketArn(this.named(`${account}-${region}`, "data"));
    return { objects: [`${bucketArn}/${publicFigures.prefix}*`], keyStack: contract.DataBucket.publisher };
  }

  private mayDeploy(stack: PlatformStack): readonly Statement[] {
    return deployStatements(typesOf(stack), this.scopeOf(stack));
  }

  /** Access to a stack's own state and its lock file, and to no other. */
  private useState(stack: StackId, access: "read" | "write"): readonly Statement[] {
    if (!this.state) {
      return [];
    }
    const { region, name } = this.environment;
    const bucketArn = this.bucketArn(this.state.bucket);
    const file = `${name}/${stack}.tfstate`;
    const lock = `${bucketArn}/${file}.tflock`;
    return [
      {
        sid: "FindState",
        actions: ["s3:ListBucket"],
        resources: [bucketArn],
        // Terraform checks without a prefix whether the bucket exists, and with `env:` for workspaces, which we don't
        // use.
        conditions: { StringLikeIfExists: { "s3:prefix": [`${file}*`, "env:*"] } },
      },
      {
        sid: "ReadState",
        actions: ["s3:GetObject"],
        resources: [`${bucketArn}/${file}`, lock],
      },
      ...(access === "write"
        ? [
            { sid: "WriteState", actions: ["s3:PutObject"], resources: [`${bucketArn}/${file}`, lock] },
            { sid: "Unlock", actions: ["s3:DeleteObject"], resources: [lock] },
          ]
        : []),
      allowKeyUse({ keyArn: this.state.key, services: ["s3"], region, access, sid: "UseStateKey" }),
    ];
  }

  private readParameters(sid: string, names: readonly ParameterName[]): Statement {
    return {
      sid,
      actions: ["ssm:GetParameter", "ssm:GetParameters"],
      resources: names.map((name) => this.parameterArn(name)),
    };
  }
}

/**
 * The environment variable that holds Terraform's token for a host (Terraform CLI, "Environment Variable Credentials").
 */
function tokenVariable(hostname = "app.terraform.io"): string {
  return `TF_TOKEN_${hostname.replaceAll("-", "__").replaceAll(".", "_")}`;
}

/** Terraform's types of a stack's resources, and of its data sources with the prefix `data.`. */
export function typesOf(stack: PlatformStack): readonly string[] {
  const types = stack.node.findAll().flatMap((construct) => {
    if (TerraformResource.isTerraformResource(construct)) {
      return [construct.terraformResourceType];
    }
    return TerraformDataSource.isTerraformDataSource(construct) ? [`data.${construct.terraformResourceType}`] : [];
  });
  return [...new Set(types)].sort();
}

/** The stack whose key encrypts this stack's resources: this one, or if it has no key, the one whose key it reads. */
function keyStackOf(stack: PlatformStack): string {
  const { publisher, readers }: Contract[string] = contract.DataKey;
  return readers.includes(stack.id) && !typesOf(stack).includes("aws_kms_key") ? publisher : stack.id;
}

/** The services that assume the roles of a stack: its deployer passes the roles to them. */
function roleServicesOf(stack: PlatformStack): readonly string[] {
  const services = stack.node.findAll().flatMap((construct) => {
    if (!(construct instanceof IamRole)) {
      return [];
    }
    const { Statement: statements } = JSON.parse(construct.assumeRolePolicyInput ?? "{}") as {
      Statement: readonly { Principal: { Service: string | readonly string[] } }[];
    };
    return statements.flatMap(({ Principal: { Service: service } }) => service);
  });
  return [...new Set(services)].sort();
}
