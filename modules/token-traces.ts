/**
 * Applies an App's setting `stackTraces` to its tokens too. CDKTF 0.21 records a stack trace for every token: thousands
 * of texts that only an error ("Object creation stack") shows, for a fifth of synth's CPU time.
 *
 *     traceTokens(new App({ stackTraces: false })); // from here on, tokens record no stack trace
 */
import { type App, DISABLE_STACK_TRACE_IN_METADATA } from "cdktf";

// An internal function of CDKTF; nothing else can turn it off. An import would be read-only, and a copy in a bundle.
// eslint-disable-next-line @typescript-eslint/no-require-imports
const traces = require("cdktf/lib/tokens/private/stack-trace") as { captureStackTrace: () => string[] };

const capture = traces.captureStackTrace;

/** Turns stack traces of tokens on or off for this process, as the App is set. */
export function traceTokens(app: App): void {
  traces.captureStackTrace = app.node.tryGetContext(DISABLE_STACK_TRACE_IN_METADATA) === true ? () => [] : capture;
}
