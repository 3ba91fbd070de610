/** `make diff` with the real Terraform and provider: what it says of stacks that were never deployed. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { planSummarySchema } from "../../delivery/diff";
import { runChild } from "../../delivery/terraform";
import { loadEnvironment } from "../../environments";
import { projectRoot } from "../../modules/project-root";
import { EmulatedAccounts } from "./support/emulated-account";
import { addressesOf, parametersReadBy, plausibleValue, synthesizeInto } from "./support/stacks";

const environment = loadEnvironment("development");
const folder = mkdtempSync(join(tmpdir(), "provider-diff-"));
const stacks = synthesizeInto(join(folder, "stacks"), environment.name);
let accounts: EmulatedAccounts;

beforeAll(async () => {
  accounts = await EmulatedAccounts.start();
  await accounts.makeStateBucket(environment);
});

afterAll(async () => {
  await accounts.stop();
  rmSync(folder, { recursive: true, force: true });
});

test("all possible plans are made, readers name what they wait for, and no files remain", async () => {
  // The pipeline's parameters are there, as if the stack `state` were deployed.
  for (const parameter of parametersReadBy(stacks.find(({ id }) => id === "pipeline")!)) {
    await accounts.publish(environment, { [parameter]: plausibleValue(environment, parameter) });
  }
  const { status, output, errors } = await runChild("node", ["--import", "tsx", "delivery/cli.ts", "diff"], {
    folder: projectRoot,
    variables: {
      ...accounts.variables(environment),
      PATH: process.env.PATH,
      TMPDIR: folder,
      ENVIRONMENT: environment.name,
      FORMAT: "json",
    },
    seconds: 300,
  });
  expect([status, errors]).toEqual([0, expect.stringContaining("Planning all stacks of development")]);
  const summary = planSummarySchema.parse(JSON.parse(output));
  expect(summary.refused).toEqual([]);
  expect(summary.stacks.map(({ stack }) => stack)).toEqual(stacks.map(({ id }) => id));
  for (const stack of stacks) {
    const { status: planned, resources, awaits } = summary.stacks.find((one) => one.stack === stack.id)!;
    const waits = parametersReadBy(stack).length > 0 && stack.id !== "pipeline";
    expect([stack.id, planned]).toEqual([stack.id, waits ? "waiting" : "changes"]);
    expect(awaits.length > 0).toBe(waits);
    if (!waits) {
      expect(resources.map(({ address }) => address).sort()).toEqual(addressesOf(stack));
      expect(new Set(resources.map(({ action }) => action))).toEqual(new Set(["create"]));
    }
  }
  expect(readdirSync(folder).filter((name) => name.startsWith("acme-plan-"))).toEqual([]);
});
