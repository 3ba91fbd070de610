import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

import { startTimeOf } from "../src/process-identity";

const onLinux = process.platform === "linux" ? test : test.skip;

async function isOpen(port: number): Promise<boolean> {
  const socket = connect({ host: "127.0.0.1", port });
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

let child: ChildProcess | undefined;

afterEach(() => {
  child?.kill("SIGKILL");
});

test("a process has one start time as long as it runs, and none afterwards", async () => {
  child = spawn(process.execPath, ["-e", "setInterval(() => undefined, 1000)"], { stdio: "ignore" });
  const pid = child.pid!;
  const startedAt = startTimeOf(pid);
  expect(startedAt).toEqual(expect.any(String));
  expect(startTimeOf(pid)).toBe(startedAt);
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(startTimeOf(pid)).toBeUndefined();
});

onLinux(
  "a process whose first thread has ended runs until the last one has, for so long it keeps its ports",
  async () => {
    const program = [
      "import ctypes, platform, socket, threading, time",
      'listener = socket.create_server(("127.0.0.1", 0))',
      "threading.Thread(target=time.sleep, args=(60,)).start()",
      "print(listener.getsockname()[1], flush=True)",
      // The system call `exit`, of this thread alone.
      'ctypes.CDLL(None).syscall(60 if platform.machine() == "x86_64" else 93, 0)',
    ];
    child = spawn("python3", ["-c", program.join("\n")], { stdio: ["ignore", "pipe", "inherit"] });
    const pid = child.pid!;
    const startedAt = startTimeOf(pid);
    const [line] = (await once(createInterface(child.stdout!), "line")) as [string];
    const port = Number(line);
    await sleep(200);

    expect(await isOpen(port)).toBe(true);
    expect(startTimeOf(pid)).toBe(startedAt);

    child.kill("SIGKILL");
    while (startTimeOf(pid) !== undefined) {
      await sleep(5);
    }
    expect(await isOpen(port)).toBe(false);
  },
);
