import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

import { color, Listr, type ListrTask } from "listr2";

import { dependenciesFirst } from "../../stacks/order";
import { readExecutions, type Stage } from "../codepipeline/executions";
import { provision } from "../provision";
import { championPackage, describeOutcome, runWorkflow, WorkflowFailed, type WorkflowRun } from "./workflow";
import { type Clients, makeClients, readContract, requireContract } from "./clients";
import { run } from "./commands";
import { account, cleanEnvironment, type Instance, readMemory, region, root, shown, writeJson } from "./instance";
import { logFile } from "./processes";
import { doneBefore, fingerprintOf, lastResult, remember, type WorkflowFailure, workflowFailureFile } from "./progress";
import { addressOf, checkSettings, openFrontDoor, saveState, startServices } from "./services";
import {
  countOfflineRecords,
  describeRejection,
  fileAway,
  findSurvey,
  ingest,
  type Ingestion,
  makeSurvey,
  type SurveyFile,
  SurveyRefused,
  tellMeanwhile,
  waitForOfflineStore,
} from "./ingestion";

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

/** A stage that failed: what went wrong and where to read more. */
export class StageFailed extends Error {
  /**
   * @param stage Title of the stage.
   * @param cause What it threw.
   * @param log File to read.
   */
  constructor(stage: string, cause: unknown, log: string) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    // Of a survey that is refused, the reason is all that there is to know.
    super(`${stage}: ${reason}${cause instanceof SurveyRefused ? "" : `\n\nRead more in ${shown(log)}`}`);
  }
}

/** Where nobody watches a line that changes, a long stage says so often how far it is. */
const secondsBetweenLines = 30;

/** Each stage's time, from a second on: what takes less is noise. */
const rendering = {
  timer: {
    condition: (milliseconds: number) => milliseconds >= 1000,
    field: (milliseconds: number) => `${(milliseconds / 1000).toFixed(1)} s`,
    format: () => color.dim,
  },
};

/** The two websites: the stage's name, its stack and the names under which it is published in the stacks' contract. */
const websites = {
  test: { stack: "website-test", door: "website-test", site: "TestWebsite", api: "TestApi" },
  production: { stack: "website-production", door: "website", site: "ProductionWebsite", api: "ProductionApi" },
} as const;

type WebsiteStage = keyof typeof websites;

/** Surveys that somebody asked for and that are not ingested yet: a command that is killed leaves them to the next. */
const isRequestList = (content: unknown): content is string[] =>
  Array.isArray(content) && content.every((path) => typeof path === "string");

/** What became of each survey that was ingested, by the hash of its content. */
const isIngestionRecord = (content: unknown): content is Record<string, Ingestion> =>
  typeof content === "object" &&
  content !== null &&
  !Array.isArray(content) &&
  Object.values(content).every((ingestion) => typeof (ingestion as Ingestion | null)?.accepted === "number");

/** A number of rows as people read it: 1,000,000. */
const grouped = (rows: number): string => rows.toLocaleString("en-GB");

interface Manifest {
  readonly stacks: Readonly<Record<string, { readonly dependencies: readonly string[] }>>;
}

/** The stacks in an order in which each stands behind all that it depends on. */
function deploymentOrder({ stacks }: Manifest): string[] {
  return dependenciesFirst(Object.keys(stacks), (name) => stacks[name]?.dependencies ?? []);
}

/** The service that runs the stages, where it isn't a person. */
export interface CallingService {
  /** It isn't started or stopped by its own work. */
  readonly calling: "pipeline";
  /** Told of each stage that begins, succeeds or fails. */
  readonly report: (stage: Stage) => void;
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
  const output = instance.path("cdktf.out");
  let clients: Clients | undefined;
  const aws = (): Clients => (clients ??= makeClients(addressOf(instance, "emulator")));
  let result: PlatformFile | undefined;
  const notes: string[] = [];
  const times: Record<string, number> = {};
  const requestFile = instance.path("progress/survey-requests.json");
  const ingestedFile = instance.path("progress/ingested.json");
  const requests = (): string[] => readMemory(requestFile, isRequestList) ?? [];
  const ingested = (): Record<string, Ingestion> => readMemory(ingestedFile, isIngestionRecord) ?? {};
  await checkSettings(instance);
  if (source !== undefined) {
    const path = findSurvey(source);
    writeJson(requestFile, [...requests().filter((earlier) => earlier !== path), path]);
  }

  const synthesize = async (): Promise<string[]> => {
    await run("npm", ["run", "--silent", "synth"], {
      title: "Synthesis",
      environment: cleanEnvironment(instance, { CDKTF_OUTDIR: output, ENVIRONMENT: "local" }),
      log: instance.path("logs/synth.log"),
      seconds: 300,
    });
    return deploymentOrder(JSON.parse(readFileSync(join(output, "manifest.json"), "utf8")) as Manifest);
  };

  const start = (): ReturnType<typeof startServices> => startServices(instance, service?.calling);

  const stage = (title: string, log: string, work: (say: (text: string) => void) => Promise<string>): ListrTask => ({
    title,
    task: async (_, task) => {
      const begin = performance.now();
      let said = begin;
      service?.report({ name: title, status: "InProgress" });
      try {
        const summary = await work((text) => {
          // In a terminal it is one line that changes; in a log it would be hundreds.
          if (process.stdout.isTTY || performance.now() - said > 1000 * secondsBetweenLines) {
            said = performance.now();
            task.output = text;
          }
        });
        task.title = `${title}: ${summary}`;
        times[title] = (performance.now() - begin) / 1000;
        service?.report({ name: title, status: "Succeeded", summary });
      } catch (error) {
        service?.report({
          name: title,
          status: "Failed",
          summary: error instanceof Error ? error.message : String(error),
        });
        const job = error instanceof WorkflowFailed ? error.job : undefined;
        throw new StageFailed(title, error, job === undefined ? log : instance.path("logs/jobs", `${job}.log`));
      }
    },
  });

  const deploy = (stack: string): ListrTask =>
    stage(`Deploy ${stack}`, logFile(instance, "emulator"), async (say) => {
      const { inventory } = await provision({
        stackDirectory: join(output, "stacks", stack),
        stateFile: instance.path("provision", `${stack}.json`),
        endpoint: addressOf(instance, "emulator"),
        region,
        account,
        onProgress: say,
      });
      const counts = (["created", "updated", "deleted", "unchanged"] as const)
        .filter((kind) => inventory[kind].length > 0)
        .map((kind) => `${inventory[kind].length} ${kind}`);
      const forAws = inventory.leftOut.length === 0 ? [] : [`${inventory.leftOut.length} for AWS only`];
      return [...counts, ...forAws].join(", ");
    });

  const website = async (name: WebsiteStage): Promise<{ website: string; api: string; domain: string }> => {
    const site = new URL(await requireContract(aws(), websites[name].site));
    const api = new URL(await requireContract(aws(), websites[name].api));
    const [apiId] = api.hostname.split(".");
    return {
      domain: site.hostname,
      website: addressOf(instance, websites[name].door),
      api: `${addressOf(instance, "emulator")}/_aws/execute-api/${apiId}/$default${api.pathname}`,
    };
  };

  const openWebsite = (name: WebsiteStage): ListrTask =>
    stage(`Open the ${name} website`, logFile(instance, "front-door"), async () => {
      const domain = new URL(await requireContract(aws(), websites[name].site)).hostname;
      await openFrontDoor(instance, { [websites[name].door]: domain });
      return (await website(name)).website;
    });

  const systemTest = (name: WebsiteStage): ListrTask =>
    stage(`System-test the ${name} website`, instance.path(`logs/system-tests-${name}.log`), async () => {
      const addresses = await website(name);
      const state = readFileSync(instance.path("provision", `${websites[name].stack}.json`), "utf8");
      const fingerprint = fingerprintOf(addresses, state);
      const progressName = `system-tests-${name}`;
      if (doneBefore(instance, progressName, fingerprint) === true) {
        return "passed before, nothing has changed";
      }
      await run(join(root, "node_modules/.bin/jest"), ["--selectProjects", "system", "--verbose"], {
        title: "The system tests",
        environment: cleanEnvironment(instance, { WEBSITE: addresses.website, API: addresses.api }),
        log: instance.path(`logs/${progressName}.log`),
        seconds: 180,
      });
      await saveState(instance);
      remember(instance, progressName, fingerprint, true);
      return "passed";
    });

  /** The surveys to ingest, each with the path by which it was asked for; none was for the simulated one. */
  const surveys: { readonly path: string | undefined; readonly survey: SurveyFile }[] = [];

  const done = (path: string | undefined): void => {
    writeJson(
      requestFile,
      requests().filter((other) => other !== path),
    );
  };

  /** Trying again what is refused would change nothing, and must not keep what comes after it from being done. */
  const forgetRefused = async <Result>(path: string | undefined, work: () => Promise<Result>): Promise<Result> => {
    try {
      return await work();
    } catch (error) {
      if (error instanceof SurveyRefused) {
        done(path);
      }
      throw error;
    }
  };

  const readSurveys = async (): Promise<string> => {
    const waiting = requests();
    const paths = waiting.length === 0 && Object.keys(ingested()).length === 0 ? [undefined] : waiting;
    for (const path of paths) {
      surveys.push({ path, survey: await forgetRefused(path, () => makeSurvey(instance, path)) });
    }
    const summaries = surveys.map(({ survey: { lines, origin } }) => `${grouped(lines)} lines of ${origin.name}`);
    return summaries.length === 0 ? "no new one" : summaries.join("; ");
  };

  const ingestOne = async (survey: SurveyFile, say: (text: string) => void): Promise<string> => {
    const tellRejected = (ingestion: Ingestion): void => {
      if (ingestion.rejection !== undefined) {
        notes.push(describeRejection(survey.origin.name, ingestion));
      }
    };
    const before = ingested()[survey.hash];
    if (before !== undefined) {
      tellRejected(before);
      await fileAway(aws(), survey);
      return `${survey.name} was ingested before`;
    }
    const records = await countOfflineRecords(aws());
    const ingestion = await tellMeanwhile(ingest(aws(), survey, say), async () => {
      const stored = (await countOfflineRecords(aws())) - records;
      say(`${grouped(stored)} of ${grouped(survey.lines)} rows are stored`);
    });
    say("waiting until the offline store shows the records");
    await waitForOfflineStore(aws(), records + ingestion.accepted);
    await saveState(instance);
    writeJson(ingestedFile, { ...ingested(), [survey.hash]: ingestion });
    await fileAway(aws(), survey);
    const { accepted, rejected } = ingestion;
    tellRejected(ingestion);
    return `${accepted} rows of ${survey.name}${rejected === 0 ? "" : `, ${rejected} rejected`}`;
  };

  const ingestSurveys = async (say: (text: string) => void): Promise<string> => {
    const expected = Object.values(ingested()).reduce((sum, { accepted }) => sum + accepted, 0);
    const found = expected === 0 ? 0 : await countOfflineRecords(aws());
    if (found < expected) {
      throw new Error(
        `The offline store shows ${found} of the ${expected} record versions that were ingested: its state was damaged. ` +
          "Start over with `make clean`, then ingest the surveys again.",
      );
    }
    const summaries: string[] = [];
    for (const { path, survey } of surveys) {
      summaries.push(await forgetRefused(path, () => ingestOne(survey, say)));
      done(path);
    }
    return summaries.length === 0 ? "kept as it is" : summaries.join("; ");
  };

  const trainModel = async (say: (text: string) => void): Promise<string> => {
    const state = readFileSync(instance.path("provision/ml-workflow.json"), "utf8");
    // Each release trains on what somebody else than this command has put into the feature group.
    const releases = readExecutions(instance.path("pipeline/executions.json")).map(({ id }) => id);
    const fingerprint = fingerprintOf(
      Object.keys(ingested()),
      await readContract(aws(), "ModelImageUri"),
      state,
      ...(releases.length === 0 ? [] : [releases]),
    );
    const before = doneBefore(instance, "workflow", fingerprint) as WorkflowRun | undefined;
    if (before !== undefined && (await championPackage(aws())) !== undefined) {
      return `${before.outcome} before, nothing has changed`;
    }
    try {
      const outcome = await runWorkflow(aws(), fingerprint, say, start);
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
  };

  const writePlatformFile = async (): Promise<string> => {
    const production = await website("production");
    const test = await website("test");
    const workflow = lastResult(instance, "workflow") as WorkflowRun | undefined;
    const modelPackageArn = await championPackage(aws());
    if (workflow === undefined || modelPackageArn === undefined) {
      throw new Error("No model is registered; type `make up` again.");
    }
    result = {
      website: production.website,
      api: production.api,
      websiteTest: test.website,
      apiTest: test.api,
      aws: addressOf(instance, "emulator"),
      region,
      executionArn: workflow.executionArn,
      modelPackageArn,
      endpointName: await requireContract(aws(), "ProductionEndpoint"),
      outcome: workflow.outcome,
      evaluation: workflow.evaluation,
    };
    writeJson(instance.path("platform.json"), result);
    writeJson(instance.path("times.json"), times);
    return production.website;
  };

  const stacks: string[] = [];
  await new Listr(
    [
      stage("Read the survey", instance.path("logs/survey.log"), readSurveys),
      stage("Synthesize the stacks", instance.path("logs/synth.log"), async () => {
        stacks.push(...(await synthesize()));
        return stacks.join(", ");
      }),
      stage("Start the AWS emulator and SageMaker", instance.path("logs"), async () => {
        const started = await start();
        // What was deployed before answers from now on, whatever becomes of the stages that follow.
        if (existsSync(instance.path("sites.json"))) {
          await openFrontDoor(instance, {});
        }
        return started.length === 0 ? "they run" : `started ${new Intl.ListFormat("en").format(started)}`;
      }),
      {
        title: "Deploy what the workflows need",
        task: (_, task) => task.newListr(stacks.filter((name) => !name.startsWith("website-")).map(deploy)),
      },
      stage("Ingest the survey", instance.path("logs/survey.log"), ingestSurveys),
      stage("Run the ML workflow", logFile(instance, "sagemaker"), trainModel),
      ...(["test", "production"] as const).flatMap((name) => [
        deploy(websites[name].stack),
        openWebsite(name),
        systemTest(name),
      ]),
      stage("Write platform.json", instance.path("logs"), writePlatformFile),
    ],
    {
      rendererOptions: { ...rendering, collapseSubtasks: false, showErrorMessage: false },
      fallbackRendererOptions: rendering,
    },
  ).run();
  if (result === undefined) {
    throw new Error("The platform's last stage did not run.");
  }
  return { platform: result, notes };
}
