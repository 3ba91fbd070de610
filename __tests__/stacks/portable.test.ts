/**
 * A runner elsewhere (Terraform Cloud, a build) gets a stack's folder and nothing else: whatever the stack needs has to
 * be in it.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve, sep } from "node:path";
import { environmentNames } from "../../environments";
import { projectRoot } from "../../modules/project-root";
import { synthesizePlatform, type Template } from "../support/synthesize";

const cases = environmentNames.flatMap((name) =>
  Object.entries(synthesizePlatform(name)).map(([id, template]) => [`${name}/${id}`, template] as const),
);

/** The arguments that name a file or a folder on the machine on which Terraform runs. */
const pathArguments = /^(filename|source|path|context|build_context|template_file)$/;

/** Every text of a document, with the key under which it stands. */
function texts(value: unknown, key = ""): readonly (readonly [key: string, text: string])[] {
  if (typeof value === "string") {
    return [[key, value]];
  }
  if (typeof value !== "object" || value === null) {
    return [];
  }
  return Object.entries(value).flatMap(([name, element]) =>
    // CDKTF's own notes are no arguments.
    name === "//" ? [] : texts(element, Array.isArray(value) ? key : name),
  );
}

/** The paths that a document names, functions of Terraform such as `file("…")` included. */
function paths(template: Template): readonly string[] {
  return texts(template.document.resource ?? {}).flatMap(([key, text]) => [
    ...(pathArguments.test(key) && !text.startsWith("${") && /[./]/.test(text) && !text.includes("://") ? [text] : []),
    ...[...text.matchAll(/\b(?:file|filebase64|filebase64sha256|filemd5|filesha256|templatefile)\("([^"]+)"/g)].map(
      ([, path]) => path!,
    ),
  ]);
}

describe.each(cases)("%s", (_, template) => {
  test("names no place of this machine", () => {
    const text = readdirSync(template.folder, { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".json"))
      .map((file) => template.file(file).toString())
      .join("\n");
    expect(text.length).toBeGreaterThan(0);
    for (const place of [projectRoot, template.folder]) {
      expect(text).not.toContain(place);
    }
  });

  test("finds each of its files in its own folder", () => {
    for (const path of paths(template)) {
      const absolute = resolve(template.folder, path);
      expect([path, absolute.startsWith(template.folder + sep), existsSync(absolute)]).toEqual([path, true, true]);
    }
  });

  test("has nothing in its folder that leads out of it", () => {
    for (const file of readdirSync(template.folder, { recursive: true, encoding: "utf8" })) {
      expect([file, statSync(join(template.folder, file)).isSymbolicLink()]).toEqual([file, false]);
    }
  });
});

test("the model image's Dockerfile is in the folder of its context", () => {
  const { context, dockerfile } = synthesizePlatform("production")["model-image"]!.resource("docker_image").build;
  const { folder } = cases.find(([id]) => id === "production/model-image")![1];
  expect(existsSync(join(folder, context, dockerfile))).toBe(true);
});

test("the paths that are looked at are those of functions and pages", () => {
  const found = cases.flatMap(([, template]) => paths(template));
  expect(found.filter((path) => path.endsWith(".zip")).length).toBeGreaterThan(5);
  expect(found.some((path) => path.endsWith("index.html"))).toBe(true);
});

describe("Terraform Cloud", () => {
  const backend = {
    type: "cloud",
    organization: "acme-abalone",
    project: "Abalone age",
    hostname: "terraform.example.com",
  } as const;
  const platform = synthesizePlatform("production", { backend });

  test("has a workspace for each stack, within the project, and no other place for states", () => {
    expect(Object.keys(platform).length).toBeGreaterThan(5);
    for (const [id, { document }] of Object.entries(platform)) {
      expect(document.terraform.backend).toBeUndefined();
      expect(document.terraform.cloud).toEqual({
        hostname: "terraform.example.com",
        organization: "acme-abalone",
        workspaces: { name: `acme-production-${id}`, project: "Abalone age" },
      });
    }
  });

  const isThere = spawnSync("terraform", ["version"]).status === 0;
  (isThere ? test : test.skip)(
    "is configured as terraform wants it (as far as it tells without asking that host)",
    () => {
      const folder = mkdtempSync(join(tmpdir(), "cloud-"));
      try {
        const { cloud } = platform.data!.document.terraform;
        const run = (settings: unknown): string => {
          writeFileSync(join(folder, "cdk.tf.json"), JSON.stringify({ terraform: { cloud: settings } }));
          const variables = { PATH: process.env.PATH, HOME: folder, CHECKPOINT_DISABLE: "1" };
          const init = spawnSync("terraform", ["init", "-backend=false", "-no-color"], { cwd: folder, env: variables });
          const validate = spawnSync("terraform", ["validate", "-no-color"], { cwd: folder, env: variables });
          return `${String(init.status)} ${String(validate.status)} ${validate.stdout.toString()}${validate.stderr.toString()}`;
        };
        expect(run(cloud)).toMatch(/^0 0 Success!/);
        expect(run([cloud, cloud])).not.toMatch(/^0 0/);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  );
});
