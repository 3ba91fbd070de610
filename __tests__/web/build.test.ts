import { camelCase, features, measures, yearsBeyondRings } from "../../survey/contract";
import { websiteFiles } from "../../web/build";

const files = websiteFiles();
const pages = [...files].filter(([name]) => name.endsWith(".html"));
const index = files.get("index.html")!;

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
    expect(index).toContain(`${measure.minimum} to ${measure.maximum} ${measure.unit}`);
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

  test("says how rings become years", () => {
    expect(index.replace(/\s+/g, " ")).toContain(`the age in years is the rings plus ${yearsBeyondRings}`);
  });
});

describe("the files", () => {
  test("weigh less than 40 KB together, so that they load over a weak signal", () => {
    const bytes = [...files.values()].reduce((sum, content) => sum + Buffer.byteLength(content), 0);
    expect(bytes).toBeLessThan(40_000);
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
    for (const [name, content] of files) {
      const withoutLinks = content.replace(/<a [^>]*>/g, "");
      expect({ name, outside: withoutLinks.match(outside) }).toEqual({ name, outside: null });
    }
  });

  test("leave no placeholder unfilled and use each identifier once", () => {
    for (const [, page] of pages) {
      expect(page).not.toMatch(/\{\{|\}\}|undefined|NaN|\[object/);
      const ids = [...page.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id);
      expect(new Set(ids).size).toBe(ids.length);
    }
  });

  test("refer only to one another, and to identifiers that exist", () => {
    for (const [, page] of pages) {
      for (const [, link = ""] of page.matchAll(/<(?:link|script|a)\b[^>]*?(?:href|src)="([^":]+)"/g)) {
        if (link.startsWith("#")) expect(page).toContain(`id="${link.slice(1)}"`);
        else if (link !== "/" && link !== "./") expect([...files.keys()]).toContain(link.replace(/^\//, ""));
      }
      for (const [, list = ""] of page.matchAll(/aria-(?:describedby|labelledby)="([^"]+)"/g)) {
        for (const id of list.split(" ")) expect(page).toContain(`id="${id}"`);
      }
    }
  });

  test("name script and stylesheet by their content, and are the same at every build", () => {
    expect([...files.keys()].filter((name) => /\.[0-9a-f]{12}\.(js|css)$/.test(name))).toHaveLength(2);
    expect([...websiteFiles()]).toEqual([...files]);
  });
});
