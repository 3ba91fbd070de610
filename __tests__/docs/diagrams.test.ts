import { stackDiagram } from "../../docs/diagrams";

test("each stack is in the picture, and each parameter is on an arrow to each reader", () => {
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
