/**
 * Counts messages by visitor without identifying the visitor: the addresses of a request become short codes that mean
 * nothing after an hour.
 *
 * A code is a keyed hash of address and hour. The random key is in the table of the counters and is replaced every day.
 * After that nobody, not even we, can find the addresses by trying all of them, which is possible for a hash without a
 * key.
 */
import { createHmac, randomBytes } from "node:crypto";
import { isIP } from "node:net";
import { ConditionalCheckFailedException, type DynamoDBClient, UpdateItemCommand } from "@aws-sdk/client-dynamodb";
import type { APIGatewayProxyEventV2 } from "aws-lambda";
import { header } from "../shared/http";

/** The addresses by which a visitor is counted. */
export interface Addresses {
  /** The address that opened the connection to the API: CloudFront's or a direct caller's. It can't be forged. */
  readonly connected: string;
  /** The visitor's address as CloudFront reports it, if there is one. A direct caller of the API can forge it. */
  readonly forwarded?: string;
}

/** The key's id in the table of counters. */
const keyId = "key";

/**
 * The network of one visitor: an IPv4 address, or the first 64 bits of an IPv6 address, because each visitor has a
 * whole such network (RFC 6177).
 * @returns undefined if the text is not an address
 */
export function networkOf(address: string): string | undefined {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address;
  if (isIP(mapped) === 4) {
    return mapped;
  }
  if (isIP(mapped) !== 6 || mapped.includes("%")) {
    return undefined;
  }
  const [head = "", tail = ""] = new URL(`http://[${mapped}]`).hostname.slice(1, -1).split("::");
  const groups = (text: string): string[] => (text === "" ? [] : text.split(":"));
  const written = groups(head);
  const zeros = Array.from({ length: 8 - written.length - groups(tail).length }, () => "0");
  return [...written, ...zeros, ...groups(tail)].slice(0, 4).join(":");
}

/**
 * The addresses of a request. CloudFront and API Gateway each append their caller's address to `X-Forwarded-For`
 * (CloudFront Developer Guide, "Request and response behavior for custom origins"). So the last one before CloudFront's
 * own is the visitor's; the ones before it came with the request.
 */
export function addressesOf(event: APIGatewayProxyEventV2): Addresses {
  const source = (event.requestContext.http as { readonly sourceIp?: string }).sourceIp ?? "";
  const hops = header(event, "x-forwarded-for")
    .split(",")
    .map((hop) => hop.trim());
  while (hops.length > 0 && hops.at(-1) === source) {
    hops.pop();
  }
  const connected = networkOf(source) ?? "unknown";
  const forwarded = networkOf(hops.at(-1) ?? "");
  return { connected, forwarded: forwarded === connected ? undefined : forwarded };
}

/** Makes the codes, with the day's key. */
export class VisitorCodes {
  private known: { readonly day: string; readonly key: Uint8Array } | undefined;

  constructor(
    private readonly client: DynamoDBClient,
    private readonly table: string,
  ) {}

  /**
   * The code of an address in the hour of `now`.
   * @throws DynamoDB's error when the key is not available
   */
  async code(address: string, now: Date, abortSignal: AbortSignal): Promise<string> {
    const hour = now.toISOString().slice(0, 13);
    const key = await this.key(hour.slice(0, 10), abortSignal);
    return `${hour}#${createHmac("sha256", key).update(`${hour} ${address}`).digest("base64url").slice(0, 22)}`;
  }

  /** The day's key. The first request of a day makes it, and overwrites yesterday's. */
  private async key(day: string, abortSignal: AbortSignal): Promise<Uint8Array> {
    if (this.known?.day !== day) {
      this.known = { day, key: await this.replaceKey(day, abortSignal) };
    }
    return this.known.key;
  }

  private async replaceKey(day: string, abortSignal: AbortSignal): Promise<Uint8Array> {
    const made = randomBytes(32);
    try {
      await this.client.send(
        new UpdateItemCommand({
          TableName: this.table,
          Key: { id: { S: keyId } },
          UpdateExpression: "SET #day = :day, #key = :key",
          // Never replaces a newer key: a host with a slow clock uses the newer one.
          ConditionExpression: "attribute_not_exists(id) OR #day < :day",
          ExpressionAttributeNames: { "#day": "day", "#key": "key" },
          ExpressionAttributeValues: { ":day": { S: day }, ":key": { B: made } },
          ReturnValuesOnConditionCheckFailure: "ALL_OLD",
        }),
        { abortSignal },
      );
      return made;
    } catch (error) {
      const found = error instanceof ConditionalCheckFailedException ? error.Item?.key?.B : undefined;
      if (found === undefined) {
        throw error;
      }
      return found;
    }
  }
}
