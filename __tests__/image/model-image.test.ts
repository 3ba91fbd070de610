/**
 * The model image for real: built from what synth wrote, pushed, pulled by digest, and run under SageMaker's contract.
 */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { App } from "cdktf";
import { loadEnvironment } from "../../environments";
import { projectRoot } from "../../modules/project-root";
import { features } from "../../survey/feature-contract";
import { simulateSurvey } from "../../survey/simulator";
import { modelImageContext, ModelImageStack } from "../../stacks/model-image";
import { Platform } from "../../stacks/platform";
import { Template } from "../support/synthesize";
import { Container } from "./support/container";
import { type Engine, startEngine } from "./support/engine";
import { packageIndexMounts } from "./support/package-index";
import { buildOptions, dockerManifest, type ImageConfiguration, Podman } from "./support/podman";
import { type Ended, freePort, run, startServer, succeed } from "./support/processes";
import { Registry } from "./support/registry";
import { differences, readTree } from "./support/tree";

function given(name: string): string {
  const value = process.env[name];
  if (!value) {
    throw new Error(`${name} is not set: run "make test-image", which prepares this proof.`);
  }
  return value;
}

const folder = given("IMAGE_FOLDER");
const inFolder = (...names: string[]): string => join(folder, ...names);
const python = join(projectRoot, ".venv/model/bin/python");
const pip = join(projectRoot, ".venv/tools/bin/pip");
const baseName = "localhost/python-base:debian";
/** The user as whom the image works (Dockerfile). */
const uid = 10001;

const stack = ((): Template => {
  const environment = loadEnvironment("production");
  const platform = new Platform(new App({ outdir: inFolder("cdktf.out"), stackTraces: false }), environment);
  new ModelImageStack(platform);
  platform.synth();
  const stackFolder = inFolder("cdktf.out", "stacks", "model-image");
  return new Template(JSON.parse(readFileSync(join(stackFolder, "cdk.tf.json"), "utf8")), stackFolder);
})();
const { name: imageName, build } = stack.resource("docker_image") as {
  name: string;
  build: { context: string; dockerfile: string };
};
const context = join(stack.folder, build.context);
const repository = stack.resource("aws_ecr_repository").name as string;
const tag = imageName.split("}:")[1]!;

let registry: Registry;
let builder: Podman;
let consumer: Podman;
let mounts: readonly string[];
let name: string;

async function buildImage(from: string, as: string): Promise<void> {
  const words = [`--build-arg=BASE=${baseName}`, `--file=${join(from, build.dockerfile)}`, `--tag=${as}`, from];
  await builder.do("build", ...buildOptions(mounts), ...words);
}

beforeAll(async () => {
  registry = await Registry.start(given("IMAGE_REGISTRY"), inFolder("registry"));
  name = `${registry.address}/${repository}:${tag}`;
  builder = new Podman(inFolder("builder"), registry.address);
  consumer = new Podman(inFolder("consumer"), registry.address);
  mounts = await packageIndexMounts(pip, inFolder("package-index"));
  await builder.do("import", given("IMAGE_BASE"), baseName);
  await buildImage(context, name);
});
afterAll(() => registry.stop());

describe("built from what synth wrote into the stack's folder", () => {
  let image: ImageConfiguration;
  let root: string;
  beforeAll(async () => {
    image = await builder.inspect(name);
    root = await builder.rootOf(name);
  });

  test("it is what SageMaker runs: a monitor where no command can be named, started as root, for its platform, bound to a port by variable", () => {
    expect(image).toMatchObject({ Architecture: "amd64", Os: "linux", ManifestType: dockerManifest });
    expect(image.Config).toMatchObject({
      Cmd: ["monitor"],
      WorkingDir: "/opt/program/model-image",
      ExposedPorts: { "8080/tcp": {} },
      Labels: { "com.amazonaws.sagemaker.capabilities.accept-bind-to-port": "true" },
    });
    expect(image.Config.User ?? "").toBe("");
  });

  test("it has the context's files with their modes, owned by root, and the compiled program beside them", () => {
    const program = join(root, "opt/program");
    const files = [...modelImageContext().keys()].filter((path) => !path.endsWith("Dockerfile")).sort();
    const found = (readdirSync(program, { recursive: true }) as string[]).filter((path) =>
      statSync(join(program, path)).isFile(),
    );
    expect(found.filter((path) => !path.endsWith(".pyc")).sort()).toEqual(files);
    for (const path of files) {
      const [copy, original] = [join(program, path), join(context, path)];
      expect(readFileSync(copy).equals(readFileSync(original))).toBe(true);
      const { mode, uid: owner, gid: group } = statSync(copy);
      expect([path, mode, owner, group]).toEqual([path, statSync(original).mode, 0, 0]);
    }
    const compiled = found.filter((path) => path.endsWith(".pyc"));
    expect(compiled).toHaveLength(files.filter((path) => /\/abalone\/.+\.py$/.test(path)).length);
  });

  test("it has the pinned packages and no others, installed by hash", async () => {
    const site = readdirSync(join(root, "usr/local/lib")).find((entry) => entry.startsWith("python3"))!;
    const paths = `/usr/local/lib/${site}/dist-packages`;
    const frozen = await succeed("chroot", [root, "python", "-m", "pip", "list", "--format=freeze", "--path", paths]);
    const normal = (pin: string): string => pin.toLowerCase().replace(/[-_.]+(?=.*==)/g, "-"); // PEP 503
    const installed = frozen.split("\n").map(normal);
    const requirements = readFileSync(join(context, "model-image/requirements.txt"), "utf8");
    const pinned = [...requirements.matchAll(/^(\S+==\S+)/gm)].map(([, pin]) => normal(pin!));
    expect(installed.filter((entry) => !pinned.includes(entry))).toEqual([]);
    const wanted = readFileSync(join(projectRoot, "model-image/requirements.in"), "utf8").trim().split("\n");
    expect(installed.map((entry) => entry.split("==")[0])).toEqual(expect.arrayContaining(wanted));
  });

  test("it contains nothing of this machine's settings for a package index", async () => {
    const base = await builder.rootOf(baseName);
    expect(readFileSync(join(root, "etc/pip.conf"), "utf8")).toBe("");
    expect(readdirSync(join(root, "mnt"))).toEqual([]);
    const certificates = "etc/ssl/certs/ca-certificates.crt";
    expect(readFileSync(join(root, certificates)).equals(readFileSync(join(base, certificates)))).toBe(true);
    expect(image.Config.Env.filter((variable) => /PIP|PROXY|CERT/i.test(variable))).toEqual([]);
  });

  test("a package with another hash stops the build", async () => {
    const tampered = inFolder("tampered");
    cpSync(context, tampered, { recursive: true });
    const file = join(tampered, "model-image/requirements.txt");
    const [first] = readFileSync(file, "utf8").split(/\n(?=\S)/);
    writeFileSync(file, first!.replaceAll(/sha256:[0-9a-f]{64}/g, `sha256:${"0".repeat(64)}`));
    await expect(buildImage(tampered, "localhost/tampered")).rejects.toThrow(
      "THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE",
    );
  });

  test("built again it has the same name and the same files, but for bytecode, in which Python writes when a file was installed", async () => {
    const again = `${name}-again`;
    await buildImage(context, again);
    const other = await builder.rootOf(again);
    const differing = differences(readTree(root), readTree(other));
    expect(differing.filter((path) => !path.endsWith(".pyc"))).toEqual([]);
    expect((await builder.inspect(again)).Id).not.toBe(image.Id);
    await builder.do("rmi", again);
  });
});

describe("pushed to a registry and pulled by its digest", () => {
  let pulled: ImageConfiguration;
  let root: string;
  let digest: string;

  beforeAll(async () => {
    const file = inFolder("digest");
    await builder.do("push", `--digestfile=${file}`, name);
    digest = readFileSync(file, "utf8");
    const uri = `${registry.address}/${repository}@${digest}`;
    await consumer.do("pull", uri);
    pulled = await consumer.inspect(uri);
    root = await consumer.rootOf(uri);
  });

  test("the digest that was pushed is the registry's and the one that was pulled, and the image the same", async () => {
    expect(digest).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(await registry.manifest(repository, tag)).toEqual({ digest, mediaType: dockerManifest });
    expect(pulled.Digest).toBe(digest);
    const built = await builder.inspect(name);
    expect([pulled.Id, pulled.RootFS, pulled.Config]).toEqual([built.Id, built.RootFS, built.Config]);
    expect(differences(readTree(await builder.rootOf(name)), readTree(root))).toEqual([]);
  });

  test("a digest that was never pushed is not found", async () => {
    const { status, output } = await consumer.try("pull", `${registry.address}/${repository}@sha256:${"0".repeat(64)}`);
    expect(status).not.toBe(0);
    expect(output).toContain("manifest unknown");
  });

  describe("run as SageMaker runs it", () => {
    const job = inFolder("job");
    const own = inFolder("own-job");
    const survey = inFolder("survey.csv");

    /** The environment of the checkout's own commands. */
    const ownEnvironment = (base: string): Record<string, string> => ({
      PATH: process.env.PATH!,
      SAGEMAKER_BASE_DIR: base,
      TRAINING_JOB_NAME: "proof",
    });

    beforeAll(async () => {
      writeFileSync(survey, [...simulateSurvey({ rows: 1500, seed: 11 })].join(""));
      for (const base of [job, own]) {
        mkdirSync(join(base, "input/config"), { recursive: true });
        writeFileSync(join(base, "input/config/hyperparameters.json"), JSON.stringify({ seed: "5" }));
        // As `process` splits and writes them.
        const split = [
          "import csv, sys; from pathlib import Path",
          "from abalone.feature_contract import load_contract; from abalone.processing import write_data_sets",
          "contract = load_contract()",
          "rows = csv.DictReader(open(sys.argv[1], encoding='utf-8', newline=''))",
          "write_data_sets(contract, ([row[name] for name in contract.dataset_columns] for row in rows), Path(sys.argv[2]))",
        ].join("\n");
        await succeed(python, ["-c", split, survey, join(base, "input/data")], {
          environment: { PYTHONPATH: join(projectRoot, "model-image"), PYTHONDONTWRITEBYTECODE: "1" },
        });
      }
    });

    test("train makes a model without a network, as its own user", async () => {
      const { status, output } = await new Container(root, pulled, job).run(["train"], { TRAINING_JOB_NAME: "proof" });
      expect([status, output]).toEqual([0, expect.stringMatching(/validation:rmse=[\d.]+;/)]);
      const model = join(job, "model/model.onnx");
      expect(statSync(model).uid).toBe(uid);
      expect(existsSync(join(job, "output/failure"))).toBe(false);

      await succeed(python, [join(projectRoot, "model-image/bin/train")], { environment: ownEnvironment(own) });
      expect(Number(/validation:rmse=([\d.]+);/.exec(output)![1])).toBeLessThan(2.6);
    });

    test("serve predicts, as that user and without any capability, what the checkout's own model code predicts", async () => {
      const port = await freePort();
      const ownPort = await freePort();
      const answers = (address: number) => async (): Promise<boolean> =>
        (await fetch(`http://127.0.0.1:${address}/ping`)).status === 200;
      const server = await new Container(root, pulled, job).start(
        ["serve"],
        { SAGEMAKER_BIND_TO_PORT: String(port), SERVE_HOST: "127.0.0.1" },
        answers(port),
        inFolder("serve.log"),
      );
      const status = readFileSync(`/proc/${server.child.pid}/status`, "utf8");
      expect(/^Uid:\s+(.+)$/m.exec(status)![1]!.split(/\s+/)).toEqual(Array(4).fill(String(uid)));
      expect(/^Gid:\s+(.+)$/m.exec(status)![1]!.split(/\s+/)).not.toContain("0");
      expect(/^Groups:[ \t]*(.*)$/m.exec(status)![1]!.trim()).toBe("");
      expect(/^CapEff:\s+(.+)$/m.exec(status)![1]).toBe("0".repeat(16));

      const checkout = await startServer(python, [join(projectRoot, "model-image/bin/serve")], {
        environment: { ...ownEnvironment(own), SAGEMAKER_BIND_TO_PORT: String(ownPort), SERVE_HOST: "127.0.0.1" },
        log: inFolder("own-serve.log"),
        isReady: answers(ownPort),
      });

      const [header, ...lines] = readFileSync(survey, "utf8").trim().split("\n");
      const columns = header!.split(",");
      const rows = lines.map((line) => {
        const values = line.split(",");
        return features.map((feature) => values[columns.indexOf(feature.name)]).join(",");
      });
      const invoke = async (address: number, type: string, body: string): Promise<string> => {
        const response = await fetch(`http://127.0.0.1:${address}/invocations`, {
          method: "POST",
          headers: { "content-type": type, accept: type },
          body,
        });
        expect([response.status, response.headers.get("content-type")]).toEqual([200, expect.stringContaining(type)]);
        return response.text();
      };
      const predictions = await invoke(port, "text/csv", rows.join("\n"));
      expect(predictions.trim().split("\n")).toHaveLength(1500);
      expect(new Set(predictions.trim().split("\n")).size).toBeGreaterThan(1000);
      expect(predictions).toBe(await invoke(ownPort, "text/csv", rows.join("\n")));

      const bad = await fetch(`http://127.0.0.1:${port}/invocations`, {
        method: "POST",
        headers: { "content-type": "text/csv" },
        body: "M,abc",
      });
      expect(bad.status).toBe(400);

      const statuses = [await server.stop(), await checkout.stop()];
      expect(statuses[0]).toBe(statuses[1]);
    });

    test("a training that fails says why where SageMaker reads it", async () => {
      const wrong = inFolder("wrong-job");
      cpSync(join(job, "input"), join(wrong, "input"), { recursive: true });
      writeFileSync(join(wrong, "input/config/hyperparameters.json"), JSON.stringify({ networks: "many" }));
      const { status } = await new Container(root, pulled, wrong).run(["train"]);
      expect(status).toBe(1);
      const failure = join(wrong, "output/failure");
      expect(readFileSync(failure, "utf8")).toContain("The hyperparameter networks is");
      expect(statSync(failure).uid).toBe(uid);
    });
  });
});

const terraformFolder = inFolder("terraform");
/** Why Terraform's docker provider can't be had here, or nothing when it can. */
const noProvider = ((): string | undefined => {
  mkdirSync(terraformFolder);
  const { docker } = stack.document.terraform.required_providers;
  writeFileSync(
    join(terraformFolder, "cdk.tf.json"),
    JSON.stringify({ terraform: { required_providers: { docker } } }),
  );
  const { error, status, stderr } = spawnSync("terraform", ["init", "-no-color", "-input=false"], {
    cwd: terraformFolder,
    encoding: "utf8",
    timeout: 120_000,
  });
  return error ? error.message : status === 0 ? undefined : (/Error: .+/.exec(stderr)?.[0] ?? stderr.slice(-200));
})();
if (noProvider !== undefined) {
  process.stderr.write(`SKIPPED, the docker provider's half of the proof: ${noProvider}\n`);
}
const describeProvider = noProvider === undefined ? describe : describe.skip;

describeProvider("by Terraform's docker provider, from the resources that synth wrote", () => {
  const elsewhere = `by-provider/${repository}`;
  let engine: Engine;
  let environment: Readonly<Record<string, string | undefined>>;
  const terraform = (...words: string[]): Promise<Ended> =>
    run("terraform", words, { folder: terraformFolder, environment });

  beforeAll(async () => {
    // The engine's requests have no mounts: here the way to a package index is in the base.
    const withIndex = "localhost/python-base:with-package-index";
    const folderOfBase = inFolder("base-with-package-index");
    const copies = mounts.map((mount, index) => {
      const [source, target] = mount.split(":");
      cpSync(source!, join(folderOfBase, String(index)), { recursive: true, dereference: true });
      return `COPY ${index} ${target!}`;
    });
    writeFileSync(join(folderOfBase, "Dockerfile"), [`FROM ${baseName}`, ...copies].join("\n"));
    await builder.do("build", ...buildOptions([]), `--tag=${withIndex}`, folderOfBase);

    const { document } = stack;
    const { abalone_image: image } = document.resource.docker_image;
    const adapted = JSON.stringify({
      terraform: { required_providers: { docker: document.terraform.required_providers.docker } },
      provider: {
        docker: [{ registry_auth: [{ address: `http://${registry.address}`, username: "AWS", password: "none" }] }],
      },
      resource: {
        docker_image: { abalone_image: { ...image, build: { ...image.build, build_args: { BASE: withIndex } } } },
        docker_registry_image: document.resource.docker_registry_image,
      },
      output: { uri: { value: stack.resource("aws_ssm_parameter", "ModelImageUri").insecure_value } },
    });
    cpSync(join(stack.folder, "assets"), join(terraformFolder, "assets"), { recursive: true });
    writeFileSync(
      join(terraformFolder, "cdk.tf.json"),
      adapted.replaceAll("${aws_ecr_repository.abalone_repository.repository_url}", `${registry.address}/${elsewhere}`),
    );
    engine = await startEngine(builder);
    // The provider then speaks to the engine itself, as version 3 does, and not through buildx, which podman can't
    // serve.
    environment = { ...process.env, DOCKER_HOST: engine.address, DOCKER_BUILDKIT: "0", CHECKPOINT_DISABLE: "1" };
  });
  afterAll(() => engine.stop());

  test("the image is built, pushed with its tag, and published by the registry's digest", async () => {
    const { status, output } = await terraform("apply", "-no-color", "-auto-approve");
    expect([status, output]).toEqual([0, expect.stringContaining("2 added, 0 changed, 0 destroyed")]);
    expect(await registry.tags(elsewhere)).toEqual([tag]);
    const { digest, mediaType } = await registry.manifest(elsewhere, tag);
    expect(mediaType).toBe(dockerManifest);
    const uri = JSON.parse((await terraform("output", "-json", "uri")).stdout) as string;
    expect(uri).toBe(`${registry.address}/${elsewhere}@${digest}`);
    expect(engine.requests).toEqual(
      expect.arrayContaining(["POST /build", `POST /images/${registry.address}/${elsewhere}/push`]),
    );

    await consumer.do("pull", uri);
    const [image, built] = [await consumer.inspect(uri), await builder.inspect(name)];
    expect(image.Config).toEqual(built.Config);
    const program = (root: string): ReadonlyMap<string, string> => readTree(join(root, "opt/program"));
    const differing = differences(program(await consumer.rootOf(uri)), program(await builder.rootOf(name)));
    expect(differing.filter((path) => !path.endsWith(".pyc"))).toEqual([]);
  });

  test("a second plan is empty", async () => {
    const { status, output } = await terraform("plan", "-no-color", "-detailed-exitcode");
    expect([status, output]).toEqual([0, expect.stringContaining("No changes")]);
  });

  test("a machine without the image plans to build it again, but not to push an existing tag", async () => {
    await builder.do("rmi", `${registry.address}/${elsewhere}:${tag}`);
    const { status, output } = await terraform("plan", "-no-color", "-detailed-exitcode");
    expect([status, output]).toEqual([2, expect.stringContaining("Plan: 1 to add, 0 to change, 0 to destroy.")]);
    expect(output).toContain("docker_image.abalone_image will be created");
  });
});
