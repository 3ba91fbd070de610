import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { evaluateTemplate, type Scope } from "../../../../local/provision/expression/evaluate";
import { makeFunctions } from "../../../../local/provision/expression/functions";
import { parseTemplate } from "../../../../local/provision/expression/parse";
import { ExpressionError } from "../../../../local/provision/expression/syntax";
import { encodeJson, type Value, type ValueMap } from "../../../../local/provision/value";

const folder = mkdtempSync(join(tmpdir(), "expression-"));
writeFileSync(join(folder, "hello.txt"), "hello");
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function evaluate(source: string, values: ValueMap = {}): Value {
  const scope: Scope = {
    functions: makeFunctions(folder),
    resolve: ([root = ""]) => {
      if (!Object.hasOwn(values, root)) {
        throw new ExpressionError(`${root} is not known`);
      }
      return { value: values[root] ?? null, names: 1 };
    },
  };
  return evaluateTemplate(parseTemplate(source), scope);
}

const bucket = {
  name: "surveys",
  rule: [{ id: "one" }, { id: "two" }],
  settings: { mode: "Active" },
  "a-b": 1,
  size: 3,
};

test.each<[string, Value]>([
  ["plain", "plain"],
  ["", ""],
  ["${x}", bucket],
  ["${x.name}", "surveys"],
  ["s3://${x.name}/${x.size}/${true}", "s3://surveys/3/true"],
  ["${x.rule[1].id}", "two"],
  ["${x.rule.0.id}", "one"],
  ['${x["name"]}', "surveys"],
  ["${x.a-b}", 1],
  ["${x.settings[0].mode}", "Active"],
  ["${x.rule[*].id}", ["one", "two"]],
  ["${x.rule.*.id}", ["one", "two"]],
  ["${x.settings[*].mode}", ["Active"]],
  ["${1 + 2 * 3 - 4 / 2 % 3}", 5],
  ["${-x.size}", -3],
  ['${!(1 < 2) || x.size >= 3 && x.name != ""}', true],
  ['${x.size > 2 ? "many" : x.missing}', "many"],
  ["${false && x.missing}", false],
  ["${[1, 2] == [1, 2]}", true],
  ['${{a = 1, b = [2]} == {"b" = [2], "a" = 1}}', true],
  ['${{("k${x.size}") = 1}["k3"]}', 1],
  ["${try(x.missing, x.name)}", "surveys"],
  ["${can(x.missing)}", false],
  ['${"\\"\\n\\u00e9\\U0001F41A$${x}"}', '"\né🐚${x}'],
  ["$${x.name}", "${x.name}"],
  ["${max([1, 9, 3]...)}", 9],
])("%s is what Terraform makes of it", (source, expected) => {
  expect(evaluate(source, { x: bucket })).toEqual(expected);
});

test.each<[string, Value]>([
  ['jsonencode({b = "<&>", a = [1, true, null]})', '{"a":[1,true,null],"b":"\\u003c\\u0026\\u003e"}'],
  ['jsondecode("{\\"a\\": [1]}").a[0]', 1],
  ['join("-", ["a", 1, true])', "a-1-true"],
  ['split(",", "a,b")', ["a", "b"]],
  ['toset(["b", "a", "b"])', ["a", "b"]],
  ['tolist(["b"])', ["b"]],
  ['lookup({a = 1}, "b", 2)', 2],
  ["element([1, 2, 3], 4)", 2],
  ["element([1, 2, 3], -1)", 3],
  ['base64encode("hällo")', Buffer.from("hällo").toString("base64")],
  ['base64decode("aGk=")', "hi"],
  [
    'format("%s has %03d %.2f %5s|%-5s|%x%% %v %q", "x", 7, 1.5, "r", "l", 255, [1], "q")',
    'x has 007 1.50     r|l    |ff% [1] "q"',
  ],
  ['replace("a.b.c", ".", "-")', "a-b-c"],
  ['replace("a1b22", "/[0-9]+/", "#")', "a#b#"],
  ['replace("a", "a", "$&")', "$&"],
  ['sha256("abc")', createHash("sha256").update("abc").digest("hex")],
  ['base64sha256("abc")', createHash("sha256").update("abc").digest("base64")],
  ['md5("abc")', createHash("md5").update("abc").digest("hex")],
  ['trimprefix("https://a", "https://")', "a"],
  ['trimsuffix("a/", "/")', "a"],
  ['trim("--a-b--", "-")', "a-b"],
  ['trim("---", "-")', ""],
  ['substr("hello", 1, 3)', "ell"],
  ['substr("hello", -3, -1)', "llo"],
  ['title("hello world")', "Hello World"],
  ['upper(lower("Ab"))', "AB"],
  ['regex("v([0-9]+)", "av12")', ["12"]],
  ['regex("[0-9]+", "av12")', "12"],
  ["concat([1], [2])", [1, 2]],
  ["flatten([[1], [[2]], 3])", [1, 2, 3]],
  ["merge({a = 1, b = 1}, null, {b = 2})", { a: 1, b: 2 }],
  ["distinct([1, 2, 1])", [1, 2]],
  ['compact(["", "a", null])', ["a"]],
  ['coalesce(null, "", "a")', "a"],
  ["length({a = 1})", 1],
  ['length("🐚a")', 2],
  ["keys({b = 1, a = 2})", ["a", "b"]],
  ["values({b = 1, a = 2})", [2, 1]],
  ['zipmap(["a"], [1])', { a: 1 }],
  ["range(3)", [0, 1, 2]],
  ["range(1, 6, 2)", [1, 3, 5]],
  ["reverse([1, 2])", [2, 1]],
  ['sort(["b", "a"])', ["a", "b"]],
  ["slice([1, 2, 3], 1, 2)", [2]],
  ["one([])", null],
  ["sum([1, 2])", 3],
  ['contains(["a"], "a")', true],
  ['tonumber("12") + 1', 13],
  ["tostring(1)", "1"],
  ['tobool("true")', true],
  ['urlencode("a b/c!")', "a+b%2Fc%21"],
  ['file("hello.txt")', "hello"],
  ['fileexists("nothing.txt")', false],
  ['filebase64sha256("hello.txt")', createHash("sha256").update("hello").digest("base64")],
])("%s", (expression, expected) => {
  expect(evaluate(`\${${expression}}`)).toEqual(expected);
});

test.each([
  ["${nothing.name}", "nothing is not known"],
  ["${x.missing}", 'there is no attribute "missing"; there is a-b, name, rule, settings, size'],
  ["${x.name.first}", 'a string has no attribute "first"'],
  ["${x.rule[2]}", "there is no item 2 in a list of 2"],
  ["a${x.rule}", "a list can't be part of a text"],
  ["a${null}", "null can't be part of a text"],
  ["${frobnicate(1)}", 'the function "frobnicate" is not known; known are'],
  ["${constructor(1)}", 'the function "constructor" is not known'],
  ["${x.constructor}", 'there is no attribute "constructor"'],
  ['${1 + "a"}', '"+" needs a number'],
  ['${"" < 1}', '"<" needs a number'],
  ["${1 / 0}", "division by zero"],
  ["${1 ? 2 : 3}", '"?" needs true or false, found a number'],
  ['${lookup({}, "a")}', 'there is no key "a"'],
  ['${format("%s")}', "format() has no value"],
  ['${format("%s", 1, 2)}', "format() has 2 values for 1 verbs"],
  ['${jsondecode("{")}', "JSON"],
  ['${file("nothing.txt")}', "nothing.txt"],
  ["${element([], 0)}", "element() of an empty list"],
  ["${upper([])}", "text was expected, found a list"],
])("%s is refused, saying why", (source, message) => {
  expect(() => evaluate(source, { x: bucket })).toThrow(ExpressionError);
  expect(() => evaluate(source, { x: bucket })).toThrow(message);
});

const json = fc.jsonValue({ maxDepth: 3 }).map((value) => JSON.parse(JSON.stringify(value)) as Value);

test("any value comes back from jsonencode and jsondecode", () => {
  fc.assert(
    fc.property(json, (value) => {
      expect(evaluate("${jsondecode(jsonencode(x))}", { x: value })).toEqual(value);
    }),
  );
});

test("any text comes back from a quoted text in an expression", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const quoted = JSON.stringify(text)
        .replace(/[$%]\{/g, (sign) => `${sign[0]}${sign}`)
        .replace(/\\[bf]/g, (escape) => (escape === "\\b" ? "\\u0008" : "\\u000c"));
      fc.pre(!/[$%]{2}\{/.test(text));
      expect(evaluate(`\${${quoted}}`)).toBe(text);
    }),
  );
});

test("jsonencode writes the same text whatever the order of the keys", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), json), (value) => {
      const turned = Object.fromEntries(Object.entries(value).reverse());
      expect(encodeJson(turned)).toBe(encodeJson(value));
    }),
  );
});
