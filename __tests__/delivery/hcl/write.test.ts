import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { format } from "@cdktf/hcl-tools";
import { writeEnvironment } from "../../../delivery/hcl";
import { differences } from "../../../delivery/hcl/compare";
import { type Body, shapeOf, writeStack } from "../../../delivery/hcl/write";
import { environmentNames, loadEnvironment } from "../../../environments";
import { synthesizePlatform } from "../../support/synthesize";

const folder = mkdtempSync(join(tmpdir(), "hcl-test-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const text = (value: unknown): Body => ({ value, isBlock: false, type: "simple", storageClassType: "string" });
const blocks = (value: unknown): Body => ({ value, isBlock: true, type: "list", storageClassType: "List" });

/** A stack with one resource of each kind of argument. */
const document = {
  "//": { metadata: {} },
  terraform: {
    backend: { s3: { bucket: "state", use_lockfile: true } },
    required_providers: { aws: { source: "aws" } },
  },
  provider: { aws: [{ region: "eu-west-1" }, { region: "us-east-1", alias: "global" }] },
  locals: { first: '${element(split(",", data.aws_ssm_parameter.list.insecure_value), 0)}' },
  data: { aws_ssm_parameter: { list: { name: "/list" } } },
  resource: {
    aws_route_table: {
      "one-thing": {
        name: 'say "${data.aws_ssm_parameter.list.id}"\\',
        policy: '{"Resource":["${aws_other.b.arn}/*"],"Condition":{"StringLike":{"aws:user":"$${aws:username}"}}}',
        settings: { "a.b": "1", "with/slash": "${local.first}" },
        route: [],
        rule: [{ id: "1", filter: { prefix: "" } }, { id: "2" }],
        provider: "aws.global",
        depends_on: ["aws_other.b"],
        lifecycle: {
          ignore_changes: ["name"],
          precondition: [{ condition: '${local.first != "x"}', error_message: "No." }],
        },
      },
    },
  },
};

const shapes = new Map([
  ["provider.aws.0", shapeOf({ region: text("") })],
  ["provider.aws.1", shapeOf({ region: text("") })],
  ["data.aws_ssm_parameter.list", shapeOf({ name: text("") })],
  [
    "aws_route_table.one-thing",
    shapeOf({
      name: text(""),
      policy: text(""),
      settings: text({}),
      route: blocks([]),
      rule: blocks([{ id: text(""), filter: blocks({ prefix: text("") }) }, { id: text("") }]),
    }),
  ],
]);

async function formatted(): Promise<Readonly<Record<string, string>>> {
  const files = Object.entries(writeStack(document, shapes));
  return Object.fromEntries(await Promise.all(files.map(async ([name, hcl]) => [name, await format(hcl)])));
}

test("references are not quoted, documents are readable, blocks are blocks", async () => {
  const files = await formatted();
  expect(files["main.tf"]).toBe(`locals {
  first = element(split(",", data.aws_ssm_parameter.list.insecure_value), 0)
}

data "aws_ssm_parameter" "list" {
  name = "/list"
}

resource "aws_route_table" "one-thing" {
  name = "say \\"\${data.aws_ssm_parameter.list.id}\\"\\\\"
  policy = jsonencode({
    Resource = ["\${aws_other.b.arn}/*"]
    Condition = {
      StringLike = {
        "aws:user" = "$\${aws:username}"
      }
    }
  })
  settings = {
    "a.b"        = "1"
    "with/slash" = local.first
  }
  route    = []
  provider = aws.global

  rule {
    id = "1"

    filter {
      prefix = ""
    }
  }

  rule {
    id = "2"
  }

  lifecycle {
    ignore_changes = [name]

    precondition {
      condition     = local.first != "x"
      error_message = "No."
    }
  }

  depends_on = [aws_other.b]
}
`);
  expect(files["terraform.tf"]).toContain('backend "s3" {\n    bucket       = "state"\n    use_lockfile = true\n  }');
  expect(await differences(document, files)).toEqual([]);
});

test("a file that differs from the JSON is detected, also in a policy", async () => {
  const files = await formatted();
  const change = async (from: string, to: string): Promise<readonly string[]> =>
    await differences(document, { ...files, "main.tf": files["main.tf"]!.replace(from, to) });
  expect(await change('prefix = ""', 'prefix = "x"')).toEqual([expect.stringContaining("rule[0].filter.prefix")]);
  expect(await change("aws_other.b.arn}/*", "aws_other.c.arn}/*")).toEqual([expect.stringContaining("Resource[0]")]);
  expect(await change("  depends_on = [aws_other.b]\n", "")).toEqual([expect.stringContaining("depends_on is")]);
  expect(await change("  route    = []\n", "")).toEqual([expect.stringContaining("route is []")]);
  expect(await change("aws.global", "aws.local")).toEqual([expect.stringContaining("provider is")]);
});

test("an argument by an override is refused by its address: nothing tells what it is", () => {
  const resource = { aws_route_table: { one: { surprise: { a: 1 } } } };
  expect(() => writeStack({ resource }, new Map())).toThrow("aws_route_table.one.surprise comes from an override");
});

test("a firewall's statements are blocks down to their leaves, though CDKTF describes them as one value", () => {
  const statement = {
    managed_rule_group_statement: {
      vendor_name: "AWS",
      rule_action_override: [{ name: "Size", action_to_use: { count: {} } }],
    },
  };
  const rule = { name: "common", statement };
  const described = shapeOf({ rule: blocks([{ name: text("common"), statement: text(statement) }]) });
  const written = writeStack(
    { resource: { aws_wafv2_web_acl: { firewall: { rule: [rule] } } } },
    new Map([["aws_wafv2_web_acl.firewall", described]]),
  );
  expect(written["main.tf"]).toMatch(
    /statement \{\s+managed_rule_group_statement \{\s+vendor_name\s+= "AWS"\s+rule_action_override \{\s+name\s+= "Size"\s+action_to_use \{\s+count \{/,
  );
});

test("an unknown section is refused", () => {
  expect(() => writeStack({ moved: {} }, new Map())).toThrow("The section moved of a stack is unknown");
});

describe.each(environmentNames)("%s", (name) => {
  const home = join(folder, name);

  test("every stack is written with all it needs, in the form of terraform fmt, and says what its JSON says", async () => {
    const platform = synthesizePlatform(name);
    const written = await writeEnvironment(loadEnvironment(name), home);
    expect(written.map(({ stack }) => stack).sort()).toEqual(Object.keys(platform).sort());
    for (const { stack, resources } of written) {
      const template = platform[stack]!;
      expect(resources).toBe(template.all().length);
      const files = Object.fromEntries(
        ["terraform.tf", "main.tf"].map((file) => [file, readFileSync(join(home, stack, file), "utf8")]),
      );
      for (const hcl of Object.values(files)) {
        expect(await format(hcl)).toBe(hcl);
      }
      expect(await differences(template.document, files)).toEqual([]);
      for (const [, path] of JSON.stringify(template.document).matchAll(/"(?:source|filename)":"(assets\/[^"]+)"/g)) {
        expect(existsSync(join(home, stack, path!))).toBe(true);
      }
      expect(readdirSync(join(home, stack)).filter((file) => file.endsWith(".json"))).toEqual([]);
    }
  });

  test("written again, it is the same, and earlier files are removed", async () => {
    const before = readFileSync(join(home, "data/main.tf"), "utf8");
    writeFileSync(join(home, "data/stray.tf"), "");
    await writeEnvironment(loadEnvironment(name), home);
    expect(readFileSync(join(home, "data/main.tf"), "utf8")).toBe(before);
    expect(existsSync(join(home, "data/stray.tf"))).toBe(false);
  });
});
