/**
 * `make bootstrap` with the real provider: each point at which it may be killed, two people at once, and what a later
 * one finds.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { S3 } from "@aws-sdk/client-s3";
import { KMS, paginateListAliases } from "@aws-sdk/client-kms";
import { loadEnvironment } from "../../environments";
import { projectRoot } from "../../modules/project-root";
import { stateBucketName } from "../../stacks/platform";
import { EmulatedAccounts } from "./support/emulated-account";

jest.setTimeout(600_000);

const environment = loadEnvironment("development");
const { account, region } = environment;
const bucket = stateBucketName(account, region);
const stateFile = "development/state.tfstate";

/** One person: an own checkout's output folder, and the account of the environment. */
class Person {
  readonly folder = mkdtempSync(join(tmpdir(), "bootstrap-"));
  constructor(private readonly accounts: EmulatedAccounts) {}

  start(command: string, variables: Readonly<Record<string, string>> = {}) {
    const child = spawn(process.execPath, ["--import", "tsx", join(projectRoot, "delivery/cli.ts"), command], {
      cwd: projectRoot,
      env: {
        ...this.accounts.variables(environment),
        PATH: [join(projectRoot, "node_modules/.bin"), process.env.PATH ?? ""].join(delimiter),
        ENVIRONMENT: "development",
        CDKTF_OUTDIR: this.folder,
        ...variables,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let said = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (part: Buffer) => {
        said += part.toString();
      });
    }
    const ended = new Promise<number | null>((settle) => child.once("exit", settle));
    const says = async (text: string): Promise<void> => {
      while (!said.includes(text)) {
        if (child.exitCode !== null || child.signalCode !== null) {
          throw new Error(`It never said ${text}, but:\n${said}`);
        }
        await sleep(20);
      }
    };
    return { child, ended, says, said: () => said };
  }

  async type(
    command: string,
    variables: Readonly<Record<string, string>> = {},
  ): Promise<readonly [number | null, string]> {
    const { ended, said } = this.start(command, variables);
    return [await ended, said()];
  }

  /** Kills this person's terraform and its providers, as a machine without memory would. */
  crash(): number {
    const mine = readdirSync("/proc").filter((id) => {
      try {
        return (
          /^\d+$/.test(id) &&
          readlinkSync(`/proc/${id}/cwd`).startsWith(this.folder) &&
          readFileSync(`/proc/${id}/comm`, "utf8").startsWith("terraform")
        );
      } catch {
        return false;
      }
    });
    for (const id of mine) {
      process.kill(Number(id), "SIGKILL");
    }
    return mine.length;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

let accounts: EmulatedAccounts;
let people: Person[] = [];
const person = (): Person => {
  const one = new Person(accounts);
  people.push(one);
  return one;
};

beforeEach(async () => {
  accounts = await EmulatedAccounts.start();
});

afterEach(async () => {
  for (const one of people) {
    one.remove();
  }
  people = [];
  await accounts.stop();
});

const client = (): { s3: S3; kms: KMS } => {
  const settings = {
    endpoint: accounts.endpoint,
    region,
    credentials: { accessKeyId: account, secretAccessKey: "test" },
  };
  return { s3: new S3({ ...settings, forcePathStyle: true }), kms: new KMS(settings) };
};

/** The lock of the stack `state`, as the bucket has it. */
async function lock(): Promise<string | undefined> {
  const { s3 } = client();
  try {
    const { Body } = await s3.getObject({ Bucket: bucket, Key: `${stateFile}.tflock` });
    return JSON.parse((await Body?.transformToString()) ?? "").ID;
  } catch {
    return undefined;
  }
}

/** What a finished bootstrap has left: one bucket with its state within, one key under its alias, nothing half done. */
async function expectWhole(by: Person): Promise<void> {
  const [status, said] = await by.type("bootstrap");
  expect([status, said]).toEqual([0, expect.stringContaining("✔ state: nothing to change.")]);
  const { s3, kms } = client();
  const { Contents = [] } = await s3.listObjectsV2({ Bucket: bucket });
  expect(Contents.map(({ Key }) => Key)).toEqual([stateFile]);
  const { Body } = await s3.getObject({ Bucket: bucket, Key: stateFile });
  const state = JSON.parse((await Body?.transformToString()) ?? "");
  const instances = state.resources.flatMap(({ instances: all }: { instances: { status?: string }[] }) => all);
  expect(instances.length).toBeGreaterThan(15);
  expect(instances.filter((instance: { status?: string }) => instance.status !== undefined)).toEqual([]);
  expect((await s3.getBucketVersioning({ Bucket: bucket })).Status).toBe("Enabled");
  const { ServerSideEncryptionConfiguration: encryption } = await s3.getBucketEncryption({ Bucket: bucket });
  const keyArn = state.resources.find(({ type }: { type: string }) => type === "aws_kms_key").instances[0].attributes
    .arn;
  expect(encryption?.Rules?.[0]?.ApplyServerSideEncryptionByDefault).toEqual({
    SSEAlgorithm: "aws:kms",
    KMSMasterKeyID: keyArn,
  });
  const targets: string[] = [];
  for await (const { Aliases = [] } of paginateListAliases({ client: kms }, {})) {
    targets.push(
      ...Aliases.filter(({ AliasName }) => AliasName === "alias/acme-development-state").map(
        ({ TargetKeyId = "" }) => TargetKeyId,
      ),
    );
  }
  expect(targets).toHaveLength(1);
  expect(keyArn).toContain(targets[0]);
  const { Versions = [] } = await s3.listObjectVersions({ Bucket: bucket, Prefix: stateFile });
  expect(Versions.length).toBeGreaterThan(0);
}

test("creates bucket and key, with their own state in the bucket; done again, by anyone, it changes nothing", async () => {
  const [status, said] = await person().type("bootstrap");
  expect([status, said]).toEqual([
    0,
    expect.stringContaining(`✔ Created the state bucket ${bucket} in account ${account}.`),
  ]);
  expect(said).toContain("→ make deploy ENVIRONMENT=development");
  // Somebody else, who has never seen a file of the first.
  await expectWhole(person());
});

test("killed between the bucket and its state, the next one takes the bucket over", async () => {
  await accounts.makeStateBucket(environment);
  const one = person();
  const [status, said] = await one.type("bootstrap");
  expect([status, said]).toEqual([0, expect.stringContaining(`The state bucket ${bucket} is there.`)]);
  await expectWhole(one);
});

test("of two at once one is refused, or waits; together they leave one whole bucket", async () => {
  const [one, other] = [person(), person()];
  const results = await Promise.all([one.type("bootstrap"), other.type("bootstrap", { LOCK_TIMEOUT: "300" })]);
  for (const [status, said] of results.filter(([result]) => result !== 0)) {
    expect([status, said]).toEqual([1, expect.stringContaining("The state of state in development is locked by ")]);
  }
  expect(results.map(([status]) => status)).toContain(0);
  await expectWhole(one);
});

test("interrupted in the middle, the next one continues, and keeps the key that was being made", async () => {
  const one = person();
  const running = one.start("bootstrap");
  await running.says("aws_kms_key.encryption_key (encryption/key): Creating...");
  await sleep(1_500);
  running.child.kill("SIGINT");
  expect(await running.ended).toBe(1);
  expect(running.said()).toContain("was interrupted; Terraform has saved what was done.");
  expect(await lock()).toBeUndefined();
  // Whatever else was under way in that moment may have to be made again, which somebody has to approve; the key never
  // has.
  const [status, said] = await one.type("bootstrap", { APPROVE: "yes" });
  expect([status, said]).toEqual([0, expect.stringContaining("✔ state: deployed.")]);
  expect(said).not.toContain("± aws_kms_key");
  await expectWhole(one);
});

test.each([
  "aws_s3_bucket.logs_bucket (logs/bucket): Creation complete",
  "aws_kms_alias.encryption_alias (encryption/alias): Creation complete",
])(
  "terraform killed after %s: the lock tells, and once released the next one takes over what no state knows",
  async (moment) => {
    const one = person();
    const running = one.start("bootstrap");
    await running.says(moment);
    expect(one.crash()).toBeGreaterThan(0);
    expect(await running.ended).toBe(1);
    expect(running.said()).toContain("Terraform was killed while it deployed state in development");
    const id = await lock();
    const [refused, why] = await one.type("bootstrap");
    expect([refused, why]).toEqual([
      1,
      expect.stringContaining(`make unlock ENVIRONMENT=development STACK=state LOCK=${id ?? ""}`),
    ]);
    const unlocking = { STACK: "state", LOCK: id ?? "", APPROVE: "yes" };
    expect(await one.type("unlock", unlocking)).toEqual([0, expect.stringContaining("✔ The lock is released.")]);
    const [status, said] = await person().type("bootstrap");
    expect([status, said]).toEqual([0, expect.stringContaining("✔ state: deployed.")]);
    await expectWhole(one);
  },
);
