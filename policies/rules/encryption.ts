/** Encryption at rest: whatever keeps something is encrypted, and with whose key. */
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

/** Nothing lies in the clear. */
export const encryptedAtRest: Rule = {
  id: "encrypted-at-rest",
  promise: "Whatever is kept is encrypted.",
  source: 'AWS Well-Architected Security Pillar, SEC08-BP02 "Enforce encryption at rest"',
  remedy: "Give it the key of its stack; an instance with disks of its own takes none.",
  *check(documents) {
    for (const answer of encryptions(documents)) {
      if (answer.by === "none") {
        yield { place: answer.resource, found: `${subject(answer)}nothing encrypts it` };
      }
      if (answer.by === "refused") {
        yield { place: answer.resource, found: `${subject(answer)}AWS takes no key for disks of the instance's own` };
      }
    }
  },
};

/** With a key of AWS's nobody here decides who may read. */
export const ownKey: Rule = {
  id: "own-key",
  promise: "Whatever is kept is encrypted by a key of the platform, whose policy and use we see.",
  source: 'AWS Well-Architected Security Pillar, SEC08-BP01 "Implement secure key management"',
  remedy: "Give it the key of its stack, or write in policies/exceptions.ts why a key of AWS's is right.",
  *check(documents) {
    for (const answer of encryptions(documents)) {
      if (answer.by === "key of AWS") {
        yield { place: answer.resource, found: `${subject(answer)}a key of AWS's encrypts it` };
      }
    }
  },
};
