/**
 * The bundler's replacement for the package `semver`. X-Ray's SDK only calls it to check whether version 2 of the AWS
 * SDK can be traced. Handlers have version 3, so it is never called, and each traced handler's archive is 10 KB
 * smaller.
 */

/**
 * Same interface as `semver`.
 * @throws Error always
 */
export function gte(version: string, minimum: string): never {
  throw new Error(
    `Whether ${version} is at least ${minimum} is not known: handlers are bundled without semver. Trace clients of version 3 of the AWS SDK by captureAWSv3Client.`,
  );
}
