import { createWriteStream, mkdirSync, promises, readdirSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { pipeline } from "node:stream/promises";
import type { Readable } from "node:stream";
import type { AwsClients } from "../aws";
import { eachOf } from "../concurrency";
import { messageOf, nameOf } from "../protocol/errors";
import { AccessError } from "../role-session";

const transfersAtOnce = 8;

/**
 * Bucket and key of an S3 address, `s3://bucket/key`.
 * @throws Error when the text is not an S3 address
 */
export function parseS3Uri(uri: string): { bucket: string; key: string } {
  const match = /^s3:\/\/([^/]+)\/?(.*)$/s.exec(uri);
  if (match?.[1] === undefined) {
    throw new Error(`'${uri}' is not an S3 address: expected s3://bucket/key.`);
  }
  return { bucket: match[1], key: match[2] ?? "" };
}

/** `uri` with `name` as a further part of its key, whether or not it ends in a slash. */
export function joinS3Uri(uri: string, ...names: string[]): string {
  return [uri.replace(/\/+$/, ""), ...names].join("/");
}

/** What a job's inputs and outputs do with S3. Errors about the job's own addresses have SageMaker's wording. */
export class ObjectStorage {
  constructor(
    private readonly clients: AwsClients,
    private readonly region: string,
  ) {}

  /**
   * Downloads every object under a prefix into `folder`, as the data type S3Prefix does: an object whose key is the
   * prefix itself keeps the last part of its key, others keep what follows the prefix.
   * @throws Error when there is no object, or an object's key would leave the folder
   * @throws AccessError when the role must not read them
   */
  async downloadPrefix(uri: string, folder: string): Promise<void> {
    try {
      await this.downloadObjects(uri, folder);
    } catch (error) {
      throw error instanceof AccessError
        ? new AccessError(`Data download failed:Unable to download ${uri} (${messageOf(error)})`, { cause: error })
        : error;
    }
  }

  private async downloadObjects(uri: string, folder: string): Promise<void> {
    const { bucket, key: prefix } = parseS3Uri(uri);
    const keys = await this.list(uri, bucket, prefix);
    const base = keys.some((key) => key.startsWith(`${prefix}/`) || prefix === "")
      ? withSlash(prefix)
      : parentOf(prefix);
    const wanted = keys.filter((key) => !key.endsWith("/") && key.startsWith(base));
    if (wanted.length === 0) {
      throw new Error(
        `No S3 objects found under S3 URL "${uri}" given in input data source. Please ensure that the bucket exists in ` +
          `the selected region (${this.region}) and that objects exist under that S3 prefix`,
      );
    }
    await eachOf(wanted, transfersAtOnce, async (key) => {
      const file = join(folder, key.slice(base.length));
      if (!file.startsWith(folder + sep)) {
        throw new Error(
          `The S3 key "${key}" in bucket "${bucket}" would be written outside of its input's folder: rename the object`,
        );
      }
      await this.downloadObject(`s3://${bucket}/${key}`, file);
    });
  }

  /**
   * Downloads one object.
   * @throws Error when it does not exist
   */
  async downloadObject(uri: string, file: string): Promise<void> {
    const { bucket, key } = parseS3Uri(uri);
    try {
      const { Body } = await (await this.clients.s3()).getObject({ Bucket: bucket, Key: key });
      mkdirSync(dirname(file), { recursive: true });
      await pipeline(Body as Readable, createWriteStream(file));
    } catch (error) {
      if (!["NoSuchKey", "NoSuchBucket", "NotFound"].includes(nameOf(error))) {
        throw error;
      }
      throw new Error(`Could not find the S3 object "${uri}"`, { cause: error });
    }
  }

  async uploadFile(file: string, uri: string): Promise<void> {
    const { bucket, key } = parseS3Uri(uri);
    const body = await promises.readFile(file);
    await (await this.clients.s3()).putObject({ Bucket: bucket, Key: key, Body: body });
  }

  async uploadText(text: string, uri: string): Promise<void> {
    const { bucket, key } = parseS3Uri(uri);
    await (await this.clients.s3()).putObject({ Bucket: bucket, Key: key, Body: text });
  }

  /** Whether there is any object under a prefix. */
  async hasObjects(uri: string): Promise<boolean> {
    const { bucket, key } = parseS3Uri(uri);
    const s3 = await this.clients.s3();
    const { KeyCount = 0 } = await s3.listObjectsV2({ Bucket: bucket, Prefix: key, MaxKeys: 1 });
    return KeyCount > 0;
  }

  /** Uploads every file in `folder` under `uri`, by its path in the folder. */
  async uploadFolder(folder: string, uri: string): Promise<void> {
    await eachOf(filesIn(folder), transfersAtOnce, async (name) => {
      await this.uploadFile(join(folder, name), joinS3Uri(uri, ...name.split(sep)));
    });
  }

  private async list(uri: string, bucket: string, prefix: string): Promise<string[]> {
    const s3 = await this.clients.s3();
    const keys: string[] = [];
    let token: string | undefined;
    do {
      const page = await s3
        .listObjectsV2({ Bucket: bucket, Prefix: prefix, ContinuationToken: token })
        .catch((error: unknown) => {
          if (nameOf(error) !== "NoSuchBucket") {
            throw error;
          }
          throw new Error(`The S3 bucket of "${uri}" does not exist`);
        });
      keys.push(...(page.Contents ?? []).flatMap(({ Key }) => (Key === undefined ? [] : [Key])));
      token = page.NextContinuationToken;
    } while (token !== undefined);
    return keys;
  }
}

/** Paths of all files under `folder`, relative to it, in their order. */
export function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}

const withSlash = (prefix: string): string => (prefix === "" || prefix.endsWith("/") ? prefix : `${prefix}/`);
const parentOf = (key: string): string => key.slice(0, key.lastIndexOf("/") + 1);
