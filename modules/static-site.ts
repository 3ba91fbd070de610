import { createHash } from "node:crypto";
import { CloudfrontDistribution } from "@cdktf/provider-aws/lib/cloudfront-distribution";
import { CloudfrontOriginAccessControl } from "@cdktf/provider-aws/lib/cloudfront-origin-access-control";
import { CloudfrontResponseHeadersPolicy } from "@cdktf/provider-aws/lib/cloudfront-response-headers-policy";
import { CloudwatchLogDelivery } from "@cdktf/provider-aws/lib/cloudwatch-log-delivery";
import { CloudwatchLogDeliveryDestination } from "@cdktf/provider-aws/lib/cloudwatch-log-delivery-destination";
import { CloudwatchLogDeliverySource } from "@cdktf/provider-aws/lib/cloudwatch-log-delivery-source";
import { Route53Record } from "@cdktf/provider-aws/lib/route53-record";
import { S3Object } from "@cdktf/provider-aws/lib/s3-object";
import { Construct } from "constructs";
import { GeneratedAsset } from "./generated-asset";
import { type LogTarget, SecureBucket } from "./secure-bucket";
import { cacheControlOf, contentTypeOf, delivery } from "./site-delivery";

/** A custom domain instead of CloudFront's. */
export interface SiteDomain {
  readonly name: string;
  /** ARN of its certificate; it must be in us-east-1. */
  readonly certificateArn: string;
  /** The Route 53 zone of the name. @default none: the name's owner points it at the distribution */
  readonly hostedZoneId?: string;
}

export interface StaticSiteProps {
  /** Name prefix of its parts: 1 to 64 letters, digits and hyphens. */
  readonly name: string;
  /** Globally unique: 3 to 63 lower-case letters, digits and hyphens. */
  readonly bucketName: string;
  /** The pages and their assets by path, including `index.html`, `403.html` and `404.html`. */
  readonly files: ReadonlyMap<string, string | Uint8Array>;
  /** Host name of the API, which is below `/api/`. */
  readonly apiDomainName: string;
  /** For the access logs of the bucket and of CloudFront; its policy must let both write. */
  readonly accessLogBucket: LogTarget & { readonly arn: string };
  /** @default CloudFront's own name */
  readonly domain?: SiteDomain;
  /** ARN of a WAFv2 web ACL of the scope CLOUDFRONT. @default none */
  readonly firewallArn?: string;
}

/**
 * The managed policies that we use; their ids are the same in every account (CloudFront developer guide, "Use managed
 * policies").
 */
const managedPolicies = {
  cachingOptimized: "658327ea-f89d-4fab-a63d-7e88639e58f6",
  cachingDisabled: "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
  allViewerExceptHost: "b689b0a8-53d0-40ab-baf2-68738e2966ac",
} as const;

/**
 * Pages in a private bucket and an API, behind one CloudFront address: with one origin the browser needs no CORS, and
 * only CloudFront can read the bucket.
 */
export class StaticSite extends Construct {
  /** `https://…`, without a trailing slash. */
  readonly url: string;
  readonly distributionId: string;
  /** Name of the bucket of the pages. */
  readonly bucketName: string;

  constructor(scope: Construct, id: string, props: StaticSiteProps) {
    super(scope, id);
    for (const page of ["index.html", "403.html", "404.html"]) {
      if (!props.files.has(page)) {
        throw new Error(`The site ${props.name} has no ${page}: add it to the website's files.`);
      }
    }
    const bucket = new SecureBucket(this, "site", {
      name: props.bucketName,
      // Public pages with S3's own key; the bucket can be filled again at any time, so it is not protected.
      protect: false,
      accessLogBucket: props.accessLogBucket,
    });
    this.bucketName = bucket.name;
    this.addObjects(bucket, props.files);

    const access = new CloudfrontOriginAccessControl(this, "access", {
      name: props.name,
      description: `Lets CloudFront alone read the pages of ${props.name}`,
      originAccessControlOriginType: "s3",
      signingBehavior: "always",
      signingProtocol: "sigv4",
    });
    const distribution = this.distribution(bucket, access, this.headers(props.name), props);
    const cloudFront = {
      principals: { Service: "cloudfront.amazonaws.com" },
      conditions: { StringEquals: { "aws:SourceArn": distribution.arn } },
    };
    bucket.allow(
      { ...cloudFront, sid: "CloudFrontReads", actions: ["s3:GetObject"], resources: [`${bucket.arn}/*`] },
      // Otherwise S3 answers 403 instead of 404 for missing objects (API reference, GetObject). The list itself is
      // never sent: `/` is index.html, and queries stay at the edge.
      { ...cloudFront, sid: "CloudFrontLearnsWhatIsMissing", actions: ["s3:ListBucket"], resources: [bucket.arn] },
    );
    this.deliverAccessLogs(distribution, props);
    if (props.domain) {
      this.pointName(distribution, props.domain);
    }
    this.url = `https://${props.domain ? props.domain.name : distribution.domainName}`;
    this.distributionId = distribution.id;
  }

  private headers(name: string): CloudfrontResponseHeadersPolicy {
    return new CloudfrontResponseHeadersPolicy(this, "headers", {
      name,
      comment: `Security headers of ${name}`,
      securityHeadersConfig: {
        contentSecurityPolicy: { contentSecurityPolicy: delivery.contentSecurityPolicy, override: true },
        strictTransportSecurity: {
          accessControlMaxAgeSec: delivery.strictTransportSeconds,
          includeSubdomains: true,
          override: true,
        },
        contentTypeOptions: { override: true },
        frameOptions: { frameOption: delivery.frameOption, override: true },
        referrerPolicy: { referrerPolicy: delivery.referrerPolicy, override: true },
      },
      customHeadersConfig: {
        items: Object.entries(delivery.customHeaders).map(([header, value]) => ({ header, value, override: true })),
      },
    });
  }

  /** The distribution: the pages, and the API below `/api/`. */
  private distribution(
    bucket: SecureBucket,
    access: CloudfrontOriginAccessControl,
    headers: CloudfrontResponseHeadersPolicy,
    props: StaticSiteProps,
  ): CloudfrontDistribution {
    return new CloudfrontDistribution(this, "distribution", {
      comment: props.name,
      enabled: true,
      isIpv6Enabled: true,
      httpVersion: "http2and3",
      priceClass: "PriceClass_100",
      defaultRootObject: "index.html",
      aliases: props.domain && [props.domain.name],
      webAclId: props.firewallArn,
      origin: [
        { originId: "site", domainName: bucket.regionalDomainName, originAccessControlId: access.id },
        {
          originId: "api",
          domainName: props.apiDomainName,
          customOriginConfig: {
            httpPort: 80,
            httpsPort: 443,
            originProtocolPolicy: "https-only",
            originSslProtocols: ["TLSv1.2"],
          },
        },
      ],
      defaultCacheBehavior: {
        targetOriginId: "site",
        viewerProtocolPolicy: "redirect-to-https",
        allowedMethods: ["GET", "HEAD"],
        cachedMethods: ["GET", "HEAD"],
        compress: true,
        cachePolicyId: managedPolicies.cachingOptimized,
        responseHeadersPolicyId: headers.id,
      },
      orderedCacheBehavior: [
        {
          pathPattern: "/api/*",
          targetOriginId: "api",
          // A redirected POST would lose its body, and a form must never be sent in the clear.
          viewerProtocolPolicy: "https-only",
          allowedMethods: ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"],
          cachedMethods: ["GET", "HEAD"],
          compress: true,
          cachePolicyId: managedPolicies.cachingDisabled,
          // The API needs its own host name, so it must not get the viewer's.
          originRequestPolicyId: managedPolicies.allViewerExceptHost,
          responseHeadersPolicyId: headers.id,
        },
      ],
      // They apply to the API too: its 404 becomes the page. Only the firewall answers 403.
      customErrorResponse: [
        { errorCode: 403, responseCode: 403, responsePagePath: "/403.html", errorCachingMinTtl: 10 },
        { errorCode: 404, responseCode: 404, responsePagePath: "/404.html", errorCachingMinTtl: 60 },
      ],
      restrictions: { geoRestriction: { restrictionType: "none" } },
      viewerCertificate: props.domain
        ? {
            acmCertificateArn: props.domain.certificateArn,
            sslSupportMethod: "sni-only",
            minimumProtocolVersion: "TLSv1.2_2021",
          }
        : // For its own name CloudFront sets the minimum TLS version itself; setting one would show in every plan.
          { cloudfrontDefaultCertificate: true },
    });
  }

  /** Points the name at the distribution, for IPv4 and IPv6, if the zone is ours. */
  private pointName(distribution: CloudfrontDistribution, { name, hostedZoneId }: SiteDomain): void {
    if (hostedZoneId === undefined) {
      return;
    }
    for (const type of ["A", "AAAA"]) {
      new Route53Record(this, `name-${type.toLowerCase()}`, {
        zoneId: hostedZoneId,
        name,
        type,
        alias: {
          name: distribution.domainName,
          zoneId: distribution.hostedZoneId,
          // Route 53 cannot evaluate the health of CloudFront (Route 53 developer guide, "Values specific for alias
          // records").
          evaluateTargetHealth: false,
        },
      });
    }
  }

  /**
   * Standard logging v2: it uses the bucket's policy, where v1 needs ACLs. CloudFront's part is always in us-east-1,
   * wherever the bucket is (CloudFront Developer Guide, "Configure standard logging (v2)").
   */
  private deliverAccessLogs(distribution: CloudfrontDistribution, { name, accessLogBucket }: StaticSiteProps): void {
    const region = "us-east-1";
    const source = new CloudwatchLogDeliverySource(this, "access-log-source", {
      region,
      name,
      logType: "ACCESS_LOGS",
      resourceArn: distribution.arn,
    });
    const destination = new CloudwatchLogDeliveryDestination(this, "access-log-destination", {
      region,
      name,
      outputFormat: "json",
      deliveryDestinationConfiguration: [{ destinationResourceArn: accessLogBucket.arn }],
      dependsOn: accessLogBucket.policy && [accessLogBucket.policy],
    });
    new CloudwatchLogDelivery(this, "access-logs", {
      region,
      deliverySourceName: source.name,
      deliveryDestinationArn: destination.arn,
    });
  }

  private addObjects(bucket: SecureBucket, files: StaticSiteProps["files"]): void {
    const contents = new Map(
      [...files].map(
        ([path, content]) => [path, typeof content === "string" ? Buffer.from(content) : content] as const,
      ),
    );
    const isPage = (path: string): boolean => path.endsWith(".html");
    const uploaded: S3Object[] = [];
    // Pages come last, so that none refers to a missing script.
    for (const [path, content] of [...contents].sort(
      ([a], [b]) => Number(isPage(a)) - Number(isPage(b)) || (a < b ? -1 : 1),
    )) {
      const id = path.replace(/[^A-Za-z0-9]+/g, "-");
      // One asset per file, so that a page's address doesn't change with other files.
      const asset = new GeneratedAsset(this, `file-${id}`, { files: new Map([[path, content]]) });
      const object = new S3Object(this, `object-${id}`, {
        bucket: bucket.name,
        key: path,
        source: asset.path(path),
        sourceHash: createHash("sha256").update(content).digest("hex"),
        contentType: contentTypeOf(path),
        cacheControl: cacheControlOf(path),
        dependsOn: isPage(path) ? [...uploaded] : undefined,
      });
      if (!isPage(path)) {
        uploaded.push(object);
      }
    }
  }
}
