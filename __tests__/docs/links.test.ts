import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

const root = resolve(__dirname, "../..");
const documents = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "*.md"], {
  cwd: root,
  encoding: "utf8",
})
  .split("\n")
  .filter((name) => name !== "")
  .sort();

/** The text without its code, in which brackets are no links. */
function proseOf(markdown: string): string {
  return markdown.replace(/^ *(```|~~~)[^]*?^ *\1/gm, "").replace(/(`+)[^]*?\1/g, "code");
}

/** Targets of the links and pictures of a text. */
function targetsOf(markdown: string): string[] {
  return [...proseOf(markdown).matchAll(/\[[^\]]*\]\(([^()\s]+)[^()]*\)/g)].map(([, target]) => target!);
}

/** The names by which GitHub lets a page's headings be linked to. */
function headingsOf(markdown: string): string[] {
  return [...markdown.replace(/^ *(```|~~~)[^]*?^ *\1/gm, "").matchAll(/^#{1,6} +(.+?) *$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replace(/[^\p{Letter}\p{Number} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

/** Why a link of a document leads nowhere; undefined when it leads somewhere. */
function faultOf(document: string, target: string): string | undefined {
  if (/^[a-z][a-z0-9+.-]*:/i.test(target)) {
    return undefined;
  }
  const [path = "", heading] = target.split("#");
  const file = path === "" ? join(root, document) : resolve(root, dirname(document), path);
  if (!existsSync(file)) {
    return `${target}: there is no such file`;
  }
  if (
    heading !== undefined &&
    (!statSync(file).isFile() || !headingsOf(readFileSync(file, "utf8")).includes(heading))
  ) {
    return `${target}: there is no such heading`;
  }
  return undefined;
}

test.each(documents)("every link of %s leads somewhere in this repository", (document) => {
  const targets = targetsOf(readFileSync(join(root, document), "utf8"));
  expect(targets.flatMap((target) => faultOf(document, target) ?? [])).toEqual([]);
});

test("the documents link to one another", () => {
  const targets = documents.flatMap((document) => targetsOf(readFileSync(join(root, document), "utf8")));
  expect(targets.length).toBeGreaterThan(50);
});

test("links are found in prose and tables, and not in code", () => {
  const markdown = "A [file](a.md#part), ![a picture](b.png) | [c](c/ 'title') |\n`[no](d)`\n```\n[no](e)\n```\n";
  expect(targetsOf(markdown)).toEqual(["a.md#part", "b.png", "c/"]);
});

test("a link to a file or a heading that isn't there is a fault", () => {
  expect(faultOf("docs/architecture.md", "nowhere.md")).toMatch(/no such file/);
  expect(faultOf("docs/architecture.md", "#nowhere")).toMatch(/no such heading/);
  expect(faultOf("docs/architecture.md", "../README.md#two-commands")).toBeUndefined();
  expect(faultOf("README.md", "https://example.com/")).toBeUndefined();
});
