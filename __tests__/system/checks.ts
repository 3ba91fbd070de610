/**
 * What a stage has to prove before it is let through: that the website stands, that the model answers sensibly through it, and that bad input gets
 * the answers that the API promises. The checks know two addresses and the feature contract, nothing else.
 */
import { features, label, yearsBeyondRings } from "../../survey/contract";
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
  "content-security-policy": /default-src '(self|none)'/,
  "x-content-type-options": /^nosniff$/i,
  "referrer-policy": /^(no-referrer|same-origin|strict-origin|strict-origin-when-cross-origin)$/i,
};

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
    name: "the page comes with the headers that protect its visitors",
    async run({ website }) {
      const answer = await send(`${website}/`);
      const wanted = website.startsWith("https:")
        ? { ...securityHeaders, "strict-transport-security": /max-age=[1-9]/ }
        : securityHeaders;
      for (const [name, pattern] of Object.entries(wanted)) {
        const value = answer.headers.get(name);
        if (value !== null && pattern.test(value)) continue;
        throw new Error(
          `${answer.request}: the header ${name} is ${value === null ? "missing" : `'${value}'`}, expected one that matches ${String(pattern)}. ` +
            "Look at the distribution's response headers policy.",
        );
      }
      const policy = answer.headers.get("content-security-policy") ?? "";
      const framing = answer.headers.get("x-frame-options") ?? "";
      expectThat(!policy.includes("unsafe-"), answer, "a content security policy without exceptions");
      expectThat(
        /^(deny|sameorigin)$/i.test(framing) || policy.includes("frame-ancestors"),
        answer,
        "a header against being framed (X-Frame-Options, or frame-ancestors in the content security policy)",
      );
    },
  },
  {
    name: "everything that the page loads is there, with its type",
    async run({ website }) {
      const page = await send(`${website}/`);
      const links = [...page.text.matchAll(/<(?:link|script)\b[^>]*?\b(?:href|src)="([^"]+)"/g)].flatMap(
        ([, link]) => link ?? [],
      );
      expectThat(links.length >= 2, page, "a page with a script and a stylesheet");
      const types = { css: "text/css", js: "text/javascript", svg: "image/svg+xml" };
      for (const link of links) {
        const answer = await send(new URL(link, `${website}/`).href);
        expectStatus(answer, 200);
        const [, type] = Object.entries(types).find(([extension]) => link.endsWith(`.${extension}`)) ?? [];
        const given = answer.headers.get("content-type")?.replace("application/javascript", "text/javascript");
        if (type) expectThat(given?.startsWith(type) === true, answer, `the content type ${type}`);
      }
    },
  },
  {
    name: "an unknown page is the website's own 404 page",
    async run({ website }) {
      const answer = await send(`${website}/there/is/no-such-page?text=${encodeURIComponent(markup)}`);
      expectStatus(answer, 404);
      expectType(answer, "text/html");
      expectThat(answer.text.includes("There is no such page"), answer, "the website's 404 page");
      expectNoMarkup(answer);
    },
  },
  {
    name: "plain HTTP is sent on to HTTPS, where the website has it",
    async run({ website }) {
      if (!website.startsWith("https:")) return;
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
      if (!direct || !through) throw new Error("Two requests, two answers");
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
        for (const field of wrong) expectThat(fields.includes(field), answer, `an error for the field ${field}`);
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
    name: "an unknown address of the API is a 404 problem, not a page",
    async run({ website, api }) {
      for (const base of [api, `${website}/api`]) {
        problemOf(await postJson(`${base}/no-such-address`, animal("M")), 404);
      }
    },
  },
];

const contactChecks: readonly Check[] = [
  {
    name: "a contact message is accepted with 202 and gets an identifier",
    async run({ website }) {
      const answer = await postJson(`${website}/api/contact`, {
        name: "System test",
        email: "system-test@example.com",
        message: "Sent by the system tests: no answer needed.",
      });
      expectStatus(answer, 202);
      const { id } = jsonOf(answer);
      expectThat(typeof id === "string" && id !== "", answer, "an identifier");
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
