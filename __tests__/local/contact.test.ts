/** What a visitor writes becomes a mail: the stack's own functions, tables and settings, in the emulator. */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type AttributeValue, paginateScan } from "@aws-sdk/client-dynamodb";
import { provision } from "../../local/provision";
import { httpEvent } from "../handlers/support/lambda";
import { Emulator } from "../workflow/support/emulator";
import { Workspace } from "./provision/support/workspace";

jest.setTimeout(300_000);

const root = resolve(__dirname, "../..");
const stack = "website-test";
const table = "acme-local-website-test-contact";
const mailer = "acme-local-website-test-mail-contact";

/** What of the stack a message goes through; the pages and the model need more than the emulator. */
const ofContact = (type: string, name: string): boolean =>
  /^aws_(dynamodb|kms|sqs|sesv2|cloudwatch_event|lambda_event_source)_/.test(type) ||
  (/^aws_(lambda|iam|cloudwatch_log)_/.test(type) && /^(contact|mail)_/.test(name) && !name.endsWith("-errors_alarm"));

let emulator: Emulator;
let workspace: Workspace;

beforeAll(async () => {
  emulator = await Emulator.start("http://127.0.0.1:9");
  workspace = new Workspace(emulator.endpoint);
  execFileSync(process.execPath, [join(root, "node_modules/tsx/dist/cli.mjs"), "main.ts"], {
    cwd: root,
    env: {
      PATH: `${dirname(process.execPath)}:/usr/bin:/bin`,
      HOME: workspace.folder,
      ENVIRONMENT: "local",
      CDKTF_OUTDIR: workspace.folder,
    },
  });
  const { resource, terraform, provider } = JSON.parse(
    readFileSync(join(workspace.folder, "stacks", stack, "cdk.tf.json"), "utf8"),
  ) as { resource: Record<string, Record<string, object>>; terraform: object; provider: object };
  const kept = Object.entries(resource).flatMap(([type, resources]) => {
    const some = Object.entries(resources).filter(([name]) => ofContact(type, name));
    return some.length > 0 ? [[type, Object.fromEntries(some)] as const] : [];
  });
  workspace.write(stack, { terraform, provider, resource: Object.fromEntries(kept) });
  await provision(workspace.options(stack));
});
afterAll(async () => {
  workspace.close();
  await emulator.stop();
});

async function invoke(FunctionName: string, event: unknown): Promise<Record<string, unknown>> {
  const { Payload } = await workspace.clients.lambda.invoke({
    FunctionName,
    Payload: Buffer.from(JSON.stringify(event)),
  });
  return JSON.parse(Buffer.from(Payload ?? []).toString()) as Record<string, unknown>;
}

/** Sends the form, as API Gateway would. */
async function write(message: string, more: object = {}): Promise<{ status: number; id: string }> {
  const body = JSON.stringify({ name: "Zoë", email: "zoe@example.com", message, ...more });
  const { statusCode, body: answer } = await invoke(
    "acme-local-website-test-contact",
    httpEvent("POST", "/api/contact", body),
  );
  return { status: statusCode as number, id: (JSON.parse(answer as string) as { id: string }).id };
}

const mails = (): readonly string[] =>
  existsSync(emulator.mailFolder)
    ? readdirSync(emulator.mailFolder)
        .filter((name) => name.endsWith(".eml"))
        .map((name) => readFileSync(join(emulator.mailFolder, name), "utf8"))
    : [];

const mailsOf = (id: string): readonly string[] => mails().filter((mail) => mail.includes(id));

async function items(): Promise<readonly Record<string, AttributeValue>[]> {
  const found: Record<string, AttributeValue>[] = [];
  for await (const { Items = [] } of paginateScan({ client: workspace.clients.dynamoDb }, { TableName: table })) {
    found.push(...Items);
  }
  return found;
}

async function eventually(what: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 60_000;
  while (!(await what())) {
    if (Date.now() > end) {
      throw new Error(`It did not come to be: ${what.toString()}`);
    }
    await sleep(100);
  }
}

const isMarked = async (id: string): Promise<boolean> =>
  (await items()).some((item) => item.id?.S === id && item.mailedAt !== undefined);

test("a message becomes one mail, to be answered to the visitor, however often it is sent and its records come", async () => {
  const answers = await Promise.all([1, 2, 3].map(() => write("Wie alt?\nBcc: all@example.com")));
  expect(new Set(answers.map(({ id }) => id)).size).toBe(1);
  expect(answers.map(({ status }) => status)).toEqual([202, 202, 202]);
  const { id } = answers[0]!;
  await eventually(() => isMarked(id));
  const record = { eventName: "INSERT", dynamodb: { Keys: { id: { S: id } } } };
  expect(await invoke(mailer, { Records: [record, record] })).toEqual({ mailed: 0 });
  expect(await invoke(mailer, { unsent: true })).toEqual({ mailed: 0 });
  const [mail, another] = mailsOf(id);
  expect(another).toBeUndefined();
  const [header = "", body = ""] = (mail ?? "").split("\r\n\r\n");
  expect(header).toMatch(
    /^From: website@test\.acme\.example\r\nTo: office@acme\.example\r\nReply-To: zoe@example\.com\r\n/,
  );
  expect(header).toContain("Content-Type: text/plain");
  expect(header).not.toMatch(/Zo|Wie alt|all@example\.com/);
  expect(body).toContain("A visitor of the abalone website (test) wrote to us.");
});

test("a message that SES refuses is stored, and mailed when SES accepts it", async () => {
  const EmailIdentity = "test.acme.example";
  await workspace.clients.ses.deleteEmailIdentity({ EmailIdentity });
  const { status, id } = await write("Is anybody there?");
  expect(status).toBe(202);
  expect(await invoke(mailer, { unsent: true })).toMatchObject({ errorType: "MessagesNotMailed" });
  expect((await items()).find((item) => item.id?.S === id)).not.toHaveProperty("mailedAt");
  expect(mailsOf(id)).toEqual([]);
  await workspace.clients.ses.createEmailIdentity({ EmailIdentity });
  await eventually(() => isMarked(id));
  expect(mailsOf(id).length).toBe(1);
});

test("a program's message is answered, and neither stored nor mailed", async () => {
  const before = [(await items()).length, mails().length];
  expect((await write("Buy it", { website: "https://spam.example" })).status).toBe(202);
  expect(await invoke(mailer, { unsent: true })).toEqual({ mailed: 0 });
  expect([(await items()).length, mails().length]).toEqual(before);
});

test("if DynamoDB refuses, the visitor gets an error, and nothing is mailed", async () => {
  const before = mails().length;
  await workspace.clients.dynamoDb.deleteTable({ TableName: table });
  expect((await write("Lost?")).status).toBe(503);
  expect(mails().length).toBe(before);
});
