/**
 * What the pipeline's builds run, from a copy of the source. What needs Terraform's real provider is in
 * `__tests__/provider/pipeline.test.ts`.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { S3 } from "@aws-sdk/client-s3";
import { SSM } from "@aws-sdk/client-ssm";
import { consoleLink, reviewPage, shellQuoted, summaryOf } from "../../../delivery/builds/review";
import { stackIds } from "../../../stacks/contract";
import { commandsOf, releaseSteps, testCommands } from "../../../stacks/release";
import { account, Emulator, region } from "../../workflow/support/emulator";
import { SourceCopy } from "./source-copy";

// Each runs what a build runs, npm and make included.
jest.setTimeout(120_000);

const source = new SourceCopy();
let emulator: Emulator;
let variables: Record<string, string>;

beforeAll(async () => {
  // A model package is asked for only when one is registered.
  emulator = await Emulator.start("http://127.0.0.1:9");
  variables = {
    PATH: process.env.PATH ?? "",
    HOME: source.folder,
    AWS_ENDPOINT_URL: emulator.endpoint,
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: account,
    AWS_SECRET_ACCESS_KEY: "test",
    NO_PROXY: "*",
  };
}, 180_000);

afterAll(async () => {
  await emulator.stop();
  source.remove();
});

const clients = (): {
  endpoint: string;
  region: string;
  credentials: { accessKeyId: string; secretAccessKey: string };
} => ({
  endpoint: emulator.endpoint,
  region,
  credentials: { accessKeyId: account, secretAccessKey: "test" },
});

const builds = [
  ["test", testCommands] as const,
  ...releaseSteps(stackIds, { approval: true }).flatMap((step) => {
    const commands = commandsOf(step, "production");
    return commands ? [[step.name, commands] as const] : [];
  }),
];

test.each(builds)("%s: make knows every command", async (_, { install = [], build }) => {
  const typed = [...install, ...build].filter((command) => command.startsWith("make "));
  expect(typed.length).toBeGreaterThan(0);
  const { status, output } = await source.run(
    { build: typed.map((command) => command.replace(/^make /, "make --dry-run ").replace(/ > .*$/, "")) },
    { ...variables, RELEASE: "1" },
  );
  expect([status, output]).toEqual([0, expect.any(String)]);
});

test("a missing target is detected", async () => {
  expect((await source.run({ build: ["make --dry-run no-such-target"] }, variables)).status).not.toBe(0);
});

describe("make review", () => {
  const commands = commandsOf({ kind: "review", name: "review", stack: "website-production" }, "local")!;
  /** Without the plan, which takes Terraform: a plan lies there already. */
  const withoutPlan = {
    ...commands,
    install: [],
    build: commands.build.filter((each) => !each.startsWith("make diff")),
  };
  const bucket = `acme-local-pipeline-artefacts-${account}-${region}`;

  beforeAll(async () => {
    writeFileSync(join(source.folder, "plan.md"), "1 to change: `it's $HOME`\n");
    const s3 = new S3({ ...clients(), forcePathStyle: true });
    await s3.createBucket({ Bucket: bucket, CreateBucketConfiguration: { LocationConstraint: region } });
    s3.destroy();
  });

  test("says which parameter is missing before there is a model registry", async () => {
    const { status, output } = await source.run(withoutPlan, { ...variables, RELEASE: "first" });
    expect(status).not.toBe(0);
    expect(output).toContain("/acme/local/ModelPackageName is not published");
  });

  test("puts the page into the bucket and passes its place to the next action, twice the same", async () => {
    const ssm = new SSM(clients());
    await ssm.putParameter({ Name: "/acme/local/ModelPackageName", Value: "PLACEHOLDER", Type: "String" });
    ssm.destroy();
    const release = "5f0c7c1e-1111-4222-8333-944455556666";
    for (let times = 0; times < 2; times += 1) {
      const { status, output, exported } = await source.run(withoutPlan, { ...variables, RELEASE: release });
      expect([status, output]).toEqual([0, expect.any(String)]);
      expect(exported).toEqual({
        REVIEW_URL: consoleLink(region, bucket, `reviews/${release}.md`),
        MODEL_URL: consoleLink(region, bucket, `reviews/${release}.md`),
        MODEL_SUMMARY: "No model has been registered yet.",
      });
    }
    const s3 = new S3({ ...clients(), forcePathStyle: true });
    const { Body, ContentType } = await s3.getObject({ Bucket: bucket, Key: `reviews/${release}.md` });
    expect(ContentType).toBe("text/markdown; charset=utf-8");
    expect(await Body?.transformToString()).toContain("1 to change: `it's $HOME`");
    s3.destroy();
  });

  test.each(["", "a b", "../x", "$(touch /tmp/x)", "a".repeat(65)])("refuses the release %p", async (RELEASE) => {
    const { status, output } = await source.run(withoutPlan, { ...variables, RELEASE });
    expect(status).not.toBe(0);
    expect(output).toMatch(/RELEASE is .*expected 1 to 64 letters, digits and hyphens/);
  });
});

describe("the page of an approver", () => {
  const card = {
    modelPackageArn: "arn:aws:sagemaker:eu-west-1:444455556666:model-package/acme-production-ml-workflow-abalone/3",
    registered: "2025-01-02T03:04:05.000Z",
    properties: { rmse: "2.12", threshold: "2.3", rows: "516", runName: "acme-production-1" },
    evaluationUri: "s3://data/runs/1/evaluation/evaluation.json",
  };

  test("shows model and plan", () => {
    expect(summaryOf(card)).toBe(
      "Champion acme-production-ml-workflow-abalone/3: RMSE 2.12 rings on 516 held-out rows (limit 2.3).",
    );
    const page = reviewPage("r1", card, "the plan");
    for (const part of ["# Release r1", card.modelPackageArn, "| rmse | 2.12 |", card.evaluationUri, "the plan"]) {
      expect(page).toContain(part);
    }
  });

  test("a shell reads back what was quoted for it", async () => {
    const text = `it's "$HOME" \`id\` $(id) \\ ü`;
    const { exported } = await source.run(
      { build: [`export TEXT=${shellQuoted(text)}`], exports: ["TEXT"] },
      { PATH: variables.PATH ?? "" },
    );
    expect(exported).toEqual({ TEXT: text });
  });
});

describe("make system-test", () => {
  const commands = commandsOf({ kind: "system-test", name: "system-test-test", stage: "test" }, "local")!;

  test("says what to do where no platform is", async () => {
    const { status, output } = await source.run(commands, {
      ...variables,
      PLATFORM_DIRECTORY: join(source.folder, "none"),
    });
    expect(status).not.toBe(0);
    expect(output).toContain("run make up, which starts a platform");
  });

  test("fails when nobody answers at the stage's address", async () => {
    const platform = join(source.folder, "platform");
    mkdirSync(platform);
    const nobody = "http://127.0.0.1:9";
    writeFileSync(join(platform, "platform.json"), JSON.stringify({ websiteTest: nobody, apiTest: `${nobody}/api` }));
    const { status, output } = await source.run(commands, { ...variables, PLATFORM_DIRECTORY: platform });
    expect(status).not.toBe(0);
    expect(output).toContain(`There is no answer from ${nobody} (`);
  }, 240_000);
});

describe("make install-terraform", () => {
  test("leaves a Terraform of its version where it is, and refuses another machine's before it fetches anything", async () => {
    const bin = join(source.folder, "bin");
    mkdirSync(bin);
    writeFileSync(join(bin, "terraform"), "#!/bin/sh\necho Terraform v1.11.4\n", { mode: 0o755 });
    const found = await source.run(
      { build: ["delivery/builds/install-terraform"] },
      { ...variables, PATH: `${bin}:${variables.PATH ?? ""}` },
    );
    expect([found.status, found.output]).toEqual([0, `Terraform 1.11.4 is installed: ${bin}/terraform\n`]);
    writeFileSync(join(bin, "terraform"), "#!/bin/sh\necho Terraform v1.5.0\n", { mode: 0o755 });
    writeFileSync(join(bin, "uname"), "#!/bin/sh\necho Darwin arm64\n", { mode: 0o755 });
    const other = await source.run(
      { build: ["delivery/builds/install-terraform"] },
      { ...variables, PATH: `${bin}:${variables.PATH ?? ""}` },
    );
    expect(other.status).toBe(1);
    expect(other.output).toContain("this is Darwin arm64: install it by hand");
  });

  test("does not use an archive with another checksum", async () => {
    const bin = join(source.folder, "tampered");
    mkdirSync(bin);
    writeFileSync(join(bin, "terraform"), "#!/bin/sh\nexit 1\n", { mode: 0o755 });
    writeFileSync(join(bin, "uname"), "#!/bin/sh\necho Linux x86_64\n", { mode: 0o755 });
    writeFileSync(
      join(bin, "curl"),
      '#!/bin/bash\nwhile [ $# -gt 0 ]; do [ "$1" = --output ] && echo tampered > "$2"; shift; done\n',
      { mode: 0o755 },
    );
    const { status, output } = await source.run(
      { build: ["mkdir -p elsewhere && cd elsewhere && ../delivery/builds/install-terraform"] },
      { ...variables, PATH: `${bin}:${variables.PATH ?? ""}` },
    );
    expect(status).toBe(1);
    expect(output).toContain("has another SHA-256 than the one that HashiCorp published");
  });
});
