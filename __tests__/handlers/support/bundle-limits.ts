/** What a function's archive may weigh, in bytes as Lambda gets it: it fetches it at every cold start. */
const usualLimit = 150_000;

/** The functions that may weigh more, each with its reason in docs/measurements.md. */
const exceptions: ReadonlyMap<string, number> = new Map([
  // The one with clients of three services, S3 among them. Nobody waits for it: it is called once a run, after
  // training.
  ["register-model", 180_000],
]);

/**
 * What the archive of a function may weigh.
 * @param name the handler's folder
 * @returns bytes
 */
export function bundleLimit(name: string): number {
  return exceptions.get(name) ?? usualLimit;
}
