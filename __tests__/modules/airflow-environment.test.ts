import { createHash } from "node:crypto";
import { AirflowEnvironment, type AirflowEnvironmentProps } from "../../modules/airflow-environment";
import { Policy } from "../support/policy";
import { synthesize, type Template } from "../support/synthesize";

const account = "123456789012";
const keyArn = `arn:aws:kms:eu-west-1:${account}:key/1`;
const constraints = (version: string, python: string): string =>
  `--constraint "https://raw.githubusercontent.com/apache/airflow/constraints-${version}/constraints-${python}.txt"\n`;
const props: AirflowEnvironmentProps = {
  name: "acme-test-airflow",
  version: "3.0.6",
  environmentClass: "mw1.small",
  maximumWorkers: 3,
  webServer: "private",
  vpcId: "vpc-1",
  subnetIds: ["subnet-a", "subnet-b"],
  bucketName: "acme-test-dags",
  dags: new Map([["one_two.py", Buffer.from("one = 1\n")]]),
  variables: { acme_data_bucket: "acme-test-data" },
  variablesPath: "/acme/test/airflow/variables",
  encryptionKeyArn: keyArn,
  logRetentionDays: 30,
};

function make(changes: Partial<AirflowEnvironmentProps> = {}): Template {
  return synthesize((stack) => {
    const airflow = new AirflowEnvironment(stack, "airflow", { ...props, ...changes });
    airflow.alarms({ topicArn: "arn:topic", dagIds: ["a-dag"] });
    airflow.grant({ sid: "Granted", actions: ["lambda:InvokeFunction"], resources: ["arn:function"] });
  });
}

const template = make();
const environment = template.resource("aws_mwaa_environment");
const role = template.policyOf("airflow_role-policy");

describe("the environment", () => {
  test("has two subnets, the class, the version and the workers that it was given", () => {
    expect(environment).toMatchObject({
      name: "acme-test-airflow",
      airflow_version: "3.0.6",
      environment_class: "mw1.small",
      min_workers: 1,
      max_workers: 3,
      kms_key: keyArn,
      network_configuration: {
        subnet_ids: ["subnet-a", "subnet-b"],
        security_group_ids: ["${aws_security_group.airflow_security-group.id}"],
      },
    });
  });

  test.each([
    ["private", "PRIVATE_ONLY"],
    ["public", "PUBLIC_ONLY"],
  ] as const)("its web server is %s when the setting says so", (webServer, mode) => {
    expect(make({ webServer }).resource("aws_mwaa_environment").webserver_access_mode).toBe(mode);
  });

  test("writes all five logs, into encrypted groups that are there before it and end some day", () => {
    const configured = Object.values<{ enabled: boolean; log_level: string }>(environment.logging_configuration);
    expect(configured).toHaveLength(5);
    for (const log of configured) {
      expect(log).toEqual({ enabled: true, log_level: "INFO" });
    }
    const groups = Object.entries(template.resources("aws_cloudwatch_log_group"));
    expect(groups.map(([, { name }]) => name as string).sort()).toEqual(
      ["DAGProcessing", "Scheduler", "Task", "WebServer", "Worker"].map((log) => `airflow-acme-test-airflow-${log}`),
    );
    for (const [address, group] of groups) {
      expect(group).toMatchObject({ retention_in_days: 30, kms_key_id: keyArn });
      expect(environment.depends_on).toContain(`aws_cloudwatch_log_group.${address}`);
    }
  });

  test("waits for its role's policy, its group's rules, a bucket that is closed and versioned, its DAGs and its Variables", () => {
    for (const address of [
      "aws_iam_role_policy.airflow_role-policy",
      "aws_vpc_security_group_ingress_rule.airflow_from-itself",
      "aws_vpc_security_group_egress_rule.airflow_to-anywhere",
      "aws_s3_bucket_public_access_block.airflow_dags_public-access",
      "aws_s3_bucket_versioning.airflow_dags_versioning",
      "aws_s3_object.airflow_object-dags-one-two-py",
      "aws_ssm_parameter.airflow_variable-acme-data-bucket",
    ]) {
      expect(environment.depends_on).toContain(address);
    }
  });

  test("may take longer than the provider's own two hours, and lets running tasks end before a worker goes", () => {
    const minutes = (text: string): number => {
      const [, hours, rest = "0"] = /^(\d+)h(?:(\d+)m)?$/.exec(text) ?? [];
      return Number(hours) * 60 + Number(rest);
    };
    expect(minutes(environment.timeouts.create)).toBeGreaterThan(120);
    expect(minutes(environment.timeouts.update)).toBeGreaterThan(120);
    expect(environment.worker_replacement_strategy).toBe("GRACEFUL");
    expect(environment.weekly_maintenance_window_start).toMatch(
      /^(MON|TUE|WED|THU|FRI|SAT|SUN):([01]\d|2[0-3]):(00|30)$/,
    );
  });

  test("is destroyed only if nothing is protected", () => {
    expect(environment.lifecycle).toEqual({ prevent_destroy: true });
    const free = make({ protect: false });
    expect(free.resource("aws_mwaa_environment").lifecycle).toBeUndefined();
    expect(free.resource("aws_s3_bucket").force_destroy).toBe(true);
  });
});

describe("the bucket", () => {
  test("takes each DAG below the folder that Airflow looks through, with a hash of its content", () => {
    expect(environment.dag_s3_path).toBe("dags");
    const object = template.resource("aws_s3_object");
    expect(object).toMatchObject({
      key: "dags/one_two.py",
      source_hash: createHash("sha256").update("one = 1\n").digest("hex"),
    });
    expect(template.file(object.source).toString()).toBe("one = 1\n");
  });

  test("a changed DAG changes its object and nothing of the environment", () => {
    const changed = make({ dags: new Map([["one_two.py", Buffer.from("one = 2\n")]]) });
    expect(changed.resource("aws_s3_object").source_hash).not.toBe(template.resource("aws_s3_object").source_hash);
    expect(changed.resource("aws_mwaa_environment")).toEqual(environment);
  });

  test("the environment names the version of the requirements, which S3 makes for a new content only", () => {
    const requirements = Buffer.from(`${constraints("3.0.6", "3.12")}a==1\n`);
    const withRequirements = make({ requirements });
    const object = "aws_s3_object.airflow_object-requirements-txt";
    expect(withRequirements.resource("aws_mwaa_environment")).toMatchObject({
      requirements_s3_path: `\${${object}.key}`,
      requirements_s3_object_version: `\${${object}.version_id}`,
    });
    expect(withRequirements.resource("aws_s3_object", "airflow_object-requirements-txt")).toMatchObject({
      source_hash: createHash("sha256").update(requirements).digest("hex"),
      depends_on: expect.arrayContaining(["aws_s3_bucket_versioning.airflow_dags_versioning"]),
    });
    expect(environment).not.toHaveProperty("requirements_s3_path");
  });
});

describe("the role", () => {
  /**
   * MWAA User Guide, "Amazon MWAA execution role", sample policy for a customer-managed key; the bucket's three
   * patterns by examples of each.
   */
  test.each([
    ["airflow:PublishMetrics", `arn:aws:airflow:eu-west-1:${account}:environment/acme-test-airflow`],
    ["s3:GetObject", "${aws_s3_bucket.airflow_dags_bucket.arn}/dags/a.py"],
    ["s3:GetObjectVersion", "${aws_s3_bucket.airflow_dags_bucket.arn}/requirements.txt"],
    ["s3:GetBucketPublicAccessBlock", "${aws_s3_bucket.airflow_dags_bucket.arn}"],
    ["s3:GetBucketVersioning", "${aws_s3_bucket.airflow_dags_bucket.arn}"],
    ["s3:ListBucket", "${aws_s3_bucket.airflow_dags_bucket.arn}"],
    ["s3:ListBucketVersions", "${aws_s3_bucket.airflow_dags_bucket.arn}"],
    ["s3:GetAccountPublicAccessBlock", "*"],
    ...["CreateLogStream", "CreateLogGroup", "PutLogEvents", "GetLogEvents", "GetLogRecord"].map((action) => [
      `logs:${action}`,
      `arn:aws:logs:eu-west-1:${account}:log-group:airflow-acme-test-airflow-Task`,
    ]),
    ...["GetLogGroupFields", "GetQueryResults"].map((action) => [
      `logs:${action}`,
      `arn:aws:logs:eu-west-1:${account}:log-group:airflow-acme-test-airflow-Worker`,
    ]),
    ["logs:DescribeLogGroups", "*"],
    ["cloudwatch:PutMetricData", "*"],
    ...[
      "ChangeMessageVisibility",
      "DeleteMessage",
      "GetQueueAttributes",
      "GetQueueUrl",
      "ReceiveMessage",
      "SendMessage",
    ].map((action) => [`sqs:${action}`, "arn:aws:sqs:eu-west-1:999999999999:airflow-celery-1"]),
    ["ssm:GetParameter", `arn:aws:ssm:eu-west-1:${account}:parameter/acme/test/airflow/variables/acme_data_bucket`],
    ["lambda:InvokeFunction", "arn:function"],
  ])("may %s on %s", (action, resource) => {
    expect(role.allows(action, resource)).toBe(true);
  });

  test.each(["Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext"])(
    "may kms:%s through S3 and SQS, and never directly",
    (action) => {
      for (const service of ["s3", "sqs"]) {
        const context = { "kms:ViaService": `${service}.eu-west-1.amazonaws.com` };
        expect(role.allows(`kms:${action}`, keyArn, context)).toBe(true);
        expect(role.allows(`kms:${action}`, keyArn.replace("key/1", "key/2"), context)).toBe(false);
      }
      expect(role.allows(`kms:${action}`, keyArn)).toBe(false);
      expect(role.allows(`kms:${action}`, keyArn, { "kms:ViaService": "ssm.eu-west-1.amazonaws.com" })).toBe(false);
    },
  );

  test.each([
    ["s3:ListAllMyBuckets", "${aws_s3_bucket.airflow_dags_bucket.arn}"],
    ["s3:PutObject", "${aws_s3_bucket.airflow_dags_bucket.arn}/dags/a.py"],
    ["s3:DeleteObject", "${aws_s3_bucket.airflow_dags_bucket.arn}/dags/a.py"],
    ["sqs:SendMessage", "arn:aws:sqs:eu-west-1:999999999999:another-queue"],
    ["logs:PutLogEvents", `arn:aws:logs:eu-west-1:${account}:log-group:/aws/lambda/x`],
    ["airflow:PublishMetrics", `arn:aws:airflow:eu-west-1:${account}:environment/another`],
    ["ssm:GetParameter", `arn:aws:ssm:eu-west-1:${account}:parameter/acme/test/Pipeline`],
    ["iam:PassRole", "any"],
  ])("may not %s on %s", (action, resource) => {
    expect(role.allows(action, resource)).toBe(false);
  });

  test("can be assumed by MWAA for this environment of this account, and for no other", () => {
    const trust = new Policy(template.resource("aws_iam_role").assume_role_policy);
    const own = {
      "aws:SourceAccount": account,
      "aws:SourceArn": `arn:aws:airflow:eu-west-1:${account}:environment/acme-test-airflow`,
    };
    // A trust policy has no resource: its resource is the role itself.
    const statements = trust.statements.map((statement) => ({ ...statement, Resource: "*" }));
    const decides = new Policy(JSON.stringify({ Statement: statements }));
    for (const service of ["airflow.amazonaws.com", "airflow-env.amazonaws.com"]) {
      expect(decides.allows("sts:AssumeRole", "any", own, service)).toBe(true);
      expect(decides.allows("sts:AssumeRole", "any", { ...own, "aws:SourceAccount": "9".repeat(12) }, service)).toBe(
        false,
      );
      expect(
        decides.allows("sts:AssumeRole", "any", { ...own, "aws:SourceArn": `${own["aws:SourceArn"]}-2` }, service),
      ).toBe(false);
      expect(decides.allows("sts:AssumeRole", "any", {}, service)).toBe(false);
    }
    expect(decides.allows("sts:AssumeRole", "any", own, "lambda.amazonaws.com")).toBe(false);
  });
});

test("Variables come from Parameter Store, and nothing else does", () => {
  const options = environment.airflow_configuration_options;
  expect(options["secrets.backend"]).toMatch(/\.SystemsManagerParameterStoreBackend$/);
  expect(JSON.parse(options["secrets.backend_kwargs"])).toEqual({
    connections_prefix: null,
    config_prefix: null,
    variables_prefix: "/acme/test/airflow/variables",
  });
  expect(template.resource("aws_ssm_parameter")).toMatchObject({
    name: "/acme/test/airflow/variables/acme_data_bucket",
    type: "String",
    insecure_value: "acme-test-data",
  });
});

test("traffic is allowed within the security group, and its rules are resources of their own", () => {
  const group = "${aws_security_group.airflow_security-group.id}";
  expect(template.resource("aws_security_group")).not.toHaveProperty("ingress");
  expect(template.resource("aws_security_group")).not.toHaveProperty("egress");
  expect(template.resource("aws_vpc_security_group_ingress_rule")).toMatchObject({
    security_group_id: group,
    referenced_security_group_id: group,
    ip_protocol: "-1",
  });
  expect(template.resource("aws_vpc_security_group_egress_rule")).toMatchObject({
    security_group_id: group,
    cidr_ipv4: "0.0.0.0/0",
    ip_protocol: "-1",
  });
});

describe("alarms", () => {
  const alarms = template.resources("aws_cloudwatch_metric_alarm");

  test("missing data of the scheduler is an alarm, of others it is not", () => {
    expect(alarms["airflow_scheduler-silent"]).toMatchObject({
      metric_name: "SchedulerHeartbeat",
      dimensions: { Environment: "acme-test-airflow", Function: "Scheduler" },
      comparison_operator: "LessThanThreshold",
      treat_missing_data: "breaching",
    });
    expect(alarms["airflow_tasks-waiting_alarm"]).toMatchObject({
      metric_name: "QueuedTasks",
      statistic: "Minimum",
      treat_missing_data: "notBreaching",
    });
    expect(alarms["airflow_a-dag-failed_alarm"]).toMatchObject({
      metric_name: "DAGDurationFailed",
      dimensions: { Environment: "acme-test-airflow", DAG: "a-dag" },
      treat_missing_data: "notBreaching",
    });
  });

  test("all notify the topic, when they go off and when they end, and say where to look", () => {
    expect(Object.keys(alarms)).toHaveLength(3);
    for (const alarm of Object.values(alarms)) {
      expect(alarm).toMatchObject({ alarm_actions: ["arn:topic"], ok_actions: ["arn:topic"] });
      expect(alarm.alarm_description).toContain("airflow-acme-test-airflow-");
    }
  });
});

describe("invalid settings are refused, with the field, the value and what was expected", () => {
  test.each<[string, Partial<AirflowEnvironmentProps>, RegExp]>([
    ["a name with a slash", { name: "a/b" }, /name "a\/b" must have 1 to 64 letters/],
    ["a name that no role can bear", { name: "a".repeat(65) }, /must have 1 to 64/],
    ["no worker", { maximumWorkers: 0 }, /maximumWorkers of acme-test-airflow is 0; MWAA takes .* 1 to 25/],
    ["half a worker", { maximumWorkers: 1.5 }, /is 1\.5; MWAA takes a whole number/],
    [
      "two workers of the smallest class",
      { environmentClass: "mw1.micro", maximumWorkers: 2 },
      /1 to 1 with mw1.micro/,
    ],
    ["no DAG", { dags: new Map() }, /has no DAG/],
    ["a Variable with a slash", { variables: { "a/b": "c" } }, /Variable "a\/b"/],
    ["requirements without constraints", { requirements: Buffer.from("a==1\n") }, /begin with "a==1"; Airflow 3\.0\.6/],
    ["no requirement at all", { requirements: Buffer.from("") }, /begin with ""/],
    [
      "requirements of another version",
      { requirements: Buffer.from(constraints("2.11.0", "3.12")) },
      /constraints-3\.0\.6\/constraints-3\.12\.txt/,
    ],
  ])("%s", (_name, changes, message) => {
    expect(() => make(changes)).toThrow(message);
  });

  test.each([
    ["2.10.3", "3.11"],
    ["2.11.0", "3.12"],
    ["3.0.6", "3.12"],
  ] as const)("Airflow %s has the constraints of Python %s", (version, python) => {
    expect(() => make({ version, requirements: Buffer.from(constraints(version, python)) })).not.toThrow();
  });
});
