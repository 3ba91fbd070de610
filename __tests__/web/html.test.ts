import { HtmlValidate } from "html-validate";
import { websiteFiles } from "../../web/build";

const validator = new HtmlValidate({
  root: true,
  extends: ["html-validate:recommended", "html-validate:document"],
  rules: {
    // Form, which HTML leaves free.
    "doctype-style": "off",
    "no-trailing-whitespace": "off",
    "void-style": "off",
    // What the site itself serves is named by its content already.
    "require-sri": ["error", { target: "crossorigin" }],
  },
});

async function faultsOf(page: string): Promise<string[]> {
  const { results } = await validator.validateString(page);
  return results.flatMap(({ messages }) =>
    messages.map(({ line, column, ruleId, message }) => `${line}:${column} ${ruleId}: ${message}`),
  );
}

const pages = [...websiteFiles()].flatMap(([name, content]) =>
  name.endsWith(".html") && typeof content === "string" ? [[name, content] as const] : [],
);

test("there are pages", () => {
  expect(pages.length).toBeGreaterThanOrEqual(6);
});

test.each(pages)("%s is valid HTML", async (_, content) => {
  expect(await faultsOf(content)).toEqual([]);
});

test("an invalid page is detected", async () => {
  const [, index] = pages.find(([name]) => name === "index.html")!;
  const faults = await faultsOf(index.replace("<h1", '<h7 id="title"></h7><img src="x"><h1'));
  expect(faults.join("\n")).toMatch(/h7/);
  expect(faults.join("\n")).toMatch(/alt/);
});
