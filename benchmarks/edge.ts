/**
 * CloudFront's edge as far as a visitor's waiting goes: it compresses what CloudFront would, and counts what it sends.
 * The local platform's own front door sends everything as it is, so that a page's weight and Lighthouse's figures would
 * be others than on AWS.
 */
import { readFile } from "node:fs/promises";
import { createServer, request as send, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { resolve as resolvePath } from "node:path";
import { buffer } from "node:stream/consumers";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

import { contentTypeOf } from "../modules/site-delivery";

/** An answer of the place from which the edge has a website. */
export interface OriginAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Answers in the website's place. */
export type Origin = (
  method: string,
  path: string,
  headers: IncomingHttpHeaders,
  body: Buffer,
) => Promise<OriginAnswer>;

/** What the edge has sent in answer to one request. */
export interface Sent {
  readonly path: string;
  readonly status: number;
  /** Bytes of the body as it is. */
  readonly plain: number;
  /** Bytes of the body as it was sent. */
  readonly compressed: number;
}

/**
 * Sizes in bytes between which CloudFront compresses, and the types (CloudFront Developer Guide, "Serve compressed
 * files").
 */
const compressed = { least: 1_000, most: 10_000_000 };
const compressedTypes =
  /^(application\/(javascript|json|manifest\+json|xml|vnd\.ms-fontobject)|image\/(svg\+xml|x-icon)|text\/(css|html|javascript|plain|xml)|font\/(otf|ttf))\b/;

/**
 * A body as CloudFront sends it to a browser that takes brotli, or gzip alone. AWS doesn't tell its levels: these are
 * the usual ones for what is compressed while somebody waits.
 */
export function compress(
  body: Buffer,
  type: string,
  accepted: string,
): { readonly encoding?: string; readonly body: Buffer } {
  if (body.length < compressed.least || body.length > compressed.most || !compressedTypes.test(type)) {
    return { body };
  }
  if (/\bbr\b/.test(accepted)) {
    const params = { [constants.BROTLI_PARAM_QUALITY]: 5, [constants.BROTLI_PARAM_SIZE_HINT]: body.length };
    return { encoding: "br", body: brotliCompressSync(body, { params }) };
  }
  return /\bgzip\b/.test(accepted) ? { encoding: "gzip", body: gzipSync(body, { level: 6 }) } : { body };
}

/** A website that answers at an address of this machine, as the platform's front door does. */
export function websiteOrigin(address: URL): Origin {
  return (method, path, headers, body) =>
    new Promise((resolve, reject) => {
      const passed = { ...headers, host: address.host, "accept-encoding": "identity" };
      send({ host: address.hostname, port: address.port, method, path, headers: passed }, (answer) => {
        buffer(answer).then(
          (content) => {
            resolve({ status: answer.statusCode ?? 502, headers: answer.headers, body: content });
          },
          (error: unknown) => {
            reject(error instanceof Error ? error : new Error(String(error)));
          },
        );
      })
        .on("error", reject)
        .end(body);
    });
}

/** A folder of files, as S3 would hold it: `index.html` at `/`, nothing compressed. */
export function folderOrigin(folder: string): Origin {
  return async (_, path) => {
    const { pathname } = new URL(path, "http://folder");
    const name = pathname === "/" ? "index.html" : decodeURIComponent(pathname.slice(1));
    const file = resolvePath(folder, name);
    const body = file.startsWith(`${resolvePath(folder)}/`) ? await readFile(file).catch(() => undefined) : undefined;
    return body === undefined
      ? { status: 404, headers: { "content-type": "text/plain" }, body: Buffer.from("There is no such file") }
      : { status: 200, headers: { "content-type": contentTypeOf(name) }, body };
  };
}

/** Headers that tell of one connection or of a body's form, which the edge decides again. */
const ownHeaders = ["connection", "content-encoding", "content-length", "date", "keep-alive", "transfer-encoding"];

/** An edge on a free port of 127.0.0.1. */
export class Edge {
  /** All that was sent, in order. */
  readonly sent: Sent[] = [];
  readonly #server: Server;

  private constructor(origin: Origin) {
    this.#server = createServer((request, response) => {
      const answer = async (): Promise<void> => {
        const path = request.url ?? "/";
        const received = await origin(request.method ?? "GET", path, request.headers, await buffer(request));
        const type = received.headers["content-type"] ?? "";
        const { encoding, body } = compress(received.body, type, request.headers["accept-encoding"]?.toString() ?? "");
        this.sent.push({ path, status: received.status, plain: received.body.length, compressed: body.length });
        response.statusCode = received.status;
        for (const [name, value] of Object.entries(received.headers)) {
          if (value !== undefined && !ownHeaders.includes(name)) {
            response.setHeader(name, value);
          }
        }
        if (encoding !== undefined) {
          response.setHeader("content-encoding", encoding).setHeader("vary", "accept-encoding");
        }
        response.setHeader("content-length", body.length).end(request.method === "HEAD" ? undefined : body);
      };
      answer().catch((error: unknown) => {
        response.writeHead(502).end(String(error));
      });
    });
  }

  /** Opens an edge before a website. */
  static async open(origin: Origin): Promise<Edge> {
    const edge = new Edge(origin);
    await new Promise<void>((resolve) => edge.#server.listen(0, "127.0.0.1", resolve));
    return edge;
  }

  /** Its address, without a slash at its end. */
  get address(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Closes it, and every connection. */
  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
