import { readFileSync } from "node:fs";
import { join } from "node:path";
import { environmentNames } from "../../environments";
import { projectRoot } from "../../modules/project-root";
import type { StackId } from "../../stacks/contract";
import { stackName } from "../../stacks/platform";
import { synthesizePlatform } from "../support/synthesize";

const page = readFileSync(join(projectRoot, "docs/runbooks.md"), "utf8");
const [alarmsOfPage = "", others = ""] = page.split("## When something is stuck");

/** Each alarm's e-mail, by the alarm's name as the page has it: without environment and stack. */
const alarms = environmentNames.flatMap((environment) =>
  Object.entries(synthesizePlatform(environment)).flatMap(([stack, template]) =>
    Object.values(template.resources("aws_cloudwatch_metric_alarm")).map(
      ({ alarm_name: name, alarm_description: text }) =>
        [
          (name as string)
            .replace(`acme-${environment}-`, "")
            .replace(new RegExp(`^${stackName(stack as StackId)}-`), ""),
          text as string,
        ] as const,
    ),
  ),
);
const names = new Set(alarms.map(([name]) => name));

test("every alarm has a runbook, and every runbook an alarm", () => {
  expect(names.size).toBeGreaterThan(15);
  const headings = [...alarmsOfPage.matchAll(/^### (.+)$/gm)].map(([, heading]) => heading);
  expect(headings.sort()).toEqual([...names].sort());
});

test("each alarm's e-mail names its runbook, within what CloudWatch lets a description have", () => {
  for (const [name, text] of alarms) {
    expect(text).toMatch(new RegExp(`\\. What to do: docs/runbooks\\.md#${name}$`));
    expect(text.length).toBeLessThanOrEqual(1_024);
  }
});

test("each says what the alarm means, where to look, and what to do", () => {
  for (const section of alarmsOfPage.split(/^### /m).slice(1)) {
    for (const part of ["**Means.** ", "**Look.** ", "**Do.** "]) {
      expect(section).toContain(part);
    }
  }
});

test.each(["lock", "MWAA", "go back", "region", "pipeline"])("there is one for what is stuck: %s", (subject) => {
  expect(others).toMatch(new RegExp(`^### .*${subject}.*$`, "m"));
});
