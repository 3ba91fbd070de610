import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../../modules/project-root";

/** What stands at the top of the tree: what git tracks or would add. */
function topLevel(): readonly string[] {
  const files = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
    cwd: projectRoot,
    encoding: "utf8",
  });
  return [...new Set(files.split("\n").map((file) => file.split("/")[0]!))].filter((name) => name !== "");
}

test("each file and folder at the top of the tree has its reason in the house plan", () => {
  const [, plan = ""] = /## The house plan\n([^]*?)\n## /.exec(
    readFileSync(join(projectRoot, "docs/architecture.md"), "utf8"),
  ) ?? [""];
  const reasons = new Set([...plan.matchAll(/`([^`\n]+?)\/?`/g)].map(([, name]) => name));
  expect(topLevel().length).toBeGreaterThan(20);
  expect(topLevel().filter((name) => !reasons.has(name))).toEqual([]);
});
