/** The source as a build gets it, and a build's shell: for tests that run what the pipeline runs. */
import { execFileSync, spawn } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { projectRoot } from "../../../modules/project-root";
import type { BuildCommands } from "../../../modules/pipeline/build-spec";

/** What a build printed, how it ended, and the variables that it exports. */
export interface BuildResult {
  readonly status: number | null;
  readonly output: string;
  readonly exported: Readonly<Record<string, string>>;
}

/** Older than whatever was installed, so that make installs nothing into the folders that are linked. */
const longAgo = new Date("2001-01-01T00:00:00Z");

/**
 * A copy of what git has of the source, changes that are not committed included. What was installed is linked to save
 * the time.
 * @throws Error when nothing is installed, for make would then install into a link
 */
export class SourceCopy {
  readonly folder = mkdtempSync(join(tmpdir(), "acme-source-"));

  constructor() {
    for (const marker of ["node_modules/.installed", ".venv/emulator/.installed", ".venv/model/.installed"]) {
      if (!existsSync(join(projectRoot, marker))) {
        throw new Error(`There is no ${marker}: type make install first.`);
      }
    }
    const files = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
      cwd: projectRoot,
      maxBuffer: 2 ** 26,
      encoding: "utf8",
    });
    for (const file of new Set(files.split("\0"))) {
      const [from, to] = [join(projectRoot, file), join(this.folder, file)];
      if (file === "" || !existsSync(from)) {
        continue;
      }
      mkdirSync(dirname(to), { recursive: true });
      copyFileSync(from, to);
      utimesSync(to, longAgo, longAgo);
    }
    for (const installed of ["node_modules", ".venv"]) {
      symlinkSync(join(projectRoot, installed), join(this.folder, installed));
    }
  }

  /**
   * Runs the commands as CodeBuild does: one bash for all, which ends at the first that fails.
   * @param variables the whole environment
   */
  async run({ install = [], build, exports = [] }: BuildCommands, variables: NodeJS.ProcessEnv): Promise<BuildResult> {
    const marker = "exported by the build:";
    const tell = exports.map((name) => `printf '%s\\0' "${marker}${name}=$${name}"`);
    const script = [...install, ...build, ...tell].map((command) => `${command} || exit $?`).join("\n");
    const child = spawn("bash", ["-c", script], {
      cwd: this.folder,
      env: variables,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        output += text;
      });
    }
    const status = await new Promise<number | null>((ended, failed) => {
      child.once("error", failed);
      child.once("close", ended);
    });
    const exported = output
      .split("\0")
      .flatMap((part) => (part.includes(marker) ? [part.slice(part.indexOf(marker) + marker.length)] : []))
      .map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)] as const);
    return { status, output, exported: Object.fromEntries(exported) };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
