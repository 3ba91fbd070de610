/** Synthesizes stacks into a temporary folder and reads what came out, as Terraform would. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AwsProvider } from "@cdktf/provider-aws/lib/provider";
import { App, TerraformStack } from "cdktf";
import { type Environment, loadEnvironment } from "../../environments";
import { definePlatform } from "../../main";
import { Place, setPlace } from "../../modules/place";
import { Policy } from "./policy";

/** Whatever JSON a stack holds: tests look into it without declaring its shape first. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- the shape is what the tests find out
export type Arguments = Readonly<Record<string, any>>;

/** One synthesized stack. */
export class Template {
  constructor(
    readonly document: Arguments,
    readonly folder: string,
  ) {}

  /** The resources of a type, by name. */
  resources(type: string): Readonly<Record<string, Arguments>> {
    return this.document.resource?.[type] ?? {};
  }

  /** All resources: type, name, arguments. */
  all(): readonly (readonly [type: string, name: string, resource: Arguments])[] {
    return Object.entries<Record<string, Arguments>>(this.document.resource ?? {}).flatMap(([type, resources]) =>
      Object.entries(resources).map(([name, resource]) => [type, name, resource] as const),
    );
  }

  /** One resource; the name may be left out where there is only one of the type. */
  resource(type: string, name?: string): Arguments {
    const resources = this.resources(type);
    const found = name === undefined ? Object.values(resources) : [resources[name]];
    if (found.length !== 1 || !found[0]) {
      throw new Error(`No single ${type} ${name ?? ""}; the stack has ${Object.keys(resources).join(", ") || "none"}.`);
    }
    return found[0];
  }

  /** A role's policy, by the name of the `aws_iam_role_policy`. */
  policyOf(name: string): Policy {
    return new Policy(this.resource("aws_iam_role_policy", name).policy);
  }

  /** The policy of the role of a construct: `predict` for `aws_iam_role_policy.predict_role_policy`. */
  policyOfRole(holder: string): Policy {
    return this.policyOf(`${holder}_role_policy`);
  }

  /** A file of the stack's folder. */
  file(path: string): Buffer {
    return readFileSync(join(this.folder, path));
  }
}

const folders: string[] = [];

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "synth-"));
  folders.push(folder);
  return folder;
}

afterAll(() => {
  for (const folder of folders.splice(0)) {
    rmSync(folder, { recursive: true, force: true });
  }
});

function read(outdir: string, id: string): Template {
  const folder = join(outdir, "stacks", id);
  return new Template(JSON.parse(readFileSync(join(folder, "cdk.tf.json"), "utf8")), folder);
}

/** Where a test's stack stands unless the test names another place. */
export const testPlace = new Place({ account: "123456789012", region: "eu-west-1" });

/** A stack that holds what a test puts into it. */
export function synthesize(build: (stack: TerraformStack) => void, place = testPlace): Template {
  const outdir = temporaryFolder();
  const app = new App({ outdir, stackTraces: false });
  const stack = new TerraformStack(app, "test");
  new AwsProvider(stack, "aws", { region: place.region });
  setPlace(stack, place);
  // As the platform's stacks name their elements.
  Object.assign(stack, {
    allocateLogicalId: (
      element: { node: { scopes: { node: { id: string } }[] } } & { scopes?: { node: { id: string } }[] },
    ) =>
      (element.scopes ?? element.node.scopes)
        .slice(2)
        .map(({ node }) => node.id)
        .join("_"),
  });
  build(stack);
  app.synth();
  return read(outdir, "test");
}

/** All stacks of an environment, by id. */
export function synthesizePlatform(
  name: Environment["name"],
  changes: Partial<Environment> = {},
): Readonly<Record<string, Template>> {
  const outdir = temporaryFolder();
  const app = new App({ outdir, stackTraces: false });
  definePlatform(app, { ...loadEnvironment(name), ...changes }).synth();
  const { stacks } = JSON.parse(readFileSync(join(outdir, "manifest.json"), "utf8")) as {
    stacks: Record<string, unknown>;
  };
  return Object.fromEntries(Object.keys(stacks).map((id) => [id, read(outdir, id)]));
}
