/** Logs, metrics and traces of every handler: one logger, one set of metrics and one tracer for each process. */
import { Logger } from "@aws-lambda-powertools/logger";
import { Metrics } from "@aws-lambda-powertools/metrics";
import { Tracer } from "@aws-lambda-powertools/tracer";
import type { Context } from "aws-lambda";

/** Structured logs. Events are never logged: they may hold what people wrote to us. */
export const logger = new Logger();

/** Metrics in CloudWatch's embedded format: log lines, so they cost no request. */
export const metrics = new Metrics();

/** Traces, where Lambda runs X-Ray's daemon; anywhere else it does nothing. */
export const tracer = new Tracer({
  enabled: process.env.AWS_XRAY_DAEMON_ADDRESS !== undefined,
  // The SDK's clients are traced one by one. Patching Node's own http module would record every request a second time.
  captureHTTPsRequests: false,
});

/** What AWS Lambda calls. */
export type LambdaHandler<Event, Result> = (event: Event, context: Context) => Promise<Result>;

/**
 * Adds to a handler: the request's id in each log line, a trace, the cold-start metric, and a log line for what it throws. Metrics are written
 * even when it fails.
 */
export function observed<Event, Result>(handle: LambdaHandler<Event, Result>): LambdaHandler<Event, Result> {
  return async (event, context) => {
    logger.addContext(context);
    metrics.captureColdStartMetric(context.functionName);
    const parent = tracer.isTracingEnabled() ? tracer.getSegment() : undefined;
    const segment = parent?.addNewSubsegment("## handler");
    if (segment) tracer.setSegment(segment);
    tracer.annotateColdStart();
    tracer.addServiceNameAnnotation();
    try {
      return await handle(event, context);
    } catch (error) {
      tracer.addErrorAsMetadata(error as Error);
      logger.error("The function failed", error as Error);
      throw error;
    } finally {
      metrics.publishStoredMetrics();
      segment?.close();
      if (parent) tracer.setSegment(parent);
    }
  };
}
