import { readFileSync } from "node:fs";
import { join } from "node:path";
import { sections } from "../../docs/generate";
import { withSection } from "../../docs/section";
import { projectRoot } from "../../modules/project-root";

test.each(sections.map((section) => [section.document, section.name, section] as const))(
  "%s: the %s is what the code gives; if not: make format",
  (document, _, section) => {
    const content = readFileSync(join(projectRoot, document), "utf8");
    expect(content).toBe(withSection(content, section));
  },
);

test("an old section is replaced, the text around it stays", () => {
  const markers = ["<!-- diagram stacks: written by docs/generate.ts -->", "<!-- end of diagram stacks -->"] as const;
  const section = { document: "docs/example.md", name: "diagram stacks", text: "new" };
  const before = `# Before\n\n${markers[0]}\n\nold\n\n${markers[1]}\n\nAfter\n`;
  const written = withSection(before, section);
  expect(written).toBe(before.replace("old", "new"));
  expect(withSection(written, section)).toBe(written);
});

test("the markers of a file that isn't Markdown are its own comments", () => {
  const before = "* @acme/platform\n# handlers: written by docs/generate.ts\n# end of handlers\n";
  expect(withSection(before, { document: "CODEOWNERS", name: "handlers", text: "/handlers/hello/ @acme/ml" })).toBe(
    "* @acme/platform\n# handlers: written by docs/generate.ts\n\n/handlers/hello/ @acme/ml\n\n# end of handlers\n",
  );
});

test("a document without the markers is named, with the lines that it lacks", () => {
  const section = { document: "docs/example.md", name: "diagram stacks", text: "new" };
  expect(() => withSection("# No place\n", section)).toThrow(
    /docs\/example\.md has no place for the diagram stacks.*<!-- diagram stacks/s,
  );
});
