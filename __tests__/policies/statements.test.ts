import { covers, coversResource } from "../../policies/statements";

const bucket = "arn:aws:s3:::acme-data";

test.each([
  ["s3:GetObject", "s3:Get*", true],
  ["s3:PutObject", "s3:Get*", false],
  [`${bucket}/a.b`, `${bucket}/?.b`, true],
  [`${bucket}/a.b`, `${bucket}/a?b?`, false],
  [`${bucket}/axb`, `${bucket}/a.b`, false],
  ["a\nb", "a*", true],
])("%j against %j: %s", (text, pattern, expected) => {
  expect(coversResource(pattern, text)).toBe(expected);
  expect(covers(pattern, text)).toBe(expected);
});

test("the case of a resource counts, that of an action does not", () => {
  expect([coversResource("A*", "ab"), covers("A*", "ab"), covers("AB", "ab")]).toEqual([false, true, true]);
});
