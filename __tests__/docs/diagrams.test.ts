import { readFileSync } from "node:fs";
import { join } from "node:path";

import { diagrams, root, stackDiagram, withDiagram } from "../../docs/diagrams";

test.each(diagrams.map((diagram) => [diagram.document, diagram] as const))(
  "the picture in %s is the one that the code gives; if not: npx tsx docs/diagrams.ts",
  (document, diagram) => {
    const text = readFileSync(join(root, document), "utf8");
    expect(text).toBe(withDiagram(text, diagram));
  },
);

test("each stack stands in the picture, and each parameter on an arrow to each reader", () => {
  const table = {
    Bucket: { description: "", publisher: "raw-data", readers: ["model", "website"] },
    Key: { description: "", publisher: "raw-data", readers: ["website"] },
    Address: { description: "", publisher: "website", readers: [] },
  };
  expect(stackDiagram(table, ["raw-data", "model", "website"])).toBe(
    [
      "flowchart LR",
      '  raw_data["raw-data"]',
      '  model["model"]',
      '  website["website"]',
      '  raw_data -- "Bucket" --> model',
      '  raw_data -- "Bucket<br/>Key" --> website',
      "",
    ].join("\n"),
  );
});

test("an old picture is replaced, what stands around it stays", () => {
  const markers = ["<!-- diagram stacks: written by docs/diagrams.ts -->", "<!-- end of diagram stacks -->"] as const;
  const diagram = { document: "docs/example.md", name: "stacks", mermaid: "flowchart LR\n  new\n" };
  const before = `# Before\n\n${markers[0]}\n\n\`\`\`mermaid\nflowchart LR\n  old\n\`\`\`\n\n${markers[1]}\n\nAfter\n`;
  const drawn = withDiagram(before, diagram);
  expect(drawn).toBe(before.replace("old", "new"));
  expect(withDiagram(drawn, diagram)).toBe(drawn);
});

test("a document without the markers is named, with the lines that it lacks", () => {
  const diagram = { document: "docs/example.md", name: "stacks", mermaid: "flowchart LR\n" };
  expect(() => withDiagram("# No place\n", diagram)).toThrow(
    /docs\/example\.md has no place for the diagram stacks.*<!-- diagram stacks/s,
  );
});
