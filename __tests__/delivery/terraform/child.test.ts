import { type ChildOptions, type Ended, runChild } from "../../../delivery/terraform/child";

const shell = (script: string, options: Partial<ChildOptions> = {}): Promise<Ended> =>
  runChild("/bin/sh", ["-c", script], { folder: "/", variables: { PATH: process.env.PATH }, seconds: 60, ...options });

test("gives status and both outputs", async () => {
  expect(await shell("echo out; echo err >&2; exit 3")).toEqual({
    status: 3,
    output: "out\n",
    errors: "err\n",
    late: false,
    interrupted: false,
  });
});

test("passes output on as it arrives", async () => {
  const parts: string[] = [];
  const { output } = await shell("echo one; echo two >&2", { onOutput: (text) => parts.push(text) });
  expect(parts.join("").split("\n").sort()).toEqual(["", "one", "two"]);
  expect(output.length).toBe("one\ntwo\n".length);
});

test("loses nothing of a long output", async () => {
  const { output } = await shell("head -c 3000000 /dev/zero | tr '\\0' x");
  expect(output).toHaveLength(3_000_000);
});

test("asks what takes too long to stop, and says so", async () => {
  // The time goes by when the shell is ready, and not before, however busy the machine is.
  const clock = jest.useFakeTimers({ doNotFake: ["nextTick", "performance", "queueMicrotask", "setImmediate"] });
  try {
    const { late, output, status } = await shell(
      "trap 'echo saved; exit 7' INT; echo ready; while :; do sleep 0.1; done",
      {
        seconds: 60,
        onOutput: (text) => {
          if (text.includes("ready")) {
            clock.advanceTimersByTime(60_000);
          }
        },
      },
    );
    expect([late, output, status]).toEqual([true, "ready\nsaved\n", 7]);
  } finally {
    clock.useRealTimers();
  }
});

test("passes an interrupt on once, however often it comes", async () => {
  const script = "trap 'echo interrupted; sleep 0.5; exit 1' INT; echo ready; while :; do sleep 0.1; done";
  const { output, interrupted } = await shell(script, {
    onOutput: (text) => {
      if (text.includes("ready")) {
        for (const signal of ["SIGINT", "SIGINT", "SIGTERM", "SIGHUP"]) {
          process.emit(signal as "SIGINT");
        }
      }
    },
  });
  expect(output).toBe("ready\ninterrupted\n");
  expect(interrupted).toBe(true);
});

test("interrupts its child, and not the program that started it", async () => {
  const inner =
    'process.on("SIGINT", () => process.exit(5)); setInterval(() => undefined, 1000); console.log("inner", process.pid);';
  let id: number | undefined;
  const { status } = await shell(`trap 'exit 9' INT; "$NODE" -e '${inner}'`, {
    variables: { NODE: process.execPath },
    interruptible: () => id,
    onOutput: (text) => {
      const found = /inner (\d+)/.exec(text)?.[1];
      if (found === undefined) {
        return;
      }
      id = Number(found);
      process.emit("SIGINT");
    },
  });
  expect(status).toBe(5);
});

test("leaves no listener behind", async () => {
  const before = process.listenerCount("SIGINT");
  await shell("true");
  await expect(runChild("/no/such/program", [], { folder: "/", variables: {}, seconds: 1 })).rejects.toThrow("ENOENT");
  expect(process.listenerCount("SIGINT")).toBe(before);
});
