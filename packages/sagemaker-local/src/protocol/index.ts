/** What a small service with one of AWS's JSON protocols needs: errors, bodies, and a check of callers. */
export { refuseForeignPages } from "./callers";
export { ServiceError } from "./errors";
export { errorAnswer, readBody, toWire } from "./http";
