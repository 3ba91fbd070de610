/**
 * The local environment, deployed as a person deploys it: `make bootstrap`, `make deploy`, a survey and the workflow,
 * `make deploy` again; with real Terraform, the real provider, and S3 state. What comes of it is compared with what
 * `make up` makes without Terraform.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readManifest } from "../../delivery/terraform";
import { loadEnvironment } from "../../environments";
import { requireContract } from "../../local/platform/clients";
import { ingest, makeSurvey, waitForOfflineStore } from "../../local/platform/ingestion";
import { runWorkflow } from "../../local/platform/workflow";
import { leftOutKinds } from "../../local/provision/resource-types";
import { madeIn } from "../local/provision/support/workspace";
import { animal } from "../system/deployment";
import { Checkout, type Ended } from "./support/checkout";
import { describeAccount } from "./support/description";
import { EmulatedAccounts } from "./support/emulated-account";
import { addressesOf, type SynthesizedStack } from "./support/stacks";
import { addressesIn, isLocked, stateOf } from "./support/states";
import { Terraform } from "./support/terraform";

const local = loadEnvironment("local");
const websites = ["website-test", "website-production"] as const;

let accounts: EmulatedAccounts;
/** Two engineers at once: each in a checkout of its own. */
const checkouts = [new Checkout(), new Checkout()] as const;
const [checkout, other] = checkouts;
/** The platform that `make up` makes. */
const upFolder = mkdtempSync(join(tmpdir(), "provider-up-"));
let up: Promise<string>;

const make = (target: string, variables: Record<string, string> = {}, from = checkout): Promise<Ended> =>
  from.make(target, { ENVIRONMENT: "local", ...variables }, accounts.variables(local));

const succeed = (target: string, variables: Record<string, string> = {}, from = checkout): Promise<string> =>
  from.succeed(target, { ENVIRONMENT: "local", ...variables }, accounts.variables(local));

const stacks = (): readonly SynthesizedStack[] => readManifest(join(checkout.folder, "cdktf.out", "local")).stacks;

beforeAll(async () => {
  accounts = await EmulatedAccounts.start();
  // Beside the tests: both take most of their time waiting.
  up = other.succeed("up", { PLATFORM_DIRECTORY: upFolder }, accounts.variables(local));
  // A failure is told by the test that waits for it.
  up.catch(() => undefined);
}, 120_000);

afterAll(async () => {
  await other.make("down", { PLATFORM_DIRECTORY: upFolder }, accounts.variables(local));
  await accounts.stop();
  for (const each of checkouts) {
    each.remove();
  }
  rmSync(upFolder, { recursive: true, force: true });
}, 120_000);

// Each goes on where the one before it ended.
describe("the local environment", () => {
  test("has no bucket for its states at first, and says which command makes one", async () => {
    const { status, output } = await make("deploy", { APPROVE: "yes" });
    expect(status).not.toBe(0);
    expect(output).toContain("make bootstrap ENVIRONMENT=local");
    await succeed("bootstrap");
  });

  test("is deployed up to where it waits for a model", async () => {
    const { status, output } = await make("deploy", { APPROVE: "yes" });
    expect(output).toContain("✔ data: deployed.");
    expect(output).toContain("✔ model-image: deployed.");
    expect(output).toContain("✔ ml-workflow: deployed.");
    expect(output).toMatch(/website-test reads ModelPackageName of ml-workflow, which is PLACEHOLDER/);
    expect(status).not.toBe(0);
  });

  test("trains a model by the workflow that Terraform has made", async () => {
    const { clients, instance } = accounts;
    const { accepted } = await ingest(clients, await makeSurvey(instance, undefined), () => undefined);
    await waitForOfflineStore(clients, accepted);
    const run = await runWorkflow(
      clients,
      "0123456789ab",
      () => undefined,
      () => Promise.resolve(),
    );
    expect(run.outcome).toBe("registered");
  });

  test("gets both its websites, deployed at the same time by two engineers, and they estimate an age", async () => {
    await Promise.all([
      succeed("deploy", { STACK: websites[0], APPROVE: "yes" }),
      succeed("deploy", { STACK: websites[1], APPROVE: "yes" }, other),
    ]);
    for (const name of ["TestApi", "ProductionApi"]) {
      const api = new URL(await requireContract(accounts.clients, name));
      const response = await fetch(
        `${accounts.endpoint}/_aws/execute-api/${api.host.split(".")[0]}/$default/api/predict`,
        {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify(animal("M")),
        },
      );
      expect(response.status).toBe(200);
      expect(await response.json()).toMatchObject({ age: { years: expect.any(Number) as number } });
    }
  });

  test("gets what comes after the websites", async () => {
    for (const { id } of stacks()) {
      if (!(await stateOf(accounts.clients.s3, id))) {
        await succeed("deploy", { STACK: id, APPROVE: "yes" });
      }
    }
  });

  test("has each resource of each stack in its state, in S3, and no lock is left", async () => {
    const { s3 } = accounts.clients;
    for (const stack of stacks()) {
      expect(addressesIn(await stateOf(s3, stack.id))).toEqual(addressesOf(stack));
      expect(await isLocked(s3, stack.id)).toBe(false);
    }
  });

  test("has nothing to change when it is planned again", async () => {
    const file = join(checkout.folder, "diff.json");
    await succeed("diff", { FORMAT: "json", OUTPUT: file });
    const summary = JSON.parse(readFileSync(file, "utf8")) as {
      readonly stacks: readonly {
        readonly stack: string;
        readonly status: string;
        readonly resources: readonly unknown[];
      }[];
    };
    expect(summary.stacks.map(({ stack }) => stack)).toEqual(stacks().map(({ id }) => id));
    expect(summary.stacks.filter((stack) => stack.status !== "unchanged" || stack.resources.length > 0)).toEqual([]);
  });

  test("holds what make up makes: the same types, names and arguments", async () => {
    await up;
    const made = madeIn(join(upFolder, "provision"));
    const deployed: string[] = [];
    for (const { id } of stacks()) {
      const addresses = addressesIn(await stateOf(accounts.clients.s3, id));
      deployed.push(
        ...addresses
          .filter((address) => !leftOutKinds.has(address.split(".")[0]!))
          .map((address) => `${id} ${address}`),
      );
    }
    expect(deployed.sort()).toEqual([...made].sort());
    const { aws } = JSON.parse(readFileSync(join(upFolder, "platform.json"), "utf8")) as { readonly aws: string };
    const byTerraform = await describeAccount(accounts.endpoint, local.region, local.account);
    const byUp = await describeAccount(aws, local.region, local.account);
    expect(Object.keys(byTerraform).length).toBeGreaterThan(50);
    expect(byTerraform).toEqual(byUp);
  });

  test("is destroyed completely, because nothing of it is protected", async () => {
    // AWS deletes no group of model packages that holds any, and these are the workflow's, not Terraform's.
    const ModelPackageName = await requireContract(accounts.clients, "ModelPackageName");
    await accounts.clients.sagemaker.deleteModelPackage({ ModelPackageName });
    const remaining = [...stacks()].reverse();
    while (remaining.length > 0) {
      // Side by side, whatever no other stack reads from any more.
      const free = remaining.filter(({ id }) => !remaining.some(({ dependencies }) => dependencies.includes(id)));
      await Promise.all(free.map(({ folder }) => new Terraform(folder, accounts.variables(local)).destroy()));
      for (const each of free) {
        remaining.splice(remaining.indexOf(each), 1);
      }
    }
    for (const { id } of stacks()) {
      expect(addressesIn(await stateOf(accounts.clients.s3, id))).toEqual([]);
    }
    expect(await describeAccount(accounts.endpoint, local.region, local.account)).toEqual({});
  });
});
