/** The service can't start; its message says why and what to do. */
export class StartError extends Error {}
