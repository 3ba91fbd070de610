/**
 * The pipeline of the local platform: runs the platform's steps again for each started execution, as CodePipeline does
 * on AWS. `make up` starts it as a service.
 */
import { setTimeout as sleep } from "node:timers/promises";

import { runCommand } from "../../command";
import { forgetRealCredentials, type Instance, openInstance } from "../platform/instance";
import { locked, PlatformBusy } from "../platform/lock";
import { pipelineName } from "../platform/services";
import { ExecutionQueue, type Runner } from "./executions";
import { PipelineService } from "./service";

/** Interval in ms for checking whether another command is still working on the platform. */
const busyWait = 500;

/** Runs the steps as soon as no command works on the platform. */
function runStages(instance: Instance): Runner {
  return async ({ report, isSuperseded }) => {
    // Loaded on demand: its dozen AWS clients would double the size of an idle service.
    const { up } = await import("../platform/up");
    while (!isSuperseded()) {
      try {
        await locked(instance, () => up(instance, undefined, { calling: "pipeline", report }));
        return;
      } catch (error) {
        if (!(error instanceof PlatformBusy)) {
          throw error;
        }
        await sleep(busyWait);
      }
    }
  };
}

runCommand(async () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    // A running execution runs again at the next start.
    process.on(signal, () => process.exit(0));
  }
  forgetRealCredentials();
  const instance = openInstance();
  const queue = new ExecutionQueue(instance.path("pipeline/executions.json"), runStages(instance));
  await new PipelineService(pipelineName, queue).listen(Number(process.env.PIPELINE_PORT));
  queue.resume();
});
