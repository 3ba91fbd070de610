import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import {
  createServer,
  request,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestOptions,
  type Server,
} from "node:http";
import { type AddressInfo, connect, createServer as createSocketServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { FrontDoor, parseEmulatorUrl, parseSites } from "../../local/front-door";
import { frontDoorHealth } from "../../local/platform/ports";

const domain = "d111111abcdef8.cloudfront.net";

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

async function freePort(): Promise<number> {
  const probe = createSocketServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, "close");
  return port;
}

async function ask(port: number, path: string, options: RequestOptions = {}, body?: Buffer | string): Promise<Answer> {
  const asked = request({ host: "127.0.0.1", port, path, agent: false, ...options });
  asked.end(body);
  const [received] = (await once(asked, "response")) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of received) {
    chunks.push(chunk as Buffer);
  }
  return { status: received.statusCode ?? 0, headers: received.headers, body: Buffer.concat(chunks) };
}

async function eventually<T>(probe: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const found = await probe().catch(() => undefined);
    if (found !== undefined) {
      return found;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Stands for the emulator: tells in its answer what it was asked. */
async function startEmulator(port = 0): Promise<{ server: Server; url: URL }> {
  const server = createServer((asked, response) => {
    const chunks: Buffer[] = [];
    asked.on("data", (chunk: Buffer) => chunks.push(chunk));
    asked.on("end", () => {
      if (asked.url === "/echo") {
        response.writeHead(200, { "content-type": "application/octet-stream" });
        response.end(Buffer.concat(chunks));
        return;
      }
      response.writeHead(201, { "content-type": "application/json", "set-cookie": ["a=1", "b=2"] });
      response.end(
        JSON.stringify({ method: asked.method, url: asked.url, headers: asked.headers, raw: asked.rawHeaders }),
      );
    });
  }).listen(port, "127.0.0.1");
  await once(server, "listening");
  return { server, url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`) };
}

async function stop(server: Server): Promise<void> {
  server.closeAllConnections();
  server.close();
  await once(server, "close");
}

describe("the front door", () => {
  let emulator: { server: Server; url: URL };
  let frontDoor: FrontDoor;
  let port: number;

  beforeEach(async () => {
    emulator = await startEmulator();
    frontDoor = new FrontDoor(emulator.url);
    port = await freePort();
    await frontDoor.show(new Map([[port, domain]]));
  });

  afterEach(async () => {
    await frontDoor.close();
    if (emulator.server.listening) {
      await stop(emulator.server);
    }
  });

  test.each([
    ["headers", "POST / HTTP/1.1\r\nHost: "],
    ["a body", "POST /api/contact HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nContent-Length: 100\r\n\r\n{"],
  ])("ends a connection that stops in the middle of %s", async (_, half) => {
    const impatient = new FrontDoor(emulator.url, 1);
    const own = await freePort();
    await impatient.show(new Map([[own, domain]]));
    try {
      const socket = connect(own, "127.0.0.1");
      socket.write(half.replace("PORT", String(own)));
      let text = "";
      socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
      await once(socket, "close");
      expect(text).toMatch(/^HTTP\/1\.1 408 /);
      expect((await ask(own, "/")).status).toBe(201);
    } finally {
      await impatient.close();
    }
  });

  test("passes a request on under the distribution's name, as HTTPS, with path, query and headers as they came", async () => {
    const path = "/api/predict?a=1&a=%20x&b=%C3%A9";
    const { status, headers, body } = await ask(port, path, {
      method: "POST",
      headers: { "X-Own": "1", "X-Forwarded-Proto": "gopher", Origin: `http://127.0.0.1:${port}` },
    });
    const asked = JSON.parse(body.toString());
    expect(status).toBe(201);
    expect(headers["set-cookie"]).toEqual(["a=1", "b=2"]);
    expect(asked).toMatchObject({ method: "POST", url: path });
    expect(asked.headers).toMatchObject({
      host: domain,
      "x-forwarded-proto": "https",
      "x-own": "1",
      origin: `http://127.0.0.1:${port}`,
    });
    expect(asked.raw.filter((name: string) => name.toLowerCase() === "x-forwarded-proto")).toHaveLength(1);
  });

  test("streams megabytes in both directions, with a length and without one", async () => {
    const content = Buffer.alloc(5 << 20, "ring");
    const long = await ask(port, "/echo", { method: "POST", headers: { "content-length": content.length } }, content);
    expect(long.body.equals(content)).toBe(true);
    const chunked = request({ host: "127.0.0.1", port, path: "/echo", method: "POST", agent: false });
    chunked.setHeader("transfer-encoding", "chunked");
    chunked.write("a");
    chunked.end("b");
    const [received] = (await once(chunked, "response")) as [IncomingMessage];
    expect(String(await received.toArray())).toBe("ab");
  });

  test("says what to do while the emulator is down, and works again as soon as it is back", async () => {
    await ask(port, "/");
    await stop(emulator.server);
    const down = await ask(port, "/", { method: "POST" }, "body");
    expect(down.status).toBe(502);
    expect(down.headers["content-type"]).toBe("text/plain; charset=utf-8");
    expect(down.body.toString()).toContain(emulator.url.origin);
    expect(down.body.toString()).toContain("make up");
    emulator = await startEmulator(Number(emulator.url.port));
    expect((await ask(port, "/")).status).toBe(201);
  });

  test.each([
    ["evil.example", 421],
    ["evil.example:8080", 421],
    ["127.0.0.1", 421],
    [domain, 421],
  ])("shows nothing to a page that calls this address %s", async (host, status) => {
    const refused = await ask(port, "/", { headers: { host } });
    expect(refused.status).toBe(status);
    expect(refused.headers["content-type"]).toBe("text/plain; charset=utf-8");
  });

  test("answers under both names of the loopback address", async () => {
    expect((await ask(port, "/", { headers: { host: `localhost:${port}` } })).status).toBe(201);
  });

  test.each(["GET http://example.com/ HTTP/1.1", "CONNECT example.com:443 HTTP/1.1", "OPTIONS * HTTP/1.1"])(
    "is not a proxy: %s",
    async (line) => {
      const socket = connect(port, "127.0.0.1");
      socket.write(`${line}\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`);
      const chunks = (await socket.toArray()) as Buffer[];
      expect(Buffer.concat(chunks).toString()).not.toMatch(/ 20\d /);
      expect((await ask(port, "/")).status).toBe(201);
    },
  );

  test("reports that it is open, and when a website is not deployed yet", async () => {
    expect((await ask(port, frontDoorHealth)).body.toString()).toBe("open\n");
    await frontDoor.show(new Map([[port, ""]]));
    const early = await ask(port, "/");
    expect([early.status, early.body.toString()]).toEqual([503, expect.stringContaining("not deployed yet")]);
    expect((await ask(port, frontDoorHealth)).status).toBe(200);
  });

  test("does not replace the website's files: robots.txt is the website's", async () => {
    const { status, body } = await ask(port, "/robots.txt");
    expect([status, JSON.parse(body.toString()).url]).toEqual([201, "/robots.txt"]);
  });

  test("listens on the loopback address alone, and names a port that is taken", async () => {
    const servers = (frontDoor as unknown as { servers: Map<number, Server> }).servers;
    expect((servers.get(port)!.address() as AddressInfo).address).toBe("127.0.0.1");
    const other = new FrontDoor(emulator.url);
    await expect(other.show(new Map([[port, domain]]))).rejects.toThrow(
      `Port ${port} on 127.0.0.1 is already in use: stop what listens there, or choose another one.`,
    );
  });

  test("survives a viewer that leaves in the middle of an answer", async () => {
    const asked = request({ host: "127.0.0.1", port, path: "/echo", method: "POST", agent: false });
    asked.on("error", () => undefined);
    asked.write(Buffer.alloc(1 << 20));
    await new Promise((resolve) => setTimeout(resolve, 50));
    asked.destroy();
    expect((await ask(port, "/")).status).toBe(201);
  });
});

describe("its settings", () => {
  test.each([
    ["{", "is not JSON"],
    ["[]", "expected"],
    ['{"0": ""}', '"0"'],
    ['{"65536": ""}', '"65536"'],
    ['{"8080": "example.com"}', '"example.com"'],
    ['{"8080": "a.cloudfront.net/../x"}', "a.cloudfront.net/../x"],
    ['{"8080": 1}', "port 8080"],
  ])("%s is refused by name", (text, part) => {
    expect(() => parseSites(text)).toThrow(part);
  });

  test.each([undefined, "", "https://127.0.0.1:1", "http://127.0.0.1", "http://example.com:80", "http://192.0.2.1:80"])(
    "EMULATOR_URL=%s is refused: nothing is passed on to another machine",
    (text) => {
      expect(() => parseEmulatorUrl(text)).toThrow("expected the emulator's address");
    },
  );
});

describe("its process", () => {
  const folder = mkdtempSync(join(tmpdir(), "front-door-"));
  let child: ChildProcess | undefined;
  let emulator: { server: Server; url: URL };

  beforeAll(async () => {
    emulator = await startEmulator();
  });

  afterAll(async () => {
    child?.kill("SIGKILL");
    await stop(emulator.server);
    rmSync(folder, { recursive: true });
  });

  function start(environment: Record<string, string>): ChildProcess {
    child = spawn(process.execPath, ["--import", "tsx", "local/front-door.ts"], {
      cwd: join(__dirname, "../.."),
      env: { PATH: process.env.PATH, ...environment },
      stdio: ["ignore", "ignore", "pipe"],
    });
    return child;
  }

  test("follows its file of websites, also after invalid content, and ends when asked to", async () => {
    const [first, second] = [await freePort(), await freePort()];
    const file = join(folder, "sites.json");
    const write = (text: string) => {
      writeFileSync(`${file}.new`, text);
      renameSync(`${file}.new`, file);
    };
    write(JSON.stringify({ [first]: "" }));
    const running = start({ EMULATOR_URL: emulator.url.href, FRONT_DOOR_SITES: file });
    const until = (port: number, status: number) =>
      eventually(async () => ((await ask(port, "/")).status === status ? true : undefined));
    await until(first, 503);
    write("{ half");
    await until(first, 503);
    write(JSON.stringify({ [first]: domain, [second]: "" }));
    await until(second, 503);
    await until(first, 201);
    running.kill("SIGTERM");
    expect((await once(running, "exit"))[0]).toBe(0);
  }, 60_000);

  test("cannot open a wrong setting, and says so", async () => {
    const running = start({ EMULATOR_URL: emulator.url.href, FRONT_DOOR_SITES: '{"x": ""}' });
    const errors = running.stderr!.toArray();
    expect((await once(running, "exit"))[0]).toBe(1);
    expect(String(await errors)).toMatch(/^FRONT_DOOR_SITES has the port "x"/);
  }, 60_000);
});
