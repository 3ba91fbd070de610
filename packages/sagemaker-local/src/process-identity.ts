import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** The response header in which each service's health answer names its process. */
export const processHeader = "process-id";

/**
 * The header of a health answer, by which a waiting process distinguishes its own service from another at the same
 * port.
 */
export const ownProcess = { [processHeader]: String(process.pid) };

/**
 * When a process was started, in the system's own notation. Together with the id it identifies a process, even when
 * the id is used again. Undefined when the process does not exist or is a zombie.
 *
 * A killed process with several threads keeps running, and keeps its ports, while one of them still writes to the disk.
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
