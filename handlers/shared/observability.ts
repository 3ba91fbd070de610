/** Logs and metrics of every handler: one logger and one metrics object per process. */
import { Logger } from "@aws-lambda-powertools/logger";
import { Metrics } from "@aws-lambda-powertools/metrics";
import type { Context } from "aws-lambda";

/** Structured logs. Events are never logged: they may contain visitors' messages. */
export const logger = new Logger();

/** Metrics in CloudWatch's embedded metric format: log lines, so they need no request. */
export const metrics = new Metrics();

/** Lambda's handler type. */
export type LambdaHandler<Event, Result> = (event: Event, context: Context) => Promise<Result>;

/**
 * Adds to a handler: the request id in each log line, the cold-start metric, and a log line for thrown errors. Metrics
 * are written even after an error, and each call starts without the log keys of the previous one.
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
