import { DataAwsEcrAuthorizationToken } from "@cdktf/provider-aws/lib/data-aws-ecr-authorization-token";
import { EcrLifecyclePolicy } from "@cdktf/provider-aws/lib/ecr-lifecycle-policy";
import { EcrRepository } from "@cdktf/provider-aws/lib/ecr-repository";
import { Image, type ImageBuild } from "@cdktf/provider-docker/lib/image";
import { DockerProvider } from "@cdktf/provider-docker/lib/provider";
import { RegistryImage } from "@cdktf/provider-docker/lib/registry-image";
import { Construct } from "constructs";
import { contentHash } from "./content-hash";
import { GeneratedAsset } from "./generated-asset";
import { placeOf } from "./place";

export interface ContainerImageProps {
  /** Name of the repository: 2 to 256 lower-case letters, digits and `-_./`. */
  readonly repositoryName: string;
  /** The build context, content by path with `/`. Nothing else goes into the image. */
  readonly context: ReadonlyMap<string, Uint8Array>;
  /** Path of the Dockerfile in the context. */
  readonly dockerfile: string;
  /** Which files of the context are executable. @default none */
  readonly executable?: (path: string) => boolean;
  /**
   * `docker` builds and pushes the image. `content` needs no Docker: it makes no image, and the URI has the hash of the
   * build context instead of the digest.
   */
  readonly build: "docker" | "content";
  /** The image's platform. @default "linux/amd64" */
  readonly platform?: string;
  /** Whether Terraform refuses to destroy the repository; otherwise its images are deleted too. @default true */
  readonly protect?: boolean;
}

/** `CreateRepository`'s pattern for a name (Amazon ECR API Reference). */
const repositoryPattern = /^(?:[a-z0-9]+(?:[._-][a-z0-9]+)*\/)*[a-z0-9]+(?:[._-][a-z0-9]+)*$/;

/**
 * Hexadecimal SHA-256 of everything that affects the image: each file's name, mode and content, the Dockerfile's path,
 * and the platform. Modes count because the image keeps them.
 */
function buildHash(
  props: Pick<ContainerImageProps, "context" | "dockerfile" | "executable">,
  platform: string,
): string {
  const files = [...props.context].map(
    ([path, content]) => [`${props.executable?.(path) ? "755" : "644"} ${path}`, content] as const,
  );
  // Every file's entry starts with its mode, so no file can look like this entry.
  const build = ["build", Buffer.from(JSON.stringify({ dockerfile: props.dockerfile, platform }))] as const;
  return contentHash(new Map([...files, build]));
}

/** An image, named by its content, in a repository with immutable tags. */
export class ContainerImage extends Construct {
  /** `<registry>/<repository>@sha256:…`: exactly these bytes. */
  readonly uri: string;
  readonly repositoryArn: string;

  constructor(scope: Construct, id: string, props: ContainerImageProps) {
    super(scope, id);
    const { context, dockerfile, repositoryName, platform = "linux/amd64" } = props;
    if (repositoryName.length < 2 || repositoryName.length > 256 || !repositoryPattern.test(repositoryName)) {
      throw new Error(
        `The repository name ${JSON.stringify(repositoryName)} is not valid for ECR: it must have 2 to 256 lower-case letters and digits, with single ` +
          "characters of -_./ between them.",
      );
    }
    if (!context.has(dockerfile)) {
      throw new Error(
        `The build context of ${repositoryName} has no ${dockerfile}: add the file, or correct the context's filter.`,
      );
    }
    const protect = props.protect ?? true;
    const repository = new EcrRepository(this, "repository", {
      name: repositoryName,
      imageTagMutability: "IMMUTABLE",
      imageScanningConfiguration: { scanOnPush: true },
      // With the AWS-managed key: an image holds code and no data.
      encryptionConfiguration: [{ encryptionType: "KMS" }],
      forceDelete: !protect,
      lifecycle: protect ? { preventDestroy: true } : undefined,
    });
    this.repositoryArn = repository.arn;
    new EcrLifecyclePolicy(this, "lifecycle", {
      repository: repository.name,
      // Tagged images stay: a model package may refer to one for years, and an endpoint pulls it again when it scales.
      policy: JSON.stringify({
        rules: [
          {
            rulePriority: 1,
            description: "Layers and manifests that no tag holds",
            selection: { tagStatus: "untagged", countType: "sinceImagePushed", countUnit: "days", countNumber: 7 },
            action: { type: "expire" },
          },
        ],
      }),
    });

    const asset = new GeneratedAsset(this, "context", {
      files: context,
      executable: props.executable,
    });
    const hash = buildHash(props, platform);
    const { account, region } = placeOf(this);
    this.uri =
      props.build === "docker"
        ? this.buildAndPush(repository, hash, { context: asset.folder, dockerfile, platform })
        : `${account}.dkr.ecr.${region}.amazonaws.com/${repositoryName}@sha256:${hash}`;
  }

  private buildAndPush(repository: EcrRepository, hash: string, build: ImageBuild): string {
    const token = new DataAwsEcrAuthorizationToken(this, "token", { registryId: placeOf(this).account });
    const docker = new DockerProvider(this, "docker", {
      registryAuth: [{ address: token.proxyEndpoint, username: token.userName, password: token.password }],
    });
    // The tag is the hash of the sources: a changed file makes a new image, an unchanged one is never pushed again.
    const image = new Image(this, "image", {
      provider: docker,
      name: `${repository.repositoryUrl}:${hash}`,
      buildAttribute: build,
      keepLocally: true,
    });
    const pushed = new RegistryImage(this, "pushed", { provider: docker, name: image.name, keepRemotely: true });
    return `${repository.repositoryUrl}@${pushed.sha256Digest}`;
  }
}
