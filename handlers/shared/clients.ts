/** Settings of the AWS SDK's clients, each of which a handler makes once, when it starts. */

/** Connecting takes milliseconds inside of AWS: a slow answer means that a retry is the better way. Times in ms. */
const connectionTimeout = 2_000;

/** Retries, with growing waits, of throttling, network faults and server errors. */
export const clientOptions = {
  maxAttempts: 4,
  requestHandler: { connectionTimeout, requestTimeout: 10_000, throwOnRequestTimeout: true },
} as const;

/** The name of an error, whatever was thrown. */
export function errorName(error: unknown): string {
  return error instanceof Error ? error.name : typeof error;
}

/** The message of an error, whatever was thrown. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The status with which AWS answered, if it answered. */
export function httpStatus(error: unknown): number | undefined {
  const metadata = (error as { $metadata?: { httpStatusCode?: number } } | undefined)?.$metadata;
  return metadata?.httpStatusCode;
}
