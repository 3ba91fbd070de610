/**
 * How the stacks are planned: with a program in the place of terraform that notes what it is asked, and answers with
 * real plans.
 */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  awaitedBy,
  liftProtection,
  markReaders,
  planEnvironment,
  planSlots,
  sideBySide,
} from "../../../delivery/diff/plan";
import { exitStatusOf, readOptions } from "../../../delivery/diff";
import type { StackSummary } from "../../../delivery/diff/summary";
import { loadEnvironment } from "../../../environments";
import { placeholder } from "../../../stacks/contract";
import { data, still, summaryOf } from "./plans";

describe("side by side", () => {
  test("never more than the slots, and begun in their order", async () => {
    const begun: number[] = [];
    let running = 0;
    let most = 0;
    await sideBySide([1, 2, 3, 4, 5, 6, 7], 3, async (item) => {
      begun.push(item);
      running += 1;
      most = Math.max(most, running);
      await new Promise((settle) => setTimeout(settle, 5));
      running -= 1;
    });
    expect(begun).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(most).toBe(3);
  });

  test("after an error, running plans end, and no further one begins", async () => {
    const begun: number[] = [];
    let ended = false;
    const work = async (item: number): Promise<void> => {
      begun.push(item);
      if (item === 1) {
        throw new Error("no bucket");
      }
      await new Promise((settle) => setTimeout(settle, 20));
      ended = true;
    };
    await expect(sideBySide([1, 2, 3, 4], 2, work)).rejects.toThrow("no bucket");
    expect([begun, ended]).toEqual([[1, 2], true]);
  });

  test.each([
    [4, 64e9, 4],
    [64, 64e9, 8],
    [4, 3e9, 2],
    [4, 1e8, 1],
  ])("%i cores and %d bytes free make %i slots", (cores, memory, slots) => {
    expect(planSlots(cores, memory)).toBe(slots);
  });
});

describe("what a stack reads of others", () => {
  const reads = ["DataBucket", "DataKey", "ModelPackageName"].map((name) => `/acme/development/${name}`);

  test("it waits for the stacks that have not published it, and for the run that has not filled it", () => {
    const values = new Map([
      ["/acme/development/DataKey", "key"],
      ["/acme/development/ModelPackageName", placeholder],
    ]);
    expect(awaitedBy(reads, values)).toEqual([
      { stack: "data", parameters: ["DataBucket"], until: "deployed" },
      { stack: "ml-workflow", parameters: ["ModelPackageName"], until: "run" },
    ]);
  });

  test("it waits for nothing when everything exists", () => {
    expect(awaitedBy(reads, new Map(reads.map((name) => [name, "value"])))).toEqual([]);
  });

  test("readers of a changed parameter are notified, others are not", () => {
    const stacks = markReaders([data(), still("ml-workflow"), still("website-test")]);
    expect(stacks.map(({ readsChanging }) => readsChanging)).toEqual([
      [],
      [{ parameter: "AthenaWorkgroup", stack: "data" }],
      [],
    ]);
  });
});

test("a plan that nobody applies shows what prevent_destroy would stop it at, and remembers what was protected", () => {
  const folder = mkdtempSync(join(tmpdir(), "protection-"));
  try {
    const file = join(folder, "cdk.tf.json");
    const lifecycle = { prevent_destroy: true, ignore_changes: ["tags"] };
    writeFileSync(file, JSON.stringify({ resource: { aws_s3_bucket: { a: { lifecycle }, b: {} } } }));
    expect([...liftProtection(folder)]).toEqual(["aws_s3_bucket.a"]);
    expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({
      resource: { aws_s3_bucket: { a: { lifecycle: { ignore_changes: ["tags"] } }, b: {} } },
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

describe("an environment", () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "diff-"));
    mkdirSync(join(folder, "temporary"));
    const terraform = join(folder, "terraform");
    // The plan of `data` changes much, `governance` can't be planned, the others stay as they are.
    writeFileSync(
      terraform,
      `#!/usr/bin/env node
const { appendFileSync, readFileSync, writeFileSync } = require("node:fs");
const { basename } = require("node:path");
const [command, ...rest] = process.argv.slice(2);
const stack = basename(process.cwd());
appendFileSync(${JSON.stringify(join(folder, "calls"))}, [command, stack, ...rest].join(" ") + "\\n");
const fail = (text) => { console.error("Error: " + text); process.exit(1); };
if (command === "version") console.log(JSON.stringify({ terraform_version: "1.11.4" }, null, 1));
if (command === "init" && process.env.TEST_NO_BUCKET) fail('S3 bucket "acme-state" does not exist');
if (command === "plan") {
  writeFileSync(rest.find((word) => word.startsWith("-out=")).slice(5), "a secret");
  if (readFileSync("cdk.tf.json", "utf8").includes("prevent_destroy")) fail("Instance cannot be destroyed");
  if (stack === "governance") fail("Invalid budget");
  process.exit(stack === "data" ? 2 : 0);
}
if (command === "show") process.stdout.write(readFileSync(${JSON.stringify(join(__dirname, "plans/data.json"))}));
`,
    );
    chmodSync(terraform, 0o755);
    const variables = { TERRAFORM_BINARY_NAME: terraform, TMPDIR: join(folder, "temporary") };
    jest.replaceProperty(process, "env", { ...process.env, ...variables });
  });

  afterEach(() => {
    jest.restoreAllMocks();
    rmSync(folder, { recursive: true });
  });

  const calls = (command: string): readonly string[] =>
    readFileSync(join(folder, "calls"), "utf8")
      .split("\n")
      .filter((line) => line.startsWith(`${command} `));
  const stacksOf = (lines: readonly string[]): readonly string[] => lines.map((line) => line.split(" ")[1] ?? "");
  const planProduction = (there: (name: string) => boolean, stack?: StackSummary["stack"]) =>
    planEnvironment({
      environment: loadEnvironment("production"),
      ...(stack === undefined ? {} : { stack }),
      allowed: [],
      onStack: () => undefined,
      valuesOf: (_, names) => Promise.resolve(new Map(names.filter(there).map((name) => [name, "value"]))),
    });

  test("is planned whole: one that fails or waits stops no other, and nothing is locked or left behind", async () => {
    const { stacks, refused } = await planProduction((name) => !name.endsWith("/ModelImageUri"));
    const statuses = Object.fromEntries(stacks.map(({ stack, status }) => [stack, status]));
    expect(statuses).toMatchObject({
      state: "unchanged",
      governance: "failed",
      data: "changes",
      "ml-workflow": "waiting",
      "website-test": "waiting",
      network: "unchanged",
    });
    expect(stacks.find(({ stack }) => stack === "governance")?.error?.details).toContain("Invalid budget");
    expect(refused.map(({ address }) => address)).toContain("aws_s3_bucket.logs_bucket");
    expect(refused.some((one) => one.protected)).toBe(true);

    const planned = stacks.filter(({ status }) => status !== "waiting").map(({ stack }) => stack);
    expect([...stacksOf(calls("init"))].sort()).toEqual([...planned].sort());
    expect([...stacksOf(calls("plan"))].sort()).toEqual([...planned].sort());
    expect(stacksOf(calls("show"))).toEqual(["data"]);
    expect(calls("plan").every((line) => line.includes("-lock=false"))).toBe(true);
    expect(readdirSync(join(folder, "temporary")).filter((name) => name.startsWith("acme-"))).toEqual([]);
  }, 60_000);

  test("one stack alone is planned alone", async () => {
    const { stacks } = await planProduction(() => true, "data");
    expect(stacks.map(({ stack }) => stack)).toEqual(["data"]);
    expect(stacksOf(calls("plan"))).toEqual(["data"]);
  }, 60_000);

  test("an error of all stacks is reported once, after one attempt", async () => {
    process.env.TEST_NO_BUCKET = "yes";
    await expect(planProduction(() => true)).rejects.toThrow("make bootstrap ENVIRONMENT=production");
    expect(calls("init")).toHaveLength(1);
    expect(readdirSync(join(folder, "temporary")).filter((name) => name.startsWith("acme-"))).toEqual([]);
  }, 60_000);

  test("a stack that the environment does not have is reported, with those that it has", async () => {
    const environment = loadEnvironment("local");
    const asked = { environment, stack: "network" as const, allowed: [], onStack: () => undefined };
    await expect(planEnvironment(asked)).rejects.toThrow(/local has no stack network; it has data, /);
    expect(existsSync(join(folder, "temporary"))).toBe(true);
  }, 60_000);
});

describe("the command", () => {
  test.each([
    [{ FORMAT: "yaml" }, /FORMAT is "yaml"; expected one of text, json, markdown/],
    [{ DETAILS: "1" }, /DETAILS is "1"; expected "yes", or nothing/],
    [{ ALLOW_REPLACE: "all" }, /ALLOW_REPLACE is "all"/],
  ])("%j is refused with what was expected", (variables, message) => {
    expect(() => readOptions(variables)).toThrow(message);
  });

  test("make passes empty texts for missing variables", () => {
    expect(readOptions({ FORMAT: "", DETAILS: "", OUTPUT: "", ALLOW_REPLACE: "" })).toEqual({
      format: "text",
      output: undefined,
      details: false,
      allowed: [],
    });
  });

  test("the exit status differs for refusals and faults; changes are neither", () => {
    const broken = still("network", { status: "failed" });
    expect(exitStatusOf(summaryOf([still("data")]))).toBe(0);
    expect(exitStatusOf(summaryOf([still("data", { status: "waiting" })]))).toBe(0);
    expect(exitStatusOf(summaryOf([still("data"), broken]))).toBe(1);
    expect(exitStatusOf(summaryOf([data(), broken]))).toBe(2);
  });
});
