/** Plan files hold secrets: nothing of them stays, whatever happens. */
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inTemporaryFolder } from "../../../delivery/diff/temporary";
import { projectRoot } from "../../../modules/project-root";

let parent: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), "parent-"));
});
afterEach(() => {
  rmSync(parent, { recursive: true, force: true });
});

test("nobody else may read the folder, and it is removed after success or failure", async () => {
  const mode = await inTemporaryFolder((folder) => {
    writeFileSync(join(folder, "plan"), "secret");
    return Promise.resolve(statSync(folder).mode & 0o777);
  }, parent);
  expect(mode).toBe(0o700);
  await expect(inTemporaryFolder(() => Promise.reject(new Error("no")), parent)).rejects.toThrow("no");
  expect(readdirSync(parent)).toEqual([]);
});

/** Work that writes a plan and runs a program which ends on a signal. */
function startWork(): ReturnType<typeof spawn> {
  const script = join(parent, "work.ts");
  writeFileSync(
    script,
    `import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { inTemporaryFolder } from ${JSON.stringify(join(projectRoot, "delivery/diff/temporary"))};
import { runChild } from ${JSON.stringify(join(projectRoot, "delivery/terraform"))};
void inTemporaryFolder(async (folder, interruption) => {
  writeFileSync(join(folder, "plan"), "secret");
  const running = runChild("sleep", ["30"], { folder, variables: process.env, seconds: 60 });
  console.log("running");
  await running;
  console.log(interruption.signal);
}, ${JSON.stringify(join(parent, "temporary"))});
`,
  );
  mkdirSync(join(parent, "temporary"), { recursive: true });
  return spawn(process.execPath, ["--import", "tsx", script], {
    cwd: projectRoot,
    stdio: ["ignore", "pipe", "inherit"],
  });
}

test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
  "%s ends the program that runs, and the folder is removed",
  async (signal) => {
    const work = startWork();
    let output = "";
    work.stdout?.on("data", (part: Buffer) => {
      output += part.toString();
      if (output === "running\n") {
        work.kill(signal);
      }
    });
    await new Promise((settle) => work.once("close", settle));
    expect(output).toBe(`running\n${signal}\n`);
    expect(readdirSync(join(parent, "temporary"))).toEqual([]);
  },
  30_000,
);

test("the next process removes the files of a killed one, but not those of a running one", async () => {
  const { pid: dead } = spawnSync("true");
  for (const owner of [dead, process.pid]) {
    mkdirSync(join(parent, `acme-plan-${owner}-abc`));
  }
  mkdirSync(join(parent, "acme-plan-of-somebody"));
  await inTemporaryFolder(() => Promise.resolve(), parent);
  expect(readdirSync(parent).sort()).toEqual([`acme-plan-${process.pid}-abc`, "acme-plan-of-somebody"].sort());
});
