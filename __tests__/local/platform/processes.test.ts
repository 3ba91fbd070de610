import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { cleanEnvironment, type Instance, openInstance, writeJson } from "../../../local/platform/instance";
import { locked } from "../../../local/platform/lock";
import { choosePort, knownPorts } from "../../../local/platform/ports";
import * as processes from "../../../local/platform/processes";
import {
  isRunning,
  lastLines,
  recordedProcess,
  type ServiceCommand,
  startService,
  stopService,
} from "../../../local/platform/processes";
import { startTimeOf } from "sagemaker-local/process-identity";
import { doneBefore, fingerprintOf, lastResult, remember } from "../../../local/platform/progress";

let instance: Instance;

beforeEach(() => {
  instance = openInstance(mkdtempSync(join(tmpdir(), "instance-")));
});

afterEach(async () => {
  jest.restoreAllMocks();
  await stopService(instance, "clock");
  rmSync(instance.directory, { recursive: true, force: true });
});

/** A service that lives until it is stopped; `code` runs in it first. */
function clock(code = "", overrides: Partial<ServiceCommand> = {}): ServiceCommand {
  return {
    name: "clock",
    command: process.execPath,
    arguments: ["-e", `${code}; setInterval(() => {}, 1000)`],
    environment: cleanEnvironment(instance),
    isHealthy: () => Promise.resolve(isRunning(recordedProcess(instance, "clock"))),
    ...overrides,
  };
}

describe("a service", () => {
  test("runs on after it was started, and is left alone when it is healthy", async () => {
    expect(await startService(instance, clock())).toBe(true);
    const first = recordedProcess(instance, "clock");
    expect(await startService(instance, clock())).toBe(false);
    expect(recordedProcess(instance, "clock")).toEqual(first);
    expect(isRunning(first)).toBe(true);
  });

  test("that another command has started again while it was stopped is not forgotten", async () => {
    await startService(instance, clock("process.on('SIGTERM', () => undefined)"));
    const stopping = stopService(instance, "clock", 0.2);
    const other = { pid: process.pid, startedAt: startTimeOf(process.pid)! };
    const record = instance.path("processes", "clock.json");
    writeJson(record, other);
    await stopping;
    const left = recordedProcess(instance, "clock");
    // Before anything is expected: what is recorded is stopped in the end, and that is this very process.
    rmSync(record, { force: true });
    expect(left).toEqual(other);
  });

  test("is started again when it was killed", async () => {
    await startService(instance, clock());
    const first = recordedProcess(instance, "clock")!;
    process.kill(first.pid, "SIGKILL");
    while (isRunning(recordedProcess(instance, "clock"))) {
      await new Promise((later) => setTimeout(later, 5));
    }
    expect(await startService(instance, clock())).toBe(true);
    expect(recordedProcess(instance, "clock")!.pid).not.toBe(first.pid);
  });

  test("that ends at once fails with what it printed", async () => {
    const broken = clock("console.error('no such folder'); process.exit(3)", {
      isHealthy: () => Promise.resolve(false),
    });
    await expect(startService(instance, broken)).rejects.toThrow(
      /clock (ended before it was ready|did not start)[^]*no such folder/,
    );
  });

  test("that never becomes healthy is stopped", async () => {
    const deaf = clock("console.log('waiting')", { isHealthy: () => Promise.resolve(false), startSeconds: 0.5 });
    await expect(startService(instance, deaf)).rejects.toThrow(/clock was not ready after 0.5 seconds/);
    expect(recordedProcess(instance, "clock")).toBeUndefined();
  });

  test("that ignores SIGTERM is killed with its children", async () => {
    const stubborn = clock(
      "process.on('SIGTERM', () => {}); const child = require('child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']); console.log('deaf to it, child', child.pid)",
      { isHealthy: () => Promise.resolve(lastLines(instance, "clock").includes("deaf to it")) },
    );
    await startService(instance, stubborn);
    const recorded = recordedProcess(instance, "clock")!;
    expect(await stopService(instance, "clock", 0.3)).toBe(true);
    expect(isRunning(recorded)).toBe(false);
    const child = Number(/child (\d+)/.exec(lastLines(instance, "clock"))![1]);
    expect(startTimeOf(child)).toBeUndefined();
  });

  test("whose process id now belongs to another process is not stopped", async () => {
    const bystander = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
    try {
      writeJson(instance.path("processes/clock.json"), { pid: bystander.pid, startedAt: "1" });
      expect(await stopService(instance, "clock")).toBe(false);
      expect(startTimeOf(bystander.pid!)).toBeDefined();
      expect(bystander.exitCode).toBeNull();
    } finally {
      bystander.kill("SIGKILL");
    }
  });

  test("gets nothing of the shell's AWS settings and proxies", async () => {
    const planted = { AWS_PROFILE: "real", AWS_SECRET_ACCESS_KEY: "real-secret", HTTPS_PROXY: "http://192.0.2.1:9" };
    jest.replaceProperty(process, "env", { ...process.env, ...planted });
    await startService(instance, clock());
    const environment = readFileSync(`/proc/${recordedProcess(instance, "clock")!.pid}/environ`, "utf8");
    for (const value of Object.values(planted)) {
      expect(environment).not.toContain(value);
    }
  });
});

describe("a port", () => {
  const setPort = (port: string): void => {
    jest.replaceProperty(process, "env", { ...process.env, EMULATOR_PORT: port });
  };

  test("is kept for the next start", async () => {
    const port = await choosePort(instance, "emulator");
    expect(await choosePort(instance, "emulator")).toBe(port);
    expect(knownPorts(instance).emulator).toBe(port);
  });

  test("that somebody else has taken is left to them", async () => {
    const server = createServer();
    const port = await choosePort(instance, "emulator");
    await new Promise<void>((listening) => server.listen(port, "127.0.0.1", listening));
    try {
      expect(await choosePort(instance, "emulator")).not.toBe(port);
    } finally {
      server.close();
    }
  });

  test("that was set and is taken is an error that names it", async () => {
    const server = createServer();
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    setPort(String((server.address() as AddressInfo).port));
    try {
      await expect(choosePort(instance, "emulator")).rejects.toThrow(/EMULATOR_PORT: port \d+ of 127.0.0.1 is taken/);
    } finally {
      server.close();
    }
  });

  test("that needs root is reported as such, not as taken", async () => {
    jest.spyOn(Server.prototype, "listen").mockImplementationOnce(function (this: Server) {
      process.nextTick(() => this.emit("error", Object.assign(new Error("denied"), { code: "EACCES" })));
      return this;
    });
    setPort("22");
    await expect(choosePort(instance, "emulator")).rejects.toThrow(
      "EMULATOR_PORT: port 22 of 127.0.0.1 needs root, as all ports below 1024; set a higher one",
    );
  });

  test.each(["0", "65536", "-1", "80a", ""])("'%s' is not a port", async (value) => {
    setPort(value);
    await expect(choosePort(instance, "emulator")).rejects.toThrow(`EMULATOR_PORT: '${value}' is not a port`);
  });
});

describe("a lock", () => {
  test("lets one command at a time work, and names the one that does", async () => {
    await locked(instance, async () => {
      await expect(locked(instance, () => Promise.resolve())).rejects.toThrow(`process ${process.pid}`);
    });
    await expect(locked(instance, () => Promise.resolve("free again"))).resolves.toBe("free again");
  });

  test("that is refused stays with the command that has it", async () => {
    await locked(instance, async () => {
      await expect(locked(instance, () => Promise.resolve())).rejects.toThrow(`process ${process.pid}`);
      await expect(locked(instance, () => Promise.resolve())).rejects.toThrow(`process ${process.pid}`);
    });
  });

  test.each(['{"pid":%,"startedAt":"1"}', "half a fil"])(
    "that a killed command left behind (%s) is taken over, again and again",
    async (content) => {
      for (const turn of [7, 9]) {
        mkdirSync(instance.path("lock"), { recursive: true });
        writeFileSync(instance.path("lock", String(turn)), content.replace("%", String(process.pid)));
        await expect(locked(instance, () => Promise.resolve("taken over"))).resolves.toBe("taken over");
        expect(readdirSync(instance.path("lock"))).toEqual([String(turn + 1)]);
      }
    },
  );

  test("that two commands find left behind goes to one of them, however close they are", async () => {
    writeJson(instance.path("lock/1"), { pid: process.pid, startedAt: "1" });
    let release = (): void => undefined;
    const held = new Promise<void>((settle) => (release = settle));
    let first: Promise<void> | undefined;
    // The second command has just found that the lock's process is gone when the first one takes it.
    const judged = jest.spyOn(processes, "isRunning").mockImplementationOnce(() => {
      first = locked(instance, () => held);
      return false;
    });
    try {
      await expect(locked(instance, () => Promise.resolve("both"))).rejects.toThrow(`process ${process.pid}`);
    } finally {
      judged.mockRestore();
      release();
      await first;
    }
    await expect(locked(instance, () => Promise.resolve("free"))).resolves.toBe("free");
  });

  test("that was taken, released and taken again in the meantime is not taken a second time", async () => {
    writeJson(instance.path("lock/1"), { pid: process.pid, startedAt: "1" });
    let release = (): void => undefined;
    const held = new Promise<void>((settle) => (release = settle));
    let later: Promise<void> | undefined;
    const judged = jest.spyOn(processes, "isRunning").mockImplementationOnce(() => {
      writeJson(instance.path("lock/2"), { pid: process.pid, startedAt: "1" });
      later = locked(instance, () => held);
      return false;
    });
    try {
      await expect(locked(instance, () => Promise.resolve("both"))).rejects.toThrow(`process ${process.pid}`);
    } finally {
      judged.mockRestore();
      release();
      await later;
    }
  });

  test("is released when the work fails", async () => {
    await expect(locked(instance, () => Promise.reject(new Error("broken")))).rejects.toThrow("broken");
    await expect(locked(instance, () => Promise.resolve("free"))).resolves.toBe("free");
  });
});

describe("progress", () => {
  test("is stored for exactly its input", () => {
    remember(instance, "workflow", fingerprintOf("a", 1), { outcome: "registered" });
    expect(doneBefore(instance, "workflow", fingerprintOf("a", 1))).toEqual({ outcome: "registered" });
    expect(doneBefore(instance, "workflow", fingerprintOf("a", 2))).toBeUndefined();
    expect(lastResult(instance, "workflow")).toEqual({ outcome: "registered" });
  });

  test("two values with moved boundaries are different inputs", () => {
    expect(fingerprintOf("ab", "c")).not.toBe(fingerprintOf("a", "bc"));
  });
});
