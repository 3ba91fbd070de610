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
import { type Statement, useKey } from "../modules/policy";
import { SecureBucket } from "../modules/secure-bucket";
import { type Contract, contract, type ParameterName, publicFigures, type StackId } from "./contract";
import { keepsOwnState, type Platform, PlatformStack } from "./platform";
import { commandsOf, releaseSteps, type ReleaseStep, testCommands } from "./release";

/** The parameters at which the steps look while they run. */
const addresses: Readonly<Record<"test" | "production", readonly ParameterName[]>> = {
  test: ["TestWebsite", "TestApi"],
  production: ["ProductionWebsite", "ProductionApi"],
};

/** What differs from the default of a build that deploys a stack: a machine, a time limit, Docker. */
const deployBuilds: Partial<Record<string, Pick<BuildProjectProps, "machine" | "timeoutMinutes" | "docker">>> = {
  "model-image": { docker: true, machine: "medium" },
  // CloudFront and an endpoint that moves from one model to the next take up to half an hour each.
  "website-test": { timeoutMinutes: 120 },
  "website-production": { timeoutMinutes: 120 },
  // MWAA User Guide, "Create an environment": 20 to 30 minutes; an update with a new version takes up to two hours.
  "data-workflow": { timeoutMinutes: 240 },
};

/** Minutes that somebody has for an approval; meanwhile no other release can begin. */
const approvalMinutes = 2 * 24 * 60;

/**
 * What releases a change: tests it, then deploys stack after stack, trains, asks the test website, has somebody
 * approve, and deploys production. It deploys the stacks that the app has when it is made, so it comes last in
 * `main.ts`; an engineer deploys it once, and from then on it deploys itself.
 *
 * All that changes the account is one stage, `Release`: only one run at a time is in it. A model that one run
 * registered is therefore never taken to production by another run that waited for its approval, and no run changes the
 * pipeline while another deploys.
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
      description: "Encrypts what passes between the actions of the pipeline, their logs, and what it tells of",
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
            this.build(step.name, commands, `Asks the website's stage ${step.stage} what the system tests ask`, [
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
    const tests = this.build(
      "test",
      testCommands,
      "Runs all tests of the project; it reaches nothing of the account",
      [],
      {
        machine: "large",
        timeoutMinutes: 120,
      },
    );

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

    // What the pipeline itself consists of is known only now.
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
      throw new Error(`The step ${name} has no commands: give it some in commandsOf of stacks/release.ts.`);
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

  /** What an approver reads: it plans as the deployment would, with a role that only looks. */
  private review(
    { name, stack }: Extract<ReleaseStep, { kind: "review" }>,
    commands: BuildCommands | undefined,
    made: PlatformStack | undefined,
  ): BuildProject {
    const project = this.build(name, commands, `Puts together what the approver of ${stack} reads`, [
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
   * Runs the ML workflow and waits for it. Each try is an execution of its own, named by the action's own id, so that
   * none clashes. A champion that is kept is a success; a model below the threshold is a failure, which ends the
   * release before anything of a website has changed.
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
      roleServices: roleServicesOf(stack),
      keyStack: keyStackOf(stack),
    };
  }

  /** What the websites look up: the public figures, by the name of the data bucket. */
  private figures(): NonNullable<DeployScope["lookedUp"]> {
    const { account, region } = this.environment;
    const bucketArn = this.bucketArn(this.named(`${account}-${region}`, "data"));
    return { objects: [`${bucketArn}/${publicFigures.prefix}*`], keyStack: contract.DataBucket.publisher };
  }

  private mayDeploy(stack: PlatformStack): readonly Statement[] {
    return deployStatements(typesOf(stack), this.scopeOf(stack));
  }

  /** A stack's own state and the lock beside it, and no other's. */
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
        // Whether the bucket is there is asked without a prefix; Terraform also looks for workspaces, of which there
        // are none.
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
      useKey({ keyArn: this.state.key, services: ["s3"], region, access, sid: "UseStateKey" }),
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
 * The environment variable in which Terraform looks for the token of a host (Terraform CLI, "Environment Variable
 * Credentials").
 */
function tokenVariable(hostname = "app.terraform.io"): string {
  return `TF_TOKEN_${hostname.replaceAll("-", "__").replaceAll(".", "_")}`;
}

/** Terraform's types of a stack's resources and, with `data.` before, of its data sources. */
export function typesOf(stack: PlatformStack): readonly string[] {
  const types = stack.node.findAll().flatMap((construct) => {
    if (TerraformResource.isTerraformResource(construct)) {
      return [construct.terraformResourceType];
    }
    return TerraformDataSource.isTerraformDataSource(construct) ? [`data.${construct.terraformResourceType}`] : [];
  });
  return [...new Set(types)].sort();
}

/** The stack whose key encrypts what a stack makes: itself, or where it has no key, the one whose key it reads. */
function keyStackOf(stack: PlatformStack): string {
  const { publisher, readers }: Contract[string] = contract.DataKey;
  return readers.includes(stack.id) && !typesOf(stack).includes("aws_kms_key") ? publisher : stack.id;
}

/** Who assumes the roles of a stack: to them its resources hand the roles. */
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
