import { expression, jsonWithin, parts } from "../../../delivery/hcl/template";

test("a template falls into text and expressions, whatever braces and quotes an expression has", () => {
  expect(parts('a${join(",", [for k, v in { x = "}" } : "${k}-${v}"])}b')).toEqual([
    { text: "a" },
    { expression: 'join(",", [for k, v in { x = "}" } : "${k}-${v}"])' },
    { text: "b" },
  ]);
});

test.each([
  ["", '""'],
  ["plain", '"plain"'],
  ["${aws_s3_bucket.data.arn}", "aws_s3_bucket.data.arn"],
  ["${aws_s3_bucket.data.arn}/*", '"${aws_s3_bucket.data.arn}/*"'],
  ['say "${a.b}"', '"say \\"${a.b}\\""'],
  ['${element(split(",", a.b), 0)}', 'element(split(",", a.b), 0)'],
  ["a\\b\n\tc\u0001", '"a\\\\b\\n\\tc\\u0001"'],
  ["$${aws:username}", '"$${aws:username}"'],
  ["%%{ is not a directive }", '"%%{ is not a directive }"'],
  ["${a.b}${c.d}", '"${a.b}${c.d}"'],
])("%p is %s in HCL", (template, hcl) => {
  expect(expression(template)).toBe(hcl);
});

test.each(["${a.b", '${join(",', "%{ if a }b%{ endif }"])("%p is refused, not guessed", (template) => {
  expect(() => parts(template)).toThrow(JSON.stringify(template));
});

test("JSON is found within a template although its expressions have quotes of their own", () => {
  expect(jsonWithin('{"Resource":"${join(",", a.b)}/*","Condition":{"${c.d}:sub":"x"},"n":1}')).toEqual({
    Resource: '${join(",", a.b)}/*',
    Condition: { "${c.d}:sub": "x" },
    n: 1,
  });
});

test.each(["text", "${a.b}", '{"a": ${b.c}}', "{", "[1", '"text"', "12"])("%p is not a JSON document", (template) => {
  expect(jsonWithin(template)).toBeUndefined();
});
