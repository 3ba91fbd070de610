import { spawnSync } from "node:child_process";
import { join } from "node:path";

const root = join(__dirname, "..");

/** Runs a command whose work is `body`, a function's body in TypeScript. */
function run(body: string, pipe = ""): { status: number | null; stdout: string; stderr: string } {
  const program = `import { runCommand } from "./command"; runCommand(async (variables) => { ${body} });`;
  const { status, stdout, stderr } = spawnSync(
    "/bin/sh",
    ["-c", `set -e; "${process.execPath}" --import tsx --input-type=module -e '${program}' ${pipe}`],
    { cwd: root, encoding: "utf8", env: { ...process.env, SETTING: "one" } },
  );
  return { status, stdout, stderr };
}

test("what it prints and returns is the command's", () => {
  expect(run("console.log(variables.SETTING)")).toEqual({ status: 0, stdout: "one\n", stderr: "" });
  expect(run("return 3")).toMatchObject({ status: 3, stderr: "" });
});

test("an error that the user can correct is one sentence, with its own exit status", () => {
  expect(run('throw new Error("SETTING is missing.")')).toEqual({
    status: 1,
    stdout: "",
    stderr: "SETTING is missing.\n",
  });
  expect(run('throw Object.assign(new Error("No."), { exitStatus: 2 })')).toMatchObject({ status: 2, stderr: "No.\n" });
  expect(run('throw Object.assign(new Error("No."), { name: "AccessDenied", $fault: "client" })')).toMatchObject({
    status: 1,
    stderr: "AccessDenied: No.\n",
  });
});

test("a fault of the program has its stack and its cause", () => {
  const { status, stderr } = run('throw new TypeError("fetch failed", { cause: new Error("refused") })');
  expect(status).toBe(1);
  expect(stderr).toMatch(/^TypeError: fetch failed\n +at /);
  expect(stderr).toContain("refused");
});

test("when the reader closes the pipe, there is no error, and the work continues", () => {
  const body = `
    process.stdout.write("first\\n");
    for (let line = 0; line < 1_000; line += 1) { process.stdout.write("x".repeat(1_000) + "\\n"); }
    await new Promise((done) => setTimeout(done, 200));
    process.stderr.write("done\\n");`;
  expect(run(body, "| head -1")).toEqual({ status: 0, stdout: "first\n", stderr: "done\n" });
});
