import { type AddressInfo, createServer } from "node:net";

import { PortError } from "sagemaker-local/loopback";
import { type Instance, readJson, writeJson } from "./instance";

/** The servers of an instance, with their preferred ports and the variables that set others. */
const servers = {
  emulator: { preferred: 4566, variable: "EMULATOR_PORT" },
  sagemaker: { preferred: 4567, variable: "SAGEMAKER_PORT" },
  pipeline: { preferred: 4568, variable: "PIPELINE_PORT" },
  website: { preferred: 8080, variable: "WEBSITE_PORT" },
  "website-test": { preferred: 8081, variable: "WEBSITE_TEST_PORT" },
} as const;

/** Path of the front door's own health check; no page of a website has such a path. */
export const frontDoorHealth = "/.well-known/front-door";

/** A server of an instance with its own port. */
export type ServerName = keyof typeof servers;

const serverNames = Object.keys(servers) as ServerName[];

/** Opens and closes a port of 127.0.0.1: returns its number, or the error's code. Port 0 is any free one. */
async function tryPort(port: number): Promise<number | string> {
  return new Promise((settle) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => {
      settle(error.code ?? error.message);
    });
    server.listen({ host: "127.0.0.1", port, exclusive: true }, () => {
      const { port: opened } = server.address() as AddressInfo;
      server.close(() => {
        settle(opened);
      });
    });
  });
}

/** The ports of this instance's last start. */
export function knownPorts(instance: Instance): Partial<Record<ServerName, number>> {
  return readJson<Partial<Record<ServerName, number>>>(instance.path("ports.json"), {});
}

/**
 * The port that a server's variable sets, if it does.
 * @throws Error when it is not a port.
 */
function requestedPort(name: ServerName): number | undefined {
  const { variable } = servers[name];
  const requested = process.env[variable];
  if (requested === undefined) {
    return undefined;
  }
  const port = /^\d{1,5}$/.test(requested) ? Number(requested) : 0;
  if (port < 1 || port > 65_535) {
    throw new Error(`${variable}: '${requested}' is not a port; expected a whole number from 1 to 65535.`);
  }
  return port;
}

/** Another server with the port, by its variable or by its last start. */
function otherAt(port: number, name: ServerName, known: ReturnType<typeof knownPorts>): ServerName | undefined {
  return serverNames.find((other) => other !== name && (requestedPort(other) ?? known[other]) === port);
}

/**
 * Whether a server's variable sets another port than the one of its last start.
 * @throws Error when the variable is not a port.
 */
export function isToMove(instance: Instance, name: ServerName): boolean {
  const requested = requestedPort(name);
  return requested !== undefined && requested !== knownPorts(instance)[name];
}

/**
 * Checks every port set by a variable, before any work starts.
 * @throws Error when one is taken, not allowed, another server's, or not a port.
 */
export async function checkSetPorts(instance: Instance): Promise<void> {
  const known = knownPorts(instance);
  for (const name of serverNames) {
    const port = requestedPort(name);
    const other = port === undefined ? undefined : otherAt(port, name, known);
    if (other !== undefined) {
      throw new Error(
        `${servers[name].variable}: port ${port} is also that of ${other} (${servers[other].variable}); each needs its own port.`,
      );
    }
    if (port !== undefined && port !== known[name]) {
      await requireFree(servers[name].variable, port);
    }
  }
}

/**
 * The port for a server that is about to start: from its variable, else from its last start, else its preferred one,
 * else any free one. The choice is stored for the next start.
 * @throws Error when the variable's port is taken, not allowed, or not a port.
 */
export async function choosePort(instance: Instance, name: ServerName): Promise<number> {
  const { preferred, variable } = servers[name];
  const known = knownPorts(instance);
  const requested = requestedPort(name);
  if (requested !== undefined) {
    await requireFree(variable, requested);
  }
  const candidates = [known[name], preferred].filter((one) => one !== undefined && !otherAt(one, name, known));
  const port = requested ?? (await firstFree([...candidates, 0]));
  writeJson(instance.path("ports.json"), { ...knownPorts(instance), [name]: port });
  return port;
}

/**
 * Starts servers on chosen ports. Two platforms that start at the same moment may choose the same port, or one checks
 * whether a port is free while the other opens it. The first to open it keeps it, and the other chooses again.
 * @param start Chooses the ports and starts the servers.
 * @throws Error of `start`, when the reason is not a taken port, or after too many attempts. Then the earlier ports are
 * restored: a port on which a server never started must not be tried for ever.
 */
export async function onOwnPorts<T>(instance: Instance, start: () => Promise<T>): Promise<T> {
  const before = knownPorts(instance);
  for (let left = 4; ; left -= 1) {
    try {
      return await start();
    } catch (error) {
      if (left === 0 || !(error instanceof PortError)) {
        writeJson(instance.path("ports.json"), before);
        throw error;
      }
    }
  }
}

/** Whether browsers and Node refuse HTTP on a port: Fetch Standard, "Port blocking". */
async function isBlocked(port: number): Promise<boolean> {
  try {
    await fetch(`http://127.0.0.1:${port}`, { method: "HEAD", signal: AbortSignal.timeout(1000) });
    return false;
  } catch (error) {
    return (error as Error & { cause?: Error }).cause?.message === "bad port";
  }
}

async function firstFree(candidates: readonly (number | undefined)[]): Promise<number> {
  for (const candidate of candidates) {
    const port = candidate === undefined ? undefined : await tryPort(candidate);
    if (typeof port === "number") {
      return port;
    }
  }
  throw new Error("No port of 127.0.0.1 is free: stop a server and try again.");
}

/** @throws Error when a variable's port can't be used. */
async function requireFree(variable: string, port: number): Promise<void> {
  const found = await tryPort(port);
  if (typeof found === "number") {
    if (await isBlocked(port)) {
      throw new Error(`${variable}: browsers refuse HTTP on port ${port}; set another.`);
    }
    return;
  }
  const place = `${variable}: port ${port} of 127.0.0.1`;
  switch (found) {
    case "EADDRINUSE":
      throw new Error(`${place} is taken; set another, or unset the variable to use a free one.`);
    case "EACCES":
      throw new Error(
        `${place} needs root, as all ports below 1024; set a higher one, or unset the variable to use a free one.`,
      );
    default:
      throw new Error(`${place} can't be opened (${found}); set another, or unset the variable to use a free one.`);
  }
}
