/**
 * checkov on what Terraform would really make: every default that the provider fills in, and every expression that it
 * evaluates.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exceptions } from "../checkov/exceptions";
import { judge } from "../checkov/judge";
import { scan } from "../checkov/scan";
import { loadEnvironment } from "../../environments";
import { EmulatedAccounts } from "./support/emulated-account";
import { pool } from "./support/pool";
import { parametersReadBy, plausibleValue, synthesizeInto } from "./support/stacks";
import { Terraform } from "./support/terraform";

/** The environment that has every stack. */
const environment = loadEnvironment("production");
const folder = mkdtempSync(join(tmpdir(), "provider-checkov-"));
const stacks = synthesizeInto(folder, environment.name);
const atOnce = pool(3);
let accounts: EmulatedAccounts;
let plans: readonly string[];

beforeAll(async () => {
  accounts = await EmulatedAccounts.start();
  await accounts.makeStateBucket(environment);
  await accounts.putFigures(environment);
  for (const parameter of new Set(stacks.flatMap(parametersReadBy))) {
    await accounts.publish(environment, { [parameter]: plausibleValue(environment, parameter) });
  }
  plans = await Promise.all(
    stacks.map((stack) =>
      atOnce(async () => {
        const terraform = new Terraform(stack.folder, accounts.variables(environment));
        await terraform.init();
        await terraform.succeed("plan", "-input=false", "-lock=false", "-no-color", "-out=plan");
        const file = join(folder, `${stack.id}.json`);
        writeFileSync(file, await terraform.succeed("show", "-json", "plan"));
        return file;
      }),
    ),
  );
}, 600_000);

afterAll(async () => {
  await accounts.stop();
  rmSync(folder, { recursive: true, force: true });
});

test("no plan has a failure without a written reason", async () => {
  const { files } = await scan("terraform_plan", plans);
  const findings = files.flatMap(({ failed }, index) =>
    failed.map((failure) => ({ ...failure, environment: environment.name, stack: stacks[index]!.id })),
  );
  expect(findings.length).toBeGreaterThan(0);
  expect(judge(findings, exceptions).unexcused).toEqual([]);
});
