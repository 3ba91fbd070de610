import { type AwsAnswer, type AwsRequest, type AwsServer, awsError, type Json, startAws } from "./support/aws-server";
import { type Call, collectOutput, loadHandler } from "./support/lambda";

const variables = {
  CONTACT_TABLE: "acme-test-contact",
  MAIL_TO: "office@acme.example",
  MAIL_FROM: "website@acme.example",
  MAIL_CONFIGURATION_SET: "acme-test-contact",
  MAIL_WEBSITE: "abalone website",
};
const id = (number: number): string => `00000000-0000-8000-8000-${String(number).padStart(12, "0")}`;
const output = collectOutput();
let aws: AwsServer;
let mail: Call;
/** The table, by id. */
let items: Map<string, Json>;
/** What SES took. */
let mails: Json[];
/** What SES does with the next mails, before it takes them again. */
let refusals: AwsAnswer[];
/** Updates that DynamoDB refuses: those whose expression begins so. */
let refusedUpdate: string | undefined;

/** A message as the contact function stores it. */
const stored = (number: number, changes: object = {}): Json => ({
  id: { S: id(number) },
  name: { S: "Zoë Müller-O'Neill" },
  email: { S: "zoe@example.com" },
  message: { S: "How old is mine?\r\n\tIt is 91 mm long." },
  receivedAt: { S: "2026-03-01T09:30:00.000Z" },
  expiresAt: { N: String(Date.parse("2026-03-31T09:30:00Z") / 1000) },
  ...changes,
});

/** The table and SES, as far as the handler asks. */
function services({ operation, path, json }: AwsRequest): AwsAnswer {
  if (path === "/v2/email/outbound-emails") {
    const refusal = refusals.shift();
    if (refusal) {
      return refusal;
    }
    mails.push(json);
    return { body: { MessageId: `mail-${mails.length}` } };
  }
  if (operation === "Scan") {
    return { body: { Items: [...items.values()].filter((item) => !item.mailedAt).map((item) => ({ id: item.id })) } };
  }
  if (operation !== "UpdateItem") {
    return awsError(400, "UnknownOperationException");
  }
  const { Key, UpdateExpression: update, ConditionExpression: condition, ExpressionAttributeValues: values } = json;
  if (refusedUpdate !== undefined && update.startsWith(refusedUpdate)) {
    return awsError(400, "AccessDeniedException");
  }
  const item = items.get(Key.id.S);
  const fails = [
    !item,
    condition.includes("attribute_not_exists(mailedAt)") && item?.mailedAt !== undefined,
    condition.includes(":lapsed") && item?.mailingSince?.S >= values[":lapsed"].S,
    condition === "mailingSince = :since" && item?.mailingSince?.S !== values[":since"].S,
  ].includes(true);
  if (fails) {
    return { ...(awsError(400, "ConditionalCheckFailedException") as object), body: { Item: item } };
  }
  if (update === "SET mailingSince = :since") {
    item.mailingSince = values[":since"];
  } else {
    delete item.mailingSince;
  }
  if (update.startsWith("SET mailedAt")) {
    item.mailedAt = values[":now"];
  }
  return { body: { Attributes: item } };
}

beforeAll(async () => {
  aws = await startAws();
  mail = loadHandler("mail-contact", variables, aws);
});
afterAll(() => aws.close());
beforeEach(() => {
  jest.useFakeTimers({
    now: new Date("2026-03-01T09:30:02Z"),
    doNotFake: ["nextTick", "setImmediate", "setTimeout", "clearTimeout"],
  });
  items = new Map([1, 2, 3, 4, 5].map((number) => [id(number), stored(number)]));
  mails = [];
  refusals = [];
  refusedUpdate = undefined;
  aws.requests.length = 0;
  aws.respond = services;
  output.clear();
});
afterEach(() => {
  jest.useRealTimers();
});

/** Records of the table's stream, which holds keys alone. */
const records = (...numbers: number[]): Json => ({
  Records: numbers.map((number) => ({
    eventID: String(number),
    eventName: "INSERT",
    eventSource: "aws:dynamodb",
    dynamodb: { Keys: { id: { S: id(number) } }, SequenceNumber: String(number), StreamViewType: "KEYS_ONLY" },
  })),
});
const addresses = (): unknown => mails.map(({ Content }) => Content.Simple.Subject.Data.slice(-9, -1));
const refusal = awsError(400, "MessageRejected", "Email address is not verified: zoe@example.com");

test("a new message becomes one plain-text mail to us, from us, to be answered to the visitor", async () => {
  expect(await mail(records(1))).toEqual({ mailed: 1 });
  expect(mails).toEqual([
    {
      FromEmailAddress: "website@acme.example",
      Destination: { ToAddresses: ["office@acme.example"] },
      ReplyToAddresses: ["zoe@example.com"],
      ConfigurationSetName: "acme-test-contact",
      Content: {
        Simple: {
          Subject: { Data: "Message from the abalone website (00000000)", Charset: "UTF-8" },
          Body: { Text: { Charset: "UTF-8", Data: expect.any(String) } },
        },
      },
    },
  ]);
  expect(mails[0].Content.Simple.Body.Text.Data.split("\n")).toEqual([
    "A visitor of the abalone website wrote to us. To answer this mail is to answer the visitor.",
    "",
    "Name:      Zoë Müller-O'Neill",
    "Address:   zoe@example.com (typed by the visitor, checked by nobody)",
    "Received:  2026-03-01 09:30 UTC",
    `Number:    ${id(1)}`,
    "Deleted:   on the website after 2026-03-31; here by whoever reads this mailbox",
    "",
    "All that follows was written by the visitor.",
    "",
    "How old is mine?",
    "\tIt is 91 mm long.",
    "",
  ]);
  expect(items.get(id(1))).toEqual(stored(1, { mailedAt: { S: "2026-03-01T09:30:02.000Z" } }));
});

test("the same records again, in one batch or later, mail nothing again", async () => {
  expect(await mail(records(1, 1, 2))).toEqual({ mailed: 2 });
  expect(await mail(records(1, 2, 3))).toEqual({ mailed: 1 });
  expect(await mail({ unsent: true })).toEqual({ mailed: 2 });
  expect(await mail({ unsent: true })).toEqual({ mailed: 0 });
  expect(mails.length).toBe(5);
});

test("two calls at once mail once", async () => {
  const outcomes = await Promise.allSettled([mail(records(1)), mail(records(1)), mail({ unsent: true })]);
  expect(mails.length).toBe(5);
  // Who finds somebody else at work comes again: the other may fail.
  for (const outcome of outcomes) {
    if (outcome.status === "rejected") {
      expect(outcome.reason).toMatchObject({ name: "MessagesNotMailed" });
    }
  }
});

test("changes and deletions in the stream mail nothing", async () => {
  const { Records } = records(1, 2);
  const others = Records.map((record: Json, index: number) => ({ ...record, eventName: ["MODIFY", "REMOVE"][index] }));
  expect(await mail({ Records: others })).toEqual({ mailed: 0 });
  expect(mails).toEqual([]);
});

test("an expired message is mailed to nobody", async () => {
  items.delete(id(1));
  expect(await mail(records(1, 2))).toEqual({ mailed: 1 });
  expect(items.size).toBe(4);
});

describe("when SES refuses", () => {
  test("the message is kept, the others are mailed, and the next call mails what is left", async () => {
    refusals = [refusal];
    await expect(mail(records(1, 2, 3))).rejects.toMatchObject({
      name: "MessagesNotMailed",
      message: "1 of 3 messages could not be mailed now. They are kept, and tried again within the hour.",
    });
    expect(items.get(id(1))).toEqual(stored(1));
    expect(await mail(records(1, 2, 3))).toEqual({ mailed: 1 });
    expect(addresses()).toEqual(["00000000", "00000000", "00000000"]);
    expect(new Set(mails.map(({ Content }) => Content.Simple.Body.Text.Data)).size).toBe(3);
  });

  test("for long, the schedule mails what the stream gave up", async () => {
    refusals = Array.from({ length: 8 }, () => refusal);
    await expect(mail(records(1, 2, 3))).rejects.toThrow("3 of 3");
    await expect(mail({ unsent: true })).rejects.toThrow("5 of 5");
    jest.setSystemTime(new Date("2026-03-04T10:00:00Z"));
    refusals = [];
    expect(await mail({ unsent: true })).toEqual({ mailed: 5 });
  });

  test("every mail, it is not asked for each of thousands", async () => {
    for (let number = 6; number < 200; number++) {
      items.set(id(number), stored(number));
    }
    refusals = Array.from({ length: 1_000 }, () => refusal);
    await expect(mail({ unsent: true })).rejects.toThrow("199 of 199");
    expect(aws.requests.filter(({ path }) => path.startsWith("/v2/email")).length).toBe(3);
  });

  test("some for what they hold, whoever stored them, the messages behind them are mailed in the same hour", async () => {
    for (const number of [1, 2]) {
      items.set(id(number), stored(number, { email: { S: "zoe" } }));
    }
    refusals = [3, 4].map(() => awsError(400, "BadRequestException", "Domain contains illegal character: zoe"));
    await expect(mail({ unsent: true })).rejects.toThrow("4 of 5");
    expect(items.get(id(5))).toHaveProperty("mailedAt");
    expect(output.text()).not.toContain("zoe");
  });

  test.each<[string, AwsAnswer]>([
    ["fails", awsError(500, "InternalFailure")],
    ["is busy", awsError(429, "TooManyRequestsException")],
    ["hangs up", "break"],
    ["answers nonsense", { status: 502, body: "<html>" }],
  ])("or %s, it is asked once a call, so that no lost answer mails twice", async (_name, answer) => {
    refusals = [answer];
    await expect(mail(records(1))).rejects.toThrow("1 of 1");
    expect(aws.requests.filter(({ path }) => path.startsWith("/v2/email")).length).toBe(1);
    expect(await mail(records(1))).toEqual({ mailed: 1 });
  });
});

test("a call that was killed while it mailed: the message waits two minutes, then it is mailed", async () => {
  items.set(id(1), stored(1, { mailingSince: { S: "2026-03-01T09:29:00.000Z" } }));
  await expect(mail(records(1))).rejects.toThrow("1 of 1");
  expect(mails).toEqual([]);
  jest.setSystemTime(new Date("2026-03-01T09:31:01Z"));
  expect(await mail(records(1))).toEqual({ mailed: 1 });
});

test("the one exception: a mail that SES took and DynamoDB could not mark is sent once more, and never while it is marked", async () => {
  refusedUpdate = "SET mailedAt";
  await expect(mail(records(1))).rejects.toMatchObject({ name: "AccessDeniedException" });
  refusedUpdate = undefined;
  await expect(mail(records(1))).rejects.toThrow("1 of 1");
  jest.setSystemTime(new Date("2026-03-01T09:40:00Z"));
  expect(await mail(records(1))).toEqual({ mailed: 1 });
  expect(mails.length).toBe(2);
});

test("a message whose mail bounced is mailed again by its number", async () => {
  await mail(records(1, 2));
  expect(await mail({ again: [id(1)] })).toEqual({ mailed: 1 });
  expect(mails.map(({ Content }) => Content.Simple.Body.Text.Data.includes(id(1)))).toEqual([true, false, true]);
});

test("nothing is begun that could exceed the function's time", async () => {
  await expect(mail(records(1), { getRemainingTimeInMillis: () => 20_000 })).rejects.toThrow("1 of 1");
  expect(aws.requests).toEqual([]);
});

describe("no field of a message gets into the mail's header", () => {
  test.each<[string, object]>([
    ["a line break in the address", { email: { S: "zoe@example.com\r\nBcc: all@example.com" } }],
    ["two addresses", { email: { S: "zoe@example.com, all@example.com" } }],
    ["an address with a name", { email: { S: "Zoë <zoe@example.com>" } }],
    ["a line break in the name", { name: { S: "Zoë\r\nBcc: all@example.com" } }],
    ["a number that is none", { id: { S: `${id(1)}\r\nBcc: all@example.com` } }],
  ])("%s: not mailed at all, whoever stored it", async (_name, changes) => {
    items.set(id(1), stored(1, changes));
    await expect(mail(records(1))).rejects.toThrow("1 of 1");
    expect(mails).toEqual([]);
    expect(output.text()).not.toContain("all@example.com");
  });

  test("a message that looks like a header is text below ours", async () => {
    items.set(id(1), stored(1, { message: { S: "Bcc: all@example.com\r\nSubject: free\r\n\r\n<b>hello</b>" } }));
    await mail(records(1));
    const [{ Content, ...header }] = mails;
    expect(JSON.stringify([header, Content.Simple.Subject])).not.toMatch(/all@|free|Zo/);
    expect(Content.Simple.Body.Text.Data).toMatch(
      /written by the visitor\.\n\nBcc: all@example\.com\nSubject: free\n\n<b>/,
    );
    expect(Content.Simple.Body).not.toHaveProperty("Html");
  });
});

test("nothing that people write is logged, whatever happens to it", async () => {
  refusals = [refusal];
  await expect(mail(records(1, 2))).rejects.toThrow();
  await mail(records(1));
  items.set(id(3), stored(3, { email: { S: "zoe" } }));
  await expect(mail(records(3))).rejects.toThrow();
  expect(output.lines()).toContainEqual(expect.objectContaining({ ContactNotMailed: 1 }));
  expect(output.lines()).toContainEqual(expect.objectContaining({ ContactMailed: 1 }));
  for (const part of ["Zoë", "zoe", "91 mm"]) {
    expect(output.text()).not.toContain(part);
  }
});

test.each([{}, { unsent: false }, { again: [] }, { Records: [{ eventName: "INSERT" }] }, null, "unsent"])(
  "an event of another kind is refused: %j",
  async (event) => {
    await expect(mail(event)).rejects.toMatchObject({ name: "InvalidEvent" });
  },
);

test.each([
  ["MAIL_TO", "office"],
  ["MAIL_FROM", ""],
  ["CONTACT_TABLE", ""],
])("%s of '%s' does not start", (variable, value) => {
  expect(() => loadHandler("mail-contact", { ...variables, [variable]: value }, aws)).toThrow(variable);
});
