/** What is in an account, as AWS's own clients see it: types, names, and the arguments by which the platform works. */
import type { ApiGatewayV2 } from "@aws-sdk/client-apigatewayv2";
import { closeClients, type Clients, makeClients } from "../../../local/provision/clients";

/** A resource: what it is made with, as the service tells it. */
type Description = Readonly<Record<string, unknown>>;

/** Resources by type and name, such as `function acme-local-ml-workflow-ingest-survey`. */
export type Inventory = Readonly<Record<string, Description>>;

const pick = <Value extends object>(value: Value, ...keys: (keyof Value)[]): Description =>
  Object.fromEntries(keys.map((key) => [key, value[key]]));

/**
 * What a service takes where nothing is said, beside what is off or empty: for one client says it, and another leaves
 * it out.
 */
const defaults: readonly (readonly [name: string, value: string])[] = [
  ["Mode", "SingleModel"], // SageMaker's ContainerDefinition
  ["MinimumProtocolVersion", "TLSv1"], // CloudFront's ViewerCertificate, with CloudFront's own certificate
  ["unit", "None"], // CloudWatch Logs' MetricTransformation
];

/** Without what says nothing: what is off, empty, or a default. */
function telling(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(telling);
  }
  if (typeof value !== "object" || value === null) {
    return value;
  }
  const members = Object.entries(value)
    .map(([name, member]) => [name, telling(member)] as const)
    .filter(([, member]) => member !== undefined && member !== null && member !== false && member !== "")
    .filter(([name, member]) => !(name === "Quantity" && member === 0))
    .filter(([, member]) => typeof member !== "object" || Object.keys(member!).length > 0)
    .filter(([name, member]) => !defaults.some(([known, usual]) => name === known && member === usual));
  return Object.fromEntries(members);
}

/** CloudFront's lists are sets: their order means nothing. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(sorted).sort((one, other) => text(one).localeCompare(text(other)));
  }
  if (typeof value !== "object" || value === null) {
    return value;
  }
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, sorted(member)]));
}

const text = (value: unknown): string => JSON.stringify(value);

/** Identifiers that a service has chosen, and what stands for them when two accounts are compared. */
type Chosen = Map<string, string>;

async function buckets({ s3 }: Clients): Promise<Inventory> {
  const { Buckets = [] } = await s3.listBuckets({});
  const found: Record<string, Description> = {};
  for (const { Name: Bucket = "" } of Buckets.filter(({ Name }) => !Name?.startsWith("acme-state-"))) {
    found[`bucket ${Bucket}`] = {
      versioning: (await s3.getBucketVersioning({ Bucket })).Status,
      encryption: (await s3.getBucketEncryption({ Bucket })).ServerSideEncryptionConfiguration,
      lifecycle: (await s3.getBucketLifecycleConfiguration({ Bucket })).Rules?.map((rule) =>
        pick(rule, "ID", "Status", "Expiration", "NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload"),
      ),
      access: (await s3.getPublicAccessBlock({ Bucket })).PublicAccessBlockConfiguration,
      policy: statements((await s3.getBucketPolicy({ Bucket })).Policy),
    };
    if (!/-website-(test|production)-\d/.test(Bucket)) {
      continue;
    }
    for (const { Key = "" } of (await s3.listObjectsV2({ Bucket })).Contents ?? []) {
      const object = await s3.headObject({ Bucket, Key });
      found[`object ${Bucket}/${Key}`] = pick(object, "ContentLength", "ContentType", "CacheControl");
    }
  }
  return found;
}

/** A policy's statements: their order means nothing. */
function statements(policy: string | undefined): unknown {
  const { Statement = [] } = JSON.parse(policy ?? "{}") as {
    readonly Statement?: readonly { readonly Sid?: string }[];
  };
  return [...Statement].sort((one, other) => (one.Sid ?? "").localeCompare(other.Sid ?? ""));
}

async function keys({ kms }: Clients, chosen: Chosen): Promise<Inventory> {
  const { Aliases = [] } = await kms.listAliases({});
  const found: Record<string, Description> = {};
  for (const { AliasName = "", TargetKeyId } of Aliases.filter(({ AliasName }) => AliasName?.includes("acme-"))) {
    if (TargetKeyId === undefined) {
      continue;
    }
    chosen.set(TargetKeyId, `key ${AliasName}`);
    const { KeyMetadata } = await kms.describeKey({ KeyId: TargetKeyId });
    const { KeyRotationEnabled } = await kms.getKeyRotationStatus({ KeyId: TargetKeyId });
    found[`key ${AliasName}`] = { ...pick(KeyMetadata!, "Description", "KeySpec", "KeyUsage"), KeyRotationEnabled };
  }
  return found;
}

async function functions({ lambda }: Clients): Promise<Inventory> {
  const { Functions = [] } = await lambda.listFunctions({});
  const found: Record<string, Description> = {};
  for (const each of Functions) {
    found[`function ${each.FunctionName}`] = {
      ...pick(each, "Runtime", "Handler", "MemorySize", "Timeout", "CodeSha256", "Architectures", "Role"),
      variables: each.Environment?.Variables,
      callers: await callers(lambda, each.FunctionName ?? ""),
    };
  }
  return found;
}

async function callers(lambda: Clients["lambda"], FunctionName: string): Promise<unknown> {
  try {
    return statements((await lambda.getPolicy({ FunctionName })).Policy);
  } catch (error) {
    if ((error as Error).name === "ResourceNotFoundException") {
      return [];
    }
    throw error;
  }
}

async function parameters({ ssm }: Clients): Promise<Inventory> {
  const found: Record<string, Description> = {};
  const { Parameters = [] } = await ssm.describeParameters({ MaxResults: 50 });
  for (const { Name = "", Description: description } of Parameters) {
    const { Parameter } = await ssm.getParameter({ Name });
    // The workflow writes where its last run has put the champion's predictions and figures; runs have names of their
    // own.
    const Value = Parameter?.Value?.replace(/\/runs\/[^/]+\//, "/runs/<run>/").replace(
      /^figures\/(?!none\.json$)[^/]+\.json$/,
      "figures/<run>.json",
    );
    found[`parameter ${Name}`] = { Type: Parameter?.Type, Value, description };
  }
  return found;
}

async function workflow({ stepFunctions, athena, sns }: Clients): Promise<Inventory> {
  const found: Record<string, Description> = {};
  for (const { stateMachineArn } of (await stepFunctions.listStateMachines({})).stateMachines ?? []) {
    const machine = await stepFunctions.describeStateMachine({ stateMachineArn });
    found[`state machine ${machine.name}`] = {
      ...pick(machine, "type", "roleArn", "loggingConfiguration", "tracingConfiguration"),
      definition: JSON.parse(machine.definition ?? "") as unknown,
    };
  }
  for (const { Name: WorkGroup } of (await athena.listWorkGroups({})).WorkGroups ?? []) {
    if (WorkGroup === "primary") {
      continue;
    }
    const described = await athena.getWorkGroup({ WorkGroup });
    found[`workgroup ${WorkGroup}`] = { ...described.WorkGroup?.Configuration };
  }
  for (const { TopicArn } of (await sns.listTopics({})).Topics ?? []) {
    found[`topic ${TopicArn}`] = {};
  }
  return found;
}

async function observation({ logs, cloudWatch }: Clients): Promise<Inventory> {
  const found: Record<string, Description> = {};
  for (const group of (await logs.describeLogGroups({})).logGroups ?? []) {
    // Jobs and endpoints make their own, when they first write.
    if (group.logGroupName?.startsWith("/aws/sagemaker/")) {
      continue;
    }
    found[`log group ${group.logGroupName}`] = pick(group, "retentionInDays", "kmsKeyId");
  }
  for (const filter of (await logs.describeMetricFilters({})).metricFilters ?? []) {
    found[`metric filter ${filter.filterName}`] = pick(
      filter,
      "logGroupName",
      "filterPattern",
      "metricTransformations",
    );
  }
  for (const alarm of (await cloudWatch.describeAlarms({ MaxRecords: 100 })).MetricAlarms ?? []) {
    found[`alarm ${alarm.AlarmName}`] = {
      ...pick(alarm, "AlarmDescription", "Namespace", "MetricName", "Statistic", "ExtendedStatistic", "Period"),
      ...pick(alarm, "EvaluationPeriods", "DatapointsToAlarm", "Threshold", "ComparisonOperator", "TreatMissingData"),
      ...pick(alarm, "AlarmActions", "OKActions"),
      dimensions: Object.fromEntries((alarm.Dimensions ?? []).map(({ Name, Value }) => [Name, Value])),
    };
  }
  return found;
}

async function sageMaker({ sageMaker: client }: Clients, chosen: Chosen): Promise<Inventory> {
  const found: Record<string, Description> = {};
  const { FeatureGroupSummaries = [] } = await client.listFeatureGroups({});
  for (const { FeatureGroupName } of FeatureGroupSummaries) {
    const group = await client.describeFeatureGroup({ FeatureGroupName });
    found[`feature group ${FeatureGroupName}`] = {
      ...pick(group, "RecordIdentifierFeatureName", "EventTimeFeatureName", "FeatureDefinitions", "RoleArn"),
      // Where exactly its objects lie begins with the time of its making.
      storage: { ...group.OfflineStoreConfig?.S3StorageConfig, ResolvedOutputS3Uri: undefined },
    };
  }
  const { ModelPackageGroupSummaryList = [] } = await client.listModelPackageGroups({});
  for (const group of ModelPackageGroupSummaryList) {
    found[`model package group ${group.ModelPackageGroupName}`] = pick(group, "ModelPackageGroupDescription");
  }
  for (const { EndpointName = "" } of (await client.listEndpoints({})).Endpoints ?? []) {
    const endpoint = await client.describeEndpoint({ EndpointName });
    const { EndpointConfigName = "" } = endpoint;
    chosen.set(EndpointConfigName, `configuration of ${EndpointName}`);
    const configuration = await client.describeEndpointConfig({ EndpointConfigName });
    const models: Description[] = [];
    for (const { ModelName = "" } of configuration.ProductionVariants ?? []) {
      chosen.set(ModelName, `model of ${EndpointName}`);
      const model = await client.describeModel({ ModelName });
      models.push(
        pick(model, "ModelName", "ExecutionRoleArn", "Containers", "PrimaryContainer", "EnableNetworkIsolation"),
      );
    }
    found[`endpoint ${EndpointName}`] = {
      ...pick(endpoint, "EndpointStatus"),
      ...pick(configuration, "ProductionVariants", "DataCaptureConfig", "KmsKeyId"),
      models,
    };
  }
  return found;
}

async function tables({ dynamoDb }: Clients): Promise<Inventory> {
  const found: Record<string, Description> = {};
  for (const TableName of (await dynamoDb.listTables({})).TableNames ?? []) {
    const { Table } = await dynamoDb.describeTable({ TableName });
    const { TimeToLiveDescription } = await dynamoDb.describeTimeToLive({ TableName });
    found[`table ${TableName}`] = {
      ...pick(Table!, "KeySchema", "AttributeDefinitions"),
      billing: Table?.BillingModeSummary?.BillingMode,
      encryption: Table?.SSEDescription,
      expiry: TimeToLiveDescription,
    };
  }
  return found;
}

async function apis({ apiGateway }: Clients, chosen: Chosen): Promise<Inventory> {
  const found: Record<string, Description> = {};
  for (const { ApiId = "", Name = "", ProtocolType } of (await apiGateway.getApis({})).Items ?? []) {
    chosen.set(ApiId, `api ${Name}`);
    const integrations = await integrationsOf(apiGateway, ApiId);
    const routes = (await apiGateway.getRoutes({ ApiId })).Items ?? [];
    const stages = (await apiGateway.getStages({ ApiId })).Items ?? [];
    found[`api ${Name}`] = {
      ProtocolType,
      routes: Object.fromEntries(
        routes.map(({ RouteKey, Target }) => [RouteKey, integrations.get(Target?.split("/").pop() ?? "")]),
      ),
      stages: stages.map((stage) =>
        pick(stage, "StageName", "AutoDeploy", "DefaultRouteSettings", "AccessLogSettings"),
      ),
    };
  }
  return found;
}

async function integrationsOf(client: ApiGatewayV2, ApiId: string): Promise<ReadonlyMap<string, Description>> {
  const { Items = [] } = await client.getIntegrations({ ApiId });
  return new Map(
    Items.map((each) => [
      each.IntegrationId ?? "",
      pick(each, "IntegrationType", "IntegrationUri", "PayloadFormatVersion", "TimeoutInMillis"),
    ]),
  );
}

async function distributions({ cloudFront }: Clients, chosen: Chosen): Promise<Inventory> {
  const found: Record<string, Description> = {};
  const controls = await cloudFront.listOriginAccessControls({});
  for (const { Id = "", ...control } of controls.OriginAccessControlList?.Items ?? []) {
    chosen.set(Id, `access control ${control.Name}`);
    found[`access control ${control.Name}`] = { ...control };
  }
  const policies = await cloudFront.listResponseHeadersPolicies({ Type: "custom" });
  for (const { ResponseHeadersPolicy } of policies.ResponseHeadersPolicyList?.Items ?? []) {
    const { Id = "" } = ResponseHeadersPolicy ?? {};
    const { ResponseHeadersPolicyConfig } = await cloudFront.getResponseHeadersPolicyConfig({ Id });
    chosen.set(Id, `headers policy ${ResponseHeadersPolicyConfig?.Name}`);
    found[`headers policy ${ResponseHeadersPolicyConfig?.Name}`] = { ...ResponseHeadersPolicyConfig };
  }
  const list = await cloudFront.listDistributions({});
  for (const { Id = "", Comment = "", DomainName = "" } of list.DistributionList?.Items ?? []) {
    chosen.set(Id, `distribution ${Comment}`).set(DomainName, `domain of ${Comment}`);
    const { DistributionConfig } = await cloudFront.getDistributionConfig({ Id });
    found[`distribution ${Comment}`] = sorted({
      ...pick(DistributionConfig!, "Enabled", "DefaultRootObject", "Origins", "DefaultCacheBehavior", "CacheBehaviors"),
      ...pick(DistributionConfig!, "CustomErrorResponses", "HttpVersion", "PriceClass", "ViewerCertificate", "Aliases"),
    }) as Description;
  }
  return found;
}

/** A list of which only the first page is looked at would hide what comes after it. */
function refuseHalfLists({ middlewareStack }: Clients["s3"]): void {
  middlewareStack.add(
    (next, context) => async (request) => {
      const answer = await next(request);
      const more = Object.entries(answer.output).find(
        ([name, value]) => /^(next|lastevaluated)/i.test(name) && Boolean(value),
      );
      if (more) {
        throw new Error(`${context.commandName ?? "A list"} has another page: ask for more at once.`);
      }
      return answer;
    },
    { step: "initialize" },
  );
}

/**
 * Describes all that the platform has made in an account. What a service has chosen itself, such as an API's id, is
 * replaced by what it stands for, so that two accounts can be compared.
 * @param endpoint the emulator's address
 */
export async function describeAccount(endpoint: string, region: string, account: string): Promise<Inventory> {
  const clients = makeClients(endpoint, region, account);
  const chosen: Chosen = new Map();
  // All clients have the same middleware, each with types of its own.
  for (const client of Object.values(clients) as unknown as Clients["s3"][]) {
    refuseHalfLists(client);
  }
  try {
    const found: Record<string, Description> = {};
    const describe = [
      keys,
      buckets,
      functions,
      parameters,
      workflow,
      observation,
      sageMaker,
      tables,
      apis,
      distributions,
    ];
    for (const each of describe) {
      Object.assign(found, await each(clients, chosen));
    }
    let whole = text(found);
    for (const [id, meaning] of chosen) {
      whole = whole.replaceAll(id, `<${meaning}>`);
    }
    const inventory = JSON.parse(whole) as Readonly<Record<string, unknown>>;
    return Object.fromEntries(Object.entries(inventory).map(([name, each]) => [name, telling(each) as Description]));
  } finally {
    closeClients(clients);
  }
}
