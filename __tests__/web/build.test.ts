import { websiteFiles } from "../../web/build";
test("x", () => {
  expect(websiteFiles().size).toBe(6);
});
