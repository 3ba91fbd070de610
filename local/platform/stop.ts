import type { Instance } from "./instance";
import { locked, PlatformBusy } from "./lock";
import { stopService } from "./processes";
import { stopServices } from "./services";

/**
 * Stops all services of an instance, for `make down`. A running release of the pipeline is interrupted and continues at
 * the next start; other commands are not interrupted.
 * @returns The names of the stopped services.
 * @throws PlatformBusy when another command works on the instance; then nothing was stopped, except perhaps a pipeline
 * whose lock the other command took over at that moment.
 */
export async function stopPlatform(instance: Instance): Promise<string[]> {
  // A running data workflow would restart the services.
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
