import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { outdirOf, readManifest, synthesize } from "../../../delivery/terraform";
import { environmentNames } from "../../../environments";
import { contract, stackIds } from "../../../stacks/contract";

jest.setTimeout(120_000);

const folder = mkdtempSync(join(tmpdir(), "synthesize-"));
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

test("each environment has its own folder, because terraform stores there which state it uses", () => {
  expect(new Set(environmentNames.map(outdirOf)).size).toBe(environmentNames.length);
});

test("the app of cdktf.json gives the stacks, each after those from which it reads", async () => {
  const { stacks, outdir } = await synthesize("development", join(folder, "a/b/development"));
  expect(outdir).toBe(join(folder, "a/b/development"));
  const order = stacks.map(({ id }) => id);
  expect(order.length).toBeGreaterThan(5);
  for (const [index, { id, folder: work, dependencies }] of stacks.entries()) {
    expect(existsSync(join(work, "cdk.tf.json"))).toBe(true);
    for (const dependency of dependencies) {
      expect(order.indexOf(dependency)).toBeLessThan(index);
    }
    const publishers = Object.values(contract)
      .filter(({ readers }) => (readers as readonly string[]).includes(id))
      .map(({ publisher }) => publisher);
    expect([...dependencies].sort()).toEqual([...new Set(publishers)].sort());
  }
  // Where the contract leaves a choice, its own list counts.
  expect(order).toEqual(stackIds.filter((id) => order.includes(id)));
});

test("files of a removed stack are deleted, and terraform's own files of the others stay", async () => {
  const outdir = join(folder, "again");
  await synthesize("local", outdir);
  mkdirSync(join(outdir, "stacks/gone"));
  mkdirSync(join(outdir, "stacks/data/.terraform"));
  const { stacks } = await synthesize("local", outdir);
  expect(existsSync(join(outdir, "stacks/gone"))).toBe(false);
  expect(existsSync(join(outdir, "stacks/data/.terraform"))).toBe(true);
  expect(stacks.map(({ id }) => id)).not.toContain("gone");
});

test("an unknown environment and an empty folder are reported", async () => {
  await expect(synthesize("staging", join(folder, "x"))).rejects.toThrow(
    'ENVIRONMENT is "staging"; expected one of local, development, production.',
  );
  expect(() => readManifest(folder)).toThrow(`${folder} has no manifest.json: nothing has been synthesized there.`);
});

test("the app's message about a fault is passed on", async () => {
  process.env.PATH = "/nowhere";
  await expect(synthesize("local", join(folder, "broken"))).rejects.toThrow(
    /^Synthesis of local failed\.\n→ .*\n\n.*npm/s,
  );
});
