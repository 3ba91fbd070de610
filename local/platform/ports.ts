import { type AddressInfo, createServer } from "node:net";

import { PortError } from "sagemaker-local/loopback";
import { type Instance, readJson, writeJson } from "./instance";

/** The servers of an instance, each with the port it prefers and the variable that sets another. */
const servers = {
  emulator: { preferred: 4566, variable: "EMULATOR_PORT" },
  sagemaker: { preferred: 4567, variable: "SAGEMAKER_PORT" },
  pipeline: { preferred: 4568, variable: "PIPELINE_PORT" },
  website: { preferred: 8080, variable: "WEBSITE_PORT" },
  "website-test": { preferred: 8081, variable: "WEBSITE_TEST_PORT" },
} as const;

/** A server of an instance that has a port of its own. */
export type ServerName = keyof typeof servers;

const serverNames = Object.keys(servers) as ServerName[];

/** Opens a port of 127.0.0.1 and closes it again: its number, or the code of the error. Port 0 is any free one. */
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

/** The ports in use by this instance: those of its last start. */
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

/** Another server that has a port, by what its variable sets or by its last start. */
function otherAt(port: number, name: ServerName, known: ReturnType<typeof knownPorts>): ServerName | undefined {
  return serverNames.find((other) => other !== name && (requestedPort(other) ?? known[other]) === port);
}

/**
 * Whether a server's variable sets another port than that of its last start.
 * @throws Error when what it sets is not a port.
 */
export function isToMove(instance: Instance, name: ServerName): boolean {
  const requested = requestedPort(name);
  return requested !== undefined && requested !== knownPorts(instance)[name];
}

/**
 * Looks at every port that a variable sets, before anything is begun that would wait for the last of them.
 * @throws Error when one is taken, not allowed, another server's, or no port.
 */
export async function checkSetPorts(instance: Instance): Promise<void> {
  const known = knownPorts(instance);
  for (const name of serverNames) {
    const port = requestedPort(name);
    const other = port === undefined ? undefined : otherAt(port, name, known);
    if (other !== undefined) {
      throw new Error(
        `${servers[name].variable}: port ${port} is also that of ${other} (${servers[other].variable}); each has one of its own.`,
      );
    }
    if (port !== undefined && port !== known[name]) {
      await requireFree(servers[name].variable, port);
    }
  }
}

/**
 * The port of a server that is about to start: the one its variable sets, else the one of its last start, else the one
 * it prefers, else any free one. The choice is kept for the next start.
 * @throws Error when a set port is taken, not allowed, or no port.
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
 * Starts what listens on ports that were chosen before. Two platforms that start in the same moment may have chosen the
 * same one, or one looks whether a port is free in the moment when the other opens it: who opens it first has it, and
 * the other chooses again.
 * @param start Chooses the ports that it needs and starts what listens there.
 * @throws Error of `start`, when another reason than a taken port made it fail, or it failed too often. The ports are
 *   then those of before: one at which a server never came up must not be tried again for ever.
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

/** Whether browsers and Node refuse to speak HTTP to a port: Fetch Standard, "Port blocking". */
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

/** @throws Error when a port that a variable sets can't be had. */
async function requireFree(variable: string, port: number): Promise<void> {
  const found = await tryPort(port);
  if (typeof found === "number") {
    if (await isBlocked(port)) {
      throw new Error(`${variable}: no browser speaks HTTP to port ${port}; set another.`);
    }
    return;
  }
  const place = `${variable}: port ${port} of 127.0.0.1`;
  switch (found) {
    case "EADDRINUSE":
      throw new Error(`${place} is taken; set another, or leave it out and a free one is taken.`);
    case "EACCES":
      throw new Error(
        `${place} needs root: ports below 1024 do; set one from 1024 on, or none, and a free one is taken.`,
      );
    default:
      throw new Error(`${place} can't be opened (${found}); set another, or leave it out and a free one is taken.`);
  }
}
