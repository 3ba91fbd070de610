import { ModelMonitor, type ModelMonitorProps } from "../../modules/model-monitor";
import { synthesize, type Template } from "../support/synthesize";

const props: ModelMonitorProps = {
  name: "acme-test-production",
  endpointName: "acme-test-production",
  endpoint: { fqn: "aws_sagemaker_endpoint.model" },
  bucket: "acme-test-data",
  capturePrefix: "data-capture/acme-test-production/",
  baselinePrefix: "runs/",
  reportPrefix: "monitoring",
  baselineUri: "s3://acme-test-data/runs/first/baseline",
  imageUri: "123456789012.dkr.ecr.eu-west-1.amazonaws.com/acme-test-abalone@sha256:0",
  repositoryArn: "arn:aws:ecr:eu-west-1:123456789012:repository/acme-test-abalone",
  schedule: "hourly",
  minimumRows: 200,
  job: { instanceType: "ml.m5.large", volumeGibibytes: 30, maximumSeconds: 1_800 },
  encryptionKeyArn: "arn:aws:kms:eu-west-1:123456789012:key/k",
  alarmTopicArn: "arn:aws:sns:eu-west-1:123456789012:alarms",
};

const monitor = (changes: Partial<ModelMonitorProps> = {}): Template =>
  synthesize((stack) => new ModelMonitor(stack, "monitor", { ...props, ...changes }));

const definitionOf = (template: Template) => template.resource("aws_sagemaker_data_quality_job_definition");

test("compares the endpoint's traffic with the champion's baseline in the model image, encrypted throughout", () => {
  const definition = definitionOf(monitor());
  expect(definition).toMatchObject({
    data_quality_app_specification: {
      image_uri: props.imageUri,
      environment: { minimum_rows: "200", publish_cloudwatch_metrics: "Enabled" },
    },
    data_quality_baseline_config: {
      statistics_resource: { s3_uri: "s3://acme-test-data/runs/first/baseline/statistics.json" },
      constraints_resource: { s3_uri: "s3://acme-test-data/runs/first/baseline/constraints.json" },
    },
    data_quality_job_input: { endpoint_input: { endpoint_name: "acme-test-production" } },
    data_quality_job_output_config: { kms_key_id: props.encryptionKeyArn },
    job_resources: { cluster_config: { instance_type: "ml.m5.large", volume_kms_key_id: props.encryptionKeyArn } },
    network_config: { enable_inter_container_traffic_encryption: true },
    stopping_condition: { max_runtime_in_seconds: 1_800 },
  });
  // What the container writes lies below the folders that its unprivileged user may write to.
  const { s3_output } = definition.data_quality_job_output_config.monitoring_outputs;
  expect(s3_output.local_path).toMatch(/^\/opt\/ml\/processing\/output\//);
});

test("waits for the endpoint and for its role's policy, and moves to a new definition before the old one goes", () => {
  const definition = definitionOf(monitor());
  expect(definition.depends_on).toEqual(["aws_iam_role_policy.monitor_role_policy", "aws_sagemaker_endpoint.model"]);
  expect(definition.lifecycle.create_before_destroy).toBe(true);
  expect(definition.name).toBeUndefined();
});

test.each([
  ["hourly", "cron(0 * ? * * *)"],
  ["daily", "cron(0 3 ? * * *)"],
] as const)("SageMaker accepts the expression %s", (schedule, expression) => {
  const { monitoring_schedule_config: config } = monitor({ schedule }).resource("aws_sagemaker_monitoring_schedule");
  expect(config.schedule_config.schedule_expression).toBe(expression);
  // API reference, ScheduleConfig: hourly, daily at an hour, or every so many hours.
  expect(expression).toMatch(/^cron\(0 (\*|\d{1,2}(\/\d{1,2})?) \? \* \* \*\)$/);
  expect(config.monitoring_type).toBe("DataQuality");
});

test("its alarms look at the metrics of this endpoint and schedule alone; drift has an action, the other none", () => {
  const template = monitor({ driftTopicArn: "arn:aws:sns:eu-west-1:123456789012:drift" });
  const alarms = Object.values(template.resources("aws_cloudwatch_metric_alarm"));
  for (const alarm of alarms) {
    expect(alarm).toMatchObject({
      namespace: "/aws/sagemaker/Endpoints/data-metrics",
      dimensions: {
        Endpoint: "acme-test-production",
        MonitoringSchedule: "${aws_sagemaker_monitoring_schedule.monitor_schedule.name}",
      },
      threshold: 0,
      statistic: "Maximum",
      treat_missing_data: "notBreaching",
      ok_actions: [props.alarmTopicArn],
    });
  }
  const actions = Object.fromEntries(alarms.map(({ metric_name, alarm_actions }) => [metric_name, alarm_actions]));
  expect(actions).toEqual({
    drifted_features: [props.alarmTopicArn, "arn:aws:sns:eu-west-1:123456789012:drift"],
    contract_violations: [props.alarmTopicArn],
    failed_comparisons: [props.alarmTopicArn],
  });
});

describe("its role", () => {
  const policy = monitor().policyOfRole("monitor");
  const bucket = "arn:aws:s3:::acme-test-data";

  test.each([
    ["s3:GetObject", `${bucket}/data-capture/acme-test-production/champion/2026/03/01/10/a.jsonl`, true],
    ["s3:GetObject", `${bucket}/data-capture/acme-test-test/champion/2026/03/01/10/a.jsonl`, false],
    ["s3:GetObject", `${bucket}/runs/first/baseline/statistics.json`, true],
    ["s3:GetObject", `${bucket}/surveys/a.csv`, false],
    ["s3:PutObject", `${bucket}/monitoring/acme-test-production/acme-test-production-data/2026/03/01/10/x.json`, true],
    ["s3:PutObject", `${bucket}/monitoring/acme-test-test/x.json`, false],
    ["s3:PutObject", `${bucket}/runs/first/baseline/statistics.json`, false],
    ["s3:PutObject", `${bucket}/data-capture/acme-test-production/a.jsonl`, false],
    ["s3:DeleteObject", `${bucket}/data-capture/acme-test-production/a.jsonl`, false],
    ["sagemaker:InvokeEndpoint", "*", false],
  ])("%s on %s: %s", (action, resource, allowed) => {
    expect(policy.allows(action, resource)).toBe(allowed);
  });

  test("puts metrics into two namespaces and no other", () => {
    const put = (namespace: string): boolean =>
      policy.allows("cloudwatch:PutMetricData", "*", { "cloudwatch:namespace": namespace });
    expect(put("/aws/sagemaker/Endpoints/data-metrics")).toBe(true);
    expect(put("/aws/sagemaker/ProcessingJobs")).toBe(true);
    expect(put("AWS/Lambda")).toBe(false);
  });
});

test("runs in the VPC where there is one, and then may connect to it", () => {
  const template = monitor({ network: { subnetIds: ["subnet-1", "subnet-2"], securityGroupIds: ["sg-1"] } });
  expect(definitionOf(template).network_config.vpc_config).toEqual({
    subnets: ["subnet-1", "subnet-2"],
    security_group_ids: ["sg-1"],
  });
  const policy = template.policyOfRole("monitor");
  expect(policy.allows("ec2:CreateNetworkInterface", "arn:aws:ec2:eu-west-1:123456789012:subnet/subnet-1")).toBe(true);
  expect(policy.allows("ec2:CreateNetworkInterface", "arn:aws:ec2:eu-west-1:123456789012:subnet/subnet-3")).toBe(false);
});

test("an instance with a disk of its own gets no key for it", () => {
  const definition = definitionOf(monitor({ job: { ...props.job, instanceType: "ml.m5d.large" } }));
  expect(definition.job_resources.cluster_config.volume_kms_key_id).toBeUndefined();
});

test.each(["", "-a", "a_b", "a".repeat(59)])("the name %j is refused", (name) => {
  expect(() => monitor({ name })).toThrow("1 to 58 letters and digits");
});
