import { setTimeout as sleep } from "node:timers/promises";
import { errorName, httpStatus } from "../shared/clients";

/**
 * All attempts take up to about 20 s: longer than SageMaker throttles a burst, shorter than the reserve before the
 * deadline.
 */
const maximumTries = 9;
const firstWait = 100;
const longestWait = 5_000;

/** Whether a retry may succeed: throttled, no answer, or a server error. */
export function isTransient(error: unknown): boolean {
  const status = httpStatus(error);
  return (
    status === undefined ||
    status === 429 ||
    status >= 500 ||
    /throttl|toomanyrequests|limitexceeded|unavailable|internal/i.test(errorName(error))
  );
}

/**
 * Retries transient errors, with growing and random waits.
 * @param wait waits some ms; tests replace it
 * @throws the last error
 */
export async function putWithRetries<Result>(
  put: () => Promise<Result>,
  wait: (milliseconds: number) => Promise<unknown> = sleep,
): Promise<Result> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await put();
    } catch (error) {
      if (tried >= maximumTries || !isTransient(error)) {
        throw error;
      }
      const ceiling = Math.min(firstWait * 2 ** tried, longestWait);
      await wait(ceiling * (0.5 + Math.random() / 2));
    }
  }
}
