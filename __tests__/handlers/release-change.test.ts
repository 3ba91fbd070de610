import fc from "fast-check";
import { type AwsAnswer, type AwsRequest, type AwsServer, awsError, startAws } from "./support/aws-server";
import { type Call, collectOutput, loadHandler } from "./support/lambda";

const output = collectOutput();
let aws: AwsServer;
let release: Call;
/** Executions by token, as CodePipeline keeps them. */
let executions: Map<string, string>;
/** Takes the place of CodePipeline's answer. */
let start: (request: AwsRequest) => AwsAnswer;

const surveys = [
  { key: "surveys/a.csv", etag: '"0123"' },
  { key: "surveys/2026/b.csv", etag: '"4567"' },
];

beforeAll(async () => {
  aws = await startAws();
  release = loadHandler("release-change", { PIPELINE: "acme-test-pipeline" }, aws);
});
afterAll(() => aws.close());
beforeEach(() => {
  executions = new Map();
  start = ({ json }) => {
    const token: string = json.clientRequestToken;
    const id = executions.get(token) ?? `execution-${executions.size + 1}`;
    executions.set(token, id);
    return { body: { pipelineExecutionId: id } };
  };
  aws.requests.length = 0;
  aws.respond = (request) =>
    request.operation === "StartPipelineExecution" ? start(request) : awsError(400, "UnexpectedRequest");
  output.clear();
});

test("the surveys of a run start the pipeline, with a token that CodePipeline takes", async () => {
  const { token, ...started } = await release({ surveys });
  expect(started).toEqual({ pipeline: "acme-test-pipeline", pipelineExecutionId: "execution-1" });
  expect(token).toMatch(/^[a-zA-Z0-9-]{1,128}$/);
  expect(aws.requests.map(({ json }) => json)).toEqual([{ name: "acme-test-pipeline", clientRequestToken: token }]);
});

test("a repeated call starts nothing again, in whatever order it names the surveys", async () => {
  const first = await release({ surveys });
  expect(await release({ surveys: [...surveys].reverse() })).toEqual(first);
  // S3's own list has the quotes, some clients strip them.
  expect(await release({ surveys: surveys.map(({ key, etag }) => ({ key, etag: etag.slice(1, -1) })) })).toEqual(first);
  expect(executions.size).toBe(1);
});

test("another content, another survey, or one survey less is another release", async () => {
  const [first, second] = surveys;
  for (const changed of [
    surveys,
    [first],
    [second],
    [{ ...first, etag: '"89ab"' }, second],
    [{ ...first, key: "surveys/c.csv" }, second],
    [
      { key: second!.key, etag: first!.etag },
      { key: first!.key, etag: second!.etag },
    ],
  ]) {
    await release({ surveys: changed });
  }
  expect(executions.size).toBe(6);
});

test("a survey that comes again is another release, however its time is written the same one", async () => {
  const at = (arrived: string): Promise<unknown> => release({ surveys: [{ ...surveys[0], arrived }] });
  const first = await at("2026-03-01T09:30:00Z");
  expect(await at("2026-03-01T10:30:00.000+01:00")).toEqual(first);
  expect(await at("2026-03-02T09:30:00Z")).not.toEqual(first);
  expect(await release({ surveys: [surveys[0]] })).not.toEqual(first);
  expect(executions.size).toBe(3);
});

test("no two sets of surveys share a token, whatever their names look like", async () => {
  const survey = fc.record({ key: fc.string({ minLength: 1 }), etag: fc.stringMatching(/^[0-9a-f-]{1,8}$/) });
  const sets = fc.uniqueArray(survey, { minLength: 1, maxLength: 3, selector: ({ key }) => key });
  const seen = new Map<string, string>();
  await fc.assert(
    fc.asyncProperty(sets, async (set) => {
      const { token } = await release({ surveys: set });
      const meaning = JSON.stringify(set.map(({ key, etag }) => [key, etag]).sort());
      expect(seen.get(token) ?? meaning).toBe(meaning);
      seen.set(token, meaning);
    }),
    { numRuns: 100 },
  );
});

test.each([
  ["nothing", undefined, /the event: /],
  ["no surveys", {}, /surveys: /],
  ["an empty list", { surveys: [] }, /surveys: expected at least one survey/],
  ["a survey without an ETag", { surveys: [{ key: "surveys/a.csv" }] }, /surveys\.0\.etag: /],
  ["no time", { surveys: [{ key: "surveys/a.csv", etag: "x", arrived: "yesterday" }] }, /surveys\.0\.arrived: /],
  ["an empty key", { surveys: [{ key: "", etag: "x" }] }, /surveys\.0\.key: /],
  ["half a surrogate pair", { surveys: [{ key: "\ud800", etag: "x" }] }, /surveys\.0\.key: is not well-formed/],
  ["a survey twice", { surveys: [surveys[0], surveys[0]] }, /surveys: names a survey twice/],
])("%s is refused, and CodePipeline is not asked", async (_name, event, message) => {
  await expect(release(event)).rejects.toMatchObject({
    name: "InvalidEvent",
    message: expect.stringMatching(message),
  });
  expect(aws.requests).toEqual([]);
});

test("a pipeline that isn't there is named, with what to do", async () => {
  start = () => awsError(400, "PipelineNotFoundException");
  await expect(release({ surveys })).rejects.toMatchObject({
    name: "PipelineNotFound",
    message: "There is no pipeline acme-test-pipeline: deploy the pipeline stack, then repeat the call",
  });
  expect(aws.requests).toHaveLength(1);
});

test("a passing fault is tried again with the same token, and a lasting one ends after four tries", async () => {
  let faults = 2;
  const answer = start;
  start = (request) => (faults-- > 0 ? awsError(500, "InternalFailure") : answer(request));
  expect(await release({ surveys })).toMatchObject({ pipelineExecutionId: "execution-1" });
  expect(new Set(aws.requests.map(({ json }) => json.clientRequestToken)).size).toBe(1);

  aws.requests.length = 0;
  faults = Infinity;
  await expect(release({ surveys })).rejects.toMatchObject({ name: "InternalFailure" });
  expect(aws.requests).toHaveLength(4);
});

test("too many executions at once is CodePipeline's word, passed on for a later try", async () => {
  start = () => awsError(400, "ConcurrentPipelineExecutionsLimitExceededException");
  await expect(release({ surveys })).rejects.toMatchObject({
    name: "ConcurrentPipelineExecutionsLimitExceededException",
  });
});

test("a start without an execution id is not a success", async () => {
  start = () => ({ body: {} });
  await expect(release({ surveys })).rejects.toThrow("CodePipeline started acme-test-pipeline without an execution id");
});
