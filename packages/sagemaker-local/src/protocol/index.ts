/** What a small service needs that speaks one of AWS's JSON protocols: errors, bodies, and who may ask. */
export { refuseForeignPages } from "./callers";
export { ServiceError } from "./errors";
export { errorAnswer, readBody, toWire } from "./http";
