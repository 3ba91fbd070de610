import type { Browser } from "playwright-core";
import { measures } from "../../survey/feature-contract";
import { calculatorFields } from "../../web/fields";
import { pages } from "../../web/messages/en";
import { openBrowser } from "./browser";

let browser: Browser;
beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(() => browser.close());

test("the field of an optional measure says so, in its visible label and in its accessible name", async () => {
  const [first, second] = measures.filter(({ unit }) => unit === "mm");
  const page = await browser.newPage();
  await page.setContent(
    calculatorFields(
      [
        { ...first!, optional: true },
        { ...second!, optional: undefined },
      ],
      pages,
    ).source,
  );
  const fields = page.getByRole("textbox");
  const names = [`${first!.label} (optional) in millimetres`, `${second!.label} in millimetres`];
  for (const [index, name] of names.entries()) {
    await expect(fields.nth(index).getAttribute("id")).resolves.toBe(
      await page.getByRole("textbox", { name, exact: true }).getAttribute("id"),
    );
  }
  await expect(page.getByText(`${first!.label} (optional)`).isVisible()).resolves.toBe(true);
  await expect(
    fields.evaluateAll((inputs) => inputs.map((input) => (input as HTMLInputElement).required)),
  ).resolves.toEqual([false, true]);
});
