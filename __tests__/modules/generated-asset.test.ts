import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { App } from "cdktf";
import { GeneratedAsset } from "../../modules/generated-asset";
import { loadEnvironment } from "../../environments";
import { Platform, PlatformStack } from "../../stacks/platform";

const outdir = mkdtempSync(join(tmpdir(), "asset-"));
afterAll(() => {
  rmSync(outdir, { recursive: true });
});

class Probe extends PlatformStack {
  readonly asset: GeneratedAsset;

  constructor(platform: Platform, files: Readonly<Record<string, string>>) {
    super(platform, "data");
    this.asset = new GeneratedAsset(this, "files", {
      files: new Map(Object.entries(files).map(([name, content]) => [name, Buffer.from(content)])),
      executable: (path) => path.startsWith("bin/"),
    });
  }
}

function synth(files: Readonly<Record<string, string>>): GeneratedAsset {
  const app = new App({ outdir });
  const { asset } = new Probe(new Platform(app, loadEnvironment("local")), files);
  app.synth();
  return asset;
}

const stackFolder = join(outdir, "stacks", "data");

test("files stand where Terraform is told that they stand, from the stack's own folder", () => {
  const asset = synth({ "bin/run": "#!/bin/sh", "notes/a.txt": "a" });
  for (const name of ["bin/run", "notes/a.txt"]) expect(existsSync(join(stackFolder, asset.path(name)))).toBe(true);
  expect(asset.path("bin/run")).toMatch(/^assets\/files\/[0-9a-f]{16}\/bin\/run$/);
  expect(statSync(join(stackFolder, asset.path("bin/run"))).mode & 0o777).toBe(0o755);
  expect(statSync(join(stackFolder, asset.path("notes/a.txt"))).mode & 0o777).toBe(0o644);
});

test("a later synth leaves nothing of an earlier one", () => {
  const before = synth({ "a.txt": "1" });
  const after = synth({ "b.txt": "1" });
  expect(after.folder).not.toBe(before.folder);
  expect(existsSync(join(stackFolder, before.folder))).toBe(false);
  expect(readdirSync(join(stackFolder, "assets", "files"))).toHaveLength(1);
});

test("a file that the asset doesn't have is an error", () => {
  expect(() => synth({ "a.txt": "1" }).path("b.txt")).toThrow(
    'The asset data/files has no file "b.txt"; it has a.txt.',
  );
});
