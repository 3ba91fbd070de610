import type { CapacitySize, DeploymentConfig } from "@aws-sdk/client-sagemaker";
import type { AwsClients } from "../aws";
import { messageOf, validationException } from "../protocol/errors";
import { AccessError } from "../role-session";

/** A release that failed; its message becomes the endpoint's FailureReason. */
export class ReleaseFailed extends Error {}

/**
 * The steps of a release: shares of the traffic for the new fleet, one after the other, and how long each is watched.
 */
export interface ReleasePlan {
  /** From above 0 up to 1. */
  readonly shares: readonly number[];
  /** How long each share is watched. */
  readonly bakeMilliseconds: number;
  /** How long the old fleet stays when the new one has all traffic. */
  readonly terminationMilliseconds: number;
  /** Time limit of the release; undefined means no limit. */
  readonly timeoutMilliseconds: number | undefined;
  /** CloudWatch alarms that roll it back. */
  readonly alarms: readonly string[];
}

/** A size as a share of a variant's instances. */
function shareOf(size: CapacitySize, field: string, instances: number, least: number): number {
  const value = size.Value ?? 0;
  const share = size.Type === "INSTANCE_COUNT" ? value / instances : value / 100;
  if (share > 0.5 || share < least) {
    const given = size.Type === "INSTANCE_COUNT" ? `${value} of ${instances} instances` : `${value} %`;
    const expected = least > 0 ? `from ${least * 100} to 50 %` : "at most 50 %";
    throw validationException(`${field} is ${given}: expected ${expected} of the variant's instances.`);
  }
  return share;
}

/** Equal steps up to all traffic. */
const stepsOf = (share: number): number[] =>
  Array.from({ length: Math.ceil(1 / share - 1e-9) }, (_, index) => Math.min(1, (index + 1) * share));

const milliseconds = (seconds: number | undefined): number => (seconds ?? 0) * 1000;

/**
 * What a deployment configuration means for an endpoint ("Blue/Green Deployments" in the SageMaker Developer Guide). A
 * rolling update has equal steps here, too, but no old instance ends before all traffic has moved.
 * @param instances the number of instances of the smallest variant
 * @throws ServiceError (ValidationException) naming the invalid field
 */
export function planOf(config: DeploymentConfig | undefined, instances: number): ReleasePlan {
  const blueGreen = config?.BlueGreenUpdatePolicy;
  const rolling = config?.RollingUpdatePolicy;
  const alarms = (config?.AutoRollbackConfiguration?.Alarms ?? []).map(({ AlarmName }) => AlarmName ?? "");
  if (blueGreen !== undefined && rolling !== undefined) {
    throw validationException(
      "DeploymentConfig has both a BlueGreenUpdatePolicy and a RollingUpdatePolicy: give only one.",
    );
  }
  if (rolling !== undefined) {
    const size = rolling.MaximumBatchSize ?? { Type: undefined, Value: undefined };
    return {
      shares: stepsOf(shareOf(size, "RollingUpdatePolicy.MaximumBatchSize", instances, 0.05)),
      bakeMilliseconds: milliseconds(rolling.WaitIntervalInSeconds),
      terminationMilliseconds: 0,
      timeoutMilliseconds: limitOf(rolling.MaximumExecutionTimeoutInSeconds),
      alarms,
    };
  }
  const routing = blueGreen?.TrafficRoutingConfiguration;
  const field = "BlueGreenUpdatePolicy.TrafficRoutingConfiguration";
  const sizeFor = (name: "CanarySize" | "LinearStepSize"): CapacitySize => {
    const size = routing?.[name];
    if (size === undefined) {
      throw validationException(`${field}.${name} is missing: the Type ${routing?.Type ?? ""} needs it.`);
    }
    return size;
  };
  const shares = (): number[] => {
    switch (routing?.Type) {
      case "CANARY":
        return [shareOf(sizeFor("CanarySize"), `${field}.CanarySize`, instances, 0), 1];
      case "LINEAR":
        return stepsOf(shareOf(sizeFor("LinearStepSize"), `${field}.LinearStepSize`, instances, 0.1));
      default:
        return [1];
    }
  };
  return {
    shares: shares(),
    bakeMilliseconds: milliseconds(routing?.WaitIntervalInSeconds),
    terminationMilliseconds: milliseconds(blueGreen?.TerminationWaitInSeconds),
    timeoutMilliseconds: limitOf(blueGreen?.MaximumExecutionTimeoutInSeconds),
    alarms,
  };
}

const limitOf = (seconds: number | undefined): number | undefined =>
  seconds === undefined ? undefined : seconds * 1000;

/**
 * The first alarm in state ALARM, with CloudWatch's reason; undefined when there is none.
 * @param clients those of the role of the new container
 * @throws ReleaseFailed when an alarm does not exist, or the role must not read it: nothing would watch the release
 * @throws Error when CloudWatch does not answer
 */
export async function trippedAlarm(clients: AwsClients, names: readonly string[]): Promise<string | undefined> {
  if (names.length === 0) {
    return undefined;
  }
  const client = await clients.cloudWatch();
  const { MetricAlarms = [], CompositeAlarms = [] } = await client
    .describeAlarms({ AlarmNames: [...names], AlarmTypes: ["MetricAlarm", "CompositeAlarm"] })
    .catch((error: unknown) => {
      throw error instanceof AccessError ? new ReleaseFailed(`its alarms can't be read (${messageOf(error)})`) : error;
    });
  const alarms = [...MetricAlarms, ...CompositeAlarms];
  const missing = names.find((name) => alarms.every(({ AlarmName }) => AlarmName !== name));
  if (missing !== undefined) {
    throw new ReleaseFailed(`the alarm ${missing} that should watch the release does not exist`);
  }
  const tripped = alarms.find(({ StateValue }) => StateValue === "ALARM");
  return tripped && `the alarm ${tripped.AlarmName ?? ""} went off (${tripped.StateReason ?? "no reason given"})`;
}
