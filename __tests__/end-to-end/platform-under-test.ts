import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { type Clients, makeClients } from "../../local/platform/clients";
import { type Instance, openInstance, root } from "../../local/platform/instance";
import { isRunning, recordedProcess } from "../../local/platform/processes";
import { pipelineName } from "../../local/platform/services";
import type { PlatformFile } from "../../local/platform/up";
import { keepAccess } from "./access";

/** What a command printed and how it ended. */
export interface Ended {
  readonly status: number | null;
  readonly output: string;
}

/** A `make` command that is still running. */
export interface Running {
  readonly pid: number;
  /** Ends it with SIGKILL, with every process of its group, as a closed laptop or an impatient person would. */
  kill(): void;
  /** Sends SIGINT to every process of its group, as a terminal does at ^C. */
  interrupt(): void;
  /** Resolves as soon as its output matches. Rejects when it ends before. */
  prints(pattern: RegExp): Promise<void>;
  readonly ended: Promise<Ended>;
}

/** Real-looking settings of a shell in which somebody also works on AWS. None of them may ever be used. */
export const settingsOfAnotherAccount = {
  AWS_ACCESS_KEY_ID: "AKIAIOSFODNN7EXAMPLE",
  AWS_SECRET_ACCESS_KEY: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
  AWS_SESSION_TOKEN: "planted-session-token",
  AWS_PROFILE: "planted-profile",
  AWS_ENDPOINT_URL: "http://192.0.2.1:9",
  AWS_ENDPOINT_URL_S3: "http://192.0.2.1:9",
  AWS_REGION: "us-gov-west-1",
  HTTPS_PROXY: "http://192.0.2.1:9",
  HTTP_PROXY: "http://192.0.2.1:9",
};

/**
 * Of each instance of this worker, the first of its ports: two that start at the same time would find the same ones
 * free.
 */
let nextPorts = 21_000 + 100 * Number(process.env.JEST_WORKER_ID ?? 0);

/** An instance of the platform in a temporary folder, with ports of its own. */
export class PlatformUnderTest {
  readonly instance: Instance;
  private readonly started: ChildProcess[] = [];

  constructor() {
    this.instance = openInstance(mkdtempSync(join(tmpdir(), "platform-")));
    const servers = ["emulator", "sagemaker", "pipeline", "website", "website-test"];
    const ports = Object.fromEntries(servers.map((name, index) => [name, nextPorts + index]));
    writeFileSync(this.instance.path("ports.json"), JSON.stringify(ports));
    nextPorts += servers.length;
  }

  /** Starts `make TARGET` as a person would, in a shell full of settings for another account. */
  start(target: string, variables: Record<string, string> = {}): Running {
    const child = spawn("make", ["--silent", target], {
      cwd: root,
      detached: true,
      env: {
        PATH: process.env.PATH,
        HOME: process.env.HOME,
        ...settingsOfAnotherAccount,
        NODE_USE_ENV_PROXY: "1",
        PLATFORM_DIRECTORY: this.instance.directory,
        // What tests ask of a website again and again is drift, from which the platform trains a model by itself.
        MONITORING_SECONDS: "3600",
        ...variables,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.started.push(child);
    let output = "";
    const watchers = new Set<() => void>();
    const collect = (chunk: Buffer): void => {
      output += chunk.toString();
      watchers.forEach((watcher) => {
        watcher();
      });
    };
    child.stdout.on("data", collect);
    child.stderr.on("data", collect);
    const signalGroup = (signal: NodeJS.Signals): void => {
      if (child.pid !== undefined && child.exitCode === null) {
        process.kill(-child.pid, signal);
      }
    };
    const ended = new Promise<Ended>((settle) => {
      child.once("close", (status) => {
        settle({ status, output });
      });
    });
    return {
      pid: child.pid ?? 0,
      ended,
      kill: () => {
        signalGroup("SIGKILL");
      },
      interrupt: () => {
        signalGroup("SIGINT");
      },
      prints: (pattern) =>
        new Promise((settle, refuse) => {
          const look = (): void => {
            if (pattern.test(output)) {
              watchers.delete(look);
              settle();
            }
          };
          watchers.add(look);
          void ended.then(() => {
            refuse(new Error(`It ended before it printed ${pattern}:\n${output}`));
          });
          look();
        }),
    };
  }

  /** Runs `make TARGET` to its end. */
  async make(target: string, variables: Record<string, string> = {}): Promise<Ended> {
    return this.start(target, variables).ended;
  }

  /** Runs `make TARGET` and fails with its output when it does. */
  async succeed(target: string, variables: Record<string, string> = {}): Promise<string> {
    const { status, output } = await this.make(target, variables);
    if (status !== 0) {
      throw new Error(`make ${target} ended with status ${status}:\n${output}`);
    }
    return output;
  }

  /** What `make up` wrote for scripts. */
  get file(): PlatformFile {
    return JSON.parse(readFileSync(this.instance.path("platform.json"), "utf8")) as PlatformFile;
  }

  /** AWS clients for this instance. */
  get clients(): Clients {
    return makeClients(this.file.aws);
  }

  /** Process id of a service. */
  pid(service: string): number {
    const recorded = recordedProcess(this.instance, service);
    if (!isRunning(recorded)) {
      throw new Error(`${service} does not run`);
    }
    return recorded.pid;
  }

  /** Ends a service with SIGKILL and waits until it is gone. */
  async kill(service: string): Promise<void> {
    const recorded = recordedProcess(this.instance, service);
    process.kill(this.pid(service), "SIGKILL");
    while (isRunning(recorded)) {
      await sleep(10);
    }
  }

  /** Every process of this instance: its services and all that they have started. */
  processes(): number[] {
    const services = ["emulator", "sagemaker", "pipeline", "front-door"].map((name) => this.pid(name));
    return descendants(services);
  }

  /** Waits until SageMaker runs a training job. */
  async trains(): Promise<void> {
    for (;;) {
      const { TrainingJobSummaries: jobs = [] } = await this.clients.sagemaker.listTrainingJobs({
        StatusEquals: "InProgress",
      });
      if (jobs.length > 0) {
        return;
      }
      await sleep(20);
    }
  }

  /** Waits until so many executions of the pipeline were started, and all have ended. */
  async releasesEnd(count: number): Promise<void> {
    for (;;) {
      const { pipelineExecutionSummaries: all = [] } = await this.clients.codePipeline.listPipelineExecutions({
        pipelineName,
      });
      if (all.length >= count && all.every(({ status }) => status !== "InProgress")) {
        return;
      }
      await sleep(100);
    }
  }

  /**
   * Stops everything and removes the folder. What the roles asked for is kept for the check of all suites together.
   * @param suite the test's file, without its ending. @default nothing is kept
   */
  async remove(suite?: Parameters<typeof keepAccess>[0]): Promise<void> {
    for (const child of this.started.filter(({ exitCode, pid }) => exitCode === null && pid !== undefined)) {
      try {
        process.kill(-child.pid!, "SIGKILL");
      } catch {
        // It has ended already.
      }
    }
    try {
      if (suite !== undefined) {
        // A suite may end with everything stopped. Its last survey may be one from which make up can't release.
        await this.make("up");
        keepAccess(suite, await this.succeed("access", { FORMAT: "json" }));
      }
    } finally {
      await this.make("down");
      rmSync(this.instance.directory, { recursive: true, force: true });
    }
  }
}

/** These processes and all that they have started. */
export function descendants(ancestors: readonly number[]): number[] {
  const parents = new Map<number, number>();
  for (const entry of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const status = readFileSync(`/proc/${entry}/stat`, "utf8");
      parents.set(Number(entry), Number(status.slice(status.lastIndexOf(")") + 2).split(" ")[1]));
    } catch {
      // The process ended while the list was read.
    }
  }
  const belongs = (pid: number | undefined): boolean =>
    pid !== undefined && pid > 1 && (ancestors.includes(pid) || belongs(parents.get(pid)));
  return [...parents.keys()].filter(belongs);
}

/** The environment of a process, as the kernel tells it. */
export function environmentOf(pid: number): string {
  return readFileSync(`/proc/${pid}/environ`, "utf8");
}

/** Local and remote IPv4 and IPv6 addresses of a process's TCP sockets, in the kernel's hexadecimal form. */
export function socketAddresses(pid: number): { local: string; remote: string }[] {
  const inodes = new Set<string>();
  for (const descriptor of readdirSync(`/proc/${pid}/fd`)) {
    try {
      const match = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${descriptor}`));
      if (match?.[1] !== undefined) {
        inodes.add(match[1]);
      }
    } catch {
      // The descriptor was closed while the list was read.
    }
  }
  return ["tcp", "tcp6"].flatMap((table) =>
    readFileSync(`/proc/${pid}/net/${table}`, "utf8")
      .split("\n")
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter((fields) => inodes.has(fields[9] ?? ""))
      .map((fields) => ({ local: fields[1]!.split(":")[0]!, remote: fields[2]!.split(":")[0]! })),
  );
}
