import { existsSync, readFileSync, rmSync } from "node:fs";

import { Listr, type ListrTask } from "listr2";

import { readExecutions, type Stage } from "../codepipeline/executions";
import { provision } from "../provision";
import { type Clients, makeClients, readContract, requireContract } from "./clients";
import { account, type Instance, region, writeJson } from "./instance";
import { logFile } from "./processes";
import { doneBefore, fingerprintOf, lastResult, remember, type WorkflowFailure, workflowFailureFile } from "./progress";
import { addressOf, checkSettings, openFrontDoor, saveState, startServices } from "./services";
import { type Progress, rendering, StageLogger, Stages } from "./stages";
import { Surveys } from "./survey-stages";
import { synthesize, synthesized } from "./synthesis";
import { openWebsite, systemTest, systemTestLog, websiteAddresses, websites, type WebsiteStage } from "./websites";
import { championPackage, describeOutcome, runWorkflow, WorkflowFailed, type WorkflowRun } from "./workflow";

/** What scripts read to find everything: `.local/platform.json`. */
export interface PlatformFile {
  /** Address of the production website, without a slash at its end: the API also answers under `{website}/api`. */
  readonly website: string;
  /** Address of the production HTTP API; `predict` and `contact` stand below it. */
  readonly api: string;
  readonly websiteTest: string;
  readonly apiTest: string;
  /** Endpoint of every AWS service: the value of `AWS_ENDPOINT_URL`. */
  readonly aws: string;
  readonly region: string;
  /** The last execution of the ML workflow that ended well. */
  readonly executionArn: string;
  /** The champion's model package. */
  readonly modelPackageArn: string;
  /** SageMaker endpoint of the production website. */
  readonly endpointName: string;
  /** How that execution ended: `registered` or `champion kept`. */
  readonly outcome: string;
  readonly evaluation: WorkflowRun["evaluation"];
}

/** The service that runs the stages, where it isn't a person. */
export interface CallingService {
  /** It isn't started or stopped by its own work. */
  readonly calling: "pipeline";
  /** Told of each stage that begins, succeeds or fails. */
  readonly report: (stage: Stage) => void;
}

/** One run of the loop: its stages' work, and what they hand on to one another. */
class Loop {
  readonly surveys: Surveys;
  /** The stacks' names, each after those that it depends on. */
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

  /** Not before the emulator has an address. */
  get clients(): Clients {
    return (this.madeClients ??= makeClients(addressOf(this.instance, "emulator")));
  }

  /** The services need nothing of what synth writes: they start beside it. */
  async synthesize(): Promise<string> {
    this.starting = this.startServices();
    // The next stage waits for it, and reports why it failed.
    this.starting.catch(() => undefined);
    this.stacks.push(...(await synthesize(this.instance)));
    return this.stacks.join(", ");
  }

  /** Waits until nothing of this run goes on in the background. */
  async settle(): Promise<void> {
    await Promise.allSettled([this.starting]);
  }

  async startEverything(): Promise<string> {
    const started = (await this.starting) ?? [];
    // What was deployed before answers from now on, whatever becomes of the stages that follow.
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
    // Each release trains on what somebody else than this command has put into the feature group.
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

/** The stages of a run, in their order. */
function stagesOf(instance: Instance, loop: Loop, stages: Stages): ListrTask[] {
  const deploy = (stack: string): ListrTask =>
    stages.stage(`Deploy ${stack}`, logFile(instance, "emulator"), (progress) => loop.deploy(stack, progress));
  const release = (name: WebsiteStage): ListrTask[] => [
    deploy(websites[name].stack),
    stages.stage(`Open the ${name} website`, logFile(instance, "front-door"), () =>
      openWebsite(instance, loop.clients, name),
    ),
    stages.stage(`System-test the ${name} website`, systemTestLog(instance, name), () =>
      systemTest(instance, loop.clients, name),
    ),
  ];
  return [
    stages.stage("Read the survey", instance.path("logs/survey.log"), () => loop.surveys.read()),
    stages.stage("Synthesize the stacks", instance.path("logs/synth.log"), () => loop.synthesize()),
    stages.stage("Start the AWS emulator and SageMaker", instance.path("logs"), () => loop.startEverything()),
    {
      title: "Deploy what the workflows need",
      task: (_, task) => task.newListr(loop.stacks.filter((name) => !name.startsWith("website-")).map(deploy)),
    },
    stages.stage("Ingest the survey", instance.path("logs/survey.log"), (progress) =>
      loop.surveys.ingest(loop.clients, progress),
    ),
    stages.stage("Run the ML workflow", logFile(instance, "sagemaker"), (progress) => loop.trainModel(progress)),
    ...release("test"),
    ...release("production"),
    stages.stage("Write platform.json", instance.path("logs"), () => loop.writePlatformFile(stages.seconds)),
  ];
}

/**
 * Runs the whole loop: the pipeline's stages, one after the other, each skipped when nothing that it depends on has
 * changed. It can be killed at any time and called again.
 * @param source The survey to ingest, see `makeSurvey`; undefined keeps what was ingested before.
 * @param service Who runs the stages. @default a person
 * @returns Where everything is, and what the person should be told besides.
 * @throws SurveyRefused when there is no such survey, before anything is done.
 * @throws Error when what a variable sets for a service can't be had, before anything is done.
 * @throws StageFailed naming the log to read.
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
  const stages = new Stages(instance, (stage) => service?.report(stage));
  try {
    await new Listr(stagesOf(instance, loop, stages), {
      rendererOptions: { ...rendering, collapseSubtasks: false, showErrorMessage: false },
      fallbackRendererOptions: { ...rendering, logger: new StageLogger() },
    }).run();
  } finally {
    await loop.settle();
  }
  if (loop.result === undefined) {
    throw new Error("The platform's last stage did not run.");
  }
  return { platform: loop.result, notes: loop.surveys.notes };
}
