/** Container images by digest: a tag can be moved to other bytes, a digest can't. */
import { type Documents, parseObject, type Resource, tasks, values, walk } from "../documents";
import type { Finding, Rule } from "../rule";

/** A digest as it stands, or as the Docker provider tells it after having pushed the image. */
const byDigest = /@(?:sha256:[0-9a-f]{64}|\$\{docker_registry_image\.[\w-]+\.sha256_digest\})$/;

/** Where each type names the images that it runs. */
const imagesOf: Readonly<Record<string, (resource: Resource) => readonly unknown[]>> = {
  aws_lambda_function: ({ arguments: block }) => [
    ...values(block, "image_uri"),
    // What a function hands on, as register-model does with the image of the model package.
    ...values(block, "environment", "variables").flatMap((variables) => keyed(variables, /(?:^|_)IMAGE_URI$/)),
  ],
  aws_sagemaker_model: ({ arguments: block }) => [
    ...values(block, "primary_container", "image"),
    ...values(block, "container", "image"),
  ],
  aws_sfn_state_machine: ({ arguments: { definition } }) =>
    tasks(typeof definition === "string" ? (parseObject(definition) ?? {}) : {})
      .filter(({ integration }) => integration.includes(":sagemaker:"))
      .flatMap((task) => keyed(task.arguments, /^(?:ImageUri|TrainingImage|Image)$/)),
};

/** The texts within a value whose key matches. */
function keyed(value: unknown, pattern: RegExp): readonly unknown[] {
  const found: unknown[] = [];
  walk(value, (element, key) => {
    if (typeof element === "string" && pattern.test(key)) {
      found.push(element);
    }
  });
  return found;
}

function* tagged(documents: Documents, resource: Resource, images: readonly unknown[]): Iterable<Finding> {
  for (const image of new Set(images)) {
    const meant = typeof image === "string" ? documents.follow(resource.stack, image) : JSON.stringify(image);
    if (!byDigest.test(meant)) {
      yield { place: resource, found: `runs ${meant}` };
    }
  }
}

/** What was tested is what runs. */
export const imagesByDigest: Rule = {
  id: "images-by-digest",
  promise: "An image is named by its digest, through every parameter that hands it on.",
  source: 'Amazon ECR User Guide, "Pulling an image": by digest; and docs/architecture.md, "Contracts"',
  remedy: "Take the image from ContainerImage.uri, or from the contract's ModelImageUri.",
  *check(documents) {
    for (const [type, images] of Object.entries(imagesOf)) {
      for (const resource of documents.resources(type)) {
        yield* tagged(documents, resource, images(resource));
      }
    }
  },
};
