import type { Instance } from "./instance";
import { locked, PlatformBusy } from "./lock";
import { stopService } from "./processes";
import { stopServices } from "./services";

/**
 * Stops everything of an instance that runs, for `make down`. A release that the pipeline runs ends in the middle, and
 * goes on at the next start; in all other work it does not meddle.
 * @returns The names of the services that ran.
 * @throws PlatformBusy when another command works on the instance; then nothing was stopped, but for a pipeline whose
 *   turn the other command has taken over in that moment.
 */
export async function stopPlatform(instance: Instance): Promise<string[]> {
  // Who runs the data workflow starts again whatever stops.
  return locked(instance, () => stopAll(instance), "data-workflow-lock");
}

async function stopAll(instance: Instance): Promise<string[]> {
  const stop = (): Promise<string[]> => locked(instance, () => stopServices(instance));
  try {
    return await stop();
  } catch (error) {
    if (!(error instanceof PlatformBusy) || !error.isPipeline) {
      throw error;
    }
    await stopService(instance, "pipeline");
    return ["pipeline", ...(await stop())];
  }
}
