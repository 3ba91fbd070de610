/** Each state in which somebody may see a page of the website, and how it comes about. */
import type { Page } from "playwright-core";
import { camelCase, measures } from "../../survey/feature-contract";
import type { WebsiteServer } from "../web/website-server";
import type { Visit } from "./visit";

/** A state of a page. */
export interface State {
  /** Names its pictures: lower-case words and hyphens. */
  readonly name: string;
  /** The page, by its path. @default "/" */
  readonly path?: string;
  /** Whether the browser runs scripts. @default true */
  readonly scripts?: boolean;
  /** What Chromium complains of in this state, and nobody can help. @default nothing */
  readonly complaint?: RegExp;
  /** What the website is told before the page is opened. @default nothing */
  readonly prepare?: (website: WebsiteServer) => void;
  /** Brings the state about on the page that was opened. @default the page as it opens */
  readonly reach?: (visit: Visit, website: WebsiteServer) => Promise<void>;
}

/** Values that differ from the contract's examples, by the names of the fields. */
type Changes = Readonly<Record<string, string>>;

/** Fills in the calculator: the contract's examples, but for what is changed. */
export async function fillCalculator(page: Page, changes: Changes = {}): Promise<void> {
  await page.locator(`#age-form [name="sex"][value="${changes.sex ?? "M"}"]`).check();
  for (const { name, example } of measures) {
    const field = camelCase(name);
    await page.locator(`#age-form [name="${field}"]`).fill(changes[field] ?? String(example));
  }
}

/** Presses the calculator's button. */
export async function calculate(page: Page): Promise<void> {
  await page.locator("#age-form button[type=submit]").click();
}

/** Waits until the age has come, and the picture or the sentence in its place, or the doubt that leaves both out. */
export async function answered(page: Page): Promise<void> {
  await page.locator('.answer[data-state="answered"]').waitFor();
  await page.locator("#answer .doubt, #plot figcaption > *").first().waitFor();
}

/** An animal of the contract's examples' shape at another length (mm): its weights go with it. */
function sized(length: number): Changes {
  const scale = length / (measures.find(({ name }) => name === "length")?.example ?? Number.NaN);
  return Object.fromEntries(
    measures.map(({ name, unit, example, step }) => [
      camelCase(name),
      Math.max(step, Math.round((example * scale ** (unit === "g" ? 3 : 1)) / step) * step).toFixed(1),
    ]),
  );
}

/** An animal that was typed into the calculator and whose age has come. */
export async function ask(page: Page, changes: Changes = {}): Promise<void> {
  await fillCalculator(page, changes);
  await calculate(page);
  await answered(page);
}

/** Fills in the contact form. */
export async function fillContact(page: Page, changes: Changes = {}): Promise<void> {
  const content = {
    name: "Ada Søm",
    email: "ada@example.com",
    message: "How old is the oldest one?\nYours, Ada",
    ...changes,
  };
  for (const [field, value] of Object.entries(content)) {
    await page.locator(`#contact-form [name="${field}"]`).fill(value);
  }
}

/** Presses the contact form's button. */
export async function send(page: Page): Promise<void> {
  await page.locator("#contact-form button[type=submit]").click();
}

/** Waits until a form says what is wrong. */
async function told(page: Page, form: "age-form" | "contact-form"): Promise<void> {
  await page.locator(`#${form} .summary`).waitFor();
}

/** As a link holds them: an animal of the contract's examples. */
export const link = `/#${new URLSearchParams([["sex", "F"], ...measures.map(({ name, example }) => [camelCase(name), String(example)])]).toString()}`;

const markup = "<img src=x onerror=alert(1)>";

/**
 * A link that somebody has written to do harm: markup, a value twice, one beyond its range, a name that is none, and
 * more.
 */
export const hostileLink = `/#${new URLSearchParams([
  ["sex", markup],
  ["length", "91"],
  ["length", "92"],
  ["diameter", "9e99"],
  ["height", "javascript:alert(1)"],
  ["wholeWeight", "102.8"],
  ["__proto__", "polluted"],
  ["constructor", "1"],
  [markup, markup],
]).toString()}`;

/** Sizes at which the tests' model gives each verdict on the farming age. */
export const verdicts = {
  "not-yet": sized(14),
  perhaps: sized(24),
  reached: {},
} as const satisfies Readonly<Record<string, Changes>>;

const unavailable = {
  status: 503,
  headers: { "content-type": "application/problem+json", "retry-after": "5" },
  body: '{"status":503}',
} as const;

/** All states, by pages. */
export const states: readonly State[] = [
  { name: "start" },
  {
    name: "start-filled-in",
    async reach({ page }) {
      await page.locator("#example").click();
    },
  },
  {
    name: "start-invalid",
    async reach({ page }) {
      await fillCalculator(page, { length: "9999", diameter: "wide", height: "" });
      await calculate(page);
      await told(page, "age-form");
    },
  },
  {
    name: "start-all-missing",
    async reach({ page }) {
      await calculate(page);
      await told(page, "age-form");
    },
  },
  ...Object.entries(verdicts).map(([verdict, changes]): State => ({
    name: `start-answered-${verdict}`,
    async reach({ page }) {
      await ask(page, changes);
    },
  })),
  {
    name: "start-outdated",
    async reach({ page }) {
      await ask(page);
      await page.locator('[name="length"]').fill("92");
    },
  },
  {
    name: "start-doubts",
    async reach({ page }) {
      await ask(page, { diameter: "95", visceraWeight: "120" });
    },
  },
  {
    name: "start-beyond-survey",
    async reach({ page }) {
      await ask(page, sized(230));
      await page.locator("#answer .doubt").waitFor();
    },
  },
  {
    name: "start-without-survey",
    complaint: /status of 404/,
    prepare(website) {
      website.intercept = ({ path }) => (path === "/model.json" ? { status: 404 } : undefined);
    },
    async reach({ page }) {
      await ask(page);
    },
  },
  {
    name: "start-failed",
    complaint: /status of 503/,
    async reach({ page }, website) {
      website.modelFails = true;
      await fillCalculator(page);
      await calculate(page);
      await told(page, "age-form");
    },
  },
  {
    name: "start-offline",
    complaint: /ERR_INTERNET_DISCONNECTED/,
    async reach({ page, context }) {
      await fillCalculator(page);
      await context.setOffline(true);
      await calculate(page);
      await told(page, "age-form");
    },
  },
  {
    name: "start-slow",
    async reach({ page }, website) {
      website.intercept = ({ path }) => (path === "/api/predict" ? new Promise<undefined>(() => undefined) : undefined);
      await fillCalculator(page);
      await calculate(page);
      await page.locator('.answer[aria-busy="true"]').waitFor();
    },
  },
  {
    name: "start-history",
    async reach({ page }) {
      for (const [number, sex] of ["F", "M", "I", "F"].entries()) {
        await ask(page, { ...sized(70 + 15 * number), sex });
      }
    },
  },
  {
    name: "start-history-full",
    async reach({ page }) {
      for (let number = 0; number < 21; number += 1) {
        await ask(page, sized(80 + number));
      }
    },
  },
  {
    name: "start-history-cleared",
    async reach({ page }) {
      await ask(page);
      await page.locator("#clear-history").click();
      await page.locator("#history").waitFor({ state: "hidden" });
    },
  },
  {
    name: "start-link-copied",
    async reach({ page, context, address }) {
      await context.grantPermissions(["clipboard-write"], { origin: address });
      await ask(page);
      await page.locator("#share").click();
      await page.locator(".shared").getByText("copied").waitFor();
    },
  },
  {
    name: "start-link-not-copied",
    async reach({ page }) {
      await ask(page);
      await page.evaluate("navigator.clipboard.writeText = () => Promise.reject(new Error())");
      await page.locator("#share").click();
      await page.locator(".shared a").waitFor();
    },
  },
  {
    name: "start-link-opened",
    path: link,
    async reach({ page }) {
      await answered(page);
    },
  },
  {
    name: "start-link-hostile",
    path: hostileLink,
    async reach({ page }) {
      await page.locator(".from-link p").waitFor();
    },
  },
  { name: "start-without-scripts", scripts: false },
  {
    name: "start-script-lost",
    complaint: /status of 503/,
    prepare(website) {
      website.intercept = ({ path }) => (path.endsWith(".js") ? unavailable : undefined);
    },
    async reach({ page }) {
      for (const notice of await page.locator(".unready").all()) {
        await notice.waitFor();
      }
    },
  },
  {
    name: "contact-empty",
    path: "/#contact",
    async reach({ page }) {
      await send(page);
      await told(page, "contact-form");
    },
  },
  {
    name: "contact-invalid",
    path: "/#contact",
    async reach({ page }) {
      await fillContact(page, { name: "", email: "ada@nowhere" });
      await send(page);
      await told(page, "contact-form");
    },
  },
  {
    name: "contact-sent",
    path: "/#contact",
    async reach({ page }) {
      await fillContact(page);
      await send(page);
      await page.locator("#contact-form .good").waitFor();
    },
  },
  {
    name: "contact-failed",
    path: "/#contact",
    complaint: /status of 503/,
    prepare(website) {
      website.intercept = ({ path }) => (path === "/api/contact" ? unavailable : undefined);
    },
    async reach({ page }) {
      await fillContact(page);
      await send(page);
      await told(page, "contact-form");
    },
  },
  { name: "how-to-measure", path: "/how-to-measure.html" },
  {
    name: "about-the-model",
    path: "/about-the-model.html",
    async reach({ page }) {
      await page.locator("#figures table").first().waitFor();
    },
  },
  {
    name: "about-the-model-without-figures",
    path: "/about-the-model.html",
    complaint: /status of 404/,
    prepare(website) {
      website.intercept = ({ path }) => (path === "/model.json" ? { status: 404 } : undefined);
    },
    async reach({ page }) {
      await page.locator("#figures .notice").waitFor();
    },
  },
  { name: "about-the-model-without-scripts", path: "/about-the-model.html", scripts: false },
  { name: "privacy", path: "/privacy.html" },
  { name: "not-found", path: "/there/is/nothing", complaint: /status of 404/ },
  { name: "forbidden", path: "/403.html" },
];
