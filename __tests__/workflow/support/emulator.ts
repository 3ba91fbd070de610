/**
 * The project's own AWS emulator for a test: a process with a port and a state folder of its own.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const root = resolve(__dirname, "../../..");

/** The account and the region of the emulator. */
export const account = "123456789012";
export const region = "eu-west-1";

/** The trust policy of a role that a principal takes on, such as `{ Service: "lambda.amazonaws.com" }`. */
export const trusting = (principal: Readonly<Record<string, string>>): string =>
  JSON.stringify({
    Version: "2012-10-17",
    Statement: [{ Effect: "Allow", Principal: principal, Action: "sts:AssumeRole" }],
  });

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** A running emulator. */
export class Emulator {
  private constructor(
    private readonly child: ChildProcess,
    private readonly folder: string,
    /** Where every AWS client finds it. */
    readonly endpoint: string,
  ) {}

  /** Where mails go, one file each. */
  get mailFolder(): string {
    return join(this.folder, "state", "mail");
  }

  /**
   * Starts one and waits until it answers.
   * @param sagemakerUrl the service to which it sends what is SageMaker's
   * @throws Error with its output when it ends before that
   */
  static async start(sagemakerUrl: string): Promise<Emulator> {
    const folder = mkdtempSync(join(tmpdir(), "acme-workflow-"));
    const port = await freePort();
    const child = spawn(join(root, ".venv/emulator/bin/python"), [join(root, "local/emulator/launcher.py")], {
      env: {
        // The functions are run by this very Node.
        PATH: `${dirname(process.execPath)}:/usr/bin:/bin`,
        HOME: folder,
        BIND_HOST: "127.0.0.1",
        GATEWAY_PORT: String(port),
        MINISTACK_REGION: region,
        MINISTACK_ACCOUNT_ID: account,
        STATE_DIR: join(folder, "state"),
        S3_DATA_DIR: join(folder, "objects"),
        SAGEMAKER_URL: sagemakerUrl,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    // A test run that ends before its hooks must leave no process behind.
    process.once("exit", () => child.kill("SIGKILL"));
    let output = "";
    const collect = (chunk: Buffer): void => {
      output = (output + chunk.toString()).slice(-4_000);
    };
    child.stdout.on("data", collect);
    child.stderr.on("data", collect);
    child.on("error", (error) => {
      output += error.message;
    });
    const emulator = new Emulator(child, folder, `http://127.0.0.1:${String(port)}`);
    const deadline = Date.now() + 120_000;
    for (;;) {
      const answered = await fetch(`${emulator.endpoint}/_ministack/health`).then(
        ({ ok }) => ok,
        () => false,
      );
      if (answered) {
        return emulator;
      }
      if (child.pid === undefined || child.exitCode !== null || Date.now() > deadline) {
        await emulator.stop();
        throw new Error(
          `The emulator does not answer; run "make install-test" if its Python environment is missing. Its output:\n${output}`,
        );
      }
      await sleep(100);
    }
  }

  /** Stops it and removes its state. */
  async stop(): Promise<void> {
    if (this.child.pid !== undefined && this.child.exitCode === null && this.child.signalCode === null) {
      const ended = once(this.child, "exit");
      this.child.kill("SIGKILL");
      await ended;
    }
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
