/**
 * What a stage has to prove before it is let through: that the website stands, that the model answers sensibly through
 * it, and that bad input gets the answers that the API promises. The checks know two addresses and the feature
 * contract, nothing else.
 */
import { features, label, yearsBeyondRings } from "../../survey/feature-contract";
import {
  type Answer,
  animal,
  type Deployment,
  expectStatus,
  expectThat,
  expectType,
  jsonOf,
  postJson,
  problemOf,
  send,
} from "./deployment";

/** One promise of a stage. */
export interface Check {
  /** The promise, as a sentence. */
  readonly name: string;
  /** @throws Error that names the request, what came back and what was expected */
  readonly run: (deployment: Deployment) => Promise<void>;
}

/** The API's largest body, in bytes; tests send a good deal more. */
const largestBody = 16 * 1024;

/** Text that a browser would run if it were taken for HTML. */
const markup = "<script>alert(1)</script>";

/** An age as the API tells it. */
interface Age {
  readonly rings: number;
  readonly years: number;
  readonly low: number;
  readonly high: number;
  readonly answer: Answer;
}

async function ageOf(api: string, measured: Readonly<Record<string, string | number>>): Promise<Age> {
  const answer = await postJson(`${api}/predict`, measured);
  expectStatus(answer, 200);
  expectType(answer, "application/json");
  const { rings, age, model } = jsonOf(answer);
  const { years, low, high, confidence } = (age ?? {}) as Record<string, unknown>;
  const numbers = [rings, years, low, high, confidence].filter((value) => typeof value === "number");
  const [ringCount, ageInYears, lowest, highest, share] = numbers;
  if (
    ringCount === undefined ||
    ageInYears === undefined ||
    lowest === undefined ||
    highest === undefined ||
    share === undefined
  ) {
    throw new Error(
      `${answer.request} answered ${answer.text}: rings, age.years, .low, .high and .confidence have to be numbers.`,
    );
  }
  expectThat(typeof model === "string" && model !== "", answer, "the name of the model that calculated");
  expectThat(lowest <= ageInYears && ageInYears <= highest, answer, "an age within its range");
  expectThat(share >= 0.5 && share < 1, answer, "a confidence of at least 0.5 and below 1");
  expectThat(
    Math.abs(ageInYears - ringCount - yearsBeyondRings) < 0.11,
    answer,
    `an age of the rings plus ${yearsBeyondRings} years`,
  );
  expectThat(
    ageInYears >= yearsBeyondRings && ageInYears <= label.maximum + yearsBeyondRings,
    answer,
    "an age that an abalone can reach",
  );
  return { rings: ringCount, years: ageInYears, low: lowest, high: highest, answer };
}

function fieldsOf(problem: Record<string, unknown>): string[] {
  return Array.isArray(problem.errors)
    ? problem.errors.flatMap((entry: unknown) => {
        const { field } = (entry ?? {}) as { readonly field?: unknown };
        return typeof field === "string" ? [field] : [];
      })
    : [];
}

function expectNoMarkup(answer: Answer): void {
  expectThat(!answer.text.toLowerCase().includes("<script>alert"), answer, "nothing of the request as HTML");
}

/** The headers that protect a visitor; each with what it has to say. */
const securityHeaders: Readonly<Record<string, RegExp>> = {
  "content-security-policy": /^(?=.*default-src 'none')(?=.*frame-ancestors 'none')(?!.*unsafe-).*$/,
  "x-content-type-options": /^nosniff$/i,
  "x-frame-options": /^deny$/i,
  "referrer-policy": /^(no-referrer|same-origin|strict-origin|strict-origin-when-cross-origin)$/i,
  "permissions-policy":
    /^(?=.*camera=\(\))(?=.*microphone=\(\))(?=.*geolocation=\(\))(?=.*payment=\(\))(?=.*usb=\(\)).*$/,
  "cross-origin-opener-policy": /^same-origin$/i,
};

/** Over TLS browsers are told to stay with it. */
const overTls = { "strict-transport-security": /max-age=\d/ };

/** Seconds for which they are told so at least: a year. */
const strictSeconds = 31_536_000;

function expectHeaders(answer: Answer, wanted: Readonly<Record<string, RegExp>>): void {
  for (const [name, pattern] of Object.entries(wanted)) {
    const value = answer.headers.get(name);
    if (value !== null && pattern.test(value)) {
      continue;
    }
    throw new Error(
      `${answer.request}: the header ${name} is ${value === null ? "missing" : `'${value}'`}, expected one that matches ${String(pattern)}. ` +
        "Look at modules/site-delivery.ts and the distribution's response headers policy.",
    );
  }
}

/** Everything that a page names and a browser goes to by itself or at a click: the values of its attributes. */
function addressesIn(html: string, attributes: string, tags = "[a-z]+"): readonly string[] {
  const pattern = new RegExp(`<${tags}\\b[^>]*?\\s(?:${attributes})="([^"]*)"`, "gi");
  return [...html.matchAll(pattern)].flatMap(([, address]) => (address ? [address] : []));
}

/** The pages of the site, by address: the start page, and whatever its pages lead to within the site. */
async function pagesOf(website: string): Promise<ReadonlyMap<string, Answer>> {
  const pages = new Map<string, Answer>();
  const waiting = [`${website}/`];
  for (let address = waiting.shift(); address !== undefined; address = waiting.shift()) {
    if (pages.has(address)) {
      continue;
    }
    // No site of ours has so many: a page that leads to ever new ones is a fault.
    if (pages.size === 50) {
      throw new Error(`${website}/ leads to more than 50 pages: ${[...pages.keys()].join(", ")}`);
    }
    const answer = await send(address);
    pages.set(address, answer);
    for (const link of addressesIn(answer.text, "href", "a")) {
      const { origin, pathname, protocol } = new URL(link, address);
      const isPage = /\/$|\.html$|\/[^./]*$/.test(pathname);
      if (isPage && protocol.startsWith("http") && origin === new URL(website).origin) {
        waiting.push(`${origin}${pathname}`);
      }
    }
  }
  return pages;
}

/** What a page loads: its scripts, styles, pictures and manifest, but not where a click leads. */
const loadedBy = (html: string): readonly string[] => [
  ...addressesIn(html, "href", "link"),
  ...addressesIn(html, "src|srcset|poster|data"),
];

/** Seconds that a browser may keep an answer without asking. */
function keptSeconds(answer: Answer): number {
  const rule = answer.headers.get("cache-control") ?? "";
  if (/no-cache|no-store/.test(rule)) {
    return 0;
  }
  const [, seconds] = /(?:^|[\s,])max-age=(\d+)/.exec(rule) ?? [];
  return seconds === undefined ? Infinity : Number(seconds);
}

const websiteChecks: readonly Check[] = [
  {
    name: "the website answers with its page, as HTML",
    async run({ website }) {
      const answer = await send(`${website}/`);
      expectStatus(answer, 200);
      expectType(answer, "text/html");
      for (const { label } of features) {
        expectThat(answer.text.includes(label), answer, `a form that asks for ${label}`);
      }
    },
  },
  {
    name: "every page that the site leads to is there, as HTML",
    async run({ website }) {
      const pages = await pagesOf(website);
      for (const answer of pages.values()) {
        expectStatus(answer, 200);
        expectType(answer, "text/html");
        expectThat(/<title>[^<]+<\/title>/.test(answer.text), answer, "a page with a title");
      }
      const first = pages.get(`${website}/`);
      if (first) {
        expectThat(pages.size > 1, first, "a page that leads to others of the site");
      }
    },
  },
  {
    name: "every answer comes with the headers that protect a visitor: pages, the 404 page, and the API's",
    async run({ website }) {
      const wanted = website.startsWith("https:") ? { ...securityHeaders, ...overTls } : securityHeaders;
      const answers = [
        ...(await pagesOf(website)).values(),
        await send(`${website}/no-such-page`),
        await postJson(`${website}/api/predict`, animal("M")),
      ];
      for (const answer of answers) {
        expectHeaders(answer, wanted);
        const [, seconds] = /max-age=(\d+)/.exec(answer.headers.get("strict-transport-security") ?? "") ?? [];
        expectThat(
          !website.startsWith("https:") || Number(seconds) >= strictSeconds,
          answer,
          `Strict-Transport-Security for ${strictSeconds} seconds at least, not ${String(seconds)}`,
        );
      }
    },
  },
  {
    name: "everything that the page loads is there, with its type",
    async run({ website }) {
      const page = await send(`${website}/`);
      const links = loadedBy(page.text).filter((link) => !link.startsWith("data:"));
      expectThat(links.length >= 2, page, "a page with a script and a stylesheet");
      const types = { css: "text/css", js: "text/javascript", svg: "image/svg+xml", png: "image/png" };
      for (const link of links) {
        const address = new URL(link, `${website}/`);
        // The page's own address, which it tells search engines.
        if (address.pathname === "/" || address.pathname.endsWith(".html")) {
          continue;
        }
        const answer = await send(address.href);
        expectStatus(answer, 200);
        const [, type] = Object.entries(types).find(([extension]) => link.endsWith(`.${extension}`)) ?? [];
        const given = answer.headers.get("content-type")?.replace("application/javascript", "text/javascript");
        if (type) {
          expectThat(given?.startsWith(type) === true, answer, `the content type ${type}`);
        }
      }
    },
  },
  {
    name: "no page loads anything in the clear or from elsewhere, or holds a script or a style itself",
    async run({ website }) {
      for (const [address, answer] of await pagesOf(website)) {
        for (const link of loadedBy(answer.text)) {
          const { origin, protocol } = new URL(link, address);
          expectThat(
            origin === new URL(website).origin || protocol === "data:",
            answer,
            `nothing loaded from elsewhere, but it names ${link.slice(0, 200)}`,
          );
        }
        for (const target of addressesIn(answer.text, "action")) {
          expectThat(
            new URL(target, address).origin === new URL(website).origin,
            answer,
            `forms sent to the site alone, but one goes to ${target.slice(0, 200)}`,
          );
        }
        const [inline] =
          /<script\b(?![^>]*\ssrc=)(?![^>]*type="application\/ld\+json")[^>]*>|<style\b|<[a-z][^>]*\s(?:style|on[a-z]+)="/i.exec(
            answer.text,
          ) ?? [];
        expectThat(inline === undefined, answer, `no script or style within the page, but it has ${String(inline)}`);
      }
    },
  },
  {
    name: "what is named after its content is kept for ever, a page is not kept unasked, an answer of the API not at all",
    async run({ website }) {
      const page = await send(`${website}/`);
      expectThat(keptSeconds(page) <= 300, page, "a page that browsers keep for five minutes at most (Cache-Control)");
      const named = loadedBy(page.text).filter((link) => /\.[0-9a-f]{8,}\.[a-z0-9]+$/.test(link));
      expectThat(named.length >= 2, page, "a script and a stylesheet with a hash of their content in their names");
      for (const link of named) {
        const answer = await send(new URL(link, `${website}/`).href);
        const rule = answer.headers.get("cache-control") ?? "";
        expectThat(
          keptSeconds(answer) >= 31_536_000 && rule.includes("immutable"),
          answer,
          `Cache-Control for a year and immutable, not '${rule}'`,
        );
      }
      const answer = await postJson(`${website}/api/predict`, animal("M"));
      expectThat((answer.headers.get("cache-control") ?? "").includes("no-store"), answer, "Cache-Control: no-store");
    },
  },
  {
    name: "an unknown page is the website's own 404 page",
    async run({ website }) {
      const answer = await send(`${website}/there/is/no-such-page`);
      expectStatus(answer, 404);
      expectType(answer, "text/html");
      expectThat(/<title>[^<]*\bnot found\b/i.test(answer.text), answer, "the website's 404 page");
      // A firewall may refuse this one.
      const suspicious = await send(`${website}/no-such-page?text=${encodeURIComponent(markup)}`);
      expectStatus(suspicious, 404, 403);
      expectNoMarkup(suspicious);
    },
  },
  {
    name: "a method that pages don't take is refused with 403",
    async run({ website }) {
      const answer = await send(`${website}/index.html`, { method: "POST", body: markup });
      expectStatus(answer, 403);
      expectNoMarkup(answer);
    },
  },
  {
    name: "the website publishes the description of its API",
    async run({ website }) {
      const answer = await send(`${website}/openapi.json`);
      expectStatus(answer, 200);
      expectType(answer, "application/json");
      const { openapi, paths } = jsonOf(answer);
      expectThat(typeof openapi === "string" && openapi.startsWith("3.1"), answer, "a document of OpenAPI 3.1");
      for (const path of ["/api/predict", "/api/contact"]) {
        expectThat(Object.hasOwn(paths ?? {}, path), answer, `a description of ${path}`);
      }
    },
  },
  {
    name: "the model's figures are published for the pages to draw, or none at all",
    async run({ website }) {
      const answer = await send(`${website}/model.json`);
      expectStatus(answer, 200);
      expectType(answer, "application/json");
      expectThat(Buffer.byteLength(answer.text) <= 40 * 1024, answer, "40 KB at most");
      const figures = jsonOf(answer);
      // A model that was registered by hand has none; the pages do without, and say so.
      if (Object.keys(figures).length === 0) {
        return;
      }
      const { version, survey } = figures;
      const { points } = (survey ?? {}) as { readonly points?: unknown };
      expectThat(version === 1, answer, "version 1");
      expectThat(
        Array.isArray(points) &&
          points.length > 0 &&
          points.every((point: unknown) => Array.isArray(point) && point.length === 2 && point.every(Number.isFinite)),
        answer,
        "points of a length and an age",
      );
    },
  },
  {
    name: "plain HTTP is sent on to HTTPS, where the website has it",
    async run({ website }) {
      if (!website.startsWith("https:")) {
        return;
      }
      const answer = await send(website.replace(/^https:/, "http:"));
      expectStatus(answer, 301, 302, 307, 308);
      expectThat(answer.headers.get("location")?.startsWith("https://") === true, answer, "a redirect to https://");
    },
  },
];

const predictionChecks: readonly Check[] = [
  {
    name: "an animal of either sex and an infant get a plausible age within its range",
    async run({ api }) {
      const [sex] = features.filter((feature) => feature.type === "category");
      for (const category of Object.keys(sex?.categories ?? {})) {
        const { answer, years, low, high } = await ageOf(api, animal(category));
        expectThat(years > 3 && years < 30, answer, "an age between 3 and 30 years for an animal of middle size");
        expectThat(high - low < 30, answer, "a range that says something, narrower than 30 years");
      }
    },
  },
  {
    name: "the same animal gets the same age every time",
    async run({ api }) {
      const [first, second] = [await ageOf(api, animal("M")), await ageOf(api, animal("M"))];
      expectThat(first.years === second.years, second.answer, `the age of the first time, ${first.years}`);
    },
  },
  {
    name: "a full-grown animal is older than a juvenile: the measures reach the model",
    async run({ api }) {
      const juvenile = await ageOf(api, animal("I", 0.4));
      const adult = await ageOf(api, animal("F", 1.25));
      expectThat(adult.years > juvenile.years, adult.answer, `an age above the juvenile's ${juvenile.years} years`);
      const larger = await ageOf(api, animal("F", 1.4));
      expectThat(
        larger.years > adult.years - 3,
        larger.answer,
        `an age not far below the ${adult.years} years of a smaller animal`,
      );
    },
  },
  {
    name: "the website and the API give the same answer",
    async run({ website, api }) {
      const [direct, through] = await Promise.all(
        [api, `${website}/api`].map((base) => postJson(`${base}/predict`, animal("M"))),
      );
      if (!direct || !through) {
        throw new Error("Two requests, two answers");
      }
      expectStatus(direct, 200);
      expectStatus(through, 200);
      expectThat(through.text === direct.text, through, `what ${direct.request} answered: ${direct.text}`);
    },
  },
];

const refusalChecks: readonly Check[] = [
  {
    name: "GET predict is refused with 405, and told which methods there are",
    async run({ api }) {
      const answer = await send(`${api}/predict`);
      problemOf(answer, 405);
      expectThat(/\bPOST\b/.test(answer.headers.get("allow") ?? ""), answer, "a header Allow with POST");
    },
  },
  {
    name: "an empty body is refused with 400 or 415",
    async run({ api }) {
      problemOf(await send(`${api}/predict`, { method: "POST" }), 400, 415);
      problemOf(
        await send(`${api}/predict`, { method: "POST", headers: { "content-type": "application/json" }, body: "" }),
        400,
        415,
      );
    },
  },
  {
    name: "another content type is refused with 415, broken JSON with 400",
    async run({ api }) {
      const body = JSON.stringify(animal("M"));
      problemOf(await send(`${api}/predict`, { method: "POST", headers: { "content-type": "text/csv" }, body }), 415);
      const headers = { "content-type": "application/json" };
      problemOf(await send(`${api}/predict`, { method: "POST", headers, body: body.slice(0, -1) }), 400);
    },
  },
  {
    name: "nonsense is refused with 400, every field named, and nothing of it comes back as HTML",
    async run({ website, api }) {
      const nonsense = { ...animal("M"), sex: markup, length: -1, height: null, wholeWeight: "heavy" };
      for (const base of [api, `${website}/api`]) {
        const answer = await postJson(`${base}/predict`, nonsense);
        const fields = fieldsOf(problemOf(answer, 400));
        for (const field of ["sex", "length", "height", "wholeWeight"]) {
          expectThat(fields.includes(field), answer, `an error for the field ${field}`);
        }
        expectThat(!fields.includes("diameter"), answer, "no error for the diameter, which is right");
        expectNoMarkup(answer);
      }
    },
  },
  {
    name: "half a character is refused with 400, its field named",
    async run({ api }) {
      const half = "\ud800";
      const message = { name: half, email: `${half}@example.com`, message: half };
      const refusals = [
        [await postJson(`${api}/predict`, { ...animal("M"), sex: half }), ["sex"]],
        [await postJson(`${api}/contact`, message), Object.keys(message)],
      ] as const;
      for (const [answer, wrong] of refusals) {
        const fields = fieldsOf(problemOf(answer, 400));
        for (const field of wrong) {
          expectThat(fields.includes(field), answer, `an error for the field ${field}`);
        }
      }
    },
  },
  {
    name: "a huge body is refused with 413",
    async run({ api }) {
      const answer = await postJson(`${api}/predict`, { ...animal("M"), note: "x".repeat(8 * largestBody) });
      problemOf(answer, 413);
    },
  },
  {
    name: "an unknown address of the API is a 404: a problem at the API's own address, the 404 page at the website's",
    async run({ website, api }) {
      const through = await postJson(`${website}/api/no-such-address`, { ...animal("M"), sex: markup });
      expectStatus(through, 404);
      expectNoMarkup(through);
      if (api !== `${website}/api`) {
        problemOf(await postJson(`${api}/no-such-address`, animal("M")), 404);
      }
    },
  },
];

const contactChecks: readonly Check[] = [
  {
    // 202 is sent only when the message is stored; that it is the same one the second time, the identifier tells.
    name: "a contact message is accepted with 202, and sent twice it is still one",
    async run({ website }) {
      const message = {
        name: "System test",
        email: "system-test@example.com",
        message: `Sent by the system tests to ${website}: no answer needed.`,
      };
      const first = await postJson(`${website}/api/contact`, message);
      expectStatus(first, 202);
      const { id } = jsonOf(first);
      expectThat(typeof id === "string" && id !== "", first, "an identifier");
      const second = await postJson(`${website}/api/contact`, message);
      expectStatus(second, 202);
      expectThat(jsonOf(second).id === id, second, `the identifier of the first time, ${String(id)}`);
      const other = await postJson(`${website}/api/contact`, {
        ...message,
        message: `${message.message} Again.`,
        website: "x",
      });
      expectStatus(other, 202);
      expectThat(jsonOf(other).id !== id, other, "another identifier for another message");
    },
  },
  {
    name: "a contact message without a usable address is refused, and nothing of it comes back as HTML",
    async run({ api }) {
      const answer = await postJson(`${api}/contact`, { name: markup, email: markup, message: "" });
      const fields = fieldsOf(problemOf(answer, 400));
      for (const field of ["email", "message"]) {
        expectThat(fields.includes(field), answer, `an error for the field ${field}`);
      }
      expectNoMarkup(answer);
    },
  },
];

/** Every promise, in the order in which a failure tells most. */
export const checks: readonly Check[] = [...websiteChecks, ...predictionChecks, ...refusalChecks, ...contactChecks];
