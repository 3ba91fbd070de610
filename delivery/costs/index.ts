/**
 * `make costs ENVIRONMENT=production`: what a month costs, by AWS's list prices, from the resources that synth writes.
 * Nothing is asked of AWS.
 *
 * `FORMAT=markdown` gives the same for a document, `FORMAT=json` the lines as they are. Exit status 1 when a resource
 * is of a type that nobody has classified.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Environment } from "../../environments";
import type { Request } from "../request";
import { DeploymentError, synthesize } from "../terraform";
import { type Costs, costsOf, type StackDocument } from "./costs";
import { renderCosts, renderCostsMarkdown } from "./render";

/** Synthesizes an environment in a folder of its own, and counts. */
export async function countCosts(environment: Environment): Promise<Costs> {
  const folder = mkdtempSync(join(tmpdir(), "costs-"));
  try {
    const { stacks } = await synthesize(environment.name, folder);
    return costsOf(
      environment,
      Object.fromEntries(
        stacks.map(({ id, folder: stack }) => [
          id,
          JSON.parse(readFileSync(join(stack, "cdk.tf.json"), "utf8")) as StackDocument,
        ]),
      ),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const formats: Readonly<Record<string, (costs: Costs) => string>> = {
  text: renderCosts,
  markdown: renderCostsMarkdown,
  json: (costs) => JSON.stringify(costs, null, 2),
};

/**
 * What is said of an environment that AWS doesn't run: who asks each environment for a form meets that form here, too.
 */
const emulatedFormats: typeof formats = {
  ...formats,
  text: ({ environment }) => `${environment} costs nothing: an emulator on this machine takes the place of AWS.`,
  markdown: ({ environment }) =>
    `### ${environment}: 0.00 dollars a month\n\nAn emulator on this machine takes the place of AWS.`,
};

/** Runs the command. */
export async function costs({ environment }: Request, say: (text: string) => void): Promise<void> {
  const format = process.env.FORMAT === undefined || process.env.FORMAT === "" ? "text" : process.env.FORMAT;
  const known = environment.emulated ? emulatedFormats : formats;
  const render = Object.hasOwn(known, format) ? known[format] : undefined;
  if (!render) {
    throw new DeploymentError(
      `FORMAT is ${JSON.stringify(format)}; expected one of ${Object.keys(formats).join(", ")}.`,
      "Correct it, and type it again.",
    );
  }
  say(render(environment.emulated ? costsOf(environment, {}) : await countCosts(environment)).trimEnd());
}
