/**
 * A change that comes between the plan that was guarded and its application, with the real provider: it is neither
 * undone unseen, nor lost.
 */
import { chmodSync, cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { findTerraform } from "../../delivery/terraform";
import { loadEnvironment } from "../../environments";
import { Checkout, type Ended } from "./support/checkout";
import { EmulatedAccounts } from "./support/emulated-account";
import { addressesIn, isLocked, stateOf } from "./support/states";
import { Terraform } from "./support/terraform";

const local = loadEnvironment("local");
const checkout = new Checkout();
const folder = mkdtempSync(join(tmpdir(), "approved-"));
const [reached, signal] = [join(folder, "reached"), join(folder, "go-on")];
let accounts: EmulatedAccounts;

beforeAll(async () => {
  accounts = await EmulatedAccounts.start();
}, 120_000);

afterAll(async () => {
  checkout.remove();
  await accounts.stop();
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

/** A terraform that begins to apply when it is told to. */
async function patientTerraform(): Promise<string> {
  const file = join(folder, "terraform");
  const wait = `touch ${reached}; until [ -e ${signal} ] || [ ! -e ${folder} ]; do sleep 0.1; done`;
  writeFileSync(file, `#!/bin/sh\nif [ "$1" = apply ]; then ${wait}; fi\nexec ${await findTerraform()} "$@"\n`);
  chmodSync(file, 0o755);
  return file;
}

test("a bucket that a colleague adds to the stack in the meantime is not deleted by an older plan", async () => {
  const variables = accounts.variables(local);
  await checkout.succeed("bootstrap", { ENVIRONMENT: "local" }, variables);
  const deploying = checkout.start(
    "deploy",
    { ENVIRONMENT: "local", STACK: "data", APPROVE: "yes" },
    { ...variables, TERRAFORM_BINARY_NAME: await patientTerraform() },
  );
  let over: Ended | undefined;
  void deploying.ended.then((end) => (over = end));
  while (!existsSync(reached)) {
    if (over) {
      throw new Error(`It ended before:\n${over.output}`);
    }
    await sleep(100);
  }

  // The colleague's stack: the same, and one bucket more.
  const theirs = join(folder, "data");
  cpSync(join(checkout.folder, "cdktf.out/local/stacks/data"), theirs, {
    recursive: true,
    filter: (path) => !path.includes("/.terraform"),
  });
  const bucket = "acme-local-precious";
  writeFileSync(
    join(theirs, "more.tf.json"),
    JSON.stringify({ resource: { aws_s3_bucket: { precious: { bucket } } } }),
  );
  const colleague = new Terraform(theirs, variables);
  await colleague.init();
  await colleague.succeed("apply", "-auto-approve", "-input=false", "-no-color");
  writeFileSync(signal, "");

  const { status, output } = await deploying.ended;
  expect(output).toContain("Somebody else has changed data in local since this plan was made, so it was not applied.");
  expect(output).toContain("data/aws_s3_bucket.precious would be deleted, and holds objects and their old versions");
  expect(status).not.toBe(0);
  await accounts.clients.s3.headBucket({ Bucket: bucket });
  expect(addressesIn(await stateOf(accounts.clients.s3, "data"))).toContain("aws_s3_bucket.precious");
  expect(await isLocked(accounts.clients.s3, "data")).toBe(false);
});
