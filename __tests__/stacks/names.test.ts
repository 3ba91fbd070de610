import { environmentNames } from "../../environments";
import { stackIds } from "../../stacks/contract";
import { stackName } from "../../stacks/platform";
import { synthesizePlatform } from "../support/synthesize";

/** The arguments in which resources have their names. */
const nameArguments = [
  "name",
  "bucket",
  "alarm_name",
  "configuration_set_name",
  "feature_group_name",
  "function_name",
  "model_package_group_name",
  "name_prefix",
];

/** Names that are parts of something, or agreed between stacks, by their types. */
const others = new Set([
  "aws_apigatewayv2_stage",
  "aws_cloudfront_function",
  "aws_iam_role_policy",
  "aws_route53_record",
  "aws_ssm_parameter",
]);

test("no stack's name begins with another's, because its deploy role may change what begins with it", () => {
  for (const stack of stackIds) {
    const overlapping = stackIds.filter((other) => other !== stack && stackName(other).startsWith(stackName(stack)));
    expect([stack, overlapping]).toEqual([stack, []]);
  }
});

test.each(environmentNames)("every name in %s contains the stack that makes it", (environment) => {
  const wrong: string[] = [];
  let count = 0;
  for (const [stack, template] of Object.entries(synthesizePlatform(environment))) {
    const prefix = `acme-${environment}-${stackName(stack as (typeof stackIds)[number])}`;
    for (const [type, id, resource] of template.all()) {
      for (const argument of others.has(type) ? [] : nameArguments) {
        const name: unknown = resource[argument];
        // A reference is to what another resource is called.
        if (typeof name !== "string" || name.includes("${")) {
          continue;
        }
        count += 1;
        const [, rest] = name.split(prefix);
        if (rest === undefined || !/^($|[-/])/.test(rest)) {
          wrong.push(`${stack}: ${type}.${id} is called ${name}`);
        }
      }
    }
  }
  expect(count).toBeGreaterThan(50);
  expect(wrong.filter((line) => !line.includes("is called acme-state-"))).toEqual([]);
});
