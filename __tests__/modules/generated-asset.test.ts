import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { App } from "cdktf";
import { readFiles } from "../../modules/content-hash";
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

test("files are where Terraform expects them, in the stack's own folder", () => {
  const asset = synth({ "bin/run": "#!/bin/sh", "notes/a.txt": "a" });
  for (const name of ["bin/run", "notes/a.txt"]) {
    expect(existsSync(join(stackFolder, asset.path(name)))).toBe(true);
  }
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

test("an earlier file stays if it is the same, and is replaced otherwise", () => {
  const files = { "bin/run": "#!/bin/sh", "notes/a.txt": "a" };
  const asset = synth(files);
  const [run, note] = [join(stackFolder, asset.path("bin/run")), join(stackFolder, asset.path("notes/a.txt"))];
  const folder = join(stackFolder, asset.folder);
  const longAgo = new Date("2025-03-01T08:00:00Z");
  const changes: Readonly<Record<string, () => void>> = {
    "a file changes": () => {
      writeFileSync(note, "b");
    },
    "a file is half written": () => {
      truncateSync(run, 3);
    },
    "a file is gone": () => {
      rmSync(note);
    },
    "a file comes": () => {
      writeFileSync(join(folder, "notes", "b.txt"), "b");
    },
    "a folder comes beside": () => {
      mkdirSync(join(folder, "..", "0123456789abcdef"));
    },
    "a file becomes a link": () => {
      rmSync(note);
      symlinkSync(run, note);
    },
  };
  for (const [change, make] of Object.entries(changes)) {
    utimesSync(run, longAgo, longAgo);
    chmodSync(run, 0o600);
    synth(files);
    const { mtime, mode } = statSync(run);
    expect({ change, mtime, mode: mode & 0o777 }).toEqual({ change, mtime: longAgo, mode: 0o755 });
    make();
    synth(files);
    expect({ change, mtime: statSync(run).mtime }).not.toEqual({ change, mtime: longAgo });
    expect({ change, files: readFiles(join(stackFolder, "assets", "files"), () => true) }).toEqual({
      change,
      files: new Map([
        [`${basename(folder)}/bin/run`, Buffer.from("#!/bin/sh")],
        [`${basename(folder)}/notes/a.txt`, Buffer.from("a")],
      ]),
    });
    expect(readdirSync(join(stackFolder, "assets", "files"))).toEqual([basename(folder)]);
  }
});

test("a file that the asset doesn't have is an error", () => {
  expect(() => synth({ "a.txt": "1" }).path("b.txt")).toThrow(
    'The asset data/files has no file "b.txt"; it has a.txt.',
  );
});
