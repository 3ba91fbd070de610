import fc from "fast-check";
import { camelCase, features, isOptional, measures } from "../../survey/feature-contract";
import { type AwsAnswer, type AwsServer, awsError, type Json, startAws } from "./support/aws-server";
import { bodyOf, type Call, collectOutput, httpEvent, loadHandler } from "./support/lambda";
import { animal as exampleAnimal } from "../system/deployment";

const animal = exampleAnimal("M");
const required = features.filter((feature) => !isOptional(feature)).map(({ name }) => camelCase(name));
const prediction = { predictions: [{ rings: 9.06, low: 7.2, high: 12.84 }], confidence: 0.9, model: "acme-run-train" };
const output = collectOutput();
let aws: AwsServer;
let predict: Call;

beforeAll(async () => {
  aws = await startAws();
  predict = loadHandler("predict", { ENDPOINT_NAME: "acme-test" }, aws);
});
afterAll(() => aws.close());
beforeEach(() => {
  aws.requests.length = 0;
  aws.respond = () => ({ headers: { "content-type": "application/json" }, body: JSON.stringify(prediction) });
  output.clear();
});

const post = (body: string | object, headers?: Readonly<Record<string, string>>): Promise<Json> =>
  predict(httpEvent("POST", "/api/predict", body, headers));

function expectProblem(answer: Json, status: number): Json {
  expect(answer.statusCode).toBe(status);
  expect(answer.headers).toMatchObject({
    "content-type": "application/problem+json",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  });
  const problem = bodyOf(answer);
  expect(problem).toMatchObject({ type: "about:blank", status });
  expect(answer.body).not.toMatch(/[<>&]/);
  return problem;
}

describe("a right request", () => {
  test("is sent to the endpoint in the contract's names, and answered with an age in tenths of years", async () => {
    const answer = await post(animal);
    expect(answer.statusCode).toBe(200);
    expect(answer.headers).toMatchObject({ "content-type": "application/json", "cache-control": "no-store" });
    expect(bodyOf(answer)).toEqual({
      rings: 9.1,
      age: { years: 10.6, low: 8.7, high: 14.3, confidence: 0.9 },
      model: "acme-run-train",
    });
    expect(aws.requests).toMatchObject([
      {
        method: "POST",
        path: "/endpoints/acme-test/invocations",
        headers: { "content-type": "application/json", accept: "application/json" },
        json: {
          instances: [Object.fromEntries(features.map(({ name, example }) => [name, example]))],
        },
      },
    ]);
  });

  test.each<[string, object]>([
    ["base64", { body: Buffer.from(JSON.stringify(animal)).toString("base64"), isBase64Encoded: true }],
    ["a character set", { headers: { "content-type": 'Application/JSON; charset="UTF-8"' } }],
    ["headers in other letters", { headers: { "Content-Type": "application/json" } }],
    ["a named stage", { rawPath: "/live/api/predict", requestContext: { stage: "live", http: { method: "POST" } } }],
    ["a slash at the end", { rawPath: "/api/predict/" }],
  ])("may come with %s", async (_name, changes) => {
    const answer = await predict({ ...httpEvent("POST", "/api/predict", animal), ...changes });
    expect(answer.statusCode).toBe(200);
  });

  test("may hold any value that the contract accepts", async () => {
    const arbitrary = fc.record(
      Object.fromEntries(
        features.map((feature) => [
          camelCase(feature.name),
          feature.type === "category"
            ? fc.constantFrom(...Object.keys(feature.categories))
            : fc.double({ min: feature.minimum, max: feature.maximum, noNaN: true }),
        ]),
      ),
    );
    await fc.assert(
      fc.asyncProperty(arbitrary, async (body) => {
        expect((await post(body)).statusCode).toBe(200);
      }),
      { numRuns: 50 },
    );
  });

  test("is counted", async () => {
    await post(animal);
    expect(output.lines()).toContainEqual(expect.objectContaining({ service: "predict", Prediction: 1 }));
  });
});

describe("wrong input is the visitor's to correct: each field with what it takes, and the model is not asked", () => {
  afterEach(() => {
    expect(aws.requests).toEqual([]);
  });

  test.each<[string, object, object]>([
    ["negative", { height: -3 }, { field: "height", value: -3, expected: "a number between 1 and 100 mm" }],
    ["huge", { length: 1e300 }, { field: "length", value: 1e300, expected: "a number between 10 and 250 mm" }],
    ["zero", { shellWeight: 0 }, { field: "shellWeight", value: 0, expected: "a number between 0.1 and 1000 g" }],
    ["text", { length: "91" }, { field: "length", value: "91", expected: "a number between 10 and 250 mm" }],
    ["null", { length: null }, { field: "length", value: null, expected: "a number between 10 and 250 mm" }],
    ["true", { length: true }, { field: "length", value: true, expected: "a number between 10 and 250 mm" }],
    ["a list", { length: [91] }, { field: "length", value: "a list", expected: "a number between 10 and 250 mm" }],
    ["an object", { length: {} }, { field: "length", value: "an object", expected: "a number between 10 and 250 mm" }],
    ["another sex", { sex: "X" }, { field: "sex", value: "X", expected: "one of F, M, I" }],
    [
      "HTML",
      { sex: "<script>alert(1)</script>" },
      { field: "sex", value: "<script>alert(1)</script>", expected: "one of F, M, I" },
    ],
    ["half a character", { sex: "\ud800" }, { field: "sex", value: "\ud800", expected: "one of F, M, I" }],
    ["long text", { sex: "x".repeat(5000) }, { field: "sex", value: `${"x".repeat(39)}…`, expected: "one of F, M, I" }],
    ["a missing field", { diameter: undefined }, { field: "diameter", expected: "a number between 5 and 200 mm" }],
    [
      "a field too many",
      { whole_weight: 1 },
      {
        field: "whole_weight",
        expected: `no other fields than ${features.map(({ name }) => camelCase(name)).join(", ")}`,
      },
    ],
  ])("%s", async (_name, changes, error) => {
    const problem = expectProblem(await post({ ...animal, ...changes }), 400);
    expect(problem.errors).toEqual([error]);
    expect(problem.detail).toBe(`Correct this field: ${(error as { field: string }).field}`);
  });

  test("numbers that JSON cannot hold", async () => {
    const infinite = expectProblem(await post(JSON.stringify(animal).replace("91", "1e999")), 400);
    expect(infinite.errors).toEqual([
      { field: "length", value: "Infinity", expected: "a number between 10 and 250 mm" },
    ]);
    expect(expectProblem(await post(JSON.stringify(animal).replace("91", "NaN")), 400).detail).toBe(
      "The body is not valid JSON",
    );
  });

  test("of a field that is there twice the last one counts", async () => {
    const twice = JSON.stringify(animal).replace('"length":91', '"length":91,"length":-1');
    expect(expectProblem(await post(twice), 400).errors).toEqual([
      { field: "length", value: -1, expected: "a number between 10 and 250 mm" },
    ]);
  });

  test("every wrong field at once", async () => {
    const problem = expectProblem(await post({}), 400);
    expect(problem.errors.map(({ field }: { field: string }) => field)).toEqual(required);
  });

  test("names that every object has are no fields", async () => {
    const body = `{"__proto__": {"length": 91}, "constructor": 1, ${JSON.stringify(animal).slice(1)}`;
    const fields = expectProblem(await post(body), 400).errors.map(({ field }: { field: string }) => field);
    expect(fields).toEqual(["__proto__", "constructor"]);
    expect(expectProblem(await post('{"__proto__": {"sex": "M"}}'), 400).errors).toHaveLength(required.length + 1);
  });

  test("thousands of fields are answered with a short list", async () => {
    const many = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`f${index}`, 1]));
    const answer = await post(many);
    expect(expectProblem(answer, 400).errors).toHaveLength(20);
    expect(answer.body.length).toBeLessThan(8000);
  });

  test.each<[string, string]>([
    ["a list", "[]"],
    ["a number", "1"],
    ["null", "null"],
    ["text", '"x"'],
    ["deep brackets", `${"[".repeat(8000)}${"]".repeat(8000)}`],
  ])("%s instead of an object", async (_name, body) => {
    const problem = expectProblem(await post(body), 400);
    expect(problem.detail).toBe("Send a JSON object with the animal's sex and measures");
    expect(problem.errors).toHaveLength(1);
  });

  test("a deep structure in a field", async () => {
    const deep = `${'{"a":'.repeat(2000)}1${"}".repeat(2000)}`;
    expectProblem(await post(JSON.stringify(animal).replace("91", deep)), 400);
  });

  test.each<[string, number, object]>([
    ["another path", 404, httpEvent("POST", "/api/other", animal)],
    ["the root", 404, httpEvent("GET", "/")],
    ["a path that only begins the same", 404, httpEvent("POST", "/api/predict/1", animal)],
    ["GET", 405, httpEvent("GET", "/api/predict")],
    ["HEAD", 405, httpEvent("HEAD", "/api/predict")],
    ["DELETE", 405, httpEvent("DELETE", "/api/predict", animal)],
    ["a body of 5 MB", 413, httpEvent("POST", "/api/predict", "x".repeat(5_000_000))],
    ["a body of many bytes in few letters", 413, httpEvent("POST", "/api/predict", "😀".repeat(4097))],
    [
      "a large body in base64",
      413,
      { ...httpEvent("POST", "/api/predict", Buffer.alloc(16_385, 32).toString("base64")), isBase64Encoded: true },
    ],
    [
      "a form",
      415,
      httpEvent("POST", "/api/predict", "sex=M", { "content-type": "application/x-www-form-urlencoded" }),
    ],
    ["no content type", 415, httpEvent("POST", "/api/predict", animal, {})],
    [
      "another character set",
      415,
      httpEvent("POST", "/api/predict", animal, { "content-type": "application/json; charset=utf-16" }),
    ],
    [
      "a compressed body",
      415,
      httpEvent("POST", "/api/predict", animal, { "content-type": "application/json", "content-encoding": "gzip" }),
    ],
    ["no body", 400, httpEvent("POST", "/api/predict", undefined, {})],
    ["an empty body", 400, httpEvent("POST", "/api/predict", "")],
    ["broken JSON", 400, httpEvent("POST", "/api/predict", JSON.stringify(animal).slice(0, -1))],
    ["HTML", 400, httpEvent("POST", "/api/predict", "<html><script>alert(1)</script>")],
    [
      "bytes that are not UTF-8",
      400,
      {
        ...httpEvent("POST", "/api/predict", Buffer.from([0x22, 0xff, 0x22]).toString("base64")),
        isBase64Encoded: true,
      },
    ],
  ])("%s is answered with %d", async (_name, status, event) => {
    const answer = await predict(event);
    expectProblem(answer, status);
    if (status === 405) {
      expect(answer.headers.allow).toBe("POST, OPTIONS");
    }
  });

  test("OPTIONS gets the allowed methods", async () => {
    expect(await predict(httpEvent("OPTIONS", "/api/predict"))).toMatchObject({
      statusCode: 204,
      headers: { allow: "POST, OPTIONS", "cache-control": "no-store" },
    });
  });

  test("the largest body that is read has 16 KiB", async () => {
    const padded = JSON.stringify({}).padEnd(16 * 1024);
    expectProblem(await post(padded), 400);
    expectProblem(await post(`${padded} `), 413);
  });
});

test("no input at all makes the handler fail: never 5xx, never a word of it as HTML", async () => {
  const value = fc.oneof(
    fc.jsonValue(),
    fc.double(),
    fc.string({ unit: "binary" }),
    fc.constantFrom("<img src=x>", -1, Infinity),
  );
  const body = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.json(),
    fc
      .dictionary(fc.oneof(fc.string(), fc.constantFrom(...Object.keys(animal), "__proto__", "toString")), value)
      .map((object) => JSON.stringify(object)),
    fc
      .tuple(fc.constantFrom(...Object.keys(animal)), value)
      .map(([field, wrong]) => JSON.stringify({ ...animal, [field]: wrong })),
  );
  const event = fc.record({
    method: fc.constantFrom("POST", "POST", "POST", "GET", "OPTIONS", "<b>"),
    path: fc.constantFrom("/api/predict", "/api/predict", "/api/predict", "/", "//", "/api/<b>"),
    type: fc.constantFrom("application/json", "application/json;charset=utf-8", "text/html", "", ";;;"),
    body,
    isBase64Encoded: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(event, async ({ method, path, type, body: text, isBase64Encoded }) => {
      const answer = await predict({ ...httpEvent(method, path, text, { "content-type": type }), isBase64Encoded });
      expect([200, 204, 400, 404, 405, 413, 415]).toContain(answer.statusCode);
      expect(answer.body ?? "").not.toMatch(/[<>]/);
    }),
    { numRuns: 500 },
  );
});

describe("when the model cannot answer, the visitor may try again", () => {
  const instead = (body: unknown): AwsAnswer => ({
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const changed = (changes: object): AwsAnswer =>
    instead({ ...prediction, predictions: [{ ...prediction.predictions[0], ...changes }] });

  test.each<[string, AwsAnswer]>([
    ["a model error", awsError(424, "ModelError")],
    ["throttling", awsError(429, "ThrottlingException")],
    ["no such endpoint", awsError(400, "ValidationError", "Endpoint acme-test not found")],
    ["an internal failure", awsError(500, "InternalFailure")],
    ["a service that is away", awsError(503, "ServiceUnavailable")],
    ["no permission", awsError(403, "AccessDeniedException")],
    ["a broken connection", "break"],
    ["no JSON", { body: "<html>Bad Gateway</html>" }],
    ["NaN", { body: JSON.stringify(prediction).replace("9.06", "NaN") }],
    ["no number", changed({ rings: null })],
    ["an endless number", { body: JSON.stringify(prediction).replace("9.06", "1e999") }],
    ["an interval whose low end is above its high end", changed({ low: 20 })],
    ["fewer rings than none", changed({ low: -3 })],
    ["more rings than an abalone can have", changed({ high: 1e6 })],
    ["no prediction", instead({ ...prediction, predictions: [] })],
    [
      "two predictions",
      instead({ ...prediction, predictions: [...prediction.predictions, ...prediction.predictions] }),
    ],
    ["nothing", instead({})],
  ])("%s", async (_name, answer) => {
    aws.respond = () => answer;
    const response = await post(animal);
    const problem = expectProblem(response, 503);
    expect(response.headers["retry-after"]).toBe("5");
    expect(problem.detail).toBe("The model cannot answer at the moment. Please try again in a few seconds");
    expect(output.lines()).toContainEqual(expect.objectContaining({ ModelUnavailable: 1 }));
    expect(output.lines()).toContainEqual(
      expect.objectContaining({
        level: "ERROR",
        message: "The model did not answer",
        endpoint: "acme-test",
        reason: expect.stringMatching(/./),
      }),
    );
  });

  test.each<[string, AwsAnswer]>([
    [
      "fails with it",
      {
        status: 424,
        headers: { "content-type": "application/json", "x-amzn-errortype": "ModelError" },
        body: { Message: "length is 91.125", OriginalMessage: "length is 91.125", OriginalStatusCode: 400 },
      },
    ],
    ["answers with it instead of JSON", { body: "<p>length is 91.125</p>" }],
    ["answers with it in the place of a number", changed({ rings: "length is 91.125" })],
    ["answers with it beside what is asked", instead({ "length is 91.125": 91.125 })],
  ])("a model that %s brings nothing of what was sent into answer or log", async (_name, answer) => {
    aws.respond = () => answer;
    const response = await post({ ...animal, length: 91.125 });
    expectProblem(response, 503);
    expect(`${String(response.body)}${output.text()}`).not.toContain("91.125");
    expect(output.lines()).toContainEqual(
      expect.objectContaining({ message: "The model did not answer", reason: expect.stringMatching(/^the model/) }),
    );
  });

  test("an endpoint that is down gives the same answer as one that fails", async () => {
    const gone = await startAws();
    await gone.close();
    const alone = loadHandler("predict", { ENDPOINT_NAME: "acme-test" }, gone);
    const response = await alone(httpEvent("POST", "/api/predict", animal));
    expectProblem(response, 503);
    expect(response.headers["retry-after"]).toBe("5");
    expect(output.lines()).toContainEqual(expect.objectContaining({ reason: expect.stringContaining("ECONNREFUSED") }));
    predict = loadHandler("predict", { ENDPOINT_NAME: "acme-test" }, aws);
  });

  test("a model that hangs is not waited for", async () => {
    const abort = new AbortController();
    const patience = jest.spyOn(AbortSignal, "timeout").mockReturnValueOnce(abort.signal);
    aws.respond = () => {
      abort.abort();
      return "hang";
    };
    expectProblem(await post(animal), 503);
    expect(patience).toHaveBeenCalledWith(8_000);
  });

  /** What a model answers that fails, as SageMaker hands it on. */
  const failed = (OriginalStatusCode: number): AwsAnswer => ({
    status: 424,
    headers: { "content-type": "application/json", "x-amzn-errortype": "ModelError" },
    body: JSON.stringify({ Message: "Received an error from primary", OriginalStatusCode }),
  });
  const oneAfter = (failures: number, failure: AwsAnswer): void => {
    aws.respond = () => (aws.requests.length <= failures ? failure : instead(prediction));
  };

  test.each<[string, AwsAnswer]>([
    ["fails", failed(500)],
    ["ends", failed(0)],
    ["answers NaN", { body: JSON.stringify(prediction).replace("9.06", "NaN") }],
    ["answers nonsense", instead({})],
  ])("a model that %s is asked again, because a release may be being rolled back", async (_name, failure) => {
    oneAfter(2, failure);
    expect((await post(animal)).statusCode).toBe(200);
    expect(aws.requests).toHaveLength(3);
    expect(output.lines()).toContainEqual(expect.objectContaining({ ModelAskedAgain: [1, 1] }));
  });

  test("and not for ever", async () => {
    oneAfter(3, failed(500));
    expectProblem(await post(animal), 503);
    expect(aws.requests).toHaveLength(3);
  });

  test("a model that refuses the request is not asked twice", async () => {
    oneAfter(1, failed(400));
    expectProblem(await post(animal), 503);
    expect(aws.requests).toHaveLength(1);
  });

  test("a short disturbance has no effect", async () => {
    let first = true;
    aws.respond = () => {
      const answer = first ? awsError(503, "ServiceUnavailable") : instead(prediction);
      first = false;
      return answer;
    };
    expect((await post(animal)).statusCode).toBe(200);
  });
});

test("what visitors send stays out of the log", async () => {
  await post({ ...animal, sex: "very personal text" });
  await post("{very personal text");
  expect(output.text()).not.toContain("personal");
});

test("without its environment the function does not start, and says what is missing", () => {
  expect(() => loadHandler("predict", {}, aws)).toThrow(
    "The function's environment is incomplete: ENDPOINT_NAME is not set. Correct the stack that deploys it.",
  );
});

test("the test's animal has every measure of the contract", () => {
  expect(Object.keys(animal)).toEqual(["sex", ...measures.map(({ name }) => camelCase(name))]);
});
