import type { IncomingHttpHeaders } from "node:http";
import { ServiceError } from "./errors";

const loopback = String.raw`127\.\d+\.\d+\.\d+|\[::1\]|(?:[a-z0-9.-]+\.)?localhost`;
/** Loopback, and the names of AWS's services here. An address may begin with a host prefix of an SDK. */
const ownHost = new RegExp(
  String.raw`^(?:${loopback}|[a-z0-9.-]+\.127\.\d+\.\d+\.\d+|[a-z0-9._-]+\.amazonaws\.com)(?::\d+)?$`,
  "i",
);
/** Only loopback: anybody can publish pages under AWS's names. */
const ownOrigin = new RegExp(String.raw`^https?://(?:${loopback})(?::\d+)?$`, "i");

/**
 * Refuses requests that a foreign website, open in a browser of this machine, could make the browser send: those with
 * a foreign origin, and those under a name of the website that resolves to 127.0.0.1.
 * @throws ServiceError AccessDeniedException
 */
export function refuseForeignPages(headers: IncomingHttpHeaders): void {
  const { host = "", origin } = headers;
  const site = headers["sec-fetch-site"];
  const isForeign = origin !== undefined && !ownOrigin.test(origin);
  if ((host !== "" && !ownHost.test(host)) || isForeign || site === "cross-site" || site === "same-site") {
    throw new ServiceError(
      "AccessDeniedException",
      `Only programs on this machine get answers, not '${origin ?? host}': use 127.0.0.1 or localhost.`,
      403,
    );
  }
}
