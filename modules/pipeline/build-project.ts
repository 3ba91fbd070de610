import { CloudwatchLogGroup } from "@cdktf/provider-aws/lib/cloudwatch-log-group";
import { CodebuildProject } from "@cdktf/provider-aws/lib/codebuild-project";
import { IamPolicy } from "@cdktf/provider-aws/lib/iam-policy";
import { IamRolePolicyAttachment } from "@cdktf/provider-aws/lib/iam-role-policy-attachment";
import { Construct } from "constructs";
import { ExecutionRole } from "../execution-role";
import { policyDocument, type Statement } from "../policy";
import { type BuildCommands, buildSpec } from "./build-spec";
import { distribute } from "./deploy-permissions";

/** A build's machine with 2, 4 or 8 vCPUs (CodeBuild User Guide, "Build environment compute modes and types"). */
export type BuildMachine = "small" | "medium" | "large";

const computeTypes = {
  small: "BUILD_GENERAL1_SMALL",
  medium: "BUILD_GENERAL1_MEDIUM",
  large: "BUILD_GENERAL1_LARGE",
} as const satisfies Record<BuildMachine, string>;

/** CodeBuild's own image: Ubuntu with Node, Python, Chrome and Docker. */
const image = "aws/codebuild/standard:7.0";

export interface BuildProjectProps {
  /** 2 to 64 letters, digits, hyphens and underscores. Its role has the same name. */
  readonly name: string;
  readonly description: string;
  readonly commands: BuildCommands;
  /** Rights of its role besides writing its log. */
  readonly statements: readonly Statement[];
  /** @default "small" */
  readonly machine?: BuildMachine;
  /** Minutes after which CodeBuild stops a build: 5 to 2,160. @default 60 */
  readonly timeoutMinutes?: number;
  /** Whether builds may run Docker. @default false */
  readonly docker?: boolean;
  /** Environment variables with secrets: the secret's name in Secrets Manager by variable name. @default none */
  readonly secrets?: Readonly<Record<string, string>>;
  readonly logRetentionDays: number;
  /** Encrypts artefacts and log; its policy must let CloudWatch Logs use it. */
  readonly encryptionKeyArn: string;
}

/** A CodeBuild project for a pipeline, with its own role and log group. One build runs at a time. */
export class BuildProject extends Construct {
  readonly name: string;
  readonly arn: string;
  readonly role: ExecutionRole;

  constructor(scope: Construct, id: string, props: BuildProjectProps) {
    super(scope, id);
    const { name, commands, docker = false, secrets = {} } = props;
    const logs = new CloudwatchLogGroup(this, "logs", {
      name: `/aws/codebuild/${name}`,
      retentionInDays: props.logRetentionDays,
      kmsKeyId: props.encryptionKeyArn,
    });
    this.role = new ExecutionRole(this, "role", {
      name,
      description: `What builds of the project ${name} may do`,
      service: "codebuild.amazonaws.com",
      statements: [
        { sid: "WriteLog", actions: ["logs:CreateLogStream", "logs:PutLogEvents"], resources: [`${logs.arn}:*`] },
        ...props.statements,
      ],
    });
    const project = new CodebuildProject(this, "project", {
      name,
      description: props.description,
      serviceRole: this.role.arn,
      encryptionKey: props.encryptionKeyArn,
      buildTimeout: props.timeoutMinutes ?? 60,
      queuedTimeout: 60,
      concurrentBuildLimit: 1,
      source: { type: "CODEPIPELINE", buildspec: buildSpec(commands) },
      artifacts: { type: "CODEPIPELINE" },
      environment: {
        type: "LINUX_CONTAINER",
        computeType: computeTypes[props.machine ?? "small"],
        image,
        imagePullCredentialsType: "CODEBUILD",
        privilegedMode: docker,
        environmentVariable: Object.entries(secrets).map(([variable, secret]) => ({
          name: variable,
          value: secret,
          type: "SECRETS_MANAGER",
        })),
      },
      // On the build host, if it is still there; projects share no cache, so none can plant files for another.
      cache: { type: "LOCAL", modes: ["LOCAL_CUSTOM_CACHE", ...(docker ? ["LOCAL_DOCKER_LAYER_CACHE"] : [])] },
      logsConfig: { cloudwatchLogs: { status: "ENABLED", groupName: logs.name } },
      dependsOn: [this.role.policy],
    });
    this.name = name;
    this.arn = project.arn;
  }

  /**
   * Grants builds more rights, in managed policies, because the rights to deploy a stack don't fit into an inline
   * policy. Call it once.
   */
  allow(statements: readonly Statement[]): void {
    for (const [index, part] of distribute(this.name, statements).entries()) {
      const name = `${this.name}-${index + 1}`;
      const policy = new IamPolicy(this, `policy-${index + 1}`, {
        name,
        description: `Part ${index + 1} of what builds of ${this.name} may do`,
        policy: policyDocument(part),
      });
      new IamRolePolicyAttachment(this, `attachment-${index + 1}`, { role: this.role.name, policyArn: policy.arn });
    }
  }
}
