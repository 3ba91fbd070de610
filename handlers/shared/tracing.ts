/**
 * Traces of the handlers that a person or the workflow waits for. Lambda itself traces every function; this adds what
 * happens inside.
 */
import { Tracer } from "@aws-lambda-powertools/tracer";
import type { LambdaHandler } from "./observability";

/** Records where Lambda runs X-Ray's daemon; anywhere else it does nothing. */
export const tracer = new Tracer({
  enabled: process.env.AWS_XRAY_DAEMON_ADDRESS !== undefined,
  // The SDK's clients are traced one by one. Patching Node's own http module would record every request a second time.
  captureHTTPsRequests: false,
});

/** Adds to a handler a segment of its own, with what it throws. */
export function traced<Event, Result>(handle: LambdaHandler<Event, Result>): LambdaHandler<Event, Result> {
  return async (event, context) => {
    const parent = tracer.isTracingEnabled() ? tracer.getSegment() : undefined;
    if (!parent) {
      return handle(event, context);
    }
    const segment = parent.addNewSubsegment("## handler");
    tracer.setSegment(segment);
    tracer.annotateColdStart();
    tracer.addServiceNameAnnotation();
    try {
      return await handle(event, context);
    } catch (error) {
      tracer.addErrorAsMetadata(error as Error);
      throw error;
    } finally {
      segment.close();
      tracer.setSegment(parent);
    }
  };
}
