/** Amazon CloudFront. */
import { ownTagOrNone, type Permissions } from "./permissions";
import { partOfAnother, use } from "./price";
import type { Service } from "./resource-type";

const distributions: Permissions = {
  sid: "Distributions",
  service: "cloudfront",
  reads: ["GetDistribution", "GetDistributionConfig", "ListTagsForResource"],
  writes: ["CreateDistribution", "DeleteDistribution", "TagResource", "UntagResource", "UpdateDistribution"],
  on: ["distribution/*"],
  conditions: ownTagOrNone,
};

const policies: Permissions = {
  sid: "DistributionPolicies",
  service: "cloudfront",
  reads: ["GetOriginAccessControl", "GetResponseHeadersPolicy"],
  writes: [
    "CreateOriginAccessControl",
    "CreateResponseHeadersPolicy",
    "DeleteOriginAccessControl",
    "DeleteResponseHeadersPolicy",
    "UpdateOriginAccessControl",
    "UpdateResponseHeadersPolicy",
  ],
  // Their ARNs have numbers, and neither bears tags.
  on: ["origin-access-control/*", "response-headers-policy/*"],
};

export const cloudfront: Service = {
  aws_cloudfront_distribution: {
    permissions: [distributions],
    price: {
      charges: (_, { websiteGigabytes, websiteRequests }) => [
        use("websiteRequest", websiteRequests),
        use("websiteGigabyte", websiteGigabytes),
      ],
    },
    encryption: {
      elsewhere:
        "Its caches hold public pages and no answer of the API; field-level encryption hides single fields in transit.",
    },
  },
  aws_cloudfront_origin_access_control: { permissions: [policies], price: partOfAnother },
  aws_cloudfront_response_headers_policy: { permissions: [policies], price: partOfAnother },
};
