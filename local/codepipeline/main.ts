/**
 * The pipeline of the local platform: runs the platform's stages again for each execution that somebody starts, as
 * CodePipeline does on AWS. Started by `make up`, as a service.
 */
import { setTimeout as sleep } from "node:timers/promises";

import { runCommand } from "../../command";
import { forgetRealCredentials, type Instance, openInstance } from "../platform/instance";
import { locked, PlatformBusy } from "../platform/lock";
import { pipelineName } from "../platform/services";
import { ExecutionQueue, type Runner } from "./executions";
import { PipelineService } from "./service";

/** How often it is asked whether the command that works on the platform has ended, in ms. */
const busyWait = 500;

/** Runs the stages as soon as no command works on the platform. */
function runStages(instance: Instance): Runner {
  return async ({ report, isSuperseded }) => {
    // Not before it is needed: with its dozen AWS clients it would double what an idle service weighs.
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
    // An execution that runs is done again at the next start.
    process.on(signal, () => process.exit(0));
  }
  forgetRealCredentials();
  const instance = openInstance();
  const queue = new ExecutionQueue(instance.path("pipeline/executions.json"), runStages(instance));
  await new PipelineService(pipelineName, queue).listen(Number(process.env.PIPELINE_PORT));
  queue.resume();
});
