/** Roles come under their boundary in place, also on a platform that is older than the boundaries. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadEnvironment } from "../../environments";
import type { Arguments } from "../support/synthesize";
import { EmulatedAccounts } from "./support/emulated-account";
import { synthesizeInto } from "./support/stacks";
import { Terraform } from "./support/terraform";

const folder = mkdtempSync(join(tmpdir(), "provider-boundaries-"));
const environment = loadEnvironment("development");
const stacks = synthesizeInto(folder, "development");
let accounts: EmulatedAccounts;

beforeAll(async () => {
  accounts = await EmulatedAccounts.start();
  await accounts.makeStateBucket(environment);
}, 120_000);

afterAll(async () => {
  await accounts.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Leaves of a stack its resources of one type, as they are or changed. */
class Part {
  readonly terraform: Terraform;
  private readonly file: string;
  private readonly document: Arguments;

  constructor(
    id: string,
    private readonly type: string,
  ) {
    const { folder: place } = stacks.find((stack) => stack.id === id)!;
    this.file = join(place, "cdk.tf.json");
    this.document = JSON.parse(readFileSync(this.file, "utf8"));
    this.terraform = new Terraform(place, accounts.variables(environment));
  }

  get addresses(): readonly string[] {
    return Object.keys(this.document.resource[this.type]).map((name) => `${this.type}.${name}`);
  }

  write(change: (resource: Arguments) => Arguments = (resource) => resource): void {
    const resources = Object.entries<Arguments>(this.document.resource[this.type]).map(
      ([name, resource]) => [name, change(resource)] as const,
    );
    const { terraform, provider } = this.document;
    const resource = { [this.type]: Object.fromEntries(resources) };
    writeFileSync(this.file, JSON.stringify({ terraform, provider, resource }));
  }

  async apply(): Promise<void> {
    await this.terraform.succeed("apply", "-auto-approve", "-input=false", "-no-color");
  }
}

test("roles that were made without a boundary get it in place, and a second plan finds nothing to do", async () => {
  const boundaries = new Part("governance", "aws_iam_policy");
  const roles = new Part("ml-workflow", "aws_iam_role");
  expect(boundaries.addresses).toHaveLength(2);
  expect(roles.addresses.length).toBeGreaterThan(4);

  roles.write((role) => ({ ...role, permissions_boundary: undefined }));
  await roles.terraform.init();
  await roles.apply();

  boundaries.write();
  await boundaries.terraform.init();
  await boundaries.apply();
  roles.write();
  const { actions, diagnostics } = await roles.terraform.plan();
  expect(diagnostics).toEqual([]);
  expect(actions).toEqual(Object.fromEntries(roles.addresses.map((address) => [address, "update"])));

  await roles.apply();
  for (const part of [roles, boundaries]) {
    expect((await part.terraform.plan()).actions).toEqual({});
  }
}, 300_000);
