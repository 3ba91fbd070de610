import fc from "fast-check";
import { type AwsAnswer, type AwsRequest, type AwsServer, awsError, type Json, startAws } from "./support/aws-server";
import { bodyOf, type Call, collectOutput, httpEvent, loadHandler } from "./support/lambda";

const variables = {
  CONTACT_TABLE: "acme-test-contact",
  CONTACT_RETENTION_DAYS: "30",
  CONTACT_VISITORS_TABLE: "acme-test-contact-visitors",
  CONTACT_MESSAGES_PER_HOUR: "3",
};
const message = {
  name: "Zoë Müller-O'Neill",
  email: "zoe@example.com",
  message: "How old is mine?\n\tIt is 91 mm long.",
};
const output = collectOutput();
let aws: AwsServer;
let contact: Call;
/** What the table of messages holds, by id. */
let items: Map<string, Json>;
/** What the table of visitors holds, by id: the key, and how many messages a code has sent. */
let visitors: Map<string, Json>;
/** Transactions that another one comes in the way of. */
let conflicts = 0;

/** The two tables, as far as the handler asks: one transaction, and the key that is replaced once a day. */
function tables({ operation, json }: AwsRequest): AwsAnswer {
  if (operation === "UpdateItem") {
    const { Key, ExpressionAttributeValues: values } = json;
    const found = visitors.get(Key.id.S);
    if (found && found.day.S >= values[":day"].S) {
      return { ...(awsError(400, "ConditionalCheckFailedException") as object), body: { Item: found } };
    }
    visitors.set(Key.id.S, { id: Key.id, day: values[":day"], key: values[":key"] });
    return { body: {} };
  }
  if (operation !== "TransactWriteItems") {
    return awsError(400, "UnknownOperationException");
  }
  const reasons = json.TransactItems.map(({ Put, Update }: Json) => {
    if (conflicts > 0) {
      return "TransactionConflict";
    }
    if (Put) {
      return items.has(Put.Item.id.S) ? "ConditionalCheckFailed" : "None";
    }
    const sent = visitors.get(Update.Key.id.S) ?? 0;
    return sent < Number(Update.ExpressionAttributeValues[":limit"].N) ? "None" : "ConditionalCheckFailed";
  });
  if (reasons.some((reason: string) => reason !== "None")) {
    conflicts = Math.max(0, conflicts - 1);
    return {
      ...(awsError(400, "TransactionCanceledException") as object),
      body: { CancellationReasons: reasons.map((Code: string) => ({ Code })) },
    };
  }
  for (const { Put, Update } of json.TransactItems) {
    if (Put) {
      items.set(Put.Item.id.S, Put);
    } else {
      visitors.set(Update.Key.id.S, Number(visitors.get(Update.Key.id.S) ?? 0) + 1);
    }
  }
  return { body: {} };
}

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
  visitors = new Map();
  conflicts = 0;
  aws.requests.length = 0;
  aws.respond = tables;
  output.clear();
});
afterEach(() => {
  jest.useRealTimers();
});

/** How many requests the test has made: each from a visitor of its own, unless it says from whom. */
let asked = 0;

/** A request as it comes through CloudFront, from a visitor. */
function requestOf(body: unknown, visitor: string, connected = "203.0.113.200"): Json {
  const event: Json = httpEvent("POST", "/api/contact", JSON.stringify(body), {
    "content-type": "application/json",
    "x-forwarded-for": `${visitor}, ${connected}`,
  });
  event.requestContext.http.sourceIp = connected;
  return event;
}

const post = (body: unknown): Promise<Json> => {
  asked++;
  const place = `${(asked >> 8) % 256}.${asked % 256}`;
  return contact(requestOf(body, `198.18.${place}`, `198.19.${place}`));
};

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
    const event = requestOf({}, `192.0.2.${fields.message.length % 251}`);
    return contact({ ...event, body: `{${members.join(", ")}}` });
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

describe("a program that fills the field which people don't see", () => {
  test.each(["https://spam.example", " ", 1, ["x"], { a: 1 }])(
    "%j: is answered like a person, and stores nothing",
    async (website) => {
      const answer = await post({ ...message, website });
      const toPerson = await post(message);
      expect(answer).toMatchObject({ statusCode: 202 });
      expect(bodyOf(answer).id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8/);
      expect(answer.headers).toEqual(toPerson.headers);
      expect(items.size).toBe(1);
      expect(output.lines()).toContainEqual(expect.objectContaining({ ContactDiscarded: 1 }));
      expect(output.text()).not.toContain("spam");
    },
  );

  test.each([undefined, null, ""])("what a browser sends for an empty one (%j) is not a program", async (website) => {
    await post({ ...message, website });
    expect(items.size).toBe(1);
  });
});

describe("a visitor who sends too much", () => {
  const numbered = (number: number): object => ({ ...message, message: `Number ${number}` });
  const send = (number: number, visitor: string, connected?: string): Promise<Json> =>
    contact(requestOf(numbered(number), visitor, connected));

  test("gets 429 and a time to retry; the message is not stored, and others are not affected", async () => {
    for (const number of [1, 2, 3]) {
      expect((await send(number, "192.0.2.1")).statusCode).toBe(202);
    }
    const refused = await send(4, "192.0.2.1");
    expect(refused).toMatchObject({
      statusCode: 429,
      headers: { "content-type": "application/problem+json", "retry-after": "1800" },
    });
    expect(bodyOf(refused).detail).toMatch(/not stored.* in 30 minutes$/);
    expect(items.size).toBe(3);
    expect((await send(5, "192.0.2.2")).statusCode).toBe(202);
    expect(output.lines()).toContainEqual(expect.objectContaining({ ContactLimited: 1 }));
  });

  test("may send again in the next hour, and on the next day", async () => {
    for (const number of [1, 2, 3]) {
      await send(number, "192.0.2.1");
    }
    expect((await send(4, "192.0.2.1")).statusCode).toBe(429);
    jest.setSystemTime(new Date("2026-03-01T10:00:00Z"));
    expect((await send(4, "192.0.2.1")).statusCode).toBe(202);
    jest.setSystemTime(new Date("2026-03-02T00:30:00Z"));
    for (const number of [1, 2, 3]) {
      expect((await send(number, "192.0.2.1")).statusCode).toBe(202);
    }
  });

  test("counts once for a repeated message, and gets its number even at the limit", async () => {
    for (const number of [1, 1, 1, 2, 3, 3, 1]) {
      expect((await send(number, "192.0.2.1")).statusCode).toBe(202);
    }
    expect(items.size).toBe(3);
  });

  test("does not get further by other addresses of the same IPv6 network", async () => {
    for (const number of [1, 2, 3]) {
      await send(number, `2001:db8:0:7::${number}`);
    }
    expect((await send(4, "2001:db8:0:7:ffff:1:2:3")).statusCode).toBe(429);
    expect((await send(5, "2001:db8:0:8::1")).statusCode).toBe(202);
  });

  test("does not get far by calling the API directly with invented addresses", async () => {
    const answers = [];
    for (let number = 0; number < 61; number++) {
      answers.push((await send(number, `192.0.2.${number}`, "198.51.100.1")).statusCode);
    }
    expect(answers.filter((status) => status === 202).length).toBe(60);
    expect(answers.at(-1)).toBe(429);
  });

  test.each([
    ["calls the API itself", "", "198.51.100.1"],
    ["sends something else than addresses", "<script>, not-an-address", "198.51.100.1"],
    ["comes from nowhere", "", ""],
  ])("who %s is counted by the connection", async (_name, forwarded, connected) => {
    for (const number of [1, 2, 3]) {
      expect((await send(number, forwarded, connected)).statusCode).toBe(202);
    }
    expect((await send(4, forwarded, connected)).statusCode).toBe(429);
  });

  test("is stored without an address: only as a code, another each hour, with a key that changes every day", async () => {
    const fresh = loadHandler("contact", variables, aws);
    const ask = (number: number): Promise<Json> => fresh(requestOf(numbered(number), "192.0.2.1"));
    await ask(1);
    const first = [...visitors.keys()];
    const key = visitors.get("key");
    jest.setSystemTime(new Date("2026-03-01T10:30:00Z"));
    await ask(2);
    expect([...visitors.keys()].length).toBe(5);
    for (const code of first.slice(1)) {
      expect(code).toMatch(/^2026-03-01T09#[\w-]{22}$/);
    }
    expect(visitors.get("key")).toEqual(key);
    jest.setSystemTime(new Date("2026-03-02T10:30:00Z"));
    await ask(3);
    expect(visitors.get("key").key).not.toEqual(key.key);
    expect(JSON.stringify([...visitors, ...aws.requests.map(({ body }) => body)])).not.toContain("192.0.2.1");
    expect(output.text()).not.toContain("192.0.2.1");
  });

  test("is known to every process by the same code", async () => {
    const processes = [1, 2].map(() => loadHandler("contact", variables, aws));
    for (const number of [1, 2, 3]) {
      await processes[number % 2]!(requestOf(numbered(number), "192.0.2.1"));
    }
    expect((await processes[0]!(requestOf(numbered(4), "192.0.2.1"))).statusCode).toBe(429);
  });
});

test("the two requests of a double click conflict, and one message is stored", async () => {
  conflicts = 2;
  expect((await post(message)).statusCode).toBe(202);
  expect(items.size).toBe(1);
});

test("after repeated conflicts, the answer says to try again", async () => {
  conflicts = 1_000;
  expect((await post(message)).statusCode).toBe(503);
  expect(items.size).toBe(0);
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
    ["an address with more before the @ than mail knows", { email: `${"x".repeat(65)}@example.com` }, "email", email],
    ["an address with a longer word than a domain has", { email: `zoe@${"x".repeat(64)}.com` }, "email", email],
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

test.each(["UpdateItem", "TransactWriteItems"])(
  "%s that never ends is not waited for: the visitor is asked to try again",
  async (hanging) => {
    const abort = new AbortController();
    const patience = jest.spyOn(AbortSignal, "timeout").mockReturnValueOnce(abort.signal);
    aws.respond = (request) => {
      if (request.operation !== hanging) {
        return tables(request);
      }
      abort.abort();
      return "hang";
    };
    const again = loadHandler("contact", variables, aws);
    const answer = await again(requestOf(message, "192.0.2.1"));
    expect(answer).toMatchObject({ statusCode: 503, headers: { "retry-after": "60" } });
    expect(patience).toHaveBeenLastCalledWith(8_000);
    expect(items.size).toBe(0);
  },
);

test("nothing that people write is logged, whatever happens to it", async () => {
  await post(message);
  await post({ ...message, email: "zoe" });
  aws.respond = ({ body }) => awsError(400, "ValidationException", body);
  await post(message);
  expect(output.lines().length).toBeGreaterThan(3);
  for (const part of ["Zoë", "zoe", "91 mm"]) {
    expect(output.text()).not.toContain(part);
  }
});

test.each([
  ["0", "between 1 and 3650"],
  ["many", "expected a number"],
])("a retention of '%s' days does not start", (CONTACT_RETENTION_DAYS, reason) => {
  expect(() => loadHandler("contact", { ...variables, CONTACT_RETENTION_DAYS }, aws)).toThrow(
    new RegExp(`CONTACT_RETENTION_DAYS: '${CONTACT_RETENTION_DAYS}' is wrong: .*${reason}`),
  );
});
