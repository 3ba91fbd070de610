import { spawn } from "node:child_process";
import { join } from "node:path";
import { securityHeaders } from "../../modules/site-delivery";
import { websiteFiles } from "../../web/build";
import { checks } from "../system/checks";
import { awaitWarmUp, deploymentFrom } from "../system/deployment";
import { type Interception, type ReceivedRequest, type Reply, WebsiteServer } from "./website-server";

jest.setTimeout(120_000);

const root = join(__dirname, "..", "..");
let website: WebsiteServer;

beforeAll(async () => {
  website = await WebsiteServer.start();
});

afterAll(() => website.stop());

beforeEach(() => {
  website.reset();
});

const json = (status: number, body: unknown, type = "application/json"): Reply => ({
  status,
  headers: { "content-type": type },
  body: JSON.stringify(body),
});
const problem = (status: number, extra: object = {}): Reply =>
  json(status, { type: "about:blank", title: "Problem", status, ...extra }, "application/problem+json");
const html = (status: number, body: string, headers: Readonly<Record<string, string>> = {}): Reply => ({
  status,
  headers: { "content-type": "text/html", ...headers },
  body,
});
const age = (years: number, changes: object = {}): Reply =>
  json(200, {
    rings: years - 1.5,
    age: { years, low: years - 2, high: years + 3, confidence: 0.9 },
    model: "m",
    ...changes,
  });

/** Replaces the answers to some requests. */
const on =
  (wanted: RegExp, reply: Reply | ((request: ReceivedRequest) => Reply | undefined)): Interception =>
  (request) => {
    if (!wanted.test(`${request.method} ${request.path}`)) {
      return undefined;
    }
    return typeof reply === "function" ? reply(request) : reply;
  };

let count = 0;

/** The headers of a good answer, but for some; over the website's own page. */
const without = (...names: readonly string[]): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(securityHeaders).filter(([name]) => !names.includes(name)));
const start = websiteFiles().get("index.html") as string;
const headersPromise = "every answer comes with the headers that protect a visitor: pages, the 404 page, and the API's";
const unknownAddress =
  "an unknown address of the API is a 404: a problem at the API's own address, the 404 page at the website's";
const contactPromise = "a contact message is accepted with 202, and sent twice it is still one";
const figures = "the model's figures are published for the pages to draw, or none at all";
const nothingElse = "no page loads anything in the clear or from elsewhere, or holds a script or a style itself";
const keeping =
  "what is named after its content is kept for ever, a page is not kept unasked, an answer of the API not at all";
/** The start page, changed: a fault in what it holds. */
const changedPage = (change: (page: string) => string): Interception =>
  on(/GET \/$/, html(200, change(start), without()));

/** What may be wrong with a stage: the promise that it breaks, and the fault. */
const faults: readonly (readonly [promise: string, fault: string, interception: Interception])[] = [
  ["the website answers with its page, as HTML", "an error page", on(/GET \/$/, html(403, "<Error/>"))],
  ["the website answers with its page, as HTML", "another page", on(/GET \/$/, html(200, "It works!"))],
  ["the website answers with its page, as HTML", "a download", on(/GET \/$/, { status: 200, body: "Length" })],
  [
    "every page that the site leads to is there, as HTML",
    "a link into nothing",
    changedPage((page) => page.replace("<body", '<body><a href="gone.html">Gone</a><i')),
  ],
  [
    "every page that the site leads to is there, as HTML",
    "a page that is a download",
    on(/GET \/privacy\.html$/, { status: 200, headers: { "content-type": "binary/octet-stream" }, body: "" }),
  ],
  ["every page that the site leads to is there, as HTML", "a page alone", on(/GET \/$/, html(200, "<title>A</title>"))],
  [headersPromise, "no headers on a page", on(/GET \/$/, html(200, start))],
  [headersPromise, "no headers on the 404 page", on(/no-such-page/, html(404, "<title>Not found</title>"))],
  [headersPromise, "no headers on the API's answers", on(/ \/api\/predict/, age(10))],
  [
    headersPromise,
    "a policy with an exception",
    on(
      /GET \/$/,
      html(200, start, {
        ...without(),
        "content-security-policy": "default-src 'none'; frame-ancestors 'none'; script-src 'unsafe-inline'",
      }),
    ),
  ],
  ...Object.keys(securityHeaders)
    .filter((name) => name !== "strict-transport-security")
    .map((name) => [headersPromise, `no ${name}`, on(/GET \/$/, html(200, start, without(name)))] as const),
  [
    headersPromise,
    "a page that may see through the camera",
    on(/GET \/$/, html(200, start, { ...without(), "permissions-policy": "microphone=(), geolocation=()" })),
  ],
  [
    nothingElse,
    "a script of somebody else's",
    changedPage((page) => page.replace("</head>", '<script src="https://cdn.example.com/a.js"></script></head>')),
  ],
  [
    nothingElse,
    "a picture in the clear",
    changedPage((page) => page.replace("</main>", '<img alt="" src="http://example.com/a.png"></main>')),
  ],
  [
    nothingElse,
    "a style in the page",
    changedPage((page) => page.replace("</main>", '<p style="color: red">!</p></main>')),
  ],
  [nothingElse, "a script in the page", changedPage((page) => page.replace("</main>", "<script>1</script></main>"))],
  [
    nothingElse,
    "a handler in the page",
    changedPage((page) => page.replace("</main>", '<p onclick="a()">!</p></main>')),
  ],
  [
    nothingElse,
    "a form that is sent elsewhere",
    changedPage((page) => page.replace("</main>", '<form action="https://example.com/"></form></main>')),
  ],
  [keeping, "a page that is kept for a day", on(/GET \/$/, html(200, start, { "cache-control": "max-age=86400" }))],
  [keeping, "a page that browsers keep as long as they like", on(/GET \/$/, html(200, start))],
  [
    keeping,
    "a script that is asked for each time",
    on(/\.js$/, { status: 200, headers: { "cache-control": "no-cache" }, body: "" }),
  ],
  [
    keeping,
    "a stylesheet without a hash",
    on(
      /GET \/$/,
      html(200, start.replace(/styles\.[0-9a-f]+\.css/g, "styles.css").replace(/\.[0-9a-f]{12}\.js/g, ".js"), {
        "cache-control": "no-cache",
      }),
    ),
  ],
  [keeping, "an age that is kept", on(/ \/api\/predict/, { ...age(10), headers: { "cache-control": "max-age=60" } })],
  ["a method that pages don't take is refused with 403", "it is taken", on(/POST \/index\.html/, html(200, ""))],
  [
    "a method that pages don't take is refused with 403",
    "the input as HTML",
    on(/POST \/index\.html/, ({ body }) => html(403, body)),
  ],
  [figures, "a page in their place", on(/model\.json/, html(200, "This page does not exist"))],
  [figures, "another version", on(/model\.json/, json(200, { version: 2, survey: { points: [[91, 10]] } }))],
  [figures, "no points", on(/model\.json/, json(200, { version: 1, survey: { points: [] } }))],
  [figures, "points that are none", on(/model\.json/, json(200, { version: 1, survey: { points: [[91, null]] } }))],
  [figures, "figures without end", on(/model\.json/, json(200, { version: 1, more: "x".repeat(41_000) }))],
  [figures, "a failure", on(/model\.json/, html(500, ""))],
  [figures, "nothing there", on(/model\.json/, html(404, "This page does not exist"))],
  ["the website publishes the description of its API", "it is not there", on(/openapi/, html(404, "gone"))],
  [
    "the website publishes the description of its API",
    "a document of nothing",
    on(/openapi/, json(200, { openapi: "3.1.0" })),
  ],
  [
    "the website publishes the description of its API",
    "an older one",
    on(/openapi/, json(200, { openapi: "3.0.0", paths: {} })),
  ],
  ["everything that the page loads is there, with its type", "no script", on(/\.js$/, html(404, "gone"))],
  [
    "everything that the page loads is there, with its type",
    "a stylesheet of the wrong type",
    on(/\.css$/, { status: 200, headers: { "content-type": "binary/octet-stream" }, body: "a{}" }),
  ],
  ["an unknown page is the website's own 404 page", "S3's own error", on(/no-such-page/, html(403, "<Error/>"))],
  [
    "an unknown page is the website's own 404 page",
    "a 200",
    on(/no-such-page/, html(200, "<title>Page not found</title>")),
  ],
  [
    "an unknown page is the website's own 404 page",
    "the address as HTML",
    on(/no-such-page/, html(404, "<title>Page not found</title><script>alert(1)</script>")),
  ],
  [
    "an animal of either sex and an infant get a plausible age within its range",
    "no model",
    on(/predict/, problem(503)),
  ],
  [
    "an animal of either sex and an infant get a plausible age within its range",
    "an age of 80",
    on(/predict/, age(80)),
  ],
  [
    "an animal of either sex and an infant get a plausible age within its range",
    "an age of 1.6",
    on(/predict/, age(1.6)),
  ],
  [
    "an animal of either sex and an infant get a plausible age within its range",
    "an age beside its range",
    on(/predict/, age(10, { age: { years: 10, low: 11, high: 12, confidence: 0.9 } })),
  ],
  [
    "an animal of either sex and an infant get a plausible age within its range",
    "rings that are not the age's",
    on(/predict/, age(10, { rings: 10 })),
  ],
  [
    "an animal of either sex and an infant get a plausible age within its range",
    "no model's name",
    on(/predict/, age(10, { model: "" })),
  ],
  [
    "an animal of either sex and an infant get a plausible age within its range",
    "an age that is text",
    on(/predict/, age(10, { rings: "8.5" })),
  ],
  [
    "the same animal gets the same age every time",
    "another age each time",
    on(/predict/, () => age(10 + (count++ % 5))),
  ],
  [
    "a full-grown animal is older than a juvenile: the measures reach the model",
    "one age for all",
    on(/predict/, age(10)),
  ],
  [
    "a full-grown animal is older than a juvenile: the measures reach the model",
    "an age that falls steeply with size",
    on(/predict/, ({ body }) => {
      const { length } = JSON.parse(body) as { length: number };
      return age(length > 120 ? 7 : length > 60 ? 15 : 5);
    }),
  ],
  ["the website and the API give the same answer", "another model behind the website", on(/ \/api\/predict/, age(9))],
  ["the website and the API give the same answer", "no way through the website", on(/ \/api\//, html(403, "<Error/>"))],
  ["GET predict is refused with 405, and told which methods there are", "a 404", on(/GET .*predict/, problem(404))],
  ["GET predict is refused with 405, and told which methods there are", "no Allow", on(/GET .*predict/, problem(405))],
  ["an empty body is refused with 400 or 415", "a 500", on(/predict/, problem(500))],
  ["an empty body is refused with 400 or 415", "a 200", on(/predict/, age(10))],
  ["another content type is refused with 415, broken JSON with 400", "it is taken", on(/predict/, age(10))],
  [
    "nonsense is refused with 400, every field named, and nothing of it comes back as HTML",
    "fields unnamed",
    on(/predict/, problem(400, { errors: [{ field: "sex" }] })),
  ],
  [
    "nonsense is refused with 400, every field named, and nothing of it comes back as HTML",
    "the input as HTML",
    on(/predict/, ({ body }) => html(400, body)),
  ],
  [
    "nonsense is refused with 400, every field named, and nothing of it comes back as HTML",
    "the website's page in place of the problem",
    on(/ \/api\/predict/, html(404, "This page does not exist")),
  ],
  ["half a character is refused with 400, its field named", "it is taken", on(/predict/, age(10))],
  ["half a character is refused with 400, its field named", "it isn't stored", on(/contact/, problem(503))],
  [
    "half a character is refused with 400, its field named",
    "fields unnamed",
    on(/contact/, problem(400, { errors: [{ field: "name" }] })),
  ],
  ["a huge body is refused with 413", "it is taken", on(/predict/, age(10))],
  ["a huge body is refused with 413", "a bare 413", on(/predict/, json(413, { message: "Too large" }))],
  [unknownAddress, "a page at the API's own address", on(/directly.*no-such-address/, html(404, "gone"))],
  [unknownAddress, "an answer of 200", on(/ \/api\/no-such-address/, age(10))],
  [unknownAddress, "the input as HTML", on(/ \/api\/no-such-address/, ({ body }) => html(404, body))],
  [unknownAddress, "API Gateway's own answer", on(/directly.*no-such-address/, json(404, { message: "Not Found" }))],
  [contactPromise, "no identifier", on(/contact/, json(202, {}))],
  [contactPromise, "it isn't stored", on(/contact/, problem(503))],
  [contactPromise, "two messages of one", on(/contact/, () => json(202, { id: String(count++) }))],
  [contactPromise, "one identifier for all", on(/contact/, json(202, { id: "1" }))],
  [
    "a contact message without a usable address is refused, and nothing of it comes back as HTML",
    "it is taken",
    on(/contact/, json(202, { id: "1" })),
  ],
];

/** Promises that only an address with https:// can break. */
const overTlsOnly = ["plain HTTP is sent on to HTTPS, where the website has it"];

describe("the checks of a deployed stage", () => {
  test.each(checks.map((check) => [check.name, check] as const))("hold for a good one: %s", async (_, check) => {
    await expect(check.run({ website: website.address, api: website.api })).resolves.toBeUndefined();
  });

  test.each(faults)("%s: notices %s", async (promise, _, interception) => {
    const check = checks.find(({ name }) => name === promise)!;
    website.intercept = interception;
    await expect(check.run({ website: website.address, api: website.api })).rejects.toThrow(
      /^(GET|POST) http:\/\/127\.0\.0\.1:\d+\S* answered \d{3} .*Expected |: the header .* is (missing|'.*'), expected |have to be numbers/s,
    );
  });

  describe("over TLS", () => {
    const deployment = { website: "https://example.org", api: "https://example.org/api" };
    const check = (name: string): (typeof checks)[number] => checks.find((candidate) => candidate.name === name)!;
    const answerAll = (status: number, headers: Readonly<Record<string, string>>): void => {
      jest.spyOn(globalThis, "fetch").mockImplementation(() => Promise.resolve(new Response("", { status, headers })));
    };

    afterEach(() => {
      jest.restoreAllMocks();
    });

    test("plain HTTP must be redirected to HTTPS", async () => {
      const { run } = check(overTlsOnly[0]!);
      answerAll(301, { location: "https://example.org/" });
      await expect(run(deployment)).resolves.toBeUndefined();
      expect(fetch).toHaveBeenCalledWith("http://example.org", expect.anything());
      answerAll(301, { location: "http://example.org/" });
      await expect(run(deployment)).rejects.toThrow("Expected a redirect to https://");
      answerAll(200, {});
      await expect(run(deployment)).rejects.toThrow("Expected 301 or 302 or 307 or 308");
    });

    test("the browser must be told to stay with HTTPS, for at least a year", async () => {
      const { run } = check(headersPromise);
      answerAll(200, without("strict-transport-security"));
      await expect(run(deployment)).rejects.toThrow("the header strict-transport-security is missing");
      answerAll(200, { ...without(), "strict-transport-security": "max-age=31535999" });
      await expect(run(deployment)).rejects.toThrow(
        "Expected Strict-Transport-Security for 31536000 seconds at least, not 31535999",
      );
      answerAll(200, { ...without(), "strict-transport-security": "max-age=31536000" });
      await expect(run(deployment)).resolves.toBeUndefined();
    });
  });

  test("each has a fault that breaks it", () => {
    const broken = new Set([...faults.map(([promise]) => promise), ...overTlsOnly]);
    expect([...broken].sort()).toEqual(checks.map(({ name }) => name).sort());
  });

  test("say what to do when nothing answers", async () => {
    const closed = { website: "http://127.0.0.1:1", api: "http://127.0.0.1:1/api" };
    await expect(checks[0]!.run(closed)).rejects.toThrow(
      /^GET http:\/\/127\.0\.0\.1:1\/ got no answer: .*Is the stage deployed/,
    );
  });
});

describe("the address of the stage", () => {
  test("may end in a slash, and the API defaults to the website's", () => {
    expect(deploymentFrom({ WEBSITE: "https://example.org/" })).toEqual({
      website: "https://example.org",
      api: "https://example.org/api",
    });
  });

  test.each([
    [{}, "WEBSITE is not set"],
    [{ WEBSITE: "" }, "WEBSITE is not set"],
    [{ WEBSITE: "example.org" }, "WEBSITE is 'example.org', which is not an address"],
    [{ WEBSITE: "s3://bucket" }, "WEBSITE is 's3://bucket', which is not an address"],
    [{ WEBSITE: "https://example.org/?a=1" }, "leave out what follows ? or #"],
    [{ WEBSITE: "https://example.org", API: "https://example.org/v1" }, "the API's address ends in /api"],
  ])("%j is refused, with how to set it", (environment, reason) => {
    expect(() => deploymentFrom(environment)).toThrow(reason);
    expect(() => deploymentFrom(environment)).toThrow("npx jest --selectProjects system");
  });
});

describe("warming up", () => {
  test("waits until a model that is about to start answers", async () => {
    let failures = 2;
    website.intercept = on(/ \/api\/predict/, () => (failures-- > 0 ? problem(503) : age(10)));
    await awaitWarmUp({ website: website.address, api: website.api });
    expect(failures).toBeLessThan(0);
  });

  test("ends when the time is over, and the checks decide", async () => {
    website.intercept = on(/predict/, problem(503));
    await expect(awaitWarmUp({ website: website.address, api: website.api }, 0)).resolves.toBeUndefined();
  });
});

describe("the command of the pipeline", () => {
  const run = (environment: Readonly<Record<string, string>>): Promise<{ status: number | null; output: string }> =>
    new Promise((resolve, reject) => {
      const jest = join(root, "node_modules", "jest", "bin", "jest.js");
      const child = spawn(process.execPath, [jest, "--selectProjects", "system", "--verbose"], {
        cwd: root,
        env: { PATH: process.env.PATH, HOME: process.env.HOME, ...environment },
      });
      let output = "";
      const collect = (chunk: Buffer): void => {
        output += chunk.toString("utf8");
      };
      child.stdout.on("data", collect);
      child.stderr.on("data", collect);
      child.on("error", reject);
      child.on("close", (status) => {
        resolve({ status, output });
      });
    });

  test("passes for a good stage and lists what it proved", async () => {
    const { status, output } = await run({ WEBSITE: `${website.address}/`, API: website.api });
    expect(output).toContain(`Tests:       ${checks.length} passed, ${checks.length} total`);
    for (const { name } of checks) {
      expect(output).toContain(name);
    }
    expect(status).toBe(0);
    expect(website.messages).toHaveLength(1);
  });

  test("fails for a stage that fails a check, and says which and how", async () => {
    website.intercept = on(/no-such-address/, html(404, "gone"));
    const { status, output } = await run({ WEBSITE: website.address, API: website.api });
    expect(status).toBe(1);
    expect(output).toContain(`Tests:       1 failed, ${checks.length - 1} passed`);
    expect(output).toContain(
      `POST ${website.api}/no-such-address answered 404 (text/html): gone. Expected the content type application/problem+json.`,
    );
  });

  test("fails without an address, and says how to give one", async () => {
    const { status, output } = await run({});
    expect(status).toBe(1);
    expect(output).toContain("WEBSITE is not set: which stage shall be tested?");
    expect(output).toContain("WEBSITE=https://");
  });
});
