/**
 * One person's visit to the website: a page in a real browser, which must neither complain nor ask another address for
 * anything. Everything that a test looks at more than once is looked at here, in one way.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { AxeResults } from "axe-core";
import type { Browser, BrowserContext, BrowserContextOptions, CDPSession, Locator, Page } from "playwright-core";

const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

/** Where the pictures of `make test-browser` lie, which git doesn't keep. */
export const screenshots = join(__dirname, "..", "..", "screenshots");

/** Widths in CSS pixels: the narrowest that WCAG 2.2 asks for (success criterion 1.4.10), a tablet, a desk. */
export const widths = [320, 768, 1440] as const;

/** The two schemes that a person's device asks for. */
export const schemes = ["light", "dark"] as const;

/** How long a page is in which all of it is to be seen: enough for what stands fixed to a window, too. */
const windowHeight = 900;

/** A part of the page that is cut off, and where it ends, in CSS pixels. */
export interface Overflow {
  readonly element: string;
  readonly right: number;
}

/** A visit that has begun. */
export class Visit {
  /** Console errors that this visit causes on purpose: Chromium reports every HTTP error. */
  expectedComplaint: RegExp | undefined;
  readonly #complaints: string[] = [];
  /** Of a visit without scripts: what forbids them. */
  #debug: CDPSession | undefined;

  private constructor(
    readonly address: string,
    readonly context: BrowserContext,
    readonly page: Page,
  ) {}

  /**
   * Opens a window of its own, with nothing in its storage.
   * @param address the website's, without a slash at its end
   * @param options what differs from a calm window, 768 wide
   */
  static async begin(browser: Browser, address: string, options: BrowserContextOptions = {}): Promise<Visit> {
    const context = await browser.newContext({
      reducedMotion: "reduce",
      viewport: { width: 768, height: windowHeight },
      ...options,
    });
    const visit = new Visit(address, context, await context.newPage());
    const { page } = visit;
    const complain = (text: string): number => visit.#complaints.push(text);
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) {
        complain(message.text());
      }
    });
    page.on("pageerror", (error) => complain(error.message));
    page.on("dialog", (dialog) => {
      complain(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on("request", (request) => {
      const url = request.url();
      if (!url.startsWith(`${address}/`) && !/^(blob|data):/.test(url)) {
        complain(`left the website: ${url}`);
      }
    });
    return visit;
  }

  /** Opens a page by its path, which starts with a slash. */
  async open(path: string): Promise<void> {
    await this.page.goto(`${this.address}${path}`);
  }

  /**
   * Opens a page as a browser that runs no scripts shows it. axe is a script: while it looks, the page may run some, so
   * that what stands in `noscript`, which the browser would hide then, is taken out of it.
   */
  async openWithoutScripts(path: string): Promise<void> {
    this.#debug = await this.context.newCDPSession(this.page);
    await this.#allowScripts(false);
    await this.open(path);
    await this.page.evaluate(
      'for (const one of document.querySelectorAll("noscript")) one.replaceWith(...one.childNodes)',
    );
  }

  async #allowScripts(allowed: boolean): Promise<void> {
    await this.#debug?.send("Emulation.setScriptExecutionDisabled", { value: !allowed });
  }

  /**
   * Closes the window.
   * @throws Error with all that the page complained of, but for what was expected
   */
  async end(): Promise<void> {
    await this.context.close();
    const unexpected = this.#complaints.filter((complaint) => this.expectedComplaint?.test(complaint) !== true);
    if (unexpected.length > 0) {
      throw new Error(`The page complained:\n${unexpected.join("\n")}`);
    }
  }

  /**
   * What axe finds: each rule with what breaks it. Besides its usual rules, WCAG 2.2's size of targets, and the
   * contrast of 7 : 1 that somebody needs who reads in the sun (1.4.6).
   * @param contrast whether colours are the page's own. @default true
   */
  async violations({ contrast = true }: { readonly contrast?: boolean } = {}): Promise<string[]> {
    await this.#allowScripts(true);
    // Evaluated by the debugger, so that the page's own content security policy stays as strict as it is.
    if (!(await this.page.evaluate("Boolean(window.axe)"))) {
      await this.page.evaluate(axe);
    }
    const rules = {
      "target-size": { enabled: true },
      "color-contrast": { enabled: contrast },
      "color-contrast-enhanced": { enabled: contrast },
    };
    const options = JSON.stringify({ rules, resultTypes: ["violations"] });
    const results = await this.page.evaluate<AxeResults>(`axe.run(document, ${options})`);
    await this.#allowScripts(false);
    return results.violations.map(
      ({ id, nodes }) =>
        `${id}: ${nodes.map(({ html, any, all, none }) => `${html} ${[...any, ...all, ...none].map(({ message }) => message).join("; ")}`).join(" | ")}`,
    );
  }

  /**
   * What reaches beyond the window's edges, so that somebody would have to scroll sideways or, where the page cuts it
   * off, doesn't see it. Ornaments may; so may what only screen readers are to find.
   */
  async overflows(): Promise<Overflow[]> {
    return this.page.evaluate<Overflow[]>(`(() => {
      const width = document.documentElement.clientWidth;
      const found = [...document.querySelectorAll("body *:not(.unseen, .skip)")]
        .filter((element) => !element.closest("[aria-hidden=true]"))
        .map((element) => ({ element: element.outerHTML.slice(0, 120), box: element.getBoundingClientRect() }))
        .filter(({ box }) => box.width > 0 && (box.right > width + 0.5 || box.left < -0.5))
        .map(({ element, box }) => ({ element, right: Math.round(box.right) }));
      const scrolled = document.documentElement.scrollWidth;
      return scrolled > width ? [{ element: "the page", right: scrolled }, ...found] : found;
    })()`);
  }

  /** Keeps a picture of the whole page as build output, when what follows the window's size has been drawn again. */
  async picture(name: string): Promise<void> {
    const path = join(screenshots, `${name}.png`);
    mkdirSync(dirname(path), { recursive: true });
    if (!this.#debug) {
      await this.page.evaluate(`new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn)))`);
    }
    await this.page.screenshot({ path, fullPage: true, animations: "disabled", caret: "hide" });
  }

  /** The window's width from now on. */
  async resize(width: number): Promise<void> {
    await this.page.setViewportSize({ width, height: windowHeight });
  }

  /** Whether an element has the focus. */
  async hasFocus(locator: Locator): Promise<boolean> {
    return (await locator.and(this.page.locator(":focus")).count()) === 1;
  }
}
