/** Encryption at rest: whether stored data is encrypted, and with whose key. */
import { awsServices } from "../../aws-services";
import type { Encryption } from "../../aws-services/record";
import type { Documents, Resource } from "../documents";
import type { Rule } from "../rule";

function* encryptions(documents: Documents): Iterable<Encryption & { readonly resource: Resource }> {
  for (const [type, rule] of awsServices.having("encryption")) {
    if (typeof rule === "function") {
      for (const resource of documents.resources(type)) {
        yield* rule(resource, documents).map((each) => ({ ...each, resource }));
      }
    }
  }
}

const subject = ({ part }: Encryption): string => (part === undefined ? "" : `${part}: `);

/** No stored data is unencrypted. */
export const encryptedAtRest: Rule = {
  id: "encrypted-at-rest",
  promise: "All stored data is encrypted.",
  source: 'AWS Well-Architected Security Pillar, SEC08-BP02 "Enforce encryption at rest"',
  remedy: "Give it the key of its stack; an instance with local disks accepts no key.",
  *check(documents) {
    for (const answer of encryptions(documents)) {
      if (answer.by === "none") {
        yield { place: answer.resource, found: `${subject(answer)}nothing encrypts it` };
      }
      if (answer.by === "refused") {
        yield { place: answer.resource, found: `${subject(answer)}AWS accepts no key for an instance's local disks` };
      }
    }
  },
};

/** With an AWS key, we don't decide who may read. */
export const ownKey: Rule = {
  id: "own-key",
  promise: "All stored data is encrypted with a key of the platform, whose policy and use we see.",
  source: 'AWS Well-Architected Security Pillar, SEC08-BP01 "Implement secure key management"',
  remedy: "Give it the key of its stack, or write in policies/exceptions.ts why an AWS key is right.",
  *check(documents) {
    for (const answer of encryptions(documents)) {
      if (answer.by === "key of AWS") {
        yield { place: answer.resource, found: `${subject(answer)}an AWS key encrypts it` };
      }
    }
  },
};
