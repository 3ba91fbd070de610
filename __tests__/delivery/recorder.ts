/**
 * An HTTP server on this machine that stands where AWS would, answers as a test wants it to, and remembers what it was
 * asked.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** What a client asked: the service for which the request was signed, and its action where the body names one. */
export interface Asked {
  readonly service: string;
  readonly action: string;
}

/** What it answers. */
export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** STS's answer to GetCallerIdentity. */
export const callerOf = (account: string): Answer => ({
  status: 200,
  body:
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>' +
    `<Arn>arn:aws:iam::${account}:user/maria</Arn><UserId>AIDA</UserId><Account>${account}</Account>` +
    "</GetCallerIdentityResult></GetCallerIdentityResponse>",
});

/** How STS refuses. */
export const refusal = (code: string, message: string): Answer => ({
  status: 403,
  body: `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error></ErrorResponse>`,
});

async function bodyOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) {
    parts.push(part as Buffer);
  }
  return Buffer.concat(parts).toString();
}

/** A running recorder. */
export class Recorder {
  readonly asked: Asked[] = [];

  private constructor(
    private readonly server: Server,
    readonly endpoint: string,
  ) {}

  static async start(answer: (asked: Asked) => Answer): Promise<Recorder> {
    const asked: Asked[] = [];
    const server = createServer((request, response) => {
      void bodyOf(request).then((body) => {
        const [, service = ""] =
          /Credential=[^/]+\/\d+\/[^/]+\/([^/]+)\//.exec(request.headers.authorization ?? "") ?? [];
        const [, action = `${request.method ?? ""} ${request.url ?? ""}`] = /(?:^|&)Action=(\w+)/.exec(body) ?? [];
        asked.push({ service, action });
        const { status, body: text } = answer({ service, action });
        response.writeHead(status, { "content-type": "text/xml" }).end(text);
      });
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const recorder = new Recorder(server, `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`);
    Object.assign(recorder, { asked });
    return recorder;
  }

  async stop(): Promise<void> {
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, "close");
  }
}
