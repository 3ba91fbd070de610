import { readdirSync } from "node:fs";
import { join } from "node:path";
import { ContainerImage, type ContainerImageProps } from "../../modules/container-image";
import { Place } from "../../modules/place";
import { synthesize, type Template } from "../support/synthesize";

const files = { "image/Dockerfile": "FROM scratch\nCOPY image/run /run\n", "image/run": "#!/bin/sh\n" };
const contextOf = (entries: Readonly<Record<string, string>>): ContainerImageProps["context"] =>
  new Map(Object.entries(entries).map(([path, content]) => [path, Buffer.from(content)]));
const props: ContainerImageProps = {
  repositoryName: "acme-test-shells",
  context: contextOf(files),
  dockerfile: "image/Dockerfile",
  build: "docker",
};

function synth(changes: Partial<ContainerImageProps> = {}, place?: Place): Template & { readonly uri: string } {
  let uri = "";
  const template = synthesize((stack) => {
    ({ uri } = new ContainerImage(stack, "shells", { ...props, ...changes }));
  }, place);
  return Object.assign(template, { uri });
}

/** The tag under which the image is built. */
const tagOf = (changes: Partial<ContainerImageProps> = {}, place?: Place): string =>
  (synth(changes, place).resource("docker_image").name as string).split("}:")[1]!;

describe("the tag", () => {
  const tag = tagOf();

  test("is the same for the same build, in whatever order its files are given", () => {
    expect(tag).toMatch(/^[0-9a-f]{64}$/);
    expect(tagOf({ context: new Map([...props.context].reverse()) })).toBe(tag);
  });

  test.each<[string, Partial<ContainerImageProps>]>([
    ["a changed content", { context: contextOf({ ...files, "image/run": "#!/bin/bash\n" }) }],
    [
      "a changed name",
      { context: contextOf({ "image/Dockerfile": files["image/Dockerfile"], "image/Run": "#!/bin/sh\n" }) },
    ],
    ["one more file, though empty", { context: contextOf({ ...files, "image/none": "" }) }],
    ["a file that can be executed now", { executable: (path) => path === "image/run" }],
    ["another platform", { platform: "linux/arm64" }],
  ])("changes with %s", (_, changes) => {
    expect(tagOf(changes)).not.toBe(tag);
  });

  test("changes with the Dockerfile that is taken, though the files are the same", () => {
    const context = contextOf({ ...files, "image/Other": files["image/Dockerfile"] });
    expect(tagOf({ context })).not.toBe(tagOf({ context, dockerfile: "image/Other" }));
  });

  test("does not depend on where the image goes", () => {
    const elsewhere = new Place({ account: "210987654321", region: "us-east-1" });
    expect(tagOf({ repositoryName: "acme-other", protect: false }, elsewhere)).toBe(tag);
  });

  test("replaces the digest without Docker", () => {
    expect(synth({ build: "content" }).uri).toBe(
      `123456789012.dkr.ecr.eu-west-1.amazonaws.com/acme-test-shells@sha256:${tag}`,
    );
  });
});

test("the image that is pushed is the one that is built, from the stack's own folder and nothing else", () => {
  const template = synth();
  const { build } = template.resource("docker_image");
  expect(build).toEqual({
    context: expect.stringMatching(/^assets\//),
    dockerfile: "image/Dockerfile",
    platform: "linux/amd64",
  });
  const folder = join(template.folder, build.context as string);
  expect(readdirSync(folder, { recursive: true }).sort()).toEqual(["image", "image/Dockerfile", "image/run"]);
  expect(template.resource("docker_registry_image").name).toBe("${docker_image.shells_image.name}");
});

test("its URI ends with the digest that the registry answers, never with a tag", () => {
  const template = synthesize((stack) => {
    const { uri } = new ContainerImage(stack, "shells", props);
    stack.addOverride("output.uri.value", uri);
  });
  expect(template.document.output.uri.value).toBe(
    "${aws_ecr_repository.shells_repository.repository_url}@${docker_registry_image.shells_pushed.sha256_digest}",
  );
});

test("the registry's password comes from AWS at deployment and is stored nowhere", () => {
  const [provider] = synth().document.provider.docker;
  expect(provider.registry_auth).toEqual([
    {
      address: "${data.aws_ecr_authorization_token.shells_token.proxy_endpoint}",
      username: "${data.aws_ecr_authorization_token.shells_token.user_name}",
      password: "${data.aws_ecr_authorization_token.shells_token.password}",
    },
  ]);
});

test("a pushed image stays when the resource is deleted, because models name it", () => {
  expect(synth().resource("docker_registry_image").keep_remotely).toBe(true);
});

test("a repository is deleted only if that is wanted", () => {
  expect(synth().resource("aws_ecr_repository")).toMatchObject({
    force_delete: false,
    lifecycle: { prevent_destroy: true },
  });
  const given = synth({ protect: false }).resource("aws_ecr_repository");
  expect([given.force_delete, given.lifecycle]).toEqual([true, undefined]);
});

test.each(["a", "Acme-shells", "acme--shells", "acme/", "-acme", "acme shells", "", "x".repeat(257)])(
  "the repository name %j is refused",
  (repositoryName) => {
    expect(() => synth({ repositoryName })).toThrow(
      `The repository name ${JSON.stringify(repositoryName)} is not valid for ECR`,
    );
  },
);

test.each(["ab", "acme/test.shells_1", "x".repeat(256)])("the repository name %j is accepted", (repositoryName) => {
  expect(synth({ repositoryName }).resource("aws_ecr_repository").name).toBe(repositoryName);
});

test("a context without the Dockerfile is an error that says what to do", () => {
  expect(() => synth({ dockerfile: "Dockerfile" })).toThrow(
    "The build context of acme-test-shells has no Dockerfile: add the file, or correct the context's filter.",
  );
});
