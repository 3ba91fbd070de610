/** Types that have a record. */
import { awsServices } from "../../aws-services";
import type { Rule } from "../rule";

/** Without a record, its rights, its price and its data are unknown. */
export const knownTypes: Rule = {
  id: "known-types",
  promise: "Every resource's type has a record.",
  source: 'docs/architecture.md, "The house plan": aws-services/',
  remedy: "Write the record: aws-services/record.ts explains its fields, and the other records are examples.",
  *check({ all }) {
    for (const resource of all.filter(({ type }) => !type.startsWith("data."))) {
      if (awsServices.unknown([resource.type]).length > 0) {
        yield { place: resource, found: `has an unknown type. ${awsServices.missing([resource.type])}` };
      }
    }
  },
};
