import { existsSync, readFileSync, rmSync } from "node:fs";

import { Listr, type ListrTask } from "listr2";

import { readExecutions, type ExecutionStage } from "../codepipeline/executions";
import { provision } from "../provision";
import { type Clients, makeClients, readContract, requireContract } from "./clients";
import { account, type Instance, region, writeJson } from "./instance";
import { logFile } from "./processes";
import { doneBefore, fingerprintOf, lastResult, remember, type WorkflowFailure, workflowFailureFile } from "./progress";
import { addressOf, checkSettings, openFrontDoor, saveState, startServices } from "./services";
import { type Progress, rendering, StepLogger, Steps } from "./steps";
import { Surveys } from "./survey-steps";
import { synthesize, synthesized } from "./synthesis";
import { openWebsite, systemTest, systemTestLog, websiteAddresses, websites, type WebsiteStage } from "./websites";
import { championPackage, describeOutcome, runWorkflow, WorkflowFailed, type WorkflowRun } from "./workflow";

/** The file `.local/platform.json`, in which scripts find all addresses and names. */
export interface PlatformFile {
  /** Address of the production website, without a trailing slash: the API also answers under `{website}/api`. */
  readonly website: string;
  /** Address of the production HTTP API, with `predict` and `contact` below it. */
  readonly api: string;
  readonly websiteTest: string;
  readonly apiTest: string;
  /** Endpoint of every AWS service: the value of `AWS_ENDPOINT_URL`. */
  readonly aws: string;
  readonly region: string;
  /** The last successful execution of the ML workflow. */
  readonly executionArn: string;
  /** The champion's model package. */
  readonly modelPackageArn: string;
  /** SageMaker endpoint of the production website. */
  readonly endpointName: string;
  /** Result of that execution: `registered` or `champion kept`. */
  readonly outcome: string;
  readonly evaluation: WorkflowRun["evaluation"];
}

/** The service that runs the steps, if no person does. */
export interface CallingService {
  /** It must not be started or stopped by its own work. */
  readonly calling: "pipeline";
  /** Called when a step starts, succeeds or fails. */
  readonly report: (step: ExecutionStage) => void;
}

/** One run of the loop: the work of its steps, and the state that they share. */
class Loop {
  readonly surveys: Surveys;
  /** The stacks' names, each after its dependencies. */
  readonly stacks: string[] = [];
  result: PlatformFile | undefined;
  private starting: ReturnType<typeof startServices> | undefined;
  private madeClients: Clients | undefined;

  constructor(
    private readonly instance: Instance,
    private readonly service: CallingService | undefined,
  ) {
    this.surveys = new Surveys(instance);
  }

  /** Available after the emulator has an address. */
  get clients(): Clients {
    return (this.madeClients ??= makeClients(addressOf(this.instance, "emulator")));
  }

  /** Synthesizes the stacks, and starts the services at the same time, which don't need them. */
  async synthesize(): Promise<string> {
    this.starting = this.startServices();
    // The next step awaits it, and reports its error.
    this.starting.catch(() => undefined);
    this.stacks.push(...(await synthesize(this.instance)));
    return this.stacks.join(", ");
  }

  /** Waits until nothing of this run is running in the background. */
  async settle(): Promise<void> {
    await Promise.allSettled([this.starting]);
  }

  async awaitServices(): Promise<string> {
    const started = (await this.starting) ?? [];
    // Earlier deployments answer from now on, even if later steps fail.
    if (existsSync(this.instance.path("sites.json"))) {
      await openFrontDoor(this.instance, {});
    }
    return started.length === 0 ? "they run" : `started ${new Intl.ListFormat("en").format(started)}`;
  }

  async deploy(stack: string, progress: Progress): Promise<string> {
    const { inventory } = await provision({
      stackDirectory: synthesized(this.instance, "stacks", stack),
      stateFile: this.instance.path("provision", `${stack}.json`),
      endpoint: addressOf(this.instance, "emulator"),
      region,
      account,
      onProgress: progress,
    });
    const counts = (["created", "updated", "deleted", "unchanged"] as const)
      .filter((kind) => inventory[kind].length > 0)
      .map((kind) => `${inventory[kind].length} ${kind}`);
    const forAws = inventory.leftOut.length === 0 ? [] : [`${inventory.leftOut.length} for AWS only`];
    return [...counts, ...forAws].join(", ");
  }

  async trainModel(progress: Progress): Promise<string> {
    const { instance, clients } = this;
    const state = readFileSync(instance.path("provision/ml-workflow.json"), "utf8");
    // Each release also trains on data that others have put into the feature group.
    const releases = readExecutions(instance.path("pipeline/executions.json")).map(({ id }) => id);
    const fingerprint = fingerprintOf(
      this.surveys.hashes(),
      await readContract(clients, "ModelImageUri"),
      state,
      ...(releases.length === 0 ? [] : [releases]),
    );
    const before = doneBefore(instance, "workflow", fingerprint) as WorkflowRun | undefined;
    if (before !== undefined && (await championPackage(clients)) !== undefined) {
      return `${before.outcome} before, nothing has changed`;
    }
    try {
      const outcome = await runWorkflow(clients, fingerprint, progress, () => this.startServices());
      await saveState(instance);
      remember(instance, "workflow", fingerprint, outcome);
      rmSync(workflowFailureFile(instance), { force: true });
      return describeOutcome(outcome);
    } catch (error) {
      if (error instanceof WorkflowFailed) {
        writeJson(workflowFailureFile(instance), { reason: error.reason } satisfies WorkflowFailure);
      }
      throw error;
    }
  }

  async writePlatformFile(seconds: Readonly<Record<string, number>>): Promise<string> {
    const { instance, clients } = this;
    const production = await websiteAddresses(instance, clients, "production");
    const test = await websiteAddresses(instance, clients, "test");
    const workflow = lastResult(instance, "workflow") as WorkflowRun | undefined;
    const modelPackageArn = await championPackage(clients);
    if (workflow === undefined || modelPackageArn === undefined) {
      throw new Error("No model is registered; type `make up` again.");
    }
    this.result = {
      website: production.website,
      api: production.api,
      websiteTest: test.website,
      apiTest: test.api,
      aws: addressOf(instance, "emulator"),
      region,
      executionArn: workflow.executionArn,
      modelPackageArn,
      endpointName: await requireContract(clients, "ProductionEndpoint"),
      outcome: workflow.outcome,
      evaluation: workflow.evaluation,
    };
    writeJson(instance.path("platform.json"), this.result);
    writeJson(instance.path("times.json"), seconds);
    return production.website;
  }

  private startServices(): ReturnType<typeof startServices> {
    return startServices(this.instance, this.service?.calling);
  }
}

/** The steps of a run, in order. */
function stepsOf(instance: Instance, loop: Loop, steps: Steps): ListrTask[] {
  const deploy = (stack: string): ListrTask =>
    steps.step(`Deploy ${stack}`, logFile(instance, "emulator"), (progress) => loop.deploy(stack, progress));
  const release = (name: WebsiteStage): ListrTask[] => [
    deploy(websites[name].stack),
    steps.step(`Open the ${name} website`, logFile(instance, "front-door"), () =>
      openWebsite(instance, loop.clients, name),
    ),
    steps.step(`System-test the ${name} website`, systemTestLog(instance, name), () =>
      systemTest(instance, loop.clients, name),
    ),
  ];
  return [
    steps.step("Read the survey", instance.path("logs/survey.log"), () => loop.surveys.read()),
    steps.step("Synthesize the stacks", instance.path("logs/synth.log"), () => loop.synthesize()),
    steps.step("Start the AWS emulator and SageMaker", instance.path("logs"), () => loop.awaitServices()),
    {
      title: "Deploy what the workflows need",
      task: (_, task) => task.newListr(loop.stacks.filter((name) => !name.startsWith("website-")).map(deploy)),
    },
    steps.step("Ingest the survey", instance.path("logs/survey.log"), (progress) =>
      loop.surveys.ingest(loop.clients, progress),
    ),
    steps.step("Run the ML workflow", logFile(instance, "sagemaker"), (progress) => loop.trainModel(progress)),
    ...release("test"),
    ...release("production"),
    steps.step("Write platform.json", instance.path("logs"), () => loop.writePlatformFile(steps.seconds)),
  ];
}

/**
 * Runs the whole loop: all steps in order. A step is skipped if its inputs are unchanged. It can be killed at any time
 * and run again.
 * @param source The survey to ingest, see `makeSurvey`; undefined keeps what was ingested before.
 * @param service The service that runs the steps. @default a person
 * @returns The platform's addresses and names, and messages for the user.
 * @throws SurveyRefused when the survey does not exist, before any work starts.
 * @throws Error when a service's setting can't be used, before any work starts.
 * @throws StepFailed that names the log to read.
 */
export async function up(
  instance: Instance,
  source: string | undefined,
  service?: CallingService,
): Promise<{ readonly platform: PlatformFile; readonly notes: readonly string[] }> {
  await checkSettings(instance);
  const loop = new Loop(instance, service);
  if (source !== undefined) {
    loop.surveys.request(source);
  }
  const steps = new Steps(instance, (step) => service?.report(step));
  try {
    await new Listr(stepsOf(instance, loop, steps), {
      rendererOptions: { ...rendering, collapseSubtasks: false, showErrorMessage: false },
      fallbackRendererOptions: { ...rendering, logger: new StepLogger() },
    }).run();
  } finally {
    await loop.settle();
  }
  if (loop.result === undefined) {
    throw new Error("The platform's last step did not run.");
  }
  return { platform: loop.result, notes: loop.surveys.notes };
}
