import type { IncomingHttpHeaders } from "node:http";
import { ServiceError } from "./errors";

/** Loopback, and the names that stand for AWS's services here. */
const ownHost = /^((?:[a-z0-9.-]+\.)?(?:127\.\d+\.\d+\.\d+|localhost)|\[::1\]|[a-z0-9._-]+\.amazonaws\.com)(?::\d+)?$/i;

/**
 * Refuses what the page of some website, open in a browser of this machine, could send: openly, when the browser names
 * the page's origin, or under a name of the website's own that it lets resolve to 127.0.0.1.
 *
 * @throws ServiceError AccessDeniedException
 */
export function refuseForeignPages(headers: IncomingHttpHeaders): void {
  const { host = "", origin } = headers;
  const originHost = origin?.replace(/^[a-z]+:\/\//, "");
  if ((host !== "" && !ownHost.test(host)) || (originHost !== undefined && !ownHost.test(originHost))) {
    throw new ServiceError(
      "AccessDeniedException",
      `Only programs of this machine are answered, not '${origin ?? host}': use 127.0.0.1 or localhost.`,
      403,
    );
  }
}
