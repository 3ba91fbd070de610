/** Settings of the AWS SDK's clients. A handler makes each client once, when it starts. */

/** In ms. Inside AWS a connection takes milliseconds, so after this time a retry is better. */
const connectionTimeout = 2_000;

/** Retries throttling, network errors and server errors, with growing waits. */
export const clientOptions = {
  maxAttempts: 4,
  requestHandler: { connectionTimeout, requestTimeout: 10_000, throwOnRequestTimeout: true },
} as const;

/** The name of an error of any type. */
export function errorName(error: unknown): string {
  return error instanceof Error ? error.name : typeof error;
}

/** The message of an error of any type. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** AWS's HTTP status, if it answered. */
export function httpStatus(error: unknown): number | undefined {
  const metadata = (error as { $metadata?: { httpStatusCode?: number } } | undefined)?.$metadata;
  return metadata?.httpStatusCode;
}
