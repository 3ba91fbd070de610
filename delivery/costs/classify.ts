/**
 * What AWS asks for each type of resource: one line a type. A type that isn't here stops `make costs`, so that nothing
 * that is billed is left out unseen.
 */
import type { StackId } from "../../stacks/contract";
import { priceOf } from "./prices";
import { daysOfMonth, hoursOfMonth, type Usage, type WebsiteUsage, workload } from "./usage";

/** A resource as synth wrote it. */
export interface Resource {
  readonly stack: StackId;
  readonly type: string;
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

/** A part of what a resource costs in a month. */
export interface Charge {
  /** The id of a price in `prices.json`. */
  readonly price: string;
  /** Units in a month. */
  readonly quantity: number;
  /** `fixed`: for being there; `use`: by the assumptions of `usage.ts`. */
  readonly kind: "fixed" | "use";
}

/** What a type costs: nothing, something that isn't counted (and why), or charges. */
export type Classification =
  | { readonly free: string }
  | { readonly notPriced: string }
  | { readonly charges: (resource: Resource, usage: Usage) => readonly Charge[] };

const fixed = (price: string, quantity: number): Charge => ({ price, quantity, kind: "fixed" });
const use = (price: string, quantity: number): Charge => ({ price, quantity, kind: "use" });

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? (value as readonly unknown[]) : []);
const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const numberOf = (value: unknown, otherwise: number): number => (typeof value === "number" ? value : otherwise);
const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

/** The website of a stack; nothing for the other stacks. */
function websiteOf({ stack }: Resource, { websites }: Usage): WebsiteUsage | undefined {
  if (stack === "website-test") {
    return websites.test;
  }
  return stack === "website-production" ? websites.production : undefined;
}

/** Requests to a website's API in a month: predictions and messages. */
function apiRequests(resource: Resource, usage: Usage): number {
  const website = websiteOf(resource, usage);
  return website === undefined ? 0 : daysOfMonth * (website.predictions + website.messages);
}

/** Calls of a function in a month; what isn't of a website works for the workflow, once a run. */
function functionCalls(resource: Resource, usage: Usage): number {
  const website = websiteOf(resource, usage);
  if (website === undefined) {
    return usage.workflowRuns;
  }
  // Drift starts it once a day at most.
  if (resource.name.startsWith("start-data-workflow")) {
    return 1;
  }
  if (resource.name.startsWith("contact")) {
    return daysOfMonth * website.messages;
  }
  // Once for a message, and once an hour.
  if (resource.name.startsWith("mail_")) {
    return daysOfMonth * website.messages + hoursOfMonth;
  }
  return daysOfMonth * website.predictions;
}

/** The machines of jobs in a definition: whatever names an instance type. */
function machinesIn(definition: unknown, mark = "InstanceType"): readonly Readonly<Record<string, unknown>>[] {
  if (Array.isArray(definition)) {
    return definition.flatMap((each) => machinesIn(each, mark));
  }
  if (!isObject(definition)) {
    return [];
  }
  return mark in definition ? [definition] : Object.values(definition).flatMap((each) => machinesIn(each, mark));
}

function parse(text: unknown): unknown {
  try {
    return JSON.parse(textOf(text)) as unknown;
  } catch {
    return undefined;
  }
}

const jobHours = workload.jobMinutes / 60;

/** CodeBuild's sizes. */
const buildPrices: Readonly<Record<string, string>> = {
  BUILD_GENERAL1_SMALL: "buildSmallMinute",
  BUILD_GENERAL1_MEDIUM: "buildMediumMinute",
  BUILD_GENERAL1_LARGE: "buildLargeMinute",
};

const partOfAnother = "a setting of another resource";
const inTheVpc = "AWS asks nothing for it; what goes through the NAT gateways and endpoints is counted there";
const identity = "AWS Identity and Access Management costs nothing";

/** The types of all stacks. */
export const classifications: Readonly<Record<string, Classification>> = {
  aws_apigatewayv2_api: { charges: (resource, usage) => [use("apiRequest", apiRequests(resource, usage))] },
  aws_apigatewayv2_integration: { free: partOfAnother },
  aws_apigatewayv2_route: { free: partOfAnother },
  aws_apigatewayv2_stage: { free: partOfAnother },
  aws_appautoscaling_policy: { free: "scaling itself costs nothing; the instances that it adds are not counted" },
  aws_appautoscaling_target: { free: "scaling itself costs nothing; the instances that it adds are not counted" },
  aws_athena_workgroup: {
    charges: (_, { workflowRuns }) => [use("queryTerabyte", (workflowRuns * workload.queryGigabytesOfRun) / 1_000)],
  },
  aws_budgets_budget: { free: "a budget that only tells costs nothing; those with actions do" },
  aws_cloudfront_distribution: {
    charges: (resource, usage) => {
      const visits = daysOfMonth * (websiteOf(resource, usage)?.visits ?? 0);
      return [
        use("websiteRequest", visits * workload.requestsOfVisit + apiRequests(resource, usage)),
        use("websiteGigabyte", (visits * workload.megabytesOfVisit) / 1_000),
      ];
    },
  },
  aws_cloudfront_origin_access_control: { free: partOfAnother },
  aws_cloudfront_response_headers_policy: { free: partOfAnother },
  aws_cloudtrail: { charges: (_, { trailEvents }) => [use("trailDataEvent", trailEvents)] },
  aws_cloudwatch_dashboard: { notPriced: "the first three of an account cost nothing, each further one does" },
  aws_cloudwatch_event_rule: { free: "events of AWS's own services cost nothing" },
  aws_cloudwatch_event_target: { free: "events of AWS's own services cost nothing" },
  aws_cloudwatch_log_delivery: {
    notPriced: "access logs of CloudFront are billed by the GB: a few MB a month with the assumed visits",
  },
  aws_cloudwatch_log_delivery_destination: { free: partOfAnother },
  aws_cloudwatch_log_delivery_source: { free: partOfAnother },
  aws_cloudwatch_log_group: {
    charges: ({ name, arguments: { retention_in_days } }, { flowLogGigabytes, logGigabytes }) => {
      const gigabytes = name.includes("flow-log") ? flowLogGigabytes : logGigabytes;
      return [
        use("logGigabyte", gigabytes),
        // When a retention has passed, that much is kept; how far CloudWatch compresses it is left out.
        use("logGigabyteMonth", (gigabytes * numberOf(retention_in_days, 365)) / daysOfMonth),
      ];
    },
  },
  aws_cloudwatch_log_metric_filter: { charges: () => [fixed("metricMonth", 1)] },
  aws_cloudwatch_log_resource_policy: { free: identity },
  aws_cloudwatch_metric_alarm: {
    // AWS counts the metrics that an alarm looks at, not what it calculates from them.
    charges: ({ arguments: { metric_query } }) => [
      fixed(
        "alarmMonth",
        Math.max(1, listOf(metric_query).filter((query) => isObject(query) && query.metric !== undefined).length),
      ),
    ],
  },
  aws_codebuild_project: {
    charges: ({ arguments: { environment } }, { pipelineRuns }) => {
      const [size = environment] = listOf(environment);
      const type = isObject(size) ? textOf(size.compute_type) : "";
      return [use(buildPrices[type] ?? `build:${type}`, pipelineRuns * workload.buildMinutes)];
    },
  },
  aws_codecommit_repository: { free: "the first five users of an account cost nothing" },
  aws_codepipeline: {
    charges: (_, { pipelineRuns }) => [use("pipelineMinute", pipelineRuns * workload.actionMinutesOfRun)],
  },
  aws_codestarnotifications_notification_rule: { free: "AWS asks for the messages only, at the topic" },
  aws_default_network_acl: { free: inTheVpc },
  aws_default_route_table: { free: inTheVpc },
  aws_default_security_group: { free: inTheVpc },
  aws_dynamodb_table: {
    charges: (resource, usage) => {
      const messages = daysOfMonth * (websiteOf(resource, usage)?.messages ?? 0);
      return [
        // Two units each in a transaction; that a message was mailed is written in two steps.
        use("tableWrite", messages * 4),
        use("tableRead", messages),
        use("tableGigabyteMonth", workload.tableGigabytes),
        ...(resource.arguments.point_in_time_recovery === undefined
          ? []
          : [use("tableRecoveryGigabyteMonth", workload.tableGigabytes)]),
      ];
    },
  },
  aws_ecr_lifecycle_policy: { free: partOfAnother },
  aws_ecr_repository: { charges: (_, { imageGigabytes }) => [use("imageGigabyteMonth", imageGigabytes)] },
  aws_eip: { charges: () => [fixed("publicAddressHour", hoursOfMonth)] },
  aws_flow_log: { free: "AWS asks for the logs: they are counted at their log group" },
  aws_iam_policy: { free: identity },
  aws_iam_role: { free: identity },
  aws_iam_role_policy: { free: identity },
  aws_iam_role_policy_attachment: { free: identity },
  aws_internet_gateway: { free: inTheVpc },
  aws_kms_alias: { free: partOfAnother },
  aws_kms_key: { charges: () => [fixed("keyMonth", 1), use("keyRequest", workload.keyRequests)] },
  aws_lambda_function: {
    charges: (resource, usage) => {
      const { architectures, memory_size } = resource.arguments;
      const calls = functionCalls(resource, usage);
      const second = listOf(architectures).includes("arm64") ? "functionArmSecond" : "functionSecond";
      return [
        use("functionRequest", calls),
        use(second, (calls * workload.functionSeconds * numberOf(memory_size, 128)) / 1_024),
      ];
    },
  },
  aws_lambda_event_source_mapping: { free: "what Lambda reads of a stream costs nothing; its calls are counted there" },
  aws_lambda_permission: { free: identity },
  aws_mwaa_environment: {
    charges: ({ arguments: { environment_class, min_workers } }, { furtherWorkerHours }) => {
      const named = /^mw1\.(.)(.*)$/.exec(textOf(environment_class));
      const size = named ? `airflow${(named[1] ?? "").toUpperCase()}${named[2] ?? ""}` : "airflow";
      return [
        fixed(`${size}Hour`, hoursOfMonth),
        // The first worker is in the price of the environment.
        fixed(`${size}WorkerHour`, hoursOfMonth * (numberOf(min_workers, 1) - 1)),
        use(`${size}WorkerHour`, furtherWorkerHours),
        use("airflowDatabaseGigabyteMonth", workload.airflowDatabaseGigabytes),
      ].filter(({ quantity }) => quantity > 0);
    },
  },
  aws_nat_gateway: {
    charges: (_, { natGigabytes }) => [
      fixed("natGatewayHour", hoursOfMonth),
      use("natGatewayGigabyte", natGigabytes),
      use("internetGigabyte", natGigabytes / 10),
    ],
  },
  aws_network_acl: { free: inTheVpc },
  aws_network_acl_rule: { free: inTheVpc },
  aws_route: { free: inTheVpc },
  aws_route_table: { free: inTheVpc },
  aws_route_table_association: { free: inTheVpc },
  aws_route53_record: { free: "aliases of AWS's own resources cost nothing, and neither do the questions after them" },
  aws_s3_bucket: {
    charges: ({ stack, name }, { dataGigabytes, otherBucketGigabytes }) => [
      use("bucketGigabyteMonth", stack === "data" && name.startsWith("data") ? dataGigabytes : otherBucketGigabytes),
      use("bucketWrite", workload.bucketWrites),
      use("bucketRead", workload.bucketReads),
    ],
  },
  aws_s3_bucket_lifecycle_configuration: { free: partOfAnother },
  aws_s3_bucket_logging: { free: partOfAnother },
  aws_s3_bucket_notification: { free: partOfAnother },
  aws_s3_bucket_ownership_controls: { free: partOfAnother },
  aws_s3_bucket_policy: { free: partOfAnother },
  aws_s3_bucket_public_access_block: { free: partOfAnother },
  aws_s3_bucket_server_side_encryption_configuration: { free: partOfAnother },
  aws_s3_bucket_versioning: { free: partOfAnother },
  aws_s3_object: { free: "counted with its bucket" },
  aws_sagemaker_data_quality_job_definition: {
    charges: (resource, usage) => {
      const hours = daysOfMonth * (websiteOf(resource, usage)?.comparisons ?? 0) * jobHours;
      return machinesIn(resource.arguments.job_resources, "instance_type").flatMap(
        ({ instance_type, instance_count, volume_size_in_gb }) => [
          use(`instance:${textOf(instance_type)}`, hours * numberOf(instance_count, 1)),
          use("jobVolumeGigabyteMonth", (hours * numberOf(volume_size_in_gb, 1)) / hoursOfMonth),
        ],
      );
    },
  },
  aws_sagemaker_endpoint: { free: "counted with its configuration, which names the instances" },
  aws_sagemaker_endpoint_configuration: {
    charges: ({ arguments: { production_variants } }) =>
      listOf(production_variants)
        .filter(isObject)
        .map(({ instance_type, initial_instance_count }) =>
          fixed(`instance:${textOf(instance_type)}`, hoursOfMonth * numberOf(initial_instance_count, 1)),
        ),
  },
  aws_sagemaker_feature_group: { charges: (_, { surveyRows }) => [use("featureWrite", surveyRows)] },
  aws_sagemaker_model: { free: "its files are counted with their bucket" },
  aws_sagemaker_model_package_group: { free: "the registry costs nothing; its files are counted with their bucket" },
  aws_sagemaker_monitoring_schedule: {
    // A metric is asked for by the hour in which it has a value.
    charges: (resource, usage) => [
      use("metricMonth", (workload.metricsOfComparison * (websiteOf(resource, usage)?.comparisons ?? 0)) / 24),
    ],
  },
  aws_security_group: { free: inTheVpc },
  aws_sesv2_configuration_set: {
    charges: (resource, usage) => [use("mail", daysOfMonth * (websiteOf(resource, usage)?.messages ?? 0))],
  },
  aws_sesv2_configuration_set_event_destination: {
    notPriced: "a metric for each outcome of a mail that is no good one: none in a good month",
  },
  aws_sesv2_email_identity: { free: "AWS asks for the mails only, at the configuration set" },
  aws_sfn_state_machine: {
    charges: ({ arguments: { definition } }, { workflowRuns }) => [
      use("stateTransition", workflowRuns * workload.transitionsOfRun),
      ...machinesIn(parse(definition)).flatMap(({ InstanceType, InstanceCount, VolumeSizeInGB }) => {
        const hours = workflowRuns * jobHours * numberOf(InstanceCount, 1);
        return [
          use(`instance:${textOf(InstanceType)}`, hours),
          use("jobVolumeGigabyteMonth", (hours * numberOf(VolumeSizeInGB, 1)) / hoursOfMonth),
        ];
      }),
    ],
  },
  aws_sns_topic: { free: "the first million requests and thousand e-mails of a month cost nothing, for ever" },
  aws_sns_topic_policy: { free: identity },
  aws_sns_topic_subscription: { free: "the first thousand e-mails of a month cost nothing, for ever" },
  aws_sqs_queue: { free: "it holds what failed; the first million requests of a month cost nothing" },
  aws_sqs_queue_policy: { free: partOfAnother },
  aws_ssm_parameter: { free: "a standard parameter costs nothing" },
  aws_subnet: { free: inTheVpc },
  aws_vpc: { free: inTheVpc },
  aws_vpc_endpoint: {
    charges: ({ arguments: { vpc_endpoint_type, subnet_ids } }, { endpointGigabytes }) =>
      // The endpoint of S3 is one of routes, for which AWS asks nothing.
      vpc_endpoint_type === "Interface"
        ? [
            fixed("interfaceEndpointHour", hoursOfMonth * listOf(subnet_ids).length),
            use("interfaceEndpointGigabyte", endpointGigabytes),
          ]
        : [],
  },
  aws_vpc_security_group_egress_rule: { free: inTheVpc },
  aws_vpc_security_group_ingress_rule: { free: inTheVpc },
  aws_wafv2_web_acl: {
    charges: (resource, usage) => {
      const visits = daysOfMonth * (websiteOf(resource, usage)?.visits ?? 0);
      return [
        fixed("firewallMonth", 1),
        fixed("firewallRuleMonth", listOf(resource.arguments.rule).length),
        use("firewallRequest", visits * workload.requestsOfVisit + apiRequests(resource, usage)),
      ];
    },
  },
  aws_wafv2_web_acl_logging_configuration: { free: "AWS asks for the logs: they are counted at their log group" },
  docker_image: { free: "built where the deployment runs; the image is counted with its repository" },
  docker_registry_image: { free: "counted with its repository" },
};

/** What no resource shows, and is therefore in no sum. */
export const notInTheStacks: readonly string[] = [
  "the volumes behind endpoints, whose size SageMaker chooses",
  "metrics that the functions write, and X-Ray's traces",
  "data between availability zones",
  "a second and third version of each key after its yearly rotations",
  "support, taxes, and every free tier and discount, which would make it less",
];

/** Whether a charge has a price. */
export const isPriced = ({ price }: Charge): boolean => priceOf(price) !== undefined;
