/** Container images by digest: a tag can be moved to other bytes, a digest can't. */
import { awsServices } from "../../aws-services";
import type { Documents, Resource } from "../documents";
import type { Finding, Rule } from "../rule";

/** A literal digest, or the reference to the digest of an image that the Docker provider pushed. */
const byDigest = /@(?:sha256:[0-9a-f]{64}|\$\{docker_registry_image\.[\w-]+\.sha256_digest\})$/;

function* tagged(documents: Documents, resource: Resource, images: readonly unknown[]): Iterable<Finding> {
  for (const image of new Set(images)) {
    const meant = typeof image === "string" ? documents.follow(resource.stack, image) : JSON.stringify(image);
    if (!byDigest.test(meant)) {
      yield { place: resource, found: `runs ${meant}` };
    }
  }
}

/** The image that runs is the image that was tested. */
export const imagesByDigest: Rule = {
  id: "images-by-digest",
  promise: "An image is named by its digest, also in every parameter that passes it on.",
  source: 'Amazon ECR User Guide, "Pulling an image": by digest; and docs/architecture.md, "Contracts"',
  remedy: "Take the image from ContainerImage.uri, or from the contract's ModelImageUri.",
  *check(documents) {
    for (const [type, images] of awsServices.having("images")) {
      for (const resource of documents.resources(type)) {
        yield* tagged(documents, resource, images(resource.arguments));
      }
    }
  },
};
