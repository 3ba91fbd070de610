/**
 * The websites' addresses on this machine: one loopback port for each website, instead of DNS and CloudFront's edge.
 * Every request goes to the emulator under the distribution's own name, as if it had come by HTTPS.
 *
 * Run as `node --import tsx local/front-door.ts` with `EMULATOR_URL` (http://127.0.0.1:<port>) and `FRONT_DOOR_SITES`:
 * JSON such as `{"8080":"d111111abcdef8.cloudfront.net"}`, or the path of a file with it, which is read again after
 * each change. An empty domain means that the port's website is not deployed yet.
 */
import { readFileSync, unwatchFile, watchFile } from "node:fs";
import {
  Agent,
  createServer,
  request as send,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import { pipeline } from "node:stream";

import { listenAt } from "sagemaker-local/loopback";
import { ownProcess } from "sagemaker-local/process-identity";
import { runCommand } from "../command";
import { frontDoorHealth } from "./platform/ports";

/** Domain of each website's distribution, by port; an empty domain is not deployed yet. */
export type Sites = ReadonlyMap<number, string>;

const filePollMilliseconds = 250;

/** Time limit for a whole request in seconds: the same as for an HTTP API of API Gateway. */
const patienceSeconds = 30;

/** Headers of a single connection (RFC 9110, section 7.6.1), and those that are set again. */
const connectionHeaders = new Set([
  "connection",
  "expect",
  "host",
  "keep-alive",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "x-forwarded-proto",
]);

/**
 * Parses the websites by port.
 * @param text A JSON object of ports and domains.
 * @throws Error that names the wrong port or domain and what was expected.
 */
export function parseSites(text: string): Sites {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw new Error(`FRONT_DOOR_SITES is not JSON (${(error as Error).message}): expected {"<port>": "<domain>"}.`, {
      cause: error,
    });
  }
  if (typeof content !== "object" || content === null || Array.isArray(content)) {
    throw new Error(`FRONT_DOOR_SITES is ${text.trim()}: expected {"<port>": "<domain>"}.`);
  }
  return new Map(
    Object.entries(content).map(([port, domain]: [string, unknown]) => {
      if (!/^[1-9]\d{0,4}$/.test(port) || Number(port) > 65535) {
        throw new Error(`FRONT_DOOR_SITES has the port "${port}": expected a number from 1 to 65535.`);
      }
      if (typeof domain !== "string" || !/^([a-z0-9]+\.cloudfront\.net)?$/.test(domain)) {
        throw new Error(
          `FRONT_DOOR_SITES has the domain ${JSON.stringify(domain)} for port ${port}: ` +
            `expected a distribution's, such as d111111abcdef8.cloudfront.net, or "" if it is not deployed yet.`,
        );
      }
      return [Number(port), domain];
    }),
  );
}

/**
 * Checks the emulator's address.
 * @throws Error when the address is not a loopback address with a port: requests must never go to another machine.
 */
export function parseEmulatorUrl(text: string | undefined): URL {
  const url = text !== undefined && URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== "http:" || !/^(127\.\d+\.\d+\.\d+|localhost)$/.test(url.hostname) || url.port === "") {
    throw new Error(
      `EMULATOR_URL is ${JSON.stringify(text)}: expected the emulator's address, http://127.0.0.1:<port>.`,
    );
  }
  return url;
}

function answer(
  response: ServerResponse,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, {
    ...headers,
    "content-type": "text/plain; charset=utf-8",
    "content-length": Buffer.byteLength(text),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  });
  response.end(text);
}

/** Serves websites on loopback ports until it is closed. */
export class FrontDoor {
  private readonly servers = new Map<number, Server>();
  private readonly agent = new Agent({ keepAlive: true, maxFreeSockets: 16 });
  private sites: Sites = new Map();

  /**
   * @param emulator The address of the distributions.
   * @param requestSeconds Time limit for a whole request; a slower client gets a 408 and is disconnected.
   */
  constructor(
    private readonly emulator: URL,
    private readonly requestSeconds = patienceSeconds,
  ) {}

  /**
   * Opens the ports of these websites and closes all others.
   * @throws Error that names a port that can't be opened.
   */
  async show(sites: Sites): Promise<void> {
    this.sites = sites;
    for (const [port, server] of this.servers) {
      if (!sites.has(port)) {
        this.servers.delete(port);
        await closed(server);
      }
    }
    for (const port of sites.keys()) {
      if (!this.servers.has(port)) {
        const milliseconds = 1000 * this.requestSeconds;
        const limits = {
          requestTimeout: milliseconds,
          headersTimeout: milliseconds,
          connectionsCheckingInterval: milliseconds / 10,
        };
        const server = createServer(limits, (request, response) => {
          this.serve(port, request, response);
        });
        await listenAt(server, port);
        this.servers.set(port, server);
      }
    }
  }

  /** Closes every port. */
  async close(): Promise<void> {
    await this.show(new Map());
    this.agent.destroy();
  }

  private serve(port: number, request: IncomingMessage, response: ServerResponse): void {
    const host = request.headers.host ?? "";
    // Clients omit the default port.
    const suffix = port === 80 ? "" : `:${port}`;
    if (host !== `127.0.0.1${suffix}` && host !== `localhost${suffix}`) {
      // A foreign page whose name resolves to 127.0.0.1 must not read this website (DNS rebinding).
      answer(response, 421, `This address is http://127.0.0.1:${port}/ and no other.\n`);
      return;
    }
    const path = request.url ?? "/";
    if (!path.startsWith("/")) {
      answer(response, 400, `This is not a proxy: ask for a path, such as http://127.0.0.1:${port}/.\n`);
      return;
    }
    if (path === frontDoorHealth) {
      answer(response, 200, "open\n", ownProcess);
      return;
    }
    const domain = this.sites.get(port) ?? "";
    if (domain === "") {
      answer(response, 503, "This website is not deployed yet. Run `make up`, or wait until it has finished.\n");
      return;
    }
    this.forward(port, domain, path, request, response);
  }

  private forward(
    port: number,
    domain: string,
    path: string,
    request: IncomingMessage,
    response: ServerResponse,
  ): void {
    const headers: string[] = ["host", domain, "x-forwarded-proto", "https"];
    for (let index = 0; index < request.rawHeaders.length; index += 2) {
      const name = request.rawHeaders[index];
      const value = request.rawHeaders[index + 1];
      if (name !== undefined && value !== undefined && !connectionHeaders.has(name.toLowerCase())) {
        headers.push(name, value);
      }
    }
    const hasBody =
      request.headers["content-length"] !== undefined || request.headers["transfer-encoding"] !== undefined;
    if (hasBody && request.headers["content-length"] === undefined) {
      headers.push("transfer-encoding", "chunked");
    }
    const passed = send({
      agent: this.agent,
      host: this.emulator.hostname,
      port: this.emulator.port,
      method: request.method,
      path,
      headers,
    });
    passed.on("response", (received) => {
      const kept = received.rawHeaders.filter((_, index, all) => {
        const name = all[index - (index % 2)] ?? "";
        return !connectionHeaders.has(name.toLowerCase());
      });
      response.writeHead(received.statusCode ?? 502, kept);
      pipeline(received, response, () => {
        // If one side disconnects, the pipeline ends the other.
      });
    });
    passed.on("error", (error) => {
      if (response.headersSent || response.destroyed) {
        response.destroy();
        return;
      }
      process.stderr.write(`${new Date().toISOString()} 502 at port ${port}: ${error.message}\n`);
      answer(
        response,
        502,
        `The AWS emulator at ${this.emulator.origin} does not answer (${error.message}).\n` +
          "Run `make up` to start it again, or read its log with `make logs`.\n",
      );
    });
    response.on("close", () => {
      passed.destroy();
    });
    request.pipe(passed);
  }
}

async function closed(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => {
      resolve();
    });
    server.closeAllConnections();
  });
}

async function main({ EMULATOR_URL, FRONT_DOOR_SITES: setting = "" }: NodeJS.ProcessEnv): Promise<void> {
  const frontDoor = new FrontDoor(parseEmulatorUrl(EMULATOR_URL));
  const file = setting.trimStart().startsWith("{") ? undefined : setting;
  await frontDoor.show(parseSites(file === undefined ? setting : readFileSync(file, "utf8")));

  let reading = Promise.resolve();
  if (file !== undefined) {
    watchFile(file, { interval: filePollMilliseconds }, () => {
      reading = reading.then(async () => {
        try {
          await frontDoor.show(parseSites(readFileSync(file, "utf8")));
        } catch (error) {
          // The file may be incomplete or missing for a moment: keep the current sites until it is good.
          console.error(`${file}: ${(error as Error).message}`);
        }
      });
    });
  }
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.once(signal, () => {
      if (file !== undefined) {
        unwatchFile(file);
      }
      void reading.then(() => frontDoor.close());
    });
  }
}

if (require.main === module) {
  runCommand(main);
}
