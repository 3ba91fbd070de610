import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { SQS } from "@aws-sdk/client-sqs";
import { STS } from "@aws-sdk/client-sts";
import { zipSync } from "fflate";
import { Emulator, trusting } from "../../workflow/support/emulator";
import { account, failure, region, roleOf, type Stack, Workspace } from "./support/workspace";

jest.setTimeout(120_000);

let emulator: Emulator;
let workspace: Workspace;

beforeAll(async () => {
  emulator = await Emulator.start("http://127.0.0.1:9");
  workspace = new Workspace(emulator.endpoint);
  // The role of this file's functions and state machines.
  const verbs = ["DescribeStream", "GetRecords", "GetShardIterator", "ListStreams"];
  const readStreams = { Effect: "Allow", Action: verbs.map((verb) => `dynamodb:${verb}`), Resource: "*" };
  const policy = JSON.stringify({ Version: "2012-10-17", Statement: [readStreams] });
  await workspace.provision("role", {
    resource: {
      aws_iam_role: { acme: roleOf("lambda.amazonaws.com") },
      aws_iam_role_policy: { acme: { name: "permissions", role: "${aws_iam_role.acme.name}", policy } },
    },
  });
  workspace.close();
});
afterAll(() => emulator.stop());
beforeEach(() => {
  workspace = new Workspace(emulator.endpoint);
});
afterEach(() => {
  workspace.close();
});

/** Provisions, and proves that a second run finds nothing to do. */
async function settle(name: string, stack: Stack): Promise<Readonly<Record<string, unknown>>> {
  const { outputs } = await workspace.provision(name, stack);
  const { inventory } = await workspace.provision(name, stack);
  expect(inventory).toMatchObject({ created: [], updated: [], deleted: [] });
  return outputs;
}

/** The archive of a function whose answer holds `text`, in the stack's folder. */
function archive(stack: string, text: string): { filename: string; source_code_hash: string } {
  const code = `exports.handler = async (event) => ({ statusCode: 200, headers: { "content-type": "application/json" },
    body: JSON.stringify({ text: ${JSON.stringify(text)}, setting: process.env.SETTING, path: event.rawPath }) });`;
  const bytes = zipSync({ "index.js": Buffer.from(code) }, { mtime: "2020-01-01" });
  const hash = createHash("sha256").update(bytes).digest();
  const filename = `assets/${hash.toString("hex").slice(0, 8)}/handler.zip`;
  workspace.file(stack, filename, bytes);
  return { filename, source_code_hash: hash.toString("base64") };
}

function lambda(stack: string, text: string, extra: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    function_name: `${stack}-function`,
    role: `arn:aws:iam::${account}:role/acme`,
    runtime: "nodejs22.x",
    architectures: ["arm64"],
    handler: "index.handler",
    timeout: 10,
    environment: { variables: { SETTING: "one" } },
    logging_config: { log_format: "JSON" },
    tracing_config: { mode: "Active" },
    ...archive(stack, text),
    ...extra,
  };
}

async function invoke(FunctionName: string): Promise<unknown> {
  const { Payload, FunctionError } = await workspace.clients.lambda.invoke({
    FunctionName,
    Payload: Buffer.from("{}"),
  });
  expect(FunctionError).toBeUndefined();
  const { body } = JSON.parse(Buffer.from(Payload ?? []).toString()) as { body: string };
  return JSON.parse(body);
}

test("a function answers; changed settings and changed code are changed in place", async () => {
  const stack = (text: string, extra: Record<string, unknown> = {}): Stack => ({
    resource: { aws_lambda_function: { f: lambda("code", text, extra) } },
    output: { invoke: "${aws_lambda_function.f.invoke_arn}" },
  });
  const outputs = await settle("code", stack("first"));
  const arn = `arn:aws:lambda:${region}:${account}:function:code-function`;
  expect(outputs.invoke).toBe(`arn:aws:apigateway:${region}:lambda:path/2015-03-31/functions/${arn}/invocations`);
  expect(await invoke("code-function")).toEqual({ text: "first", setting: "one" });

  const code = await workspace.provision("code", stack("second"));
  expect(code.inventory).toMatchObject({ updated: ["aws_lambda_function.f"], replaced: [] });
  expect(await invoke("code-function")).toEqual({ text: "second", setting: "one" });

  const extra = { environment: { variables: { SETTING: "two" } }, memory_size: 256 };
  const settings = await workspace.provision("code", stack("second", extra));
  expect(settings.inventory).toMatchObject({ updated: ["aws_lambda_function.f"], replaced: [] });
  expect(await invoke("code-function")).toEqual({ text: "second", setting: "two" });
  const configuration = await workspace.clients.lambda.getFunctionConfiguration({ FunctionName: "code-function" });
  expect(configuration).toMatchObject({ MemorySize: 256, Timeout: 10, Handler: "index.handler" });
});

test("an archive whose content changes under the same name is noticed", async () => {
  const stack = (): Stack => {
    const settings = { ...lambda("same", "x"), filename: "handler.zip", source_code_hash: undefined };
    return { resource: { aws_lambda_function: { f: settings } } };
  };
  const put = (text: string): void => {
    const { filename } = archive("same", text);
    workspace.file("same", "handler.zip", readFileSync(join(workspace.folder, "stacks/same", filename)));
  };
  put("first");
  await settle("same", stack());
  put("second");
  expect((await workspace.provision("same", stack())).inventory.updated).toEqual(["aws_lambda_function.f"]);
  expect(await invoke("same-function")).toMatchObject({ text: "second" });
});

test("a missing archive is named", async () => {
  const stack: Stack = {
    resource: { aws_lambda_function: { f: { ...lambda("missing", "x"), filename: "nothing.zip" } } },
  };
  expect(await failure(workspace.provision("missing", stack))).toMatch(
    /Stack missing, aws_lambda_function\.f: .*nothing\.zip/,
  );
});

function api(stack: string, route = "ANY /api/hello"): Stack {
  return {
    resource: {
      aws_lambda_function: { f: lambda(stack, "hello") },
      aws_lambda_permission: {
        api: {
          statement_id: "Api",
          action: "lambda:InvokeFunction",
          function_name: "${aws_lambda_function.f.function_name}",
          principal: "apigateway.amazonaws.com",
          source_arn: "${aws_apigatewayv2_api.api.execution_arn}/*/*/api/*",
        },
      },
      aws_cloudwatch_log_group: { access: { name: `/aws/vendedlogs/apis/${stack}` } },
      aws_apigatewayv2_api: { api: { name: stack, protocol_type: "HTTP" } },
      aws_apigatewayv2_integration: {
        f: {
          api_id: "${aws_apigatewayv2_api.api.id}",
          integration_type: "AWS_PROXY",
          integration_uri: "${aws_lambda_function.f.invoke_arn}",
          payload_format_version: "2.0",
          timeout_milliseconds: 29000,
        },
      },
      aws_apigatewayv2_route: {
        hello: {
          api_id: "${aws_apigatewayv2_api.api.id}",
          route_key: route,
          target: "integrations/${aws_apigatewayv2_integration.f.id}",
        },
      },
      aws_apigatewayv2_stage: {
        stage: {
          api_id: "${aws_apigatewayv2_api.api.id}",
          name: "$default",
          auto_deploy: true,
          default_route_settings: { throttling_rate_limit: 100, throttling_burst_limit: 200 },
          access_log_settings: {
            destination_arn: "${aws_cloudwatch_log_group.access.arn}",
            format: "$context.requestId",
          },
        },
      },
    },
    output: {
      id: "${aws_apigatewayv2_api.api.id}",
      address: "${aws_apigatewayv2_api.api.api_endpoint}",
    },
  };
}

test("an HTTP API answers, and a changed route key is changed in place", async () => {
  const { id } = await settle("api", api("api"));
  const path = `/_aws/execute-api/${String(id)}/$default/api`;
  const answer = await workspace.ask(`${path}/hello`);
  expect(answer.status).toBe(200);
  expect(JSON.parse(answer.text)).toMatchObject({ text: "hello" });
  expect((await workspace.ask(`${path}/other`)).status).toBe(404);
  const { Policy = "" } = await workspace.clients.lambda.getPolicy({ FunctionName: "api-function" });
  expect(Policy).toContain(`arn:aws:execute-api:${region}:${account}:${String(id)}/*/*/api/*`);

  const { inventory } = await workspace.provision("api", api("api", "ANY /api/other"));
  expect(inventory.updated).toEqual(["aws_apigatewayv2_route.hello"]);
  expect((await workspace.ask(`${path}/hello`)).status).toBe(404);
  expect((await workspace.ask(`${path}/other`)).status).toBe(200);
  const { Items = [] } = await workspace.clients.apiGateway.getRoutes({ ApiId: String(id) });
  expect(Items).toHaveLength(1);

  await workspace.destroy("api");
  expect(await failure(workspace.clients.apiGateway.getApi({ ApiId: String(id) }))).toBeTruthy();
});

test("two stacks' APIs of the same name are two APIs, and a lost state finds each again", async () => {
  const named = (stack: string): Stack => ({
    resource: { aws_apigatewayv2_api: { api: { name: "twin", protocol_type: "HTTP" } } },
    output: { id: "${aws_apigatewayv2_api.api.id}", stack: stack },
  });
  const first = await settle("twin-one", named("one"));
  const second = await settle("twin-two", named("two"));
  expect(first.id).not.toBe(second.id);
  const { stateFile, ...options } = workspace.options("twin-two");
  const again = await workspace.provision("twin-two", named("two"), { ...options, stateFile: `${stateFile}.other` });
  expect(again.outputs).toEqual(second);
  const { Items = [] } = await workspace.clients.apiGateway.getApis({});
  expect(Items.filter(({ Name }) => Name === "twin")).toHaveLength(2);
});

function site(stack: string, comment = "site"): Stack {
  const behavior = {
    target_origin_id: "site",
    viewer_protocol_policy: "redirect-to-https",
    allowed_methods: ["GET", "HEAD"],
    cached_methods: ["GET", "HEAD"],
    compress: true,
    response_headers_policy_id: "${aws_cloudfront_response_headers_policy.headers.id}",
  };
  return {
    resource: {
      aws_s3_bucket: { site: { bucket: `${stack}-pages` } },
      aws_s3_object: {
        index: {
          bucket: "${aws_s3_bucket.site.bucket}",
          key: "index.html",
          source: "assets/index.html",
          content_type: "text/html; charset=utf-8",
          cache_control: "no-cache",
        },
      },
      aws_s3_bucket_policy: {
        site: {
          bucket: "${aws_s3_bucket.site.bucket}",
          policy: JSON.stringify({
            Version: "2012-10-17",
            Statement: [
              {
                Effect: "Allow",
                Principal: { Service: "cloudfront.amazonaws.com" },
                Action: "s3:GetObject",
                Resource: "${aws_s3_bucket.site.arn}/*",
                Condition: { StringEquals: { "aws:SourceArn": "${aws_cloudfront_distribution.site.arn}" } },
              },
            ],
          }),
        },
      },
      aws_cloudfront_origin_access_control: {
        access: {
          name: stack,
          origin_access_control_origin_type: "s3",
          signing_behavior: "always",
          signing_protocol: "sigv4",
        },
      },
      aws_cloudfront_response_headers_policy: {
        headers: {
          name: stack,
          security_headers_config: {
            content_type_options: { override: true },
            frame_options: { frame_option: "DENY", override: true },
            strict_transport_security: { access_control_max_age_sec: 60, include_subdomains: true, override: true },
          },
          custom_headers_config: { items: [{ header: "X-Own", value: "yes", override: true }] },
        },
      },
      aws_cloudfront_distribution: {
        site: {
          comment,
          enabled: true,
          default_root_object: "index.html",
          origin: [
            {
              origin_id: "site",
              domain_name: "${aws_s3_bucket.site.bucket_regional_domain_name}",
              origin_access_control_id: "${aws_cloudfront_origin_access_control.access.id}",
            },
          ],
          default_cache_behavior: {
            ...behavior,
            // Managed-CachingOptimized
            cache_policy_id: "658327ea-f89d-4fab-a63d-7e88639e58f6",
          },
          ordered_cache_behavior: [
            {
              ...behavior,
              path_pattern: "/pages/*",
              // Managed-CachingDisabled, Managed-AllViewerExceptHostHeader
              cache_policy_id: "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
              origin_request_policy_id: "b689b0a8-53d0-40ab-baf2-68738e2966ac",
            },
          ],
          custom_error_response: [{ error_code: 403, response_code: 404, response_page_path: "/index.html" }],
          restrictions: { geo_restriction: { restriction_type: "none" } },
          viewer_certificate: { cloudfront_default_certificate: true },
        },
      },
    },
    output: {
      id: "${aws_cloudfront_distribution.site.id}",
      domain: "${aws_cloudfront_distribution.site.domain_name}",
    },
  };
}

test("a CloudFront distribution answers with the page and its headers; a change keeps its address", async () => {
  workspace.file("site", "assets/index.html", "<h1>first</h1>");
  const outputs = await settle("site", site("site"));
  const viewer = { host: String(outputs.domain), "x-forwarded-proto": "https" };
  const page = await workspace.ask("/", viewer);
  expect(page).toMatchObject({ status: 200, text: "<h1>first</h1>" });
  expect(page.headers).toMatchObject({
    "content-type": "text/html; charset=utf-8",
    "x-frame-options": "DENY",
    "x-own": "yes",
  });

  workspace.file("site", "assets/index.html", "<h1>second</h1>");
  const { inventory, outputs: later } = await workspace.provision("site", site("site", "changed"));
  expect(inventory.updated).toEqual(["aws_cloudfront_distribution.site", "aws_s3_object.index"]);
  expect(later).toEqual(outputs);
  expect((await workspace.ask("/", viewer)).text).toBe("<h1>second</h1>");
  const { DistributionConfig } = await workspace.clients.cloudFront.getDistributionConfig({ Id: String(outputs.id) });
  expect(DistributionConfig?.Comment).toBe("changed");

  await workspace.provision("site", {});
  const { DistributionList } = await workspace.clients.cloudFront.listDistributions({});
  expect((DistributionList?.Items ?? []).map(({ Id }) => Id)).not.toContain(outputs.id);
});

test("an object is looked up with its content, where its type says that this is text", async () => {
  const objects = {
    aws_s3_bucket: { b: { bucket: "looked-up" } },
    aws_s3_object: {
      json: {
        bucket: "${aws_s3_bucket.b.bucket}",
        key: "a.json",
        content: '{"é":1}',
        content_type: "application/json",
      },
      binary: { bucket: "${aws_s3_bucket.b.bucket}", key: "a.bin", content: "{}" },
    },
  };
  await workspace.provision("objects", { resource: objects });
  const reader = (key: string): Stack => ({
    data: { aws_s3_object: { o: { bucket: "looked-up", key } } },
    resource: {
      aws_ssm_parameter: {
        p: {
          name: "/looked-up",
          type: "String",
          insecure_value: "${data.aws_s3_object.o.content_type}: ${data.aws_s3_object.o.body}",
        },
      },
    },
    output: { value: "${aws_ssm_parameter.p.insecure_value}" },
  });
  expect((await workspace.provision("reader", reader("a.json"))).outputs.value).toBe('application/json: {"é":1}');
  expect(await failure(workspace.provision("reader", reader("a.bin")))).toContain("null can't be part of a text");
  expect(await failure(workspace.provision("reader", reader("gone.json")))).toContain(
    "Stack reader, data.aws_s3_object.o: there is no object gone.json in the bucket looked-up: correct the key, or put the object there",
  );
  expect(await failure(workspace.provision("reader", { data: { aws_s3_object: { o: { key: "a.json" } } } }))).toMatch(
    /data\.aws_s3_object\.o.*bucket/,
  );
});

test("a bucket has everything that is set on it", async () => {
  const policy = JSON.stringify({
    Version: "2012-10-17",
    Statement: [
      {
        Sid: "Tls",
        Effect: "Deny",
        Principal: "*",
        Action: "s3:*",
        Resource: "*",
        Condition: { Bool: { "aws:SecureTransport": "false" } },
      },
    ],
  });
  await settle("bucket", {
    resource: {
      aws_kms_key: { key: { description: "bucket", enable_key_rotation: true, deletion_window_in_days: 7 } },
      aws_kms_alias: { key: { name: "alias/bucket", target_key_id: "${aws_kms_key.key.key_id}" } },
      aws_s3_bucket: { logs: { bucket: "whole-logs" }, data: { bucket: "whole-data" } },
      aws_s3_bucket_public_access_block: {
        data: {
          bucket: "${aws_s3_bucket.data.bucket}",
          ...{
            block_public_acls: true,
            block_public_policy: true,
            ignore_public_acls: true,
            restrict_public_buckets: true,
          },
        },
      },
      aws_s3_bucket_ownership_controls: {
        data: { bucket: "${aws_s3_bucket.data.bucket}", rule: { object_ownership: "BucketOwnerEnforced" } },
      },
      aws_s3_bucket_server_side_encryption_configuration: {
        data: {
          bucket: "${aws_s3_bucket.data.bucket}",
          rule: [
            {
              apply_server_side_encryption_by_default: {
                sse_algorithm: "aws:kms",
                kms_master_key_id: "${aws_kms_key.key.arn}",
              },
              bucket_key_enabled: true,
            },
          ],
        },
      },
      aws_s3_bucket_policy: { data: { bucket: "${aws_s3_bucket.data.bucket}", policy } },
      aws_s3_bucket_logging: {
        data: {
          bucket: "${aws_s3_bucket.data.bucket}",
          target_bucket: "${aws_s3_bucket.logs.bucket}",
          target_prefix: "data/",
        },
      },
      aws_s3_bucket_lifecycle_configuration: {
        data: {
          bucket: "${aws_s3_bucket.data.bucket}",
          rule: [
            {
              id: "tidy",
              status: "Enabled",
              filter: [{ prefix: "athena/" }],
              expiration: [{ days: 3 }],
              noncurrent_version_expiration: [{ noncurrent_days: 2 }],
              abort_incomplete_multipart_upload: [{ days_after_initiation: 1 }],
            },
          ],
        },
      },
      aws_s3_object: {
        text: { bucket: "${aws_s3_bucket.data.bucket}", key: "a/b.txt", content: "hello", cache_control: "no-cache" },
      },
    },
  });
  const { s3, kms } = workspace.clients;
  const Bucket = "whole-data";
  expect(await s3.getPublicAccessBlock({ Bucket })).toMatchObject({
    PublicAccessBlockConfiguration: { BlockPublicAcls: true, RestrictPublicBuckets: true },
  });
  expect(await s3.getBucketOwnershipControls({ Bucket })).toMatchObject({
    OwnershipControls: { Rules: [{ ObjectOwnership: "BucketOwnerEnforced" }] },
  });
  expect(await s3.getBucketEncryption({ Bucket })).toMatchObject({
    ServerSideEncryptionConfiguration: {
      Rules: [{ ApplyServerSideEncryptionByDefault: { SSEAlgorithm: "aws:kms" }, BucketKeyEnabled: true }],
    },
  });
  expect((await s3.getBucketPolicy({ Bucket })).Policy).toBe(policy);
  expect(await s3.getBucketLogging({ Bucket })).toMatchObject({
    LoggingEnabled: { TargetBucket: "whole-logs", TargetPrefix: "data/" },
  });
  expect(await s3.getBucketLifecycleConfiguration({ Bucket })).toMatchObject({
    Rules: [{ ID: "tidy", Expiration: { Days: 3 }, NoncurrentVersionExpiration: { NoncurrentDays: 2 } }],
  });
  const object = await s3.getObject({ Bucket, Key: "a/b.txt" });
  expect(await object.Body?.transformToString()).toBe("hello");
  expect(object.CacheControl).toBe("no-cache");

  const { Aliases = [] } = await kms.listAliases({});
  const alias = Aliases.find(({ AliasName }) => AliasName === "alias/bucket");
  expect(await kms.getKeyRotationStatus({ KeyId: alias?.TargetKeyId })).toMatchObject({
    KeyRotationEnabled: true,
  });
  await workspace.destroy("bucket");
  const key = await kms.describeKey({ KeyId: alias?.TargetKeyId });
  expect(key.KeyMetadata?.KeyState).toBe("PendingDeletion");
});

test("a table is active with its time to live and its recovery, and changes in place", async () => {
  const stack = (recovery: boolean, protect: boolean): Stack => ({
    resource: {
      aws_dynamodb_table: {
        t: {
          name: "messages",
          billing_mode: "PAY_PER_REQUEST",
          hash_key: "id",
          attribute: [{ name: "id", type: "S" }],
          ttl: { attribute_name: "expiresAt", enabled: true },
          point_in_time_recovery: { enabled: recovery },
          server_side_encryption: { enabled: true },
          deletion_protection_enabled: protect,
        },
      },
    },
  });
  const { dynamoDb } = workspace.clients;
  const describe = async (): Promise<unknown> => (await dynamoDb.describeTable({ TableName: "messages" })).Table;
  await settle("table", stack(false, true));
  expect(await describe()).toMatchObject({
    TableStatus: "ACTIVE",
    DeletionProtectionEnabled: true,
    BillingModeSummary: { BillingMode: "PAY_PER_REQUEST" },
    KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
  });
  expect(await dynamoDb.describeTimeToLive({ TableName: "messages" })).toMatchObject({
    TimeToLiveDescription: { TimeToLiveStatus: "ENABLED", AttributeName: "expiresAt" },
  });
  expect(await failure(workspace.destroy("table"))).toContain("aws_dynamodb_table.t can't be deleted");

  const { inventory } = await workspace.provision("table", stack(true, false));
  expect(inventory).toMatchObject({ updated: ["aws_dynamodb_table.t"], replaced: [] });
  expect(await describe()).toMatchObject({ DeletionProtectionEnabled: false });
  const backups = await dynamoDb.describeContinuousBackups({ TableName: "messages" });
  expect(backups.ContinuousBackupsDescription?.PointInTimeRecoveryDescription?.PointInTimeRecoveryStatus).toBe(
    "ENABLED",
  );
  await workspace.destroy("table");
  expect(await failure(describe())).toMatch(/not found/i);
});

test("a role may do what its policy allows as soon as it is provisioned, and a policy that was changed is put back", async () => {
  const { iam } = workspace.clients;
  const allow = (action: string): string =>
    JSON.stringify({ Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: action, Resource: "*" }] });
  const stack = (action: string): Stack => ({
    resource: {
      aws_iam_role: {
        r: {
          name: "judged",
          assume_role_policy: trusting({ AWS: account }),
        },
      },
      aws_iam_role_policy: { p: { name: "permissions", role: "${aws_iam_role.r.name}", policy: allow(action) } },
    },
    output: { arn: "${aws_iam_role.r.arn}" },
  });
  const outputs = await settle("roles", stack("sqs:ListQueues"));
  expect(outputs.arn).toBe(`arn:aws:iam::${account}:role/judged`);

  const client = { endpoint: emulator.endpoint, region };
  const root = { accessKeyId: account, secretAccessKey: "test" };
  const { Credentials } = await new STS({ ...client, credentials: root }).assumeRole({
    RoleArn: String(outputs.arn),
    RoleSessionName: "test",
  });
  const { AccessKeyId = "", SecretAccessKey = "", SessionToken = "" } = Credentials ?? {};
  const session = { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: SessionToken };
  const queues = (): Promise<unknown> => new SQS({ ...client, credentials: session, maxAttempts: 1 }).listQueues({});
  await queues();

  await settle("roles", stack("sqs:SendMessage"));
  expect(await failure(queues())).toContain("sqs:ListQueues");

  const change = { RoleName: "judged", PolicyName: "permissions", PolicyDocument: allow("*") };
  await iam.putRolePolicy(change);
  await queues();
  await settle("roles", stack("sqs:SendMessage"));
  expect(await failure(queues())).toContain("sqs:ListQueues");

  await workspace.destroy("roles");
  expect(await failure(iam.getRole({ RoleName: "judged" }))).toMatch(/cannot be found|not found/i);
});

test("a state machine runs, and its new definition takes its place", async () => {
  const { stepFunctions } = workspace.clients;
  const stack = (answer: string): Stack => ({
    resource: {
      aws_cloudwatch_log_group: { runs: { name: "/aws/vendedlogs/states/machine" } },
      aws_sfn_state_machine: {
        m: {
          name: "machine",
          role_arn: `arn:aws:iam::${account}:role/acme`,
          definition: JSON.stringify({
            QueryLanguage: "JSONata",
            StartAt: "Answer",
            States: { Answer: { Type: "Pass", Output: answer, End: true } },
          }),
          logging_configuration: {
            level: "ALL",
            include_execution_data: true,
            log_destination: "${aws_cloudwatch_log_group.runs.arn}:*",
          },
          tracing_configuration: { enabled: true },
        },
      },
    },
    output: { arn: "${aws_sfn_state_machine.m.arn}" },
  });
  const run = async (stateMachineArn: string): Promise<unknown> => {
    const { executionArn } = await stepFunctions.startExecution({ stateMachineArn });
    for (;;) {
      const { status, output } = await stepFunctions.describeExecution({ executionArn });
      if (status !== "RUNNING") {
        return { status, output };
      }
    }
  };
  const { arn } = await settle("machine", stack("one"));
  expect(arn).toBe(`arn:aws:states:${region}:${account}:stateMachine:machine`);
  expect(await run(String(arn))).toEqual({ status: "SUCCEEDED", output: '"one"' });
  const { inventory } = await workspace.provision("machine", stack("two"));
  expect(inventory.updated).toEqual(["aws_sfn_state_machine.m"]);
  expect(await run(String(arn))).toEqual({ status: "SUCCEEDED", output: '"two"' });
  await workspace.destroy("machine");
  const message = await failure(stepFunctions.describeStateMachine({ stateMachineArn: String(arn) }));
  expect(message).toMatch(/not found/i);
});

test("alarms, their topic, its subscription and a metric filter are what the stack says", async () => {
  const policy = (topic: string): string =>
    JSON.stringify({
      Version: "2012-10-17",
      Statement: [
        {
          Sid: "Alarms",
          Effect: "Allow",
          Principal: { Service: "cloudwatch.amazonaws.com" },
          Action: "sns:Publish",
          Resource: topic,
        },
      ],
    });
  const stack = (threshold: number): Stack => ({
    resource: {
      aws_sns_topic: { t: { name: "alarms", kms_master_key_id: "alias/aws/sns" } },
      aws_sns_topic_policy: { t: { arn: "${aws_sns_topic.t.arn}", policy: policy("${aws_sns_topic.t.arn}") } },
      aws_sns_topic_subscription: {
        mail: { topic_arn: "${aws_sns_topic.t.arn}", protocol: "email", endpoint: "owner@example.com" },
      },
      aws_cloudwatch_metric_alarm: {
        a: {
          alarm_name: "errors",
          comparison_operator: "GreaterThanThreshold",
          evaluation_periods: 2,
          datapoints_to_alarm: 1,
          namespace: "AWS/Lambda",
          metric_name: "Errors",
          dimensions: { FunctionName: "f" },
          statistic: "Sum",
          period: 60,
          threshold,
          treat_missing_data: "notBreaching",
          alarm_actions: ["${aws_sns_topic.t.arn}"],
        },
      },
      aws_cloudwatch_log_group: { g: { name: "/alarms/log" } },
      aws_cloudwatch_log_metric_filter: {
        f: {
          name: "failed",
          log_group_name: "${aws_cloudwatch_log_group.g.name}",
          pattern: '{ $.type = "Failed" }',
          metric_transformation: { name: "Failed", namespace: "acme", value: "1", default_value: "0" },
        },
      },
    },
    output: { topic: "${aws_sns_topic.t.arn}" },
  });
  const { topic } = await settle("alarms", stack(0));
  const { sns, cloudWatch, logs } = workspace.clients;
  const { inventory } = await workspace.provision("alarms", stack(3));
  expect(inventory.updated).toEqual(["aws_cloudwatch_metric_alarm.a"]);
  const { MetricAlarms } = await cloudWatch.describeAlarms({ AlarmNames: ["errors"] });
  expect(MetricAlarms).toMatchObject([
    {
      Threshold: 3,
      EvaluationPeriods: 2,
      DatapointsToAlarm: 1,
      Dimensions: [{ Name: "FunctionName", Value: "f" }],
      AlarmActions: [topic],
      TreatMissingData: "notBreaching",
    },
  ]);
  const { Attributes } = await sns.getTopicAttributes({ TopicArn: String(topic) });
  expect(Attributes).toMatchObject({ KmsMasterKeyId: "alias/aws/sns", Policy: policy(String(topic)) });
  const { Subscriptions } = await sns.listSubscriptionsByTopic({ TopicArn: String(topic) });
  expect(Subscriptions).toMatchObject([{ Protocol: "email", Endpoint: "owner@example.com" }]);
  const { metricFilters } = await logs.describeMetricFilters({ logGroupName: "/alarms/log" });
  expect(metricFilters).toMatchObject([
    { filterPattern: '{ $.type = "Failed" }', metricTransformations: [{ metricNamespace: "acme", defaultValue: 0 }] },
  ]);
  expect(await workspace.destroy("alarms")).toHaveLength(6);
});

test("a workgroup is what the stack says, and changes in place", async () => {
  const stack = (limit: number): Stack => ({
    resource: {
      aws_athena_workgroup: {
        w: {
          name: "queries",
          force_destroy: true,
          configuration: {
            enforce_workgroup_configuration: true,
            bytes_scanned_cutoff_per_query: limit,
            result_configuration: {
              output_location: "s3://surveys/athena/",
              encryption_configuration: { encryption_option: "SSE_S3" },
            },
          },
        },
      },
    },
  });
  const { athena } = workspace.clients;
  await settle("catalogue", stack(10_000_000));
  const { inventory } = await workspace.provision("catalogue", stack(20_000_000));
  expect(inventory.updated).toEqual(["aws_athena_workgroup.w"]);
  const { WorkGroup } = await athena.getWorkGroup({ WorkGroup: "queries" });
  expect(WorkGroup?.Configuration).toMatchObject({
    EnforceWorkGroupConfiguration: true,
    BytesScannedCutoffPerQuery: 20_000_000,
    ResultConfiguration: { OutputLocation: "s3://surveys/athena/" },
  });
  expect(await workspace.destroy("catalogue")).toHaveLength(1);
});

test("a table's stream is switched on, and a function reads it as the mapping says; changed in place, and switched off again", async () => {
  const stack = (stream: object, mapping?: object): Stack => ({
    resource: {
      aws_lambda_function: { f: lambda("stream", "first") },
      aws_sqs_queue: { q: { name: "stream-failed", message_retention_seconds: 1_209_600 } },
      aws_dynamodb_table: {
        t: {
          name: "stream-table",
          billing_mode: "PAY_PER_REQUEST",
          hash_key: "id",
          attribute: [{ name: "id", type: "S" }],
          ...stream,
        },
      },
      ...(mapping && {
        aws_lambda_event_source_mapping: {
          m: {
            event_source_arn: "${aws_dynamodb_table.t.stream_arn}",
            function_name: "${aws_lambda_function.f.function_name}",
            starting_position: "TRIM_HORIZON",
            filter_criteria: { filter: [{ pattern: '{"eventName":["INSERT"]}' }] },
            destination_config: { on_failure: { destination_arn: "${aws_sqs_queue.q.arn}" } },
            ...mapping,
          },
        },
      }),
    },
    output: mapping ? { mapping: "${aws_lambda_event_source_mapping.m.id}" } : {},
  });
  const described = async (): Promise<unknown> => {
    const { Table } = await workspace.clients.dynamoDb.describeTable({ TableName: "stream-table" });
    return Table?.StreamSpecification;
  };
  await settle("stream", stack({}));
  const on = { stream_enabled: true, stream_view_type: "KEYS_ONLY" };
  const { mapping } = await settle("stream", stack(on, { batch_size: 10, maximum_retry_attempts: 5 }));
  expect(await described()).toEqual({ StreamEnabled: true, StreamViewType: "KEYS_ONLY" });
  const look = async () => workspace.clients.lambda.getEventSourceMapping({ UUID: mapping as string });
  expect(await look()).toMatchObject({
    BatchSize: 10,
    MaximumRetryAttempts: 5,
    FilterCriteria: { Filters: [{ Pattern: '{"eventName":["INSERT"]}' }] },
    DestinationConfig: { OnFailure: { Destination: `arn:aws:sqs:${region}:${account}:stream-failed` } },
  });
  const changed = await workspace.provision("stream", stack(on, { batch_size: 3, maximum_retry_attempts: 5 }));
  expect(changed.inventory).toMatchObject({ updated: ["aws_lambda_event_source_mapping.m"], replaced: [] });
  expect(await look()).toMatchObject({ BatchSize: 3 });
  await settle("stream", stack({}));
  expect(await described()).not.toMatchObject({ StreamEnabled: true });
  expect(await failure(look())).toMatch(/not exist|not found/i);
  await workspace.destroy("stream");
});

test("a queue keeps its attributes and its policy, changed in place", async () => {
  const policy = (sid: string): string =>
    JSON.stringify({
      Version: "2012-10-17",
      Statement: [{ Sid: sid, Effect: "Deny", Principal: "*", Action: "sqs:ReceiveMessage", Resource: "*" }],
    });
  const stack = (seconds: number, sid: string): Stack => ({
    resource: {
      aws_sqs_queue: { q: { name: "kept", message_retention_seconds: seconds, kms_master_key_id: "alias/aws/sqs" } },
      aws_sqs_queue_policy: { p: { queue_url: "${aws_sqs_queue.q.url}", policy: policy(sid) } },
    },
    output: { url: "${aws_sqs_queue.q.url}" },
  });
  const { url } = await settle("queue", stack(60, "One"));
  const look = async () =>
    (await workspace.clients.sqs.getQueueAttributes({ QueueUrl: url as string, AttributeNames: ["All"] })).Attributes;
  expect(await look()).toMatchObject({
    MessageRetentionPeriod: "60",
    KmsMasterKeyId: "alias/aws/sqs",
    Policy: policy("One"),
  });
  await settle("queue", stack(120, "Two"));
  expect(await look()).toMatchObject({ MessageRetentionPeriod: "120", Policy: policy("Two") });
  await workspace.destroy("queue");
  expect(await failure(look())).toMatch(/not exist/i);
});

test("SES knows identities, and of a configuration set its options and what it counts; changed in place", async () => {
  const stack = (types: string[], tls: string): Stack => ({
    resource: {
      aws_sesv2_email_identity: { i: { email_identity: "provision.example" } },
      aws_sesv2_configuration_set: {
        s: {
          configuration_set_name: "provision",
          delivery_options: { tls_policy: tls },
          reputation_options: { reputation_metrics_enabled: true },
          sending_options: { sending_enabled: true },
          suppression_options: { suppressed_reasons: ["BOUNCE"] },
        },
      },
      aws_sesv2_configuration_set_event_destination: {
        d: {
          configuration_set_name: "${aws_sesv2_configuration_set.s.configuration_set_name}",
          event_destination_name: "counts",
          event_destination: {
            enabled: true,
            matching_event_types: types,
            cloud_watch_destination: {
              dimension_configuration: [
                { dimension_name: "set", dimension_value_source: "MESSAGE_TAG", default_dimension_value: "none" },
              ],
            },
          },
        },
      },
    },
  });
  const look = async () => {
    const ConfigurationSetName = "provision";
    const { DeliveryOptions, SuppressionOptions } = await workspace.clients.ses.getConfigurationSet({
      ConfigurationSetName,
    });
    const { EventDestinations } = await workspace.clients.ses.getConfigurationSetEventDestinations({
      ConfigurationSetName,
    });
    return {
      DeliveryOptions,
      SuppressionOptions,
      types: EventDestinations?.map(({ MatchingEventTypes }) => MatchingEventTypes),
    };
  };
  await settle("mail", stack(["BOUNCE"], "OPTIONAL"));
  expect(await look()).toEqual({
    DeliveryOptions: { TlsPolicy: "OPTIONAL" },
    SuppressionOptions: { SuppressedReasons: ["BOUNCE"] },
    types: [["BOUNCE"]],
  });
  await settle("mail", stack(["BOUNCE", "REJECT"], "REQUIRE"));
  expect(await look()).toMatchObject({ DeliveryOptions: { TlsPolicy: "REQUIRE" }, types: [["BOUNCE", "REJECT"]] });
  const identity = () => workspace.clients.ses.getEmailIdentity({ EmailIdentity: "provision.example" });
  expect(await identity()).toMatchObject({ IdentityType: "DOMAIN" });
  await workspace.destroy("mail");
  expect(await failure(identity())).toMatch(/not found/i);
  expect(await failure(look())).toMatch(/not exist/i);
});

test("a rule calls its target on a schedule, and is changed in place", async () => {
  const stack = (schedule: string): Stack => ({
    resource: {
      aws_lambda_function: { f: lambda("clock", "first") },
      aws_cloudwatch_event_rule: { r: { name: "clock", description: "By the clock", schedule_expression: schedule } },
      aws_cloudwatch_event_target: {
        t: {
          rule: "${aws_cloudwatch_event_rule.r.name}",
          target_id: "function",
          arn: "${aws_lambda_function.f.arn}",
          input: '{"unsent":true}',
        },
      },
    },
  });
  await settle("clock", stack("rate(1 hour)"));
  const targets = async () => (await workspace.clients.events.listTargetsByRule({ Rule: "clock" })).Targets;
  expect(await targets()).toEqual([
    expect.objectContaining({
      Id: "function",
      Input: '{"unsent":true}',
      Arn: expect.stringContaining(":clock-function"),
    }),
  ]);
  await settle("clock", stack("rate(2 hours)"));
  const rule = () => workspace.clients.events.describeRule({ Name: "clock" });
  expect(await rule()).toMatchObject({ ScheduleExpression: "rate(2 hours)", State: "ENABLED" });
  await workspace.destroy("clock");
  expect(await failure(rule())).toMatch(/not exist/i);
});
