/** Amazon CloudFront. */
import { ownTagOrNone, type Permissions } from "./permissions";
import { partOfAnother, type Service, usageCharge } from "./record";

const policies: Permissions = {
  sid: "DistributionPolicies",
  reads: "cloudfront:GetOriginAccessControl cloudfront:GetResponseHeadersPolicy",
  writes: `
    cloudfront:CreateOriginAccessControl cloudfront:CreateResponseHeadersPolicy cloudfront:DeleteOriginAccessControl
    cloudfront:DeleteResponseHeadersPolicy cloudfront:UpdateOriginAccessControl cloudfront:UpdateResponseHeadersPolicy`,
  // Their ARNs contain generated ids, and neither has tags.
  on: "cloudfront:origin-access-control/* cloudfront:response-headers-policy/*",
};

export const cloudfront: Service = {
  aws_cloudfront_distribution: {
    permissions: {
      sid: "Distributions",
      reads: "cloudfront:GetDistribution cloudfront:GetDistributionConfig cloudfront:ListTagsForResource",
      writes: `
        cloudfront:CreateDistribution cloudfront:DeleteDistribution cloudfront:TagResource cloudfront:UntagResource
        cloudfront:UpdateDistribution`,
      on: "cloudfront:distribution/*",
      conditions: ownTagOrNone,
    },
    price: {
      charges: (_, { websiteGigabytes, websiteRequests }) => [
        usageCharge("websiteRequest", websiteRequests),
        usageCharge("websiteGigabyte", websiteGigabytes),
      ],
    },
    encryption: {
      elsewhere:
        "Its caches hold public pages and no answers of the API; field-level encryption is for single fields in transit.",
    },
  },
  aws_cloudfront_origin_access_control: { permissions: [policies], price: partOfAnother },
  aws_cloudfront_response_headers_policy: { permissions: [policies], price: partOfAnother },
};
