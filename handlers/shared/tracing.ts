/**
 * Traces of the handlers that a person or the workflow waits for. Lambda traces every function; this adds details
 * inside.
 */
import { Tracer } from "@aws-lambda-powertools/tracer";
import type { LambdaHandler } from "./observability";

/** Records only on Lambda, where X-Ray's daemon runs. */
export const tracer = new Tracer({
  enabled: process.env.AWS_XRAY_DAEMON_ADDRESS !== undefined,
  // Each SDK client is traced. Patching Node's http module would record every request a second time.
  captureHTTPsRequests: false,
});

/** Adds an X-Ray segment to a handler, with thrown errors. */
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
