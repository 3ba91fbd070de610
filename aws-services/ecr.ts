/** Amazon Elastic Container Registry, and the images that Docker builds and pushes. */
import { filled, isTrue, values } from "./arguments";
import type { Permissions } from "./permissions";
import { ownKeyIf, partOfAnother, type Service, usageCharge } from "./record";

const repositories: Permissions = {
  sid: "Repositories",
  reads: "ecr:DescribeRepositories ecr:GetLifecyclePolicy ecr:GetRepositoryPolicy ecr:ListTagsForResource",
  writes: `
    ecr:CreateRepository ecr:DeleteLifecyclePolicy ecr:PutImageScanningConfiguration ecr:PutImageTagMutability
    ecr:PutLifecyclePolicy ecr:TagResource ecr:UntagResource`,
  on: "ecr:repository/{name}",
};

/** ECR needs a grant on the AWS-managed key (ECR User Guide, "Encryption at rest", required IAM permissions). */
const registryKey: Permissions = {
  sid: "EncryptRepositories",
  writes: "kms:CreateGrant kms:DescribeKey kms:RetireGrant",
  on: "kms:key/*",
  conditions: ({ region }) => ({ StringEquals: { "kms:ViaService": `ecr.${region}.amazonaws.com` } }),
};

const images: Permissions = {
  sid: "Images",
  reads: "ecr:BatchCheckLayerAvailability ecr:BatchGetImage ecr:DescribeImages ecr:GetDownloadUrlForLayer",
  writes: "ecr:CompleteLayerUpload ecr:InitiateLayerUpload ecr:PutImage ecr:UploadLayerPart",
  on: "ecr:repository/{name}",
  readsAnywhere: "ecr:GetAuthorizationToken",
};

export const ecr: Service = {
  aws_ecr_repository: {
    permissions: [repositories, registryKey],
    price: { charges: (_, { imageGigabytes }) => [usageCharge("imageGigabyteMonth", imageGigabytes)] },
    importId: "name",
    madeByOneCall: true,
    holds: {
      what: "images, to which model packages refer by digest",
      lostBy: ["ecr:DeleteRepository"],
      unguarded: (block) => (isTrue(block, "force_delete") ? ["force_delete"] : []),
    },
    encryption: ({ arguments: { encryption_configuration: encryption } }) => {
      const kms = values(encryption, "encryption_type").some((type) => String(type).startsWith("KMS"));
      return [ownKeyIf(kms && filled(encryption, "kms_key"))];
    },
  },
  aws_ecr_lifecycle_policy: { permissions: [repositories, registryKey], price: partOfAnother },
  docker_image: {
    permissions: [images],
    price: { free: "built where the deployment runs; the image is counted with its repository" },
  },
  docker_registry_image: { permissions: [images], price: { free: "counted with its repository" } },
  "data.aws_ecr_authorization_token": { permissions: [images] },
};
