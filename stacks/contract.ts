/**
 * What the stacks publish to one another: named SSM parameters, each with its publisher and its readers. Stacks share
 * nothing else.
 *
 *     stack.publish("FeatureGroup", group.name);   // in the publisher
 *     stack.read("FeatureGroup");                  // in a reader: the value as Terraform will find it
 *     deploymentOrder();                           // the stacks, each after those from which it reads
 *
 * So the table is the deployment graph: a read adds a dependency between two stacks. Synth fails if table and stacks
 * differ.
 */
import { DataAwsSsmParameter } from "@cdktf/provider-aws/lib/data-aws-ssm-parameter";
import { SsmParameter } from "@cdktf/provider-aws/lib/ssm-parameter";
import type { TerraformStack } from "cdktf";
import { type CircularDependency, dependenciesFirst } from "./order";

/** One parameter of the contract. */
export interface ParameterDeclaration {
  /** What the value is. */
  readonly description: string;
  /** The stack that publishes it. */
  readonly publisher: string;
  /** The stacks that read it. Readers at run time, such as a test or a pipeline, are not listed. */
  readonly readers: readonly string[];
  /** Whether the workflow changes the value later; Terraform then ignores changes. @default false */
  readonly changesAtRunTime?: boolean;
  /** Whether only some environments publish it. No stack may read it then. @default false */
  readonly mayBeMissing?: boolean;
}

/** A table of parameters by name. */
export type Contract = Readonly<Record<string, ParameterDeclaration>>;

/** The stacks, in their order of deployment where the contract allows several. */
export const stackIds = [
  "state",
  "governance",
  "network",
  "data",
  "model-image",
  "ml-workflow",
  "website-test",
  "website-production",
  "pipeline",
  "data-workflow",
] as const;

/** The id of a stack. */
export type StackId = (typeof stackIds)[number];

const websites = ["website-test", "website-production"] as const;

/** The contract of this platform. Values are `insecure_value`, so plans show them: none is secret. */
export const contract = {
  StateBucket: { description: "Name of the bucket of Terraform's states", publisher: "state", readers: ["pipeline"] },
  StateKey: {
    description: "ARN of the KMS key that encrypts the bucket of Terraform's states",
    publisher: "state",
    readers: ["pipeline"],
  },
  VpcId: { description: "Id of the VPC", publisher: "network", readers: ["data-workflow"] },
  PrivateSubnetIds: {
    description: "Ids of the private subnets, one in each zone, joined by commas",
    publisher: "network",
    readers: ["data-workflow"],
  },
  JobSubnetIds: {
    description: "Ids of the subnets of jobs, one in each zone, joined by commas; they have no way to the internet",
    publisher: "network",
    readers: ["ml-workflow", ...websites],
  },
  JobSecurityGroupId: {
    description: "Id of the jobs' security group, which lets them reach AWS services and nothing else",
    publisher: "network",
    readers: ["ml-workflow", ...websites],
  },
  DataBucket: {
    description: "Name of the bucket of surveys, feature store, query results and runs",
    publisher: "data",
    readers: ["ml-workflow", ...websites, "data-workflow"],
  },
  DataKey: {
    description: "ARN of the KMS key that encrypts the data bucket",
    publisher: "data",
    readers: ["ml-workflow", ...websites, "data-workflow"],
  },
  LogsBucket: {
    description: "Name of the bucket that takes the access logs of buckets and of CloudFront",
    publisher: "data",
    readers: [...websites, "data-workflow"],
  },
  FeatureGroup: { description: "Name of the feature group", publisher: "data", readers: ["ml-workflow"] },
  AthenaWorkgroup: {
    description: "Name of the Athena workgroup in which the dataset is queried",
    publisher: "data",
    readers: ["ml-workflow"],
  },
  ModelImageUri: {
    description: "URI of the model image, with the digest",
    publisher: "model-image",
    readers: ["ml-workflow", ...websites],
  },
  StateMachine: { description: "ARN of the workflow's state machine", publisher: "ml-workflow", readers: websites },
  IngestSurveyFunction: {
    description: "Name of the function that puts a survey into the feature group",
    publisher: "ml-workflow",
    readers: ["data-workflow"],
  },
  ModelPackageGroup: { description: "Name of the model package group", publisher: "ml-workflow", readers: [] },
  ModelPackageName: {
    description: "ARN of the champion's model package; PLACEHOLDER until the workflow has registered a model",
    publisher: "ml-workflow",
    readers: websites,
    changesAtRunTime: true,
  },
  BaselineDataUri: {
    description: "S3 URI of the champion's held-out predictions; PLACEHOLDER until the workflow has registered a model",
    publisher: "ml-workflow",
    readers: [],
    changesAtRunTime: true,
  },
  MonitoringBaselineUri: {
    description:
      "S3 URI of the folder with the statistics and constraints of the champion's training rows; PLACEHOLDER until the workflow has registered a model",
    publisher: "ml-workflow",
    readers: websites,
    changesAtRunTime: true,
  },
  FiguresKey: {
    description:
      "Key, in the data bucket, of the champion's public figures; an empty document until the workflow has registered a model",
    publisher: "ml-workflow",
    readers: websites,
    changesAtRunTime: true,
  },
  TestWebsite: { description: "Address of the test website", publisher: "website-test", readers: [] },
  TestApi: { description: "Address of the test website's API", publisher: "website-test", readers: [] },
  TestEndpoint: { description: "Name of the test website's endpoint", publisher: "website-test", readers: [] },
  ProductionWebsite: { description: "Address of the website", publisher: "website-production", readers: [] },
  ProductionApi: { description: "Address of the website's API", publisher: "website-production", readers: [] },
  ProductionEndpoint: { description: "Name of the website's endpoint", publisher: "website-production", readers: [] },
  Pipeline: {
    description: "Name of the pipeline that deploys the stacks",
    publisher: "pipeline",
    readers: ["data-workflow"],
  },
  ReleaseChangeFunction: {
    description: "Name of the function that releases new surveys",
    publisher: "data-workflow",
    readers: [],
  },
  AirflowEnvironment: {
    description: "Name of Airflow's environment",
    publisher: "data-workflow",
    readers: [],
    mayBeMissing: true,
  },
  DagBucket: {
    description: "Name of the bucket from which Airflow takes its DAGs",
    publisher: "data-workflow",
    readers: [],
    mayBeMissing: true,
  },
} as const satisfies Readonly<
  Record<string, ParameterDeclaration & { readonly publisher: StackId; readonly readers: readonly StackId[] }>
>;

/** The name of a parameter of the contract. */
export type ParameterName = keyof typeof contract;

/** The id of the DAG that ingests surveys, from `airflow-dags/acme_data_workflow.py`. */
export const dataWorkflowDag = "acme-data-workflow";

/**
 * Where models' public figures are in the data bucket, and the document for a model without figures, which the stack
 * `data` creates.
 */
export const publicFigures = { prefix: "figures/", none: "figures/none.json" } as const;

/** The value of a parameter before its first change at run time. */
export const placeholder = "PLACEHOLDER";

/**
 * The stacks in deployment order: each comes after those it reads from. Otherwise they keep the order of `stacks`.
 * @throws Error that shows the cycle, or the stack that `stacks` does not have
 */
export function deploymentOrder(table: Contract = contract, stacks: readonly string[] = stackIds): readonly string[] {
  const publishers = new Map<string, Set<string>>(stacks.map((stack) => [stack, new Set<string>()]));
  for (const [name, { publisher, readers }] of Object.entries(table)) {
    for (const stack of [publisher, ...readers]) {
      if (!publishers.has(stack)) {
        throw new Error(
          `${name} of stacks/contract.ts names the stack ${stack}, which is not one of ${stacks.join(", ")}.`,
        );
      }
    }
    for (const reader of readers) {
      publishers.get(reader)?.add(publisher);
    }
  }

  try {
    return dependenciesFirst(stacks, (stack) => stacks.filter((other) => publishers.get(stack)?.has(other)));
  } catch (error) {
    // Sorting throws nothing else.
    const { circle } = error as CircularDependency;
    throw new Error(
      `The stacks depend on one another: ${circle.join(" reads from ")}. Remove one of these readers from stacks/contract.ts.`,
      { cause: error },
    );
  }
}

/** The parameters of one environment: makes the resources, and checks at synth that stacks and table agree. */
export class ParameterStore {
  private readonly published = new Map<string, TerraformStack>();
  private readonly reads = new Map<string, Map<TerraformStack, DataAwsSsmParameter>>();

  /**
   * @param environmentName part of the parameters' names
   * @param table the contract. @default the platform's
   */
  constructor(
    private readonly environmentName: string,
    private readonly table: Contract = contract,
  ) {}

  /** The parameter's name in SSM, such as `/acme/local/DataBucket`. */
  ssmName(name: string): string {
    return `/acme/${this.environmentName}/${name}`;
  }

  /**
   * Publishes a value from a stack.
   * @throws Error when the contract names another publisher, or the parameter is already published
   */
  publish(stack: TerraformStack, name: string, value: string): void {
    const { publisher, description, changesAtRunTime } = this.declaration(name);
    if (publisher !== stack.node.id) {
      throw new Error(
        `The stack ${stack.node.id} publishes ${name}, but its publisher in stacks/contract.ts is ${publisher}. Correct one of the two.`,
      );
    }
    if (this.published.has(name)) {
      throw new Error(`The stack ${publisher} publishes ${name} twice. Remove one of the two calls.`);
    }
    this.published.set(name, stack);
    new SsmParameter(stack, name, {
      name: this.ssmName(name),
      description,
      type: "String",
      insecureValue: value,
      lifecycle: changesAtRunTime ? { ignoreChanges: ["insecure_value"] } : undefined,
    });
  }

  /**
   * The value of a parameter, as Terraform finds it when it plans the reading stack.
   * @throws Error when the contract doesn't name the stack as a reader
   */
  read(stack: TerraformStack, name: string): string {
    const { readers } = this.declaration(name);
    if (!readers.includes(stack.node.id)) {
      throw new Error(
        `The stack ${stack.node.id} reads ${name}, but its readers in stacks/contract.ts are: ${readers.join(", ") || "none"}. Add the stack there.`,
      );
    }
    const byStack = this.reads.get(name) ?? new Map<TerraformStack, DataAwsSsmParameter>();
    this.reads.set(name, byStack);
    const parameter = byStack.get(stack) ?? new DataAwsSsmParameter(stack, name, { name: this.ssmName(name) });
    byStack.set(stack, parameter);
    return parameter.insecureValue;
  }

  /**
   * Adds the stacks' dependencies, and checks that publishers and readers keep the contract.
   * @param stacks all stacks of the app
   * @throws Error that names the parameter and the stacks
   */
  connect(stacks: readonly TerraformStack[]): void {
    const ids = stacks.map(({ node }) => node.id);
    for (const [name, { publisher, readers, mayBeMissing }] of Object.entries(this.table)) {
      const source = this.published.get(name);
      if (ids.includes(publisher) && !source && mayBeMissing !== true) {
        throw new Error(
          `stacks/contract.ts says that ${publisher} publishes ${name}, but it doesn't. Publish it there.`,
        );
      }
      for (const reader of readers) {
        const stack = stacks.find(({ node }) => node.id === reader);
        // For example, an environment without a VPC has no publisher and no reader of its ids.
        if (!stack || (!ids.includes(publisher) && !this.reads.get(name)?.has(stack))) {
          continue;
        }
        if (!this.reads.get(name)?.has(stack)) {
          throw new Error(
            `stacks/contract.ts says that ${reader} reads ${name}, but it doesn't. Read it there, or remove ${reader} from the readers.`,
          );
        }
        if (!source) {
          throw new Error(`${reader} reads ${name}, but no stack publishes it: add the stack ${publisher} to main.ts.`);
        }
        stack.addDependency(source);
      }
    }
  }

  private declaration(name: string): ParameterDeclaration {
    const declaration = Object.hasOwn(this.table, name) ? this.table[name] : undefined;
    if (!declaration) {
      throw new Error(`${name} is not in stacks/contract.ts: declare there who publishes and who reads it.`);
    }
    return declaration;
  }
}
