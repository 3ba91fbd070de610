import { readFileSync } from "node:fs";
import { join } from "node:path";
import { environmentNames } from "../../environments";
import { projectRoot } from "../../modules/project-root";
import { synthesizePlatform } from "../support/synthesize";

const page = readFileSync(join(projectRoot, "docs/runbooks.md"), "utf8");
const [alarmsOfPage = "", others = ""] = page.split("## When something is stuck");

/** The alarms' names as the page has them: without environment and stage. */
const alarms = new Set(
  environmentNames.flatMap((environment) =>
    Object.values(synthesizePlatform(environment)).flatMap((template) =>
      Object.values(template.resources("aws_cloudwatch_metric_alarm")).map(({ alarm_name: name }) =>
        (name as string).replace(`acme-${environment}-`, "").replace(/^(test|production)-/, ""),
      ),
    ),
  ),
);

test("every alarm has a runbook, and every runbook an alarm", () => {
  expect(alarms.size).toBeGreaterThan(15);
  const headings = [...alarmsOfPage.matchAll(/^### (.+)$/gm)].map(([, heading]) => heading);
  expect(headings.sort()).toEqual([...alarms].sort());
});

test("each says what the alarm means, where to look, and what to do", () => {
  for (const section of alarmsOfPage.split(/^### /m).slice(1)) {
    for (const part of ["**Means.** ", "**Look.** ", "**Do.** "]) expect(section).toContain(part);
  }
});

test.each(["lock", "MWAA", "go back", "region", "pipeline"])("there is one for what is stuck: %s", (subject) => {
  expect(others).toMatch(new RegExp(`^### .*${subject}.*$`, "m"));
});
