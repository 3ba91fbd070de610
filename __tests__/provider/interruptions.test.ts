/**
 * Two deploys at once, and deploys that are killed: whatever happens, the state is whole, and typing it again finishes
 * the work.
 */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { readManifest } from "../../delivery/terraform";
import { loadEnvironment } from "../../environments";
import type { StackId } from "../../stacks/contract";
import { Checkout, type Ended, type Running } from "./support/checkout";
import { EmulatedAccounts } from "./support/emulated-account";
import { addressesOf, plausibleValue } from "./support/stacks";
import { addressesIn, isLocked, stateOf, statesOf } from "./support/states";

const local = loadEnvironment("local");
let accounts: EmulatedAccounts;
const checkouts = [new Checkout(), new Checkout()] as const;
const [checkout, other] = checkouts;

const start = (from: Checkout, stack: StackId): Running =>
  from.start("deploy", { ENVIRONMENT: "local", STACK: stack, APPROVE: "yes" }, accounts.variables(local));
const deploy = (from: Checkout, stack: StackId): Promise<Ended> => start(from, stack).ended;
const succeed = (from: Checkout, stack: StackId, variables: Record<string, string> = {}): Promise<string> =>
  from.succeed(
    "deploy",
    { ENVIRONMENT: "local", STACK: stack, APPROVE: "yes", ...variables },
    accounts.variables(local),
  );

/** Waits until something has come true that a command does. */
async function until(holds: () => Promise<boolean>, { ended }: Running): Promise<void> {
  let over: Ended | undefined;
  void ended.then((end) => (over = end));
  while (!(await holds())) {
    if (over) {
      throw new Error(`It ended before:\n${over.output}`);
    }
    await sleep(100);
  }
}

/** All that the stack has is in its state, once, and nobody has locked it. */
async function expectWhole(stack: StackId): Promise<void> {
  const { s3 } = accounts.clients;
  const synthesized = readManifest(join(other.folder, "cdktf.out/local")).stacks.find(({ id }) => id === stack);
  expect(addressesIn(await stateOf(s3, stack))).toEqual(addressesOf(synthesized!));
  expect(await isLocked(s3, stack)).toBe(false);
  const states = await statesOf(s3, stack);
  expect(new Set(states.map(({ lineage }) => lineage)).size).toBe(1);
  const serials = states.map(({ serial }) => serial);
  expect(serials).toEqual([...new Set(serials)].sort((one, later) => one - later));
}

beforeAll(async () => {
  accounts = await EmulatedAccounts.start();
  await checkout.succeed("bootstrap", { ENVIRONMENT: "local" }, accounts.variables(local));
  // What the stack ml-workflow reads of the image; all else is deployed here.
  await accounts.publish(local, { "/acme/local/ModelImageUri": plausibleValue(local, "/acme/local/ModelImageUri") });
}, 120_000);

afterAll(async () => {
  for (const each of checkouts) {
    each.remove();
  }
  await accounts.stop();
}, 60_000);

// Each goes on where the one before it ended.
describe("a stack", () => {
  test("that two deploy at once is deployed by one, though it loses its terminal; another is refused, a third waits", async () => {
    const { s3 } = accounts.clients;
    const first = start(checkout, "data");
    await until(bucketIsThere, first);
    const refused = await deploy(other, "data");
    expect(refused.status).not.toBe(0);
    expect(refused.output).toMatch(held("data"));
    expect(await isLocked(s3, "data")).toBe(true);
    const waiting = succeed(other, "data", { LOCK_TIMEOUT: "240" });
    first.killGroup();
    expect(await waiting).toContain("✔ data: nothing to change.");
    await expectWhole("data");
  });

  test("whose deploy dies with its machine says who holds the lock; released, it takes over what is there, and nothing is doubled", async () => {
    const killed = start(checkout, "ml-workflow");
    await until(async () => (await functions()).length > 0, killed);
    killed.killAll();
    await killed.ended;
    const before = await functions();

    const refused = await deploy(other, "ml-workflow");
    expect(refused.status).not.toBe(0);
    expect(refused.output).toMatch(held("ml-workflow"));
    const [, lock = ""] = /LOCK=(\S+)/.exec(refused.output) ?? [];
    const unlock = { ENVIRONMENT: "local", STACK: "ml-workflow", APPROVE: "yes" };
    const wrong = await other.make("unlock", { ...unlock, LOCK: "another" }, accounts.variables(local));
    expect(wrong.status).not.toBe(0);
    expect(await isLocked(accounts.clients.s3, "ml-workflow")).toBe(true);
    await other.succeed("unlock", { ...unlock, LOCK: lock }, accounts.variables(local));

    expect(await succeed(other, "ml-workflow")).toContain("ml-workflow: taking over what is there:");
    await expectWhole("ml-workflow");
    expect(await functions()).toEqual(expect.arrayContaining([...before]));
    const addresses = addressesIn(await stateOf(accounts.clients.s3, "ml-workflow"));
    expect(await functions()).toHaveLength(addresses.filter((each) => each.startsWith("aws_lambda_function.")).length);
    expect(await succeed(checkout, "ml-workflow")).toContain("✔ ml-workflow: nothing to change.");
  });
});

/** How a deploy says that somebody else has locked the state. */
const held = (stack: StackId): RegExp =>
  new RegExp(
    `The state of ${stack} in local is locked by \\S+@\\S+, for a \\w+, since \\d{4}-\\d\\d-\\d\\d [^]*` +
      `make unlock ENVIRONMENT=local STACK=${stack} LOCK=\\S+`,
  );

/** Whether the stack `data` is being made. */
async function bucketIsThere(): Promise<boolean> {
  const { Buckets = [] } = await accounts.clients.s3.listBuckets({});
  return Buckets.some(({ Name }) => /^acme-local-data-\d/.test(Name ?? ""));
}

async function functions(): Promise<readonly (string | undefined)[]> {
  const { Functions = [] } = await accounts.clients.lambda.listFunctions({});
  return Functions.map(({ FunctionName }) => FunctionName);
}
