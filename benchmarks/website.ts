import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import type { Browser } from "playwright-core";

import { handlerDeclarations } from "../docs/handlers";
import { usualArchiveBytes } from "../handlers/shared/declaration";
import { chromiumPath, openBrowser } from "../__tests__/web/browser";
import { openInstance, readJson, root } from "../local/platform/instance";
import type { PlatformFile } from "../local/platform/up";
import { bundle } from "../modules/bundle";
import { camelCase, measures } from "../survey/feature-contract";
import { websiteFiles } from "../web/build";
import { Edge, folderOrigin, type Sent, websiteOrigin } from "./edge";
import { categories, lighthouse, type Report } from "./lighthouse";
import { measure, median, quantile, table, temporaryFolder, timed } from "./measure";

/** What a page may weigh when somebody opens it for the first time, in bytes as they are sent. */
const weightLimit = 60_000;
/** What the API may take for its first answer, in milliseconds. */
const answerLimit = 300;

const kilobytes = (bytes: number): string => (bytes / 1000).toFixed(1);
const times = (theirs: number, ours: number): string => `${(theirs / ours).toFixed(1)} times`;

/**
 * The website as visitors meet it: what its pages weigh, how soon the API answers, what Lighthouse says of each page,
 * what the functions' code weighs; and the pages against the original's, whose folder `www` the variable
 * `ORIGINAL_WEBSITE` names. On a platform of its own.
 */
export async function websiteBenchmark(): Promise<string> {
  const directory = temporaryFolder("website");
  const platform = (command: string): Promise<unknown> =>
    measure(["node", "--import", "tsx", "local/platform.ts", command], {
      cwd: root,
      env: { PLATFORM_DIRECTORY: directory },
    });
  const browser = await openBrowser();
  try {
    await platform("up");
    // Started again, no function has a process yet: the first answer is a cold one. The system tests aren't repeated.
    await platform("down");
    await platform("up");
    const { website, api } = readJson<PlatformFile>(openInstance(directory).path("platform.json"), {} as PlatformFile);
    const answers = await answersTable(api, website);
    const edge = await Edge.open(websiteOrigin(new URL(website)));
    const own = await visitAll(browser, edge, pagesOfOurs());
    await edge.close();
    return [weightTable(own), lighthouseTable(own), answers, bundlesTable(), await comparison(browser, own)].join(
      "\n\n",
    );
  } finally {
    await browser.close();
    await platform("clean");
  }
}

/** A page that was opened in a new browser. */
interface Visited {
  readonly path: string;
  /** What the website sent for it. */
  readonly sent: readonly Sent[];
  /** Files that it asks other hosts for. */
  readonly elsewhere: readonly URL[];
  readonly report: Report;
}

/** The pages by their paths; those for errors last, which are shown under any path. */
function pagesOfOurs(): string[] {
  return [...websiteFiles().keys()]
    .filter((name) => name.endsWith(".html") && name !== "403.html" && name !== "404.html")
    .map((name) => (name === "index.html" ? "/" : `/${name}`));
}

async function visitAll(browser: Browser, edge: Edge, paths: readonly string[]): Promise<Visited[]> {
  const visited: Visited[] = [];
  for (const path of paths) {
    const context = await browser.newContext({ viewport: { width: 412, height: 823 } });
    const elsewhere: URL[] = [];
    await context.route(
      ({ origin }) => origin !== edge.address,
      async (route) => {
        elsewhere.push(new URL(route.request().url()));
        await route.abort();
      },
    );
    edge.sent.length = 0;
    const page = await context.newPage();
    await page.goto(`${edge.address}${path}`, { waitUntil: "networkidle" });
    const sent = [...edge.sent];
    await context.close();
    const report = await lighthouse(`${edge.address}${path}`, chromiumPath(), { blocked: ["https://*"] });
    visited.push({ path, sent, elsewhere, report });
  }
  return visited;
}

const weightOf = (sent: readonly Sent[]): number => sent.reduce((sum, { compressed }) => sum + compressed, 0);

/** What somebody waits for before a page is complete, but for the survey's points, which the plot is drawn with. */
const beforePlot = ({ sent }: Visited): readonly Sent[] => sent.filter(({ path }) => path !== "/model.json");

function weightTable(visited: readonly Visited[]): string {
  const files = new Map(visited.flatMap(({ sent }) => sent.map((one) => [one.path, one] as const)));
  const rows = visited.map((page) => {
    const [first, later] = [weightOf(beforePlot(page)), weightOf(page.sent) - weightOf(beforePlot(page))];
    return [
      page.path,
      String(page.sent.length),
      kilobytes(first),
      later === 0 ? "" : kilobytes(later),
      share(first, weightLimit),
    ];
  });
  const all = [...files.values()];
  return table(
    ["page, opened first", "files", "KB sent", "KB of the survey's points besides", `of ${weightLimit / 1000} KB`],
    [...rows, ["all of them, one after the other", String(all.length), kilobytes(weightOf(all)), "", ""]],
  );
}

const share = (value: number, limit: number): string => `${((100 * value) / limit).toFixed(0)} %`;

function lighthouseTable(visited: readonly Visited[]): string {
  return table(
    ["Lighthouse, a phone on slow 4G", ...categories, "largest paint, ms", "what costs points"],
    visited.map(({ path, report }) => [path, ...scoresOf(report)]),
  );
}

const scoresOf = ({ scores, largestPaint, lost }: Report): string[] => [
  ...categories.map((category) => String(scores[category])),
  largestPaint.toFixed(0),
  lost.join("; "),
];

async function answersTable(api: string, website: string): Promise<string> {
  const animal = Object.fromEntries<string | number>([
    ["sex", "M"],
    ...measures.map(({ name, example }): [string, number] => [camelCase(name), example]),
  ]);
  const ask = (address: string) => async (): Promise<void> => {
    const headers = { "content-type": "application/json" };
    const response = await fetch(`${address}/predict`, { method: "POST", headers, body: JSON.stringify(animal) });
    if (!response.ok) {
      throw new Error(`${address}/predict answered ${response.status}: ${await response.text()}`);
    }
    await response.arrayBuffer();
  };
  const first = 1000 * (await timed(ask(api)));
  const rows: string[][] = [];
  for (const [name, address] of [
    ["the API", api],
    ["through the website's address", `${website}/api`],
  ] as const) {
    const taken: number[] = [];
    for (let turn = 0; turn < 200; turn += 1) {
      taken.push(1000 * (await timed(ask(address))));
    }
    rows.push([
      name,
      median(taken).toFixed(1),
      quantile(taken, 0.95).toFixed(1),
      share(quantile(taken, 0.95), answerLimit),
    ]);
  }
  return table(
    ["one prediction after the other", "median ms", "95 % under ms", `of ${answerLimit} ms`],
    [["the API's first answer, its function started for it", first.toFixed(1), "", share(first, answerLimit)], ...rows],
  );
}

function bundlesTable(): string {
  return table(
    ["function", "KB as Lambda gets it", "of KB", ""],
    handlerDeclarations().map(({ name, archiveBytes = usualArchiveBytes }) => {
      const { length } = bundle(`handlers/${name}/index.ts`);
      return [name, kilobytes(length), String(archiveBytes / 1000), share(length, archiveBytes)];
    }),
  );
}

async function comparison(browser: Browser, own: readonly Visited[]): Promise<string> {
  const folder = process.env.ORIGINAL_WEBSITE;
  if (folder === undefined || folder === "") {
    return "The original's website: not measured. Name its folder, which holds index.html: ORIGINAL_WEBSITE=…/Chapter10/www.";
  }
  const edge = await Edge.open(folderOrigin(folder));
  const [theirs] = await visitAll(browser, edge, ["/"]);
  await edge.close();
  const [ours] = own;
  if (!theirs || !ours) {
    throw new Error("No page was opened.");
  }
  const hosts = new Set(theirs.elsewhere.map(({ hostname }) => hostname));
  const kept = readdirSync(folder, { recursive: true, withFileTypes: true, encoding: "utf8" }).filter((entry) =>
    entry.isFile(),
  );
  const deployed = [...websiteFiles().values()].reduce((sum, content) => sum + Buffer.byteLength(content), 0);
  const bytesKept = kept.reduce((sum, entry) => sum + readFileSync(join(entry.parentPath, entry.name)).length, 0);
  const row = (name: string, { sent, elsewhere, report }: Visited, files: number): string[] => [
    name,
    kilobytes(weightOf(sent)),
    `${sent.length} + ${elsewhere.length}`,
    kilobytes(files),
    report.largestPaint.toFixed(0),
    categories.map((category) => report.scores[category]).join(" / "),
  ];
  return `${table(
    [
      "first page, opened first",
      "KB sent",
      "files + those of other hosts",
      "KB of files that the site deploys",
      "largest paint, ms",
      `Lighthouse: ${categories.join(" / ")}`,
    ],
    [
      row("ours", ours, deployed),
      row("the original's", theirs, bytesKept),
      [
        "original / ours",
        times(weightOf(theirs.sent), weightOf(ours.sent)),
        times(theirs.sent.length + theirs.elsewhere.length, ours.sent.length),
        times(bytesKept, deployed),
        times(theirs.report.largestPaint, ours.report.largestPaint),
        "",
      ],
    ],
  )}

The original's page asks ${hosts.size} other hosts for ${theirs.elsewhere.length} files (${[...hosts].join(", ")}). They are blocked here and counted with nothing: neither their weight nor the
waiting for them is held against it, nor does Lighthouse see them fail.`;
}
