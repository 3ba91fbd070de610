import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unzipSync } from "fflate";
import { archive, bundle } from "../../modules/bundle";

const folder = mkdtempSync(join(tmpdir(), "bundle-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const bytes = (text: string): Uint8Array => Buffer.from(text);

function entry(name: string, code: string): string {
  mkdirSync(join(folder, name), { recursive: true });
  const file = join(folder, name, "index.ts");
  writeFileSync(file, code);
  return file;
}

function run(zip: Uint8Array, name: string): { handler: () => unknown } {
  const file = join(folder, `${name}.js`);
  writeFileSync(file, unzipSync(zip)["index.js"]!);
  return createRequire(__filename)(file) as { handler: () => unknown };
}

describe("an archive", () => {
  test("is the same whatever the order of its files and the time of day", () => {
    jest.useFakeTimers({ now: new Date("2031-05-06T07:08:09Z") });
    const one = archive(
      new Map([
        ["b", bytes("2")],
        ["a", bytes("1")],
      ]),
    );
    jest.setSystemTime(new Date("2044-01-01T00:00:00Z"));
    const other = archive(
      new Map([
        ["a", bytes("1")],
        ["b", bytes("2")],
      ]),
    );
    jest.useRealTimers();
    expect(Buffer.from(one).equals(Buffer.from(other))).toBe(true);
  });

  test("gives back what went in", () => {
    const files = unzipSync(archive(new Map([["a/b.txt", bytes("hello")]])));
    expect(Object.keys(files)).toEqual(["a/b.txt"]);
    expect(Buffer.from(files["a/b.txt"]!).toString()).toBe("hello");
  });
});

describe("a bundle", () => {
  test("runs by plain node, with what it imports inside", () => {
    writeFileSync(join(folder, "shared.ts"), "export const answer: number = 42;");
    const zip = bundle(entry("runs", 'import { answer } from "../shared"; export const handler = () => answer;'));
    expect(Object.keys(unzipSync(zip))).toEqual(["index.js"]);
    expect(run(zip, "runs").handler()).toBe(42);
  });

  test("keeps the names of errors, by which Step Functions catches them", () => {
    const zip = bundle(
      entry(
        "names",
        'class NoSuchSurvey extends Error { override readonly name = "NoSuchSurvey"; } export const handler = () => new NoSuchSurvey().name;',
      ),
    );
    expect(run(zip, "names").handler()).toBe("NoSuchSurvey");
  });

  test("is the same from two folders", () => {
    const code = 'import { join } from "node:path"; export const handler = () => join("a", "b");';
    const [one, other] = [bundle(entry("here", code)), bundle(entry("there/deeper", code))];
    expect(Buffer.from(one).equals(Buffer.from(other))).toBe(true);
  });

  test("of a file that isn't there says so", () => {
    expect(() => bundle("handlers/nothing/index.ts")).toThrow("There is no handlers/nothing/index.ts in the project");
  });

  test("of code that doesn't compile fails with the place", () => {
    expect(() => bundle(entry("broken", "export const handler = ("))).toThrow(/broken\/index\.ts:1:\d+/);
  });
});
