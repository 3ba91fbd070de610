/** Types of which something is known. */
import { awsServices } from "../../aws-services";
import type { Rule } from "../rule";

/** Without a record nobody knows what deploys it, what it costs, and what is lost with it. */
export const knownTypes: Rule = {
  id: "known-types",
  promise: "Every resource is of a type that has a record.",
  source: 'docs/architecture.md, "The house plan": aws-services/',
  remedy: "Write the record: aws-services/record.ts explains its fields, and its neighbours show them.",
  *check({ all }) {
    for (const resource of all.filter(({ type }) => !type.startsWith("data."))) {
      if (awsServices.unknown([resource.type]).length > 0) {
        yield { place: resource, found: `is of an unknown type. ${awsServices.missing([resource.type])}` };
      }
    }
  },
};
