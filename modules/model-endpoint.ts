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

/** Where SageMaker keeps a sample of what the endpoint was asked and what it answered. */
export interface DataCapture {
  /** S3 URI; SageMaker adds `/<endpoint>/<variant>/yyyy/mm/dd/hh/<file>.jsonl`. The role needs to write there. */
  readonly destinationUri: string;
  /** Encrypts what is kept; the role needs to use it. */
  readonly encryptionKeyArn: string;
  /** Of a hundred invocations so many are kept: 1 to 100. */
  readonly samplingPercent: number;
}

/** How SageMaker captures: requests and answers, as text where they are text. */
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
      // Without these SageMaker writes Base64 (API reference, CaptureContentTypeHeader).
      captureContentTypeHeader: { csvContentTypes: ["text/csv"], jsonContentTypes: ["application/json"] },
    },
  };
}

/** How many instances serve, by how much each has to do. */
export interface EndpointScaling {
  /** More are never added. The least is `instanceCount`. */
  readonly maximumInstances: number;
  /**
   * Invocations a minute that each instance is to have: what one can answer in a minute, times a safety factor of a
   * half ("Load testing your auto scaling configuration" in the SageMaker Developer Guide).
   */
  readonly invocationsPerInstance: number;
  /** Seconds after instances were added before more are. */
  readonly scaleOutCooldownSeconds: number;
  /** Seconds after instances were taken away before more are. */
  readonly scaleInCooldownSeconds: number;
}

export interface ModelEndpointProps {
  /** Stays the same through every update: 1 to 63 letters, digits and hyphens. */
  readonly name: string;
  /** ARN of the model package that it serves. */
  readonly modelPackageArn: string;
  /** What must hold before Terraform makes the model. @default nothing */
  readonly preconditions?: Precondition[];
  /** ARN of the ECR repository of the package's image. */
  readonly repositoryArn: string;
  /** What else the container's role may do: read the model, and use the key that encrypts it. */
  readonly modelStatements: readonly Statement[];
  readonly instanceType: string;
  /** Where there is scaling, the least: each release begins with so many. */
  readonly instanceCount: number;
  /** @default always `instanceCount` */
  readonly scaling?: EndpointScaling;
  readonly logRetentionDays: number;
  /** Encrypts the logs and the volumes of the instances. */
  readonly encryptionKey: EncryptionKey;
  /** Model latency (99th percentile) in milliseconds above which an alarm goes off. */
  readonly latencyAlarmMilliseconds: number;
  /** What is kept of requests and answers. @default nothing */
  readonly capture?: DataCapture;
  /** The topic that the endpoint's alarms tell. */
  readonly alarmTopicArn: string;
  /** Seconds that a release is watched, at each step, before the old instances go: 0 to 3,600. */
  readonly bakeSeconds: number;
  /** What to do when a release was rolled back: a sentence at the end of the error. */
  readonly afterRollback: string;
}

/**
 * How the traffic moves: first to one new instance, then to all; a single instance can only take all of it at once, for
 * the first step may be half of the instances at most (SageMaker Developer Guide, "Use canary traffic shifting").
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

/** What the container does, and SageMaker for it while it moves the traffic. */
function roleStatements(
  props: ModelEndpointProps,
  place: Place,
  logs: CloudwatchLogGroup,
  releaseAlarms: Readonly<Record<string, string>>,
): readonly Statement[] {
  return [
    // Signing in to a registry knows no resources (service authorization reference, "Actions defined by Amazon
    // ECR").
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
      // Metrics know no resources either; the namespace is what can be held.
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
      // SageMaker looks at the alarms as this role ("Auto-Rollback Configuration and Monitoring" in the SageMaker
      // Developer Guide). By name, for the alarms come after the configuration, and that after the role.
      sid: "WatchRelease",
      actions: ["cloudwatch:DescribeAlarms"],
      resources: Object.values(releaseAlarms).map((name) => place.arn("cloudwatch", `alarm:${name}`)),
    },
    ...props.modelStatements,
  ];
}

/** The only variant: releases shift all traffic from one configuration to the next. */
const variant = "champion";

/**
 * A real-time endpoint that serves one model package. Model and configuration can't be changed, so each release makes
 * new ones under new names, moves the endpoint over, and removes the old. The traffic moves while two alarms watch the
 * new instances alone: when the new model fails or is slow, SageMaker moves it back, and Terraform fails. Two more
 * alarms watch whatever serves, and tell people.
 */
export class ModelEndpoint extends Construct {
  readonly name: string;
  readonly arn: string;
  /** Depend on it where something has to find the endpoint in service. */
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
      // The container calls nobody: what it was given is all that it needs.
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

  /** The endpoint, which fails when SageMaker rolls a release back. */
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
        // Other alarms would replace the endpoint: Terraform's provider can't change them in place.
        autoRollbackConfiguration: {
          alarms: watching.map(({ name }) => ({ alarmName: name })),
        },
      },
      dependsOn: [logs],
      lifecycle: {
        postcondition: [
          {
            // After a rollback SageMaker says InService, and so does Terraform's provider: without this, the
            // configuration that serves would be deleted.
            condition: `\${self.endpoint_config_name == ${configuration.fqn}.name}`,
            errorMessage:
              `The release to the endpoint ${props.name} was rolled back: the model before it goes on answering. ` +
              `Why: aws sagemaker describe-endpoint --endpoint-name ${props.name} --query FailureReason. ${props.afterRollback}`,
          },
        ],
      },
    });
  }

  /** The alarms that turn a release back. */
  private watchRelease(
    props: ModelEndpointProps,
    configuration: SagemakerEndpointConfiguration,
    metrics: Pick<AlarmProps, "namespace" | "dimensions" | "topicArn">,
    names: Readonly<Record<"errors" | "latency", string>>,
  ): readonly Alarm[] {
    // Of the new instances alone: one that watches all would turn back the very release that is to mend a model that
    // fails.
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
      // A single minute is enough: to release again costs less than a slow model.
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
   * Adds instances under load and takes them away again. Each release begins with `instanceCount` of them, for
   * Terraform's provider can't ask SageMaker to keep those that run (`RetainAllVariantProperties`); meanwhile scaling
   * is blocked, and goes on by itself afterwards ("Update endpoints that use auto scaling" in the SageMaker Developer
   * Guide).
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
          // With an endpoint, AWS forgets what was registered for it.
          `${addressOf(endpoint)}.id`,
          // An endpoint that is registered refuses another instance type; it is asked only when its new configuration
          // is there.
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
