import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { zipSync } from "fflate";
import { cleanEnvironment, type Instance, openInstance, root } from "../../../local/platform/instance";
import { recordedProcess, startService, stopService } from "../../../local/platform/processes";
import { freePort } from "sagemaker-local/testing";
import { account, failure, region, roleOf, type Stack, Workspace } from "./support/workspace";

jest.setTimeout(300_000);

let folder: string;
let instance: Instance;
let port: number;
let workspace: Workspace;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "acme-killed-"));
  instance = openInstance(folder);
  port = await freePort();
  await startEmulator();
  workspace = new Workspace(`http://127.0.0.1:${port}`);
});
afterAll(async () => {
  workspace.close();
  await stopService(instance, "emulator");
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

/** Starts the emulator as the platform does, with its state kept on disk. */
async function startEmulator(): Promise<void> {
  await startService(instance, {
    name: "emulator",
    command: join(root, ".venv/emulator/bin/python"),
    arguments: [join(root, "local/emulator/launcher.py")],
    environment: cleanEnvironment(instance, {
      BIND_HOST: "127.0.0.1",
      GATEWAY_PORT: String(port),
      MINISTACK_REGION: region,
      MINISTACK_ACCOUNT_ID: account,
      PERSIST_STATE: "1",
      STATE_DIR: instance.path("emulator/state"),
      S3_PERSIST: "1",
      S3_DATA_DIR: instance.path("emulator/s3"),
      SAGEMAKER_URL: "http://127.0.0.1:9",
    }),
    isHealthy: () =>
      fetch(`http://127.0.0.1:${port}/_ministack/health`).then(
        ({ ok }) => ok,
        () => false,
      ),
  });
}

function killEmulator(): void {
  process.kill(recordedProcess(instance, "emulator")?.pid ?? 0, "SIGKILL");
}

function stack(text: string): Stack {
  const code = `exports.handler = async () => ${JSON.stringify(text)};`;
  workspace.file("killed", `${text}.zip`, zipSync({ "index.js": Buffer.from(code) }, { mtime: "2020-01-01" }));
  return {
    resource: {
      aws_kms_key: { key: { description: "killed" } },
      aws_s3_bucket: { data: { bucket: "killed-data" } },
      aws_s3_bucket_versioning: {
        data: { bucket: "${aws_s3_bucket.data.bucket}", versioning_configuration: { status: "Enabled" } },
      },
      aws_s3_bucket_server_side_encryption_configuration: {
        data: {
          bucket: "${aws_s3_bucket.data.bucket}",
          rule: [
            {
              apply_server_side_encryption_by_default: {
                sse_algorithm: "aws:kms",
                kms_master_key_id: "${aws_kms_key.key.arn}",
              },
            },
          ],
        },
      },
      aws_iam_role: { acme: roleOf("lambda.amazonaws.com") },
      aws_lambda_function: {
        f: {
          function_name: "killed",
          role: "${aws_iam_role.acme.arn}",
          runtime: "nodejs22.x",
          handler: "index.handler",
          filename: `${text}.zip`,
        },
      },
      aws_ssm_parameter: {
        text: {
          name: "/killed/text",
          type: "String",
          insecure_value: `\${aws_lambda_function.f.function_name} ${text}`,
        },
      },
    },
    output: { key: "${aws_kms_key.key.arn}" },
  };
}

async function expectAll(text: string, key: unknown): Promise<void> {
  const { lambda, s3, ssm } = workspace.clients;
  expect((await s3.getBucketVersioning({ Bucket: "killed-data" })).Status).toBe("Enabled");
  expect(await s3.getBucketEncryption({ Bucket: "killed-data" })).toMatchObject({
    ServerSideEncryptionConfiguration: {
      Rules: [{ ApplyServerSideEncryptionByDefault: { SSEAlgorithm: "aws:kms", KMSMasterKeyID: key } }],
    },
  });
  const { Payload } = await lambda.invoke({ FunctionName: "killed" });
  expect(JSON.parse(Buffer.from(Payload ?? []).toString())).toBe(text);
  expect((await ssm.getParameter({ Name: "/killed/text" })).Parameter?.Value).toBe(`killed ${text}`);
}

test("what a run has made outlives an emulator that is killed right after", async () => {
  const { outputs } = await workspace.provision("killed", stack("first"));
  killEmulator();
  await startEmulator();
  const { inventory } = await workspace.provision("killed", stack("first"));
  expect(inventory).toMatchObject({ created: [], updated: [], unchanged: { length: 7 } });
  await expectAll("first", outputs.key);
});

test("an emulator killed in the middle is reported plainly; the next run makes everything again", async () => {
  for (const [index, text] of ["second", "third", "fourth"].entries()) {
    let events = 0;
    const message = await failure(
      workspace.provision("killed", stack(text), {
        parallel: 1,
        onProgress: (_, { action }) => {
          events += action === "updating" || action === "updated" ? 1 : 0;
          if (events === index + 1) {
            events = Number.NEGATIVE_INFINITY;
            killEmulator();
          }
        },
      }),
    );
    expect(message).toContain("the AWS emulator does not answer");
    await startEmulator();
    const { outputs } = await workspace.provision("killed", stack(text));
    await expectAll(text, outputs.key);
  }
});
