import {
  ListCachePoliciesCommand,
  ListOriginRequestPoliciesCommand,
  ListResponseHeadersPoliciesCommand,
} from "@aws-sdk/client-cloudfront";
import { GetObjectCommand } from "@aws-sdk/client-s3";
import type { Arguments } from "./arguments";
import { type DataSourceKind, type Place, unlessMissing } from "./resource-kind";
import { readParameter } from "./resources/ssm";

const ssmParameter: DataSourceKind = {
  type: "aws_ssm_parameter",
  async read({ arguments: list, clients, account, region, partition }) {
    const name = list.requireText("name");
    const found = await readParameter(clients.ssm, name);
    if (!found) {
      throw new Error(`nobody has published the parameter ${name} yet: provision the stack that publishes it first`);
    }
    return {
      id: name,
      arn: found.ARN ?? `arn:${partition}:ssm:${region}:${account}:parameter/${name.replace(/^\//, "")}`,
      type: found.Type ?? "String",
      value: found.Value ?? "",
      // Terraform, too, shows only what is no secret.
      insecure_value: found.Type === "SecureString" ? null : (found.Value ?? ""),
      version: found.Version ?? 1,
    };
  },
};

/** What Terraform takes for text: the content of nothing else is shown (provider's source, `isContentTypeAllowed`). */
const textTypes =
  /^(text\/.+|application\/(atom\+xml|json|ld\+json|x-csh|x-httpd-php|x-sh|xhtml\+xml|xml|x-sql|yaml))$/;

const s3Object: DataSourceKind = {
  type: "aws_s3_object",
  async read({ arguments: list, clients, partition }) {
    const Bucket = list.requireText("bucket");
    const Key = list.requireText("key").replace(/^\/+/, "");
    const found = await unlessMissing(clients.s3.send(new GetObjectCommand({ Bucket, Key })));
    if (!found) {
      throw new Error(`there is no object ${Key} in the bucket ${Bucket}: look at what names it`);
    }
    const type = found.ContentType ?? "";
    const content = (await found.Body?.transformToString()) ?? "";
    return {
      id: `${Bucket}/${Key}`,
      arn: `arn:${partition}:s3:::${Bucket}/${Key}`,
      body: textTypes.test(type) ? content : null,
      content_type: type,
      content_length: found.ContentLength ?? Buffer.byteLength(content),
      cache_control: found.CacheControl ?? "",
      etag: (found.ETag ?? "").replaceAll('"', ""),
      version_id: found.VersionId ?? "",
    };
  },
};

const callerIdentity: DataSourceKind = {
  type: "aws_caller_identity",
  read: ({ account, partition }) =>
    Promise.resolve({
      id: account,
      account_id: account,
      arn: `arn:${partition}:iam::${account}:root`,
      user_id: account,
    }),
};

const region: DataSourceKind = {
  type: "aws_region",
  read: ({ region: name }) =>
    Promise.resolve({ id: name, name, region: name, endpoint: `ec2.${name}.amazonaws.com`, description: name }),
};

const partition: DataSourceKind = {
  type: "aws_partition",
  read: ({ partition: name }) => {
    const suffix = name === "aws-cn" ? "amazonaws.com.cn" : "amazonaws.com";
    const reversed = suffix.split(".").reverse().join(".");
    return Promise.resolve({ id: name, partition: name, dns_suffix: suffix, reverse_dns_prefix: reversed });
  },
};

/** One of CloudFront's kinds of policies, looked up by name or id: AWS's own and the account's. */
function policy(
  type: string,
  list: (
    place: Place,
    Marker: string | undefined,
  ) => Promise<{ items: { id?: string; name?: string }[]; next?: string }>,
): DataSourceKind {
  return {
    type,
    async read({ arguments: query, ...place }: Place & { arguments: Arguments }) {
      const wanted = { id: query.text("id"), name: query.text("name") };
      let marker: string | undefined;
      do {
        const { items, next } = await list(place, marker);
        const found = items.find(({ id, name }) => (wanted.id === undefined ? name === wanted.name : id === wanted.id));
        if (found) {
          return { id: found.id ?? "", name: found.name ?? "" };
        }
        marker = next;
      } while (marker !== undefined && marker !== "");
      throw new Error(`there is no policy ${wanted.name ?? wanted.id ?? "without name and id"}`);
    },
  };
}

const cachePolicy = policy("aws_cloudfront_cache_policy", async ({ clients }, Marker) => {
  const { CachePolicyList: page } = await clients.cloudFront.send(new ListCachePoliciesCommand({ Marker }));
  return {
    items: (page?.Items ?? []).map(({ CachePolicy: item }) => ({ id: item?.Id, name: item?.CachePolicyConfig?.Name })),
    next: page?.NextMarker,
  };
});

const originRequestPolicy = policy("aws_cloudfront_origin_request_policy", async ({ clients }, Marker) => {
  const { OriginRequestPolicyList: page } = await clients.cloudFront.send(
    new ListOriginRequestPoliciesCommand({ Marker }),
  );
  return {
    items: (page?.Items ?? []).map(({ OriginRequestPolicy: item }) => ({
      id: item?.Id,
      name: item?.OriginRequestPolicyConfig?.Name,
    })),
    next: page?.NextMarker,
  };
});

const responseHeadersPolicy = policy("aws_cloudfront_response_headers_policy", async ({ clients }, Marker) => {
  const { ResponseHeadersPolicyList: page } = await clients.cloudFront.send(
    new ListResponseHeadersPoliciesCommand({ Marker }),
  );
  return {
    items: (page?.Items ?? []).map(({ ResponseHeadersPolicy: item }) => ({
      id: item?.Id,
      name: item?.ResponseHeadersPolicyConfig?.Name,
    })),
    next: page?.NextMarker,
  };
});

/** Everything that a stack can look up. */
export const allDataSources: readonly DataSourceKind[] = [
  ssmParameter,
  s3Object,
  callerIdentity,
  region,
  partition,
  cachePolicy,
  originRequestPolicy,
  responseHeadersPolicy,
];
