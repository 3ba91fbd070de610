/**
 * Draws a state machine as a Mermaid flowchart, so that the docs always match what runs.
 *
 *     mermaidDiagram(trainingWorkflowDefinition(props)); // "flowchart TD\n  …"
 */
import type { State, StateMachineDefinition } from "./states-language";

/** A quoted label; quotes inside would end it. */
function label(text: string): string {
  return `"${text.replaceAll("&", "#amp;").replaceAll('"', "#quot;")}"`;
}

/** The shape shows the kind of state: tasks are boxes, choices diamonds, ends round. */
function node(name: string, state: State): string {
  switch (state.Type) {
    case "Task":
      return `${name}[${label(name)}]`;
    case "Choice":
      return `${name}{${label(name)}}`;
    case "Succeed":
      return `${name}([${label(name)}])`;
    case "Fail":
      return `${name}[[${label(name)}]]`;
  }
}

/** The transitions of a state, without errors. */
function edges(name: string, state: State): readonly string[] {
  switch (state.Type) {
    case "Task":
      return [`${name} --> ${state.Next}`];
    case "Choice":
      return [
        ...state.Choices.map(({ Comment, Next }) => `${name} -- ${label(Comment)} --> ${Next}`),
        ...(state.Default === undefined ? [] : [`${name} -- ${label("Otherwise")} --> ${state.Default}`]),
      ];
    case "Succeed":
    case "Fail":
      return [];
  }
}

/** Dotted lines for errors, one for all tasks with the same target. */
function errorEdges(states: readonly (readonly [string, State])[]): readonly string[] {
  const sources = new Map<string, string[]>();
  for (const [name, state] of states) {
    for (const { Next } of state.Type === "Task" ? state.Catch : []) {
      sources.set(Next, [...(sources.get(Next) ?? []), name]);
    }
  }
  return [...sources].map(([target, names]) => `${names.join(" & ")} -. ${label("Error")} .-> ${target}`);
}

/**
 * The state machine as a Mermaid flowchart.
 * @param definition a machine whose state names have only letters and digits
 */
export function mermaidDiagram<States extends object>(definition: StateMachineDefinition<States>): string {
  const states = Object.entries(definition.States) as [string, State][];
  const lines = [
    `Start((" ")) --> ${definition.StartAt}`,
    ...states.map(([name, state]) => node(name, state)),
    ...states.flatMap(([name, state]) => edges(name, state)),
    ...errorEdges(states),
  ];
  return ["flowchart TD", ...lines.map((line) => `  ${line}`), ""].join("\n");
}
