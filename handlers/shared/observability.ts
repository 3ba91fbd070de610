/** Logs and metrics of every handler: one logger and one set of metrics for each process. */
import { Logger } from "@aws-lambda-powertools/logger";
import { Metrics } from "@aws-lambda-powertools/metrics";
import type { Context } from "aws-lambda";

/** Structured logs. Events are never logged: they may hold what people wrote to us. */
export const logger = new Logger();

/** Metrics in CloudWatch's embedded format: log lines, so they cost no request. */
export const metrics = new Metrics();

/** What AWS Lambda calls. */
export type LambdaHandler<Event, Result> = (event: Event, context: Context) => Promise<Result>;

/**
 * Adds to a handler: the request's id in each log line, the cold-start metric, and a log line for what it throws.
 * Metrics are written even when it fails, and a warm process starts without the keys of the call before.
 */
export function observed<Event, Result>(handle: LambdaHandler<Event, Result>): LambdaHandler<Event, Result> {
  return async (event, context) => {
    logger.resetKeys();
    logger.addContext(context);
    metrics.captureColdStartMetric(context.functionName);
    try {
      return await handle(event, context);
    } catch (error) {
      logger.error("The function failed", error as Error);
      throw error;
    } finally {
      metrics.publishStoredMetrics();
    }
  };
}
