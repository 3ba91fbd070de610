import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { run } from "../../../local/platform/commands";
import { type Instance, openInstance } from "../../../local/platform/instance";
import { synthesize, synthesized } from "../../../local/platform/synthesis";

jest.mock("../../../local/platform/commands");

const synth = jest.mocked(run);
let folder: string;
let checkout: string;
let instance: Instance;

/** Synth in small: one stack behind another, and a document. */
function writeStacks(): Promise<string> {
  mkdirSync(synthesized(instance, "stacks/data"), { recursive: true });
  writeFileSync(synthesized(instance, "stacks/data/cdk.tf.json"), "{}");
  const stacks = { website: { dependencies: ["data"] }, data: { dependencies: [] } };
  writeFileSync(synthesized(instance, "manifest.json"), JSON.stringify({ stacks }));
  return Promise.resolve("");
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "synthesis-"));
  checkout = join(folder, "checkout");
  mkdirSync(join(checkout, "stacks"), { recursive: true });
  writeFileSync(join(checkout, "main.ts"), "one");
  writeFileSync(join(checkout, "stacks/data.ts"), "two");
  instance = openInstance(join(checkout, "state"));
  synth.mockReset().mockImplementation(writeStacks);
  await synthesize(instance, checkout);
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

test("the stacks come in the order of their dependencies, from synth and without it", async () => {
  expect(await synthesize(instance, checkout)).toEqual(["data", "website"]);
  expect(synth).toHaveBeenCalledTimes(1);
});

test.each([
  [
    "a source that changed",
    () => {
      writeFileSync(join(checkout, "stacks/data.ts"), "three");
    },
  ],
  [
    "a new source",
    () => {
      writeFileSync(join(checkout, "stacks/more.ts"), "");
    },
  ],
  [
    "a source that is gone",
    () => {
      rmSync(join(checkout, "main.ts"));
    },
  ],
  [
    "a document that somebody changed",
    () => {
      writeFileSync(synthesized(instance, "stacks/data/cdk.tf.json"), "{ }");
    },
  ],
  [
    "a document that is gone",
    () => {
      rmSync(synthesized(instance, "stacks"), { recursive: true });
    },
  ],
  [
    "an output that is gone",
    () => {
      rmSync(synthesized(instance), { recursive: true });
    },
  ],
])("%s has synth run again", async (_, change) => {
  change();
  await synthesize(instance, checkout);
  expect(synth).toHaveBeenCalledTimes(2);
});

test("files of a killed synth do not count as its output", async () => {
  writeFileSync(join(checkout, "main.ts"), "changed");
  synth.mockImplementationOnce(() => {
    writeFileSync(synthesized(instance, "stacks/data/cdk.tf.json"), "half of it");
    return Promise.reject(new Error("killed"));
  });
  await expect(synthesize(instance, checkout)).rejects.toThrow("killed");
  await synthesize(instance, checkout);
  expect(synth).toHaveBeenCalledTimes(3);
});

test("a source that changes while synth reads has it run again", async () => {
  writeFileSync(join(checkout, "main.ts"), "changed");
  synth.mockImplementationOnce(() => {
    writeFileSync(join(checkout, "main.ts"), "changed once more");
    return writeStacks();
  });
  await synthesize(instance, checkout);
  await synthesize(instance, checkout);
  expect(synth).toHaveBeenCalledTimes(3);
});

test("what tests, documents and other tools leave in the checkout has synth not run again", async () => {
  for (const name of ["__tests__", "docs", ".venv", "node_modules", "screenshots", "stacks/__pycache__"]) {
    mkdirSync(join(checkout, name));
    writeFileSync(join(checkout, name, "file"), "");
  }
  await synthesize(instance, checkout);
  expect(synth).toHaveBeenCalledTimes(1);
});
