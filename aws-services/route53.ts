/** Amazon Route 53: names of websites. */
import type { Service } from "./record";

export const route53: Service = {
  aws_route53_record: {
    permissions: [
      {
        sid: "DomainNames",
        reads: "route53:GetHostedZone route53:ListResourceRecordSets",
        writes: "route53:ChangeResourceRecordSets",
        // Records bear no tags: those in a zone that the settings no longer name are for an engineer to remove.
        on: "route53:hostedzone/{hostedZone}",
      },
      // The provider waits until the zone's name servers have it.
      { sid: "DomainNameChanges", writes: "route53:GetChange", on: "route53:change/*" },
    ],
    price: { free: "aliases of AWS's own resources cost nothing, and neither do the questions after them" },
  },
};
