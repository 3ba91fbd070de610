import { PortError } from "./loopback";
import { log } from "./log";
import { messageOf } from "./protocol/errors";
import { SageMakerService } from "./service";
import { readSettings, SettingsError } from "./settings";
import { StartError } from "./start-error";

/** Runs the SageMaker service until it is asked to stop. */
async function main(): Promise<void> {
  const settings = readSettings(process.argv.slice(2), process.env);
  if (typeof settings === "string") {
    process.stdout.write(`${settings}\n`);
    return;
  }
  const service = await SageMakerService.start(settings);
  log(`SageMaker service on http://127.0.0.1:${service.port}, state in ${settings.stateDirectory}`);
  let stopping = false;
  const stop = (signal: string): void => {
    if (stopping) {
      return;
    }
    stopping = true;
    log(`${signal}: stopping jobs and endpoints.`);
    void service.stop().then(() => {
      log("Stopped.");
      process.exit(0);
    });
  };
  process.on("SIGTERM", () => {
    stop("SIGTERM");
  });
  process.on("SIGINT", () => {
    stop("SIGINT");
  });
}

main().catch((error: unknown) => {
  const expected = [SettingsError, StartError, PortError].some((kind) => error instanceof kind);
  process.stderr.write(
    `${expected || !(error instanceof Error) ? messageOf(error) : (error.stack ?? error.message)}\n`,
  );
  process.exit(error instanceof PortError ? error.exitStatus : 1);
});
