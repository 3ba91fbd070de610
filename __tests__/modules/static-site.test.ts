import { createHash } from "node:crypto";
import { securityHeaders } from "../../modules/site-delivery";
import { StaticSite, type StaticSiteProps } from "../../modules/static-site";
import { Policy } from "../support/policy";
import { synthesize, type Template } from "../support/synthesize";

const pages: StaticSiteProps["files"] = new Map([
  ["index.html", "<h1>Abalone</h1>"],
  ["403.html", "<h1>Refused</h1>"],
  ["404.html", "<h1>Nothing here</h1>"],
  ["script.0123456789ab.js", "1"],
  ["robots.txt", "User-agent: *"],
]);

function site(files = pages, changes: Partial<StaticSiteProps> = {}): Template {
  return synthesize((stack) => {
    new StaticSite(stack, "website", {
      name: "acme-site",
      bucketName: "acme-site",
      files,
      apiDomainName: "api.example.com",
      accessLogBucket: { name: "acme-logs", arn: "arn:aws:s3:::acme-logs" },
      ...changes,
    });
  });
}

const template = site();
const distribution = template.resource("aws_cloudfront_distribution");
const object = (name: string) => template.resource("aws_s3_object", `website_object-${name}`);

test("every file is there with its type, its content and a hash of it", () => {
  expect(Object.keys(template.resources("aws_s3_object"))).toHaveLength(5);
  expect(object("index-html")).toMatchObject({
    key: "index.html",
    content_type: "text/html; charset=utf-8",
    source_hash: createHash("sha256").update("<h1>Abalone</h1>").digest("hex"),
  });
  expect(template.file(object("index-html").source).toString()).toBe("<h1>Abalone</h1>");
  expect(object("script-0123456789ab-js").content_type).toBe("text/javascript; charset=utf-8");
});

test("files with a hash in their names are cached for ever; pages are requested again by browsers, and by CloudFront after a minute", () => {
  expect(object("script-0123456789ab-js").cache_control).toBe("public, max-age=31536000, immutable");
  for (const page of ["index-html", "404-html", "robots-txt"]) {
    expect(object(page).cache_control).toBe("public, max-age=0, s-maxage=60, must-revalidate");
  }
  // AWS's policy "CachingOptimized" keeps to what Cache-Control says, from one second to a year, and asks for gzip and
  // brotli.
  expect(distribution.default_cache_behavior).toMatchObject({
    cache_policy_id: "658327ea-f89d-4fab-a63d-7e88639e58f6",
    compress: true,
  });
});

test("a page comes after the script that it names", () => {
  expect(object("index-html").depends_on).toContain("aws_s3_object.website_object-script-0123456789ab-js");
});

test("a changed page leaves the other objects as they are", () => {
  const changed = site(new Map([...pages, ["index.html", "<h1>Changed</h1>"]]));
  const differing = Object.entries(template.resources("aws_s3_object"))
    .filter(([name, before]) => JSON.stringify(before) !== JSON.stringify(changed.resource("aws_s3_object", name)))
    .map(([name]) => name);
  expect(differing).toEqual(["website_object-index-html"]);
});

test.each([
  ["index.html", "The site acme-site has no index.html"],
  ["403.html", "The site acme-site has no 403.html"],
  ["404.html", "The site acme-site has no 404.html"],
])("a site without %s is refused", (missing, message) => {
  expect(() => site(new Map([...pages].filter(([name]) => name !== missing)))).toThrow(message);
});

test("a file of an unknown kind is refused: a browser would have to guess", () => {
  expect(() => site(new Map([...pages, ["data.xyz", ""]]))).toThrow("data.xyz has no known content type");
});

test("the bucket answers this distribution alone, and only with objects", () => {
  const policy = new Policy(template.resource("aws_s3_bucket_policy").policy);
  const bucket = "${aws_s3_bucket.website_site_bucket.arn}";
  const cloudFront = "cloudfront.amazonaws.com";
  const ours = { "aws:SourceArn": "${aws_cloudfront_distribution.website_distribution.arn}" };
  const others = { "aws:SourceArn": "arn:aws:cloudfront::999999999999:distribution/E1" };
  expect(policy.allows("s3:GetObject", `${bucket}/index.html`, ours, cloudFront)).toBe(true);
  expect(policy.allows("s3:GetObject", `${bucket}/index.html`, others, cloudFront)).toBe(false);
  expect(policy.allows("s3:GetObject", `${bucket}/index.html`, {}, "*")).toBe(false);
  // So that S3 says 404 of what isn't there.
  expect(policy.allows("s3:ListBucket", bucket, ours, cloudFront)).toBe(true);
  expect(policy.allows("s3:ListBucket", bucket, others, cloudFront)).toBe(false);
  for (const action of ["s3:PutObject", "s3:DeleteObject", "s3:GetObjectVersion"]) {
    expect(policy.allows(action, `${bucket}/index.html`, ours, cloudFront)).toBe(false);
  }
  expect(template.resource("aws_s3_bucket_public_access_block").block_public_policy).toBe(true);
  expect(template.resource("aws_cloudfront_origin_access_control")).toMatchObject({
    signing_behavior: "always",
    signing_protocol: "sigv4",
  });
});

test("nothing is served without encryption", () => {
  expect(distribution.default_cache_behavior.viewer_protocol_policy).toBe("redirect-to-https");
  expect(distribution.ordered_cache_behavior[0].viewer_protocol_policy).toBe("https-only");
  expect(distribution.origin[1].custom_origin_config).toMatchObject({
    origin_protocol_policy: "https-only",
    origin_ssl_protocols: ["TLSv1.2"],
  });
});

test("browsers may come by HTTP/3 and IPv6; pages and answers are compressed, and bear the same headers", () => {
  expect(distribution).toMatchObject({ http_version: "http2and3", is_ipv6_enabled: true });
  const behaviors = [distribution.default_cache_behavior, ...distribution.ordered_cache_behavior];
  expect(behaviors).toHaveLength(2);
  for (const behavior of behaviors) {
    expect(behavior).toMatchObject({
      compress: true,
      response_headers_policy_id: "${aws_cloudfront_response_headers_policy.website_headers.id}",
    });
  }
});

test("the API takes every method, is never cached, and doesn't get the viewer's host", () => {
  expect(distribution.ordered_cache_behavior).toEqual([
    expect.objectContaining({
      path_pattern: "/api/*",
      target_origin_id: "api",
      cache_policy_id: "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
      origin_request_policy_id: "b689b0a8-53d0-40ab-baf2-68738e2966ac",
    }),
  ]);
  expect(distribution.ordered_cache_behavior[0].allowed_methods).toContain("POST");
  expect(distribution.default_cache_behavior.allowed_methods).toEqual(["GET", "HEAD"]);
});

test("a missing page is answered with 404 and its page, a refused request with 403 and its own", () => {
  expect(distribution.custom_error_response).toEqual([
    { error_code: 403, response_code: 403, response_page_path: "/403.html", error_caching_min_ttl: 10 },
    { error_code: 404, response_code: 404, response_page_path: "/404.html", error_caching_min_ttl: 60 },
  ]);
});

test("a domain has its certificate and at least TLS 1.2; if its zone is in the account, it gets both addresses", () => {
  const own = { name: "abalone.example.com", certificateArn: "arn:aws:acm:us-east-1:123456789012:certificate/0a" };
  const without = site(pages, { domain: own });
  expect(without.resource("aws_cloudfront_distribution")).toMatchObject({
    aliases: [own.name],
    viewer_certificate: { acm_certificate_arn: own.certificateArn, minimum_protocol_version: "TLSv1.2_2021" },
  });
  expect(without.resources("aws_route53_record")).toEqual({});
  const records = Object.values(
    site(pages, { domain: { ...own, hostedZoneId: "Z1" } }).resources("aws_route53_record"),
  );
  expect(records.map(({ type }) => type)).toEqual(["A", "AAAA"]);
  for (const record of records) {
    expect(record).toMatchObject({
      zone_id: "Z1",
      name: own.name,
      alias: {
        name: "${aws_cloudfront_distribution.website_distribution.domain_name}",
        zone_id: "${aws_cloudfront_distribution.website_distribution.hosted_zone_id}",
        evaluate_target_health: false,
      },
    });
  }
});

test("a firewall protects the site if there is one", () => {
  expect(distribution.web_acl_id).toBeUndefined();
  const firewallArn = "arn:aws:wafv2:us-east-1:123456789012:global/webacl/acme-site/0a";
  expect(site(pages, { firewallArn }).resource("aws_cloudfront_distribution").web_acl_id).toBe(firewallArn);
});

test("headers make browsers load only from the site, never frame it, guess no types and stay with HTTPS", () => {
  const headers = template.resource("aws_cloudfront_response_headers_policy").security_headers_config;
  const directives = new Map<string, string>(
    headers.content_security_policy.content_security_policy.split("; ").map((directive: string) => {
      const [name, ...values] = directive.split(" ");
      return [name, values.join(" ")];
    }),
  );
  expect(directives.get("default-src")).toBe("'none'");
  expect(directives.get("frame-ancestors")).toBe("'none'");
  for (const value of directives.values()) {
    expect(["'self'", "'none'"]).toContain(value);
  }
  expect(headers.strict_transport_security.access_control_max_age_sec).toBeGreaterThanOrEqual(31_536_000);
  expect(headers.strict_transport_security.include_subdomains).toBe(true);
  expect(headers.frame_options.frame_option).toBe("DENY");
  expect(headers.referrer_policy.referrer_policy).toBe("no-referrer");
  for (const header of Object.values<{ override: boolean }>(headers)) {
    expect(header.override).toBe(true);
  }
  const policy = "${aws_cloudfront_response_headers_policy.website_headers.id}";
  expect(distribution.default_cache_behavior.response_headers_policy_id).toBe(policy);
  expect(distribution.ordered_cache_behavior[0].response_headers_policy_id).toBe(policy);
});

test("pages may use only the device's features for sharing and screen readers", () => {
  const { items } = template.resource("aws_cloudfront_response_headers_policy").custom_headers_config;
  const { value } = items.find(({ header }: { header: string }) => header === "Permissions-Policy");
  const denied = value.split(", ");
  expect(denied.length).toBeGreaterThan(40);
  expect(new Set(denied).size).toBe(denied.length);
  for (const feature of denied) {
    expect(feature).toMatch(/^[a-z]+(-[a-z]+)*=\(\)$/);
  }
  expect(denied).toEqual(
    expect.arrayContaining(["camera=()", "microphone=()", "geolocation=()", "payment=()", "usb=()"]),
  );
  for (const used of ["clipboard-write", "web-share", "aria-notify"]) {
    expect(value).not.toContain(used);
  }
});

test("CloudFront's headers are those of the tests' own web server", () => {
  const policy = template.resource("aws_cloudfront_response_headers_policy");
  const { security_headers_config: security, custom_headers_config: custom } = policy;
  expect(securityHeaders).toEqual({
    "content-security-policy": security.content_security_policy.content_security_policy,
    "strict-transport-security": `max-age=${security.strict_transport_security.access_control_max_age_sec}; includeSubDomains`,
    "x-content-type-options": "nosniff",
    "x-frame-options": security.frame_options.frame_option,
    "referrer-policy": security.referrer_policy.referrer_policy,
    ...Object.fromEntries(
      custom.items.map(({ header, value }: { header: string; value: string }) => [header.toLowerCase(), value]),
    ),
  });
});

test("requests to CloudFront and the bucket are logged in the log bucket, without an ACL", () => {
  expect(template.resource("aws_s3_bucket_logging")).toMatchObject({
    target_bucket: "acme-logs",
    target_prefix: "acme-site/",
  });
  expect(template.resource("aws_cloudwatch_log_delivery_source")).toMatchObject({
    region: "us-east-1",
    log_type: "ACCESS_LOGS",
    resource_arn: "${aws_cloudfront_distribution.website_distribution.arn}",
  });
  expect(template.resource("aws_cloudwatch_log_delivery_destination")).toMatchObject({
    region: "us-east-1",
    output_format: "json",
    delivery_destination_configuration: [{ destination_resource_arn: "arn:aws:s3:::acme-logs" }],
  });
  expect(template.resource("aws_cloudwatch_log_delivery")).toMatchObject({
    region: "us-east-1",
    delivery_source_name: "${aws_cloudwatch_log_delivery_source.website_access-log-source.name}",
    delivery_destination_arn: "${aws_cloudwatch_log_delivery_destination.website_access-log-destination.arn}",
  });
  expect(distribution.logging_config).toBeUndefined();
});
