/**
 * What the bundler puts in the place of the package `semver`. X-Ray's SDK asks it one thing alone: whether version 2 of
 * the AWS SDK is new enough to be traced. Handlers have version 3, so it is never called, and each traced handler's
 * archive is 10 KB smaller.
 */

/**
 * As `semver` spells it.
 * @throws Error always
 */
export function gte(version: string, minimum: string): never {
  throw new Error(
    `Whether ${version} is at least ${minimum} is not known: handlers are bundled without semver. Trace clients of version 3 of the AWS SDK by captureAWSv3Client.`,
  );
}
