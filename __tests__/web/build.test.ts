import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import * as esbuild from "esbuild";
import { BuildCache } from "../../modules/build-cache";
import { camelCase, features, measures, yearsBeyondRings } from "../../survey/feature-contract";
import { farmingAge } from "../../survey/farming-age";
import { sitemap, websiteFiles } from "../../web/build";
import { contactLimits } from "../../web/contact-limits";
import { examples } from "../../web/examples";

const files = websiteFiles();
const texts = [...files].filter((file): file is [string, string] => typeof file[1] === "string");
const pages = texts.filter(([name]) => name.endsWith(".html"));
const pageOf = (name: string, from = files): string => String(from.get(name));
const index = pageOf("index.html");

/** The attributes of the first element that has this id. */
function attributesOf(id: string): Record<string, string> {
  const tag = new RegExp(`<[^>]*\\sid="${id}"[^>]*>`).exec(index)?.[0] ?? "";
  return Object.fromEntries([...tag.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, name, value]) => [name, value]));
}

describe("the form", () => {
  test.each(measures)("asks for $name with the contract's unit, range and step", (measure) => {
    const id = camelCase(measure.name);
    expect(attributesOf(id)).toMatchObject({
      name: id,
      "data-label": measure.label,
      "data-unit": measure.unit,
      "data-minimum": String(measure.minimum),
      "data-maximum": String(measure.maximum),
      "data-step": String(measure.step),
      "data-example": String(measure.example),
    });
    expect(index).toContain(`<label for="${id}">${measure.label} `);
    expect(index).toContain(`${measure.minimum} to ${measure.maximum}\u00a0${measure.unit}`);
  });

  test("offers exactly the contract's categories", () => {
    const offered = [...index.matchAll(/type="radio"[^>]*value="([^"]+)"[^>]*\/>([^<]+)</g)].map(([, value, label]) => [
      value,
      label,
    ]);
    const [sex] = features.filter((feature) => feature.type === "category");
    expect(Object.fromEntries(offered)).toEqual(sex?.categories);
  });

  test("keeps the contract's order", () => {
    const names = [...index.matchAll(/data-label="[^"]*"/g)];
    const order = features.map(({ label }) => names.findIndex(([found]) => found === `data-label="${label}"`));
    expect(order).toEqual([...order].sort((a, b) => a - b));
    expect(order).not.toContain(-1);
  });

  test("fills in examples that the form itself would send", () => {
    const offered = [...index.matchAll(/data-values="([^"]+)"/g)].map(([, values = ""]) =>
      Object.fromEntries(new URLSearchParams(values.replaceAll("&amp;", "&"))),
    );
    expect(offered).toHaveLength(Object.keys(examples).length);
    for (const values of offered) {
      expect(Object.keys(values)).toEqual(features.map(({ name }) => camelCase(name)));
      for (const { name, minimum, maximum } of measures) {
        expect(Number(values[camelCase(name)])).toBeGreaterThanOrEqual(minimum);
        expect(Number(values[camelCase(name)])).toBeLessThanOrEqual(maximum);
      }
    }
  });

  test("compares with the one farming age, whose source the model's page names", () => {
    expect(index).toContain(`data-farming-age="${farmingAge.years}"`);
    const model = pageOf("about-the-model.html");
    expect(model).toContain(`${farmingAge.years}\u00a0years`);
    expect(model).toContain(`href="${farmingAge.address}"`);
  });

  test("has a field that only programs fill in", () => {
    expect(attributesOf("website")).toMatchObject({ name: "website", tabindex: "-1", autocomplete: "off" });
    expect(index).toMatch(/class="trap" aria-hidden="true"/);
    for (const [name, most] of Object.entries(contactLimits)) {
      expect(attributesOf(name)).toMatchObject({ [name === "message" ? "data-longest" : "maxlength"]: String(most) });
    }
  });
});

describe("the pages", () => {
  test("are these", () => {
    const names = ["index", "how-to-measure", "about-the-model", "privacy", "404", "403"];
    expect(pages.map(([name]) => name)).toEqual(names.map((name) => `${name}.html`));
  });

  test("each have their own title and description, except for the error pages", () => {
    const inner = (page: string, pattern: RegExp): string | undefined => pattern.exec(page)?.[1];
    const titles = pages.map(([, page]) => inner(page, /<title>([^<]+)<\/title>/));
    expect(new Set(titles).size).toBe(pages.length);
    expect(titles).not.toContain(undefined);
    const described = pages.filter(([name]) => !name.startsWith("40"));
    const descriptions = described.map(([, page]) => inner(page, /<meta name="description" content="([^"]+)"/));
    expect(new Set(descriptions).size).toBe(described.length);
    expect(descriptions).not.toContain(undefined);
    for (const [name, page] of pages) {
      expect([name, page.includes('content="noindex"')]).toEqual([name, name.startsWith("40")]);
      expect([name, page.match(/<h1/g)?.length]).toEqual([name, 1]);
    }
  });

  test("say how rings become years, and what the measures are", () => {
    expect(pageOf("about-the-model.html")).toContain(`The age in years is the rings plus\u00a0${yearsBeyondRings}`);
    const measuring = pageOf("how-to-measure.html");
    for (const { label, description } of measures) {
      expect(measuring).toContain(`<dt>${label}</dt>`);
      expect(measuring).toContain(`<dd>${description}.</dd>`);
    }
  });

  test("name the days of the setting", () => {
    const changed = websiteFiles(undefined, { contactRetentionDays: 1234, recordRetentionDays: 2345 });
    expect(pageOf("privacy.html", changed)).toContain("deleted after 1,234\u00a0days");
    expect(pageOf("index.html", changed)).toContain("keep your message for 1,234\u00a0days");
    expect(pageOf("privacy.html", changed)).toContain("They are deleted after 2,345\u00a0days at the latest");
    expect(pageOf("privacy.html")).toContain("deleted after 365\u00a0days");
  });

  test("end no line between a number and its unit", () => {
    const words = pages.map(([, page]) => page.replace(/<[^>]+>/g, " "));
    expect(words.flatMap((text) => text.match(/\d (mm|g|%|rings|years|days)\b/g) ?? [])).toEqual([]);
    expect(words.join(" ")).toMatch(/\d\u00a0mm/);
  });

  test("mention mails only if messages are mailed", () => {
    const mailed = websiteFiles(undefined, { contactMailed: true });
    expect(pageOf("privacy.html", mailed)).toContain("stored encrypted and mailed to us, so that we can answer");
    expect(pageOf("privacy.html", mailed)).toContain("We delete the mail when you have your answer");
    expect(pageOf("privacy.html")).toContain("stored encrypted, so that we can answer");
    expect(pageOf("privacy.html")).not.toMatch(/mailed to us|delete the mail/);
  });

  test("name their own address if the site's address is known", () => {
    const address = "https://abalone.example.com";
    const named = websiteFiles(undefined, { address });
    expect(pageOf("privacy.html", named)).toContain(`<link rel="canonical" href="${address}/privacy.html"`);
    expect(pageOf("index.html", named)).toContain(`<link rel="canonical" href="${address}/"`);
    expect(pageOf("index.html", named)).toContain(`content="${address}/open-graph.png"`);
    expect(pageOf("robots.txt", named)).toContain(`Sitemap: ${address}/sitemap.xml`);
    expect(pageOf("robots.txt")).not.toContain("Sitemap");
  });

  test("that search engines may show are listed in the sitemap, by their whole addresses", () => {
    const address = "https://abalone.example.com";
    const listed = [...sitemap(address).matchAll(/<loc>([^<]+)<\/loc>/g)].map(([, loc]) => loc);
    const shown = pages.filter(([, page]) => !page.includes('content="noindex"')).map(([name]) => name);
    expect(listed).toEqual(shown.map((name) => `${address}/${name === "index.html" ? "" : name}`));
  });
});

describe("the files", () => {
  test("that a first visit loads weigh less than 40 KB when compressed", () => {
    const loaded = texts.filter(([name]) => /^(index\.html|styles\..*|calculator\..*|favicon\.svg)$/.test(name));
    expect(loaded).toHaveLength(4);
    const bytes = loaded.reduce((sum, [, content]) => sum + gzipSync(content).length, 0);
    expect(bytes).toBeLessThan(40_000);
  });

  test.each([
    ["icon-180.png", 180, 180],
    ["icon-192.png", 192, 192],
    ["icon-512.png", 512, 512],
    ["icon-maskable-512.png", 512, 512],
    ["open-graph.png", 1200, 630],
  ])("%s is a picture of %d × %d points", (name, width, height) => {
    const picture = Buffer.from(files.get(name) as Uint8Array);
    expect(picture.subarray(1, 4).toString()).toBe("PNG");
    expect([picture.readUInt32BE(16), picture.readUInt32BE(20)]).toEqual([width, height]);
  });

  test("are named by the manifest with their sizes", () => {
    const { icons } = JSON.parse(pageOf("site.webmanifest")) as { icons: { src: string; sizes: string }[] };
    expect(icons.length).toBeGreaterThan(0);
    for (const { src, sizes } of icons) {
      const picture = Buffer.from(files.get(src.slice(1)) as Uint8Array);
      expect(`${picture.readUInt32BE(16)}x${picture.readUInt32BE(20)}`).toBe(sizes);
    }
  });

  test("need no exception in a strict content security policy", () => {
    for (const [, page] of pages) {
      expect(page).not.toMatch(/<style|\sstyle=|\son[a-z]+=|javascript:/i);
      for (const [, attributes, content] of page.matchAll(/<script\b([^>]*)>([^]*?)<\/script>/g)) {
        expect(attributes).toContain("src=");
        expect(content).toBe("");
      }
    }
  });

  test("load nothing from another host", () => {
    const outside = /https?:\/\/(?!www\.w3\.org\/2000\/svg)/g;
    for (const [name, content] of texts) {
      const withoutLinks = content.replace(/<a [^>]*>/g, "");
      expect({ name, outside: withoutLinks.match(outside) }).toEqual({ name, outside: null });
    }
  });

  test("leave no placeholder unfilled and use each identifier once", () => {
    for (const [, page] of pages) {
      expect(page).not.toMatch(/\{\{|\}\}|\$\{|undefined|NaN|\[object|\*\*|\]\(/);
      const ids = [...page.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id);
      expect(new Set(ids).size).toBe(ids.length);
    }
  });

  test("refer only to one another, and to identifiers that exist", () => {
    for (const [name, page] of pages) {
      for (const [, link = ""] of page.matchAll(/<(?:link|script|a)\b[^>]*?(?:href|src)="([^":]+)"/g)) {
        const [path = "", id] = link.split("#");
        const file = path === "" ? name : path === "/" ? "index.html" : path.slice(1);
        // The deployment puts it beside the pages.
        if (file === "model.json") {
          continue;
        }
        expect([...files.keys()]).toContain(file);
        if (id !== undefined) {
          expect({ link, found: pageOf(file).includes(`id="${id}"`) }).toEqual({ link, found: true });
        }
      }
      for (const [, list = ""] of page.matchAll(/aria-(?:describedby|labelledby)="([^"]+)"/g)) {
        for (const id of list.split(" ")) {
          expect({ id, found: page.includes(`id="${id}"`) }).toEqual({ id, found: true });
        }
      }
    }
  });

  test("have each text either in the script or in the pages, not in both", () => {
    const [, script = ""] = texts.find(([name]) => name.startsWith("calculator")) ?? [];
    expect(script).toContain("No age yet");
    expect(script).not.toContain("How old is this abalone");
    expect(index).not.toContain("No age yet");
  });

  test("name scripts and stylesheet by their content, and are the same at every build", () => {
    expect([...files.keys()].filter((name) => /\.[0-9a-f]{12}\.(js|css)$/.test(name))).toHaveLength(3);
    expect([...websiteFiles()]).toEqual([...files]);
  });
});

describe("what a synth keeps for the next one", () => {
  let root: string;
  const longAgo = new Date("2025-03-01T08:00:00Z");
  const within = (name: string): string => join(root, name);

  /** The files as another process makes them, and how many builds that took. */
  function anotherProcess(version = esbuild.version): {
    files: ReadonlyMap<string, string | Uint8Array>;
    builds: number;
  } {
    let builds = 0;
    let build = websiteFiles;
    jest.isolateModules(() => {
      jest.doMock("esbuild", () => ({ ...esbuild, version }));
      build = jest.requireActual<typeof import("../../web/build")>("../../web/build").websiteFiles;
    });
    const cache = new BuildCache(root, "kept");
    const made = build(within("web"), {}, (name, settings, work) =>
      cache.reuse(name, settings, () => {
        builds += 1;
        return work();
      }),
    );
    return { files: made, builds };
  }

  /** Exchanges a text in a source, which then looks as old as before. */
  function exchange(source: string, before: string, after: string): void {
    const text = readFileSync(within(source), "utf8");
    expect(text).toContain(before);
    writeFileSync(within(source), text.replace(before, after));
    utimesSync(within(source), longAgo, longAgo);
  }

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "website-"));
    cpSync(join(__dirname, "../../web"), within("web"), { recursive: true });
    mkdirSync(within("node_modules"));
    for (const name of ["package.json", "node_modules/.package-lock.json"]) {
      writeFileSync(within(name), "{}");
    }
    for (const name of readdirSync(root, { recursive: true, encoding: "utf8" })) {
      utimesSync(within(name), longAgo, longAgo);
    }
  });
  afterEach(() => {
    jest.dontMock("esbuild");
    rmSync(root, { recursive: true });
  });

  test("is what a build makes", () => {
    expect(anotherProcess()).toEqual({ files, builds: 1 });
    expect(anotherProcess()).toEqual({ files, builds: 0 });
  });

  test.each([
    ["a script", "web/src/figures.ts", '"figures"', '"other-figures"', "figures"],
    ["a message", "web/messages/en.ts", "No age yet", "Not an age yet", "calculator"],
    ["the stylesheet", "web/styles.css", "{", "{--changed:1;", "styles"],
  ])("is made again when %s changes", (_, source, before, after, name) => {
    const nameOf = (from: ReadonlyMap<string, unknown>): string | undefined =>
      [...from.keys()].find((file) => file.startsWith(`${name}.`));
    anotherProcess();
    exchange(source, before, after);
    const { files: changed, builds } = anotherProcess();
    expect(builds).toBe(1);
    expect(nameOf(changed)).not.toBe(nameOf(files));
    expect([...changed]).toEqual([...websiteFiles(within("web"))]);
    const pagesNow = [...changed].flatMap(([file, content]) => (file.endsWith(".html") ? [String(content)] : []));
    expect(pagesNow.some((page) => page.includes(String(nameOf(changed))))).toBe(true);
  });

  test("is made again by another esbuild", () => {
    anotherProcess();
    expect(anotherProcess("0.0.1").builds).toBe(1);
  });

  test("is made again where it was damaged, or only half written", () => {
    anotherProcess();
    const kept = readFileSync(within("kept/en.json"), "utf8");
    for (const damaged of [kept.slice(0, 1000), kept.replace("No age yet", "No age now"), ""]) {
      writeFileSync(within("kept/en.json"), damaged);
      expect(anotherProcess()).toEqual({ files, builds: 1 });
    }
  });
});
