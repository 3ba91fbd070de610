/**
 * The pictures of the documents that are drawn from the code, so that they never show what isn't there.
 *
 *     npx tsx docs/diagrams.ts   # draws them anew, each between its markers
 *
 * A test fails while a document shows another picture than the code gives.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

import { trainingWorkflowDefinition } from "../modules/training-workflow/definition";
import { mermaidDiagram } from "../modules/training-workflow/diagram";
import { type Contract, contract, type StackId, stackIds } from "../stacks/contract";
import { releaseSteps } from "../stacks/release";

/** A picture and its place. */
export interface Diagram {
  /** The document, from the repository's root. */
  readonly document: string;
  /** As the marker before the picture names it. */
  readonly name: string;
  /** The picture in Mermaid's language. */
  readonly mermaid: string;
}

/** The repository's root. */
export const root = resolve(__dirname, "..");

/** What a state machine is deployed with doesn't change its picture: names stand in for ARNs. */
function workflowDiagram(): string {
  const job = { instanceType: "ml.m5.large", volumeGibibytes: 1, maximumSeconds: 900 };
  return mermaidDiagram(
    trainingWorkflowDefinition({
      functions: { prepareRun: "prepare-run", evaluateResults: "evaluate-results", registerModel: "register-model" },
      jobRoleArn: "job-role",
      imageUri: "model-image",
      featureGroup: "feature-group",
      athenaWorkgroup: "workgroup",
      keyArn: "key",
      region: "eu-west-1",
      processing: job,
      training: job,
    }),
  );
}

/**
 * The stacks as a Mermaid flowchart: an arrow from each publisher to each of its readers, with the parameters that
 * pass.
 * @param table the contract. @default the platform's
 * @param stacks the stacks' ids, in the order in which they are drawn. @default the platform's
 */
export function stackDiagram(table: Contract = contract, stacks: readonly string[] = stackIds): string {
  const identifier = (stack: string): string => stack.replaceAll("-", "_");
  const parameters = Object.entries(table);
  const arrows = stacks.flatMap((publisher) =>
    stacks.flatMap((reader) => {
      const names = parameters
        .filter(([, declaration]) => declaration.publisher === publisher && declaration.readers.includes(reader))
        .map(([name]) => name);
      return names.length === 0
        ? []
        : [`${identifier(publisher)} -- "${names.join("<br/>")}" --> ${identifier(reader)}`];
    }),
  );
  const lines = [...stacks.map((stack) => `${identifier(stack)}["${stack}"]`), ...arrows];
  return ["flowchart LR", ...lines.map((line) => `  ${line}`), ""].join("\n");
}

/**
 * The pipeline as a Mermaid flowchart: its stages, and the steps of a release in their order. Double-walled boxes wait
 * for somebody.
 * @param stacks the stacks of the environment. @default all
 * @param table the contract. @default the platform's
 */
export function pipelineDiagram(stacks: readonly StackId[] = stackIds, table: Contract = contract): string {
  const steps = releaseSteps(stacks, { approval: true }, table);
  const identifier = (name: string): string => name.replaceAll("-", "_");
  const box = ({ kind, name }: { readonly kind: string; readonly name: string }): string =>
    `    ${identifier(name)}${kind === "approve" ? `[["${name}"]]` : `["${name}"]`}`;
  return [
    "flowchart TD",
    "  source --> test --> Release",
    "  subgraph Release",
    ...steps.map(box),
    `    ${steps.map(({ name }) => identifier(name)).join(" --> ")}`,
    "  end",
    "",
  ].join("\n");
}

/** Every picture that is drawn from the code. */
export const diagrams: readonly Diagram[] = [
  { document: "docs/architecture.md", name: "stacks", mermaid: stackDiagram() },
  { document: "docs/workflow.md", name: "workflow", mermaid: workflowDiagram() },
  { document: "docs/pipeline.md", name: "pipeline", mermaid: pipelineDiagram() },
];

/**
 * A document with the picture as it is now.
 * @param text the document as it was
 * @throws Error when the document doesn't have the picture's two markers
 */
export function withDiagram(text: string, { document, name, mermaid }: Diagram): string {
  const begin = `<!-- diagram ${name}: written by docs/diagrams.ts -->`;
  const end = `<!-- end of diagram ${name} -->`;
  const from = text.indexOf(begin);
  const to = text.indexOf(end, from);
  if (from === -1 || to === -1) {
    throw new Error(`${document} has no place for the diagram ${name}: put the lines\n${begin}\n${end}\nthere.`);
  }
  return `${text.slice(0, from + begin.length)}\n\n\`\`\`mermaid\n${mermaid}\`\`\`\n\n${text.slice(to)}`;
}

if (require.main === module) {
  for (const diagram of diagrams) {
    const file = join(root, diagram.document);
    const text = readFileSync(file, "utf8");
    const drawn = withDiagram(text, diagram);
    if (drawn !== text) {
      writeFileSync(file, drawn);
    }
    console.log(`${diagram.document}: ${drawn === text ? "as it was" : `the diagram ${diagram.name} is new`}`);
  }
}
