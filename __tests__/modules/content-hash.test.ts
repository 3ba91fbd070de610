import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { contentHash, readFiles } from "../../modules/content-hash";

const hashOf = (...files: [string, string][]): string =>
  contentHash(new Map(files.map(([name, content]) => [name, Buffer.from(content)])));

test("the order in which files are given doesn't count", () => {
  expect(hashOf(["a", "1"], ["b", "2"])).toBe(hashOf(["b", "2"], ["a", "1"]));
});

test.each<[string, [string, string][]]>([
  ["a changed content", [["a", "2"]]],
  ["a changed name", [["b", "1"]]],
  [
    "one more file, though empty",
    [
      ["a", "1"],
      ["b", ""],
    ],
  ],
  ["bytes that move from the content into the name", [["a1", ""]]],
  ["no file at all", []],
])("%s changes the hash", (_, files) => {
  expect(hashOf(...files)).not.toBe(hashOf(["a", "1"]));
});

test("no two different sets of files share a hash", () => {
  const files = fc.dictionary(fc.string({ maxLength: 3 }), fc.string({ maxLength: 3 }), { maxKeys: 3 });
  fc.assert(
    fc.property(files, files, (left, right) => {
      const [one, other] = [left, right].map((entry) => Object.entries(entry).sort(([a], [b]) => (a < b ? -1 : 1)));
      expect(hashOf(...one!) === hashOf(...other!)).toBe(JSON.stringify(one) === JSON.stringify(other));
    }),
  );
});

describe("reading files", () => {
  const folder = mkdtempSync(join(tmpdir(), "files-"));
  mkdirSync(join(folder, "sub"));
  for (const name of ["b.txt", "a.txt", "sub/c.txt", "B.txt", "skip.log"]) {
    writeFileSync(join(folder, name), name);
  }
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  test("gives what the filter lets through, sorted the same under every locale", () => {
    expect([...readFiles(folder, (path) => path.endsWith(".txt")).keys()]).toEqual([
      "B.txt",
      "a.txt",
      "b.txt",
      "sub/c.txt",
    ]);
  });

  test("refuses a link, which would bring in what lies elsewhere", () => {
    symlinkSync("/etc/hostname", join(folder, "link.txt"));
    expect(() => readFiles(folder, (path) => path.endsWith(".txt"))).toThrow("link.txt is not a plain file");
    expect([...readFiles(folder, (path) => path === "a.txt").keys()]).toEqual(["a.txt"]);
  });

  test("of a folder that isn't there is an error", () => {
    expect(() => readFiles(join(folder, "none"), () => true)).toThrow("ENOENT");
  });
});
