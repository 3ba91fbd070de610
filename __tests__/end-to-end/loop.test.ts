import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

import type { Browser } from "playwright-core";

import { requireContract } from "../../local/platform/clients";
import { root } from "../../local/platform/instance";
import { simulate } from "../../survey/simulator";
import { surveyHeader, surveyLine, type SurveyRecord } from "../../survey/survey-file";
import { startTimeOf } from "sagemaker-local/process-identity";
import { animal } from "../system/deployment";
import { ask, fillContact, send } from "../browser/states";
import { Visit } from "../browser/visit";
import { openBrowser } from "../web/browser";
import { environmentOf, PlatformUnderTest, settingsOfAnotherAccount, socketAddresses } from "./platform-under-test";
import { datasetOf, query, readObject } from "./records";

const folder = mkdtempSync(join(tmpdir(), "surveys-"));
const platform = new PlatformUnderTest();

const toSurveyCsv = (records: readonly SurveyRecord[]): string =>
  `${[surveyHeader, ...records.map(surveyLine)].join("\n")}\n`;

/** The first survey: 1,500 animals, with a byte order mark, CRLF, and every kind of row that must be refused. */
const good = [...simulate({ rows: 1500, seed: 11 })];
const [first, second] = good;
const bad = [
  { ...first!, record_id: "bad-sex", sex: "X" },
  { ...first!, record_id: "bad-text", length: "long" },
  { ...first!, record_id: "bad-negative", height: "-3" },
  { ...first!, record_id: "bad-nan", whole_weight: "NaN" },
  { ...second! },
];
const dirtySurvey = join(folder, "first.csv");
writeFileSync(dirtySurvey, `\uFEFF${toSurveyCsv([...good, ...bad]).replaceAll("\n", "\r\n")}`);

const laterSurvey = join(folder, "later.csv");
writeFileSync(laterSurvey, toSurveyCsv([...simulate({ rows: 400, seed: 12 })]));

const animals = async (): Promise<number> =>
  Number((await query(platform.clients, (table) => `SELECT count(DISTINCT record_id) FROM ${table}`))[0]![0]);

async function age(api: string): Promise<number> {
  const response = await fetch(`${api}/predict`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(animal("M")),
  });
  expect(response.status).toBe(200);
  return ((await response.json()) as { age: { years: number } }).age.years;
}

afterAll(async () => {
  await platform.remove("loop");
});

describe("from nothing to a website that estimates an age", () => {
  let terminal = "";

  beforeAll(async () => {
    terminal = await platform.succeed("up", { SURVEY: dirtySurvey });
  });

  test("the terminal shows what README promises", () => {
    const promised = readFileSync(join(root, "README.md"), "utf8").match(/^✔ Deploy website-.*\d+ created, .* only/gm);
    expect(promised).toHaveLength(2);
    for (const line of promised!) {
      expect(terminal).toContain(line);
    }
  });

  test("the terminal names the website, and the website answers there", async () => {
    expect(terminal).toContain(platform.file.website);
    const page = await fetch(platform.file.website);
    expect(page.status).toBe(200);
    expect(page.headers.get("content-type")).toMatch(/^text\/html/);
    expect(await page.text()).toContain("abalone");
  });

  test("every good row is in the offline store, once, and no bad one", async () => {
    const ids = (
      await query(platform.clients, (table) => `SELECT count(*), count(DISTINCT record_id) FROM ${table}`)
    )[0]!;
    expect(ids).toEqual(["1500", "1500"]);
    const refused = await query(
      platform.clients,
      (table) => `SELECT count(*) FROM ${table} WHERE record_id LIKE 'bad%'`,
    );
    expect(refused).toEqual([["0"]]);
  });

  test("every bad row is listed in the bucket with its reason", async () => {
    const bucket = await requireContract(platform.clients, "DataBucket");
    const { Contents = [] } = await platform.clients.s3.listObjectsV2({ Bucket: bucket, Prefix: "surveys/rejected/" });
    const texts = await Promise.all(Contents.map(({ Key }) => readObject(platform.clients, `s3://${bucket}/${Key!}`)));
    const list = texts.join("\n");
    for (const name of ["bad-sex", "bad-text", "bad-negative", "bad-nan", String(second!.record_id)]) {
      expect(list).toContain(name);
    }
    expect(terminal).toContain("5 rejected");
    const told = readFileSync(/All of them, with their lines and reasons: (.*)/.exec(terminal)![1]!, "utf8");
    // The header and 1,500 good rows stand above them.
    for (const line of bad.map((_, index) => 1502 + index)) {
      expect(told).toContain(`${dirtySurvey}:${line}: `);
    }
  });

  test("the state machine ran from preparing to registering", async () => {
    const { events = [] } = await platform.clients.stepFunctions.getExecutionHistory({
      executionArn: platform.file.executionArn,
      maxResults: 1000,
    });
    const states = events.flatMap(({ stateEnteredEventDetails: entered }) => (entered ? [entered.name] : []));
    expect(states).toEqual([
      "PrepareRun",
      "Process",
      "Train",
      "Evaluate",
      "Judge",
      "IsGoodEnough",
      "IsBetter",
      "Register",
      "Registered",
    ]);
  });

  test("no animal is in two splits, and none is lost", async () => {
    const { train, validation, test: held } = await datasetOf(platform.clients, platform.file.executionArn);
    const all = [...train!, ...validation!, ...held!];
    expect(new Set(all).size).toBe(1500);
    expect(all).toHaveLength(1500);
    expect(held).toHaveLength(platform.file.evaluation.rows);
  });

  test("the approved package carries the very metrics that passed the gate", async () => {
    const { evaluation, modelPackageArn } = platform.file;
    const description = await platform.clients.sagemaker.describeModelPackage({ ModelPackageName: modelPackageArn });
    expect(description.ModelApprovalStatus).toBe("Approved");
    const statistics = description.ModelMetrics!.ModelQuality!.Statistics!.S3Uri!;
    const measured = JSON.parse(await readObject(platform.clients, statistics));
    expect(measured.regression_metrics.rmse.value).toBeCloseTo(evaluation.rmse, 6);
    expect(evaluation.rmse).toBeGreaterThan(0.5);
    expect(evaluation.rmse).toBeLessThanOrEqual(evaluation.threshold);
    expect(evaluation.threshold).toBe(2.3);
    expect(await requireContract(platform.clients, "ModelPackageName")).toBe(modelPackageArn);
  });

  test("the package has a model card with the metrics, and its page is beside the evaluation", async () => {
    const { evaluation, modelPackageArn } = platform.file;
    const { ModelCard: card } = await platform.clients.sagemaker.describeModelPackage({
      ModelPackageName: modelPackageArn,
    });
    expect(card!.ModelCardStatus).toBe("PendingReview");
    const { additional_information: more, evaluation_details: details } = JSON.parse(card!.ModelCardContent!);
    expect(details[0].metadata).toMatchObject({ gate: "no champion yet", rmse: String(evaluation.rmse) });
    expect(more.custom_details["data: simulated"]).toContain("1500 rows");
    const page = await readObject(platform.clients, more.custom_details.page);
    expect(page).toContain("<svg");
    expect(page).toContain(evaluation.rmse.toFixed(3));
    const said = await platform.succeed("model-card");
    expect(said).toContain("model-cards/acme-local-ml-workflow-abalone-1.html");
    expect(said).toMatch(/model +Approved\n +card +PendingReview: nobody has said yet that they have read it/);
  });

  test("both websites show the public figures of the package that answers, and animals of this survey", async () => {
    const { evaluation, modelPackageArn, website, websiteTest } = platform.file;
    for (const address of [website, websiteTest]) {
      const answer = await fetch(`${address}/model.json`);
      expect(answer.headers.get("content-type")).toBe("application/json");
      const { model, data, quality, survey } = await answer.json();
      expect(model.name).toBe(`version ${modelPackageArn.split("/").at(-1)}`);
      expect(quality.rmse.value).toBeCloseTo(evaluation.rmse, 2);
      expect(data).toMatchObject({ rows: 1500, heldOutRows: evaluation.rows });
      expect(survey.points).toHaveLength(600);
    }
  });

  test("the held-out error is what the held-out predictions give", async () => {
    const baseline = await readObject(platform.clients, await requireContract(platform.clients, "BaselineDataUri"));
    const rows = baseline
      .trim()
      .split("\n")
      .slice(1)
      .map((line) => line.split(",").map(Number));
    const mean = rows.reduce((sum, [prediction, label]) => sum + (prediction! - label!) ** 2, 0) / rows.length;
    expect(Math.sqrt(mean)).toBeCloseTo(platform.file.evaluation.rmse, 3);
  });

  test("both stages' APIs answer with the same age, directly and through the website", async () => {
    const { api, apiTest, website, websiteTest } = platform.file;
    const ages = await Promise.all([api, apiTest, `${website}/api`, `${websiteTest}/api`].map(age));
    expect(new Set(ages).size).toBe(1);
    expect(ages[0]).toBeGreaterThan(3);
    expect(ages[0]).toBeLessThan(30);
  });

  describe("in a browser, without errors or requests to other addresses", () => {
    let browser: Browser;
    let visit: Visit;

    beforeAll(async () => {
      browser = await openBrowser();
    });
    afterAll(async () => {
      await browser.close();
    });
    beforeEach(async () => {
      visit = await Visit.begin(browser, platform.file.website, { viewport: { width: 390, height: 800 } });
    });
    afterEach(async () => {
      await visit.end();
    });

    test("a fisherman calculates an age, and sees his animal among those surveyed", async () => {
      const { page } = visit;
      await visit.open("/");
      await ask(page);
      const years = await age(platform.file.api);
      expect((await page.locator("#answer").innerText()).replace(/\s+/g, " ")).toContain(`${years} years old`);
      // One dot for each animal of the survey's sample, which was made where the model was.
      expect(((await page.locator("#plot .dots").getAttribute("d")) ?? "").split("M").length - 1).toBe(600);
      expect([await visit.violations(), await visit.overflows()]).toEqual([[], []]);
    });

    test("he reads how good the model is that answered him, in the figures that passed the gate", async () => {
      await visit.open("/about-the-model.html");
      await visit.page.locator("#figures table").first().waitFor();
      const { rmse, rows } = platform.file.evaluation;
      // Numbers stand with their units by spaces at which no line ends.
      const figures = (await visit.page.locator("#figures").innerText()).replaceAll("\u00a0", " ");
      expect(figures).toContain(`${Number(rmse.toFixed(1))} years`);
      expect(figures).toContain(`${rows} animals`);
      expect(await visit.violations()).toEqual([]);
    });

    test("he writes to ACME, gets the number of his message, and ACME gets it by mail and can reply", async () => {
      await visit.open("/#contact");
      await fillContact(visit.page, { email: "ada@fishing.example", message: "A question from the jetty" });
      await send(visit.page);
      await visit.page.getByText(/your message has arrived. Its number is [0-9a-f-]{36}/).waitFor();
      const folder = platform.instance.path("mail");
      const mails = (): string[] => readdirSync(folder).map((name) => readFileSync(join(folder, name), "utf8"));
      const isIt = (mail: string): boolean => mail.includes("A question from the jetty");
      while (!mails().some(isIt)) {
        await sleep(100);
      }
      expect(mails().filter(isIt)).toEqual([expect.stringMatching(/^Reply-To: .*ada@fishing\.example/m)]);
    });

    test("an unknown address leads him back", async () => {
      visit.expectedComplaint = /status of 404/;
      await visit.open("/there/is/nothing");
      await visit.page.getByRole("link", { name: "Go to the Age Calculator" }).click();
      expect(await visit.page.locator("#age-form").isVisible()).toBe(true);
    });
  });

  test("its API answers hundreds of generated requests as its own document says, none with 5xx or as HTML", async () => {
    const { stdout } = await promisify(execFile)(process.execPath, ["--import", "tsx", "__tests__/fuzz/run.ts"], {
      cwd: join(__dirname, "../.."),
      env: {
        PATH: process.env.PATH,
        HOME: process.env.HOME,
        URL: platform.file.websiteTest,
        EXAMPLES: "500",
        SEED: "1",
      },
    });
    expect(stdout).toMatch(/^\d{3,} requests in \d+ s \(seed \d+\): no 5xx/m);
  });

  test("nothing of another account's settings reaches any process, and no socket leaves 127.0.0.1", () => {
    const processes = platform.processes();
    expect(processes.length).toBeGreaterThanOrEqual(5);
    for (const pid of processes) {
      const environment = environmentOf(pid);
      for (const planted of Object.values(settingsOfAnotherAccount)) {
        expect(environment).not.toContain(planted);
      }
      for (const { local, remote } of socketAddresses(pid)) {
        // 127.0.0.1, its IPv6-mapped form, and 0.0.0.0 as the remote side of a listening socket.
        expect(local).toMatch(/^(0000000000000000FFFF0000)?0100007F$/);
        expect(remote).toMatch(/^(0000000000000000FFFF0000)?(0100007F|00000000)$|^0{32}$/);
      }
    }
  });

  // Only where this runs without a network has the whole loop proved it: `local/setup/without-network` says when it
  // could not.
  (process.env.WITHOUT_NETWORK === "yes" ? test : test.skip)("all of this happened without any network", async () => {
    await expect(fetch("http://192.0.2.1", { signal: AbortSignal.timeout(5000) })).rejects.toMatchObject({
      cause: { code: "ENETUNREACH" },
    });
  });

  test("typed again, it changes nothing", async () => {
    const before = platform.file;
    const endpoint = { EndpointName: before.endpointName };
    const { LastModifiedTime } = await platform.clients.sagemaker.describeEndpoint(endpoint);
    const output = await platform.succeed("up");
    expect(output).not.toMatch(/\d+ (created|updated|deleted)/);
    expect(platform.file).toEqual(before);
    expect((await platform.clients.sagemaker.describeEndpoint(endpoint)).LastModifiedTime).toEqual(LastModifiedTime);
    expect(await animals()).toBe(1500);
  });
});

describe("killed and typed again", () => {
  test.each(["emulator", "sagemaker", "pipeline", "front-door"])(
    "%s killed: the next make up repairs it, nothing is lost",
    async (service) => {
      const before = platform.file;
      const answer = await age(before.api);
      await platform.kill(service);
      await platform.succeed("up");
      expect(platform.file).toEqual(before);
      expect(await age(platform.file.api)).toBe(answer);
      expect(await animals()).toBe(1500);
    },
  );

  test("a model server killed: its endpoint restarts automatically", async () => {
    const answer = await age(platform.file.api);
    for (const pid of platform.processes()) {
      if (readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("bin/serve")) {
        process.kill(pid, "SIGKILL");
      }
    }
    await platform.succeed("up");
    expect(await age(platform.file.api)).toBe(answer);
  });

  test("make up interrupted while it ingests, then killed while it trains with all services: the next one finishes, each animal once", async () => {
    const ingesting = platform.start("up", { SURVEY: laterSurvey });
    await ingesting.prints(/Ingest the survey/);
    ingesting.interrupt();
    const { status, output } = await ingesting.ended;
    expect(status).not.toBe(0);
    expect(output).toContain("Interrupted. What is done is kept: make up continues it.");

    const training = platform.start("up");
    await training.prints(/Run the ML workflow/);
    training.kill();
    await training.ended;
    await platform.kill("sagemaker");
    await platform.kill("emulator");

    await platform.succeed("up");
    expect(await animals()).toBe(1900);
    const { train, validation, test: held } = await datasetOf(platform.clients, platform.file.executionArn);
    const all = [...train!, ...validation!, ...held!];
    expect(new Set(all).size).toBe(1900);
    expect(all).toHaveLength(1900);
    expect(await age(platform.file.api)).toBeGreaterThan(3);
  });
});

describe("plain reasons", () => {
  test("a survey that isn't there", async () => {
    const { status, output } = await platform.make("up", { SURVEY: join(folder, "nowhere.csv") });
    expect(status).not.toBe(0);
    expect(output).toContain(`SURVEY: there is no file ${join(folder, "nowhere.csv")}`);
    expect(output).not.toContain("Synthesize");
  });

  test("a file that is not a survey is refused, and the platform continues", async () => {
    const noSurvey = join(folder, "no-survey.csv");
    writeFileSync(noSurvey, "name,price\nmussel,3\n");
    const { status, output } = await platform.make("up", { SURVEY: noSurvey });
    expect(status).not.toBe(0);
    expect(output).toContain("record_id");
    expect(await age(platform.file.api)).toBeGreaterThan(3);
    await platform.succeed("up");
  });

  test("a set port that is taken is named, with what to do", async () => {
    const server = createServer();
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    const { port } = server.address() as AddressInfo;
    const other = new PlatformUnderTest();
    try {
      const { status, output } = await other.make("up", { EMULATOR_PORT: String(port) });
      expect(status).not.toBe(0);
      expect(output).toContain(`EMULATOR_PORT: port ${port} of 127.0.0.1 is taken`);
    } finally {
      server.close();
      await other.remove();
    }
  });

  test("a survey that no model can learn from: the status says so, and the champion's website is up first", async () => {
    const noise = join(folder, "noise.csv");
    const animalsWithAnyAge = [...simulate({ rows: 600, seed: 13 })].map((animal, row) => ({
      ...animal,
      rings: 1 + ((row * 7) % 29),
    }));
    writeFileSync(noise, toSurveyCsv(animalsWithAnyAge));
    const reason =
      /BelowQualityThreshold: The RMSE of [\d.]+ rings on \d+ held-out rows is above the threshold of 2\.3 rings/;
    const refused = await platform.make("up", { SURVEY: noise });
    expect(refused.status).not.toBe(0);
    expect(refused.output).toMatch(reason);
    expect(refused.output).toContain("More good rows help");
    const told = await platform.succeed("status");
    expect(told).toMatch(/^Last run +failed, see below$/m);
    expect(told).toMatch(reason);

    await platform.succeed("down");
    expect((await platform.make("up")).status).not.toBe(0);
    expect((await fetch(platform.file.website)).status).toBe(200);
    expect(await age(`${platform.file.website}/api`)).toBeGreaterThan(3);
  });

  test("make down stops everything, make status says so", async () => {
    const processes = platform.processes();
    await platform.succeed("down");
    for (const pid of processes) {
      // A process that has ended stays in the table until its parent asks for its status: it counts as gone.
      expect(startTimeOf(pid)).toBeUndefined();
    }
    const { status, output } = await platform.make("status");
    expect(status).not.toBe(0);
    expect(output).toContain("stopped");
    expect(await platform.succeed("down")).toContain("Nothing ran.");
  });
});
