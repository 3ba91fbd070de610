/**
 * A CodePipeline pipeline: the source, what starts a run, the artefacts' bucket and key, and the topic for failures.
 *
 *     const pipeline = new DeliveryPipeline(this, "delivery", { name, source, bucket, encryptionKey, topic, stages: [{ name: "Test", actions: [buildAction("test", project)] }], … });
 */
import { CloudwatchEventRule } from "@cdktf/provider-aws/lib/cloudwatch-event-rule";
import { CloudwatchEventTarget } from "@cdktf/provider-aws/lib/cloudwatch-event-target";
import { Codepipeline, type CodepipelineStageAction } from "@cdktf/provider-aws/lib/codepipeline";
import { Construct } from "constructs";
import type { AlarmTopic } from "../alarm";
import type { EncryptionKey } from "../encryption-key";
import { ExecutionRole } from "../execution-role";
import { type Place, placeOf } from "../place";
import type { Statement } from "../policy";
import type { SecureBucket } from "../secure-bucket";
import type { BuildProject } from "./build-project";

/** The source repository. Builds clone it, because CodePipeline's archives lose file modes. */
export type PipelineSource =
  | {
      readonly type: "codecommit";
      /** Name of a repository in this account and region. */
      readonly repository: string;
      readonly branch: string;
    }
  | {
      readonly type: "codeconnections";
      /** ARN of the connection with GitHub, GitLab or Bitbucket. */
      readonly connectionArn: string;
      /** `owner/name` */
      readonly repository: string;
      readonly branch: string;
    };

/** An action and its rights. Its position in the list is its position in the stage. */
export interface PipelineAction {
  readonly action: Omit<CodepipelineStageAction, "runOrder" | "inputArtifacts" | "outputArtifacts">;
  /** Whether it gets the source. @default false */
  readonly needsSource?: boolean;
  /** What the pipeline's role needs to run it. */
  readonly statements: readonly Statement[];
}

/** Actions that run one after the other. Only one run at a time is in a stage. */
export interface PipelineStage {
  readonly name: string;
  readonly actions: readonly PipelineAction[];
}

export interface DeliveryPipelineProps {
  /** 1 to 100 letters, digits and `.@-_`; its role has the same name. */
  readonly name: string;
  readonly source: PipelineSource;
  /** Holds the artefacts. */
  readonly bucket: SecureBucket;
  /** Encrypts the bucket. */
  readonly encryptionKey: EncryptionKey;
  /** Receives a message for each failed action. */
  readonly topic: AlarmTopic;
  readonly stages: readonly PipelineStage[];
}

/** The output artefact of the source action. */
const sourceArtefact = "source";

const letters = (name: string): string => name.replace(/[^A-Za-z0-9]/g, "");

/** An action that runs a build, with variables from earlier actions or from CodePipeline. */
export function buildAction(
  name: string,
  project: BuildProject,
  options: { readonly variables?: Readonly<Record<string, string>>; readonly namespace?: string } = {},
): PipelineAction {
  const { variables = {}, namespace } = options;
  return {
    action: {
      name,
      category: "Build",
      owner: "AWS",
      provider: "CodeBuild",
      version: "1",
      namespace,
      configuration: {
        ProjectName: project.name,
        ...(Object.keys(variables).length === 0
          ? {}
          : {
              EnvironmentVariables: JSON.stringify(
                Object.entries(variables).map(([variable, value]) => ({ name: variable, value, type: "PLAINTEXT" })),
              ),
            }),
      },
    },
    needsSource: true,
    statements: [
      {
        sid: `Build${letters(name)}`,
        actions: ["codebuild:BatchGetBuilds", "codebuild:StartBuild"],
        resources: [project.arn],
      },
    ],
  };
}

/** The statement that lets a build read the source. */
export function readSource(source: PipelineSource, place: Place): Statement {
  return source.type === "codecommit"
    ? {
        sid: "CloneSource",
        actions: ["codecommit:GitPull"],
        resources: [place.arn("codecommit", source.repository)],
      }
    : {
        sid: "CloneSource",
        // A connection made before July 2024 keeps the service's old name in its ARN and its actions.
        actions: [`${source.connectionArn.split(":")[2] ?? ""}:UseConnection`],
        resources: [source.connectionArn],
      };
}

/**
 * A V2 pipeline. Newer runs supersede those that wait before a stage (SUPERSEDED): the last push wins, and nobody has
 * to approve a change that the next one replaced.
 */
export class DeliveryPipeline extends Construct {
  readonly name: string;
  readonly arn: string;
  readonly role: ExecutionRole;
  private readonly starter: ExecutionRole;

  constructor(
    scope: Construct,
    id: string,
    private readonly props: DeliveryPipelineProps,
  ) {
    super(scope, id);
    const { name, source, bucket, encryptionKey, stages } = props;
    this.name = name;
    this.arn = placeOf(this).arn("codepipeline", name);

    this.role = new ExecutionRole(this, "role", {
      name,
      description: `Runs the actions of the pipeline ${name}`,
      service: "codepipeline.amazonaws.com",
      statements: [
        {
          sid: "KeepArtefacts",
          actions: ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"],
          resources: [`${bucket.arn}/*`],
        },
        {
          sid: "FindArtefacts",
          actions: ["s3:GetBucketAcl", "s3:GetBucketLocation", "s3:GetBucketVersioning", "s3:ListBucket"],
          resources: [bucket.arn],
        },
        encryptionKey.useStatement(["s3"], "write"),
        this.fetchSource(),
        ...stages.flatMap(({ actions }) => actions.flatMap(({ statements }) => statements)),
      ],
    });

    const pipeline = new Codepipeline(this, "pipeline", {
      name,
      pipelineType: "V2",
      executionMode: "SUPERSEDED",
      roleArn: this.role.arn,
      artifactStore: [{ type: "S3", location: bucket.name, encryptionKey: { type: "KMS", id: encryptionKey.arn } }],
      stage: [
        { name: "Source", action: [this.sourceAction()] },
        ...stages.map((stage) => ({
          name: stage.name,
          action: stage.actions.map(({ action, needsSource }, index) => ({
            ...action,
            runOrder: index + 1,
            inputArtifacts: needsSource ? [sourceArtefact] : undefined,
          })),
        })),
      ],
      trigger:
        source.type === "codeconnections"
          ? [
              {
                providerType: "CodeStarSourceConnection",
                gitConfiguration: {
                  sourceActionName: "source",
                  push: [{ branches: { includes: [source.branch] } }],
                },
              },
            ]
          : undefined,
      dependsOn: [this.role.policy, bucket.policy],
    });

    this.starter = new ExecutionRole(this, "starter", {
      name: `${name}-starter`,
      description: `Starts the pipeline ${name} when its source or its definition has changed`,
      service: "events.amazonaws.com",
      statements: [{ sid: "StartPipeline", actions: ["codepipeline:StartPipelineExecution"], resources: [this.arn] }],
    });
    this.startOnChange(pipeline);
    this.startAgain(pipeline);
    this.tellOfFailures();
  }

  /** The source action only reads the newest commit; builds clone it. */
  private sourceAction(): CodepipelineStageAction {
    const { source } = this.props;
    const common = {
      name: "source",
      category: "Source",
      owner: "AWS",
      version: "1",
      outputArtifacts: [sourceArtefact],
    };
    const format = { BranchName: source.branch, OutputArtifactFormat: "CODEBUILD_CLONE_REF" };
    return source.type === "codecommit"
      ? {
          ...common,
          provider: "CodeCommit",
          configuration: { RepositoryName: source.repository, PollForSourceChanges: "false", ...format },
        }
      : {
          ...common,
          provider: "CodeStarSourceConnection",
          configuration: {
            ConnectionArn: source.connectionArn,
            FullRepositoryId: source.repository,
            // The pipeline's trigger detects pushes to this branch.
            DetectChanges: "false",
            ...format,
          },
        };
  }

  private fetchSource(): Statement {
    const { source } = this.props;
    const statement = readSource(source, placeOf(this));
    return source.type === "codecommit"
      ? {
          ...statement,
          sid: "FetchSource",
          actions: [
            "codecommit:CancelUploadArchive",
            "codecommit:GetBranch",
            "codecommit:GetCommit",
            "codecommit:GetRepository",
            "codecommit:GetUploadArchiveStatus",
            "codecommit:UploadArchive",
          ],
        }
      : { ...statement, sid: "FetchSource" };
  }

  /** CodeCommit reports pushes to EventBridge; a connection uses the pipeline's own trigger. */
  private startOnChange(pipeline: Codepipeline): void {
    const { source, name } = this.props;
    if (source.type !== "codecommit") {
      return;
    }
    this.startOn("source-changed", pipeline, {
      name: `${name}-source-changed`,
      description: `Starts ${name} when ${source.branch} of ${source.repository} changes`,
      eventPattern: JSON.stringify({
        source: ["aws.codecommit"],
        "detail-type": ["CodeCommit Repository State Change"],
        resources: [placeOf(this).arn("codecommit", source.repository)],
        detail: {
          event: ["referenceCreated", "referenceUpdated"],
          referenceType: ["branch"],
          referenceName: [source.branch],
        },
      }),
    });
  }

  /**
   * CodePipeline cancels a run when the pipeline's definition changes (API reference, PipelineExecutionSummary: "The
   * pipeline's definition was updated before the pipeline execution could be completed"), whether by the run's own
   * update of the pipeline or by an engineer. Then another run starts with the new definition. A run that somebody
   * stops has the status Stopped and is not restarted.
   */
  private startAgain(pipeline: Codepipeline): void {
    const { name } = this.props;
    this.startOn("definition-changed", pipeline, {
      name: `${name}-definition-changed`,
      description: `Starts ${name} again when a new definition has cancelled a run`,
      eventPattern: JSON.stringify({
        source: ["aws.codepipeline"],
        "detail-type": ["CodePipeline Pipeline Execution State Change"],
        detail: { pipeline: [name], state: ["CANCELED"] },
      }),
    });
  }

  private startOn(
    id: string,
    pipeline: Codepipeline,
    rule: { readonly name: string; readonly description: string; readonly eventPattern: string },
  ): void {
    new CloudwatchEventTarget(this, `${id}-target`, {
      rule: new CloudwatchEventRule(this, id, rule).name,
      arn: pipeline.arn,
      roleArn: this.starter.arn,
    });
  }

  /** Sends one e-mail for each failed action, with the reason and the link to its log. A rejected approval counts. */
  private tellOfFailures(): void {
    const { name, topic, encryptionKey } = this.props;
    const rule = new CloudwatchEventRule(this, "action-failed", {
      name: `${name}-action-failed`,
      description: `Tells of each action of ${name} that fails`,
      eventPattern: JSON.stringify({
        source: ["aws.codepipeline"],
        "detail-type": ["CodePipeline Action Execution State Change"],
        detail: { pipeline: [name], state: ["FAILED"] },
      }),
    });
    topic.admit({ sid: "FailuresPublish", service: "events.amazonaws.com", sourceArn: rule.arn });
    encryptionKey.allow({
      sid: "FailuresPublishToEncryptedTopics",
      principals: { Service: "events.amazonaws.com" },
      actions: ["kms:Decrypt", "kms:GenerateDataKey*"],
      // In a key policy the resource "*" means this key.
      resources: ["*"],
      conditions: { StringEquals: { "aws:SourceAccount": placeOf(this).account } },
    });
    new CloudwatchEventTarget(this, "action-failed-target", {
      rule: rule.name,
      arn: topic.arn,
      inputTransformer: {
        inputPaths: {
          stage: "$.detail.stage",
          action: "$.detail.action",
          execution: "$.detail.execution-id",
          summary: "$.detail.execution-result.external-execution-summary",
          log: "$.detail.execution-result.external-execution-url",
        },
        inputTemplate: `"The action <action> in the stage <stage> of ${name} failed: <summary>. Log: <log>. Execution <execution>. What to do: docs/pipeline.md."`,
      },
      dependsOn: [topic.policy],
    });
  }
}
