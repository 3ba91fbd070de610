/**
 * The real `cdktf deploy` and the real terraform, with the one provider that it has built in, and its state in the
 * emulator's S3: what remains when a deploy is interrupted or killed. Without terraform on the PATH there is nothing to
 * test here, and Jest says that these tests were skipped.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { S3 } from "@aws-sdk/client-s3";
import { withoutNames } from "../../delivery/cdktf";
import { createStateBucket, readLock } from "../../delivery/state";
import { loadEnvironment } from "../../environments";
import { projectRoot } from "../../modules/project-root";
import { stateBucketName } from "../../stacks/platform";
import { Emulator } from "../workflow/support/emulator";
import { writeStack } from "./written-stack";

// Time for a machine that does thirty other things.
jest.setTimeout(600_000);

const isThere = spawnSync("terraform", ["version"]).status === 0;
const environment = loadEnvironment("local");
const bucket = stateBucketName(environment.account, environment.region);

test("cdktf's column of stack names is removed, whatever follows it", () => {
  expect(withoutNames("data  Error: one\n      data  two\nno column\n", "data")).toBe(
    "Error: one\ndata  two\nno column\n",
  );
});

(isThere ? describe : describe.skip)("a deploy", () => {
  const root = mkdtempSync(join(tmpdir(), "cdktf-"));
  const folder = join(root, "stacks/data");
  let emulator: Emulator;
  let variables: NodeJS.ProcessEnv;

  beforeAll(async () => {
    emulator = await Emulator.start("http://127.0.0.1:9");
    variables = {
      PATH: process.env.PATH,
      HOME: root,
      AWS_ENDPOINT_URL: emulator.endpoint,
      AWS_ACCESS_KEY_ID: environment.account,
      AWS_SECRET_ACCESS_KEY: "test",
      CDKTF_OUTDIR: root,
    };
    Object.assign(process.env, variables);
    await createStateBucket(environment);
  });

  afterAll(async () => {
    await emulator.stop();
    rmSync(root, { recursive: true, force: true });
  });

  beforeEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  /** Ends when the tests do. */
  const untilRemoved = `while [ -e ${root} ]; do sleep 0.1; done`;

  /** A stack of two resources, of which the second is made when this shell command ends. */
  function write(key: string, command: string): void {
    const slow = {
      input: "b",
      depends_on: ["terraform_data.quick"],
      provisioner: [{ "local-exec": { command } }],
    };
    writeStack({ outdir: root, key, resources: { quick: { input: "a" }, slow } });
  }

  /** Starts the deploy, and waits until the slow resource is being made. */
  async function start(
    untilSlow = true,
  ): Promise<{ child: ChildProcess; ended: Promise<number | null>; said: () => string }> {
    const program = join(projectRoot, "__tests__/delivery/one-stack.ts");
    const child = spawn(process.execPath, ["--import", "tsx", program, root], {
      cwd: projectRoot,
      env: variables,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let text = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (part: Buffer) => {
        text += part.toString();
      });
    }
    const ended = new Promise<number | null>((settle) => child.once("exit", settle));
    while (untilSlow && !text.includes("Provisioning with")) {
      if (child.exitCode !== null || child.signalCode !== null) {
        throw new Error(`It ended before:\n${text}`);
      }
      await sleep(20);
    }
    return { child, ended, said: () => text };
  }

  /** What the state in the bucket holds: name, and whether it was made to its end. */
  async function state(key: string): Promise<Record<string, "whole" | "half">> {
    const s3 = new S3({ forcePathStyle: true, region: environment.region });
    const { Body } = await s3.getObject({ Bucket: bucket, Key: `local/${key}.tfstate` });
    const { resources } = JSON.parse((await Body?.transformToString()) ?? "");
    return Object.fromEntries(
      resources.map((one: { name: string; instances: { status?: string }[] }) => [
        one.name,
        one.instances[0]?.status === "tainted" ? "half" : "whole",
      ]),
    );
  }

  test("prints lines, not screens drawn over one another", async () => {
    write("data", "true");
    const { ended, said } = await start(false);
    expect(await ended).toBe(0);
    expect(said()).toContain("Apply complete! Resources: 2 added, 0 changed, 0 destroyed.");
    // eslint-disable-next-line no-control-regex -- ESC begins what moves a terminal's cursor
    expect(said()).not.toMatch(/\u001b\[\d*[AGJK]/);
  });

  test("that is interrupted, even by a ^C that arrives several times, saves its state and keeps no lock", async () => {
    write("model-image", untilRemoved);
    const { child, ended, said } = await start();
    child.kill("SIGINT");
    child.kill("SIGINT");
    child.kill("SIGTERM");
    expect(await ended).toBe(1);
    expect(said()).toContain(
      "The deploy of data in local was interrupted; Terraform has saved what was done.\n→ Run it again.",
    );
    expect(await state("model-image")).toEqual({ quick: "whole", slow: "half" });
    expect(await readLock(environment, "model-image")).toBeUndefined();
    write("model-image", "true");
    expect(await (await start(false)).ended).toBe(0);
    expect(await state("model-image")).toEqual({ quick: "whole", slow: "whole" });
  });

  test("whose terraform is killed has failed, whatever cdktf makes of it", async () => {
    write("website-test", untilRemoved);
    const { ended, said } = await start();
    for (const id of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
      try {
        const isTerraform = readFileSync(`/proc/${id}/comm`, "utf8").trim() === "terraform";
        if (isTerraform && readlinkSync(`/proc/${id}/cwd`) === folder) {
          process.kill(Number(id), "SIGKILL");
        }
      } catch {
        // It has ended meanwhile.
      }
    }
    expect(await ended).toBe(1);
    expect(said()).toContain(
      "Terraform was killed while it deployed data in local: its last resources may be missing in the state",
    );
    expect((await readLock(environment, "website-test"))?.operation).toBe("OperationTypeApply");
  });

  test("whose command is killed is finished by terraform alone; another one meanwhile is refused", async () => {
    const signal = join(root, "go-on");
    write("ml-workflow", `until [ -e ${signal} ] || [ ! -e ${root} ]; do sleep 0.1; done`);
    const { child, ended } = await start();
    child.kill("SIGKILL");
    await ended;
    const lock = await readLock(environment, "ml-workflow");
    expect(lock?.operation).toBe("OperationTypeApply");
    const second = await start(false);
    expect(await second.ended).toBe(1);
    expect(second.said()).toContain(`make unlock ENVIRONMENT=local STACK=data LOCK=${lock?.id ?? ""}`);
    writeFileSync(signal, "");
    while (await readLock(environment, "ml-workflow")) {
      await sleep(200);
    }
    expect(await state("ml-workflow")).toEqual({ quick: "whole", slow: "whole" });
    expect(existsSync(join(folder, "errored.tfstate"))).toBe(false);
  });
});
