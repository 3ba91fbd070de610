import type { MetricDatum } from "@aws-sdk/client-cloudwatch";
import type { AwsClients } from "../aws";
import { log } from "../log";
import { messageOf } from "../protocol/errors";

/** Whose requests are counted. */
export interface MetricsOf {
  readonly endpointName: string;
  readonly variantName: string;
  /** Distinguishes the old fleet from the new one during a release. */
  readonly configName: string;
}

interface Counted {
  readonly of: MetricsOf;
  invocations: number;
  clientErrors: number;
  serverErrors: number;
  /** The count of each latency, in microseconds. */
  readonly latencies: Map<number, number>;
}

const namespace = "AWS/SageMaker";
const interval = 60_000; // SageMaker's metrics come every minute; a release asks for them more often.
const mostValues = 150; // PutMetricData's limit of a datum's Values.
const mostPerRequest = 500; // Below PutMetricData's limit of 1,000.
const mostWaiting = 5_000;

/** Microseconds to two digits: enough for an alarm, and few enough to be sent as values with their counts. */
function rounded(microseconds: number): number {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(1, microseconds))) - 1);
  return Math.max(1, Math.round(microseconds / unit) * unit);
}

/**
 * The invocation metrics of endpoints in CloudWatch, which their alarms watch: `Invocations`, `Invocation4XXErrors`,
 * `Invocation5XXErrors` and `ModelLatency`, by endpoint and variant, and by these and the configuration ("Amazon
 * SageMaker AI metrics in Amazon CloudWatch" and "Auto-Rollback Configuration and Monitoring" in the SageMaker
 * Developer Guide).
 */
export class EndpointMetrics {
  private readonly counted = new Map<string, Counted>();
  private waiting: MetricDatum[] = [];
  private sending: Promise<void> = Promise.resolve();
  private complained = false;
  private readonly timer: NodeJS.Timeout;

  constructor(private readonly clients: AwsClients) {
    this.timer = setInterval(() => void this.flush(), interval);
    this.timer.unref();
  }

  /**
   * Counts an invocation.
   * @param status the container's; 500 if it did not answer
   * @param milliseconds how long the container took
   */
  record(of: MetricsOf, status: number, milliseconds: number): void {
    const key = JSON.stringify([of.endpointName, of.variantName, of.configName]);
    let own = this.counted.get(key);
    if (own === undefined) {
      own = { of, invocations: 0, clientErrors: 0, serverErrors: 0, latencies: new Map() };
      this.counted.set(key, own);
    }
    own.invocations += 1;
    if (status >= 500) {
      own.serverErrors += 1;
    } else if (status >= 400) {
      own.clientErrors += 1;
    }
    const latency = rounded(milliseconds * 1000);
    own.latencies.set(latency, (own.latencies.get(latency) ?? 0) + 1);
  }

  /** Sends the counts so far. Counts that CloudWatch refuses are sent the next time. */
  flush(): Promise<void> {
    for (const own of this.counted.values()) {
      this.waiting.push(...describe(own));
    }
    this.counted.clear();
    this.waiting.splice(0, this.waiting.length - mostWaiting);
    this.sending = this.sending.then(() => this.send());
    return this.sending;
  }

  /** Sends the rest. */
  async close(): Promise<void> {
    clearInterval(this.timer);
    await this.flush();
  }

  private async send(): Promise<void> {
    if (this.waiting.length === 0) {
      return;
    }
    const client = await this.clients.cloudWatch();
    while (this.waiting.length > 0) {
      const data = this.waiting.splice(0, mostPerRequest);
      try {
        await client.putMetricData({ Namespace: namespace, MetricData: data });
      } catch (error) {
        this.waiting.unshift(...data);
        if (!this.complained) {
          log(`Metrics could not be sent to CloudWatch: ${messageOf(error)}`);
        }
        this.complained = true;
        return;
      }
    }
    this.complained = false;
  }
}

/** Both kinds of dimensions, each with all metrics. */
function describe({ of, invocations, clientErrors, serverErrors, latencies }: Counted): MetricDatum[] {
  const variant = [
    { Name: "EndpointName", Value: of.endpointName },
    { Name: "VariantName", Value: of.variantName },
  ];
  const seen = [...latencies];
  const chunks = Array.from({ length: Math.ceil(seen.length / mostValues) }, (_, index) =>
    seen.slice(index * mostValues, (index + 1) * mostValues),
  );
  // Every invocation counts, with 1 for an error and 0 otherwise, so that the average is the error rate.
  const share = (errors: number): Pick<MetricDatum, "Values" | "Counts"> => {
    const counts = [
      [0, invocations - errors],
      [1, errors],
    ].filter(([, count]) => count !== 0);
    return { Values: counts.map(([value]) => value ?? 0), Counts: counts.map(([, count]) => count ?? 0) };
  };
  const Timestamp = new Date();
  return [variant, [...variant, { Name: "EndpointConfigName", Value: of.configName }]].flatMap(
    (Dimensions): MetricDatum[] => {
      const common = { Dimensions, Timestamp };
      return [
        { ...common, MetricName: "Invocations", Unit: "None", Values: [1], Counts: [invocations] },
        { ...common, MetricName: "Invocation4XXErrors", Unit: "None", ...share(clientErrors) },
        { ...common, MetricName: "Invocation5XXErrors", Unit: "None", ...share(serverErrors) },
        ...chunks.map((chunk): MetricDatum => ({
          ...common,
          MetricName: "ModelLatency",
          Unit: "Microseconds",
          Values: chunk.map(([value]) => value),
          Counts: chunk.map(([, count]) => count),
        })),
      ];
    },
  );
}
