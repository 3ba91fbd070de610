import type { IncomingHttpHeaders } from "node:http";
import { ServiceError } from "./errors";

const loopback = String.raw`127\.\d+\.\d+\.\d+|\[::1\]|(?:[a-z0-9.-]+\.)?localhost`;
/** Loopback, and the names that stand for AWS's services here. A host prefix of an SDK may stand before an address. */
const ownHost = new RegExp(
  String.raw`^(?:${loopback}|[a-z0-9.-]+\.127\.\d+\.\d+\.\d+|[a-z0-9._-]+\.amazonaws\.com)(?::\d+)?$`,
  "i",
);
/** Only loopback: the pages of AWS's names are whoever's that rents them. */
const ownOrigin = new RegExp(String.raw`^https?://(?:${loopback})(?::\d+)?$`, "i");

/**
 * Refuses what the page of some website, open in a browser of this machine, could make the browser send: openly, when
 * the browser names the page's origin or that another page asked, or under a name that resolves to 127.0.0.1.
 * @throws ServiceError AccessDeniedException
 */
export function refuseForeignPages(headers: IncomingHttpHeaders): void {
  const { host = "", origin } = headers;
  const site = headers["sec-fetch-site"];
  const isForeign = origin !== undefined && !ownOrigin.test(origin);
  if ((host !== "" && !ownHost.test(host)) || isForeign || site === "cross-site" || site === "same-site") {
    throw new ServiceError(
      "AccessDeniedException",
      `Only programs of this machine are answered, not '${origin ?? host}': use 127.0.0.1 or localhost.`,
      403,
    );
  }
}
