/**
 * `make fuzz [URL=https://…] [EXAMPLES=10000] [SEED=1]`: asks a website's API thousands of times what its own OpenAPI
 * document allows and forbids, and holds every answer to it. One answer of 5xx, one that the document doesn't tell of,
 * or one that could be taken for HTML, and it fails.
 */
import { spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import * as z from "zod";
import { openApiFile } from "../../web/openapi";
import { projectRoot } from "../../modules/project-root";
import { runCommand } from "../../command";
import { localAddresses, readAddress } from "../../delivery/builds/system-test";
import { wholeNumber } from "../support/whole-number";

/** What a run is to do. */
interface FuzzSettings {
  /** The website, without a slash at its end. */
  readonly website: string;
  /** Requests at least. */
  readonly examples: number;
  /** The same seed asks the same again. */
  readonly seed: number;
}

/**
 * Reads what is to be asked, and how often.
 * @throws Error that says how to set what is wrong
 */
export function settingsFrom({ URL: url, EXAMPLES, SEED, ...variables }: NodeJS.ProcessEnv): FuzzSettings {
  return {
    website: url === undefined || url === "" ? localAddresses("test", variables).WEBSITE : readAddress("URL", url),
    examples: wholeNumber("EXAMPLES", EXAMPLES, 2, 1_000_000, 10_000),
    seed: wholeNumber("SEED", SEED, 0, 2 ** 31, randomInt(2 ** 31)),
  };
}

const count = z.int().nonnegative();

/** The part of schemathesis's report by which a run is judged. */
const reportSchema = z.object({
  running_time: z.number(),
  complete: z.boolean(),
  operations: z.object({ total: count, tested: count }),
  test_cases: z.object({ generated: count, with_failures: count, errored: count, without_checks: count }),
  valid_rates: z.record(z.string(), z.record(z.string(), z.object({ accepted: count }))),
});

type Report = z.infer<typeof reportSchema>;

/**
 * Why a run proves nothing, although nothing failed in it: it ended early, asked too little, or no right request was
 * ever taken.
 * @returns nothing when it proves something
 */
export function complaintOf(report: Report, examples: number): string | undefined {
  const { complete, operations, test_cases: cases, valid_rates: rates } = report;
  if (!complete) {
    return "it ended early";
  }
  if (operations.total === 0 || operations.tested < operations.total) {
    return `it asked ${operations.tested} of ${operations.total} operations`;
  }
  if (cases.generated < examples) {
    return `it sent ${cases.generated} requests, expected ${examples} at least`;
  }
  if (cases.errored > 0) {
    return `${cases.errored} requests got no answer`;
  }
  if (cases.without_checks > 0) {
    return `nobody looked at ${cases.without_checks} answers`;
  }
  const refused = Object.entries(rates).filter(([, phases]) =>
    Object.values(phases).every(({ accepted }) => accepted === 0),
  );
  if (Object.keys(rates).length < operations.total || refused.length > 0) {
    return `not one right request was taken by ${refused.map(([operation]) => operation).join(", ") || "an operation"}`;
  }
  return undefined;
}

const bin = (name: string): string => join(projectRoot, ".venv/fuzz/bin", name);

/** Runs a program of the fuzzing environment; nobody's proxy stands between it and the website. */
function run(name: string, values: readonly string[], folder: string): Promise<number> {
  const inherited = Object.entries(process.env).filter(([variable]) => !/_proxy$/i.test(variable));
  const child = spawn(bin(name), values, {
    cwd: folder,
    env: {
      ...Object.fromEntries(inherited),
      SCHEMATHESIS_HOOKS: "checks",
      PYTHONPATH: [__dirname, process.env.PYTHONPATH].filter(Boolean).join(delimiter),
      PYTHONPYCACHEPREFIX: join(projectRoot, ".venv/fuzz/pycache"),
    },
    stdio: "inherit",
  });
  return new Promise((resolve, reject) => {
    child.once("error", (error: NodeJS.ErrnoException) => {
      reject(
        error.code === "ENOENT" ? new Error(`There is no ${bin(name)}: make .venv/fuzz/.installed makes it.`) : error,
      );
    });
    child.once("close", (status) => {
      resolve(status ?? 1);
    });
  });
}

async function documentOf(website: string): Promise<string> {
  const address = `${website}/${openApiFile}`;
  const response = await fetch(address).catch((error: unknown) => {
    const { cause } = error as { readonly cause?: unknown };
    throw new Error(
      `${address} does not answer (${cause instanceof Error ? cause.message : String(error)}): is this the address of a website?`,
    );
  });
  if (!response.ok) {
    throw new Error(
      `${address} answered ${response.status}: expected the API's description, which each website publishes.`,
    );
  }
  return response.text();
}

async function fuzz({ website, examples, seed }: FuzzSettings): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "acme-fuzz-"));
  try {
    const document = await documentOf(website);
    const file = join(folder, openApiFile);
    writeFileSync(file, document);
    if ((await run("openapi-spec-validator", ["--schema", "3.1", file], folder)) !== 0) {
      throw new Error(`${website}/${openApiFile} is not OpenAPI 3.1: correct web/openapi.ts.`);
    }
    const { paths } = JSON.parse(document) as { readonly paths: Readonly<Record<string, object>> };
    const operations = Object.values(paths).flatMap((methods) => Object.keys(methods)).length;
    const report = join(folder, "report.json");
    const status = await run(
      "schemathesis",
      [
        ...["--config-file", join(projectRoot, "__tests__/fuzz/schemathesis.toml"), "run", file, "--url", website],
        ...["--max-examples", String(Math.ceil(examples / operations)), "--workers", "2"],
        ...["--seed", String(seed), "--report", "json", "--report-json-path", report],
      ],
      folder,
    );
    if (status !== 0) {
      throw new Error(
        `${website}/api broke what its OpenAPI document says: see above. SEED=${seed} asks the same again.`,
      );
    }
    const found = reportSchema.parse(JSON.parse(readFileSync(report, "utf8")));
    const complaint = complaintOf(found, examples);
    if (complaint !== undefined) {
      throw new Error(`The run proves nothing: ${complaint}.`);
    }
    const { generated } = found.test_cases;
    const seconds = Math.round(found.running_time);
    console.log(
      `${generated} requests in ${seconds} s (seed ${seed}): no 5xx, nothing that came back as HTML, every answer as ${openApiFile} tells it.`,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (require.main === module) {
  runCommand(async (variables) => fuzz(settingsFrom(variables)));
}
