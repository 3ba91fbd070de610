/**
 * Holds an App to its setting `stackTraces` in its tokens too, of which CDKTF 0.21 notes for each by which calls it was
 * made: thousands of texts that only an error ("Object creation stack") shows, and a tenth of synth's processor time.
 *
 *     traceTokens(new App({ stackTraces: false })); // from here on, tokens don't know where they were made
 */
import { type App, DISABLE_STACK_TRACE_IN_METADATA } from "cdktf";

// A function of CDKTF's own, which nothing else can turn off. An import would be read-only, and in a bundle a copy.
// eslint-disable-next-line @typescript-eslint/no-require-imports
const traces = require("cdktf/lib/tokens/private/stack-trace") as { captureStackTrace: () => string[] };

const capture = traces.captureStackTrace;

/** Lets the tokens that this process makes from here on know where they were made, or not, as the App wants it. */
export function traceTokens(app: App): void {
  traces.captureStackTrace = app.node.tryGetContext(DISABLE_STACK_TRACE_IN_METADATA) === true ? () => [] : capture;
}
