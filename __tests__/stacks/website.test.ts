import { openApiJson } from "../../web/openapi";
import { environmentNames, loadEnvironment } from "../../environments";
import { Policy } from "../support/policy";
import { synthesizePlatform } from "../support/synthesize";

const local = synthesizePlatform("local");
const production = synthesizePlatform("production", { alarmEmail: "abalone@example.com" });
const stages = [
  ["test", local["website-test"]!],
  ["production", local["website-production"]!],
] as const;

describe.each(stages)("the stage %s", (stage, template) => {
  const endpointArn = `arn:aws:sagemaker:eu-west-1:123456789012:endpoint/acme-local-website-${stage}`;

  test("serves the champion's package, and says what to do while there is none", () => {
    const model = template.resource("aws_sagemaker_model");
    expect(model.primary_container).toEqual({
      model_package_name: "${data.aws_ssm_parameter.ModelPackageName.insecure_value}",
    });
    expect(model.lifecycle.precondition).toEqual([
      {
        condition: '${(data.aws_ssm_parameter.ModelPackageName.insecure_value != "PLACEHOLDER")}',
        error_message: expect.stringMatching(
          /^No model has been registered yet: .*Run the workflow .* then deploy this stack\.$/,
        ),
      },
    ]);
  });

  test("shows the champion's public figures, once its model serves", () => {
    expect(template.document.data.aws_s3_object).toEqual({
      figures: expect.objectContaining({
        bucket: "${data.aws_ssm_parameter.DataBucket.insecure_value}",
        key: "${data.aws_ssm_parameter.FiguresKey.insecure_value}",
      }),
    });
    expect(template.resource("aws_s3_object", "model-json")).toMatchObject({
      bucket: "${aws_s3_bucket.website_site_bucket.bucket}",
      key: "model.json",
      content: "${data.aws_s3_object.figures.body}",
      content_type: "application/json",
      cache_control: "public, max-age=0, s-maxage=60, must-revalidate",
      depends_on: ["aws_sagemaker_endpoint.model_endpoint"],
      lifecycle: {
        precondition: [
          {
            condition: '${(data.aws_s3_object.figures.content_type == "application/json")}',
            error_message: expect.stringMatching(
              /FiguresKey .*Run the workflow .* figures\/none\.json into the parameter/,
            ),
          },
        ],
      },
    });
  });

  test("moves a stable endpoint over to a new configuration before the old one goes", () => {
    const configuration = template.resource("aws_sagemaker_endpoint_configuration");
    expect(configuration.name).toBeUndefined();
    expect(configuration.name_prefix).toBe(`acme-local-website-${stage}-`);
    expect(configuration.lifecycle).toEqual({ create_before_destroy: true });
    expect(template.resource("aws_sagemaker_model").lifecycle.create_before_destroy).toBe(true);
    expect(template.resource("aws_sagemaker_model").name).toBeUndefined();
    expect(template.resource("aws_sagemaker_endpoint").name).toBe(`acme-local-website-${stage}`);
  });

  test("predict may ask its own endpoint, and nothing else", () => {
    const policy = template.policyOfRole("predict");
    expect(policy.allows("sagemaker:InvokeEndpoint", endpointArn)).toBe(true);
    expect(policy.allows("sagemaker:InvokeEndpoint", `${endpointArn}-other`)).toBe(false);
    expect(policy.allows("sagemaker:UpdateEndpoint", endpointArn)).toBe(false);
    expect(policy.allows("dynamodb:PutItem", "${aws_dynamodb_table.messages.arn}")).toBe(false);
  });

  test("contact may keep a message, and read none", () => {
    const policy = template.policyOfRole("contact");
    const table = "${aws_dynamodb_table.messages.arn}";
    expect(policy.allows("dynamodb:PutItem", table)).toBe(true);
    for (const action of ["GetItem", "Query", "Scan", "DeleteItem", "UpdateItem"]) {
      expect(policy.allows(`dynamodb:${action}`, table)).toBe(false);
    }
    expect(policy.allows("dynamodb:UpdateItem", "${aws_dynamodb_table.visitors.arn}")).toBe(true);
    expect(policy.allows("dynamodb:GetItem", "${aws_dynamodb_table.visitors.arn}")).toBe(false);
    expect(policy.allows("ses:SendEmail", "arn:aws:ses:eu-west-1:123456789012:identity/acme.example")).toBe(false);
    expect(policy.allows("sagemaker:InvokeEndpoint", endpointArn)).toBe(false);
  });

  test("the container reads the models of runs, not surveys, and calls nobody", () => {
    const policy = template.policyOfRole("model");
    const bucket = "arn:aws:s3:::${data.aws_ssm_parameter.DataBucket.insecure_value}";
    expect(policy.allows("s3:GetObject", `${bucket}/runs/r/model/t/output/model.tar.gz`)).toBe(true);
    expect(policy.allows("s3:GetObject", `${bucket}/surveys/new.csv`)).toBe(false);
    expect(policy.allows("s3:PutObject", `${bucket}/runs/r/model/x`)).toBe(false);
    expect(policy.allows("s3:ListBucket", bucket, { "s3:prefix": "runs/r/" })).toBe(true);
    expect(policy.allows("s3:ListBucket", bucket, { "s3:prefix": "surveys/" })).toBe(false);
    expect(template.resource("aws_sagemaker_model").enable_network_isolation).toBe(true);
  });

  test("messages are encrypted, can be restored, and expire", () => {
    expect(template.resource("aws_dynamodb_table", "messages")).toMatchObject({
      hash_key: "id",
      server_side_encryption: { enabled: true, kms_key_arn: "${aws_kms_key.encryption_key.arn}" },
      point_in_time_recovery: { enabled: true },
      ttl: { enabled: true, attribute_name: "expiresAt" },
    });
    const { variables } = template.resource("aws_lambda_function", "contact_function").environment;
    expect(variables).toMatchObject({
      CONTACT_TABLE: "${aws_dynamodb_table.messages.name}",
      CONTACT_RETENTION_DAYS: "7",
    });
  });

  test("visitors are counted in a separate table, encrypted and without backups", () => {
    const table = template.resource("aws_dynamodb_table", "visitors");
    expect(table).toMatchObject({
      server_side_encryption: { enabled: true, kms_key_arn: "${aws_kms_key.encryption_key.arn}" },
      ttl: { enabled: true, attribute_name: "expiresAt" },
    });
    expect(table).not.toHaveProperty("point_in_time_recovery");
    expect(template.resource("aws_lambda_function", "contact_function").environment.variables).toMatchObject({
      CONTACT_VISITORS_TABLE: "${aws_dynamodb_table.visitors.name}",
      CONTACT_MESSAGES_PER_HOUR: String(loadEnvironment("local").api.contactMessagesPerHour),
    });
  });

  test("each route goes to its function with any method, and what is unknown to predict, which answers 404", () => {
    const integrations = template.resources("aws_apigatewayv2_integration");
    const functionOf = (target: string): string => {
      const name = /apigatewayv2_integration\.([\w-]+)\.id/.exec(target)![1]!;
      return /aws_lambda_function\.(\w+)_function/.exec(integrations[name]!.integration_uri)![1]!;
    };
    const routes = Object.values(template.resources("aws_apigatewayv2_route"));
    expect(Object.fromEntries(routes.map(({ route_key, target }) => [route_key, functionOf(target)]))).toEqual({
      "ANY /api/predict": "predict",
      "ANY /api/contact": "contact",
      $default: "predict",
    });
    for (const { payload_format_version } of Object.values(integrations)) {
      expect(payload_format_version).toBe("2.0");
    }
  });

  test("the API may call each function for that function's routes only", () => {
    const toApi = Object.values(template.resources("aws_lambda_permission")).filter(
      ({ principal }) => principal === "apigateway.amazonaws.com",
    );
    const permissions = toApi.map((permission) => [
      permission.function_name.replace(/.*\.(\w+)_function\..*/, "$1"),
      permission.source_arn.replace(/^.*\}/, ""),
      permission.principal,
    ]);
    expect(permissions.sort()).toEqual([
      ["contact", "/*/*/api/contact", "apigateway.amazonaws.com"],
      ["predict", "/*/$default", "apigateway.amazonaws.com"],
      ["predict", "/*/*/api/predict", "apigateway.amazonaws.com"],
    ]);
  });

  test("the API is throttled as the environment says, and its log has no content of requests", () => {
    const { api } = loadEnvironment("local");
    const { default_route_settings, access_log_settings } = template.resource("aws_apigatewayv2_stage");
    expect(default_route_settings).toMatchObject({
      throttling_rate_limit: api.requestsPerSecond,
      throttling_burst_limit: api.burst,
    });
    expect(access_log_settings.format).not.toMatch(/body|authorizer|header/i);
  });

  test("alarms watch a failing endpoint, a slow one, a failing API and failing functions", () => {
    const alarms = Object.values(template.resources("aws_cloudwatch_metric_alarm")).filter(
      ({ alarm_name }) =>
        !/-(drift|contract-violations|failed-comparisons|start-data-workflow-errors|release-errors|release-latency|mail-\w+(-\w+)?)$/.test(
          alarm_name,
        ),
    );
    expect(alarms.map(({ namespace, metric_name }) => `${namespace}/${metric_name}`).sort()).toEqual([
      "AWS/ApiGateway/5xx",
      "AWS/Lambda/Errors",
      "AWS/Lambda/Errors",
      "AWS/SageMaker/Invocation5XXErrors",
      "AWS/SageMaker/ModelLatency",
    ]);
    for (const alarm of alarms) {
      expect(alarm.alarm_actions).toEqual(["${aws_sns_topic.alarms_topic.arn}"]);
    }
    // Milliseconds in the settings, microseconds in the metric.
    expect(alarms.find(({ metric_name }) => metric_name === "ModelLatency")!.threshold).toBe(1_000_000);
  });

  test("publishes its addresses: the site's, the API's own, and the endpoint's name", () => {
    const prefix = stage === "test" ? "Test" : "Production";
    const url = "https://${aws_cloudfront_distribution.website_distribution.domain_name}";
    const value = (name: string): string => template.resource("aws_ssm_parameter", prefix + name).insecure_value;
    expect([value("Website"), value("Api"), value("Endpoint")]).toEqual([
      url,
      "https://${aws_apigatewayv2_api.api_api.id}.execute-api.eu-west-1.amazonaws.com/api",
      `acme-local-website-${stage}`,
    ]);
  });
});

test("the stages share no name, so that one can't overwrite the other", () => {
  const names = stages.map(([, template]) =>
    template
      .all()
      .flatMap(([type, , { name, bucket, function_name, topic }]) =>
        [name, function_name, topic, type === "aws_s3_bucket" ? bucket : undefined]
          .filter(
            (value): value is string => typeof value === "string" && !value.startsWith("$") && value !== "permissions",
          )
          .map((value) => `${type} ${value}`),
      ),
  );
  expect(names[0]!.filter((name) => names[1]!.includes(name))).toEqual([]);
  expect(names[0]!.length).toBeGreaterThan(15);
});

test("production runs the sizes of its settings, stage by stage", () => {
  const [variantOfTest] = production["website-test"]!.resource(
    "aws_sagemaker_endpoint_configuration",
  ).production_variants;
  const [variant] = production["website-production"]!.resource(
    "aws_sagemaker_endpoint_configuration",
  ).production_variants;
  expect(variantOfTest).toMatchObject({ instance_type: "ml.t2.large", initial_instance_count: 1 });
  expect(variant).toMatchObject({ instance_type: "ml.c5.large", initial_instance_count: 2 });
});

test("production protects messages from deletion, and mails its alarms where somebody is named", () => {
  const template = production["website-production"]!;
  expect(template.resource("aws_dynamodb_table", "messages")).toMatchObject({
    deletion_protection_enabled: true,
    lifecycle: { prevent_destroy: true },
  });
  expect(template.resource("aws_sns_topic_subscription", "alarms_email")).toMatchObject({
    protocol: "email",
    endpoint: "abalone@example.com",
  });
  expect(local["website-test"]!.resources("aws_sns_topic_subscription")).toEqual({});
});

test("a domain of one's own is served with its certificate and TLS 1.2 at least", () => {
  const settings = loadEnvironment("local");
  const domain = { name: "abalone.example.com", certificateArn: "arn:aws:acm:us-east-1:123456789012:certificate/0a" };
  const template = synthesizePlatform("local", {
    websites: { ...settings.websites, test: { ...settings.websites.test, domain } },
  })["website-test"]!;
  expect(template.resource("aws_cloudfront_distribution")).toMatchObject({
    aliases: [domain.name],
    viewer_certificate: {
      acm_certificate_arn: domain.certificateArn,
      minimum_protocol_version: "TLSv1.2_2021",
      ssl_support_method: "sni-only",
    },
  });
  expect(template.resource("aws_ssm_parameter", "TestWebsite").insecure_value).toBe("https://abalone.example.com");
});

test("the setting adds a firewall with logs, encrypted by its own key, in us-east-1", () => {
  const template = production["website-production"]!;
  expect(template.resource("aws_cloudfront_distribution").web_acl_id).toBe("${aws_wafv2_web_acl.firewall_acl.arn}");
  const [rate] = template.resource("aws_wafv2_web_acl").rule;
  expect(rate.statement.rate_based_statement.limit).toBe(
    loadEnvironment("production").websites.production.firewall!.requestsPerFiveMinutes,
  );
  const key = template.resource("aws_kms_key", "firewall-encryption_key");
  expect(key.region).toBe("us-east-1");
  const logs = JSON.parse(key.policy).Statement.find(({ Sid }: { Sid: string }) => Sid === "LogsEncryptTheirGroups");
  expect(logs.Principal).toEqual({ Service: "logs.us-east-1.amazonaws.com" });
  expect(template.resource("aws_cloudwatch_log_group", "firewall_logs")).toMatchObject({
    region: "us-east-1",
    kms_key_id: "${aws_kms_key.firewall-encryption_key.arn}",
  });
  expect(production["website-test"]!.resources("aws_wafv2_web_acl")).toEqual({});
  expect(production["website-test"]!.resource("aws_cloudfront_distribution").web_acl_id).toBeUndefined();
});

test("the description of the API is published beside the pages", () => {
  const template = local["website-test"]!;
  const object = template.resource("aws_s3_object", "website_object-openapi-json");
  expect(object).toMatchObject({ key: "openapi.json", content_type: "application/json" });
  expect(template.file(object.source).toString()).toBe(openApiJson());
});

test("the page on privacy names the settings of the tables and the logs", () => {
  for (const [name, { "website-production": template }] of Object.entries({ local, production })) {
    const { contactRetentionDays, logRetentionDays, oldVersionDays } = loadEnvironment(name);
    const page = template!.file(template!.resource("aws_s3_object", "website_object-privacy-html").source).toString();
    expect(page).toContain(`deleted after ${contactRetentionDays}\u00a0days, from the backups 35`);
    expect(page).toContain(`They are deleted after ${logRetentionDays + oldVersionDays}\u00a0days at the latest`);
  }
});

describe("what watches the endpoint's traffic", () => {
  const live = synthesizePlatform("production");
  const [onAws, onAwsTest] = [live["website-production"]!, live["website-test"]!];

  test("traffic is captured as text, encrypted with the data bucket's key, and the container may write its own alone", () => {
    const template = local["website-production"]!;
    expect(template.resource("aws_sagemaker_endpoint_configuration").data_capture_config).toEqual({
      enable_capture: true,
      destination_s3_uri: "s3://${data.aws_ssm_parameter.DataBucket.insecure_value}/data-capture",
      kms_key_id: "${data.aws_ssm_parameter.DataKey.insecure_value}",
      initial_sampling_percentage: 100,
      capture_options: [{ capture_mode: "Input" }, { capture_mode: "Output" }],
      capture_content_type_header: { csv_content_types: ["text/csv"], json_content_types: ["application/json"] },
    });
    const policy = template.policyOfRole("model");
    const capture = "arn:aws:s3:::${data.aws_ssm_parameter.DataBucket.insecure_value}/data-capture";
    expect(policy.allows("s3:PutObject", `${capture}/acme-local-website-production/champion/2026/a.jsonl`)).toBe(true);
    expect(policy.allows("s3:PutObject", `${capture}/acme-local-website-test/champion/2026/a.jsonl`)).toBe(false);
    expect(policy.allows("s3:GetObject", `${capture}/acme-local-website-production/champion/2026/a.jsonl`)).toBe(false);
  });

  test("without the setting, nothing is captured or compared", () => {
    const { websites } = loadEnvironment("production");
    const { endpoint, latencyAlarmMilliseconds } = websites.production;
    const unwatched = { ...websites, production: { endpoint, latencyAlarmMilliseconds } };
    const template = synthesizePlatform("production", { websites: unwatched })["website-production"]!;
    expect(template.resource("aws_sagemaker_endpoint_configuration").data_capture_config).toBeUndefined();
    expect(template.resources("aws_sagemaker_monitoring_schedule")).toEqual({});
    expect(template.policyOfRole("model").allows("s3:PutObject", "arn:aws:s3:::anything/data-capture/x")).toBe(false);
  });

  test("drift starts the data workflow in production, by its own topic; on the test stage it only notifies", () => {
    const subscription = onAws.resource("aws_sns_topic_subscription");
    expect(subscription).toMatchObject({
      topic_arn: "${aws_sns_topic.drift_topic.arn}",
      protocol: "lambda",
      endpoint: "${aws_lambda_function.start-data-workflow_function.arn}",
    });
    expect(onAws.resource("aws_lambda_permission", "drift-permission")).toMatchObject({
      principal: "sns.amazonaws.com",
      source_arn: "${aws_sns_topic.drift_topic.arn}",
    });
    const drift = (template: typeof onAws) =>
      Object.values(template.resources("aws_cloudwatch_metric_alarm")).find(
        ({ metric_name }) => metric_name === "drifted_features",
      );
    expect(drift(onAws)?.alarm_actions).toEqual([
      "${aws_sns_topic.alarms_topic.arn}",
      "${aws_sns_topic.drift_topic.arn}",
    ]);
    expect(drift(onAwsTest)?.alarm_actions).toEqual(["${aws_sns_topic.alarms_topic.arn}"]);
    expect(onAwsTest.resources("aws_lambda_function")).not.toHaveProperty("start-data-workflow_function");
  });

  test("the function may start the one DAG runner or the one state machine, and nothing else", () => {
    const airflow = onAws.policyOfRole("start-data-workflow");
    const roleOf = (name: string): string =>
      `arn:aws:airflow:eu-west-1:444455556666:role/acme-production-airflow/${name}`;
    expect(airflow.allows("airflow:InvokeRestApi", roleOf("User"))).toBe(true);
    expect(airflow.allows("airflow:InvokeRestApi", roleOf("Admin"))).toBe(false);
    expect(airflow.allows("states:StartExecution", "${data.aws_ssm_parameter.StateMachine.insecure_value}")).toBe(
      false,
    );
    const machine = local["website-production"]!.policyOfRole("start-data-workflow");
    expect(machine.allows("states:StartExecution", "${data.aws_ssm_parameter.StateMachine.insecure_value}")).toBe(true);
    expect(machine.allows("states:StartExecution", "arn:aws:states:eu-west-1:123456789012:stateMachine:other")).toBe(
      false,
    );
  });

  test("the endpoint exists before it is watched, and a champion without a baseline is refused with a message", () => {
    const definition = onAws.resource("aws_sagemaker_data_quality_job_definition");
    expect(definition.depends_on).toContain("aws_sagemaker_endpoint.model_endpoint");
    expect(definition.lifecycle.precondition[0].error_message).toMatch(
      /^The champion has no baseline: .*Run the workflow .* then deploy this stack\.$/,
    );
  });
});

describe("what visitors write to us", () => {
  const everywhere = environmentNames.flatMap((environment) =>
    Object.entries(synthesizePlatform(environment)).map(
      ([stack, template]) => [`${environment} ${stack}`, template] as const,
    ),
  );
  const policies = everywhere.flatMap(([stack, template]) =>
    template
      .all()
      // A boundary of roles grants nothing.
      .filter(([type, name]) => ["aws_iam_role_policy", "aws_iam_policy"].includes(type) && !name.includes("boundary"))
      .map(([, name, { policy }]) => [stack, name, new Policy(policy as string)] as const),
  );
  const reads = ["GetItem", "BatchGetItem", "Query", "Scan", "PartiQLSelect", "ExportTableToPointInTime", "GetRecords"];
  /** The table as the stack's own roles name it, and as anybody else could. */
  const arnsOf = (stack: string): readonly string[] => {
    const [environment = ""] = stack.split(" ");
    const { account } = loadEnvironment(environment);
    return [
      "${aws_dynamodb_table.messages.arn}",
      "${aws_dynamodb_table.messages.stream_arn}",
      ...["test", "production"].flatMap((stage) => {
        const table = `arn:aws:dynamodb:eu-west-1:${account}:table/acme-${environment}-website-${stage}-contact`;
        return [table, `${table}/stream/2026-01-01T00:00:00.000`];
      }),
    ];
  };

  test("can be read by the function that mails it, and by no other role of any stack: no role of ML, none of the pipeline", () => {
    const readers = policies.filter(([stack, , policy]) =>
      reads.some((action) => arnsOf(stack).some((arn) => policy.allows(`dynamodb:${action}`, arn))),
    );
    expect([...new Set(readers.map(([, name]) => name))]).toEqual(["mail_mail-contact_role_policy"]);
    expect(readers.map(([stack]) => stack).sort()).toEqual([
      "local website-production",
      "local website-test",
      "production website-production",
    ]);
    expect(policies.length).toBeGreaterThan(30);
  });

  test("is written by the contact function alone, and changed by the one that mails it", () => {
    const able = (action: string): readonly string[] => [
      ...new Set(
        policies
          .filter(([stack, , policy]) => arnsOf(stack).some((arn) => policy.allows(`dynamodb:${action}`, arn)))
          .map(([, name]) => name),
      ),
    ];
    expect(able("PutItem")).toEqual(["contact_role_policy"]);
    expect(able("UpdateItem")).toEqual(["mail_mail-contact_role_policy"]);
    for (const action of ["DeleteItem", "BatchWriteItem", "PartiQLDelete"]) {
      expect(able(action)).toEqual([]);
    }
  });

  test("passes through the stream as keys alone", () => {
    const table = production["website-production"]!.resource("aws_dynamodb_table", "messages");
    expect(table).toMatchObject({ stream_enabled: true, stream_view_type: "KEYS_ONLY" });
  });

  test("is neither mailed nor streamed if the settings name no recipient", () => {
    const { websites } = loadEnvironment("production");
    const { contact: mailed, ...unmailed } = websites.production;
    expect(mailed).toBeDefined();
    const template = synthesizePlatform("production", { websites: { ...websites, production: unmailed } })[
      "website-production"
    ]!;
    expect(template.resource("aws_dynamodb_table", "messages").stream_enabled).toBeUndefined();
    for (const type of ["aws_sesv2_email_identity", "aws_sqs_queue", "aws_lambda_event_source_mapping"]) {
      expect(template.resources(type)).toEqual({});
    }
    expect(template.resources("aws_lambda_function")).not.toHaveProperty("mail_mail-contact_function");
  });
});
