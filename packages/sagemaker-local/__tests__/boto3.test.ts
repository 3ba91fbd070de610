import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { join } from "node:path";
import { image, Platform, python } from "./support/service";

let platform: Platform;
beforeAll(async () => {
  platform = await Platform.start();
}, 180_000);
afterAll(() => platform.stop(), 60_000);

test("boto3 is answered as by SageMaker: pagers, waiters, error classes", async () => {
  const script = join(__dirname, "test_boto3.py");
  const { stdout } = await promisify(execFile)(python, ["-m", "pytest", "-q", "-p", "no:cacheprovider", script], {
    cwd: platform.folder,
    env: {
      PATH: "/usr/bin:/bin",
      HOME: platform.folder,
      PYTHONDONTWRITEBYTECODE: "1",
      AWS_ENDPOINT_URL: platform.emulator.endpoint,
      SAGEMAKER_ENDPOINT_URL: platform.service.url,
      TEST_IMAGE: image,
    },
  }).catch((error: unknown) => {
    throw new Error((error as { stdout?: string }).stdout ?? String(error));
  });
  expect(stdout).toMatch(/^\d+ passed in /m);
}, 300_000);
