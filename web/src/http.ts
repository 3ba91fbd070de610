/** Sends a form's content to the API and turns every result into one of three outcomes. */
import type { ScriptMessages } from "../messages/en";

/** A value that the API refused: its name for the field (empty for the whole request), and what it expects. */
export interface Refusal {
  readonly field: string;
  readonly expected: string;
}

/** The outcome of a request: an answer, values to correct, or a failure in plain words. */
export type Outcome =
  | { readonly kind: "answered"; readonly body: unknown }
  | { readonly kind: "refused"; readonly refusals: readonly Refusal[] }
  | { readonly kind: "failed"; readonly reason: string };

/** API Gateway's own limit is 30 s; a slow connection at sea gets a little longer. */
const patienceMilliseconds = 40_000;

/** Whether a value is an object with properties. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function refusalsOf(body: unknown): Refusal[] {
  if (!isRecord(body) || !Array.isArray(body.errors)) {
    return [];
  }
  return body.errors.flatMap((entry: unknown) =>
    isRecord(entry) && typeof entry.field === "string" && typeof entry.expected === "string"
      ? [{ field: entry.field, expected: entry.expected }]
      : [],
  );
}

type Words = ScriptMessages["failure"];

function waiting(retryAfter: string | null, words: Words): string {
  const seconds = Number(retryAfter);
  return words.again(retryAfter && Number.isFinite(seconds) && seconds > 1 ? Math.ceil(seconds) : undefined);
}

function failureOf(response: Response, words: Words): string {
  const again = waiting(response.headers.get("retry-after"), words);
  switch (response.status) {
    case 413:
      return words.tooLong;
    case 429:
      return words.tooMany(again);
    case 502:
    case 503:
    case 504:
      return words.unavailable(again);
    default:
      return words.broken(response.status);
  }
}

/**
 * Posts `content` as JSON to `address`.
 * Never throws: a lost connection, a late answer and an answer that is not JSON are failures with a reason.
 */
export async function post(address: string, content: unknown, words: Words): Promise<Outcome> {
  let response: Response;
  try {
    response = await fetch(address, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json, application/problem+json" },
      body: JSON.stringify(content),
      signal: AbortSignal.timeout(patienceMilliseconds),
    });
  } catch (error) {
    const late = error instanceof DOMException && error.name === "TimeoutError";
    return { kind: "failed", reason: late ? words.late : words.offline };
  }
  const body: unknown = await response.json().catch(() => undefined);
  if (response.ok) {
    return { kind: "answered", body };
  }
  const refusals = response.status === 400 ? refusalsOf(body) : [];
  return refusals.length > 0 ? { kind: "refused", refusals } : { kind: "failed", reason: failureOf(response, words) };
}
