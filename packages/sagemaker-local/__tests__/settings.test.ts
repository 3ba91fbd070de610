import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { readSettings, SettingsError } from "../src/settings";

const folder = mkdtempSync(join(tmpdir(), "sagemaker-local-"));
const image = join(folder, "my-image");
mkdirSync(join(image, "bin"), { recursive: true });
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const required = { MODEL_IMAGE_DIRECTORY: image, MODEL_IMAGE_PYTHON: process.execPath, BOTOCORE_DATA: "/data" };

test("only the image's folder must be set; the rest has a default", () => {
  expect(readSettings([`--image-directory=${image}`, `--image-python=${process.execPath}`], { BOTOCORE_DATA: "/data" }))
    // As README has them.
    .toEqual({
      port: 4567,
      stateDirectory: resolve(".sagemaker-local"),
      bytecodeDirectory: resolve(".sagemaker-local/pycache"),
      logDirectory: resolve(".sagemaker-local/logs"),
      awsEndpoint: "http://127.0.0.1:4566",
      region: "us-east-1",
      account: "000000000000",
      imageDirectory: image,
      imagePython: process.execPath,
      imageRepository: "my-image",
      monitoringSeconds: undefined,
      assumeRoles: false,
      botocoreData: "/data",
    });
});

test("a flag wins over its environment variable", () => {
  const environment = { ...required, SAGEMAKER_PORT: "1234", AWS_REGION: "eu-west-1" };
  expect(readSettings(["--port", "0"], environment)).toMatchObject({ port: 0, region: "eu-west-1" });
});

test.each([
  [["--prot=1"], {}, "Unknown option '--prot'"],
  [[], { MODEL_IMAGE_DIRECTORY: undefined }, "MODEL_IMAGE_DIRECTORY is not set: expected the folder"],
  [[`--image-directory=${folder}`], {}, "has no folder bin"],
  [["--image-python=no-such-python"], {}, "MODEL_IMAGE_PYTHON is 'no-such-python', which does not exist"],
  [["--port=65536"], {}, "--port is '65536': expected a port number from 0 to 65535"],
  [[], { AWS_ENDPOINT_URL: "" }, "AWS_ENDPOINT_URL is '': expected the AWS emulator's address"],
  [["--assume-roles=true"], {}, "--assume-roles is 'true': expected yes, where the AWS endpoint has the roles"],
  [[], { SAGEMAKER_MONITORING_SECONDS: "0" }, "SAGEMAKER_MONITORING_SECONDS is '0': expected the seconds"],
])("%j with %j is refused", (flags, changes, message) => {
  const read = (): unknown => readSettings(flags, { ...required, ...changes });
  expect(read).toThrow(SettingsError);
  expect(read).toThrow(message);
});
