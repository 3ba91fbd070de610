import fc from "fast-check";
import { type AwsAnswer, type AwsServer, awsError, type Json, startAws } from "./support/aws-server";
import { bodyOf, type Call, collectOutput, httpEvent, loadHandler } from "./support/lambda";

// On a busy machine a minute is no sign of a fault.
jest.setTimeout(60_000);

const variables = { CONTACT_TABLE: "acme-test-contact", CONTACT_RETENTION_DAYS: "30" };
const message = {
  name: "Zoë Müller-O'Neill",
  email: "zoe@example.com",
  message: "How old is mine?\n\tIt is 91 mm long.",
};
const output = collectOutput();
let aws: AwsServer;
let contact: Call;
/** What the table holds, by id. */
let items: Map<string, Json>;

beforeAll(async () => {
  aws = await startAws();
  contact = loadHandler("contact", variables, aws);
});
afterAll(() => aws.close());
beforeEach(() => {
  jest.useFakeTimers({
    now: new Date("2026-03-01T09:30:00Z"),
    doNotFake: ["nextTick", "setImmediate", "setTimeout", "clearTimeout"],
  });
  items = new Map();
  aws.requests.length = 0;
  aws.respond = ({ operation, json }): AwsAnswer => {
    if (operation !== "PutItem") return awsError(400, "UnknownOperationException");
    if (items.has(json.Item.id.S)) return awsError(400, "ConditionalCheckFailedException");
    items.set(json.Item.id.S, json);
    return { body: {} };
  };
  output.clear();
});
afterEach(() => {
  jest.useRealTimers();
});

const post = (body: unknown): Promise<Json> => contact(httpEvent("POST", "/api/contact", JSON.stringify(body)));

test("a message is stored whole, for the days that the environment allows, and answered with its identifier", async () => {
  const answer = await post(message);
  expect(answer).toMatchObject({
    statusCode: 202,
    headers: { "content-type": "application/json", "cache-control": "no-store" },
  });
  const { id } = bodyOf(answer);
  expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect([...items.values()]).toEqual([
    {
      TableName: "acme-test-contact",
      ConditionExpression: "attribute_not_exists(id)",
      Item: {
        id: { S: id },
        name: { S: message.name },
        email: { S: message.email },
        message: { S: message.message },
        receivedAt: { S: "2026-03-01T09:30:00.000Z" },
        expiresAt: { N: String(Date.parse("2026-03-31T09:30:00Z") / 1000) },
      },
    },
  ]);
});

test("a message of as many characters as are allowed is stored however JSON writes it, and a longer one is told its limit", async () => {
  const escaped = (text: string): string =>
    text.replace(/[^]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
  const send = (text: string): Promise<Json> => {
    const fields = { name: "é".repeat(100), email: `${"x".repeat(52)}@example.com`, message: text };
    const members = Object.entries(fields).map(([name, value]) => `"${name}": "${escaped(value)}"`);
    return contact(httpEvent("POST", "/api/contact", `{${members.join(", ")}}`));
  };
  for (const text of ["ж".repeat(4000), "🐚".repeat(2000)]) {
    expect((await send(text)).statusCode).toBe(202);
    expect([...items.values()].at(-1)!.Item.message.S).toBe(text);
  }
  const refused = await send("ж".repeat(4001));
  expect(refused.statusCode).toBe(400);
  expect(bodyOf(refused).errors).toEqual([{ field: "message", expected: "1 to 4000 characters" }]);
  expect((await send("ж".repeat(6000))).statusCode).toBe(413);
});

test("the same message twice is stored once, with one identifier", async () => {
  const first = await post(message);
  jest.setSystemTime(new Date("2026-03-01T09:31:00Z"));
  const second = await post({ ...message, name: ` ${message.name} ` });
  expect(second.statusCode).toBe(202);
  expect(bodyOf(second)).toEqual(bodyOf(first));
  expect(items.size).toBe(1);
});

test("another message, and the same on another day, is a message of its own", async () => {
  await post(message);
  await post({ ...message, message: "And now?" });
  await post({ ...message, email: "other@example.com" });
  jest.setSystemTime(new Date("2026-03-02T00:00:00Z"));
  await post(message);
  expect(items.size).toBe(4);
});

describe("a wrong message is refused with what each field takes, but without what was sent", () => {
  const [name, email, text] = [
    "1 to 100 characters on one line",
    "an address like name@example.com, of at most 254 characters",
    "1 to 4000 characters",
  ];
  test.each<[string, object, string, string]>([
    ["no name", { name: undefined }, "name", name],
    ["a blank name", { name: "  " }, "name", name],
    ["a name of two lines", { name: "Zoë\r\nBcc: all@example.com" }, "name", name],
    ["a long name", { name: "x".repeat(101) }, "name", name],
    ["half a character for a name", { name: "\ud800" }, "name", name],
    ["no text for a name", { name: 1 }, "name", name],
    ["no address", { email: "" }, "email", email],
    ["an address without a domain", { email: "zoe" }, "email", email],
    ["two addresses", { email: "a@example.com,b@example.com" }, "email", email],
    ["an address with a line break", { email: "a@example.com\nBcc: b@example.com" }, "email", email],
    ["HTML for an address", { email: "<script>@example.com" }, "email", email],
    ["half a character in an address", { email: "zo\udc00e@example.com" }, "email", email],
    ["a long address", { email: `${"x".repeat(250)}@example.com` }, "email", email],
    ["no message", { message: " \n " }, "message", text],
    ["a long message", { message: "x".repeat(4001) }, "message", text],
    ["half a character in a message", { message: "How old is \ud83d?" }, "message", text],
    ["a message with control characters", { message: "\u001b[31mred" }, "message", text],
  ])("%s", async (_name, changes, field, expected) => {
    const answer = await post({ ...message, ...changes });
    expect(answer.statusCode).toBe(400);
    expect(bodyOf(answer).errors).toEqual([{ field, expected }]);
    expect(aws.requests).toEqual([]);
  });

  test.each<[string, unknown]>([
    ["a field too many", { ...message, subject: "x" }],
    ["a list", [message]],
    ["null", null],
    ["text", "hello"],
  ])("%s", async (_name, body) => {
    const answer = await post(body);
    expect(answer.statusCode).toBe(400);
    expect(bodyOf(answer).errors).toEqual([
      { field: "", expected: "a JSON object with the fields name, email, message and no other" },
    ]);
  });
});

test("characters of two halves are characters like any other", async () => {
  const answer = await post({ ...message, name: "Zoë 🐚", message: "🐚".repeat(2_000) });
  expect(answer.statusCode).toBe(202);
  expect([...items.values()][0].Item).toMatchObject({ name: { S: "Zoë 🐚" }, message: { S: "🐚".repeat(2_000) } });
});

test("HTML in a message is text: stored as it is, and not sent back", async () => {
  const html = "<script>alert(1)</script>";
  const answer = await post({ ...message, message: html });
  expect(answer.statusCode).toBe(202);
  expect([...items.values()][0].Item.message).toEqual({ S: html });
  expect(answer.body).not.toContain("script");
});

test("no input makes the handler fail", async () => {
  const halfCharacter = fc.constantFrom("\ud800", "\udfff");
  const text = fc.oneof(
    fc.string({ unit: "binary", maxLength: 50 }),
    fc.string({
      unit: fc.oneof(fc.string({ unit: "binary", minLength: 1, maxLength: 1 }), halfCharacter),
      maxLength: 50,
    }),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(fc.jsonValue(), fc.record({ name: text, email: fc.oneof(text, fc.emailAddress()), message: text })),
      async (body) => {
        expect([202, 400]).toContain((await post(body)).statusCode);
      },
    ),
    { numRuns: 200 },
  );
});

test.each<[string, AwsAnswer]>([
  ["no table", awsError(400, "ResourceNotFoundException")],
  ["no permission", awsError(400, "AccessDeniedException", "User may not put zoe@example.com")],
])("%s: the visitor is asked to try again, nothing is claimed to be stored", async (_name, failure) => {
  aws.respond = () => failure;
  const answer = await post(message);
  expect(answer).toMatchObject({
    statusCode: 503,
    headers: { "retry-after": "60", "content-type": "application/problem+json" },
  });
  expect(output.lines()).toContainEqual(expect.objectContaining({ ContactNotStored: 1 }));
});

test("nothing that people write is logged, whatever becomes of it", async () => {
  await post(message);
  await post({ ...message, email: "zoe" });
  aws.respond = ({ body }) => awsError(400, "ValidationException", body);
  await post(message);
  expect(output.lines().length).toBeGreaterThan(3);
  for (const part of ["Zoë", "zoe", "91 mm"]) expect(output.text()).not.toContain(part);
});

test.each([
  ["0", "between 1 and 3650"],
  ["many", "expected a number"],
])("a retention of '%s' days does not start", (CONTACT_RETENTION_DAYS, reason) => {
  expect(() => loadHandler("contact", { ...variables, CONTACT_RETENTION_DAYS }, aws)).toThrow(
    new RegExp(`CONTACT_RETENTION_DAYS: '${CONTACT_RETENTION_DAYS}' is wrong: .*${reason}`),
  );
});
