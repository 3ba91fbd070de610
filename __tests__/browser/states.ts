/** Each state in which somebody may see a page of the website, and how it comes about. */
import type { Page } from "playwright-core";
import { camelCase, measures } from "../../survey/contract";
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
  /** Brings the state about on the page that was opened. @default the page as it opens */
  readonly reach?: (visit: Visit, website: WebsiteServer) => Promise<void>;
}

/** Fills in the calculator: the contract's examples, but for what is changed. */
export async function fillCalculator(page: Page, changes: Readonly<Record<string, string>> = {}): Promise<void> {
  await page.locator(`input[name="sex"][value="${changes.sex ?? "M"}"]`).check();
  for (const { name, example } of measures) {
    const field = camelCase(name);
    await page.locator(`[name="${field}"]`).fill(changes[field] ?? String(example));
  }
}

/** Presses the calculator's button. */
export async function calculate(page: Page): Promise<void> {
  await page.locator("#age-form button[type=submit]").click();
}

/** Fills in the contact form. */
export async function fillContact(page: Page, changes: Readonly<Record<string, string>> = {}): Promise<void> {
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

const answered = (page: Page): Promise<void> => page.locator('.answer[data-state="answered"]').waitFor();

/** An animal that was typed into the calculator and whose age has come. */
async function ask(page: Page, changes: Readonly<Record<string, string>> = {}): Promise<void> {
  await fillCalculator(page, changes);
  await calculate(page);
  await answered(page);
}

/** All states, by pages. */
export const states: readonly State[] = [
  { name: "start" },
  {
    name: "start-invalid",
    async reach({ page }) {
      await fillCalculator(page, { length: "9999", diameter: "wide", height: "" });
      await calculate(page);
      await page.locator("#age-form [role=alert]").waitFor();
    },
  },
  {
    name: "start-all-missing",
    async reach({ page }) {
      await calculate(page);
      await page.locator("#age-form [role=alert]").waitFor();
    },
  },
  {
    name: "start-answered",
    async reach({ page }) {
      await ask(page);
    },
  },
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
    name: "start-failed",
    complaint: /status of 503/,
    async reach({ page }, website) {
      website.modelFails = true;
      await fillCalculator(page);
      await calculate(page);
      await page.locator("#age-form [role=alert]").waitFor();
    },
  },
  {
    name: "start-offline",
    complaint: /ERR_INTERNET_DISCONNECTED/,
    async reach({ page, context }) {
      await fillCalculator(page);
      await context.setOffline(true);
      await calculate(page);
      await page.locator("#age-form [role=alert]").waitFor();
    },
  },
  {
    name: "start-calculating",
    async reach({ page }, website) {
      website.intercept = ({ path }) => (path === "/api/predict" ? new Promise<undefined>(() => undefined) : undefined);
      await fillCalculator(page);
      await calculate(page);
      await page.locator('.answer[aria-busy="true"]').waitFor();
    },
  },
  { name: "start-without-scripts", scripts: false },
  {
    name: "contact-invalid",
    path: "/#contact",
    async reach({ page }) {
      await fillContact(page, { name: "", email: "ada@nowhere" });
      await send(page);
      await page.locator("#contact-form [role=alert]").waitFor();
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
    async reach({ page }, website) {
      website.intercept = ({ path }) =>
        path === "/api/contact"
          ? { status: 503, headers: { "content-type": "application/problem+json" }, body: '{"status":503}' }
          : undefined;
      await fillContact(page);
      await send(page);
      await page.locator("#contact-form [role=alert]").waitFor();
    },
  },
  { name: "not-found", path: "/there/is/nothing", complaint: /status of 404/ },
];
