import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** The response header in which each service names its process when it is asked for its health. */
export const processHeader = "process-id";

/**
 * What a service of this process adds to its health's headers: who waits for it knows it from another at the same port.
 */
export const ownProcess = { [processHeader]: String(process.pid) };

/**
 * When a process was started, in the system's own notation: with its id it names a process for good, even when the id
 * is used again. Undefined when there is no such process, or only what is left of it until its parent asks for its
 * status.
 *
 * A killed process of several threads runs on while one of them still writes to the disk: until then it keeps its
 * ports.
 */
export function startTimeOf(pid: number): string | undefined {
  try {
    if (process.platform === "linux") {
      const status = readFileSync(`/proc/${pid}/stat`, "utf8");
      // proc(5): the name in brackets may hold anything; the state is the first field after it, the number of threads
      // the 18th, the start time the 20th.
      const fields = status.slice(status.lastIndexOf(")") + 2).split(" ");
      return fields[0] === "Z" && fields[17] === "1" ? undefined : fields[19];
    }
    return execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" }).trim() || undefined;
  } catch {
    return undefined;
  }
}
