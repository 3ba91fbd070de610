/**
 * Types for the part of the Amazon States Language (https://states-language.net) that the training workflow uses;
 * JSONata only.
 */

/** A JSONata expression as a state machine holds it. */
export type Expression = `{% ${string} %}`;

/** Wraps JSONata for a field of a state machine. */
export function jsonata(text: string): Expression {
  return `{% ${text} %}`;
}

/** An API's request type in which each value may also be an expression. */
export type Templated<Value> = Value extends string | number | boolean
  ? Value | Expression
  : Value extends readonly (infer Element)[]
    ? readonly Templated<Element>[]
    : Value extends object
      ? { readonly [Key in keyof Value]: Templated<Value[Key]> }
      : Value;

/** Any JSON value. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** How a task is retried after one of these errors. */
export interface Retrier {
  readonly ErrorEquals: readonly string[];
  /** Seconds before the first retry. */
  readonly IntervalSeconds: number;
  /** Retries after the first attempt. */
  readonly MaxAttempts: number;
  /** Factor from each wait to the next. */
  readonly BackoffRate: number;
  /** Longest wait in seconds. */
  readonly MaxDelaySeconds: number;
  /** FULL: each wait is a random part of its length, so that executions that started together don't retry together. */
  readonly JitterStrategy: "FULL" | "NONE";
}

/** The next state after a final failure. */
export interface Catcher {
  readonly ErrorEquals: readonly string[];
  readonly Output: Json;
  readonly Next: string;
}

interface Described {
  /** For people who read the state machine in the console. */
  readonly Comment: string;
}

/** Calls a service and waits for its answer. */
export interface TaskState<Arguments = Json> extends Described {
  readonly Type: "Task";
  /** ARN of the service integration. */
  readonly Resource: string;
  readonly Arguments: Arguments;
  readonly TimeoutSeconds: number;
  readonly Retry: readonly Retrier[];
  readonly Catch: readonly Catcher[];
  /** Variables for all later states. */
  readonly Assign?: Readonly<Record<string, Json>>;
  readonly Output: Json;
  readonly Next: string;
}

/** One way out of a Choice. */
export interface ChoiceRule extends Described {
  readonly Condition: Expression;
  readonly Output?: Json;
  readonly Next: string;
}

/** Follows the first rule whose condition holds. */
export interface ChoiceState extends Described {
  readonly Type: "Choice";
  readonly Choices: readonly ChoiceRule[];
  /** The next state when no rule holds. @default the execution fails with `States.NoChoiceMatched` */
  readonly Default?: string;
}

/** Ends the execution successfully; its output is the state's input. */
export interface SucceedState extends Described {
  readonly Type: "Succeed";
}

/** Ends the execution as failed. */
export interface FailState extends Described {
  readonly Type: "Fail";
  readonly Error: string;
  readonly Cause: string;
}

/** Any state of the workflow. */
export type State<Arguments = unknown> = TaskState<Arguments> | ChoiceState | SucceedState | FailState;

/** A whole state machine. */
export interface StateMachineDefinition<States = Readonly<Record<string, State>>> extends Described {
  readonly Version: "1.0";
  readonly QueryLanguage: "JSONata";
  /** Seconds after which the execution ends as TIMED_OUT. */
  readonly TimeoutSeconds: number;
  readonly StartAt: string;
  readonly States: States;
}
