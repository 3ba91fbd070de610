/**
 * The real definition in a real state machine of the emulator, with everything that it calls under the test's control.
 */
import { IAM } from "@aws-sdk/client-iam";
import { Lambda } from "@aws-sdk/client-lambda";
import { type DescribeExecutionCommandOutput, SFN } from "@aws-sdk/client-sfn";
import { setTimeout as sleep } from "node:timers/promises";

import { archive } from "../../../modules/bundle";
import {
  trainingWorkflowDefinition,
  type TrainingWorkflowDefinition,
} from "../../../modules/training-workflow/definition";
import { integrationStatements } from "../../../modules/training-workflow/permissions";
import { policyDocument } from "../../../modules/policy";
import { exampleProps } from "../../modules/training-workflow/example";
import { Emulator, account, region, trusting } from "./emulator";
import { testPlace } from "../../support/synthesize";
import { type FunctionTask, jobPrefix, type Scenario, ScriptedServices } from "./scripted-services";

/** A function that asks the script what to answer. */
const functionCode = `
exports.handler = async (event) => {
  const response = await fetch(process.env.SCRIPT_URL, {
    method: "POST",
    body: JSON.stringify({ function: process.env.FUNCTION_TASK, event }),
  });
  const { payload, error } = await response.json();
  if (error !== undefined) throw Object.assign(new Error(error.message), { name: error.name });
  return payload;
};
`;

/** The definition with the waits between retries cut to hundredths of a second; nothing else differs. */
export function hurried(definition: TrainingWorkflowDefinition): TrainingWorkflowDefinition {
  return JSON.parse(
    JSON.stringify(definition, (key, value: unknown) => (key === "IntervalSeconds" ? 0.02 : value)),
  ) as TrainingWorkflowDefinition;
}

/** An execution that has ended. */
export interface Ended {
  readonly status: DescribeExecutionCommandOutput["status"];
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly output: any;
  readonly error: string | undefined;
  readonly cause: string | undefined;
}

/** The emulator, the scripted services and the workflow in them. */
export class WorkflowUnderTest {
  private readonly machines = new Map<string, Promise<string>>();

  private constructor(
    readonly services: ScriptedServices,
    private readonly emulator: Emulator,
    private readonly states: SFN,
    private readonly functions: Readonly<Record<FunctionTask, string>>,
    private readonly roleArn: string,
  ) {}

  /** Starts everything. */
  static async start(): Promise<WorkflowUnderTest> {
    const services = await ScriptedServices.start();
    const emulator = await Emulator.start(services.url);
    const client = {
      endpoint: emulator.endpoint,
      region,
      credentials: { accessKeyId: account, secretAccessKey: "test" },
    };
    const role = async (name: string, Service: string): Promise<string> => {
      const { Role } = await iam.createRole({ RoleName: name, AssumeRolePolicyDocument: trusting({ Service }) });
      return Role!.Arn!;
    };
    const iam = new IAM(client);
    const lambda = new Lambda(client);
    const code = archive(new Map([["index.js", new TextEncoder().encode(functionCode)]]));
    const create = async (task: FunctionTask): Promise<string> => {
      const name = `acme-test-${task}`;
      await lambda.createFunction({
        FunctionName: name,
        Runtime: "nodejs22.x",
        Handler: "index.handler",
        Role: await role(name, "lambda.amazonaws.com"),
        Code: { ZipFile: code },
        Timeout: 60,
        Environment: { Variables: { SCRIPT_URL: services.url, FUNCTION_TASK: task } },
      });
      const { Configuration } = await lambda.getFunction({ FunctionName: name });
      return Configuration!.FunctionArn!;
    };
    const functions = {
      prepareRun: await create("prepareRun"),
      evaluateResults: await create("evaluateResults"),
      registerModel: await create("registerModel"),
    };
    await role("acme-test-training-job", "sagemaker.amazonaws.com");
    const roleName = "acme-test-training-workflow";
    const workflowRole = await role(roleName, "states.amazonaws.com");
    const rights = integrationStatements(trainingWorkflowDefinition({ ...exampleProps, functions }), {
      place: testPlace,
      jobPrefix,
    });
    await iam.putRolePolicy({ RoleName: roleName, PolicyName: "workflow", PolicyDocument: policyDocument(rights) });
    return new WorkflowUnderTest(services, emulator, new SFN(client), functions, workflowRole);
  }

  async stop(): Promise<void> {
    this.services.stop();
    await this.emulator.stop();
  }

  /**
   * Starts an execution that meets a scenario.
   * @param change a change to the definition, for time limits too short for AWS. @default none
   */
  async begin(
    run: string,
    scenario: Scenario,
    change: (definition: TrainingWorkflowDefinition) => TrainingWorkflowDefinition = (definition) => definition,
  ): Promise<string> {
    this.services.play(run, scenario);
    const definition = JSON.stringify(
      change(hurried(trainingWorkflowDefinition({ ...exampleProps, functions: this.functions }))),
    );
    const known = this.machines.get(definition) ?? this.createMachine(definition);
    this.machines.set(definition, known);
    const { executionArn } = await this.states.startExecution({ stateMachineArn: await known, name: run, input: "{}" });
    return executionArn!;
  }

  /** Waits until an execution has ended. */
  async end(executionArn: string): Promise<Ended> {
    for (;;) {
      const { status, output, error, cause } = await this.states.describeExecution({ executionArn });
      if (status !== "RUNNING") {
        return { status, output: output === undefined ? undefined : JSON.parse(output), error, cause };
      }
      await sleep(100);
    }
  }

  /** Both. */
  async run(...parameters: Parameters<WorkflowUnderTest["begin"]>): Promise<Ended> {
    return this.end(await this.begin(...parameters));
  }

  /** Stops an execution, as a person does in the console. */
  async abort(executionArn: string): Promise<void> {
    await this.states.stopExecution({ executionArn, error: "Stopped", cause: "by hand" });
  }

  private async createMachine(definition: string): Promise<string> {
    const { stateMachineArn } = await this.states.createStateMachine({
      name: `acme-test-training-${String(this.machines.size)}`,
      definition,
      roleArn: this.roleArn,
    });
    return stateMachineArn!;
  }
}
