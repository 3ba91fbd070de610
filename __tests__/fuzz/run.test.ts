import { type ChildProcess, spawn } from "node:child_process";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { complaintOf, settingsFrom } from "./run";
import { openApiJson } from "../../web/openapi";
import { WebsiteServer } from "../web/website-server";

// Schemathesis takes seconds to start; on a busy machine a minute is not a sign of a fault.
jest.setTimeout(300_000);

const root = join(__dirname, "../..");
let child: ChildProcess | undefined;
afterEach(() => child?.kill());

function fuzz(url: string): Promise<{ readonly status: number | null; readonly output: string }> {
  return new Promise((resolve, reject) => {
    const started = spawn(process.execPath, ["--import", "tsx", "__tests__/fuzz/run.ts"], {
      cwd: root,
      env: { PATH: process.env.PATH, HOME: process.env.HOME, URL: url, EXAMPLES: "40", SEED: "7" },
    });
    child = started;
    let output = "";
    for (const stream of [started.stdout, started.stderr]) {
      stream.on("data", (chunk: Buffer) => (output += chunk.toString("utf8")));
    }
    started.once("error", reject);
    started.once("close", (status) => {
      resolve({ status, output });
    });
  });
}

describe("a website is tested", () => {
  let website: WebsiteServer;
  beforeAll(async () => {
    website = await WebsiteServer.start();
  });
  afterAll(() => website.stop());
  beforeEach(() => {
    website.reset();
  });

  test("a good one passes, and scripts were among what was sent", async () => {
    const { status, output } = await fuzz(website.address);
    expect(output).toMatch(/^\d{2,} requests in \d+ s \(seed 7\): no 5xx, nothing that came back as HTML/m);
    expect(status).toBe(0);
    expect(website.calls.length).toBeGreaterThanOrEqual(40);
    expect(website.calls.filter(({ body }) => body.includes("<script>")).length).toBeGreaterThan(0);
  });

  test("every fault is detected: 5xx, reflected input, undocumented answers, accepted wrong animals", async () => {
    let count = 0;
    const json = { "content-type": "application/json", "x-content-type-options": "nosniff" };
    website.intercept = ({ path, method, body }) => {
      if (path !== "/api/predict" || method !== "POST") {
        return undefined;
      }
      count += 1;
      if (count % 4 === 0) {
        return { status: 500, headers: { ...json, "content-type": "application/problem+json" }, body: "{}" };
      }
      if (count % 4 === 1) {
        return { status: 400, headers: { ...json, "content-type": "text/html" }, body };
      }
      if (count % 4 === 2) {
        return { status: 418, headers: json, body: "{}" };
      }
      return { status: 200, headers: json, body: age };
    };
    const { status, output } = await fuzz(website.address);
    expect(status).toBe(1);
    expect(output).toContain("Server error");
    expect(output).toContain("The API answers with text/html");
    expect(output).toContain("Undocumented status code");
    expect(output).toContain("Schema-violating request accepted");
    expect(output).toContain(
      `${website.address}/api broke what its OpenAPI document says: see above. SEED=7 asks the same again.`,
    );
  });
});

const age = JSON.stringify({ rings: 9, age: { years: 10.5, low: 9, high: 12, confidence: 0.9 }, model: "m" });

describe("a run that tests nothing fails", () => {
  let server: Server;
  let answer: (request: IncomingMessage, response: ServerResponse) => void;
  const address = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  beforeAll(async () => {
    server = createServer((request, response) => {
      answer(request, response);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  test("a document that is not OpenAPI", async () => {
    answer = (_, response) => response.end(openApiJson().replace('"openapi": "3.1.0"', '"openapi": "nonsense"'));
    const { status, output } = await fuzz(address());
    expect([status, output]).toEqual([1, expect.stringContaining("is not OpenAPI 3.1: correct web/openapi.ts")]);
  });

  test("an address without a document", async () => {
    answer = (_, response) => response.writeHead(404).end();
    expect((await fuzz(address())).output).toContain("/openapi.json answered 404: expected the API's description");
  });

  const cases = { generated: 100, with_failures: 0, errored: 0, without_checks: 0 };
  const report = {
    running_time: 1,
    complete: true,
    operations: { total: 1, tested: 1 },
    test_cases: cases,
    valid_rates: { "POST /a": { fuzzing: { accepted: 3 } } },
  };

  test.each([
    ["ended early", { complete: false }],
    ["asked 0 of 1 operations", { operations: { total: 1, tested: 0 } }],
    ["sent 99 requests, expected 100", { test_cases: { ...cases, generated: 99 } }],
    ["1 requests got no answer", { test_cases: { ...cases, errored: 1 } }],
    ["nobody looked at 2 answers", { test_cases: { ...cases, without_checks: 2 } }],
    ["not one right request was taken by POST /a", { valid_rates: { "POST /a": { fuzzing: { accepted: 0 } } } }],
    ["not one right request was taken by an operation", { valid_rates: {} }],
  ])("%s", (words, changes) => {
    expect(complaintOf({ ...report, ...changes }, 100)).toContain(words);
    expect(complaintOf(report, 100)).toBeUndefined();
  });
});

test("the requests and their number can be set, and invalid settings are refused", () => {
  const url = "https://abalone.example.com/";
  expect(settingsFrom({ URL: url })).toMatchObject({ website: "https://abalone.example.com", examples: 10_000 });
  expect(settingsFrom({ URL: url, EXAMPLES: "20", SEED: "3" })).toEqual({
    website: "https://abalone.example.com",
    examples: 20,
    seed: 3,
  });
  expect(() => settingsFrom({ URL: "abalone" })).toThrow('URL is "abalone"; expected the address of a website');
  expect(() => settingsFrom({ URL: url, EXAMPLES: "many" })).toThrow('EXAMPLES is "many"; expected a whole number');
  expect(() => settingsFrom({ URL: url, EXAMPLES: "1" })).toThrow("from 2 to 1000000");
  expect(() => settingsFrom({ URL: url, SEED: "-1" })).toThrow('SEED is "-1"');
});
