import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exceptions } from "./exceptions";
import { judge } from "./judge";
import { checkRead, type Framework, type Scan, scan, type ScannedFile } from "./scan";
import { loadEnvironment } from "../../environments";
import { type Arguments, synthesizePlatform } from "../support/synthesize";

jest.setTimeout(120_000);

const folder = mkdtempSync(join(tmpdir(), "checkov-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function write(document: unknown, name = "cdk.tf.json"): string {
  const file = join(folder, name);
  writeFileSync(file, typeof document === "string" ? document : JSON.stringify(document));
  return file;
}

const look = (document: unknown, framework: Framework = "terraform_json"): Promise<Scan> =>
  scan(framework, [write(document)]);

const openBucket: Arguments = {
  resource: {
    aws_s3_bucket: { open: { bucket: "acme-open" } },
    aws_s3_bucket_public_access_block: { access: { bucket: "${aws_s3_bucket.open.id}", block_public_acls: false } },
    aws_kms_key: { lasting: { description: "Never changes its material" } },
  },
};

test("a bad resource is found, by its address", async () => {
  const { version, files } = await look(openBucket);
  expect(version).toMatch(/^\d+\.\d+\.\d+$/);
  expect(files[0]!.addresses).toEqual([
    "aws_kms_key.lasting",
    "aws_s3_bucket.open",
    "aws_s3_bucket_public_access_block.access",
  ]);
  // One check of each kind: those in Python know a resource without its type, those in YAML by its address.
  expect(files[0]!.failed).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ address: "aws_kms_key.lasting", check: "CKV_AWS_7" }),
      expect.objectContaining({ address: "aws_s3_bucket.open", check: "CKV_AWS_18" }),
    ]),
  );
});

test("a bad resource planted into the platform has no excuse", async () => {
  const { document } = synthesizePlatform("local").data!;
  const planted = {
    ...document,
    resource: {
      ...document.resource,
      aws_kms_key: { ...document.resource.aws_kms_key, ...openBucket.resource.aws_kms_key },
    },
  };
  const { files } = await scan("terraform_json", [write(document, "own.tf.json"), write(planted, "planted.tf.json")]);
  const [own, withPlanted] = files.map(({ failed }) =>
    judge(
      failed.map((failure) => ({ ...failure, environment: "local", stack: "data" })),
      exceptions,
    ),
  );
  expect(own!.unexcused).toEqual([]);
  expect(withPlanted!.unexcused).toEqual([
    expect.objectContaining({ address: "aws_kms_key.lasting", check: "CKV_AWS_7" }),
    expect.objectContaining({ address: "aws_kms_key.lasting", check: "CKV2_AWS_64" }),
  ]);
});

test("a document that checkov can't parse is an error, although checkov itself exits with 0", async () => {
  // It expects no text there.
  await expect(look({ ...openBucket, terraform: { required_version: ">= 1.5" } })).rejects.toThrow(
    /could not parse .*cdk\.tf\.json/,
  );
});

test("a file that checkov skips is an error, too", async () => {
  await expect(scan("terraform_json", [write(openBucket, "stack.json.txt")])).rejects.toThrow(
    /checkov read 0 of 3 resources in .*stack\.json\.txt; it left out aws_s3_bucket\.open, /,
  );
});

test("resources that have one name, which checkov's records could not tell apart, are an error", async () => {
  const twins = { resource: { aws_sns_topic: { a: {} }, aws_sqs_queue: { a: {} } } };
  await expect(look(twins)).rejects.toThrow("aws_sns_topic.a and aws_sqs_queue.a have one name");
});

test("a plan is scanned by the addresses that Terraform will have", async () => {
  const bucket = {
    address: "aws_s3_bucket.open",
    mode: "managed",
    type: "aws_s3_bucket",
    name: "open",
    values: { bucket: "acme-open", tags: null },
  };
  const plan = {
    format_version: "1.2",
    terraform_version: "1.11.4",
    planned_values: { root_module: { resources: [bucket] } },
    resource_changes: [
      { ...bucket, values: undefined, change: { actions: ["create"], before: null, after: bucket.values } },
    ],
    configuration: { root_module: {} },
  };
  const { files } = await look(plan, "terraform_plan");
  expect(files[0]!.addresses).toEqual(["aws_s3_bucket.open"]);
  expect(files[0]!.failed).toEqual(
    expect.arrayContaining([expect.objectContaining({ address: "aws_s3_bucket.open", check: "CKV_AWS_18" })]),
  );
});

describe("an answer counts only when the file was read whole", () => {
  const file = write(openBucket, "whole.json");
  const all = ["aws_kms_key.lasting", "aws_s3_bucket.open", "aws_s3_bucket_public_access_block.access"];
  const answer = (changes: Partial<ScannedFile>): ScannedFile => ({
    file,
    addresses: all,
    parsingErrors: [],
    passed: 1,
    failed: [],
    ...changes,
  });
  const check = (changes: Partial<ScannedFile>) => () => {
    checkRead("terraform_json", answer(changes));
  };

  test("all of it", () => {
    expect(check({})).not.toThrow();
  });
  test("not without a resource", () => {
    expect(check({ addresses: all.slice(1) })).toThrow("2 of 3 resources");
  });
  test("not with a parsing error", () => {
    expect(check({ parsingErrors: ["whole.json"] })).toThrow("could not parse whole.json");
  });
  test("not when it passed nothing", () => {
    expect(check({ passed: 0 })).toThrow("passed no check");
  });
});

test("the environments that a row names are there", () => {
  for (const name of exceptions.flatMap(({ environments = [] }) => environments)) {
    expect(loadEnvironment(name).name).toBe(name);
  }
});

test("every row has a reason", () => {
  for (const { reason } of exceptions) {
    expect(reason.length).toBeGreaterThan(30);
  }
});
