import { mermaidDiagram } from "../../../modules/training-workflow/diagram";
import { trainingWorkflowDefinition } from "../../../modules/training-workflow/definition";
import { exampleProps } from "./example";

const definition = trainingWorkflowDefinition(exampleProps);
const lines = mermaidDiagram(definition)
  .split("\n")
  .map((line) => line.trim());

test("every state is in the picture once, in the shape of its kind", () => {
  for (const [name, { Type }] of Object.entries(definition.States) as [string, { Type: string }][]) {
    const [open, close] = { Task: ["[", "]"], Choice: ["{", "}"], Succeed: ["([", "])"], Fail: ["[[", "]]"] }[Type]!;
    expect(lines.filter((line) => line === `${name}${open!}"${name}"${close!}`)).toHaveLength(1);
  }
});

test("every way out of a state is drawn", () => {
  expect(lines.filter((line) => line.includes("->"))).toEqual([
    'Start((" ")) --> PrepareRun',
    "PrepareRun --> Process",
    "Process --> Train",
    "Train --> Evaluate",
    "Evaluate --> Judge",
    "Judge --> IsGoodEnough",
    'IsGoodEnough -- "At or below the threshold" --> IsBetter',
    'IsGoodEnough -- "Otherwise" --> BelowThreshold',
    'IsBetter -- "Better, or no champion yet" --> Register',
    'IsBetter -- "Not better" --> ChampionKept',
    "Register --> Registered",
    'PrepareRun & Process & Train & Evaluate & Judge & Register -. "Error" .-> WorkflowFailed',
  ]);
});

test("a quote in a comment doesn't end the label", () => {
  const [rule] = definition.States.IsGoodEnough.Choices;
  const quoted = {
    ...definition,
    States: {
      ...definition.States,
      IsGoodEnough: { ...definition.States.IsGoodEnough, Choices: [{ ...rule!, Comment: 'A "good" & cheap model' }] },
    },
  };
  expect(mermaidDiagram(quoted)).toContain('-- "A #quot;good#quot; #amp; cheap model" -->');
});
