import {
  type CacheBehavior,
  type CloudFront,
  type CustomErrorResponse,
  type DefaultCacheBehavior,
  type Distribution,
  type DistributionConfig,
  type Method,
  type Origin,
  type OriginAccessControlConfig,
  paginateListDistributions,
  type ResponseHeadersPolicyConfig,
} from "@aws-sdk/client-cloudfront";
import type { Arguments } from "../arguments";
import {
  type Attributes,
  type Creation,
  type Place,
  type ResourceKind,
  tagList,
  textOf,
  unlessMissing,
  waitFor,
} from "../resource-kind";

/** A list in CloudFront's format; empty lists have only a count. */
function counted<T>(items: readonly T[]): { Quantity: number; Items?: T[] } {
  return items.length > 0 ? { Quantity: items.length, Items: [...items] } : { Quantity: 0 };
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
    const { Distribution: made } = await clients.cloudFront.createDistributionWithTags({
      DistributionConfigWithTags: { DistributionConfig: config, Tags: { Items: tagList(tags) } },
    });
    return await deployed(creation, made?.Id ?? "");
  },
  exists: ({ attributes, clients }) => clients.cloudFront.getDistribution({ Id: attributes.id }),
  async update(change) {
    const config = distributionConfig(change.arguments, textOf(change.attributes, "caller_reference"));
    return await changeDistribution(change, change.attributes.id, config);
  },
  async delete({ attributes: { id: Id }, clients: { cloudFront } }) {
    let { ETag: IfMatch, DistributionConfig } = await cloudFront.getDistributionConfig({ Id });
    // CloudFront deletes only disabled distributions.
    if (DistributionConfig?.Enabled) {
      DistributionConfig = { ...DistributionConfig, Enabled: false };
      ({ ETag: IfMatch } = await cloudFront.updateDistribution({ Id, IfMatch, DistributionConfig }));
      await waitUntilDeployed(cloudFront, Id);
    }
    await cloudFront.deleteDistribution({ Id, IfMatch });
  },
};

async function changeDistribution(creation: Creation, Id: string, config: DistributionConfig): Promise<Attributes> {
  const { clients, tags } = creation;
  const { ETag } = await clients.cloudFront.getDistributionConfig({ Id });
  const { Distribution: changed } = await clients.cloudFront.updateDistribution({
    Id,
    IfMatch: ETag,
    DistributionConfig: config,
  });
  await clients.cloudFront.tagResource({ Resource: changed?.ARN, Tags: { Items: tagList(tags) } });
  return await deployed(creation, Id);
}

async function deployed({ clients, token }: Creation, Id: string): Promise<Attributes> {
  const found = await waitUntilDeployed(clients.cloudFront, Id);
  return {
    id: Id,
    arn: found.ARN ?? "",
    domain_name: found.DomainName ?? "",
    caller_reference: found.DistributionConfig?.CallerReference ?? token,
  };
}

async function waitUntilDeployed(cloudFront: CloudFront, Id: string): Promise<Distribution> {
  return await waitFor(
    async () => {
      const { Distribution: found } = await cloudFront.getDistribution({ Id });
      return found?.Status === "Deployed" ? found : undefined;
    },
    `the distribution ${Id}`,
    { seconds: 300 },
  );
}

/** The distribution that a killed run made for the same intention. */
async function ownedDistribution(cloudFront: CloudFront, token: string): Promise<string | undefined> {
  for await (const { DistributionList } of paginateListDistributions({ client: cloudFront }, {})) {
    for (const { Id } of DistributionList?.Items ?? []) {
      const found = await unlessMissing(cloudFront.getDistributionConfig({ Id }));
      if (found?.DistributionConfig?.CallerReference === token) {
        return Id;
      }
    }
  }
  return undefined;
}

function distributionConfig(list: Arguments, CallerReference: string): DistributionConfig {
  return {
    CallerReference,
    Comment: list.text("comment") ?? "",
    Enabled: list.boolean("enabled") ?? false,
    IsIPV6Enabled: list.boolean("is_ipv6_enabled") ?? false,
    HttpVersion: (list.text("http_version") ?? "http2") as "http2",
    PriceClass: (list.text("price_class") ?? "PriceClass_All") as "PriceClass_All",
    DefaultRootObject: list.text("default_root_object") ?? "",
    WebACLId: "",
    Aliases: { Quantity: 0 },
    Origins: { Quantity: list.blocks("origin").length, Items: list.blocks("origin").map(origin) },
    DefaultCacheBehavior: cacheBehavior(list.requireBlock("default_cache_behavior")),
    CacheBehaviors: counted(
      list
        .blocks("ordered_cache_behavior")
        .map((block): CacheBehavior => ({ PathPattern: block.requireText("path_pattern"), ...cacheBehavior(block) })),
    ),
    CustomErrorResponses: counted(list.blocks("custom_error_response").map(customErrorResponse)),
    Restrictions: {
      GeoRestriction: {
        RestrictionType: list
          .requireBlock("restrictions")
          .requireBlock("geo_restriction")
          .requireText("restriction_type") as "none",
        Quantity: 0,
      },
    },
    ViewerCertificate: {
      CloudFrontDefaultCertificate: list.requireBlock("viewer_certificate").boolean("cloudfront_default_certificate"),
    },
    Logging: { Enabled: false, Bucket: "", Prefix: "", IncludeCookies: false },
  };
}

function origin(block: Arguments): Origin {
  const custom = block.block("custom_origin_config");
  const protocols = (custom?.texts("origin_ssl_protocols") ?? []) as "TLSv1.2"[];
  return {
    Id: block.requireText("origin_id"),
    DomainName: block.requireText("domain_name"),
    OriginPath: "",
    ConnectionAttempts: 3,
    ConnectionTimeout: 10,
    OriginAccessControlId: block.text("origin_access_control_id") ?? "",
    OriginShield: { Enabled: false },
    CustomHeaders: { Quantity: 0 },
    ...(custom
      ? {
          CustomOriginConfig: {
            HTTPPort: custom.requireNumber("http_port"),
            HTTPSPort: custom.requireNumber("https_port"),
            OriginProtocolPolicy: custom.requireText("origin_protocol_policy") as "https-only",
            OriginSslProtocols: { Quantity: protocols.length, Items: protocols },
            OriginReadTimeout: 30,
            OriginKeepaliveTimeout: 5,
          },
        }
      : { S3OriginConfig: { OriginAccessIdentity: "" } }),
  };
}

function cacheBehavior(block: Arguments): DefaultCacheBehavior {
  const allowed = (block.texts("allowed_methods") ?? []) as Method[];
  const cached = (block.texts("cached_methods") ?? []) as Method[];
  return {
    TargetOriginId: block.requireText("target_origin_id"),
    ViewerProtocolPolicy: block.requireText("viewer_protocol_policy") as "https-only",
    AllowedMethods: {
      Quantity: allowed.length,
      Items: allowed,
      CachedMethods: { Quantity: cached.length, Items: cached },
    },
    Compress: block.boolean("compress") ?? false,
    SmoothStreaming: false,
    CachePolicyId: block.requireText("cache_policy_id"),
    OriginRequestPolicyId: block.text("origin_request_policy_id"),
    ResponseHeadersPolicyId: block.text("response_headers_policy_id"),
    FieldLevelEncryptionId: "",
    TrustedKeyGroups: { Enabled: false, Quantity: 0 },
    TrustedSigners: { Enabled: false, Quantity: 0 },
    FunctionAssociations: { Quantity: 0 },
    LambdaFunctionAssociations: { Quantity: 0 },
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

interface Named {
  readonly id: string;
  readonly name: string;
}

/** A policy or access control with a unique name, an id and an ETag, which changes require. */
function namedConfig<Config>(
  type: string,
  work: {
    readonly noun: string;
    config(list: Arguments): Config;
    create(cloudFront: CloudFront, config: Config): Promise<string | undefined>;
    /** Its ETag. */
    get(cloudFront: CloudFront, Id: string): Promise<{ readonly ETag?: string }>;
    list(cloudFront: CloudFront, Marker: string | undefined): Promise<{ items: Named[]; next?: string }>;
    update(cloudFront: CloudFront, Id: string, IfMatch: string | undefined, config: Config): Promise<unknown>;
    delete(cloudFront: CloudFront, Id: string, IfMatch: string | undefined): Promise<unknown>;
  },
): ResourceKind {
  const attributes = async (id: string, { clients, account }: Place): Promise<Attributes> => ({
    id,
    etag: (await work.get(clients.cloudFront, id)).ETag ?? "",
    arn: `arn:aws:cloudfront::${account}:${work.noun}/${id}`,
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
    exists: ({ attributes, clients }) => work.get(clients.cloudFront, attributes.id),
    update: (request) => change(request, request.attributes.id),
    async delete({ attributes: { id }, clients: { cloudFront } }) {
      const { ETag } = await work.get(cloudFront, id);
      await work.delete(cloudFront, id, ETag);
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
    (await cloudFront.createOriginAccessControl({ OriginAccessControlConfig })).OriginAccessControl?.Id,
  get: (cloudFront, Id) => cloudFront.getOriginAccessControl({ Id }),
  list: async (cloudFront, Marker) => {
    const { OriginAccessControlList: page } = await cloudFront.listOriginAccessControls({ Marker });
    const items = (page?.Items ?? []).map(({ Id, Name }) => ({ id: Id ?? "", name: Name ?? "" }));
    return { items, next: page?.NextMarker };
  },
  update: (cloudFront, Id, IfMatch, OriginAccessControlConfig) =>
    cloudFront.updateOriginAccessControl({ Id, IfMatch, OriginAccessControlConfig }),
  delete: (cloudFront, Id, IfMatch) => cloudFront.deleteOriginAccessControl({ Id, IfMatch }),
});

const responseHeadersPolicy = namedConfig<ResponseHeadersPolicyConfig>("aws_cloudfront_response_headers_policy", {
  noun: "response-headers-policy",
  config: responseHeaders,
  create: async (cloudFront, ResponseHeadersPolicyConfig) =>
    (await cloudFront.createResponseHeadersPolicy({ ResponseHeadersPolicyConfig })).ResponseHeadersPolicy?.Id,
  get: (cloudFront, Id) => cloudFront.getResponseHeadersPolicy({ Id }),
  list: async (cloudFront, Marker) => {
    const { ResponseHeadersPolicyList: page } = await cloudFront.listResponseHeadersPolicies({
      Type: "custom",
      Marker,
    });
    const items = (page?.Items ?? []).map(({ ResponseHeadersPolicy: policy }) => ({
      id: policy?.Id ?? "",
      name: policy?.ResponseHeadersPolicyConfig?.Name ?? "",
    }));
    return { items, next: page?.NextMarker };
  },
  update: (cloudFront, Id, IfMatch, ResponseHeadersPolicyConfig) =>
    cloudFront.updateResponseHeadersPolicy({ Id, IfMatch, ResponseHeadersPolicyConfig }),
  delete: (cloudFront, Id, IfMatch) => cloudFront.deleteResponseHeadersPolicy({ Id, IfMatch }),
});

function responseHeaders(list: Arguments): ResponseHeadersPolicyConfig {
  const security = list.block("security_headers_config");
  const transport = security?.block("strict_transport_security");
  const content = security?.block("content_security_policy");
  const options = security?.block("content_type_options");
  const frames = security?.block("frame_options");
  const referrer = security?.block("referrer_policy");
  const custom = list.block("custom_headers_config")?.blocks("items") ?? [];
  const override = (block: Arguments): boolean => block.boolean("override") ?? false;
  return {
    Name: list.requireText("name"),
    Comment: list.text("comment") ?? "",
    SecurityHeadersConfig: security && {
      StrictTransportSecurity: transport && {
        AccessControlMaxAgeSec: transport.requireNumber("access_control_max_age_sec"),
        IncludeSubdomains: transport.boolean("include_subdomains") ?? false,
        Override: override(transport),
      },
      ContentSecurityPolicy: content && {
        ContentSecurityPolicy: content.requireText("content_security_policy"),
        Override: override(content),
      },
      ContentTypeOptions: options && { Override: override(options) },
      FrameOptions: frames && {
        FrameOption: frames.requireText("frame_option") as "DENY",
        Override: override(frames),
      },
      ReferrerPolicy: referrer && {
        ReferrerPolicy: referrer.requireText("referrer_policy") as "no-referrer",
        Override: override(referrer),
      },
    },
    CustomHeadersConfig: counted(
      custom.map((header) => ({
        Header: header.requireText("header"),
        Value: header.requireText("value"),
        Override: override(header),
      })),
    ),
  };
}

/** CloudFront: distributions, origin access controls and response headers policies. */
export const cloudFrontKinds: readonly ResourceKind[] = [distribution, originAccessControl, responseHeadersPolicy];
