/**
 * A whole release on one machine: every step of the pipeline that the local environment can take, from a copy of the
 * source, with the real provider. What the provider asked of AWS is then held to what the roles of production's builds
 * may do.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { loadEnvironment } from "../../environments";
import { requireContract } from "../../local/platform/clients";
import { addressOf, openFrontDoor } from "../../local/platform/services";
import { ingest, makeSurvey, waitForOfflineStore } from "../../local/platform/ingestion";
import type { StackId } from "../../stacks/contract";
import { commandsOf, releaseSteps, type ReleaseStep } from "../../stacks/release";
import { type BuildResult, SourceCopy } from "../delivery/builds/source-copy";
import { synthesizePlatform } from "../support/synthesize";
import { EmulatedAccounts } from "./support/emulated-account";

const environment = loadEnvironment("local");
const { account, region } = environment;
const steps = releaseSteps(Object.keys(synthesizePlatform("local")) as StackId[], { approval: true });
const source = new SourceCopy();
const outcomes = new Map<string, BuildResult>();
const artefacts = `acme-local-pipeline-artefacts-${account}-${region}`;
let accounts: EmulatedAccounts;

/** The provider's log of a step: it names each call to AWS. */
const logOf = (step: string): string => join(source.folder, `${step}.log`);

async function runBuild(step: ReleaseStep): Promise<BuildResult> {
  const commands = commandsOf(step, "local")!;
  return await source.run(commands, {
    ...accounts.variables(environment),
    CODEBUILD_BUILD_ID: "rehearsal",
    PLATFORM_DIRECTORY: accounts.instance.directory,
    RELEASE: "rehearsal",
    TF_LOG_PROVIDER: "DEBUG",
    TF_LOG_PATH: logOf(step.name),
  });
}

/** What CodePipeline's own action does: it starts an execution with a name of its own, and waits. */
async function train(): Promise<string> {
  const { stepFunctions } = accounts.clients;
  const { executionArn } = await stepFunctions.startExecution({
    stateMachineArn: await requireContract(accounts.clients, "StateMachine"),
    name: "pipeline-1624a1d1-3699-43f0-8e1e-6bafd7fde791",
    input: JSON.stringify({ pipelineExecution: "rehearsal" }),
  });
  for (;;) {
    const { status = "", output, error, cause } = await stepFunctions.describeExecution({ executionArn });
    if (status !== "RUNNING") {
      return [status, output ?? "", error ?? "", cause ?? ""].join(" ");
    }
    await sleep(1_000);
  }
}

async function survey(): Promise<void> {
  const { accepted } = await ingest(accounts.clients, await makeSurvey(accounts.instance, undefined), () => undefined);
  await waitForOfflineStore(accounts.clients, accepted);
}

/** In the place of a name server and CloudFront's edge: the addresses at which this machine reaches the stages. */
async function openWebsite(stage: "test" | "production"): Promise<void> {
  const [site, api, door, keys] =
    stage === "test"
      ? (["TestWebsite", "TestApi", "website-test", ["websiteTest", "apiTest"]] as const)
      : (["ProductionWebsite", "ProductionApi", "website", ["website", "api"]] as const);
  const address = new URL(await requireContract(accounts.clients, site));
  await openFrontDoor(accounts.instance, { [door]: address.hostname });
  const { hostname, pathname } = new URL(await requireContract(accounts.clients, api));
  const file = accounts.instance.path("platform.json");
  writeFileSync(
    file,
    JSON.stringify({
      [keys[0]]: addressOf(accounts.instance, door),
      [keys[1]]: `${accounts.endpoint}/_aws/execute-api/${hostname.split(".")[0] ?? ""}/$default${pathname}`,
    }),
  );
}

beforeAll(async () => {
  accounts = await EmulatedAccounts.start();
  await accounts.makeStateBucket(environment);
  // The pipeline's own bucket: the local environment has no pipeline.
  await accounts.clients.s3.createBucket({
    Bucket: artefacts,
    CreateBucketConfiguration: { LocationConstraint: region as "eu-west-1" },
  });
}, 120_000);

afterAll(async () => {
  await accounts.stop();
  source.remove();
});

// The steps build upon one another: after the first that fails, none can be told about.
let stopped: string | undefined;

test.each(steps.map((step) => [step.name, step] as const))(
  "%s",
  async (name, step) => {
    if (stopped !== undefined) {
      throw new Error(`The release stopped at ${stopped}.`);
    }
    stopped = name;
    if (step.kind === "train") {
      await survey();
      expect(await train()).toMatch(/^SUCCEEDED .*"outcome": ?"registered"/);
    } else if (step.kind !== "approve") {
      if (step.kind === "system-test") {
        await openWebsite(step.stage);
      }
      const result = await runBuild(step);
      outcomes.set(name, result);
      expect([result.status, result.status === 0 ? "" : result.output.slice(-6_000)]).toEqual([0, ""]);
    } else {
      const { exported } = outcomes.get("review")!;
      expect(exported.MODEL_SUMMARY).toMatch(
        /^Champion acme-local-ml-workflow-abalone\/1: RMSE [\d.]+ rings on \d+ held-out rows/,
      );
      const key = decodeURIComponent(new URL(exported.REVIEW_URL!).searchParams.get("prefix")!);
      const { Body } = await accounts.clients.s3.getObject({ Bucket: artefacts, Key: key });
      const page = await Body!.transformToString();
      expect(page).toContain("website-production");
      expect(page).toContain("aws_sagemaker_endpoint");
    }
    stopped = undefined;
  },
  900_000,
);

/** The calls whose action in IAM has another name (Service Authorization Reference). */
const actionNames: Readonly<Record<string, string | undefined>> = {
  "s3:DeleteObjects": "s3:DeleteObject",
  "s3:GetBucketAccelerateConfiguration": "s3:GetAccelerateConfiguration",
  "s3:GetBucketCors": "s3:GetBucketCORS",
  "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
  "s3:GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
  "s3:GetBucketReplication": "s3:GetReplicationConfiguration",
  "s3:GetObjectLockConfiguration": "s3:GetBucketObjectLockConfiguration",
  "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
  "s3:HeadBucket": "s3:ListBucket",
  "s3:HeadObject": "s3:GetObject",
  "s3:ListObjectsV2": "s3:ListBucket",
  "s3:PutBucketEncryption": "s3:PutEncryptionConfiguration",
  "s3:PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
  "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
  "cloudfront:CreateDistributionWithTags": "cloudfront:CreateDistribution",
};

/** How a service's actions begin where its name in the SDK is another. */
const prefixes: Readonly<Record<string, string | undefined>> = {
  "cloudwatch logs": "logs",
  sfn: "states",
  eventbridge: "events",
  "s3 control": "s3",
  sesv2: "ses",
};

/** An HTTP API's actions are named by the method. */
function actionOf(service: string, method: string): string {
  if (service === "apigatewayv2") {
    const verb = [
      [/^(Get|List)/, "GET"],
      [/^(Create|Import)/, "POST"],
      [/^Update/, "PATCH"],
      [/^Delete/, "DELETE"],
    ] as const;
    const found = verb.find(([pattern]) => pattern.test(method));
    return found ? `apigateway:${found[1]}` : "apigateway:TagResource";
  }
  const action = `${prefixes[service] ?? service.replace(/ /g, "")}:${method}`;
  return actionNames[action] ?? action;
}

/** The provider logs each request with its `rpc.method`, as `IAM/CreateRole` or `"CloudWatch Logs/CreateLogGroup"`. */
function callOf(line: string): string | undefined {
  const [, quoted, plain] = /rpc\.method=(?:"([^"]+)"|(\S+))/.exec(line) ?? [];
  const [service, method] = (quoted ?? plain ?? "").split("/");
  return service === undefined || method === undefined ? undefined : actionOf(service.toLowerCase(), method);
}

/**
 * What is asked of AWS for nothing but whose credentials these are: on AWS by STS, which everybody may ask; of an
 * emulator by the user.
 */
const identityCalls: readonly string[] = ["sts:GetCallerIdentity", "iam:GetUser"];

test("the role of each step allows the provider's requests in production", () => {
  // Production mails nobody from its test stage, but the local environment, whose stacks were deployed here, does.
  const { websites } = loadEnvironment("production");
  const { contact } = loadEnvironment("local").websites.test;
  const { pipeline } = synthesizePlatform("production", {
    websites: { ...websites, test: { ...websites.test, ...(contact && { contact }) } },
  });
  const missing: string[] = [];
  let calls = 0;
  for (const step of steps.filter(({ kind }) => kind === "deploy" || kind === "review")) {
    const documents = [
      pipeline!.resource("aws_iam_role_policy", `${step.name}_role_policy`).policy,
      ...Object.entries(pipeline!.resources("aws_iam_policy"))
        .filter(([name]) => name.startsWith(`${step.name}_policy-`))
        .map(([, { policy }]) => policy),
    ];
    const allowed = new Set(
      documents.flatMap((document) =>
        JSON.parse(document).Statement.flatMap(({ Action }: { Action: string }) => Action),
      ),
    );
    const asked = new Set(
      readFileSync(logOf(step.name), "utf8")
        .split("\n")
        .flatMap((line) => callOf(line) ?? []),
    );
    calls += asked.size;
    for (const action of asked) {
      if (!allowed.has(action) && !identityCalls.includes(action)) {
        missing.push(`${step.name}: ${action}`);
      }
    }
  }
  expect(readdirSync(source.folder)).toContain("deploy-data.log");
  expect(calls).toBeGreaterThan(80);
  expect(missing.sort()).toEqual([]);
});
