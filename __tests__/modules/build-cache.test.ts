import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BuildCache } from "../../modules/build-cache";
import { bundle } from "../../modules/bundle";
import { projectRoot } from "../../modules/project-root";

let root: string;
let builds: number;

/** A file that was written long before any build. */
function write(path: string, content: string, time = new Date("2025-03-01T08:00:00Z")): void {
  mkdirSync(join(root, path, ".."), { recursive: true });
  writeFileSync(join(root, path), content);
  utimesSync(join(root, path), time, time);
}

/** What another process gets: it builds if it must, and its output is the two inputs one after the other. */
function reuse(settings = "settings"): string {
  const inputs = ["handlers/predict/index.ts", "node_modules/library/index.js"];
  const output = new BuildCache(root, "kept").reuse("predict.zip", settings, () => {
    builds += 1;
    return { output: Buffer.concat(inputs.map((path) => readFileSync(join(root, path)))), inputs };
  });
  return Buffer.from(output).toString();
}

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "build-cache-"));
  builds = 0;
  write("handlers/predict/index.ts", "one");
  write("node_modules/library/index.js", "two");
});
afterEach(() => {
  rmSync(root, { recursive: true });
});

test("a second process takes what the first has built", () => {
  expect([reuse(), reuse()]).toEqual(["onetwo", "onetwo"]);
  expect(builds).toBe(1);
});

test("a second process takes it where the first had to make the folder beside a source", () => {
  const build = (): string =>
    Buffer.from(
      new BuildCache(root, "kept").reuse("list.txt", "settings", () => {
        builds += 1;
        return { output: readFileSync(join(root, "list.json")), inputs: ["list.json"] };
      }),
    ).toString();
  write("list.json", "[]");
  expect([build(), build()]).toEqual(["[]", "[]"]);
  expect(builds).toBe(1);
});

test("what is missing or out of date of several outputs is built together, the rest is taken", () => {
  const build = (): string[][] => {
    const built: string[][] = [];
    const outputs = new BuildCache(root, "kept", ".zip").reuseAll(
      ["a/one", "a/two", "a/three"],
      "settings",
      (names) => {
        built.push([...names]);
        return new Map(names.map((name) => [name, { output: Buffer.from(name), inputs: [`${name}.ts`] }]));
      },
    );
    expect([...outputs].map(([name, output]) => [name, Buffer.from(output).toString()]).sort()).toEqual([
      ["a/one", "a/one"],
      ["a/three", "a/three"],
      ["a/two", "a/two"],
    ]);
    return built;
  };
  for (const name of ["one", "two", "three"]) {
    write(`a/${name}.ts`, name);
  }
  expect(build()).toEqual([["a/one", "a/two", "a/three"]]);
  write("a/two.ts", "changed");
  rmSync(join(root, "kept/a-three.zip"));
  expect([build(), build()]).toEqual([[["a/two", "a/three"]], []]);
});

test.each<[string, () => void]>([
  [
    "a source changes, though not its time",
    () => {
      write("handlers/predict/index.ts", "ONE");
    },
  ],
  [
    "an installed file changes",
    () => {
      write("node_modules/library/index.js", "three");
    },
  ],
  [
    "an installed file is replaced by one of its size",
    () => {
      write("node_modules/library/index.js", "TWO", new Date("2025-03-02T08:00:00Z"));
    },
  ],
  [
    "a file comes beside a source, which may be found before it",
    () => {
      write("handlers/predict/index.tsx", "");
    },
  ],
  [
    "a file comes beside a source's folder",
    () => {
      write("handlers/predict.ts", "");
    },
  ],
  [
    "what was kept is damaged",
    () => {
      writeFileSync(join(root, "kept/predict.zip"), "on");
    },
  ],
  [
    "what was kept is gone",
    () => {
      rmSync(join(root, "kept/predict.zip"));
    },
  ],
  [
    "its record is half written",
    () => {
      writeFileSync(join(root, "kept/predict.zip.json"), '{"settings":');
    },
  ],
])("it is built again when %s", (_, change) => {
  reuse();
  change();
  const again = reuse();
  expect(builds).toBe(2);
  expect(again).toBe(
    readFileSync(join(root, "handlers/predict/index.ts"), "utf8") +
      readFileSync(join(root, "node_modules/library/index.js"), "utf8"),
  );
});

test("it is built again for other settings", () => {
  reuse("minified");
  reuse("plain");
  expect(builds).toBe(2);
});

test("an input that somebody writes meanwhile is not taken for the one that was read", () => {
  write("handlers/predict/index.ts", "one", new Date(Date.now() + 60_000));
  reuse();
  reuse();
  expect(builds).toBe(2);
});

test("a build that fails is not kept, and says why", () => {
  const cache = new BuildCache(root, "kept");
  const fail = (): never => {
    throw new Error("no such import");
  };
  expect(() => cache.reuse("predict.zip", "settings", fail)).toThrow("no such import");
  expect(reuse()).toBe("onetwo");
});

test("a folder that can't be made costs time only", () => {
  writeFileSync(join(root, "kept"), "a file stands in its place");
  expect([reuse(), reuse()]).toEqual(["onetwo", "onetwo"]);
  expect(builds).toBe(2);
});

test("nothing half written is left behind", () => {
  reuse();
  expect(readdirSync(join(root, "kept")).sort()).toEqual(["predict.zip", "predict.zip.json"]);
});

test("a handler's archive from the cache is the one that a build makes", () => {
  const entry = "handlers/contact/index.ts";
  const kept = Buffer.from(bundle(entry));
  expect(kept.equals(Buffer.from(bundle(join(projectRoot, entry))))).toBe(true); // by its whole path it is always built
});
