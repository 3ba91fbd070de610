/**
 * What all stacks of an environment have in common: names, ARNs, backend, provider, tags and the contract.
 *
 *     class DataStack extends PlatformStack {
 *       constructor(platform: Platform) {
 *         super(platform, "data");
 *         this.environment.logRetentionDays;                // the settings
 *         this.named("abalone");                            // "acme-local-data-abalone"
 *         this.arn("sqs", this.named("failed"));              // in this account and region
 *         this.publish("DataBucket", bucket.name);            // and in another stack: this.read("DataBucket")
 *         this.parameterName("ModelPackageName"); this.parameterArn("ModelPackageName"); // for what reads at run time
 *       }
 *     }
 */
import { AwsProvider } from "@cdktf/provider-aws/lib/provider";
import {
  type App,
  Aspects,
  CloudBackend,
  Fn,
  NamedCloudWorkspace,
  S3Backend,
  TerraformElement,
  TerraformLocal,
  TerraformStack,
} from "cdktf";
import type { Node } from "constructs";
import type { Environment } from "../environments";
import { platformTags } from "../environments/settings";
import { AlarmTopic } from "../modules/alarm";
import { EncryptionKey, type EncryptionKeyProps } from "../modules/encryption-key";
import { boundRoles } from "../modules/permissions-boundary";
import { nameResources } from "../modules/resource-names";
import { Place, placeOf, setPlace } from "../modules/place";
import { traceTokens } from "../modules/token-traces";
import type { JobNetwork } from "../modules/training-workflow";
import { enforce } from "../policies";
import { type ParameterName, ParameterStore, type StackId } from "./contract";

/** One environment's platform: the app, its settings, and the parameters that its stacks share. */
export class Platform {
  readonly parameters: ParameterStore;

  constructor(
    readonly app: App,
    readonly environment: Environment,
  ) {
    traceTokens(app);
    this.parameters = new ParameterStore(environment.name);
  }

  /**
   * Writes the stacks into the app's output folder.
   * @throws Error when the stacks break the contract or a rule of `policies/`; nothing is written then
   */
  synth(): void {
    const stacks = this.app.node.children.filter((child) => child instanceof PlatformStack);
    this.parameters.connect(stacks);
    this.refuseWhatEscapes(stacks);
    for (const stack of stacks) {
      stack.prepareStack();
    }
    enforce(
      stacks.map((stack) => ({ id: stack.id, document: stack.freeze() })),
      {
        protectData: this.environment.protectData,
        requiredTags: platformTags,
        boundedRoles: !this.environment.emulated,
      },
    );
    this.app.synth();
  }

  /**
   * The rules check frozen stacks. A stack of another class would be written unchecked, and an Aspect would change a
   * stack after the check: both are refused.
   */
  private refuseWhatEscapes(stacks: readonly PlatformStack[]): void {
    for (const construct of this.app.node.findAll()) {
      if (TerraformStack.isStack(construct) && !stacks.some((stack) => stack === construct)) {
        throw new Error(
          `The stack ${construct.node.path} is not a PlatformStack of the app: derive it from PlatformStack.`,
        );
      }
      if (Aspects.of(construct).all.length > 0) {
        throw new Error(
          `${construct.node.path || "The app"} has an Aspect, which would change stacks after policies/ checked them. ` +
            "Change the resource where it is made; write checks as rules in policies/.",
        );
      }
    }
  }
}

/** The name of the bucket that holds the states of an account. */
export function stateBucketName(account: string, region: string): string {
  return `acme-state-${account}-${region}`;
}

/**
 * Whether the environment has a stack `state`. Terraform Cloud keeps states itself. For an emulator, `make bootstrap`
 * creates a bare bucket, because the rest of the stack has no effect there.
 */
export function keepsOwnState({ backend, emulated }: Environment): boolean {
  return backend.type === "s3" && !emulated;
}

/** The names of the permissions boundaries in the stack `governance`. */
export const boundaryNames = {
  /** For everything that runs on the platform. */
  execution: "boundary",
  /** For the pipeline, whose roles make the others. */
  deploy: "deploy-boundary",
} as const;

/**
 * The stack's id in resource names. `data-workflow` is `airflow` there: a role that deploys a stack may touch every
 * name that starts with the stack's, and `data-workflow` starts with `data`.
 */
export function stackName(stack: StackId): string {
  return stack === "data-workflow" ? "airflow" : stack;
}

/** In characters: the limit of buckets and endpoints; roles and functions may have 64. */
const longestName = 63;

/** A stack of the platform: one life cycle, one state file. */
export abstract class PlatformStack extends TerraformStack {
  readonly environment: Environment;
  private frozen: Readonly<Record<string, unknown>> | undefined;

  constructor(
    protected readonly platform: Platform,
    readonly id: StackId,
  ) {
    super(platform.app, id);
    const { environment } = platform;
    this.environment = environment;
    setPlace(this, new Place(environment));
    nameResources(this, this.named());
    const { account, region, emulated, ownerTags } = environment;
    const tags: Record<(typeof platformTags)[number], string> = {
      Project: "acme",
      Environment: environment.name,
      Stack: id,
      ManagedBy: "cdktf",
    };
    new AwsProvider(this, "aws", {
      region,
      allowedAccountIds: [account],
      defaultTags: [{ tags: { ...ownerTags, ...tags } }],
      ...(emulated
        ? {
            skipCredentialsValidation: true,
            skipMetadataApiCheck: "true",
            skipRegionValidation: true,
            s3UsePathStyle: true,
            maxRetries: 2,
          }
        : {}),
    });
    this.keepState(environment);
    // By name and not by the contract: no stack may read, and so change, a boundary's ARN.
    if (environment.governance) {
      boundRoles(this, this.boundaryArn(id === "pipeline" ? "deploy" : "execution"));
    }
  }

  /** The ARN of one of the boundaries of roles. */
  boundaryArn(boundary: keyof typeof boundaryNames): string {
    return this.arn("iam", `policy/${this.named(boundaryNames[boundary], "governance")}`);
  }

  /** Where Terraform keeps the stack's state: a bucket of the account, or a workspace of Terraform Cloud. */
  private keepState({ account, backend, emulated, name, region }: Environment): void {
    if (backend.type === "cloud") {
      const { organization, project, hostname } = backend;
      new CloudBackend(this, {
        organization,
        workspaces: new NamedCloudWorkspace(`${this.namePrefix}${this.id}`, project),
        hostname,
      });
      return;
    }
    new S3Backend(this, {
      bucket: stateBucketName(account, region),
      key: `${name}/${this.id}.tfstate`,
      region,
      ...(emulated
        ? {
            skipCredentialsValidation: true,
            skipMetadataApiCheck: true,
            skipRegionValidation: true,
            usePathStyle: true,
          }
        : { allowedAccountIds: [account] }),
    });
    // CDKTF 0.21 has no name for the lock that S3 itself keeps.
    this.addOverride("terraform.backend.s3.use_lockfile", true);
  }

  /** Resolves the prepared stack once: what was checked is what is written, and CDKTF's second pass costs nothing. */
  freeze(): Readonly<Record<string, unknown>> {
    this.frozen ??= super.toTerraform() as Readonly<Record<string, unknown>>;
    return this.frozen;
  }

  override prepareStack(): void {
    if (!this.frozen) {
      super.prepareStack();
    }
  }

  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- CDKTF's own signature
  override toTerraform(): any {
    return this.frozen ?? super.toTerraform();
  }

  /** The name prefix of all resources of the environment: `acme-<environment>-`. */
  get namePrefix(): string {
    return `acme-${this.environment.name}-`;
  }

  /**
   * The name of a resource: `acme-<environment>-<stack>-<name>`, or `acme-<environment>-<stack>` without `name`.
   * @param stack the stack that makes it. @default this one
   * @throws Error when it is longer than `longestName`
   */
  named(name?: string, stack: StackId = this.id): string {
    const full = [`${this.namePrefix}${stackName(stack)}`, ...(name === undefined ? [] : [name])].join("-");
    if (full.length > longestName) {
      throw new Error(
        `The name ${full} of the stack ${stack} has ${full.length} characters; at most ${longestName} are allowed, which every service accepts. Shorten ${name ?? "the environment's name"}.`,
      );
    }
    return full;
  }

  /** An ARN in the environment's account and region, unless another is given. */
  arn(service: string, resource: string, { region, account }: { region?: string; account?: string } = {}): string {
    return placeOf(this).arn(service, resource, { region, account });
  }

  /** The ARN of a bucket, or of its objects if `name` includes a path. */
  bucketArn(name: string): string {
    return placeOf(this).bucketArn(name);
  }

  /** The stack's own key. Alarms use it, and CloudWatch Logs for log groups whose names contain `logGroupsNamed`. */
  protected encryptionKey(props: Pick<EncryptionKeyProps, "description" | "logGroupsNamed">): EncryptionKey {
    return new EncryptionKey(this, "encryption", {
      ...props,
      name: this.named(),
      protect: this.environment.protectData,
    });
  }

  /** The topic of the stack's alarms, which mails to the environment's address. */
  protected alarmTopic(encryptionKeyArn: string): AlarmTopic {
    return new AlarmTopic(this, "alarms", {
      name: this.named("alarms"),
      encryptionKeyArn,
      email: this.environment.alarmEmail,
    });
  }

  /** Publishes a value to other stacks. */
  publish(name: ParameterName, value: string): void {
    this.platform.parameters.publish(this, name, value);
  }

  /** A value that another stack publishes; that stack is deployed before this one. */
  read(name: ParameterName): string {
    return this.platform.parameters.read(this, name);
  }

  /**
   * Where the jobs run. Every environment with a network reads the parameters, so the order of deployment is the same.
   * A local takes each subnet id from the list, because a function call inside the state machine's definition would
   * make its text invalid JSON until Terraform resolves it.
   */
  protected jobNetwork(): { readonly network?: JobNetwork } {
    const { jobsInVpc, network } = this.environment;
    if (!network) {
      return {};
    }
    const subnetIds = Fn.split(",", this.read("JobSubnetIds"));
    const securityGroupId = this.read("JobSecurityGroupId");
    if (!jobsInVpc) {
      return {};
    }
    return {
      network: {
        subnetIds: network.zones.map(
          (letter, index) => new TerraformLocal(this, `job-subnet-${letter}`, Fn.element(subnetIds, index)).asString,
        ),
        securityGroupIds: [securityGroupId],
      },
    };
  }

  /** A parameter's name, for a function that reads or writes it at run time. */
  parameterName(name: ParameterName): string {
    return this.platform.parameters.ssmName(name);
  }

  /** A parameter's ARN, for the statements of that function's role. */
  parameterArn(name: ParameterName): string {
    return this.arn("ssm", `parameter${this.parameterName(name)}`);
  }

  /**
   * Addresses such as `aws_s3_bucket.data_bucket`: the ids on the construct's path, joined by underscores, without
   * CDKTF's hash. They are unique because no id contains an underscore.
   */
  protected override allocateLogicalId(element: TerraformElement | Node): string {
    const node = TerraformElement.isTerraformElement(element) ? element.node : element;
    const ids = node.scopes.slice(node.scopes.indexOf(this) + 1).map((scope) => scope.node.id);
    for (const id of ids) {
      if (!/^[A-Za-z][A-Za-z0-9-]*$/.test(id)) {
        throw new Error(
          `The id ${JSON.stringify(id)} in ${node.path} must be a letter, then letters, digits and hyphens.`,
        );
      }
    }
    return ids.join("_");
  }
}
