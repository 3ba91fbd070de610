/** Amazon Route 53: names of websites. */
import type { Permissions } from "./permissions";
import type { Service } from "./resource-type";

const names: Permissions = {
  sid: "DomainNames",
  service: "route53",
  reads: ["GetHostedZone", "ListResourceRecordSets"],
  writes: ["ChangeResourceRecordSets"],
  // Records bear no tags: those in a zone that the settings no longer name are for an engineer to remove.
  on: ["hostedzone/{hostedZone}"],
  more: (scope) => [
    // The provider waits until the zone's name servers have it.
    { sid: "DomainNameChanges", actions: ["route53:GetChange"], resources: scope.arns("route53", "change/*") },
  ],
};

export const route53: Service = {
  aws_route53_record: {
    permissions: [names],
    price: { free: "aliases of AWS's own resources cost nothing, and neither do the questions after them" },
  },
};
