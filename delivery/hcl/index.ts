/**
 * `make hcl ENVIRONMENT=production`: writes every stack of an environment as HCL, for people who read Terraform but not
 * CDKTF, and for a move away from CDKTF.
 *
 * `hcl/<environment>/<stack>/` has all that Terraform needs: `terraform.tf`, `main.tf` and the assets. It is beside
 * `cdktf.out`, not in it: Terraform reads every file of a folder, and would find each resource twice.
 */
import { cpSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { format } from "@cdktf/hcl-tools";
import { App } from "cdktf";
import { resolve } from "cdktf/lib/_tokens";
import { type Environment } from "../../environments";
import { definePlatform } from "../../main";
import { PlatformStack } from "../../stacks/platform";
import type { Request } from "../request";
import { differences } from "./compare";
import { type Body, type Shape, shapeOf, writeStack } from "./write";

/** CDKTF's metadata of one construct: its section, type and name, and its arguments, each with its kind. */
type Fragment = Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, Body>> | readonly Body[]>>>>;

/** The shapes of everything in a stack, from its constructs. */
export function shapesOf(stack: PlatformStack): ReadonlyMap<string, Shape> {
  const shapes = new Map<string, Shape>();
  const providers = new Map<string, number>();
  for (const element of stack.node.findAll()) {
    if (element === stack || !("toHclTerraform" in element)) {
      continue;
    }
    const fragment = resolve<Fragment>(stack, (element as { toHclTerraform(): Fragment }).toHclTerraform());
    for (const section of ["resource", "data"] as const) {
      for (const [type, named] of Object.entries(fragment[section] ?? {})) {
        for (const [name, described] of Object.entries(named as Readonly<Record<string, Body>>)) {
          shapes.set(`${section === "data" ? "data." : ""}${type}.${name}`, shapeOf(described));
        }
      }
    }
    for (const [name, instances] of Object.entries(fragment.provider ?? {})) {
      for (const described of instances as readonly Body[]) {
        const index = providers.get(name) ?? 0;
        providers.set(name, index + 1);
        shapes.set(`provider.${name}.${index}`, shapeOf(described));
      }
    }
  }
  return shapes;
}

/** One stack in HCL. */
export interface WrittenStack {
  readonly stack: string;
  readonly folder: string;
  readonly resources: number;
}

/**
 * Writes every stack of an environment. Before that, it parses the HCL again and compares it with the JSON.
 * @param folder is replaced; `<folder>/<stack>/` has a stack
 * @throws Error when a stack can't be written, or its HCL differs from its JSON; nothing is changed then
 */
export async function writeEnvironment(environment: Environment, folder: string): Promise<readonly WrittenStack[]> {
  const outdir = mkdtempSync(join(tmpdir(), "hcl-"));
  const fresh = `${folder}.${process.pid}`;
  try {
    const app = new App({ outdir, stackTraces: false });
    definePlatform(app, environment).synth();
    const written: WrittenStack[] = [];
    for (const stack of app.node.children.filter((child) => child instanceof PlatformStack)) {
      const document = stack.freeze();
      const files: Record<string, string> = {};
      for (const [name, text] of Object.entries(writeStack(document, shapesOf(stack)))) {
        files[name] = await format(text);
      }
      const wrong = await differences(document, files);
      if (wrong.length > 0) {
        throw new Error(
          `The HCL of ${stack.id} differs from its JSON, so nothing was written:\n  ${wrong.join("\n  ")}`,
        );
      }
      const home = join(fresh, stack.id);
      mkdirSync(home, { recursive: true });
      for (const [name, text] of Object.entries(files)) {
        writeFileSync(join(home, name), text);
      }
      const assets = join(outdir, "stacks", stack.id, "assets");
      if (existsSync(assets)) {
        cpSync(assets, join(home, "assets"), { recursive: true });
      }
      const resources = Object.values((document.resource ?? {}) as Record<string, object>);
      written.push({
        stack: stack.id,
        folder: join(folder, stack.id),
        resources: resources.reduce((count, named) => count + Object.keys(named).length, 0),
      });
    }
    rmSync(folder, { recursive: true, force: true });
    renameSync(fresh, folder);
    return written;
  } finally {
    rmSync(outdir, { recursive: true, force: true });
    rmSync(fresh, { recursive: true, force: true });
  }
}

/** `make hcl`: writes `hcl/<environment>/` beside `cdktf.out`, and reports the folders. */
export async function hcl({ environment }: Request, say: (text: string) => void): Promise<void> {
  const written = await writeEnvironment(environment, join("hcl", environment.name));
  const width = Math.max(...written.map(({ folder }) => folder.length));
  for (const { folder, resources } of written) {
    say(`${folder.padEnd(width)}  ${String(resources).padStart(3)} resources`);
  }
  say(
    `\nEach was parsed back and says what its JSON says. terraform init && terraform plan in a folder finds what cdktf would.`,
  );
}
