import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bootstrap } from "../../delivery/bootstrap";
import type { Request } from "../../delivery/request";
import { confirm } from "../../delivery/request";
import { unlock } from "../../delivery/unlock";
import { loadEnvironment } from "../../environments";
import { Emulator } from "../workflow/support/emulator";
import { Shell } from "./command";

// Each command takes a second; on a machine that does thirty other things, a minute.
jest.setTimeout(600_000);

const isThere = spawnSync("terraform", ["version"]).status === 0;

describe("with Terraform Cloud", () => {
  const request: Request = {
    environment: {
      ...loadEnvironment("development"),
      backend: { type: "cloud", organization: "acme-abalone", project: "Abalone age" },
    },
    stack: "data",
    lock: "9d1f",
    saidYes: true,
    approved: true,
    lockSeconds: 0,
  };

  test("bootstrap says that there is nothing to create, and what is needed instead", async () => {
    const said: string[] = [];
    await bootstrap(request, (text) => said.push(text));
    expect(said.join("\n")).toBe(
      "Nothing to create: Terraform Cloud keeps the states of development. The workspaces acme-development-<stack> come with the first deploy; " +
        'the project "Abalone age" has to be there before.\n' +
        "→ terraform login, if you have no token for acme-abalone yet; then: make deploy ENVIRONMENT=development",
    );
  });

  test("unlock names the page on which the workspace is unlocked", async () => {
    await expect(unlock(request, () => undefined)).rejects.toMatchObject({
      problem: "Terraform Cloud keeps the state of data in development, and its lock.",
      next: expect.stringContaining("https://app.terraform.io/app/acme-abalone/workspaces/acme-development-data"),
    });
  });
});

test("when nobody can be asked, the answer is never yes", async () => {
  expect(process.stdin.isTTY).not.toBe(true);
  await expect(confirm({ approved: false }, "Deploy data?", "make deploy STACK=data")).rejects.toMatchObject({
    next: "Read the above; then: make deploy STACK=data APPROVE=yes",
  });
  await expect(confirm({ approved: true }, "Deploy data?", "make deploy STACK=data")).resolves.toBeUndefined();
});

(isThere ? describe : describe.skip)("in an emulator", () => {
  const shell = new Shell();
  let emulator: Emulator;
  let variables: Record<string, string>;

  beforeAll(async () => {
    emulator = await Emulator.start("http://127.0.0.1:9");
    // No provider is to be had: what is tested is what comes before and after.
    mkdirSync(join(shell.folder, "mirror"));
    const configuration = join(shell.folder, "terraform.rc");
    writeFileSync(
      configuration,
      `provider_installation {\n  filesystem_mirror {\n    path = "${join(shell.folder, "mirror")}"\n  }\n}\n`,
    );
    variables = {
      ENVIRONMENT: "local",
      AWS_ENDPOINT_URL: emulator.endpoint,
      AWS_ACCESS_KEY_ID: "123456789012",
      AWS_SECRET_ACCESS_KEY: "test",
      TF_CLI_CONFIG_FILE: configuration,
    };
  });

  afterAll(async () => {
    await emulator.stop();
    shell.remove();
  });

  test("bootstrap makes the bare bucket, once", async () => {
    const first = await shell.type("bootstrap", variables);
    expect([first.status, first.output]).toEqual([
      0,
      "✔ Created the state bucket acme-state-123456789012-eu-west-1 in account 123456789012.\n→ make deploy ENVIRONMENT=local\n",
    ]);
    const second = await shell.type("bootstrap", variables);
    expect([second.status, second.output]).toEqual([
      0,
      "The state bucket acme-state-123456789012-eu-west-1 is there.\n→ make deploy ENVIRONMENT=local\n",
    ]);
  });

  test("a stack that the environment does not have is reported, with those that it has", async () => {
    const { status, errors } = await shell.type("deploy", { ...variables, STACK: "pipeline" });
    expect(status).toBe(1);
    expect(errors).toContain(
      "The environment local has no stack pipeline; it has data, model-image, ml-workflow, website-test, website-production",
    );
  });

  test("a refusal to protect data has its own exit status, for one stack and for all", async () => {
    await shell.type("bootstrap", variables);
    const TERRAFORM_BINARY_NAME = shell.terraformThatPlans({
      format_version: "1.2",
      terraform_version: "1.11.4",
      resource_changes: [
        {
          address: "aws_s3_bucket.precious",
          mode: "managed",
          type: "aws_s3_bucket",
          name: "precious",
          provider_name: "registry.terraform.io/hashicorp/aws",
          change: { actions: ["delete"], before: {}, after: null },
        },
      ],
    });
    for (const STACK of ["data", ""]) {
      const { status, errors } = await shell.type("deploy", {
        ...{ ...variables, TERRAFORM_BINARY_NAME, STACK, APPROVE: "yes" },
      });
      expect([STACK, status, errors]).toEqual([
        STACK,
        2,
        expect.stringContaining(
          "data/aws_s3_bucket.precious would be deleted, and holds objects and their old versions",
        ),
      ]);
      expect(errors.includes("No stack before it was deployed; stopped at data")).toBe(STACK === "");
    }
  });

  test("a deploy of all stops at the first failure, and lists what is deployed, failed, and not begun", async () => {
    const { status, errors } = await shell.type("deploy", variables);
    expect(status).toBe(1);
    expect(errors).toContain(
      "Terraform can't get a provider.\n" +
        "  No stack before it was deployed; stopped at data; not begun: model-image, ml-workflow, website-test, website-production",
    );
    expect(errors).toContain("It goes on where it stopped: what stands is left as it is.");
  });

  test("a website before what it reads is refused, with the stacks to deploy first", async () => {
    const { status, errors } = await shell.type("deploy", { ...variables, STACK: "website-production" });
    expect(status).toBe(1);
    expect(errors).toMatch(
      /→ Deploy first: make deploy ENVIRONMENT=local STACK=data; .*make deploy ENVIRONMENT=local STACK=ml-workflow\n/,
    );
  });

  test("unlock without a lock says so, also when repeated", async () => {
    for (const LOCK of ["", "9d1f"]) {
      const { status, output } = await shell.type("unlock", { ...variables, STACK: "data", LOCK });
      expect([status, output]).toEqual([0, "The state of data in local is not locked.\n"]);
    }
  });
});
