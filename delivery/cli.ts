/**
 * The command line behind `make bootstrap`, `make deploy`, `make unlock` and their like.
 *
 *     ENVIRONMENT=development STACK=data node --import tsx delivery/cli.ts deploy
 *
 * Exit status: 0 for success; 1 for an error, with a sentence and the next step on standard error; 2 for a refusal,
 * because data would be lost.
 */
import { runCommand } from "../command";
import { readRequest, type Request } from "./request";

/** A command: gets the request, and a function to report with. */
export type Command = (request: Request, say: (text: string) => void) => Promise<void>;

/** Loaded on demand, because each imports its own AWS clients. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  bootstrap: async () => (await import("./bootstrap")).bootstrap,
  costs: async () => (await import("./costs")).costs,
  deploy: async () => (await import("./deploy")).deploy,
  diff: async () => (await import("./diff")).diff,
  hcl: async () => (await import("./hcl")).hcl,
  unlock: async () => (await import("./unlock")).unlock,
};

runCommand(async (variables) => {
  const name = process.argv[2] ?? "";
  const load = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (load === undefined) {
    throw new Error(`${JSON.stringify(name)} is not a command; expected one of ${Object.keys(commands).join(", ")}.`);
  }
  const request = readRequest(variables);
  const command = await load();
  await command(request, (text) => {
    process.stdout.write(`${text}\n`);
  });
});
