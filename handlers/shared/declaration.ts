/**
 * What a handler declares of itself, once, in `handlers/<name>/declaration.ts`. The stack that deploys it, the
 * documents (`make format` writes them) and the tests read it there. A declaration imports nothing but checks of
 * variables: stacks load it at synth, and esbuild leaves its texts out of the function's archive.
 *
 *     export const variables = { TABLE: name };
 *     export const declaration = {
 *       name: "hello", purpose: "Greets a visitor", owners: ["front-end"], variables,
 *       failure: { means: "…", look: "…", do: "…" },
 *     } satisfies HandlerDeclaration;
 */
import type * as z from "../../survey/zod";

/** The teams of CODEOWNERS. */
export type Team = "application-owner" | "platform" | "front-end" | "ml" | "data";

/** Environment variables by name, each with the check of its value. */
export type VariablesShape = Readonly<Record<string, z.ZodMiniType<unknown, string | undefined>>>;

/** What a stack has to set for a handler that reads these variables: a missing one is a type error. */
export type Variables<Shape extends VariablesShape> = z.input<z.ZodMiniObject<Shape>>;

/** The alarm on a function's failures, and its entry in docs/runbooks.md, whose heading is `<name>-errors`. */
export interface FailureAlarm {
  /** What has happened, at most 800 characters. `<function>` stands for the function's full name. @default it failed */
  readonly report?: string;
  /** What the alarm means for whom; Markdown, as are the next two. */
  readonly means: string;
  /** Where to look for the cause. */
  readonly look: string;
  /** What to do about it. */
  readonly do: string;
}

export interface HandlerDeclaration<Shape extends VariablesShape = VariablesShape> {
  /** The handler's folder in `handlers/`. */
  readonly name: string;
  /** What it does, at most 256 characters: Lambda shows it as the function's description. */
  readonly purpose: string;
  /** The teams that review its changes. */
  readonly owners: readonly [Team, ...Team[]];
  /** The variables that it reads from its stack. What Lambda sets by itself is not among them. */
  readonly variables: Shape;
  /** The path of the HTTP API that it answers. @default it is called with events of its own */
  readonly route?: `/${string}`;
  /** 1 to 900. @default 10 */
  readonly timeoutSeconds?: number;
  /** 128 to 10,240; processor time grows with it. @default 256 */
  readonly memoryMebibytes?: number;
  /** What its archive may weigh: Lambda fetches it at every cold start. @default usualArchiveBytes */
  readonly archiveBytes?: number;
  readonly failure: FailureAlarm;
}

/** What the archive of a handler may weigh that declares no limit of its own. */
export const usualArchiveBytes = 150_000;
