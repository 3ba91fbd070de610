import { type Server } from "node:net";

/**
 * The exit status of a service whose port is taken: EADDRINUSE's number on Linux. The emulator's launcher has the same.
 * It tells the process that started the service to try another port.
 */
export const portTakenStatus = 98;

/** A port of 127.0.0.1 can't be opened; the message says why and what to do. */
export class PortError extends Error {
  /** @param exitStatus What a service that needs the port exits with. */
  constructor(
    message: string,
    readonly exitStatus: number,
  ) {
    super(message);
  }
}

/**
 * Opens a port of 127.0.0.1 for a server.
 * @param choice How another port is chosen, for the message.
 * @throws PortError when the port is taken, or the system refuses it.
 */
export async function listenAt(server: Server, port: number, choice = "choose another one"): Promise<void> {
  await new Promise<void>((settle, refuse) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const taken = error.code === "EADDRINUSE";
      const reason = taken ? "is already in use" : `cannot be opened (${error.message})`;
      refuse(
        new PortError(
          `Port ${port} on 127.0.0.1 ${reason}: stop what listens there, or ${choice}.`,
          taken ? portTakenStatus : 1,
        ),
      );
    });
    server.listen(port, "127.0.0.1", settle);
  });
}
