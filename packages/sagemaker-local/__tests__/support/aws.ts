/**
 * What the service needs around it, for a test: an AWS endpoint with S3, Glue, Athena, CloudWatch and its logs.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export const account = "123456789012";
export const region = "eu-west-1";

/** Has ministack, boto3 and pytest: it runs the AWS endpoint, the fixture's containers and the tests of boto3. */
export const python = process.env.TEST_PYTHON ?? resolve(__dirname, "../../../../.venv/emulator/bin/python");

/** An AWS endpoint of a test. */
export interface AwsEndpoint {
  /** Where every AWS client finds it. */
  readonly endpoint: string;
  /** Stops it and removes its state. */
  stop(): Promise<void>;
}

/** A free port of the loopback interface. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  }
}

/**
 * Starts ministack, an AWS emulator, and waits until it answers.
 * @param changes further environment variables of it, such as `AUTH`, with which it judges what roles ask for
 * @throws Error with its output when it does not
 */
export async function startMinistack(changes: Readonly<Record<string, string>> = {}): Promise<AwsEndpoint> {
  if (!existsSync(python)) {
    throw new Error(
      `${python} does not exist: run "make install-test", or set TEST_PYTHON to a Python with ministack[full], ` +
        "cbor2, pytz, boto3 and pytest.",
    );
  }
  const folder = mkdtempSync(join(tmpdir(), "sagemaker-local-aws-"));
  const port = await freePort();
  const child = spawn(python, ["-m", "ministack.app"], {
    cwd: folder,
    env: {
      PATH: "/usr/bin:/bin",
      HOME: folder,
      TMPDIR: folder,
      BIND_HOST: "127.0.0.1",
      GATEWAY_PORT: String(port),
      MINISTACK_REGION: region,
      MINISTACK_ACCOUNT_ID: account,
      S3_PERSIST: "1",
      S3_DATA_DIR: join(folder, "objects"),
      ATHENA_DATA_DIR: join(folder, "objects"),
      DOCKER_HOST: `unix://${folder}/no-docker`,
      IOT_MTLS_ENABLED: "0",
      SFTP_ENABLED: "0",
      LOG_LEVEL: "WARNING",
      ...changes,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  // A test run that ends before its hooks leaves no process behind.
  process.once("exit", () => child.kill("SIGKILL"));
  let output = "";
  const collect = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-4_000);
  };
  child.stdout.on("data", collect);
  child.stderr.on("data", collect);
  const stop = async (): Promise<void> => {
    await kill(child);
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  const endpoint = `http://127.0.0.1:${port}`;
  const deadline = Date.now() + 120_000;
  while (Date.now() < deadline && child.exitCode === null) {
    const answers = await fetch(`${endpoint}/_ministack/health`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (answers) {
      return { endpoint, stop };
    }
    await sleep(100);
  }
  await stop();
  throw new Error(`ministack does not answer. Its output:\n${output}`);
}
