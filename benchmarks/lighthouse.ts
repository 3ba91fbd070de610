/** Lighthouse, which measures a page as a phone of the middle class on slow 4G meets it. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { root } from "../local/platform/instance";
import { measure, median, temporaryFolder } from "./measure";

const cli = join(root, "benchmarks/lighthouse/node_modules/lighthouse/cli/index.js");

/** The categories that count, in their order in a report. */
export const categories = ["performance", "accessibility", "best-practices", "seo"] as const;

type Category = (typeof categories)[number];

/** What Lighthouse says of a page. */
export interface Report {
  /** 0 to 100 each: the median of the runs. */
  readonly scores: Readonly<Record<Category, number>>;
  /** Milliseconds until the largest thing in sight is drawn, simulated: the median of the runs. */
  readonly largestPaint: number;
  /** Audits that cost points in any run, with what they say. */
  readonly lost: readonly string[];
}

/** The part of Lighthouse's result that is read here. */
interface Result {
  readonly categories: Readonly<
    Record<
      Category,
      { readonly score: number; readonly auditRefs: readonly { readonly id: string; readonly weight: number }[] }
    >
  >;
  readonly audits: Readonly<
    Record<string, { readonly title: string; readonly score: number | null; readonly numericValue?: number }>
  >;
}

/** On a busy machine Lighthouse sometimes loses a trace (NO_NAVSTART): it asks to be run again. */
async function again(work: () => Promise<unknown>, tries = 3): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await work();
      return;
    } catch (error) {
      if (attempt === tries) {
        throw error;
      }
    }
  }
}

/**
 * Runs Lighthouse as a phone, so often, each time in a new browser.
 * @param chromium the browser's program
 * @param blocked addresses that are not asked, as patterns with `*`: where there is no network they would fail, and be
 * blamed on the page
 * @throws Error when Lighthouse isn't installed, or can't load the page
 */
export async function lighthouse(
  address: string,
  chromium: string,
  { runs = 3, blocked = [] }: { readonly runs?: number; readonly blocked?: readonly string[] } = {},
): Promise<Report> {
  if (!existsSync(cli)) {
    throw new Error("Lighthouse is not installed: make bench PARTS=website installs it (180 MB) and measures.");
  }
  const folder = temporaryFolder("lighthouse");
  const results: Result[] = [];
  for (let run = 0; run < runs; run += 1) {
    const output = join(folder, `${run}.json`);
    const command = ["node", cli, address, "--quiet", "--output=json", `--output-path=${output}`];
    await again(() =>
      measure(
        [
          ...command,
          `--only-categories=${categories.join(",")}`,
          "--no-enable-error-reporting",
          "--chrome-flags=--headless=new --no-sandbox --disable-gpu",
          ...blocked.map((pattern) => `--blocked-url-patterns=${pattern}`),
        ],
        { cwd: folder, env: { CHROME_PATH: chromium } },
      ),
    );
    results.push(JSON.parse(readFileSync(output, "utf8")) as Result);
  }
  const scoreOf = (category: Category): number =>
    Math.round(100 * median(results.map((result) => result.categories[category].score)));
  const lost = results.flatMap(({ categories: all, audits }) =>
    categories.flatMap((category) =>
      all[category].auditRefs
        .filter(({ id, weight }) => weight > 0 && (audits[id]?.score ?? 1) < 1 && all[category].score < 1)
        .map(({ id }) => `${category}: ${audits[id]?.title ?? id}`),
    ),
  );
  return {
    scores: Object.fromEntries(categories.map((category) => [category, scoreOf(category)])) as Report["scores"],
    largestPaint: median(results.map(({ audits }) => audits["largest-contentful-paint"]?.numericValue ?? Number.NaN)),
    lost: [...new Set(lost)],
  };
}
