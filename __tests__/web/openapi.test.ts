import { type AwsServer, type Json, startAws } from "../handlers/support/aws-server";
import { bodyOf, type Call, collectOutput, httpEvent, loadHandler } from "../handlers/support/lambda";
import { openApiDocument, openApiJson } from "../../web/openapi";
import { camelCase, features, measures } from "../../survey/feature-contract";
import { contactLimits } from "../../web/contact-limits";

const environments: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  predict: { ENDPOINT_NAME: "e" },
  contact: {
    CONTACT_TABLE: "t",
    CONTACT_RETENTION_DAYS: "30",
    CONTACT_VISITORS_TABLE: "v",
    CONTACT_MESSAGES_PER_HOUR: "100",
  },
};
const document = openApiDocument() as Json;
const { schemas } = document.components;
const exampleOf = (path: string): Json =>
  document.paths[path].post.requestBody.content["application/json"].examples.usual.value;
const [animal, message] = ["/api/predict", "/api/contact"].map(exampleOf);

collectOutput();
let aws: AwsServer;
let calls: Readonly<Record<string, Call>>;

beforeAll(async () => {
  aws = await startAws();
  aws.respond = ({ path }) =>
    path.startsWith("/endpoints/")
      ? {
          headers: { "content-type": "application/json" },
          body: { predictions: [{ rings: 9, low: 7, high: 12 }], confidence: 0.9, model: "m" },
        }
      : { headers: { "content-type": "application/x-amz-json-1.0" }, body: {} };
  calls = Object.fromEntries(
    ["predict", "contact"].map((name) => [`/api/${name}`, loadHandler(name, environments[name] ?? {}, aws)]),
  );
});
afterAll(() => aws.close());

const ask = (path: string, body: Json): Promise<Json> => calls[path]!(httpEvent("POST", path, body));
const wrongFields = (answer: Json): readonly string[] =>
  bodyOf(answer).errors.map(({ field }: { field: string }) => field);

test("is the same every time, and describes each route once", () => {
  expect(openApiJson()).toBe(openApiJson());
  expect(JSON.parse(openApiJson())).toEqual(document);
  expect(document.openapi).toBe("3.1.0");
  expect(Object.keys(document.paths)).toEqual(["/api/predict", "/api/contact"]);
  for (const reference of openApiJson().matchAll(/"\$ref": "#\/components\/schemas\/(\w+)"/g)) {
    expect(Object.keys(schemas)).toContain(reference[1]);
  }
});

test("its examples are accepted, and answered as described", async () => {
  const answer = await ask("/api/predict", animal);
  expect(answer.statusCode).toBe(200);
  expect(Object.keys(bodyOf(answer)).sort()).toEqual([...schemas.Prediction.required].sort());
  expect(Object.keys(bodyOf(answer).age).sort()).toEqual([...schemas.Prediction.properties.age.required].sort());
  const receipt = await ask("/api/contact", message);
  expect(receipt.statusCode).toBe(202);
  expect(bodyOf(receipt).id).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
});

describe("the animal", () => {
  test("has the contract's fields and no other", async () => {
    expect(Object.keys(schemas.Animal.properties)).toEqual(features.map(({ name }) => camelCase(name)));
    expect(wrongFields(await ask("/api/predict", { ...animal, other: 1 }))).toEqual(["other"]);
    for (const field of schemas.Animal.required) {
      expect(wrongFields(await ask("/api/predict", { ...animal, [field]: undefined }))).toEqual([field]);
    }
  });

  test.each(measures.map(({ name }) => camelCase(name)))(
    "%s is accepted at both bounds, and refused just outside",
    async (field) => {
      const { minimum, maximum } = schemas.Animal.properties[field];
      const beside = (bound: number, direction: number): number => bound + direction * bound * 2 * Number.EPSILON;
      for (const value of [minimum, maximum]) {
        expect((await ask("/api/predict", { ...animal, [field]: value })).statusCode).toBe(200);
      }
      for (const value of [beside(minimum, -1), beside(maximum, 1), String(minimum), null, true, [minimum]]) {
        const answer = await ask("/api/predict", { ...animal, [field]: value });
        expect([answer.statusCode, wrongFields(answer)]).toEqual([400, [field]]);
      }
    },
  );

  test("has each of the contract's sexes and no other", async () => {
    for (const sex of schemas.Animal.properties.sex.enum) {
      expect((await ask("/api/predict", { ...animal, sex })).statusCode).toBe(200);
    }
    for (const sex of ["f", "", "X", "toString", 1]) {
      expect(wrongFields(await ask("/api/predict", { ...animal, sex }))).toEqual(["sex"]);
    }
  });
});

describe("the message", () => {
  const longest: Readonly<Record<string, string>> = {
    name: "n".repeat(contactLimits.name),
    // A word of a domain has 63 characters at most, what stands before the @ 64.
    email: `${"e".repeat(contactLimits.email - 191)}@${"d".repeat(62)}.${"d".repeat(63)}.${"d".repeat(59)}.org`,
    message: "m".repeat(contactLimits.message),
  };

  test("has the form's fields, and the one that people leave empty", () => {
    expect(Object.keys(schemas.Message.properties)).toEqual([...Object.keys(contactLimits), "website"]);
  });

  test.each(Object.keys(contactLimits))(
    "%s is accepted at its maximum length, and refused just beyond",
    async (field) => {
      expect(longest[field]).toHaveLength(schemas.Message.properties[field].maxLength);
      expect((await ask("/api/contact", { ...message, [field]: longest[field] })).statusCode).toBe(202);
      for (const value of [
        `${field === "email" ? "x" : ""}${longest[field]}${field === "email" ? "" : "x"}`,
        "",
        1,
        null,
      ]) {
        const answer = await ask("/api/contact", { ...message, [field]: value });
        expect([answer.statusCode, wrongFields(answer)]).toEqual([400, [field]]);
      }
    },
  );

  test("accepts no other field", async () => {
    expect((await ask("/api/contact", { ...message, other: 1 })).statusCode).toBe(400);
  });
});

test("every refusal is documented, with its format", async () => {
  for (const path of Object.keys(calls)) {
    const { responses } = document.paths[path].post;
    const example = exampleOf(path);
    const events = [
      httpEvent("POST", path, "{"),
      httpEvent("GET", path),
      httpEvent("POST", path, "x".repeat(100_000)),
      httpEvent("POST", path, example, { "content-type": "text/plain" }),
    ];
    const answers = await Promise.all(events.map((event) => calls[path]!(event)));
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([400, 405, 413, 415]);
    for (const answer of answers) {
      const { headers = {}, content } = responses[String(answer.statusCode)];
      expect(Object.keys(content)).toContain(answer.headers["content-type"]);
      for (const name of Object.keys(headers)) {
        expect(answer.headers[name.toLowerCase()]).toEqual(expect.any(String));
      }
      for (const field of schemas.Problem.required) {
        expect(bodyOf(answer)).toHaveProperty(field);
      }
      for (const field of Object.keys(bodyOf(answer))) {
        expect(schemas.Problem.properties).toHaveProperty(field);
      }
    }
  }
});
