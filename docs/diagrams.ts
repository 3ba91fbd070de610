/** The pictures of the documents, drawn from the code so that they never show what isn't there. */
import { trainingWorkflowDefinition } from "../modules/training-workflow/definition";
import { mermaidDiagram } from "../modules/training-workflow/diagram";
import { type Contract, contract, type StackId, stackIds } from "../stacks/contract";
import { releaseSteps } from "../stacks/release";
import type { Section } from "./section";

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
export const diagrams: readonly Section[] = [
  { document: "docs/architecture.md", name: "diagram stacks", text: fenced(stackDiagram()) },
  { document: "docs/workflow.md", name: "diagram workflow", text: fenced(workflowDiagram()) },
  { document: "docs/pipeline.md", name: "diagram pipeline", text: fenced(pipelineDiagram()) },
];

function fenced(mermaid: string): string {
  return `\`\`\`mermaid\n${mermaid}\`\`\``;
}
