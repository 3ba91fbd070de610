import { setTimeout as sleep } from "node:timers/promises";
import { errorName, httpStatus } from "../shared/clients";

/**
 * Tries, waits included, take up to about 20 s: longer than SageMaker throttles a burst, shorter than the time kept
 * before the deadline.
 */
const maximumTries = 9;
const firstWait = 100;
const longestWait = 5_000;

/** Whether the same request may well succeed later: throttled, not answered, or failed inside of the service. */
export function isTransient(error: unknown): boolean {
  const status = httpStatus(error);
  return (
    status === undefined ||
    status === 429 ||
    status >= 500 ||
    /throttl|toomanyrequests|limitexceeded|unavailable/i.test(errorName(error))
  );
}

/**
 * Tries again, with growing and random waits, as long as the error is transient.
 * @param wait waits some ms; a test may have no time to wait
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
