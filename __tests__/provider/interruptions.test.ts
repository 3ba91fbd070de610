/** Two deploys at once, and deploys that are killed: whatever happens, the state is whole, and typing it again finishes the work. */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ListFunctionsCommand } from "@aws-sdk/client-lambda";
import { readManifest } from "../../deployment/terraform";
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

const start = (from: Checkout, stack: StackId, variables: Record<string, string> = {}): Running =>
  from.start("deploy", { ENVIRONMENT: "local", STACK: stack, APPROVE: "yes", ...variables }, accounts.variables(local));
const deploy = (from: Checkout, stack: StackId, variables: Record<string, string> = {}): Promise<Ended> =>
  start(from, stack, variables).ended;

/** Waits until something has come true that a command does. */
async function until(holds: () => Promise<boolean>, { ended }: Running): Promise<void> {
  let over: Ended | undefined;
  void ended.then((end) => (over = end));
  while (!(await holds())) {
    if (over) throw new Error(`It ended before:\n${over.output}`);
    await sleep(100);
  }
}

/** All that the stack has is in its state, once, and nobody has locked it. */
async function expectWhole(stack: StackId): Promise<void> {
  const { s3 } = accounts.clients;
  const synthesized = readManifest(join(checkout.folder, "cdktf.out/local")).stacks.find(({ id }) => id === stack);
  expect(addressesIn(await stateOf(s3, stack))).toEqual(addressesOf(synthesized!));
  expect(await isLocked(s3, stack)).toBe(false);
  const states = await statesOf(s3, stack);
  expect(new Set(states.map(({ lineage }) => lineage)).size).toBe(1);
  const serials = states.map(({ serial }) => serial);
  expect(serials).toEqual([...new Set(serials)].sort((one, later) => one - later));
}

beforeAll(async () => {
  accounts = await EmulatedAccounts.start();
  expect(await checkout.make("bootstrap", { ENVIRONMENT: "local" }, accounts.variables(local))).toMatchObject({
    status: 0,
  });
  // What the stack ml-workflow reads of the image; all else is deployed here.
  await accounts.publish(local, { "/acme/local/ModelImageUri": plausibleValue(local, "/acme/local/ModelImageUri") });
}, 120_000);

afterAll(async () => {
  for (const each of checkouts) each.remove();
  await accounts.stop();
}, 60_000);

// Each goes on where the one before it ended.
describe("a stack", () => {
  test("that two deploy at once is deployed by one; of the others, one is refused, and one waits", async () => {
    const { s3 } = accounts.clients;
    const first = start(checkout, "data");
    await until(() => isLocked(s3, "data"), first);
    const refused = await deploy(other, "data");
    expect(refused.status).not.toBe(0);
    expect(refused.output).toMatch(
      /The state of data in local is locked by \S+@\S+, for a \w+, since \d{4}-\d\d-\d\d /,
    );
    expect(refused.output).toContain("make unlock ENVIRONMENT=local STACK=data LOCK=");
    const waiting = await deploy(other, "data", { LOCK_TIMEOUT: "240" });
    expect(await first.ended).toMatchObject({ status: 0 });
    expect(waiting).toMatchObject({ status: 0 });
    expect(waiting.output).toContain("✔ data: nothing to change.");
    await expectWhole("data");
  });

  test("whose deploy loses its terminal is deployed to the end all the same", async () => {
    const killed = start(checkout, "ml-workflow");
    await until(async () => (await functions()).length > 0, killed);
    killed.killGroup();
    await killed.ended;
    const again = await deploy(checkout, "ml-workflow", { LOCK_TIMEOUT: "240" });
    expect(again).toMatchObject({ status: 0 });
    expect(again.output).toContain("✔ ml-workflow: nothing to change.");
    await expectWhole("ml-workflow");
  });
});

async function functions(): Promise<readonly (string | undefined)[]> {
  const { Functions = [] } = await accounts.clients.lambda.send(new ListFunctionsCommand({}));
  return Functions.map(({ FunctionName }) => FunctionName);
}
