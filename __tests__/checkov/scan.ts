/**
 * Lets checkov look at Terraform's JSON, and makes sure that it looked.
 *
 *     const { version, files } = await scan("terraform_json", [join(outdir, "stacks/data/cdk.tf.json")]);
 *
 * checkov ends well when it could read nothing: a file that it can't parse, one above its size limit, a block that it
 * passes over. So what it read is compared with what the file holds.
 */
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { projectRoot } from "../../modules/project-root";
import { isArguments } from "../../policies/documents";

/**
 * checkov's names for what it is given: the JSON that Terraform reads, or what `terraform show -json` makes of a plan.
 */
export type Framework = "terraform_json" | "terraform_plan";

/** A check that a resource does not pass. */
export interface Failure {
  /** Such as `aws_s3_bucket.data_bucket`. */
  readonly address: string;
  /** Such as `CKV_AWS_18`. */
  readonly check: string;
  /** What the check asks for. */
  readonly name: string;
}

/** What checkov says of one file. */
export interface ScannedFile {
  readonly file: string;
  /** The resources and data sources that it read. */
  readonly addresses: readonly string[];
  readonly parsingErrors: readonly string[];
  /** How many checks were passed. */
  readonly passed: number;
  readonly failed: readonly Failure[];
}

/** What checkov says. */
export interface Scan {
  readonly version: string;
  readonly files: readonly ScannedFile[];
}

/** Where `make install-test` puts checkov. */
export const python = join(projectRoot, ".venv/checkov/bin/python");

/** Ten times what the largest environment takes on a busy machine. */
const timeoutMilliseconds = 300_000;

/** The resources and data sources in a stack's JSON. */
function addressesInStack(document: unknown): readonly string[] {
  return (["resource", "data"] as const).flatMap((kind) => {
    const types = isArguments(document) && isArguments(document[kind]) ? document[kind] : {};
    return Object.entries(types).flatMap(([type, byName]) =>
      Object.keys(isArguments(byName) ? byName : {}).map((name) => `${kind === "data" ? "data." : ""}${type}.${name}`),
    );
  });
}

/** The resources that a plan leaves behind; data sources that Terraform has read are not a part of it. */
function addressesInPlan(document: unknown): readonly string[] {
  const planned = isArguments(document) && isArguments(document.planned_values) ? document.planned_values : {};
  const root = isArguments(planned.root_module) ? planned.root_module : {};
  const resources: readonly unknown[] = Array.isArray(root.resources) ? root.resources : [];
  return resources.flatMap((resource) =>
    isArguments(resource) && resource.mode === "managed" && typeof resource.address === "string"
      ? [resource.address]
      : [],
  );
}

/** What there is to read in a file, counted without checkov. */
export function addressesIn(framework: Framework, file: string): readonly string[] {
  const document: unknown = JSON.parse(readFileSync(file, "utf8"));
  return framework === "terraform_json" ? addressesInStack(document) : addressesInPlan(document);
}

/**
 * Makes sure that checkov read a file whole.
 * @throws Error that says what it left out
 */
export function checkRead(framework: Framework, scanned: ScannedFile): void {
  const { file, parsingErrors, passed } = scanned;
  const read = new Set(scanned.addresses);
  const there = addressesIn(framework, file);
  const missing = there.filter((address) => !read.has(address));
  const advice = "Its answer about the rest counts for nothing: look at what is special about the file.";
  if (parsingErrors.length > 0) {
    throw new Error(`checkov could not parse ${parsingErrors.join(", ")}. ${advice}`);
  }
  if (missing.length > 0) {
    throw new Error(
      `checkov read ${there.length - missing.length} of ${there.length} resources in ${file}; it left out ${missing.join(", ")}. ${advice}`,
    );
  }
  if (there.length > 0 && passed === 0) {
    throw new Error(`checkov passed no check in ${file}. ${advice}`);
  }
}

/**
 * Scans files, each for itself.
 * @throws Error when checkov is not installed, fails, reaches for the network, or did not read a file whole
 */
export async function scan(framework: Framework, files: readonly string[]): Promise<Scan> {
  if (!existsSync(python)) {
    throw new Error("checkov is not installed in .venv/checkov. Type make install-test first.");
  }
  const { stdout } = await promisify(execFile)(
    python,
    [join(projectRoot, "__tests__/checkov/scan.py"), framework, ...files],
    {
      // Nothing of the shell's: no key of checkov's platform, no setting that would leave something out. Compiled once,
      // checkov starts in less than half the time.
      env: { PATH: "/usr/bin:/bin", PYTHONPYCACHEPREFIX: join(projectRoot, ".venv/checkov/pycache") },
      maxBuffer: 64 * 2 ** 20,
      timeout: timeoutMilliseconds,
    },
  );
  const answer = JSON.parse(stdout) as Scan;
  for (const file of answer.files) {
    checkRead(framework, file);
  }
  return answer;
}
