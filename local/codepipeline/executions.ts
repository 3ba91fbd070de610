import { randomUUID } from "node:crypto";

import { readMemory, writeJson } from "../platform/instance";

/** How an execution or one of its stages stands, in CodePipeline's words. */
export type Status = "InProgress" | "Succeeded" | "Failed" | "Superseded";

/** One stage of an execution. */
export interface Stage {
  readonly name: string;
  readonly status: Status;
  /** What came of it, or why it failed. */
  readonly summary?: string;
}

/** One run of the platform's stages. */
export interface Execution {
  readonly id: string;
  /** `clientRequestToken` of the request that started it. */
  readonly token: string;
  readonly status: Status;
  /** ISO 8601. */
  readonly startedAt: string;
  /** ISO 8601. */
  readonly updatedAt: string;
  /** Those that have begun, in their order. */
  readonly stages: readonly Stage[];
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
 * The executions that were ever asked for, the oldest first: what the pipeline has to do, and what it is done with.
 * @throws Error naming the file when it is damaged.
 */
export function readExecutions(file: string): readonly Execution[] {
  return readMemory(file, isExecutionList) ?? [];
}

/** What an execution's runner is given. */
export interface Turn {
  /** Tells how a stage stands. From the first one on, the execution no longer gives way. */
  readonly report: (stage: Stage) => void;
  /** Whether the execution has given way to a later one. */
  readonly isSuperseded: () => boolean;
}

/** Runs one execution to its end. Throws with the reason when it fails. */
export type Runner = (turn: Turn) => Promise<void>;

/**
 * Executions, one after the other. An execution that waits gives way to a later one, as in CodePipeline's execution
 * mode SUPERSEDED: the later one trains on what the earlier one would have, and more.
 */
export class ExecutionQueue {
  private executions: readonly Execution[];
  private running = false;

  /**
   * @param file Keeps the executions: what a kill interrupted is done again.
   * @param run Runs one of them.
   */
  constructor(
    private readonly file: string,
    private readonly run: Runner,
  ) {
    this.executions = readExecutions(file);
  }

  /** Goes on with what an earlier process left. */
  resume(): void {
    void this.work();
  }

  /** Starts an execution, or finds the one that an earlier request with the same token has started. */
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
      // What a killed process had begun is begun again.
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
