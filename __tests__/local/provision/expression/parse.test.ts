import fc from "fast-check";
import { namesIn, parseTemplate } from "../../../../local/provision/expression/parse";
import { ExpressionError } from "../../../../local/provision/expression/syntax";

test("text without an expression stays text, braces, quotes and backslashes included", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      fc.pre(!/[$%]\{/.test(text));
      expect(parseTemplate(text)).toEqual(text === "" ? [] : [text]);
    }),
  );
});

test("a doubled sign escapes an expression", () => {
  expect(parseTemplate("$${aws:username} and %%{if}")).toEqual(["${aws:username} and %{if}"]);
});

test("an expression ends at its own brace, not at one within a text or an object", () => {
  const template = parseTemplate('<${join("}", [jsonencode({a = {b = "${local.c}}"}})])}>');
  expect(template).toHaveLength(3);
  expect(template[0]).toBe("<");
  expect(template[2]).toBe(">");
  expect(namesIn(template)).toEqual([["local", "c"]]);
});

test("multiplication binds closer than addition, comparison closer than and, and closer than or", () => {
  const [expression] = parseTemplate("${1 + 2 * 3 == 7 && true || false}");
  expect(expression).toMatchObject({
    operator: "||",
    left: { operator: "&&", left: { operator: "==", left: { operator: "+", right: { operator: "*" } } } },
  });
});

test("every reference is found, wherever it stands", () => {
  const source =
    '${aws_a.x.list[aws_b.y.index].name == "${data.aws_c.z.id}" ? merge({(aws_d.k.id) = aws_e.l.arn}, aws_f.m...) : -aws_g.n.size}-${aws_h.o[*].id}';
  const roots = namesIn(parseTemplate(source)).map((chain) => chain.join("."));
  expect(new Set(roots)).toEqual(
    new Set([
      ...["aws_a.x.list", "aws_b.y.index", "data.aws_c.z.id", "aws_d.k.id"],
      ...["aws_e.l.arn", "aws_f.m", "aws_g.n.size", "aws_h.o"],
    ]),
  );
});

test.each([
  ["${aws_x.y.id", '"${" at character 0 is not closed'],
  ['${"open}', "is not closed"],
  ["${}", "expected a value, found the expression's end"],
  ["${a..b}", "expected an attribute's name"],
  ["${f(1 2)}", '"," or ")" in the arguments of f()'],
  ["${[1 2]}", '"," or "]" in a list'],
  ["${{a 1}}", '"=" after a key'],
  ["${a b}", 'unexpected "b" at character 4'],
  ["${a # b}", 'unexpected "#" at character 4'],
  ['${"\\z"}', 'unknown escape "\\z"'],
  ["${[for item in local.list : item]}", '"for" expressions'],
  ["%{if true}yes%{endif}", "template directives"],
  ["${f(local.list..., 1)}", '"..." must follow the last argument'],
  ["${a ? b}", 'expected ":"'],
])("%s is refused, saying what is wrong", (source, message) => {
  expect(() => parseTemplate(source)).toThrow(ExpressionError);
  expect(() => parseTemplate(source)).toThrow(message);
});

test("nonsense is refused with a reason and never crashes", () => {
  const pieces = fc.constantFrom(
    ...["${", "}", "{", '"', "[", "]", "(", ")", ".", "*", "...", "?", ":", "a", "1", "=", "!", "&&", "\\", "$$", " "],
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
