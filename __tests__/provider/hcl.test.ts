/** The HCL of a stack plans what its JSON plans: whoever leaves CDKTF finds nothing to do. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeEnvironment } from "../../delivery/hcl";
import { loadEnvironment } from "../../environments";
import { EmulatedAccounts } from "./support/emulated-account";
import { pool } from "./support/pool";
import { addressesOf, parametersReadBy, plausibleValue, type SynthesizedStack, synthesizeInto } from "./support/stacks";
import { Terraform } from "./support/terraform";

/** The part of `terraform show -json` that tells what each resource will be. */
interface ShownPlan {
  readonly resource_changes: readonly {
    readonly address: string;
    readonly change: { readonly after: unknown; readonly after_unknown: unknown };
  }[];
}

const folder = mkdtempSync(join(tmpdir(), "provider-hcl-"));
const environment = loadEnvironment("production");
const stacks = synthesizeInto(join(folder, "json"), environment.name);
const atOnce = pool(3);
let accounts: EmulatedAccounts;
const planned = new Map<SynthesizedStack, Promise<readonly [json: Resources, hcl: Resources]>>();

type Resources = Readonly<Record<string, unknown>>;

/** `jsonencode` sorts the names in a document, which says the same. */
function withDocumentsRead(value: unknown): unknown {
  if (typeof value === "string" && /^\s*[[{]/.test(value)) {
    try {
      return withDocumentsRead(JSON.parse(value));
    } catch {
      return value;
    }
  }
  if (Array.isArray(value)) {
    return value.map(withDocumentsRead);
  }
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, withDocumentsRead(entry)]));
  }
  return value;
}

async function plan(at: string, variables: Record<string, string>): Promise<Resources> {
  const terraform = new Terraform(at, variables);
  await terraform.init();
  await terraform.succeed("plan", "-input=false", "-out=plan");
  const { resource_changes: changes } = JSON.parse(await terraform.succeed("show", "-json", "plan")) as ShownPlan;
  return Object.fromEntries(changes.map(({ address, change }) => [address, withDocumentsRead(change)]));
}

beforeAll(async () => {
  accounts = await EmulatedAccounts.start();
  const variables = accounts.variables(environment);
  await accounts.makeStateBucket(environment);
  await accounts.putFigures(environment);
  for (const parameter of new Set(stacks.flatMap(parametersReadBy))) {
    await accounts.publish(environment, { [parameter]: plausibleValue(environment, parameter) });
  }
  const hcl = join(folder, "hcl");
  await writeEnvironment(environment, hcl);
  for (const stack of stacks) {
    const result = atOnce(async () => {
      const json = await plan(stack.folder, variables);
      return [json, await plan(join(hcl, stack.id), variables)] as const;
    });
    // A failure is its test's, which may wait for it only later.
    result.catch(() => undefined);
    planned.set(stack, result);
  }
}, 120_000);

afterAll(async () => {
  await Promise.allSettled(planned.values());
  await accounts.stop();
  rmSync(folder, { recursive: true, force: true });
});

test.each(stacks.map((stack) => [stack.id, stack] as const))("%s", async (_, stack) => {
  const [json, hcl] = (await planned.get(stack))!;
  expect(Object.keys(json).filter((address) => !address.startsWith("data."))).toHaveLength(addressesOf(stack).length);
  expect(hcl).toEqual(json);
});
