import { randomUUID } from "node:crypto";

import { readMemory, writeJson } from "../platform/instance";

/** Status of an execution or one of its stages, in CodePipeline's words. */
export type Status = "InProgress" | "Succeeded" | "Failed" | "Superseded";

/** One stage of an execution: one step of `make up`. */
export interface ExecutionStage {
  readonly name: string;
  readonly status: Status;
  /** Its result, or why it failed. */
  readonly summary?: string;
}

/** One run of the platform's steps. */
export interface Execution {
  readonly id: string;
  /** `clientRequestToken` of the request that started it. */
  readonly token: string;
  readonly status: Status;
  /** ISO 8601. */
  readonly startedAt: string;
  /** ISO 8601. */
  readonly updatedAt: string;
  /** The stages that have started, in order. */
  readonly stages: readonly ExecutionStage[];
  /** Why it failed. */
  readonly summary?: string;
}

const isExecutionList = (content: unknown): content is Execution[] =>
  Array.isArray(content) &&
  content.every(
    (entry: Partial<Execution> | null) =>
      typeof entry?.id === "string" && typeof entry.token === "string" && typeof entry.status === "string",
  );

/**
 * All executions that were ever requested, the oldest first.
 * @throws Error that names the file when it is damaged.
 */
export function readExecutions(file: string): readonly Execution[] {
  return readMemory(file, isExecutionList) ?? [];
}

/** The runner's link to its execution. */
export interface Turn {
  /** Reports a stage's status. After the first report, the execution can't be superseded. */
  readonly report: (stage: ExecutionStage) => void;
  /** Whether a later execution has superseded it. */
  readonly isSuperseded: () => boolean;
}

/** Runs one execution to its end. Throws with the reason when it fails. */
export type Runner = (turn: Turn) => Promise<void>;

/**
 * Runs executions one after the other. A waiting execution is superseded by a later one, as in CodePipeline's execution
 * mode SUPERSEDED: the later one trains on the same data and more.
 */
export class ExecutionQueue {
  private executions: readonly Execution[];
  private running = false;

  /**
   * @param file Stores the executions; interrupted ones run again.
   * @param run Runs one execution.
   */
  constructor(
    private readonly file: string,
    private readonly run: Runner,
  ) {
    this.executions = readExecutions(file);
  }

  /** Continues with the executions of an earlier process. */
  resume(): void {
    void this.work();
  }

  /** Starts an execution, or finds the one of an earlier request with the same token. */
  start(token: string = randomUUID()): Execution {
    const before = this.executions.find((execution) => execution.token === token);
    if (before !== undefined) {
      return before;
    }
    const now = new Date().toISOString();
    const execution: Execution = {
      id: randomUUID(),
      token,
      status: "InProgress",
      startedAt: now,
      updatedAt: now,
      stages: [],
    };
    this.save([
      ...this.executions.map((other): Execution =>
        other.status === "InProgress" && other.stages.length === 0
          ? { ...other, status: "Superseded", updatedAt: now }
          : other,
      ),
      execution,
    ]);
    this.resume();
    return execution;
  }

  /** The executions, the oldest first. */
  list(): readonly Execution[] {
    return this.executions;
  }

  private async work(): Promise<void> {
    if (this.running) {
      return;
    }
    this.running = true;
    try {
      for (let next = this.next(); next !== undefined; next = this.next()) {
        await this.finish(next);
      }
    } finally {
      this.running = false;
    }
  }

  private next(): Execution | undefined {
    return this.executions.find(({ status }) => status === "InProgress");
  }

  private async finish({ id }: Execution): Promise<void> {
    try {
      // An execution that a killed process had started starts again.
      this.change(id, () => ({ stages: [] }));
      await this.run({
        report: (stage) => {
          this.change(id, ({ stages }) => ({ stages: [...stages.filter(({ name }) => name !== stage.name), stage] }));
        },
        isSuperseded: () => this.executions.some((other) => other.id === id && other.status === "Superseded"),
      });
      this.change(id, () => ({ status: "Succeeded" }));
    } catch (error) {
      this.change(id, () => ({ status: "Failed", summary: error instanceof Error ? error.message : String(error) }));
    }
  }

  private change(id: string, change: (execution: Execution) => Partial<Execution>): void {
    const updatedAt = new Date().toISOString();
    this.save(
      this.executions.map((execution) =>
        execution.id === id && execution.status !== "Superseded"
          ? { ...execution, updatedAt, ...change(execution) }
          : execution,
      ),
    );
  }

  private save(executions: readonly Execution[]): void {
    writeJson(this.file, executions);
    this.executions = executions;
  }
}
