import type { Browser } from "playwright-core";
import { openBrowser } from "../web/browser";
import { WebsiteServer } from "../web/website-server";
import { states } from "./states";
import { schemes, Visit, widths } from "./visit";

let website: WebsiteServer;
let browser: Browser;

beforeAll(async () => {
  website = await WebsiteServer.start();
  browser = await openBrowser();
});

afterAll(async () => {
  await Promise.all([browser.close(), website.stop()]);
});

beforeEach(() => {
  website.reset();
});

test.each(states)(
  "$name: axe finds nothing and nothing is cut off, from the narrowest to a wide window, light and dark",
  async ({ name, path = "/", scripts = true, complaint, prepare, reach }) => {
    const visit = await Visit.begin(browser, website.address);
    visit.expectedComplaint = complaint;
    prepare?.(website);
    await (scripts ? visit.open(path) : visit.openWithoutScripts(path));
    await reach?.(visit, website);
    for (const colorScheme of schemes) {
      await visit.page.emulateMedia({ colorScheme });
      for (const width of widths) {
        await visit.resize(width);
        await visit.picture(`${name}/${width}-${colorScheme}`);
        const found = { width, colorScheme, violations: await visit.violations(), overflows: await visit.overflows() };
        expect(found).toEqual({ width, colorScheme, violations: [], overflows: [] });
      }
    }
    await visit.end();
  },
);
