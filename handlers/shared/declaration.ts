/**
 * A handler's declaration, in `handlers/<name>/declaration.ts`. The stack that deploys it, the docs (`make format`
 * writes them) and the tests read it. A declaration imports only checks of variables, because stacks load it at synth,
 * and so that esbuild keeps its texts out of the function's archive.
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

/** What a stack must set for a handler with these variables: a missing one is a type error. */
export type Variables<Shape extends VariablesShape> = z.input<z.ZodMiniObject<Shape>>;

/**
 * The alarm for a function's errors, and its entry in docs/runbooks.md, with the heading `<handler>-errors`. In the
 * texts, `<function>` stands for the function's full name.
 */
export interface FailureAlarm {
  /** What happened, at most 800 characters. @default that the function failed */
  readonly report?: string;
  /** What the alarm means, and for whom. Markdown, like the next two. */
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
  /** The variables that its stack sets; Lambda's own are not listed. */
  readonly variables: Shape;
  /** The path of the HTTP API. @default none: it is called with events */
  readonly route?: `/${string}`;
  /** 1 to 900. @default 10 */
  readonly timeoutSeconds?: number;
  /** 128 to 10,240; the CPU share grows with it. @default 256 */
  readonly memoryMebibytes?: number;
  /** Maximum size of its archive in bytes: Lambda downloads it at every cold start. @default usualArchiveBytes */
  readonly archiveBytes?: number;
  readonly failure: FailureAlarm;
}

/** Default maximum size of a handler's archive. */
export const usualArchiveBytes = 150_000;
