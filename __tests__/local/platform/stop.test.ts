import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { type Instance, openInstance, writeJson } from "../../../local/platform/instance";
import { locked, PlatformBusy } from "../../../local/platform/lock";
import { recordedProcess } from "../../../local/platform/processes";
import { isHealthy, startServices, stopServices } from "../../../local/platform/services";
import { stopPlatform } from "../../../local/platform/stop";

const names = ["emulator", "sagemaker", "pipeline"] as const;
let instance: Instance;

beforeEach(async () => {
  instance = openInstance(mkdtempSync(join(tmpdir(), "stop-")));
  await startServices(instance);
}, 120_000);

afterEach(async () => {
  await stopServices(instance);
  rmSync(instance.directory, { recursive: true, force: true });
});

const processes = (): unknown[] => names.map((name) => recordedProcess(instance, name));

async function healthy(): Promise<boolean[]> {
  return Promise.all(names.map((name) => isHealthy(instance, name)));
}

test("everything that runs is stopped", async () => {
  expect(await stopPlatform(instance)).toEqual(["pipeline", "sagemaker", "emulator"]);
  expect(await healthy()).toEqual([false, false, false]);
  expect(await stopPlatform(instance)).toEqual([]);
});

test.each([
  ["a command works on the platform", "lock"],
  ["the data workflow runs", "data-workflow-lock"],
])("while %s, nothing is stopped, and the refusal says which command runs", async (_, lock) => {
  const before = processes();
  await locked(
    instance,
    async () => {
      await expect(stopPlatform(instance)).rejects.toThrow(PlatformBusy);
      await expect(stopPlatform(instance)).rejects.toThrow(`(process ${process.pid})`);
    },
    lock,
  );
  expect(processes()).toEqual(before);
  expect(await healthy()).toEqual([true, true, true]);
});

test("a running release ends: it continues at the next start", async () => {
  // As the lock has it: what the pipeline works on is its own.
  await locked(instance, () => Promise.resolve());
  writeJson(instance.path("lock", "2"), recordedProcess(instance, "pipeline"));
  await expect(locked(instance, () => Promise.resolve())).rejects.toThrow(
    /^The pipeline releases on this platform now \(process \d+\); wait until it has ended, or follow it: make data-workflow\.$/,
  );
  expect(await stopPlatform(instance)).toEqual(["pipeline", "sagemaker", "emulator"]);
});
