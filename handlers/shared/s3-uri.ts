/** An object or a prefix in S3. */
export interface S3Location {
  readonly bucket: string;
  readonly key: string;
}

/**
 * Parses `s3://bucket/key`.
 * @throws Error that shows the value
 */
export function parseS3Uri(uri: string): S3Location {
  const match = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])\/(.+)$/.exec(uri);
  if (match?.[1] === undefined || match[2] === undefined) {
    throw new Error(`'${uri}' is not an S3 URI such as s3://bucket/key`);
  }
  return { bucket: match[1], key: match[2] };
}

/** A file below a prefix, whether or not the prefix ends with a slash. */
export function under(prefix: string, file: string): string {
  return `${prefix.replace(/\/+$/, "")}/${file}`;
}
