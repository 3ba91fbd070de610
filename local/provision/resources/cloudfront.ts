import {
  type CacheBehavior,
  type CachePolicyConfig,
  type CloudFrontClient,
  CreateCachePolicyCommand,
  CreateDistributionWithTagsCommand,
  CreateFunctionCommand,
  CreateOriginAccessControlCommand,
  CreateOriginRequestPolicyCommand,
  CreateResponseHeadersPolicyCommand,
  type CustomErrorResponse,
  type DefaultCacheBehavior,
  DeleteCachePolicyCommand,
  DeleteDistributionCommand,
  DeleteFunctionCommand,
  DeleteOriginAccessControlCommand,
  DeleteOriginRequestPolicyCommand,
  DeleteResponseHeadersPolicyCommand,
  DescribeFunctionCommand,
  type Distribution,
  type DistributionConfig,
  type FunctionRuntime,
  GetCachePolicyCommand,
  GetDistributionCommand,
  GetDistributionConfigCommand,
  GetOriginAccessControlCommand,
  GetOriginRequestPolicyCommand,
  GetResponseHeadersPolicyCommand,
  ListCachePoliciesCommand,
  ListOriginAccessControlsCommand,
  ListOriginRequestPoliciesCommand,
  ListResponseHeadersPoliciesCommand,
  type Method,
  type Origin,
  type OriginAccessControlConfig,
  type OriginRequestPolicyConfig,
  paginateListDistributions,
  PublishFunctionCommand,
  type ResponseHeadersPolicyConfig,
  TagResourceCommand,
  UpdateCachePolicyCommand,
  UpdateDistributionCommand,
  UpdateFunctionCommand,
  UpdateOriginAccessControlCommand,
  UpdateOriginRequestPolicyCommand,
  UpdateResponseHeadersPolicyCommand,
  type ViewerCertificate,
} from "@aws-sdk/client-cloudfront";
import type { Arguments } from "../arguments";
import {
  type Attributes,
  type Creation,
  type Existing,
  isNamed,
  type Place,
  type ResourceKind,
  tagList,
  textOf,
  unlessMissing,
  waitFor,
} from "../resource-kind";

/** CloudFront's zone in Route 53, the same for all distributions (Route 53 developer guide, alias targets). */
const hostedZone = "Z2FDTNDATAQYW2";

/** A list as CloudFront writes it; empty lists are just counted. */
function counted<T>(items: readonly T[] | undefined): { Quantity: number; Items?: T[] } {
  return items && items.length > 0 ? { Quantity: items.length, Items: [...items] } : { Quantity: 0 };
}

const distribution: ResourceKind = {
  type: "aws_cloudfront_distribution",
  async create(creation) {
    const { arguments: list, clients, tags, token } = creation;
    const config = distributionConfig(list, token);
    const found = await ownedDistribution(clients.cloudFront, token);
    if (found) {
      return await changeDistribution(creation, found, config);
    }
    const { Distribution: made } = await clients.cloudFront.send(
      new CreateDistributionWithTagsCommand({
        DistributionConfigWithTags: { DistributionConfig: config, Tags: { Items: tagList(tags) } },
      }),
    );
    return await deployed(creation, made?.Id ?? "");
  },
  async read({ attributes, clients }) {
    const found = await unlessMissing(clients.cloudFront.send(new GetDistributionCommand({ Id: attributes.id })));
    return found && attributes;
  },
  async update(change) {
    const config = distributionConfig(change.arguments, textOf(change.attributes, "caller_reference"));
    return await changeDistribution(change, change.attributes.id, config);
  },
  async delete({ attributes, clients }) {
    const Id = attributes.id;
    const found = await unlessMissing(clients.cloudFront.send(new GetDistributionConfigCommand({ Id })));
    if (!found) {
      return;
    }
    let IfMatch = found.ETag;
    // CloudFront deletes only what serves nobody.
    if (found.DistributionConfig?.Enabled) {
      const disabled = await clients.cloudFront.send(
        new UpdateDistributionCommand({
          Id,
          IfMatch,
          DistributionConfig: { ...found.DistributionConfig, Enabled: false },
        }),
      );
      IfMatch = disabled.ETag;
      await waitUntilDeployed(clients.cloudFront, Id);
    }
    await unlessMissing(clients.cloudFront.send(new DeleteDistributionCommand({ Id, IfMatch })));
  },
};

async function changeDistribution(creation: Creation, Id: string, config: DistributionConfig): Promise<Attributes> {
  const { clients, tags } = creation;
  const { ETag } = await clients.cloudFront.send(new GetDistributionConfigCommand({ Id }));
  const { Distribution: changed } = await clients.cloudFront.send(
    new UpdateDistributionCommand({ Id, IfMatch: ETag, DistributionConfig: config }),
  );
  await clients.cloudFront.send(new TagResourceCommand({ Resource: changed?.ARN, Tags: { Items: tagList(tags) } }));
  return await deployed(creation, Id);
}

async function deployed({ arguments: list, clients, token }: Creation, Id: string): Promise<Attributes> {
  const found = await waitUntilDeployed(clients.cloudFront, Id);
  list.accept("retain_on_delete", "wait_for_deployment");
  return {
    id: Id,
    arn: found.ARN ?? "",
    domain_name: found.DomainName ?? "",
    hosted_zone_id: hostedZone,
    status: "Deployed",
    caller_reference: found.DistributionConfig?.CallerReference ?? token,
  };
}

async function waitUntilDeployed(cloudFront: CloudFrontClient, Id: string): Promise<Distribution> {
  return await waitFor(
    async () => {
      const { Distribution: found } = await cloudFront.send(new GetDistributionCommand({ Id }));
      return found?.Status === "Deployed" ? found : undefined;
    },
    `the distribution ${Id}`,
    { seconds: 300 },
  );
}

/** The distribution that a killed run made for the same intention. */
async function ownedDistribution(cloudFront: CloudFrontClient, token: string): Promise<string | undefined> {
  for await (const { DistributionList } of paginateListDistributions({ client: cloudFront }, {})) {
    for (const { Id } of DistributionList?.Items ?? []) {
      const found = await unlessMissing(cloudFront.send(new GetDistributionConfigCommand({ Id })));
      if (found?.DistributionConfig?.CallerReference === token) {
        return Id;
      }
    }
  }
  return undefined;
}

function distributionConfig(list: Arguments, CallerReference: string): DistributionConfig {
  const logging = list.block("logging_config");
  return {
    CallerReference,
    Comment: list.text("comment") ?? "",
    Enabled: list.boolean("enabled") ?? false,
    IsIPV6Enabled: list.boolean("is_ipv6_enabled") ?? false,
    HttpVersion: (list.text("http_version") ?? "http2") as "http2",
    PriceClass: (list.text("price_class") ?? "PriceClass_All") as "PriceClass_All",
    DefaultRootObject: list.text("default_root_object") ?? "",
    WebACLId: list.text("web_acl_id") ?? "",
    Aliases: counted(list.texts("aliases")),
    Origins: { Quantity: list.blocks("origin").length, Items: list.blocks("origin").map(origin) },
    DefaultCacheBehavior: cacheBehavior(list.requireBlock("default_cache_behavior")),
    CacheBehaviors: counted(
      list
        .blocks("ordered_cache_behavior")
        .map((block): CacheBehavior => ({ PathPattern: block.requireText("path_pattern"), ...cacheBehavior(block) })),
    ),
    CustomErrorResponses: counted(list.blocks("custom_error_response").map(customErrorResponse)),
    Restrictions: { GeoRestriction: geoRestriction(list.requireBlock("restrictions").requireBlock("geo_restriction")) },
    ViewerCertificate: viewerCertificate(list.requireBlock("viewer_certificate")),
    Logging: {
      Enabled: logging !== undefined,
      Bucket: logging?.requireText("bucket") ?? "",
      Prefix: logging?.text("prefix") ?? "",
      IncludeCookies: logging?.boolean("include_cookies") ?? false,
    },
  };
}

function origin(block: Arguments): Origin {
  const custom = block.block("custom_origin_config");
  const s3 = block.block("s3_origin_config");
  const shield = block.block("origin_shield");
  return {
    Id: block.requireText("origin_id"),
    DomainName: block.requireText("domain_name"),
    OriginPath: block.text("origin_path") ?? "",
    ConnectionAttempts: block.number("connection_attempts") ?? 3,
    ConnectionTimeout: block.number("connection_timeout") ?? 10,
    OriginAccessControlId: block.text("origin_access_control_id") ?? "",
    OriginShield: {
      Enabled: shield?.boolean("enabled") ?? false,
      OriginShieldRegion: shield?.text("origin_shield_region"),
    },
    CustomHeaders: counted(
      block.blocks("custom_header").map((header) => ({
        HeaderName: header.requireText("name"),
        HeaderValue: header.requireText("value"),
      })),
    ),
    ...(custom
      ? {
          CustomOriginConfig: {
            HTTPPort: custom.requireNumber("http_port"),
            HTTPSPort: custom.requireNumber("https_port"),
            OriginProtocolPolicy: custom.requireText("origin_protocol_policy") as "https-only",
            OriginSslProtocols: {
              Quantity: custom.texts("origin_ssl_protocols")?.length ?? 0,
              Items: (custom.texts("origin_ssl_protocols") ?? []) as "TLSv1.2"[],
            },
            OriginReadTimeout: custom.number("origin_read_timeout") ?? 30,
            OriginKeepaliveTimeout: custom.number("origin_keepalive_timeout") ?? 5,
          },
        }
      : { S3OriginConfig: { OriginAccessIdentity: s3?.text("origin_access_identity") ?? "" } }),
  };
}

function cacheBehavior(block: Arguments): DefaultCacheBehavior {
  const allowed = (block.texts("allowed_methods") ?? []) as Method[];
  return {
    TargetOriginId: block.requireText("target_origin_id"),
    ViewerProtocolPolicy: block.requireText("viewer_protocol_policy") as "https-only",
    AllowedMethods: {
      Quantity: allowed.length,
      Items: allowed,
      CachedMethods: {
        Quantity: block.texts("cached_methods")?.length ?? 0,
        Items: (block.texts("cached_methods") ?? []) as Method[],
      },
    },
    Compress: block.boolean("compress") ?? false,
    SmoothStreaming: block.boolean("smooth_streaming") ?? false,
    CachePolicyId: block.requireText("cache_policy_id"),
    OriginRequestPolicyId: block.text("origin_request_policy_id"),
    ResponseHeadersPolicyId: block.text("response_headers_policy_id"),
    FieldLevelEncryptionId: block.text("field_level_encryption_id") ?? "",
    TrustedKeyGroups: { Enabled: block.has("trusted_key_groups"), ...counted(block.texts("trusted_key_groups")) },
    TrustedSigners: { Enabled: block.has("trusted_signers"), ...counted(block.texts("trusted_signers")) },
    FunctionAssociations: counted(
      block.blocks("function_association").map((association) => ({
        EventType: association.requireText("event_type") as "viewer-request",
        FunctionARN: association.requireText("function_arn"),
      })),
    ),
    LambdaFunctionAssociations: counted(
      block.blocks("lambda_function_association").map((association) => ({
        EventType: association.requireText("event_type") as "viewer-request",
        LambdaFunctionARN: association.requireText("lambda_arn"),
        IncludeBody: association.boolean("include_body"),
      })),
    ),
  };
}

function customErrorResponse(block: Arguments): CustomErrorResponse {
  return {
    ErrorCode: block.requireNumber("error_code"),
    ResponseCode: block.text("response_code") ?? "",
    ResponsePagePath: block.text("response_page_path") ?? "",
    ErrorCachingMinTTL: block.number("error_caching_min_ttl"),
  };
}

function geoRestriction(block: Arguments) {
  return {
    RestrictionType: block.requireText("restriction_type") as "none",
    ...counted(block.texts("locations")),
  };
}

function viewerCertificate(block: Arguments): ViewerCertificate {
  return {
    CloudFrontDefaultCertificate: block.boolean("cloudfront_default_certificate"),
    ACMCertificateArn: block.text("acm_certificate_arn"),
    IAMCertificateId: block.text("iam_certificate_id"),
    SSLSupportMethod: block.text("ssl_support_method") as "sni-only" | undefined,
    MinimumProtocolVersion: block.text("minimum_protocol_version") as "TLSv1.2_2021" | undefined,
  };
}

interface Named {
  readonly id: string;
  readonly name: string;
}

/** A policy or access control: has a unique name, an id and an ETag, without which it can't be changed. */
function namedConfig<Config>(
  type: string,
  work: {
    readonly noun: string;
    config(list: Arguments): Config;
    create(cloudFront: CloudFrontClient, config: Config): Promise<string | undefined>;
    /** Its ETag. */
    get(cloudFront: CloudFrontClient, Id: string): Promise<{ readonly ETag?: string }>;
    list(cloudFront: CloudFrontClient, Marker: string | undefined): Promise<{ items: Named[]; next?: string }>;
    update(cloudFront: CloudFrontClient, Id: string, IfMatch: string | undefined, config: Config): Promise<unknown>;
    delete(cloudFront: CloudFrontClient, Id: string, IfMatch: string | undefined): Promise<unknown>;
  },
): ResourceKind {
  const attributes = async (id: string, { clients, account, partition }: Place): Promise<Attributes> => ({
    id,
    etag: (await work.get(clients.cloudFront, id)).ETag ?? "",
    arn: `arn:${partition}:cloudfront::${account}:${work.noun}/${id}`,
  });
  const change = async (creation: Creation, id: string): Promise<Attributes> => {
    const { cloudFront } = creation.clients;
    const { ETag } = await work.get(cloudFront, id);
    await work.update(cloudFront, id, ETag, work.config(creation.arguments));
    return await attributes(id, creation);
  };
  return {
    type,
    async create(creation) {
      const { cloudFront } = creation.clients;
      const name = creation.arguments.requireText("name");
      let marker: string | undefined;
      do {
        const { items, next } = await work.list(cloudFront, marker);
        const found = items.find((item) => item.name === name);
        if (found) {
          return await change(creation, found.id);
        }
        marker = next;
      } while (marker !== undefined && marker !== "");
      const id = await work.create(cloudFront, work.config(creation.arguments));
      return await attributes(id ?? "", creation);
    },
    async read(existing: Existing) {
      const found = await unlessMissing(work.get(existing.clients.cloudFront, existing.attributes.id));
      return found && existing.attributes;
    },
    update: (request) => change(request, request.attributes.id),
    async delete({ attributes: { id }, clients }) {
      const found = await unlessMissing(work.get(clients.cloudFront, id));
      if (found) {
        await unlessMissing(work.delete(clients.cloudFront, id, found.ETag));
      }
    },
  };
}

const originAccessControl = namedConfig<OriginAccessControlConfig>("aws_cloudfront_origin_access_control", {
  noun: "origin-access-control",
  config: (list) => ({
    Name: list.requireText("name"),
    Description: list.text("description") ?? "Managed by Terraform",
    OriginAccessControlOriginType: list.requireText("origin_access_control_origin_type") as "s3",
    SigningBehavior: list.requireText("signing_behavior") as "always",
    SigningProtocol: list.requireText("signing_protocol") as "sigv4",
  }),
  create: async (cloudFront, OriginAccessControlConfig) =>
    (await cloudFront.send(new CreateOriginAccessControlCommand({ OriginAccessControlConfig }))).OriginAccessControl
      ?.Id,
  get: (cloudFront, Id) => cloudFront.send(new GetOriginAccessControlCommand({ Id })),
  list: async (cloudFront, Marker) => {
    const { OriginAccessControlList: page } = await cloudFront.send(new ListOriginAccessControlsCommand({ Marker }));
    const items = (page?.Items ?? []).map(({ Id, Name }) => ({ id: Id ?? "", name: Name ?? "" }));
    return { items, next: page?.NextMarker };
  },
  update: (cloudFront, Id, IfMatch, OriginAccessControlConfig) =>
    cloudFront.send(new UpdateOriginAccessControlCommand({ Id, IfMatch, OriginAccessControlConfig })),
  delete: (cloudFront, Id, IfMatch) => cloudFront.send(new DeleteOriginAccessControlCommand({ Id, IfMatch })),
});

const responseHeadersPolicy = namedConfig<ResponseHeadersPolicyConfig>("aws_cloudfront_response_headers_policy", {
  noun: "response-headers-policy",
  config: responseHeaders,
  create: async (cloudFront, ResponseHeadersPolicyConfig) =>
    (await cloudFront.send(new CreateResponseHeadersPolicyCommand({ ResponseHeadersPolicyConfig })))
      .ResponseHeadersPolicy?.Id,
  get: (cloudFront, Id) => cloudFront.send(new GetResponseHeadersPolicyCommand({ Id })),
  list: async (cloudFront, Marker) => {
    const { ResponseHeadersPolicyList: page } = await cloudFront.send(
      new ListResponseHeadersPoliciesCommand({ Type: "custom", Marker }),
    );
    const items = (page?.Items ?? []).map(({ ResponseHeadersPolicy: policy }) => ({
      id: policy?.Id ?? "",
      name: policy?.ResponseHeadersPolicyConfig?.Name ?? "",
    }));
    return { items, next: page?.NextMarker };
  },
  update: (cloudFront, Id, IfMatch, ResponseHeadersPolicyConfig) =>
    cloudFront.send(new UpdateResponseHeadersPolicyCommand({ Id, IfMatch, ResponseHeadersPolicyConfig })),
  delete: (cloudFront, Id, IfMatch) => cloudFront.send(new DeleteResponseHeadersPolicyCommand({ Id, IfMatch })),
});

function responseHeaders(list: Arguments): ResponseHeadersPolicyConfig {
  const security = list.block("security_headers_config");
  const transport = security?.block("strict_transport_security");
  const content = security?.block("content_security_policy");
  const options = security?.block("content_type_options");
  const frames = security?.block("frame_options");
  const referrer = security?.block("referrer_policy");
  const scripts = security?.block("xss_protection");
  const cors = list.block("cors_config");
  const timing = list.block("server_timing_headers_config");
  const custom = list.block("custom_headers_config")?.blocks("items") ?? [];
  const removed = list.block("remove_headers_config")?.blocks("items") ?? [];
  const override = (block: Arguments): boolean => block.boolean("override") ?? false;
  const listed = (name: string): { Quantity: number; Items: string[] } => {
    const Items = cors?.block(name)?.texts("items") ?? [];
    return { Quantity: Items.length, Items };
  };
  return {
    Name: list.requireText("name"),
    Comment: list.text("comment") ?? "",
    ...(security && {
      SecurityHeadersConfig: {
        ...(transport && {
          StrictTransportSecurity: {
            AccessControlMaxAgeSec: transport.requireNumber("access_control_max_age_sec"),
            IncludeSubdomains: transport.boolean("include_subdomains") ?? false,
            Preload: transport.boolean("preload") ?? false,
            Override: override(transport),
          },
        }),
        ...(content && {
          ContentSecurityPolicy: {
            ContentSecurityPolicy: content.requireText("content_security_policy"),
            Override: override(content),
          },
        }),
        ...(options && { ContentTypeOptions: { Override: override(options) } }),
        ...(frames && {
          FrameOptions: { FrameOption: frames.requireText("frame_option") as "DENY", Override: override(frames) },
        }),
        ...(referrer && {
          ReferrerPolicy: {
            ReferrerPolicy: referrer.requireText("referrer_policy") as "no-referrer",
            Override: override(referrer),
          },
        }),
        ...(scripts && {
          XSSProtection: {
            Protection: scripts.boolean("protection") ?? false,
            ModeBlock: scripts.boolean("mode_block"),
            ReportUri: scripts.text("report_uri"),
            Override: override(scripts),
          },
        }),
      },
    }),
    ...(cors && {
      CorsConfig: {
        AccessControlAllowCredentials: cors.boolean("access_control_allow_credentials") ?? false,
        AccessControlAllowHeaders: listed("access_control_allow_headers"),
        AccessControlAllowMethods: listed("access_control_allow_methods") as { Quantity: number; Items: "ALL"[] },
        AccessControlAllowOrigins: listed("access_control_allow_origins"),
        AccessControlExposeHeaders: listed("access_control_expose_headers"),
        AccessControlMaxAgeSec: cors.number("access_control_max_age_sec"),
        OriginOverride: cors.boolean("origin_override") ?? false,
      },
    }),
    CustomHeadersConfig: counted(
      custom.map((header) => ({
        Header: header.requireText("header"),
        Value: header.requireText("value"),
        Override: override(header),
      })),
    ),
    RemoveHeadersConfig: counted(removed.map((header) => ({ Header: header.requireText("header") }))),
    ...(timing && {
      ServerTimingHeadersConfig: {
        Enabled: timing.boolean("enabled") ?? false,
        SamplingRate: timing.number("sampling_rate"),
      },
    }),
  };
}

/** Which headers, cookies or query strings go into a cache key or to an origin. */
function selection(block: Arguments | undefined, behavior: string, names: string) {
  return {
    behavior: block?.text(behavior) ?? "none",
    items: block?.block(names)?.texts("items"),
  };
}

const cachePolicy = namedConfig<CachePolicyConfig>("aws_cloudfront_cache_policy", {
  noun: "cache-policy",
  config: (list) => {
    const key = list.requireBlock("parameters_in_cache_key_and_forwarded_to_origin");
    const cookies = selection(key.block("cookies_config"), "cookie_behavior", "cookies");
    const headers = selection(key.block("headers_config"), "header_behavior", "headers");
    const queries = selection(key.block("query_strings_config"), "query_string_behavior", "query_strings");
    return {
      Name: list.requireText("name"),
      Comment: list.text("comment") ?? "",
      MinTTL: list.number("min_ttl") ?? 0,
      DefaultTTL: list.number("default_ttl"),
      MaxTTL: list.number("max_ttl"),
      ParametersInCacheKeyAndForwardedToOrigin: {
        EnableAcceptEncodingGzip: key.boolean("enable_accept_encoding_gzip") ?? false,
        EnableAcceptEncodingBrotli: key.boolean("enable_accept_encoding_brotli") ?? false,
        CookiesConfig: { CookieBehavior: cookies.behavior as "none", Cookies: counted(cookies.items) },
        HeadersConfig: { HeaderBehavior: headers.behavior as "none", Headers: counted(headers.items) },
        QueryStringsConfig: { QueryStringBehavior: queries.behavior as "none", QueryStrings: counted(queries.items) },
      },
    };
  },
  create: async (cloudFront, config) =>
    (await cloudFront.send(new CreateCachePolicyCommand({ CachePolicyConfig: config }))).CachePolicy?.Id,
  get: (cloudFront, Id) => cloudFront.send(new GetCachePolicyCommand({ Id })),
  list: listCachePolicies("custom"),
  update: (cloudFront, Id, IfMatch, config) =>
    cloudFront.send(new UpdateCachePolicyCommand({ Id, IfMatch, CachePolicyConfig: config })),
  delete: (cloudFront, Id, IfMatch) => cloudFront.send(new DeleteCachePolicyCommand({ Id, IfMatch })),
});

function listCachePolicies(Type: "custom" | "managed") {
  return async (
    cloudFront: CloudFrontClient,
    Marker: string | undefined,
  ): Promise<{ items: Named[]; next?: string }> => {
    const { CachePolicyList: page } = await cloudFront.send(new ListCachePoliciesCommand({ Type, Marker }));
    const items = (page?.Items ?? []).map(({ CachePolicy: policy }) => ({
      id: policy?.Id ?? "",
      name: policy?.CachePolicyConfig?.Name ?? "",
    }));
    return { items, next: page?.NextMarker };
  };
}

const originRequestPolicy = namedConfig<OriginRequestPolicyConfig>("aws_cloudfront_origin_request_policy", {
  noun: "origin-request-policy",
  config: (list) => {
    const cookies = selection(list.block("cookies_config"), "cookie_behavior", "cookies");
    const headers = selection(list.block("headers_config"), "header_behavior", "headers");
    const queries = selection(list.block("query_strings_config"), "query_string_behavior", "query_strings");
    return {
      Name: list.requireText("name"),
      Comment: list.text("comment") ?? "",
      CookiesConfig: { CookieBehavior: cookies.behavior as "none", Cookies: counted(cookies.items) },
      HeadersConfig: { HeaderBehavior: headers.behavior as "none", Headers: counted(headers.items) },
      QueryStringsConfig: { QueryStringBehavior: queries.behavior as "none", QueryStrings: counted(queries.items) },
    };
  },
  create: async (cloudFront, config) =>
    (await cloudFront.send(new CreateOriginRequestPolicyCommand({ OriginRequestPolicyConfig: config })))
      .OriginRequestPolicy?.Id,
  get: (cloudFront, Id) => cloudFront.send(new GetOriginRequestPolicyCommand({ Id })),
  list: async (cloudFront, Marker) => {
    const { OriginRequestPolicyList: page } = await cloudFront.send(
      new ListOriginRequestPoliciesCommand({ Type: "custom", Marker }),
    );
    const items = (page?.Items ?? []).map(({ OriginRequestPolicy: policy }) => ({
      id: policy?.Id ?? "",
      name: policy?.OriginRequestPolicyConfig?.Name ?? "",
    }));
    return { items, next: page?.NextMarker };
  },
  update: (cloudFront, Id, IfMatch, config) =>
    cloudFront.send(new UpdateOriginRequestPolicyCommand({ Id, IfMatch, OriginRequestPolicyConfig: config })),
  delete: (cloudFront, Id, IfMatch) => cloudFront.send(new DeleteOriginRequestPolicyCommand({ Id, IfMatch })),
});

const functionKind: ResourceKind = {
  type: "aws_cloudfront_function",
  replacedBy: ["name"],
  async create(creation) {
    const { arguments: list, clients } = creation;
    const Name = list.requireText("name");
    try {
      await clients.cloudFront.send(
        new CreateFunctionCommand({ Name, FunctionConfig: functionConfig(list), FunctionCode: functionCode(list) }),
      );
    } catch (error) {
      if (!isNamed(error, "FunctionAlreadyExists")) {
        throw error;
      }
      return await changeFunction(creation);
    }
    return await publish(creation);
  },
  async read({ attributes, clients }) {
    const found = await unlessMissing(
      clients.cloudFront.send(new DescribeFunctionCommand({ Name: attributes.id, Stage: "DEVELOPMENT" })),
    );
    return found && attributes;
  },
  update: changeFunction,
  async delete({ attributes, clients }) {
    const found = await unlessMissing(
      clients.cloudFront.send(new DescribeFunctionCommand({ Name: attributes.id, Stage: "DEVELOPMENT" })),
    );
    if (found) {
      await unlessMissing(
        clients.cloudFront.send(new DeleteFunctionCommand({ Name: attributes.id, IfMatch: found.ETag })),
      );
    }
  },
};

async function changeFunction(creation: Creation): Promise<Attributes> {
  const { arguments: list, clients } = creation;
  const Name = list.requireText("name");
  const { ETag } = await clients.cloudFront.send(new DescribeFunctionCommand({ Name, Stage: "DEVELOPMENT" }));
  await clients.cloudFront.send(
    new UpdateFunctionCommand({
      Name,
      IfMatch: ETag,
      FunctionConfig: functionConfig(list),
      FunctionCode: functionCode(list),
    }),
  );
  return await publish(creation);
}

async function publish({ arguments: list, clients, account, partition }: Creation): Promise<Attributes> {
  const Name = list.requireText("name");
  const { ETag } = await clients.cloudFront.send(new DescribeFunctionCommand({ Name, Stage: "DEVELOPMENT" }));
  if (list.boolean("publish") ?? true) {
    await clients.cloudFront.send(new PublishFunctionCommand({ Name, IfMatch: ETag }));
  }
  return { id: Name, etag: ETag ?? "", arn: `arn:${partition}:cloudfront::${account}:function/${Name}` };
}

function functionConfig(list: Arguments) {
  return { Comment: list.text("comment") ?? "", Runtime: list.requireText("runtime") as FunctionRuntime };
}

function functionCode(list: Arguments): Uint8Array {
  return Buffer.from(list.requireText("code"));
}

/** CloudFront: distributions, functions, access controls and policies. */
export const cloudFrontKinds: readonly ResourceKind[] = [
  distribution,
  originAccessControl,
  responseHeadersPolicy,
  cachePolicy,
  originRequestPolicy,
  functionKind,
];
