import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { App } from "cdktf";
import { Construct } from "constructs";
import { SsmParameter } from "@cdktf/provider-aws/lib/ssm-parameter";
import { type Environment, environmentNames, loadEnvironment } from "../../environments";
import { actionsWithoutResources } from "../../policies/actions-without-resources";
import { type StackId, stackIds } from "../../stacks/contract";
import { Platform, PlatformStack } from "../../stacks/platform";
import { copyApp } from "../support/copy-app";
import { Policy } from "../support/policy";
import { synthesizePlatform, type Template } from "../support/synthesize";

const platforms = Object.fromEntries(environmentNames.map((name) => [name, synthesizePlatform(name)] as const));

const cases = environmentNames.flatMap((name) =>
  Object.entries(platforms[name] ?? {}).map(([id, template]) => [`${name}/${id}`, template, name] as const),
);

const list = (values: string | readonly string[]): readonly string[] =>
  typeof values === "string" ? [values] : values;

/**
 * What roles are given: the policies within them and those attached to them, but not boundaries, which give nothing.
 */
function rolePolicies(template: Template): readonly (readonly [name: string, policy: Policy])[] {
  return ["aws_iam_role_policy", "aws_iam_policy"].flatMap((type) =>
    Object.entries(template.resources(type))
      .filter(([, { name }]) => !/^acme-\w+-governance-(deploy-)?boundary$/.test(String(name)))
      .map(([name, { policy }]) => [name, new Policy(policy)] as const),
  );
}

/** The stacks that an environment does not have. The emulator can't run the ones that `local` lacks. */
const missing: Readonly<Record<Environment["name"], readonly StackId[]>> = {
  local: ["state", "governance", "network", "pipeline"],
  development: [],
  production: [],
};

test.each(environmentNames)("%s has the stacks of the contract, except those listed as missing", (name) => {
  const expected = stackIds.filter((id) => !missing[name].includes(id));
  expect(Object.keys(platforms[name] ?? {}).sort()).toEqual([...expected].sort());
});

describe.each(cases)("%s", (id, template, name) => {
  const { account, region } = loadEnvironment(name);

  test("works in its own account and region only, and tags all that it makes", () => {
    expect(template.document.provider.aws).toHaveLength(1);
    const [provider] = template.document.provider.aws;
    expect(provider).toMatchObject({ allowed_account_ids: [account], region });
    expect(provider.default_tags[0].tags).toMatchObject({
      Project: "acme",
      Environment: name,
      Stack: id.split("/")[1],
      ManagedBy: "cdktf",
      Owner: "acme-abalone",
    });
  });

  test("skips AWS's own checks only with an emulator", () => {
    const [provider] = template.document.provider.aws;
    expect(provider.skip_credentials_validation).toBe(name === "local" ? true : undefined);
  });

  test("keeps its state in the account's bucket, under its own key, and locks it", () => {
    expect(template.document.terraform.backend).toEqual({
      s3: expect.objectContaining({
        bucket: `acme-state-${account}-${region}`,
        key: `${name}/${id.split("/")[1] ?? ""}.tfstate`,
        region,
        use_lockfile: true,
      }),
    });
  });

  test("no role may do everything, or anything to everything", () => {
    for (const [role, policy] of rolePolicies(template)) {
      for (const { Action, Resource, Sid } of policy.statements) {
        const place = `${role} ${Sid}`;
        expect([place, list(Action).filter((action) => action.includes("*"))]).toEqual([place, []]);
        if (list(Resource).includes("*")) {
          expect([place, list(Action).filter((action) => !actionsWithoutResources.has(action))]).toEqual([place, []]);
        }
      }
    }
    for (const { policy_arn: policy } of Object.values(template.resources("aws_iam_role_policy_attachment"))) {
      expect(policy).toMatch(/^\$\{aws_iam_policy\.[\w-]+\.arn\}$/);
    }
    for (const [, , resource] of template.all()) {
      expect(resource).not.toHaveProperty("managed_policy_arns");
    }
  });

  test("a role is passed only to services that roles of the platform are made for", () => {
    const services = Object.values(platforms[name] ?? {}).flatMap((stack) =>
      Object.values(stack.resources("aws_iam_role")).flatMap(({ assume_role_policy: policy }) =>
        JSON.parse(policy).Statement.flatMap(({ Principal }: { Principal: { Service: string } }) => Principal.Service),
      ),
    );
    for (const [, policy] of rolePolicies(template)) {
      for (const statement of policy.statements.filter(({ Action }) => list(Action).includes("iam:PassRole"))) {
        expect(statement.Resource).not.toBe("*");
        const passedTo = statement.Condition?.StringEquals?.["iam:PassedToService"] ?? [];
        expect(list(passedTo).length).toBeGreaterThan(0);
        for (const service of list(passedTo)) {
          expect(services).toContain(service);
        }
      }
    }
  });

  test("every log group is encrypted and expires", () => {
    for (const group of Object.values(template.resources("aws_cloudwatch_log_group"))) {
      expect(group.kms_key_id).toMatch(/aws_kms_key\.|DataKey/);
      expect(group.retention_in_days).toBeGreaterThan(0);
    }
  });

  test("every log group may be encrypted by the key's policy", () => {
    const keys = Object.values({
      ...platforms[name]?.data?.resources("aws_kms_key"),
      ...template.resources("aws_kms_key"),
    });
    for (const group of Object.values(template.resources("aws_cloudwatch_log_group"))) {
      const arn = `arn:aws:logs:${region}:${account}:log-group:${group.name as string}`;
      const allowing = keys.filter(({ policy }) =>
        new Policy(policy).allows(
          "kms:GenerateDataKey",
          "any",
          { "kms:EncryptionContext:aws:logs:arn": arn },
          `logs.${region}.amazonaws.com`,
        ),
      );
      expect([group.name, allowing.length > 0]).toEqual([group.name, true]);
    }
  });

  test("every function's archive is in the stack's folder, with its real hash", () => {
    for (const { filename, source_code_hash: hash, runtime } of Object.values(
      template.resources("aws_lambda_function"),
    )) {
      const digest = execFileSync("openssl", ["dgst", "-sha256", "-binary"], { input: template.file(filename) });
      expect(hash).toBe(digest.toString("base64"));
      expect(runtime).toBe("nodejs22.x");
    }
  });

  test("names fit their services' limits", () => {
    for (const [type, place, { name: given, function_name: functionName }] of template.all()) {
      if (type === "aws_iam_role") {
        expect([place, given.length <= 64]).toEqual([place, true]);
      }
      if (type === "aws_lambda_function") {
        expect([place, functionName.length <= 64]).toEqual([place, true]);
      }
    }
  });

  test("nothing refers to what is not in the stack", () => {
    const text = JSON.stringify(template.document);
    for (const [, reference, type, resource] of text.matchAll(
      /\$\{[^}]*?((?:data\.)?(aws_\w+|docker_\w+)\.([A-Za-z][\w-]*))/g,
    )) {
      const home = reference?.startsWith("data.") ? template.document.data : template.document.resource;
      expect([reference, Boolean(home?.[type!]?.[resource!])]).toEqual([reference, true]);
    }
  });
});

test("every parameter that is read is published under the same name", () => {
  for (const platform of Object.values(platforms)) {
    const templates = Object.values(platform);
    const published = templates.flatMap((template) =>
      Object.values(template.resources("aws_ssm_parameter")).map(({ name }) => name as string),
    );
    expect(new Set(published).size).toBe(published.length);
    for (const { document } of templates) {
      for (const { name } of Object.values<{ name: string }>(document.data?.aws_ssm_parameter ?? {})) {
        expect(published).toContain(name);
      }
    }
  }
});

describe("addresses", () => {
  class Probe extends PlatformStack {
    constructor(platform: Platform, ids: readonly string[]) {
      super(platform, "data");
      const scope = ids.slice(0, -1).reduce<Construct>((parent, id) => new Construct(parent, id), this);
      new SsmParameter(scope, ids.at(-1)!, { name: "x", type: "String", insecureValue: "x" });
    }
  }
  const folder = mkdtempSync(join(tmpdir(), "addresses-"));
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });
  const probe = (...ids: string[]): Probe =>
    new Probe(new Platform(new App({ outdir: folder }), loadEnvironment("local")), ids);

  test("show a resource's place, without a hash", () => {
    expect(Object.keys(probe("one", "two-three").toTerraform().resource.aws_ssm_parameter)).toEqual(["one_two-three"]);
  });

  test.each(["a_b", "1st", "a.b", "a b"])("an id that could clash or that Terraform refuses (%p) is an error", (id) => {
    expect(() => probe("one", id).toTerraform()).toThrow(
      `The id ${JSON.stringify(id)} in data/one/${id} must be a letter`,
    );
  });
});

describe("two synths in other folders, at other times, under other settings of the machine", () => {
  const folders: string[] = [];
  afterAll(() => {
    for (const folder of folders) {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  /** Copies the sources, runs `npm run synth` there, and gives every file that came out. */
  function synthInACopy(parent: string, environment: NodeJS.ProcessEnv): ReadonlyMap<string, string> {
    const folder = join(mkdtempSync(join(tmpdir(), "copy-")), parent);
    folders.push(join(folder, ".."));
    mkdirSync(folder);
    copyApp(folder);
    execFileSync("npm", ["run", "--silent", "synth"], {
      cwd: folder,
      env: { PATH: process.env.PATH, HOME: folder, ENVIRONMENT: "production", ...environment },
      stdio: "pipe",
    });
    const out = join(folder, "cdktf.out");
    return new Map(
      readdirSync(out, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
        .sort()
        .map((path) => [path.slice(out.length), readFileSync(path).toString("base64")]),
    );
  }

  test("are the same byte for byte", () => {
    const first = synthInACopy("a", { TZ: "Pacific/Kiritimati", LANG: "C" });
    const second = synthInACopy("quite another folder", { TZ: "America/Los_Angeles", LANG: "tr_TR.UTF-8" });
    expect(first.size).toBeGreaterThan(20);
    expect([...second.keys()]).toEqual([...first.keys()]);
    for (const [path, content] of first) {
      expect([path, second.get(path) === content]).toEqual([path, true]);
    }
  }, 120_000);
});
