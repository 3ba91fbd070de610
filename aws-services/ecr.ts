/** Amazon Elastic Container Registry, and the images that Docker builds and pushes into it. */
import { filled, isTrue, values } from "./arguments";
import { ownKeyIf } from "./encryption";
import type { Permissions } from "./permissions";
import { partOfAnother, use } from "./price";
import type { Service } from "./resource-type";

const repositories: Permissions = {
  sid: "Repositories",
  service: "ecr",
  reads: ["DescribeRepositories", "GetLifecyclePolicy", "GetRepositoryPolicy", "ListTagsForResource"],
  writes: [
    "CreateRepository",
    "DeleteLifecyclePolicy",
    "PutImageScanningConfiguration",
    "PutImageTagMutability",
    "PutLifecyclePolicy",
    "TagResource",
    "UntagResource",
  ],
  on: ["repository/{name}"],
  // ECR User Guide, "Encryption at rest", required IAM permissions: ECR takes a grant on the key that AWS manages for
  // it.
  more: (scope) => [
    {
      sid: "EncryptRepositories",
      actions: ["kms:CreateGrant", "kms:DescribeKey", "kms:RetireGrant"],
      resources: scope.arns("kms", "key/*"),
      conditions: { StringEquals: { "kms:ViaService": `ecr.${scope.of.region}.amazonaws.com` } },
    },
  ],
};

const images: Permissions = {
  sid: "Images",
  service: "ecr",
  reads: ["BatchCheckLayerAvailability", "BatchGetImage", "DescribeImages", "GetDownloadUrlForLayer"],
  writes: ["CompleteLayerUpload", "InitiateLayerUpload", "PutImage", "UploadLayerPart"],
  on: ["repository/{name}"],
  readsAnywhere: ["ecr:GetAuthorizationToken"],
};

export const ecr: Service = {
  aws_ecr_repository: {
    permissions: [repositories],
    price: { charges: (_, { imageGigabytes }) => [use("imageGigabyteMonth", imageGigabytes)] },
    importId: "name",
    madeByOneCall: true,
    holds: {
      what: "images, which model packages name by digest",
      lostBy: ["ecr:DeleteRepository"],
      unguarded: (block) => (isTrue(block, "force_delete") ? ["force_delete"] : []),
    },
    encryption: ({ arguments: { encryption_configuration: encryption } }) => {
      const kms = values(encryption, "encryption_type").some((type) => String(type).startsWith("KMS"));
      return [ownKeyIf(kms && filled(encryption, "kms_key"))];
    },
  },
  aws_ecr_lifecycle_policy: { permissions: [repositories], price: partOfAnother },
  docker_image: {
    permissions: [images],
    price: { free: "built where the deployment runs; the image is counted with its repository" },
  },
  docker_registry_image: { permissions: [images], price: { free: "counted with its repository" } },
  "data.aws_ecr_authorization_token": { permissions: [images] },
};
