import type { Browser, BrowserContextOptions } from "playwright-core";
import { features } from "../../survey/feature-contract";
import { openBrowser } from "../web/browser";
import { WebsiteServer } from "../web/website-server";
import { answered, ask, calculate, fillContact, hostileLink, link, send } from "./states";
import { Visit } from "./visit";

const pages = ["/", "/how-to-measure.html", "/about-the-model.html", "/privacy.html", "/403.html"] as const;

let website: WebsiteServer;
let browser: Browser;
let visit: Visit;

beforeAll(async () => {
  website = await WebsiteServer.start();
  browser = await openBrowser();
});

afterAll(async () => {
  await browser.close();
  await website.stop();
});

beforeEach(() => {
  website.reset();
});

afterEach(async () => {
  await visit.end();
});

const begin = async (options: BrowserContextOptions = {}): Promise<void> => {
  visit = await Visit.begin(browser, website.address, options);
};

/** What of the page's text is cut off by the box that it stands in. Ornaments may be. */
const cutTexts = (): Promise<string[]> =>
  visit.page.evaluate<string[]>(`[...document.querySelectorAll("body *:not(svg, svg *)")]
    .filter((element) => !element.closest(".unseen, .skip, .trap") && element.innerText?.trim())
    .filter((element) => ["hidden", "clip"].includes(getComputedStyle(element).overflowX))
    .filter(({ scrollWidth, clientWidth, scrollHeight, clientHeight }) => scrollWidth > clientWidth + 1 || scrollHeight > clientHeight + 1)
    .map(({ outerHTML }) => outerHTML.slice(0, 120))`);

describe("enlarged for visitors with low vision", () => {
  test.each(pages)("%s at 200 % and at 400 % zoom has no line that is cut off, and no violation", async (path) => {
    // Zoom makes the window narrower, in the pixels of the page: 1280 wide at 400 % are 320 (WCAG 2.2, 1.4.10).
    for (const zoom of [2, 4]) {
      await begin({ viewport: { width: 1280 / zoom, height: 1024 / zoom }, deviceScaleFactor: zoom });
      await visit.open(path);
      await visit.page.waitForLoadState("networkidle");
      await visit.picture(`zoom/${zoom}00-percent${path.replace(/\W+/g, "-")}`);
      expect([await visit.overflows(), await cutTexts(), await visit.violations()]).toEqual([[], [], []]);
      await visit.end();
    }
  });

  test.each(pages)("%s with letters twice as large, and nothing else, is still whole", async (path) => {
    await begin({ viewport: { width: 768, height: 900 } });
    const debug = await visit.context.newCDPSession(visit.page);
    await debug.send("Page.setFontSizes", { fontSizes: { standard: 32, fixed: 26 } });
    await visit.open(path);
    await visit.page.waitForLoadState("networkidle");
    expect(await visit.page.evaluate("getComputedStyle(document.body).fontSize")).toBe("36px");
    expect([await visit.overflows(), await cutTexts()]).toEqual([[], []]);
  });

  test("an answer with more room between lines, words and letters is still whole", async () => {
    await begin({ viewport: { width: 320, height: 700 } });
    await visit.open("/");
    await ask(visit.page);
    // WCAG 2.2, success criterion 1.4.12. A sheet made by script is no breach of the page's policy.
    await visit.page.evaluate(`(() => {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync("* { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important } p { margin-block-end: 2em !important }");
      document.adoptedStyleSheets.push(sheet);
    })()`);
    await visit.picture("text-spacing/320");
    expect([await visit.overflows(), await cutTexts()]).toEqual([[], []]);
  });
});

describe("forced colours", () => {
  test.each(["light", "dark"] as const)(
    "forced colours on %s: fields, buttons, choices and the picture keep their edges",
    async (colorScheme) => {
      await begin({ forcedColors: "active", colorScheme, viewport: { width: 768, height: 900 } });
      await visit.open("/");
      await ask(visit.page);
      await visit.picture(`forced-colours/${colorScheme}`);
      // Contrast is the system's here, and axe reads the page's own colours.
      expect(await visit.violations({ contrast: false })).toEqual([]);
      const edges = await visit.page.evaluate<
        string[]
      >(`[...document.querySelectorAll("#age-form input[type=text], .choice, button.primary")]
        .map((element) => getComputedStyle(element))
        .filter(({ borderTopStyle, borderTopWidth }) => borderTopStyle === "none" || parseFloat(borderTopWidth) === 0)
        .map(({ borderTopStyle }) => borderTopStyle)`);
      expect(edges).toEqual([]);
      // Which choice is made, and what has the focus, is told by more than a ground that forced colours take away.
      await visit.page.locator("#length").focus();
      expect(await visit.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")).not.toBe("none");
      expect(await visit.page.locator("#plot svg path.yours").isVisible()).toBe(true);
    },
  );
});

describe("motion", () => {
  const moving = (): Promise<unknown> =>
    visit.page.evaluate(`({
      scrolling: getComputedStyle(document.documentElement).scrollBehavior,
      animations: document.getAnimations().filter(({ effect }) => effect.getComputedTiming().duration > 10).length,
    })`);

  test("nothing moves with reduced motion", async () => {
    await begin({ reducedMotion: "reduce" });
    await visit.open("/");
    await calculate(visit.page);
    await ask(visit.page);
    expect(await moving()).toEqual({ scrolling: "auto", animations: 0 });
  });

  test("and nothing moves permanently for anybody", async () => {
    await begin({ reducedMotion: "no-preference" });
    await visit.open("/");
    await ask(visit.page);
    await visit.page.waitForTimeout(1500);
    expect(await moving()).toMatchObject({ animations: 0 });
  });
});

describe("on paper", () => {
  test.each([
    ["the answer", link],
    ["how to measure", "/how-to-measure.html"],
    ["about the model", "/about-the-model.html"],
  ])("%s is printed dark on white, without what only works on a screen", async (name, path) => {
    await begin({ colorScheme: "dark", viewport: { width: 794, height: 1123 } });
    await visit.open(path);
    if (path === link) {
      await answered(visit.page);
    } else {
      await visit.page.waitForLoadState("networkidle");
    }
    await visit.page.emulateMedia({ media: "print", colorScheme: "light" });
    await visit.picture(`print/${name.replaceAll(" ", "-")}`);
    for (const hidden of ["header nav", "footer nav", "button"]) {
      for (const element of await visit.page.locator(hidden).all()) {
        expect([hidden, await element.isVisible()]).toEqual([hidden, false]);
      }
    }
    expect(await visit.page.locator("h1").isVisible()).toBe(true);
    expect(await visit.overflows()).toEqual([]);
    if (path === link) {
      expect(await visit.page.locator(".years").isVisible()).toBe(true);
    }
  });
});

describe("what people do", () => {
  test("a message that is sent by a double click is stored once", async () => {
    await begin();
    await visit.open("/#contact");
    await fillContact(visit.page);
    await visit.page.locator("#contact-form button[type=submit]").dblclick();
    await visit.page.locator("#contact-form .good").waitFor();
    expect(website.messages).toHaveLength(1);
    expect(website.calls).toHaveLength(1);
  });

  test("a message that could not be sent stays, and can be sent when the connection is back", async () => {
    await begin();
    visit.expectedComplaint = /ERR_INTERNET_DISCONNECTED/;
    await visit.open("/#contact");
    await fillContact(visit.page);
    await visit.context.setOffline(true);
    await send(visit.page);
    await visit.page.locator("#contact-form .summary").waitFor();
    await visit.context.setOffline(false);
    await send(visit.page);
    await visit.page.locator("#contact-form .good").waitFor();
    expect(website.messages).toHaveLength(1);
  });

  test("a shared link shows the same answer, and the server never gets its measures in an address", async () => {
    await begin();
    await visit.open("/");
    await ask(visit.page, { sex: "F" });
    const answer = await visit.page.locator("#answer").innerText();
    await visit.page.evaluate("navigator.clipboard.writeText = () => Promise.reject(new Error())");
    await visit.page.locator("#share").click();
    const shared = await visit.page.locator(".shared a").getAttribute("href");
    const other = await Visit.begin(browser, website.address);
    const asked: URL[] = [];
    other.page.on("request", (request) => asked.push(new URL(request.url())));
    await other.page.goto(shared!);
    await answered(other.page);
    expect(await other.page.locator("#answer").innerText()).toBe(answer);
    await other.end();
    expect(asked.length).toBeGreaterThan(2);
    expect(asked.filter(({ pathname, search }) => `${pathname}${search}`.includes("length"))).toEqual([]);
  });

  test("a malicious link fills in only valid values, sends nothing, and runs nothing", async () => {
    await begin();
    await visit.open(hostileLink);
    await visit.page.locator(".from-link p").waitFor();
    const missing = features.filter(({ name }) => name !== "whole_weight");
    expect(await visit.page.locator(".from-link").innerText()).toContain(
      `enter: ${missing.map(({ label }) => label.toLowerCase()).join(", ")}.`,
    );
    expect(await visit.page.locator("#wholeWeight").inputValue()).toBe("102.8");
    expect(await visit.page.locator("main img").count()).toBe(0);
    expect(await visit.page.evaluate("({}).polluted ?? null")).toBeNull();
    expect(website.calls).toEqual([]);
  });

  test("what somebody else wrote into the browser's storage is neither shown nor run", async () => {
    await begin();
    const markup = "<img src=x onerror=alert(1)>";
    const entries = [
      { values: `sex=${markup}&length=91`, years: 3, low: 2, high: markup },
      null,
      7,
      markup,
      { values: {} },
    ];
    for (const content of [JSON.stringify(entries), "{", '"text"', "null", "[".repeat(10_000)]) {
      await visit.open("/privacy.html");
      await visit.page.evaluate(`localStorage.setItem("acme-abalone-animals", ${JSON.stringify(content)})`);
      await visit.open("/");
      expect(await visit.page.locator("#history").isVisible()).toBe(false);
      expect(await visit.page.locator("main img").count()).toBe(0);
      await ask(visit.page);
      expect(await visit.page.locator("#history li").count()).toBe(1);
    }
  });

  test("without the browser's storage, everything else works", async () => {
    await begin();
    await visit.page.addInitScript(() => {
      Object.defineProperty(globalThis, "localStorage", {
        get: () => {
          throw new DOMException("The storage is forbidden", "SecurityError");
        },
      });
    });
    await visit.open("/");
    await ask(visit.page);
    expect(await visit.page.locator("#history").isVisible()).toBe(false);
  });

  test("the animals stay on the device: they are there after a reload, and gone when they are cleared", async () => {
    await begin();
    await visit.open("/");
    await ask(visit.page);
    await visit.page.reload();
    expect(await visit.page.locator("#history li").count()).toBe(1);
    await visit.page.locator("#history li button").click();
    await answered(visit.page);
    await visit.page.locator("#clear-history").click();
    await visit.page.reload();
    expect(await visit.page.locator("#history").isVisible()).toBe(false);
    expect(await visit.context.cookies()).toEqual([]);
  });
});
