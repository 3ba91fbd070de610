import { statSync } from "node:fs";
import { join } from "node:path";
import { modelImageContext } from "../../stacks/model-image";
import { type Arguments, synthesizePlatform } from "../support/synthesize";

const local = synthesizePlatform("local")["model-image"]!;
const production = synthesizePlatform("production")["model-image"]!;
const context = modelImageContext();

test("whatever the Dockerfile copies is in the build context", () => {
  const dockerfile = Buffer.from(context.get("model-image/Dockerfile")!).toString();
  const sources = [...dockerfile.matchAll(/^COPY (?:--\S+ )*(.+) \S+$/gm)].flatMap(([, paths]) => paths!.split(" "));
  expect(sources).toContain("survey/features.json");
  for (const source of sources) {
    const found = [...context.keys()].filter((path) => path === source || path.startsWith(`${source}/`));
    expect([source, found.length > 0]).toEqual([source, true]);
  }
});

test("nothing of tests, caches and tools is in the build context: they would change the image's name", () => {
  const stray = [...context.keys()].filter((path) => /test|cache|pyproject|requirements-dev|\.pyc$/.test(path));
  expect(stray).toEqual([]);
});

test("commands can be executed, other files can't", () => {
  const [folder] = Object.values(production.resources("docker_image")).map(({ build }) => build.context as string);
  const mode = (path: string): number => statSync(join(production.folder, folder!, path)).mode & 0o777;
  for (const command of ["process", "train", "evaluate", "serve"]) {
    expect(mode(`model-image/bin/${command}`)).toBe(0o755);
  }
  expect(mode("survey/features.json")).toBe(0o644);
});

test("tags never change, images are scanned and encrypted, and none that a model may need expires", () => {
  expect(local.resource("aws_ecr_repository")).toMatchObject({
    name: "acme-local-model-image-abalone",
    image_tag_mutability: "IMMUTABLE",
    image_scanning_configuration: { scan_on_push: true },
    encryption_configuration: [{ encryption_type: "KMS" }],
  });
  const { rules } = JSON.parse(local.resource("aws_ecr_lifecycle_policy").policy);
  expect(rules.map(({ selection }: Arguments) => selection.tagStatus)).toEqual(["untagged"]);
});

test("without Docker the image is named by what it would be built from", () => {
  expect(local.resource("aws_ssm_parameter", "ModelImageUri").insecure_value).toMatch(
    /^123456789012\.dkr\.ecr\.eu-west-1\.amazonaws\.com\/acme-local-model-image-abalone@sha256:[0-9a-f]{64}$/,
  );
  expect(local.document.provider.docker).toBeUndefined();
  expect(local.resources("docker_image")).toEqual({});
});

test("with Docker the image is built from the stack's own folder, tagged by its content, and handed on by digest", () => {
  const image = production.resource("docker_image");
  expect(image.name).toMatch(/^\$\{aws_ecr_repository\.abalone_repository\.repository_url\}:[0-9a-f]{64}$/);
  expect(image.build).toMatchObject({ dockerfile: "model-image/Dockerfile", platform: "linux/amd64" });
  expect(production.file(`${image.build.context as string}/model-image/Dockerfile`).toString()).toContain(
    "ARG BASE=python:",
  );
  expect(production.resource("docker_registry_image")).toMatchObject({
    name: "${docker_image.abalone_image.name}",
    keep_remotely: true,
  });
  expect(production.resource("aws_ssm_parameter", "ModelImageUri").insecure_value).toBe(
    "${aws_ecr_repository.abalone_repository.repository_url}@${docker_registry_image.abalone_pushed.sha256_digest}",
  );
});

test("both ways agree on the hash of the content", () => {
  const uri = local.resource("aws_ssm_parameter", "ModelImageUri").insecure_value as string;
  expect(production.resource("docker_image").name).toContain(uri.split("sha256:")[1]);
});

test("production keeps its repository", () => {
  expect(production.resource("aws_ecr_repository")).toMatchObject({
    force_delete: false,
    lifecycle: { prevent_destroy: true },
  });
});
