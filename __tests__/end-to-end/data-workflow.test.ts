import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import type { PipelineExecutionStatus } from "@aws-sdk/client-codepipeline";

import { requireContract } from "../../local/platform/clients";
import { pipelineName } from "../../local/platform/services";
import { invoke } from "../../local/platform/ingestion";
import { simulate } from "../../survey/simulator";
import { surveyHeader, surveyLine, type SurveyRecord } from "../../survey/survey-file";
import { animal } from "../system/deployment";
import { descendants, environmentOf, PlatformUnderTest, settingsOfAnotherAccount } from "./platform-under-test";
import { query, rowsOf } from "./records";

const platform = new PlatformUnderTest();
let bucket: string;

const toSurveyCsv = (records: readonly SurveyRecord[]): string =>
  `${[surveyHeader, ...records.map(surveyLine)].join("\n")}\n`;

/** Every animal that should be known by now, as its survey has it. */
const known = new Map<string, SurveyRecord>();
const expectKnown = (records: readonly SurveyRecord[]): void => {
  records.forEach((record) => known.set(String(record.record_id), record));
};

const put = async (key: string, content: string): Promise<void> => {
  await platform.clients.s3.putObject({ Bucket: bucket, Key: key, Body: content });
};

async function keysBelow(prefix: string): Promise<string[]> {
  const { Contents = [] } = await platform.clients.s3.listObjectsV2({ Bucket: bucket, Prefix: prefix });
  return Contents.map(({ Key }) => Key!);
}

/** What has come in and is not done with. */
const waiting = async (): Promise<string[]> =>
  (await keysBelow("surveys/")).filter((key) => !/^surveys\/(processed|refused|rejected)\//.test(key));

async function releases(state?: PipelineExecutionStatus): Promise<number> {
  const { pipelineExecutionSummaries = [] } = await platform.clients.codePipeline.listPipelineExecutions({
    pipelineName,
  });
  return pipelineExecutionSummaries.filter(({ status }) => state === undefined || status === state).length;
}

/** The rows of the last training are every known animal once, with its latest values, and nothing else. */
async function expectEveryRowOnce(): Promise<void> {
  const { train, validation, test: held } = await rowsOf(platform.clients, platform.file.executionArn);
  const rows = [...train, ...validation, ...held];
  const lengths = rows.map(({ record_id, length }) => [record_id, Number(length)]).sort();
  expect(lengths).toEqual([...known.values()].map(({ record_id, length }) => [record_id, length]).sort());
  const stored = await query(platform.clients, (table) => `SELECT count(DISTINCT record_id) FROM ${table}`);
  expect(stored).toEqual([[String(known.size)]]);
}

/** The status with which the website answers who asks for an age. */
async function ask(): Promise<number> {
  const response = await fetch(`${platform.file.website}/api/predict`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(animal("M")),
  });
  return response.status;
}

/** Asks the website without a pause until it is stopped: every status that it got. */
function visit(): () => Promise<number[]> {
  const statuses: number[] = [];
  const stop = new AbortController();
  const visits = (async (): Promise<void> => {
    while (!stop.signal.aborted) {
      statuses.push(await ask().catch(() => 0));
      await sleep(20);
    }
  })();
  return async () => {
    stop.abort();
    await visits;
    return statuses;
  };
}

const first = [...simulate({ rows: 1500, seed: 11 })];

beforeAll(async () => {
  const file = join(mkdtempSync(join(tmpdir(), "surveys-")), "first.csv");
  writeFileSync(file, toSurveyCsv(first));
  expectKnown(first);
  await platform.succeed("up", { SURVEY: file });
  bucket = await requireContract(platform.clients, "DataBucket");
});

afterAll(async () => {
  await platform.remove("data-workflow");
});

describe("a survey that came in", () => {
  test("what make up has ingested is not ingested again", async () => {
    expect(await waiting()).toEqual([]);
    expect(await platform.succeed("data-workflow")).toContain("No survey has arrived");
    expect(await releases()).toBe(0);
  });

  test("is ingested, released once and moved; the website answers throughout, and no row is stored twice", async () => {
    const told = await platform.succeed("survey", { ROWS: "300", SEED: "7" });
    expect(told).toContain(`s3://${bucket}/surveys/survey-300-7.csv`);
    expect(await waiting()).toEqual(["surveys/survey-300-7.csv"]);

    const stop = visit();
    const running = platform.start("data-workflow");
    await running.prints(/list_surveys/);
    const environments = descendants([running.pid]).map((pid) => environmentOf(pid));
    const { status, output } = await running.ended;
    const statuses = await stop();

    expect([status, output]).toEqual([0, expect.stringContaining("300 rows of surveys/survey-300-7.csv, 0 rejected")]);
    expect(output).toMatch(/Run the ML workflow: (registered|champion kept), the challenger's RMSE/);
    expect(output).toMatch(/The website answers with the model acme-local-ml-workflow-abalone\/\d+\./);
    expect(new Set(statuses)).toEqual(new Set([200]));
    expect(statuses.length).toBeGreaterThan(100);
    expect(await waiting()).toEqual([]);
    expect(await keysBelow("surveys/processed/survey-300-7.csv/")).toHaveLength(1);
    expect(await releases()).toBe(1);
    expectKnown([...simulate({ rows: 300, seed: 7 })]);
    await expectEveryRowOnce();
    const stored = await query(platform.clients, (table) => `SELECT count(*) FROM ${table}`);
    expect(stored).toEqual([[String(known.size)]]);
    for (const planted of Object.values(settingsOfAnotherAccount)) {
      expect(environments.filter((text) => text.includes("AIRFLOW_HOME")).join()).not.toContain(planted);
    }
  });

  test("typed again without a new survey, nothing is trained or released", async () => {
    const before = platform.file;
    expect(await platform.succeed("data-workflow")).toContain("No survey has arrived");
    await platform.succeed("up");
    expect(platform.file).toEqual(before);
    expect(await releases()).toBe(1);
  });

  test("the same file once more changes no row", async () => {
    await platform.succeed("survey", { ROWS: "300", SEED: "7" });
    await platform.succeed("data-workflow");
    expect(await waiting()).toEqual([]);
    expect(await keysBelow("surveys/processed/survey-300-7.csv/")).toHaveLength(1);
    expect(await releases()).toBe(2);
    await expectEveryRowOnce();
  });

  test("two files with the same animals: the later measure wins, whichever file comes first", async () => {
    const earlier = [...simulate({ rows: 50, seed: 21, start: new Date("2025-04-01T00:00:00Z") })];
    const again = [...simulate({ rows: 50, seed: 22, start: new Date("2025-05-01T00:00:00Z") })];
    const later = again.map((record, index) => ({ ...record, record_id: earlier[index]!.record_id! }));
    await put("surveys/a-later.csv", toSurveyCsv(later));
    await put("surveys/b-earlier.csv", toSurveyCsv(earlier));
    await platform.succeed("data-workflow");
    expect(await releases()).toBe(3);
    expectKnown(later);
    await expectEveryRowOnce();
  });

  test("half a file, and then the whole one", async () => {
    const animals = [...simulate({ rows: 60, seed: 23 })];
    const whole = toSurveyCsv(animals);
    // In the middle of a row's measures.
    const half = whole.slice(0, whole.indexOf(`\n${String(animals[30]!.record_id)},`) + 40);
    await put("surveys/half.csv", half);
    const output = await platform.succeed("data-workflow");
    expect(output).toContain("30 rows of surveys/half.csv, 1 rejected");
    expectKnown(animals.slice(0, 30));
    await expectEveryRowOnce();

    await put("surveys/half.csv", whole);
    await platform.succeed("data-workflow");
    expectKnown(animals);
    await expectEveryRowOnce();
    expect(await releases()).toBe(5);
  });

  test("a file that is not a survey is refused and stored, and blocks nothing", async () => {
    const animals = [...simulate({ rows: 20, seed: 24 })];
    await put("surveys/good.csv", toSurveyCsv(animals));
    await put("surveys/prices.csv", "name,price\nmussel,3\n");
    const { status, output } = await platform.make("data-workflow");
    expect(status).not.toBe(0);
    expect(output).toContain(`s3://${bucket}/surveys/prices.csv is not a survey: the header lacks the columns`);
    expect(output).toMatch(/^✔ ingest: 20 rows of surveys\/good\.csv/m);
    expect(output).toMatch(/^✖ ingest: surveys\/prices\.csv is not a survey/m);
    expect(await keysBelow("surveys/refused/prices.csv/")).toHaveLength(1);
    expect(await waiting()).toEqual([]);
    expectKnown(animals);
    await expectEveryRowOnce();
    expect(await releases()).toBe(6);
  });
});

describe("faults", () => {
  let before: number;

  beforeEach(async () => {
    before = await releases();
  });

  test("a file that is replaced while it is read: the later content is in, and nothing of the earlier is lost or doubled", async () => {
    const earlier = [...simulate({ rows: 40, seed: 31 })];
    const later = [...simulate({ rows: 40, seed: 32 })];
    await put("surveys/replaced.csv", toSurveyCsv(earlier));
    const running = platform.start("data-workflow");
    await running.prints(/split_surveys/);
    await put("surveys/replaced.csv", toSurveyCsv(later));
    const { output } = await running.ended;
    const wasRead = output.includes("rows of surveys/replaced.csv");
    expect(await waiting()).toEqual(["surveys/replaced.csv"]);

    await platform.succeed("data-workflow");
    expect(await waiting()).toEqual([]);
    expectKnown([...(wasRead ? earlier : []), ...later]);
    await expectEveryRowOnce();
    expect(await releases()).toBe(before + (wasRead ? 2 : 1));
  });

  test("killed after each of its tasks, interrupted after the last, and typed again: one release, every row once", async () => {
    const animals = [...simulate({ rows: 80, seed: 33 })];
    await put("surveys/killed.csv", toSurveyCsv(animals));
    for (const task of ["wait_for_surveys", "list_surveys", "split_surveys", "ingest"]) {
      const running = platform.start("data-workflow");
      await running.prints(new RegExp(`✔ ${task}`));
      running.kill();
      await running.ended;
      expect(await waiting()).toEqual(["surveys/killed.csv"]);
    }
    // Little time lies between a release and the move: whoever kills may come too late, and then the release is
    // followed.
    const releasing = platform.start("data-workflow");
    await releasing.prints(/✔ release/);
    releasing.kill();
    await releasing.ended;
    const last = platform.start("data-workflow");
    await last.prints(/✔ finish|A release is running/);
    last.interrupt();
    expect((await last.ended).output).toContain("A release that has started continues by itself");
    expect(await waiting()).toEqual([]);

    // Whoever was killed has started the release all the same: it is followed to its end.
    expect(await platform.succeed("data-workflow")).toContain("No survey has arrived");
    expect(await releases("InProgress")).toBe(0);
    expect(await releases()).toBe(before + 1);
    expectKnown(animals);
    await expectEveryRowOnce();
    expect(await ask()).toBe(200);
  });

  test("a release that is called twice is one", async () => {
    const name = await requireContract(platform.clients, "ReleaseChangeFunction");
    const event = { surveys: [{ key: "surveys/twice.csv", etag: '"1"' }] };
    const [one, other] = await Promise.all([
      invoke(platform.clients, name, event),
      invoke(platform.clients, name, event),
    ]);
    expect(one).toEqual(other);
    expect(await releases()).toBe(before + 1);
    await platform.releasesEnd(before + 1);
    await expectEveryRowOnce();
  });

  test("SageMaker killed while it trains: release and website continue", async () => {
    const animals = [...simulate({ rows: 30, seed: 34 })];
    await put("surveys/training.csv", toSurveyCsv(animals));
    const running = platform.start("data-workflow");
    await running.prints(/✔ Ingest the survey/);
    await platform.trains();
    await platform.kill("sagemaker");
    const { status, output } = await running.ended;
    expect([status, output]).toEqual([0, expect.stringMatching(/Run the ML workflow: (registered|champion kept)/)]);
    expect(await releases()).toBe(before + 1);
    expectKnown(animals);
    await expectEveryRowOnce();
    expect(await ask()).toBe(200);
  });

  test("the emulator killed between ingesting and moving: it restarts, and the run continues", async () => {
    const animals = [...simulate({ rows: 30, seed: 35 })];
    await put("surveys/restarted.csv", toSurveyCsv(animals));
    const running = platform.start("data-workflow");
    await running.prints(/✔ ingest/);
    await platform.kill("emulator");
    const { status, output } = await running.ended;
    expect([status, output]).toEqual([0, expect.stringContaining("✔ finish")]);
    expect(await waiting()).toEqual([]);
    expect(await releases()).toBe(before + 1);
    expectKnown(animals);
    await expectEveryRowOnce();
    expect(await ask()).toBe(200);
  });

  test("the pipeline killed in the middle of a release: it repeats the release", async () => {
    const animals = [...simulate({ rows: 30, seed: 36 })];
    await put("surveys/pipeline.csv", toSurveyCsv(animals));
    const running = platform.start("data-workflow");
    await running.prints(/✔ Synthesize the stacks/);
    await platform.kill("pipeline");
    const { status } = await running.ended;
    expect(status).toBe(0);
    expect(await releases()).toBe(before + 1);
    expectKnown(animals);
    await expectEveryRowOnce();
  });
});

describe("plain reasons", () => {
  test.each([
    ["ROWS", "many", "ROWS: 'many' is not a number of animals such as 500"],
    ["SEED", "-1", "SEED: '-1' is not a whole number such as 7"],
    ["SHIFT", "big", "SHIFT: 'big' is not a share such as 0.2"],
    ["SHIFT", "7", "SHIFT: 7 is not a number between -0.5 and 0.5"],
  ])("make survey %s=%s", async (name, value, reason) => {
    const { status, output } = await platform.make("survey", { [name]: value });
    expect(status).not.toBe(0);
    expect(output).toContain(reason);
  });

  test.each(["survey", "data-workflow"])("make %s without a platform that runs", async (target) => {
    await platform.succeed("down");
    const { status, output } = await platform.make(target);
    expect(status).not.toBe(0);
    expect(output).toContain("type `make up` first");
  });
});
