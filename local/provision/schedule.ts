/** A piece of work that waits for others. */
export interface Task {
  readonly address: string;
  readonly dependencies: readonly string[];
  run(): Promise<void>;
}

/**
 * Runs tasks, each after its dependencies, at most `limit` at once. If one fails, its dependents are skipped and all
 * others still run. Dependencies must be without cycles and among the tasks.
 * @returns The errors by address.
 */
export async function runInOrder(tasks: readonly Task[], limit: number): Promise<ReadonlyMap<string, unknown>> {
  const failures = new Map<string, unknown>();
  const left = new Set<string>();
  const waiting = new Map(tasks.map((task) => [task.address, new Set(task.dependencies)]));
  const running = new Map<string, Promise<void>>();
  const start = (task: Task): void => {
    waiting.delete(task.address);
    const work = task
      .run()
      .catch((error: unknown) => {
        failures.set(task.address, error);
        left.add(task.address);
      })
      .finally(() => {
        running.delete(task.address);
        if (!left.has(task.address)) {
          waiting.forEach((dependencies) => dependencies.delete(task.address));
        }
      });
    running.set(task.address, work);
  };
  for (;;) {
    for (const task of tasks) {
      if (running.size < limit && waiting.get(task.address)?.size === 0) {
        start(task);
      }
    }
    if (running.size === 0) {
      return failures;
    }
    await Promise.race(running.values());
  }
}
