/** The deployment commands as somebody types them, in a shell that has nothing but what a test gives it. */
import { spawn } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { projectRoot } from "../../modules/project-root";

/** How a command ended. */
export interface Typed {
  readonly status: number | null;
  readonly output: string;
  readonly errors: string;
}

/** A folder for what the commands write, and a home without credentials. */
export class Shell {
  readonly folder = mkdtempSync(join(tmpdir(), "deployment-"));

  /** A terraform that only tells its version: for what has to be refused before terraform is asked anything else. */
  terraformThatOnlyTellsItsVersion(version = "1.11.4"): string {
    const file = join(this.folder, `terraform-${version}`);
    writeFileSync(
      file,
      `#!/bin/sh\n[ "$1" = version ] && echo '{"terraform_version": "${version}"}' && exit 0\necho "$@" >>"$0.asked"\nexit 1\n`,
    );
    chmodSync(file, 0o755);
    return file;
  }

  /** A terraform that makes always this plan, and would do nothing else. */
  terraformThatPlans(plan: object): string {
    const file = join(this.folder, "terraform-that-plans");
    writeFileSync(`${file}.json`, JSON.stringify(plan));
    const answers = [
      `version) echo '{"terraform_version": "1.11.4"}' ;;`,
      "init) ;;",
      "plan) exit 2 ;;",
      `show) cat "$0.json" ;;`,
      `*) echo "It was asked to $1." >&2; exit 1 ;;`,
    ];
    writeFileSync(file, `#!/bin/sh\ncase $1 in\n${answers.join("\n")}\nesac\n`);
    chmodSync(file, 0o755);
    return file;
  }

  /** Types `make <command>`, without make: the variables as they would stand on its command line. */
  type(command: string, variables: Readonly<Record<string, string>> = {}): Promise<Typed> {
    const child = spawn(process.execPath, ["--import", "tsx", join(projectRoot, "delivery/cli.ts"), command], {
      cwd: projectRoot,
      env: {
        PATH: [join(projectRoot, "node_modules/.bin"), process.env.PATH ?? ""].join(delimiter),
        HOME: this.folder,
        NO_PROXY: "*",
        AWS_CONFIG_FILE: "/dev/null",
        AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
        AWS_EC2_METADATA_DISABLED: "true",
        CDKTF_OUTDIR: join(this.folder, "cdktf.out"),
        ...variables,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    let errors = "";
    child.stdout.on("data", (part: Buffer) => {
      output += part.toString();
    });
    child.stderr.on("data", (part: Buffer) => {
      errors += part.toString();
    });
    return new Promise((settle) => {
      child.once("close", (status) => {
        settle({ status, output, errors });
      });
    });
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Keys that open nothing. */
export const keys = { AWS_ACCESS_KEY_ID: "AKIAIOSFODNN7EXAMPLE", AWS_SECRET_ACCESS_KEY: "not-a-secret" };
