import type { MetricData, MetricDefinition } from "@aws-sdk/client-sagemaker";
import { validationException } from "../protocol/errors";
import type { Validated } from "../protocol/operations";

/** Finds a training job's metrics in the lines of its log. */
export class MetricFinder {
  private readonly patterns: { readonly name: string; readonly pattern: RegExp }[];
  private readonly values = new Map<string, MetricData>();

  /** @throws ServiceError when a regular expression is invalid, or has no group that captures the value */
  constructor(definitions: readonly Validated<MetricDefinition>[] | undefined) {
    this.patterns = (definitions ?? []).map(({ Name, Regex }) => {
      try {
        if (new RegExp(`${Regex}|`).exec("")?.length === 1) {
          throw new Error("it needs a group that captures the value");
        }
        return { name: Name, pattern: new RegExp(Regex, "g") };
      } catch (error) {
        throw validationException(
          `The regular expression '${Regex}' of the metric '${Name}' is invalid: ${String(error)}`,
        );
      }
    });
  }

  /** Looks for metrics in a line that was written at `timestamp` (milliseconds since 1970). */
  read(line: string, timestamp: number): void {
    for (const { name, pattern } of this.patterns) {
      for (const match of line.matchAll(pattern)) {
        const value = Number(match[1]);
        if (match[1] !== undefined && match[1] !== "" && Number.isFinite(value)) {
          this.values.set(name, { MetricName: name, Value: value, Timestamp: new Date(timestamp) });
        }
      }
    }
  }

  /** The last value of each metric. */
  get final(): MetricData[] {
    return [...this.values.values()];
  }
}
