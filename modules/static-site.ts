import { createHash } from "node:crypto";
import { extname } from "node:path";
import { CloudfrontDistribution } from "@cdktf/provider-aws/lib/cloudfront-distribution";
import { CloudfrontOriginAccessControl } from "@cdktf/provider-aws/lib/cloudfront-origin-access-control";
import { CloudfrontResponseHeadersPolicy } from "@cdktf/provider-aws/lib/cloudfront-response-headers-policy";
import { CloudwatchLogDelivery } from "@cdktf/provider-aws/lib/cloudwatch-log-delivery";
import { CloudwatchLogDeliveryDestination } from "@cdktf/provider-aws/lib/cloudwatch-log-delivery-destination";
import { CloudwatchLogDeliverySource } from "@cdktf/provider-aws/lib/cloudwatch-log-delivery-source";
import { S3Object } from "@cdktf/provider-aws/lib/s3-object";
import { Construct } from "constructs";
import { GeneratedAsset } from "./generated-asset";
import { type LogTarget, SecureBucket } from "./secure-bucket";

/** A name of one's own, in the place of CloudFront's. */
export interface SiteDomain {
  readonly name: string;
  /** ARN of its certificate, in us-east-1: CloudFront takes no other. */
  readonly certificateArn: string;
}

export interface StaticSiteProps {
  /** Names what belongs to the site, 1 to 64 letters, digits and hyphens. */
  readonly name: string;
  /** Globally unique: 3 to 63 lower-case letters, digits and hyphens. */
  readonly bucketName: string;
  /** The pages and what they need, by path; `index.html` and `404.html` among them. */
  readonly files: ReadonlyMap<string, string | Uint8Array>;
  /** Host name of the API, which answers below `/api/`. */
  readonly apiDomainName: string;
  /** Takes the access logs of the bucket and of CloudFront; its policy must let both write. */
  readonly accessLogBucket: LogTarget & { readonly arn: string };
  /** @default CloudFront's own name */
  readonly domain?: SiteDomain;
}

/** The managed policies that we use; their ids are the same in every account (CloudFront developer guide, "Use managed policies"). */
const managedPolicies = {
  cachingOptimized: "658327ea-f89d-4fab-a63d-7e88639e58f6",
  cachingDisabled: "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
  allViewerExceptHost: "b689b0a8-53d0-40ab-baf2-68738e2966ac",
} as const;

const contentTypes: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".ico": "image/x-icon",
  ".jpg": "image/jpeg",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".webmanifest": "application/manifest+json",
  ".webp": "image/webp",
  ".woff2": "font/woff2",
};

/** What a browser may load, and from where: everything of the site itself, nothing else, nothing inline. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "font-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** Two years, as hstspreload.org asks for. */
const strictTransportSeconds = 63_072_000;

/** A file with a hash of its content in its name never changes; a page is asked for anew each time. */
const cacheControl = (path: string): string =>
  /\.[0-9a-f]{8,}\.[a-z0-9]+$/.test(path) ? "public, max-age=31536000, immutable" : "no-cache";

/**
 * Pages in a private bucket and an API, behind one CloudFront address: the browser talks to one origin, so there is no CORS to allow, and the bucket
 * answers CloudFront alone.
 */
export class StaticSite extends Construct {
  /** `https://…`, without a slash at its end. */
  readonly url: string;
  readonly distributionId: string;

  constructor(scope: Construct, id: string, props: StaticSiteProps) {
    super(scope, id);
    for (const page of ["index.html", "404.html"]) {
      if (!props.files.has(page)) {
        throw new Error(`The site ${props.name} has no ${page}: add it to the website's files.`);
      }
    }
    const bucket = new SecureBucket(this, "site", {
      name: props.bucketName,
      // Public pages, encrypted by S3's own key; the bucket can be filled again at any time, so nothing protects it.
      protect: false,
      accessLogBucket: props.accessLogBucket,
    });
    this.addObjects(bucket, props.files);

    const access = new CloudfrontOriginAccessControl(this, "access", {
      name: props.name,
      description: `Lets CloudFront alone read the pages of ${props.name}`,
      originAccessControlOriginType: "s3",
      signingBehavior: "always",
      signingProtocol: "sigv4",
    });
    const headers = new CloudfrontResponseHeadersPolicy(this, "headers", {
      name: props.name,
      comment: `Security headers of ${props.name}`,
      securityHeadersConfig: {
        contentSecurityPolicy: { contentSecurityPolicy, override: true },
        strictTransportSecurity: {
          accessControlMaxAgeSec: strictTransportSeconds,
          includeSubdomains: true,
          override: true,
        },
        contentTypeOptions: { override: true },
        frameOptions: { frameOption: "DENY", override: true },
        referrerPolicy: { referrerPolicy: "strict-origin-when-cross-origin", override: true },
      },
      customHeadersConfig: {
        items: [
          { header: "Cross-Origin-Opener-Policy", value: "same-origin", override: true },
          { header: "Permissions-Policy", value: "camera=(), geolocation=(), microphone=()", override: true },
        ],
      },
    });

    const distribution = new CloudfrontDistribution(this, "distribution", {
      comment: props.name,
      enabled: true,
      isIpv6Enabled: true,
      httpVersion: "http2and3",
      priceClass: "PriceClass_100",
      defaultRootObject: "index.html",
      ...(props.domain ? { aliases: [props.domain.name] } : {}),
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
          // A redirected POST would lose its body: a form is never sent in the clear.
          viewerProtocolPolicy: "https-only",
          allowedMethods: ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"],
          cachedMethods: ["GET", "HEAD"],
          compress: true,
          cachePolicyId: managedPolicies.cachingDisabled,
          // The API tells its host from the name, so it must not get the viewer's.
          originRequestPolicyId: managedPolicies.allViewerExceptHost,
          responseHeadersPolicyId: headers.id,
        },
      ],
      // CloudFront may read objects but not list them, so S3 answers 403 to a path that it doesn't have. It covers the API too, which never answers 403.
      customErrorResponse: [
        { errorCode: 403, responseCode: 404, responsePagePath: "/404.html", errorCachingMinTtl: 60 },
      ],
      restrictions: { geoRestriction: { restrictionType: "none" } },
      viewerCertificate: props.domain
        ? {
            acmCertificateArn: props.domain.certificateArn,
            sslSupportMethod: "sni-only",
            minimumProtocolVersion: "TLSv1.2_2021",
          }
        : // For its own name CloudFront fixes the oldest TLS itself: to ask for another would leave a difference in every plan.
          { cloudfrontDefaultCertificate: true },
    });
    bucket.allow({
      sid: "CloudFrontReads",
      principals: { Service: "cloudfront.amazonaws.com" },
      actions: ["s3:GetObject"],
      resources: [`${bucket.arn}/*`],
      conditions: { StringEquals: { "aws:SourceArn": distribution.arn } },
    });
    this.deliverAccessLogs(distribution, props);
    this.url = `https://${props.domain ? props.domain.name : distribution.domainName}`;
    this.distributionId = distribution.id;
  }

  /**
   * Standard logging, version 2: it writes by the bucket's policy, where the older one needs ACLs. CloudFront takes part in it in us-east-1 alone,
   * wherever the bucket lies (CloudFront Developer Guide, "Configure standard logging (v2)").
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
      ...(accessLogBucket.policy ? { dependsOn: [accessLogBucket.policy] } : {}),
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
    // Pages come last, so that none names a script that isn't there yet.
    for (const [path, content] of [...contents].sort(
      ([a], [b]) => Number(isPage(a)) - Number(isPage(b)) || (a < b ? -1 : 1),
    )) {
      const contentType = contentTypes[extname(path)];
      if (!contentType) {
        throw new Error(
          `The site's file ${path} is of a kind without a content type: add ${extname(path) || "it"} to modules/static-site.ts.`,
        );
      }
      const id = path.replace(/[^A-Za-z0-9]+/g, "-");
      // An asset for each file: the address of a page doesn't change with another's content.
      const asset = new GeneratedAsset(this, `file-${id}`, { files: new Map([[path, content]]) });
      const object = new S3Object(this, `object-${id}`, {
        bucket: bucket.name,
        key: path,
        source: asset.path(path),
        sourceHash: createHash("sha256").update(content).digest("hex"),
        contentType,
        cacheControl: cacheControl(path),
        ...(isPage(path) ? { dependsOn: [...uploaded] } : {}),
      });
      if (!isPage(path)) uploaded.push(object);
    }
  }
}
