import { AppautoscalingPolicy } from "@cdktf/provider-aws/lib/appautoscaling-policy";
import { AppautoscalingTarget } from "@cdktf/provider-aws/lib/appautoscaling-target";
import { CloudwatchLogGroup } from "@cdktf/provider-aws/lib/cloudwatch-log-group";
import {
  SagemakerEndpoint,
  type SagemakerEndpointDeploymentConfigBlueGreenUpdatePolicyTrafficRoutingConfiguration,
} from "@cdktf/provider-aws/lib/sagemaker-endpoint";
import {
  SagemakerEndpointConfiguration,
  type SagemakerEndpointConfigurationConfig,
} from "@cdktf/provider-aws/lib/sagemaker-endpoint-configuration";
import { SagemakerModel } from "@cdktf/provider-aws/lib/sagemaker-model";
import type { Precondition, TerraformResource } from "cdktf";
import { Construct } from "constructs";
import { Alarm, type AlarmProps } from "./alarm";
import type { EncryptionKey } from "./encryption-key";
import { ExecutionRole } from "./execution-role";
import { type Place, placeOf } from "./place";
import type { Statement } from "./policy";

/** Where SageMaker stores a sample of the endpoint's requests and answers. */
export interface DataCapture {
  /** S3 URI; SageMaker adds `/<endpoint>/<variant>/yyyy/mm/dd/hh/<file>.jsonl`. The role needs to write there. */
  readonly destinationUri: string;
  /** Encrypts the sample; the role must be allowed to use it. */
  readonly encryptionKeyArn: string;
  /** Percentage of invocations to keep: 1 to 100. */
  readonly samplingPercent: number;
}

/** Captures requests and answers, as text where they are text. */
function dataCapture({ capture }: ModelEndpointProps): Pick<SagemakerEndpointConfigurationConfig, "dataCaptureConfig"> {
  if (!capture) {
    return {};
  }
  return {
    dataCaptureConfig: {
      enableCapture: true,
      destinationS3Uri: capture.destinationUri,
      kmsKeyId: capture.encryptionKeyArn,
      initialSamplingPercentage: capture.samplingPercent,
      captureOptions: [{ captureMode: "Input" }, { captureMode: "Output" }],
      // Otherwise SageMaker writes Base64 (API reference, CaptureContentTypeHeader).
      captureContentTypeHeader: { csvContentTypes: ["text/csv"], jsonContentTypes: ["application/json"] },
    },
  };
}

/** Scales the number of instances with the load. */
export interface EndpointScaling {
  /** The most instances; the fewest are `instanceCount`. */
  readonly maximumInstances: number;
  /**
   * Target invocations per minute and instance: the capacity of one instance, times a safety factor of 0.5 ("Load
   * testing your auto scaling configuration" in the SageMaker Developer Guide).
   */
  readonly invocationsPerInstance: number;
  /** Seconds to wait between two scale-outs. */
  readonly scaleOutCooldownSeconds: number;
  /** Seconds to wait between two scale-ins. */
  readonly scaleInCooldownSeconds: number;
}

export interface ModelEndpointProps {
  /** The same for every update: 1 to 63 letters, digits and hyphens. */
  readonly name: string;
  /** ARN of the model package to serve. */
  readonly modelPackageArn: string;
  /** Checked before Terraform creates the model. @default nothing */
  readonly preconditions?: Precondition[];
  /** ARN of the ECR repository of the package's image. */
  readonly repositoryArn: string;
  /** Further rights of the container's role: reading the model, and using its key. */
  readonly modelStatements: readonly Statement[];
  readonly instanceType: string;
  /** Each release starts with this number; with scaling it is also the minimum. */
  readonly instanceCount: number;
  /** @default always `instanceCount` */
  readonly scaling?: EndpointScaling;
  readonly logRetentionDays: number;
  /** Encrypts the logs and the volumes of the instances. */
  readonly encryptionKey: EncryptionKey;
  /** Model latency (99th percentile) in milliseconds above which an alarm goes off. */
  readonly latencyAlarmMilliseconds: number;
  /** What to store of requests and answers. @default nothing */
  readonly capture?: DataCapture;
  /** The topic of the endpoint's alarms. */
  readonly alarmTopicArn: string;
  /** Seconds that a release is watched at each step, before the old instances are removed: 0 to 3,600. */
  readonly bakeSeconds: number;
  /** What to do after a rollback: the last sentence of the error message. */
  readonly afterRollback: string;
}

/**
 * How the traffic moves: first to one new instance, then to all. A single instance takes all of it at once, because the
 * first step may be at most half of the instances (SageMaker Developer Guide, "Use canary traffic shifting").
 */
function trafficRouting({
  bakeSeconds,
  instanceCount,
}: ModelEndpointProps): SagemakerEndpointDeploymentConfigBlueGreenUpdatePolicyTrafficRoutingConfiguration {
  return {
    ...(instanceCount < 2
      ? { type: "ALL_AT_ONCE" }
      : { type: "CANARY", canarySize: { type: "INSTANCE_COUNT", value: 1 } }),
    waitIntervalInSeconds: bakeSeconds,
  };
}

/** The rights of the container, and of SageMaker while it moves the traffic. */
function roleStatements(
  props: ModelEndpointProps,
  place: Place,
  logs: CloudwatchLogGroup,
  releaseAlarms: Readonly<Record<string, string>>,
): readonly Statement[] {
  return [
    // Signing in to a registry takes no resource (service authorization reference, "Actions defined by Amazon ECR").
    { sid: "SignInToRegistry", actions: ["ecr:GetAuthorizationToken"], resources: ["*"] },
    {
      sid: "PullImage",
      actions: ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
      resources: [props.repositoryArn],
    },
    {
      sid: "WriteLogs",
      actions: ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
      resources: [`${logs.arn}:*`],
    },
    {
      // Metrics take no resource either, so a condition limits the namespace.
      sid: "WriteMetrics",
      actions: ["cloudwatch:PutMetricData"],
      resources: ["*"],
      conditions: { StringEquals: { "cloudwatch:namespace": "/aws/sagemaker/Endpoints" } },
    },
    {
      sid: "EncryptVolumes",
      actions: ["kms:CreateGrant"],
      resources: [props.encryptionKey.arn],
      conditions: { Bool: { "kms:GrantIsForAWSResource": "true" } },
    },
    {
      // SageMaker reads the alarms with this role ("Auto-Rollback Configuration and Monitoring" in the SageMaker
      // Developer Guide). By name, because the alarms depend on the configuration, which depends on the role.
      sid: "WatchRelease",
      actions: ["cloudwatch:DescribeAlarms"],
      resources: Object.values(releaseAlarms).map((name) => place.arn("cloudwatch", `alarm:${name}`)),
    },
    ...props.modelStatements,
  ];
}

/** The only variant: a release moves all traffic from one configuration to the next. */
const variant = "champion";

/**
 * A real-time endpoint that serves one model package. A model and a configuration can't be changed, so each release
 * makes new ones under new names, moves the endpoint, and deletes the old ones. Two alarms watch only the new instances
 * during the move: if the new model fails or is slow, SageMaker rolls back, and Terraform fails. Two more alarms watch
 * all instances, and notify people.
 */
export class ModelEndpoint extends Construct {
  readonly name: string;
  readonly arn: string;
  /** Depend on it if something needs the endpoint in service. */
  readonly endpoint: SagemakerEndpoint;
  /** Goes off when the endpoint fails to answer. */
  readonly errors: Alarm;
  /** Goes off when the model is slow. */
  readonly latency: Alarm;

  constructor(scope: Construct, id: string, props: ModelEndpointProps) {
    super(scope, id);
    if (!/^[A-Za-z0-9](-*[A-Za-z0-9]){0,62}$/.test(props.name)) {
      throw new Error(
        `The endpoint name ${JSON.stringify(props.name)} must have 1 to 63 letters and digits, with hyphens between.`,
      );
    }
    const logs = new CloudwatchLogGroup(this, "logs", {
      name: `/aws/sagemaker/Endpoints/${props.name}`,
      retentionInDays: props.logRetentionDays,
      kmsKeyId: props.encryptionKey.arn,
    });
    const metrics = {
      namespace: "AWS/SageMaker",
      dimensions: { EndpointName: props.name, VariantName: variant },
      topicArn: props.alarmTopicArn,
    };
    this.errors = new Alarm(this, "errors", {
      ...metrics,
      name: `${props.name}-endpoint-errors`,
      description: `The endpoint ${props.name} failed to answer: read /aws/sagemaker/Endpoints/${props.name}.`,
      metric: "Invocation5XXErrors",
      statistic: "Sum",
      threshold: 0,
    });
    this.latency = new Alarm(this, "latency", {
      ...metrics,
      name: `${props.name}-endpoint-latency`,
      description: `One in a hundred answers of the endpoint ${props.name} took longer than ${props.latencyAlarmMilliseconds} ms in 3 of 5 minutes.`,
      metric: "ModelLatency",
      statistic: "p99",
      threshold: props.latencyAlarmMilliseconds * 1_000, // the metric counts microseconds
      evaluationPeriods: 5,
      periodsAbove: 3,
    });
    const releaseAlarms = { errors: `${props.name}-release-errors`, latency: `${props.name}-release-latency` };
    const role = new ExecutionRole(this, "role", {
      name: `${props.name}-endpoint`,
      description: `What the model behind the endpoint ${props.name} may do`,
      service: "sagemaker.amazonaws.com",
      statements: roleStatements(props, placeOf(this), logs, releaseAlarms),
    });

    const model = new SagemakerModel(this, "model", {
      executionRoleArn: role.arn,
      primaryContainer: { modelPackageName: props.modelPackageArn },
      // The container needs no network.
      enableNetworkIsolation: true,
      dependsOn: [role.policy],
      lifecycle: {
        createBeforeDestroy: true,
        precondition: props.preconditions,
      },
    });
    const configuration = new SagemakerEndpointConfiguration(this, "configuration", {
      namePrefix: `${props.name}-`,
      kmsKeyArn: props.encryptionKey.arn,
      ...dataCapture(props),
      productionVariants: [
        {
          variantName: variant,
          modelName: model.name,
          instanceType: props.instanceType,
          initialInstanceCount: props.instanceCount,
          initialVariantWeight: 1,
        },
      ],
      lifecycle: { createBeforeDestroy: true },
    });
    const watching = this.watchRelease(props, configuration, metrics, releaseAlarms);
    const endpoint = this.serve(props, configuration, watching, logs);
    this.name = props.name;
    this.arn = endpoint.arn;
    this.endpoint = endpoint;
    if (props.scaling) {
      this.scale(endpoint, configuration, props.scaling, props.instanceCount);
    }
  }

  /** The endpoint. Its deployment fails when SageMaker rolls a release back. */
  private serve(
    props: ModelEndpointProps,
    configuration: SagemakerEndpointConfiguration,
    watching: readonly Alarm[],
    logs: CloudwatchLogGroup,
  ): SagemakerEndpoint {
    return new SagemakerEndpoint(this, "endpoint", {
      name: props.name,
      endpointConfigName: configuration.name,
      deploymentConfig: {
        blueGreenUpdatePolicy: { trafficRoutingConfiguration: trafficRouting(props) },
        // With other alarms, Terraform's provider would replace the endpoint: it can't change them in place.
        autoRollbackConfiguration: {
          alarms: watching.map(({ name }) => ({ alarmName: name })),
        },
      },
      dependsOn: [logs],
      lifecycle: {
        postcondition: [
          {
            // After a rollback SageMaker and Terraform's provider report InService. Without this check, Terraform would
            // delete the configuration that serves.
            condition: `\${self.endpoint_config_name == ${configuration.fqn}.name}`,
            errorMessage:
              `The release to the endpoint ${props.name} was rolled back: the previous model still answers. ` +
              `Why: aws sagemaker describe-endpoint --endpoint-name ${props.name} --query FailureReason. ${props.afterRollback}`,
          },
        ],
      },
    });
  }

  /** The alarms that roll a release back. */
  private watchRelease(
    props: ModelEndpointProps,
    configuration: SagemakerEndpointConfiguration,
    metrics: Pick<AlarmProps, "namespace" | "dimensions" | "topicArn">,
    names: Readonly<Record<"errors" | "latency", string>>,
  ): readonly Alarm[] {
    // Only on the new instances: an alarm on all would roll back a release that repairs a failing model.
    const ofRelease = {
      ...metrics,
      dimensions: { ...metrics.dimensions, EndpointConfigName: configuration.name },
    };
    return [
      new Alarm(this, "release-errors", {
        ...ofRelease,
        name: names.errors,
        description: `The newest release of the endpoint ${props.name} failed to answer; during the release it is rolled back.`,
        metric: "Invocation5XXErrors",
        statistic: "Sum",
        threshold: 0,
      }),
      // One minute is enough: another release costs less than a slow model.
      new Alarm(this, "release-latency", {
        ...ofRelease,
        name: names.latency,
        description: `One in a hundred answers of the newest release of the endpoint ${props.name} took longer than ${props.latencyAlarmMilliseconds} ms; during the release it is rolled back.`,
        metric: "ModelLatency",
        statistic: "p99",
        threshold: props.latencyAlarmMilliseconds * 1_000,
      }),
    ];
  }

  /**
   * Adds instances under load and removes them again. Each release starts with `instanceCount` instances, because
   * Terraform's provider can't ask SageMaker to keep the running ones (`RetainAllVariantProperties`). During a release
   * scaling is blocked ("Update endpoints that use auto scaling" in the SageMaker Developer Guide).
   */
  private scale(
    endpoint: SagemakerEndpoint,
    configuration: SagemakerEndpointConfiguration,
    scaling: EndpointScaling,
    minimum: number,
  ): void {
    const addressOf = (resource: TerraformResource): string =>
      `${resource.terraformResourceType}.${resource.friendlyUniqueId}`;
    const again = {
      lifecycle: {
        replaceTriggeredBy: [
          // AWS deletes the scaling target together with the endpoint.
          `${addressOf(endpoint)}.id`,
          // A registered endpoint refuses another instance type. Terraform asks for it only after its new configuration
          // exists.
          `${addressOf(configuration)}.production_variants[0].instance_type`,
        ],
      },
    };
    const target = new AppautoscalingTarget(this, "scaling-target", {
      serviceNamespace: "sagemaker",
      scalableDimension: "sagemaker:variant:DesiredInstanceCount",
      resourceId: `endpoint/${endpoint.name}/variant/${variant}`,
      minCapacity: minimum,
      maxCapacity: scaling.maximumInstances,
      ...again,
    });
    new AppautoscalingPolicy(this, "scaling-policy", {
      name: `${this.name}-invocations`,
      policyType: "TargetTrackingScaling",
      serviceNamespace: target.serviceNamespace,
      scalableDimension: target.scalableDimension,
      resourceId: target.resourceId,
      targetTrackingScalingPolicyConfiguration: {
        predefinedMetricSpecification: { predefinedMetricType: "SageMakerVariantInvocationsPerInstance" },
        targetValue: scaling.invocationsPerInstance,
        scaleOutCooldown: scaling.scaleOutCooldownSeconds,
        scaleInCooldown: scaling.scaleInCooldownSeconds,
      },
      ...again,
    });
  }
}
