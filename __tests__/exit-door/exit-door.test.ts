import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { environmentNames } from "../../environments";
import { synthesizeOnCdktn } from "./synth";
import { projectRoot } from "../../modules/project-root";
import { synthesizePlatform } from "../support/synthesize";

jest.setTimeout(120_000);

const folder = mkdtempSync(join(tmpdir(), "exit-door-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** Where two JSON values differ: place, and both sides. */
function differences(one: unknown, other: unknown, place = ""): readonly string[] {
  if (typeof one === "object" && one !== null && typeof other === "object" && other !== null) {
    const keys = new Set([...Object.keys(one), ...Object.keys(other)]);
    return [...keys].flatMap((key) =>
      differences(
        (one as Record<string, unknown>)[key],
        (other as Record<string, unknown>)[key],
        place === "" ? key : `${place} ${key}`,
      ),
    );
  }
  return one === other ? [] : [`${place}: ${JSON.stringify(one)} → ${JSON.stringify(other)}`];
}

const files = (root: string): readonly string[] =>
  existsSync(root)
    ? readdirSync(root, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(root.length))
        .sort()
    : [];

/** All that moving to cdktn changes in a plan: the rest of docs/exit-door.md holds only while this does. */
const expected = [
  '// metadata version: "0.21.0" → "0.24.0"',
  'terraform required_providers aws source: "aws" → "hashicorp/aws"',
  'terraform required_providers aws version: "6.25.0" → "6.66.0"',
];

test.each(environmentNames)("%s is the same on cdktn except for the versions, also the assets", async (name) => {
  const outdir = join(folder, name);
  await synthesizeOnCdktn(name, outdir);
  const platform = synthesizePlatform(name);
  expect(readdirSync(join(outdir, "stacks")).sort()).toEqual(Object.keys(platform).sort());
  for (const [id, template] of Object.entries(platform)) {
    const document = JSON.parse(readFileSync(join(outdir, "stacks", id, "cdk.tf.json"), "utf8")) as object;
    expect([id, [...differences(template.document, document)].sort()]).toEqual([id, expected]);
    const assets = (root: string): readonly string[] => files(join(root, "assets"));
    expect(assets(join(outdir, "stacks", id))).toEqual(assets(template.folder));
    for (const file of assets(template.folder)) {
      // Jest's own comparison of megabytes takes seconds.
      const same = readFileSync(join(outdir, "stacks", id, "assets", file)).equals(template.file(join("assets", file)));
      expect([id, file, same]).toEqual([id, file, true]);
    }
  }
});

test("the project's types hold on cdktn", () => {
  const tsc = join(projectRoot, "node_modules/typescript-native/bin/tsc");
  expect(() => execFileSync(process.execPath, [tsc, "-p", "__tests__/exit-door"], { cwd: projectRoot })).not.toThrow();
});

test("a fault of the app is reported, and no file remains", async () => {
  await expect(synthesizeOnCdktn("prod", join(folder, "prod"))).rejects.toThrow(
    'ENVIRONMENT is "prod"; expected one of',
  );
  expect(readdirSync(join(projectRoot, "node_modules")).filter((entry) => entry.startsWith(".exit-door-"))).toEqual([]);
});
