import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type AwsAnswer, type AwsRequest, type AwsServer, awsError, startAws } from "./support/aws-server";
import { type Call, collectOutput, loadHandler } from "./support/lambda";

const output = collectOutput();
let aws: AwsServer;
/** Takes the place of Airflow's or Step Functions' answer. */
let answer: (request: AwsRequest) => AwsAnswer;

const stateMachine = "arn:aws:states:eu-west-1:123456789012:stateMachine:acme-test-training";
const withoutAirflow = { STAGE: "production", STATE_MACHINE: stateMachine };
const withAirflow = { STAGE: "production", AIRFLOW_ENVIRONMENT: "acme-test-airflow", DAG: "acme-data-workflow" };

/** What SNS hands to a function when an alarm changes its state. */
const event = (NewStateValue = "ALARM", StateChangeTime = "2026-03-01T23:59:59.123+0000", changes: object = {}) => ({
  Records: [
    {
      EventSource: "aws:sns",
      Sns: {
        Subject: "ALARM",
        Message: JSON.stringify({
          AlarmName: "acme-test-production-drift",
          NewStateValue,
          StateChangeTime,
          ...changes,
        }),
      },
    },
  ],
});

beforeAll(async () => {
  aws = await startAws();
});
afterAll(() => aws.close());
beforeEach(() => {
  aws.requests.length = 0;
  aws.respond = (request) => answer(request);
  output.clear();
});

describe("without Airflow", () => {
  let start: Call;
  let names: Set<string>;
  beforeEach(() => {
    start = loadHandler("start-data-workflow", withoutAirflow, aws);
    names = new Set();
    answer = ({ operation, json }) => {
      if (operation !== "StartExecution") {
        return awsError(400, "UnexpectedRequest");
      }
      if (names.has(json.name)) {
        return awsError(400, "ExecutionAlreadyExists");
      }
      names.add(json.name);
      return { body: { executionArn: `${stateMachine}:${json.name}`, startDate: 1 } };
    };
  });

  test("drift starts the ML workflow, with stage and day in its name", async () => {
    expect(await start(event())).toEqual([
      { workflow: "step-functions", run: "drift-production-2026-03-01", alreadyStarted: false },
    ]);
    expect(aws.requests.map(({ json }) => json)).toEqual([
      expect.objectContaining({ stateMachineArn: stateMachine, name: "drift-production-2026-03-01", input: "{}" }),
    ]);
  });

  test("an alarm that comes again on the same day starts nothing; on the next day it does", async () => {
    await start(event());
    expect(await start(event("ALARM", "2026-03-01T00:00:00.000+0000"))).toEqual([
      expect.objectContaining({ alreadyStarted: true }),
    ]);
    await start(event("ALARM", "2026-03-02T00:00:00.000+0000"));
    expect([...names]).toEqual(["drift-production-2026-03-01", "drift-production-2026-03-02"]);
  });

  test.each(["OK", "INSUFFICIENT_DATA"])("the state %s starts nothing", async (state) => {
    expect(await start(event(state))).toEqual([]);
    expect(aws.requests).toEqual([]);
  });

  test("a refusal by Step Functions fails, so that the function's alarm goes off", async () => {
    answer = () => awsError(400, "StateMachineDoesNotExist", "no such machine");
    await expect(start(event())).rejects.toThrow("no such machine");
  });

  test.each([
    {},
    { Records: [] },
    { Records: [{ Sns: { Message: "no json" } }] },
    { Records: [{ Sns: { Message: "{}" } }] },
    event("ALARMED"),
    event("ALARM", "yesterday"),
    null,
  ])("a message that is not an alarm is refused: %j", async (nonsense) => {
    await expect(start(nonsense)).rejects.toMatchObject({ name: "InvalidEvent" });
    expect(aws.requests).toEqual([]);
  });
});

describe("with Airflow", () => {
  let start: Call;
  beforeEach(() => {
    start = loadHandler("start-data-workflow", withAirflow, aws);
    answer = () => ({ body: { RestApiStatusCode: 200, RestApiResponse: { state: "queued" } } });
  });

  test("drift starts a run of the DAG by Airflow's own REST API", async () => {
    expect(await start(event())).toEqual([
      { workflow: "airflow", run: "drift-production-2026-03-01", alreadyStarted: false },
    ]);
    const [request] = aws.requests;
    expect(request).toMatchObject({ method: "POST", path: "/restapi/acme-test-airflow" });
    expect(request?.json).toEqual({
      Method: "POST",
      Path: "/dags/acme-data-workflow/dagRuns",
      Body: {
        dag_run_id: "drift-production-2026-03-01",
        logical_date: "2026-03-01T23:59:59.123Z",
        conf: { reason: "drift", stage: "production" },
      },
    });
  });

  test("the request is signed as botocore signs it", async () => {
    const python = join(__dirname, "../../.venv/emulator/bin/python");
    expect(existsSync(python)).toBe(true);
    await start(event());
    const [request] = aws.requests;
    const headers = request?.headers ?? {};
    const signed = /SignedHeaders=([^,]+)/.exec(String(headers.authorization))?.[1]?.split(";") ?? [];
    expect(signed).toEqual(expect.arrayContaining(["host", "x-amz-date"]));
    const script = `
import json, sys
from datetime import datetime
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
given = json.load(sys.stdin)
request = AWSRequest("POST", given["url"], headers=given["headers"], data=given["body"])
request.context["timestamp"] = given["headers"]["x-amz-date"]
auth = SigV4Auth(Credentials("123456789012", "test"), "airflow", "eu-west-1")
canonical = auth.canonical_request(request)
print(auth.signature(auth.string_to_sign(request, canonical), request))
`;
    const input = JSON.stringify({
      url: `${aws.url}${request?.path ?? ""}`,
      body: request?.body,
      headers: Object.fromEntries(signed.map((name) => [name, headers[name]])),
    });
    const expected = execFileSync(python, ["-c", script], { input, encoding: "utf8" }).trim();
    expect(String(headers.authorization)).toContain("/eu-west-1/airflow/aws4_request");
    expect(String(headers.authorization)).toContain(`Signature=${expected}`);
  });

  test("an existing run is not started again", async () => {
    answer = () => ({ status: 400, body: { RestApiStatusCode: 409, RestApiResponse: { title: "Conflict" } } });
    expect(await start(event())).toEqual([expect.objectContaining({ workflow: "airflow", alreadyStarted: true })]);
  });

  test.each<[string, AwsAnswer]>([
    ["there is no such environment", awsError(404, "ResourceNotFoundException")],
    ["Airflow refuses", { status: 400, body: { RestApiStatusCode: 403, RestApiResponse: {} } }],
    ["Airflow fails", { body: { RestApiStatusCode: 500, RestApiResponse: {} } }],
    ["the answer is not JSON", { body: "<html>" }],
  ])("when %s, the function fails and says what to look at", async (_, refusal) => {
    answer = () => refusal;
    await expect(start(event())).rejects.toMatchObject({
      name: "AirflowRefused",
      message: expect.stringMatching(/did not start acme-data-workflow: HTTP \d+: .*stack data-workflow deployed/),
    });
  });
});
