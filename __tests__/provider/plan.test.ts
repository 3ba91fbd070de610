/** The real provider knows every argument of every stack, and can plan each on its own. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { environmentNames, loadEnvironment } from "../../environments";
import { EmulatedAccounts } from "./support/emulated-account";
import { pool } from "./support/pool";
import { addressesOf, parametersReadBy, plausibleValue, type SynthesizedStack, synthesizeInto } from "./support/stacks";
import { type Diagnostic, type Plan, Terraform } from "./support/terraform";

interface Checked {
  readonly validation: readonly Diagnostic[];
  readonly plan: Plan;
}

const folder = mkdtempSync(join(tmpdir(), "provider-plan-"));
const environments = environmentNames.map((name) => ({ name, stacks: synthesizeInto(join(folder, name), name) }));
const atOnce = pool(3);
let accounts: EmulatedAccounts;
const results = new Map<SynthesizedStack, Promise<Checked>>();

beforeAll(async () => {
  accounts = await EmulatedAccounts.start();
  for (const { name, stacks } of environments) {
    const environment = loadEnvironment(name);
    const variables = accounts.variables(environment);
    await accounts.makeStateBucket(environment);
    await accounts.putFigures(environment);
    for (const parameter of new Set(stacks.flatMap(parametersReadBy))) {
      await accounts.publish(environment, { [parameter]: plausibleValue(environment, parameter) });
    }
    for (const stack of stacks) {
      const result = atOnce(async () => {
        const terraform = new Terraform(stack.folder, variables);
        await terraform.init();
        return { validation: await terraform.validate(), plan: await terraform.plan() };
      });
      // A failure is its test's, which may wait for it only later.
      result.catch(() => undefined);
      results.set(stack, result);
    }
  }
}, 120_000);

afterAll(async () => {
  await Promise.allSettled(results.values());
  await accounts.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe.each(environments)("$name", ({ stacks }) => {
  test.each(stacks.map((stack) => [stack.id, stack] as const))(
    "%s is valid, and is planned whole from nothing",
    async (_, stack) => {
      const { validation, plan } = (await results.get(stack))!;
      expect(validation).toEqual([]);
      expect(plan.diagnostics).toEqual([]);
      expect(Object.keys(plan.actions).sort()).toEqual(addressesOf(stack));
      expect(new Set(Object.values(plan.actions))).toEqual(new Set(["create"]));
    },
  );
});
