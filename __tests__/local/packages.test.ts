import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { join } from "node:path";

import { root } from "../../local/platform/instance";

const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  dependencies: Readonly<Record<string, string>>;
};
const workspace = readdirSync(join(root, "packages"));

test("cdktf debug and cdktf provider list find what they look for: they list packages with NODE_ENV=production", () => {
  const listed = JSON.parse(
    execFileSync("npm", ["list", "--json"], {
      cwd: root,
      encoding: "utf8",
      env: { ...process.env, NODE_ENV: "production" },
      stdio: ["ignore", "pipe", "ignore"],
    }),
  ) as { dependencies: Readonly<Record<string, { version: string }>> };

  for (const name of ["cdktf", "constructs", "@cdktf/provider-aws", "@cdktf/provider-docker"]) {
    expect([name, listed.dependencies[name]?.version]).toEqual([name, dependencies[name]]);
  }
});

test.each(["environments", "stacks", "modules", "policies", "survey", "handlers", "delivery", "local"])(
  "what %s imports is a dependency of production, not of development",
  (room) => {
    const imported = readdirSync(join(root, room), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts"))
      .flatMap((file) => [
        ...readFileSync(join(root, room, file), "utf8").matchAll(/(?: from|^import) "((?:@[\w-]+\/)?\w[\w.-]*)/gm),
      ])
      .map(([, name = ""]) => name)
      // The workspace's own packages are linked by npm, and types alone are taken away before anything runs.
      .filter((name) => !isBuiltin(name) && !workspace.includes(name) && name !== "aws-lambda");

    expect([...new Set(imported)].filter((name) => !Object.hasOwn(dependencies, name))).toEqual([]);
  },
);
