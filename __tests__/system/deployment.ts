/** A deployed stage as its visitors see it: two addresses, and requests whose failures say where to look. */
import { camelCase, measures } from "../../survey/feature-contract";

/** Where a stage answers. */
export interface Deployment {
  /** The website's address, without a slash at its end. */
  readonly website: string;
  /** The API's address, which ends in /api. */
  readonly api: string;
}

/** An answer with its body read. */
export interface Answer {
  /** The request, for messages: `POST https://…/api/predict`. */
  readonly request: string;
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** How a request differs from a GET without a body. */
export interface RequestOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Longer than API Gateway waits for a function (30 s): what takes longer will not come. */
const patienceMilliseconds = 35_000;

const howToSet =
  "Set WEBSITE to the stage's address and API to its API, which ends in /api, for example: " +
  "WEBSITE=https://d111111abcdef8.cloudfront.net API=https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/api " +
  "npx jest --selectProjects system. " +
  "A deployed stage publishes both as SSM parameters: /acme/<environment>/TestWebsite and /acme/<environment>/TestApi.";

function address(name: string, value: string): string {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (!url || !["http:", "https:"].includes(url.protocol)) {
    throw new Error(`${name} is '${value}', which is not an address that starts with https:// or http://. ${howToSet}`);
  }
  if (url.search || url.hash) {
    throw new Error(`${name} is '${value}': leave out what follows ? or #. ${howToSet}`);
  }
  return url.href.replace(/\/+$/, "");
}

/**
 * Reads which stage is to be tested.
 * @throws Error that says how to set what is missing or wrong
 */
export function deploymentFrom(environment: Readonly<Record<string, string | undefined>>): Deployment {
  const { WEBSITE, API } = environment;
  if (!WEBSITE) {
    throw new Error(`WEBSITE is not set: which stage shall be tested? ${howToSet}`);
  }
  const website = address("WEBSITE", WEBSITE);
  const api = address("API", API ?? `${website}/api`);
  if (!api.endsWith("/api")) {
    throw new Error(`API is '${api}', but the API's address ends in /api. ${howToSet}`);
  }
  return { website, api };
}

function cause(error: unknown): string {
  if (!(error instanceof Error)) {
    return String(error);
  }
  const inner: unknown = error.cause;
  return inner instanceof Error && inner.message ? inner.message : error.message;
}

/**
 * Sends a request and reads the whole answer; redirects are not followed.
 * @throws Error that names the request when nothing answers, or not in time
 */
export async function send(url: string, options: RequestOptions = {}): Promise<Answer> {
  const request = `${options.method ?? "GET"} ${url}`;
  try {
    const response = await fetch(url, {
      ...options,
      redirect: "manual",
      signal: AbortSignal.timeout(patienceMilliseconds),
    });
    return { request, status: response.status, headers: response.headers, text: await response.text() };
  } catch (error) {
    throw new Error(
      `${request} got no answer: ${cause(error)}. Is the stage deployed, and is this its address? A new CloudFront distribution takes some minutes.`,
      { cause: error },
    );
  }
}

/** Posts a value as JSON. */
export function postJson(url: string, value: unknown): Promise<Answer> {
  return send(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(value),
  });
}

/** What an answer was, in one line for a message. */
export function describeAnswer({ request, status, headers, text }: Answer): string {
  const type = headers.get("content-type") ?? "no content type";
  return `${request} answered ${status} (${type}): ${text.slice(0, 300).replace(/\s+/g, " ") || "an empty body"}`;
}

/** Where operations people find out more about a status that nobody wants. */
function hint(status: number): string {
  if (status === 429) {
    return " The stage throttles: try again when less is going on.";
  }
  if (status === 503) {
    return " The model can't answer: look at the endpoint's status and at the predict function's log.";
  }
  if (status >= 500) {
    return " Look at the log of the function behind this address.";
  }
  if (status === 403) {
    return " CloudFront or S3 refused: look at the bucket policy and the origin access control.";
  }
  return "";
}

/** @throws Error with the whole answer in short when the status is none of those expected */
export function expectStatus(answer: Answer, ...expected: readonly number[]): void {
  if (expected.includes(answer.status)) {
    return;
  }
  throw new Error(`${describeAnswer(answer)}. Expected ${expected.join(" or ")}.${hint(answer.status)}`);
}

/** @throws Error when the content type is another one; parameters such as the charset don't count */
export function expectType(answer: Answer, expected: string): void {
  const type = answer.headers.get("content-type")?.split(";")[0]?.trim().toLowerCase();
  if (type !== expected) {
    throw new Error(`${describeAnswer(answer)}. Expected the content type ${expected}.`);
  }
}

/** @throws Error with `expectation` and the answer in short when the condition doesn't hold */
export function expectThat(condition: boolean, answer: Answer, expectation: string): void {
  if (!condition) {
    throw new Error(`${describeAnswer(answer)}. Expected ${expectation}.`);
  }
}

/**
 * The answer's body as a JSON object.
 * @throws Error when it is none
 */
export function jsonOf(answer: Answer): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(answer.text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      return value as Record<string, unknown>;
    }
  } catch {
    // Reported below, with the answer.
  }
  throw new Error(`${describeAnswer(answer)}. Expected a JSON object.`);
}

/**
 * The problem that an answer tells (RFC 9457).
 * @throws Error when the answer is no problem with this status
 */
export function problemOf(answer: Answer, ...statuses: readonly number[]): Record<string, unknown> {
  expectStatus(answer, ...statuses);
  expectType(answer, "application/problem+json");
  const problem = jsonOf(answer);
  expectThat(problem.status === answer.status, answer, "the problem's own status to be the answer's");
  expectThat(typeof problem.title === "string" && problem.title !== "", answer, "a problem with a title");
  return problem;
}

/** Rounds to a measure's step and keeps it in its range. */
function measured(value: number, { minimum, maximum, step }: (typeof measures)[number]): number {
  const steps = Math.round(value / step) * step;
  return Number(Math.min(maximum, Math.max(minimum, steps)).toFixed(2));
}

/**
 * An animal for the API: the contract's example, grown or shrunk. Weights go with the cube of the length.
 * @param sex one of the contract's categories
 * @param size 1 for the example itself, 0.5 for an animal half as long
 */
export function animal(sex: string, size = 1): Record<string, string | number> {
  return {
    sex,
    ...Object.fromEntries(
      measures.map((measure) => [
        camelCase(measure.name),
        measured(measure.example * (measure.unit === "g" ? size ** 3 : size), measure),
      ]),
    ),
  };
}

/**
 * Waits until a stage that has just been deployed has woken up: roles, endpoints and distributions need a moment.
 * Returns as soon as a prediction succeeds, or when the time is up: the tests tell what is wrong then.
 */
export async function awaitWarmUp({ website, api }: Deployment, seconds = 20): Promise<void> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const statuses = await Promise.all(
      [
        send(`${website}/`),
        postJson(`${api}/predict`, animal("M")),
        postJson(`${website}/api/predict`, animal("M")),
      ].map((answer) => answer.then(({ status }) => status).catch(() => 503)),
    );
    if (statuses.every((status) => status < 500 && status !== 429) || Date.now() > end) {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}
