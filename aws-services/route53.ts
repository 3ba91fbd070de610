/** Amazon Route 53: names of websites. */
import type { Service } from "./record";

export const route53: Service = {
  aws_route53_record: {
    permissions: [
      {
        sid: "DomainNames",
        reads: "route53:GetHostedZone route53:ListResourceRecordSets",
        writes: "route53:ChangeResourceRecordSets",
        // Records have no tags: an engineer must remove records in a zone that is no longer in the settings.
        on: "route53:hostedzone/{hostedZone}",
      },
      // The provider waits until the zone's name servers have the change.
      { sid: "DomainNameChanges", writes: "route53:GetChange", on: "route53:change/*" },
    ],
    price: { free: "aliases of AWS resources and queries for them are free" },
  },
};
