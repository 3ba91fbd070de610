import fastCheck from "fast-check";
import { code, renderMarkdown } from "../../../delivery/diff/markdown";
import { summarizeStack } from "../../../delivery/diff/summarize";
import type { PlanSummary, ResourceSummary, StackSummary } from "../../../delivery/diff/summary";
import { renderText } from "../../../delivery/diff/text";
import { printable } from "../../../delivery/diff/words";
import { data, everyAction, plan, still, summaryOf } from "./plans";

const options = { colour: false, command: "make diff ENVIRONMENT=production", allowed: [] };
const failed = still("model-image", {
  status: "failed",
  error: { problem: "The plan failed.", next: "Correct it.", details: "Error: one\n\u001b[31mtwo" },
});
const waiting = still("website-test", {
  status: "waiting",
  awaits: [
    { stack: "data", parameters: ["DataKey"], until: "deployed" },
    { stack: "ml-workflow", parameters: ["ModelPackageName"], until: "run" },
  ],
});
const reader = still("website-production", { readsChanging: [{ parameter: "DataKey", stack: "data" }] });
const whole = () => summaryOf([data(), summarizeStack("ml-workflow", plan("ml-workflow")), failed, waiting, reader]);

describe.each([
  ["text", (summary: PlanSummary) => renderText(summary, options)],
  ["Markdown", (summary: PlanSummary) => renderMarkdown(summary, options)],
] as const)("as %s", (_, renderSummary) => {
  const render = (summary = whole()): string => renderSummary(summary);

  test("refusals and losses come before changes, and these before creations", () => {
    const headings =
      /^(### )?\W*(Refused|Could not be planned|Deletions and replacements|Changes|Creations|Unknown yet)/gim;
    expect([...render().matchAll(headings)].map(([, , heading]) => heading?.toLowerCase())).toEqual([
      "refused",
      "could not be planned",
      "deletions and replacements",
      "changes",
      "creations",
      "unknown yet",
    ]);
  });

  test("a waiting stack says for which, and a reader says which of its values will change", () => {
    expect(render().replace(/\s+/g, " ")).toContain(
      "until data is deployed, and until the workflow of ml-workflow has registered a model",
    );
    expect(render()).toContain("data changes DataKey");
  });

  test("a tag on everything is one line, not one in each resource", () => {
    expect(render().match(/tags_all\.CostCentre/g)).toHaveLength(1);
  });

  test("replacements with the same reason are grouped, with every address", () => {
    expect(render()).toContain("3 resources are replaced alike");
    for (const address of ["logs_policy", "logs_versioning", "logs_ownership"]) {
      expect(render()).toContain(`.${address}`);
    }
  });

  test("an added permission reads as a permission", () => {
    const text = render().replace(/\s+/g, " ");
    expect(text).toContain(
      "ReadByPartner: allows s3:GetObject on arn:aws:s3:::acme-local-data-123456789012-eu-west-1/*",
    );
    expect(text).toContain("may allow more than before");
  });

  test("no secret shows, and no control character", () => {
    const text = render(summaryOf([data(), everyAction(), failed]));
    expect(text).not.toMatch(/very-secret|-password/);
    expect(text).not.toContain("\u001b");
  });

  test("without changes it says so", () => {
    const text = render(summaryOf([still("data"), still("pipeline")]));
    expect(text).toContain("nothing to change");
    expect(text).not.toMatch(/refused|delet\w+ and/i);
  });
});

test("no line is longer than 100 columns but the command to type", () => {
  const lines = renderText(summaryOf([data(), everyAction(), failed, waiting, reader]), options).split("\n");
  expect(lines.filter((line) => line.length > 100 && !line.includes("ALLOW_REPLACE="))).toEqual([]);
});

test("creations are counted by type, and listed when somebody asks", () => {
  const summary = summaryOf([everyAction()]);
  expect(renderText(summary, options)).toContain("2: 1 aws_cloudwatch_log_group, 1 aws_ssm_parameter");
  expect(renderText(summary, options)).not.toContain('aws_ssm_parameter.odd["other"]');
  expect(renderText(summary, { ...options, details: true })).toContain('+ aws_ssm_parameter.odd["other"]');
});

test("colour is only where it is wanted", () => {
  // eslint-disable-next-line no-control-regex -- colours begin with the character ESC
  const escape = /\u001b\[/;
  expect(renderText(whole(), options)).not.toMatch(escape);
  expect(renderText(whole(), { ...options, colour: true })).toMatch(escape);
});

describe("text from elsewhere", () => {
  test("stays on its line and visible", () => {
    expect(printable("a\nb\u001b[2J\u202Ec\u0000\u2028")).toBe("a\\u{a}b\\u{1b}[2J\\u{202e}c\\u{0}\\u{2028}");
    fastCheck.assert(
      fastCheck.property(fastCheck.string({ unit: "binary" }), (text) => !/[\p{C}\p{Zl}\p{Zp}]/u.test(printable(text))),
    );
  });

  test("can't leave a code span", () => {
    const spice = fastCheck.string({ unit: fastCheck.constantFrom("`", " ", "<", "@", "a", "\n", "]", "*") });
    fastCheck.assert(
      fastCheck.property(spice, (text) => {
        const span = code(text);
        const fence = /^`+/.exec(span)?.[0] ?? "";
        // The content may begin with backticks: then a space stands before them.
        const inside = span.slice(fence.length, -fence.length);
        const runs = inside.match(/`+/g) ?? [];
        return span.endsWith(fence) && runs.every((run) => run.length !== fence.length) && !/^`|`$/.test(inside);
      }),
    );
  });

  test("makes neither HTML nor a mention in a comment", () => {
    const evil = 'aws_s3_bucket.b["</details><script>@everyone`** [x](http://x)"]';
    const bucket: ResourceSummary = {
      address: evil,
      type: "aws_s3_bucket",
      action: "delete",
      attributes: [],
      knownLater: 0,
    };
    const stack: StackSummary = still("data", {
      status: "changes",
      resources: [bucket, { ...bucket, action: "create" }],
    });
    const markdown = renderMarkdown(summaryOf([stack]), options);
    const outside = markdown.replace(/``[^`]*(?:`[^`]+)*``/g, "");
    expect(markdown).toContain("<script>");
    expect(outside).not.toMatch(/script|everyone|\[x\]/);
  });
});

test("a plan that is too long for a comment keeps what is lost, and fits", () => {
  const created: ResourceSummary[] = Array.from({ length: 3_000 }, (_, index) => ({
    address: `aws_iam_role.role_${index}`,
    type: "aws_iam_role",
    action: "create",
    attributes: [],
    knownLater: 0,
  }));
  const { resources, ...rest } = data();
  const changed = created.map((resource): ResourceSummary => ({
    ...resource,
    action: "update",
    attributes: [
      { path: resource.address, before: { kind: "absent" }, after: { kind: "hidden" }, forcesReplacement: false },
    ],
  }));
  for (const more of [created, changed]) {
    const markdown = renderMarkdown(summaryOf([{ ...rest, resources: [...resources, ...more] }]), options);
    expect(markdown.length).toBeLessThan(65_536);
    expect(markdown).toContain("`aws_s3_bucket_logging.data_access-logs` is deleted");
  }
});
