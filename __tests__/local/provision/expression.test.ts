import fc from "fast-check";
import { attributeOf, ExpressionError, parseTemplate } from "../../../local/provision/expression";
import type { Value } from "../../../local/provision/value";

const bucket = { name: "surveys", "a-b": 1, size: 3, tags: { Owner: "acme" }, none: null };

function evaluate(source: string): Value {
  return parseTemplate(source).evaluate(([root = "", ...names]) => {
    if (root !== "x") {
      throw new ExpressionError(`${root} is not known`);
    }
    return names.reduce<Value>(attributeOf, bucket);
  });
}

test.each<[string, Value]>([
  ["plain", "plain"],
  ["", ""],
  ["${x}", bucket],
  ["${x.name}", "surveys"],
  ["${x.none}", null],
  ["${x.tags.Owner}", "acme"],
  ["s3://${x.name}/${x.size}/", "s3://surveys/3/"],
  ["${ x.name }${x.name}", "surveyssurveys"],
  ["${x.a-b}", 1],
  ['${"surveys"}', "surveys"],
  ['${(x.name != "PLACEHOLDER")}', true],
  ['${(x.name == "PLACEHOLDER")}', false],
  ["${x.tags == x.tags}", true],
  ['${x.name == "surveys"}', true],
  ['${replace(x.name, "s", "-")}', "-urvey-"],
  ['${replace("a.b.c", ".", "-")}', "a-b-c"],
  ["a $ b % c {d}", "a $ b % c {d}"],
])("%s has the same value as in Terraform", (source, expected) => {
  expect(evaluate(source)).toEqual(expected);
});

test("a replacement has no special characters", () => {
  const template = parseTemplate('${replace(x.text, "a", x.by)}');
  expect(template.evaluate(([, name]) => (name === "text" ? "banana" : "$&"))).toBe("b$&n$&n$&");
});

test("every reference is found, at any place", () => {
  const { references } = parseTemplate(
    '<${aws_a.x.name}> ${(data.aws_b.y.id != aws_c.z-1.arn)} ${replace(aws_d.k.url, "-", local.by-name)} ${self.name}',
  );
  expect(references.map((reference) => reference.join("."))).toEqual([
    ...["aws_a.x.name", "data.aws_b.y.id", "aws_c.z-1.arn", "aws_d.k.url", "local.by-name", "self.name"],
  ]);
});

test("text without an expression stays text, braces, quotes and backslashes included", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      fc.pre(!/[$%]\{/.test(text));
      const template = parseTemplate(text);
      expect(template.references).toEqual([]);
      expect(template.evaluate(() => null)).toBe(text);
    }),
  );
});

test.each([
  ["${jsonencode(x)}", "the function jsonencode()"],
  ["${constructor(x)}", "the function constructor()"],
  ["${x.list[0].name}", '"[0].name}" at character 8'],
  ["${x.list.0.name}", '"0.name}" at character 9'],
  ["${x.list[*].name}", '"[*].name}"'],
  ["${x.a && x.b}", '"&& x.b}"'],
  ["${x.size > 2}", '"> 2}"'],
  ['${x.a ? "b" : "c"}', '"? \\"b\\"'],
  ["${1 + 2}", '"1 + 2}"'],
  ["${true}", '"true}"'],
  ["${x.none == null}", '"null}"'],
  ["${[x.name]}", '"[x.name]}"'],
  ["${{a = 1}}", '"{a = 1}}"'],
  ['${"a${x.name}"}', '"\\"a${x.name}'],
  ['${"a\\n"}', '"\\"a'],
  ["${}", '"}" at character 2'],
  ["${x.name == x.name == x.name}", '"== x.name}"'],
  ["$${x.name}", '"$${x.name}"'],
  ["%{if true}yes%{endif}", '"%{if true}'],
])("%s is refused, naming what is not known and where to add it", (source, part) => {
  expect(() => parseTemplate(source)).toThrow(ExpressionError);
  expect(() => parseTemplate(source)).toThrow(part);
  expect(() => parseTemplate(source)).toThrow(
    "is not known to the local provisioning: extend `functions` or `Parser` in local/provision/expression.ts",
  );
});

test.each(["${x.name", "${x.", '${replace(x.name, "a"', "${(x.name", "${"])(
  "%s: the expression ends too early",
  (source) => {
    expect(() => parseTemplate(source)).toThrow(new ExpressionError("the expression ends too early"));
  },
);

test.each([
  ["${nothing.name}", "nothing is not known"],
  ["${x.missing}", 'there is no attribute "missing"; the attributes are a-b, name, none, size, tags'],
  ["${x.constructor}", 'there is no attribute "constructor"'],
  ["${x.name.first}", 'a string has no attribute "first"'],
  ["a${x.tags}", "an object can't be part of a text"],
  ["a${x.none}", "null can't be part of a text"],
  ['${replace(x.tags, "a", "b")}', "an object can't be part of a text"],
  [
    '${replace(x.name, "/s+/", "")}',
    "replace() with a regular expression (/s+/) is not known to the local provisioning",
  ],
  ["${replace(x.name)}", "null can't be part of a text"],
])("%s has no value, and the reason is given", (source, message) => {
  expect(() => evaluate(source)).toThrow(ExpressionError);
  expect(() => evaluate(source)).toThrow(message);
});

test("invalid text is refused with a reason and never crashes", () => {
  const pieces = fc.constantFrom(
    ...["${", "}", "{", '"', "[", "]", "(", ")", ".", "*", "?", ":", "a", "1", "=", "!", "==", "\\", "$$", " ", ","],
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 25 }), (list) => {
      try {
        parseTemplate(list.join(""));
      } catch (error) {
        expect(error).toBeInstanceOf(ExpressionError);
      }
    }),
    { numRuns: 2_000 },
  );
});
