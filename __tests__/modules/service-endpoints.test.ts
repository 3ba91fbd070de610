import { endpointServices, ServiceEndpoints } from "../../modules/service-endpoints";
import { Policy } from "../support/policy";
import { type Arguments, synthesize } from "../support/synthesize";

const template = synthesize((stack) => {
  const endpoints = new ServiceEndpoints(stack, "doors", {
    name: "acme",
    vpcId: "vpc-1",
    subnetIds: ["subnet-a", "subnet-b"],
    routeTableIds: ["rtb-private", "rtb-jobs"],
    admitted: { "private-a": "10.0.10.0/24" },
  });
  endpoints.admit("jobs", "sg-jobs");
});

const own = { "aws:PrincipalAccount": "123456789012", "aws:ResourceAccount": "123456789012" };
const endpoint = (service: string): Arguments =>
  template.resource("aws_vpc_endpoint", `doors_${service.replaceAll(".", "-")}`);
const policy = (service: string): Policy => new Policy(endpoint(service).policy);

test("every service that jobs and Airflow use has an endpoint", () => {
  expect(
    Object.values(template.resources("aws_vpc_endpoint"))
      .map(({ service_name: name }) => name)
      .sort(),
  ).toEqual(
    [
      "airflow.api",
      "airflow.env",
      "airflow.ops",
      "athena",
      "ecr.api",
      "ecr.dkr",
      "glue",
      "kms",
      "lambda",
      "logs",
      "monitoring",
      "s3",
      "sagemaker.api",
      "sagemaker.featurestore-runtime",
      "sagemaker.runtime",
      "sqs",
      "ssm",
      "states",
      "sts",
    ].map((service) => `com.amazonaws.eu-west-1.${service}`),
  );
});

test.each(endpointServices)(
  "%s answers under the service's own name, in each subnet, guarded by the group",
  (service) => {
    expect(endpoint(service)).toMatchObject({
      vpc_endpoint_type: "Interface",
      private_dns_enabled: true,
      subnet_ids: ["subnet-a", "subnet-b"],
      security_group_ids: ["${aws_security_group.doors_security-group.id}"],
    });
  },
);

test("S3 is reached through a gateway, from each route table", () => {
  expect(endpoint("s3")).toMatchObject({ vpc_endpoint_type: "Gateway", route_table_ids: ["rtb-private", "rtb-jobs"] });
});

test.each([
  ["airflow.api", "airflow:GetEnvironment"],
  ["airflow.env", "airflow:CreateCliToken"],
  ["airflow.ops", "airflow:PublishMetrics"],
  ["athena", "athena:StartQueryExecution"],
  ["glue", "glue:GetTable"],
  ["kms", "kms:Decrypt"],
  ["lambda", "lambda:InvokeFunction"],
  ["logs", "logs:PutLogEvents"],
  ["monitoring", "cloudwatch:PutMetricData"],
  ["s3", "s3:PutObject"],
  ["sagemaker.api", "sagemaker:DescribeFeatureGroup"],
  ["sagemaker.featurestore-runtime", "sagemaker:BatchWriteRecord"],
  ["sagemaker.featurestore-runtime", "sagemaker:PutRecord"],
  ["sagemaker.runtime", "sagemaker:InvokeEndpoint"],
  ["ssm", "ssm:GetParameter"],
  ["states", "states:StartExecution"],
  ["sts", "sts:GetCallerIdentity"],
])("%s lets this account do %s with its own resources, and nobody else", (service, action) => {
  const stranger = "999999999999";
  expect(policy(service).allows(action, "any", own)).toBe(true);
  expect(policy(service).allows(action, "any", { ...own, "aws:PrincipalAccount": stranger })).toBe(false);
  expect(policy(service).allows(action, "any", { ...own, "aws:ResourceAccount": stranger })).toBe(false);
  expect(policy(service).allows(action, "any")).toBe(false);
  expect(policy(service).allows("iam:CreateUser", "any", own)).toBe(false);
});

test("a call without a resource is allowed for this account", () => {
  const { "aws:PrincipalAccount": account } = own;
  expect(policy("monitoring").allows("cloudwatch:PutMetricData", "*", { "aws:PrincipalAccount": account })).toBe(true);
});

test("the queue of Airflow's workers, which AWS keeps in an account of its own, is reached with this account's credentials only", () => {
  const queue = "arn:aws:sqs:eu-west-1:999999999999:airflow-celery-1";
  expect(policy("sqs").allows("sqs:SendMessage", queue, { ...own, "aws:ResourceAccount": "999999999999" })).toBe(true);
  expect(policy("sqs").allows("sqs:SendMessage", queue, { "aws:PrincipalAccount": "999999999999" })).toBe(false);
});

test.each(["ecr.api", "ecr.dkr"])(
  "%s: AWS's services may pull an image, and none but this account may push one",
  (service) => {
    const aws = { "aws:PrincipalAccount": "999999999999" };
    expect(policy(service).allows("ecr:BatchGetImage", "any", aws)).toBe(true);
    expect(policy(service).allows("ecr:PutImage", "any", aws)).toBe(false);
    expect(policy(service).allows("ecr:PutImage", "any", own)).toBe(true);
  },
);

test("the layers of images come through S3, from ECR's bucket and no other", () => {
  const layers = "arn:aws:s3:::prod-eu-west-1-starport-layer-bucket/a";
  const aws = { "aws:PrincipalAccount": "999999999999", "aws:ResourceAccount": "999999999999" };
  expect(policy("s3").allows("s3:GetObject", layers, aws)).toBe(true);
  expect(policy("s3").allows("s3:PutObject", layers, aws)).toBe(false);
  expect(policy("s3").allows("s3:GetObject", "arn:aws:s3:::anything/a", aws)).toBe(false);
});

test("no security group has inline rules, which would conflict with separate ones", () => {
  for (const group of Object.values(template.resources("aws_security_group"))) {
    expect(group).not.toHaveProperty("ingress");
    expect(group).not.toHaveProperty("egress");
  }
  expect(template.resources("aws_security_group_rule")).toEqual({});
});

test("the endpoints accept HTTPS from members, and open no connections", () => {
  const group = "${aws_security_group.doors_security-group.id}";
  const rules = Object.values(template.resources("aws_vpc_security_group_ingress_rule"));
  expect(rules.map((rule) => rule.cidr_ipv4 ?? rule.referenced_security_group_id).sort()).toEqual([
    "10.0.10.0/24",
    "sg-jobs",
  ]);
  for (const rule of rules) {
    expect(rule).toMatchObject({ security_group_id: group, ip_protocol: "tcp", from_port: 443, to_port: 443 });
  }
  const outgoing = Object.values(template.resources("aws_vpc_security_group_egress_rule"));
  expect(outgoing.map(({ security_group_id: id }) => id)).not.toContain(group);
});

test("members reach the endpoints and S3, and nothing else", () => {
  const rules = Object.values(template.resources("aws_vpc_security_group_egress_rule"));
  expect(rules).toHaveLength(2);
  for (const rule of rules) {
    expect(rule).toMatchObject({ security_group_id: "sg-jobs", ip_protocol: "tcp", from_port: 443, to_port: 443 });
    expect(rule.cidr_ipv4).toBeUndefined();
  }
  expect(rules.map((rule) => rule.referenced_security_group_id ?? rule.prefix_list_id).sort()).toEqual([
    "${aws_security_group.doors_security-group.id}",
    "${aws_vpc_endpoint.doors_s3.prefix_list_id}",
  ]);
});
