/**
 * `make review ENVIRONMENT=production PLAN=plan.md RELEASE=<id>`: puts one page into the artefact bucket with all that
 * an approver needs: the plan, and the model that it would serve. It prints shell variables with the page's location.
 */
import { readFileSync } from "node:fs";
import { S3 } from "@aws-sdk/client-s3";
import { SageMaker } from "@aws-sdk/client-sagemaker";
import { requireAccount } from "../identity";
import { type Environment, loadEnvironment } from "../../environments";
import { placeholder } from "../../stacks/contract";
import { runCommand } from "../../command";
import { readParameters } from "./parameters";

/** The facts about a model for an approver. */
export interface ModelCard {
  /** ARN of the model package. */
  readonly modelPackageArn: string;
  readonly registered: string;
  /** Properties that the workflow set on registration: `rmse`, `threshold`, `rows`, `runName`. */
  readonly properties: Readonly<Record<string, string>>;
  /** S3 URI of the evaluation, if there is one. */
  readonly evaluationUri: string | undefined;
}

/** The model in a line of plain text, for an e-mail. */
export function summaryOf(card: ModelCard | undefined): string {
  if (!card) {
    return "No model has been registered yet.";
  }
  const { rmse, threshold, rows } = card.properties;
  const name = card.modelPackageArn.split(":").at(-1)?.replace("model-package/", "") ?? card.modelPackageArn;
  const quality =
    rmse === undefined ? "" : `: RMSE ${rmse} rings on ${rows ?? "?"} held-out rows (limit ${threshold ?? "?"})`;
  return `Champion ${name}${quality}.`;
}

/** The page, in Markdown. */
export function reviewPage(release: string, card: ModelCard | undefined, plan: string): string {
  const rows = card
    ? [
        ["model package", `\`${card.modelPackageArn}\``],
        ["registered", card.registered],
        ...Object.entries(card.properties),
        ["evaluation", card.evaluationUri === undefined ? "none" : `\`${card.evaluationUri}\``],
      ]
    : [];
  return [
    `# Release ${release}`,
    "",
    "## Model card",
    "",
    summaryOf(card),
    "",
    ...(rows.length > 0
      ? ["| what | value |", "| --- | --- |", ...rows.map((row) => `| ${row.join(" | ")} |`), ""]
      : []),
    "## Plan",
    "",
    plan.trim(),
    "",
  ].join("\n");
}

/** Link to an S3 object in AWS's console; the reader needs the right to open it. */
export function consoleLink(region: string, bucket: string, key: string): string {
  return `https://${region}.console.aws.amazon.com/s3/object/${bucket}?region=${region}&prefix=${encodeURIComponent(key)}`;
}

/** Quotes a text as one word for a shell. */
export function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

async function describe({ region }: Environment, modelPackageArn: string): Promise<ModelCard | undefined> {
  if (modelPackageArn === placeholder) {
    return undefined;
  }
  const client = new SageMaker({ region });
  try {
    const found = await client.describeModelPackage({ ModelPackageName: modelPackageArn });
    return {
      modelPackageArn,
      registered: found.CreationTime?.toISOString() ?? "unknown",
      properties: found.CustomerMetadataProperties ?? {},
      evaluationUri: found.ModelMetrics?.ModelQuality?.Statistics?.S3Uri,
    };
  } finally {
    client.destroy();
  }
}

function readPlan(file: string | undefined): string {
  if (file === undefined || file === "") {
    throw new Error("PLAN is not set; expected the file that make diff FORMAT=markdown OUTPUT=… wrote.");
  }
  try {
    return readFileSync(file, "utf8");
  } catch {
    throw new Error(
      `PLAN is ${JSON.stringify(file)}, which can't be read; make diff FORMAT=markdown OUTPUT=${file} writes it.`,
    );
  }
}

/**
 * Puts the page into the bucket.
 * @returns the environment variables with its location and a summary
 * @throws Error that names what is missing
 */
export async function review(variables: NodeJS.ProcessEnv): Promise<Readonly<Record<string, string>>> {
  const environment = loadEnvironment(variables.ENVIRONMENT);
  const { RELEASE: release = "" } = variables;
  if (!/^[A-Za-z0-9][A-Za-z0-9-]{0,63}$/.test(release)) {
    throw new Error(
      `RELEASE is ${JSON.stringify(release)}; expected 1 to 64 letters, digits and hyphens, such as the id of a run of the pipeline.`,
    );
  }
  const plan = readPlan(variables.PLAN);
  await requireAccount(environment, variables);
  const { ModelPackageName: modelPackageArn } = await readParameters(environment, ["ModelPackageName"]);
  const card = await describe(environment, modelPackageArn);

  const { account, region, name } = environment;
  const bucket = `acme-${name}-pipeline-artefacts-${account}-${region}`;
  const key = `reviews/${release}.md`;
  const client = new S3({ region, forcePathStyle: environment.emulated });
  try {
    await client.putObject({
      Bucket: bucket,
      Key: key,
      Body: reviewPage(release, card, plan),
      ContentType: "text/markdown; charset=utf-8",
      ExpectedBucketOwner: account,
    });
  } finally {
    client.destroy();
  }
  const page = consoleLink(region, bucket, key);
  const [, evaluationBucket, evaluationKey] = /^s3:\/\/([^/]+)\/(.+)$/.exec(card?.evaluationUri ?? "") ?? [];
  return {
    REVIEW_URL: page,
    MODEL_URL:
      evaluationBucket === undefined || evaluationKey === undefined
        ? page
        : consoleLink(region, evaluationBucket, evaluationKey),
    MODEL_SUMMARY: summaryOf(card),
  };
}

if (require.main === module) {
  runCommand(async (variables) => {
    for (const [name, value] of Object.entries(await review(variables))) {
      process.stdout.write(`export ${name}=${shellQuoted(value)}\n`);
    }
  });
}
