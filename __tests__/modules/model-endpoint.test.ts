import { EncryptionKey } from "../../modules/encryption-key";
import { ModelEndpoint, type ModelEndpointProps } from "../../modules/model-endpoint";
import { synthesize, type Template } from "../support/synthesize";

function make(changes: Partial<ModelEndpointProps> = {}): Template {
  return synthesize((stack) => {
    const encryptionKey = new EncryptionKey(stack, "encryption", {
      name: "acme",
      description: "Encrypts",
      logGroupsNamed: "acme-",
    });
    new ModelEndpoint(stack, "model", {
      name: "acme-test",
      modelPackageArn: "arn:package",
      repositoryArn: "arn:repository",
      modelStatements: [{ sid: "ReadModel", actions: ["s3:GetObject"], resources: ["arn:aws:s3:::acme/runs/*"] }],
      instanceType: "ml.c5.large",
      instanceCount: 2,
      logRetentionDays: 30,
      encryptionKey,
      latencyAlarmMilliseconds: 500,
      alarmTopicArn: "arn:topic",
      bakeSeconds: 600,
      afterRollback: "What now: deploy the earlier package.",
      ...changes,
    });
  });
}

const template = make();
const endpoint = template.resource("aws_sagemaker_endpoint");
const alarms = template.resources("aws_cloudwatch_metric_alarm");
const releaseAlarms = ["model_release-errors_alarm", "model_release-latency_alarm"];

describe("a release", () => {
  test("makes a new model and a new configuration before the old ones go; the endpoint keeps its name", () => {
    const configuration = template.resource("aws_sagemaker_endpoint_configuration");
    expect(configuration).toMatchObject({ name_prefix: "acme-test-", lifecycle: { create_before_destroy: true } });
    expect(template.resource("aws_sagemaker_model").lifecycle).toMatchObject({ create_before_destroy: true });
    expect(endpoint).toMatchObject({
      name: "acme-test",
      endpoint_config_name: "${aws_sagemaker_endpoint_configuration.model_configuration.name}",
    });
  });

  test("goes to one instance first, and is watched there before it continues", () => {
    expect(endpoint.deployment_config.blue_green_update_policy).toEqual({
      traffic_routing_configuration: {
        type: "CANARY",
        canary_size: { type: "INSTANCE_COUNT", value: 1 },
        wait_interval_in_seconds: 600,
      },
    });
  });

  test("of a single instance goes all at once: SageMaker's first step is half of the instances at most", () => {
    expect(
      make({ instanceCount: 1 }).resource("aws_sagemaker_endpoint").deployment_config.blue_green_update_policy,
    ).toEqual({ traffic_routing_configuration: { type: "ALL_AT_ONCE", wait_interval_in_seconds: 600 } });
  });

  test("is rolled back by either of two alarms, which exist before it and watch only the new instances", () => {
    expect(endpoint.deployment_config.auto_rollback_configuration).toEqual({
      alarms: releaseAlarms.map((name) => ({ alarm_name: `\${aws_cloudwatch_metric_alarm.${name}.alarm_name}` })),
    });
    for (const name of releaseAlarms) {
      expect(alarms[name]).toMatchObject({
        dimensions: {
          EndpointName: "acme-test",
          VariantName: "champion",
          EndpointConfigName: "${aws_sagemaker_endpoint_configuration.model_configuration.name}",
        },
        evaluation_periods: 1,
        treat_missing_data: "notBreaching",
        alarm_actions: ["arn:topic"],
      });
    }
    expect(releaseAlarms.map((name) => [alarms[name]?.metric_name, alarms[name]?.threshold])).toEqual([
      ["Invocation5XXErrors", 0],
      ["ModelLatency", 500_000],
    ]);
  });

  test("is watched by SageMaker as the endpoint's role, which sees these alarms alone", () => {
    const policy = template.policyOfRole("model");
    const alarm = (name: string): string => `arn:aws:cloudwatch:eu-west-1:123456789012:alarm:${name}`;
    for (const name of releaseAlarms) {
      expect(policy.allows("cloudwatch:DescribeAlarms", alarm(alarms[name]?.alarm_name as string))).toBe(true);
    }
    expect(policy.allows("cloudwatch:DescribeAlarms", alarm("other"))).toBe(false);
  });

  test("that was rolled back fails Terraform, which would otherwise delete the configuration in use", () => {
    const [condition] = endpoint.lifecycle.postcondition;
    expect(condition.condition).toBe(
      "${self.endpoint_config_name == aws_sagemaker_endpoint_configuration.model_configuration.name}",
    );
    expect(condition.error_message).toMatch(/acme-test was rolled back.*FailureReason.*deploy the earlier package\.$/);
  });
});

describe("scaling", () => {
  const scaled = make({
    scaling: {
      maximumInstances: 10,
      invocationsPerInstance: 750,
      scaleOutCooldownSeconds: 60,
      scaleInCooldownSeconds: 300,
    },
  });
  const ofVariant = {
    service_namespace: "sagemaker",
    scalable_dimension: "sagemaker:variant:DesiredInstanceCount",
  };

  test("adds instances above so many invocations each, and never leaves fewer than a release begins with", () => {
    expect(scaled.resource("aws_appautoscaling_target")).toMatchObject({
      ...ofVariant,
      // By the endpoint's reference: it is registered when the endpoint is there.
      resource_id: "endpoint/${aws_sagemaker_endpoint.model_endpoint.name}/variant/champion",
      min_capacity: 2,
      max_capacity: 10,
    });
    expect(scaled.resource("aws_sagemaker_endpoint_configuration").production_variants[0].initial_instance_count).toBe(
      2,
    );
    expect(scaled.resource("aws_appautoscaling_policy")).toMatchObject({
      policy_type: "TargetTrackingScaling",
      target_tracking_scaling_policy_configuration: {
        predefined_metric_specification: { predefined_metric_type: "SageMakerVariantInvocationsPerInstance" },
        target_value: 750,
        scale_out_cooldown: 60,
        scale_in_cooldown: 300,
      },
    });
  });

  test("is registered again with a new endpoint, and for another instance type, which SageMaker refuses while it is registered", () => {
    for (const type of ["aws_appautoscaling_target", "aws_appautoscaling_policy"]) {
      expect(scaled.resource(type).lifecycle.replace_triggered_by).toEqual([
        "aws_sagemaker_endpoint.model_endpoint.id",
        "aws_sagemaker_endpoint_configuration.model_configuration.production_variants[0].instance_type",
      ]);
    }
  });

  test("is left out where there are no settings for it", () => {
    expect(template.resources("aws_appautoscaling_target")).toEqual({});
    expect(template.resources("aws_appautoscaling_policy")).toEqual({});
  });
});

describe("the alarms", () => {
  const ofEndpoint = { EndpointName: "acme-test", VariantName: "champion" };

  test("go off at the first failed answer", () => {
    expect(alarms.model_errors_alarm).toMatchObject({
      metric_name: "Invocation5XXErrors",
      namespace: "AWS/SageMaker",
      dimensions: ofEndpoint,
      threshold: 0,
      alarm_actions: ["arn:topic"],
    });
  });

  test("go off when the model is slow in 3 of 5 minutes, in the metric's microseconds", () => {
    expect(alarms.model_latency_alarm).toMatchObject({
      metric_name: "ModelLatency",
      dimensions: ofEndpoint,
      extended_statistic: "p99",
      threshold: 500_000,
      evaluation_periods: 5,
      datapoints_to_alarm: 3,
    });
  });

  test("name the variant that the configuration has", () => {
    const { production_variants: variants } = template.resource("aws_sagemaker_endpoint_configuration");
    expect(variants.map(({ variant_name: name }: { variant_name: string }) => name)).toEqual([ofEndpoint.VariantName]);
  });
});

test("the container is cut off from the network, and its role reads what it was given", () => {
  expect(template.resource("aws_sagemaker_model")).toMatchObject({
    enable_network_isolation: true,
    primary_container: { model_package_name: "arn:package" },
  });
  const policy = template.policyOfRole("model");
  expect(policy.allows("s3:GetObject", "arn:aws:s3:::acme/runs/a")).toBe(true);
  expect(policy.allows("s3:PutObject", "arn:aws:s3:::acme/runs/a")).toBe(false);
  expect(policy.allows("ecr:BatchGetImage", "arn:repository")).toBe(true);
  expect(policy.allows("ecr:BatchGetImage", "arn:other")).toBe(false);
});

test("volumes and logs are encrypted by the key, and the logs' group is there before the endpoint writes", () => {
  const key = "${aws_kms_key.encryption_key.arn}";
  expect(template.resource("aws_sagemaker_endpoint_configuration").kms_key_arn).toBe(key);
  expect(template.resource("aws_cloudwatch_log_group")).toMatchObject({
    name: "/aws/sagemaker/Endpoints/acme-test",
    kms_key_id: key,
    retention_in_days: 30,
  });
  expect(endpoint.depends_on).toEqual(["aws_cloudwatch_log_group.model_logs"]);
});

test("a precondition stops Terraform before it makes the model", () => {
  const precondition = { condition: "${1 == 2}", errorMessage: "No model has been registered yet." };
  const { lifecycle } = make({ preconditions: [precondition] }).resource("aws_sagemaker_model");
  expect(lifecycle.precondition).toEqual([
    { condition: "${1 == 2}", error_message: "No model has been registered yet." },
  ]);
});

test.each([[""], ["-a"], ["a_b"], ["a".repeat(64)]])("the name %j is refused", (name) => {
  expect(() => make({ name })).toThrow("must have 1 to 63 letters and digits");
});
