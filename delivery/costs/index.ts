/**
 * `make costs ENVIRONMENT=production`: the monthly costs by AWS's list prices, from the synthesized resources. It sends
 * no request to AWS.
 *
 * `FORMAT=markdown` prints a document, `FORMAT=json` the raw lines. Exit status 1 if a resource has an unknown type.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Environment } from "../../environments";
import type { Request } from "../request";
import { DeploymentError, synthesize } from "../terraform";
import { type Costs, costsOf, type StackDocument } from "./costs";
import { renderCosts, renderCostsMarkdown } from "./render";

/** Synthesizes an environment in a temporary folder, and counts its costs. */
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

/** The output for an emulated environment, also in each format, for scripts that loop over all environments. */
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
      "Correct it, and run it again.",
    );
  }
  say(render(environment.emulated ? costsOf(environment, {}) : await countCosts(environment)).trimEnd());
}
