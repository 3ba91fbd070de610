/**
 * Builds the website: pages from one layout and one message file, forms from the feature contract, a script for each
 * page that needs one, one stylesheet, pictures.
 *
 * The HTML contains the form, so it is there before the script loads, and a page can't offer a field that the API
 * doesn't take. The same sources give the same bytes, in any folder and at any time. The names of scripts and
 * stylesheet contain a hash of their content: browsers may cache them for ever, but not the other files.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { buildSync, type BuildOptions, transformSync, type TransformOptions, version } from "esbuild";
import { counts } from "./counts";
import { html } from "./html";
import { documentOf, pathOf, type Site } from "./layout";
import { pages as english } from "./messages/en";
import { indexPage } from "./pages/index";
import { forbiddenPage, measuringPage, modelPage, notFoundPage, privacyPage } from "./pages/texts";

/** The supported browsers: those that still got security updates in 2023. */
const browsers = ["chrome109", "edge109", "firefox115", "safari16.4"];

/** The website's languages: for each, its file in `web/messages` and the texts of its pages. */
const languages = { en: english } as const;

/** The pictures in `web/pictures`; `pictures/draw.ts` makes those that aren't drawn by hand. */
const pictures = ["icon-180.png", "icon-192.png", "icon-512.png", "icon-maskable-512.png", "open-graph.png"] as const;

/** What differs between websites. */
export interface WebsiteOptions {
  /** @default "en" */
  readonly language?: keyof typeof languages;
  /** Days after which a contact message is deleted; the pages name the number. @default 365 */
  readonly contactRetentionDays?: number;
  /**
   * Days after which the last record of a request, with its address, is deleted; the page on privacy names the number.
   * @default 455
   */
  readonly recordRetentionDays?: number;
  /** Whether contact messages are also mailed, which the page on privacy mentions. @default false */
  readonly contactMailed?: boolean;
  /**
   * The website's address, `https://…` without a slash at its end, if a setting gives it one. With it, the pages name
   * their own address (canonical link, Open Graph), and `robots.txt` names the sitemap.
   * @default CloudFront's own name, which is unknown before the deployment
   */
  readonly address?: string;
}

/** Puts a hash of the content into a file's name. */
function fingerprinted(name: string, extension: string, content: string): string {
  return `${name}.${createHash("sha256").update(content).digest("hex").slice(0, 12)}.${extension}`;
}

/** What esbuild makes of the website's sources. */
interface Compiled {
  readonly stylesheet: string;
  readonly calculator: string;
  readonly figures: string;
}

const stylesheetOptions = {
  loader: "css",
  minify: true,
  target: browsers,
  charset: "utf8",
  logLevel: "silent",
} as const satisfies TransformOptions;

const scriptOptions = {
  bundle: true,
  minify: true,
  format: "iife",
  target: browsers,
  charset: "utf8",
  tsconfigRaw: {},
  legalComments: "none",
  metafile: true,
  write: false,
  logLevel: "silent",
} as const satisfies BuildOptions;

/** A virtual file that starts a page's script with the texts of one language, so that only these are bundled. */
interface Start {
  readonly contents: string;
  readonly sourcefile: string;
}

/**
 * Runs a build, or takes its earlier result for the same settings and files, as `BuildCache` of modules/build-cache.ts
 * does. A build names the files that it read by their paths from the folder that contains `web`.
 */
export type Keep = (
  name: string,
  settings: string,
  build: () => { readonly output: Uint8Array; readonly inputs: readonly string[] },
) => Uint8Array;

/**
 * Compiles the stylesheet and the scripts. esbuild's processes take more CPU time than everything else here, so their
 * results can be cached.
 */
function compile(folder: string, language: string, keep: Keep): Compiled {
  const home = basename(folder);
  const start = (entry: string): Start => ({
    contents: `import { script } from "./messages/${language}"; import { start } from "./src/${entry}"; start(script);`,
    sourcefile: `${entry}.start.ts`,
  });
  const starts = { calculator: start("calculator"), figures: start("figures") };
  const settings = JSON.stringify({ version, stylesheetOptions, scriptOptions, starts });
  const output = keep(`${language}.json`, settings, () => {
    // package.json says which modules have no side effects, npm's record which packages are installed.
    const inputs = new Set([`${home}/styles.css`, "package.json", "node_modules/.package-lock.json"]);
    const bundle = (begin: Start): string => {
      const stdin = { ...begin, resolveDir: folder, loader: "ts" } as const;
      const { outputFiles, metafile } = buildSync({ ...scriptOptions, absWorkingDir: dirname(folder), stdin });
      for (const input of Object.keys(metafile.inputs)) {
        if (input !== `${home}/${begin.sourcefile}`) {
          inputs.add(input);
        }
      }
      return outputFiles[0]?.text ?? "";
    };
    const made: Compiled = {
      stylesheet: transformSync(readFileSync(join(folder, "styles.css"), "utf8"), stylesheetOptions).code,
      calculator: bundle(starts.calculator),
      figures: bundle(starts.figures),
    };
    return { output: Buffer.from(JSON.stringify(made)), inputs: [...inputs] };
  });
  return JSON.parse(Buffer.from(output).toString()) as Compiled;
}

function robots(address: string | undefined): string {
  return `User-agent: *\nAllow: /\nDisallow: /api/\n${address === undefined ? "" : `\nSitemap: ${address}/sitemap.xml\n`}`;
}

function manifest({ messages }: Site): string {
  const icon = (size: number, purpose: "any" | "maskable"): object => ({
    src: `/icon-${purpose === "maskable" ? "maskable-" : ""}${size}.png`,
    sizes: `${size}x${size}`,
    type: "image/png",
    purpose,
  });
  const content = {
    id: "/",
    name: messages.index.title,
    short_name: messages.site,
    description: messages.index.description(counts),
    lang: messages.language,
    start_url: "/",
    scope: "/",
    display: "standalone",
    background_color: "#f4efe4",
    theme_color: "#f4efe4",
    icons: [icon(192, "any"), icon(512, "any"), icon(512, "maskable")],
  };
  return `${JSON.stringify(content, undefined, 2)}\n`;
}

/** The pages that search engines should list. */
const listed = ["index.html", "how-to-measure.html", "about-the-model.html", "privacy.html"] as const;

/**
 * The website's `sitemap.xml`. It is made apart from the other files, because it needs absolute addresses
 * (sitemaps.org, "XML tag definitions"), which may be unknown before the website is deployed.
 * @param address `https://…`, without a slash at its end; also one that Terraform fills in
 */
export function sitemap(address: string): string {
  return html`<?xml version="1.0" encoding="UTF-8"?>
    <urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">
      ${listed.map((file) => html`<url><loc>${address}${pathOf({ file })}</loc></url> `)}</urlset
    > `.source;
}

/**
 * The website's files: content by name, text or bytes. All are in one folder.
 * @param folder the folder `web`, which a program that bundles this file must name. @default the folder of this file
 * @param keep caches esbuild's results for other processes. @default nothing is cached
 * @throws Error when the script doesn't compile, or a message has a forbidden link
 */
export function websiteFiles(
  folder = __dirname,
  {
    language = "en",
    contactRetentionDays = 365,
    recordRetentionDays = 455,
    contactMailed = false,
    address,
  }: WebsiteOptions = {},
  keep: Keep = (_name, _settings, build) => build().output,
): ReadonlyMap<string, string | Uint8Array> {
  const { stylesheet, calculator, figures } = compile(folder, language, keep);
  const site: Site = {
    messages: languages[language],
    address,
    contactRetentionDays,
    recordRetentionDays,
    contactMailed,
    stylesheet: fingerprinted("styles", "css", stylesheet),
    scripts: {
      calculator: fingerprinted("calculator", "js", calculator),
      figures: fingerprinted("figures", "js", figures),
    },
  };
  const pages = [indexPage, measuringPage, modelPage, privacyPage, notFoundPage, forbiddenPage].map((make) =>
    make(site),
  );
  return new Map<string, string | Uint8Array>([
    ...pages.map((page) => [page.file, documentOf(page, site)] as const),
    [site.stylesheet, stylesheet],
    [site.scripts.calculator, calculator],
    [site.scripts.figures, figures],
    ["favicon.svg", readFileSync(join(folder, "pictures", "favicon.svg"), "utf8")],
    ...pictures.map((name) => [name, new Uint8Array(readFileSync(join(folder, "pictures", name)))] as const),
    ["site.webmanifest", manifest(site)],
    ["robots.txt", robots(address)],
  ]);
}
