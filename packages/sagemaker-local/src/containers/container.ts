import { existsSync, readFileSync, readdirSync } from "node:fs";
import { basename, delimiter, dirname, join } from "node:path";
import type { Settings } from "../settings";
import { withoutCredentials } from "./credentials";

/** Where SageMaker's containers find their files; here moved by SAGEMAKER_BASE_DIR. */
const containerBase = "/opt/ml";

/** A container that can't run here; its message becomes the FailureReason. */
export class ContainerError extends Error {}

/**
 * The command that runs an executable of the model image.
 * @param image the container image's address
 * @param entrypoint what to run in it, such as `["process"]`
 * @throws ContainerError when the image is not the model image, or has no such executable
 */
export function containerCommand(
  settings: Settings,
  image: string,
  entrypoint: readonly string[],
  base: string,
): { command: string; arguments: string[] } {
  checkImage(settings, image);
  const named = entrypoint.length > 0 ? entrypoint : imageCommand(settings);
  const [executable = "", ...rest] = named.map((part) => movedPath(part, base));
  const own = join(settings.imageDirectory, "bin", basename(executable));
  if (executable !== "" && existsSync(own)) {
    return { command: settings.imagePython, arguments: [own, ...rest] };
  }
  if (/^python3?(\.\d+)?$/.test(basename(executable))) {
    return { command: settings.imagePython, arguments: rest };
  }
  const bin = join(settings.imageDirectory, "bin");
  const available = existsSync(bin) ? readdirSync(bin).filter((name) => !name.startsWith(".")) : [];
  throw new ContainerError(
    `The model image has no executable '${executable}': its folder ${bin} has [${available.sort().join(", ")}]. ` +
      "Name one of these in the ContainerEntrypoint, or 'python3' with a script",
  );
}

/** What the image runs when no command is given: the CMD of its Dockerfile. */
function imageCommand({ imageDirectory }: Settings): readonly string[] {
  const file = join(imageDirectory, "Dockerfile");
  const text = existsSync(file) ? readFileSync(file, "utf8") : "";
  const [, list] = /^CMD\s+(\[.*\])\s*$/m.exec(text) ?? [];
  return list === undefined ? [] : (JSON.parse(list) as string[]);
}

/**
 * Refuses an image that this machine has no code for.
 * @throws ContainerError saying what to do
 */
export function checkImage(settings: Settings, image: string): void {
  const repository = image
    .replace(/@sha256:[0-9a-f]+$/, "")
    .replace(/:[^:/]+$/, "")
    .split("/")
    .at(-1);
  if (repository !== settings.imageRepository) {
    throw new ContainerError(
      `The image '${image}' can't run here: without Docker, sagemaker-local runs only images of the repository ` +
        `'${settings.imageRepository}', whose code is ${settings.imageDirectory}. Use an image of that repository, ` +
        "or set MODEL_IMAGE_REPOSITORY and MODEL_IMAGE_DIRECTORY to the code of this image",
    );
  }
}

/** A path under /opt/ml moved to `base`; anything else as it is. */
export function movedPath(text: string, base: string): string {
  return text === containerBase || text.startsWith(`${containerBase}/`)
    ? base + text.slice(containerBase.length)
    : text;
}

/**
 * The environment of a container. Of this machine's variables it has only PATH, so that no real credentials, profiles
 * or endpoints get in. What the platform sets wins over what the job asks for.
 * @param own what the job or model asks for
 * @param identity variables by which the container finds its AWS credentials
 */
export function containerEnvironment(
  settings: Settings,
  base: string,
  own: Readonly<Record<string, string>>,
  identity: Readonly<Record<string, string>>,
): Record<string, string> {
  const system = ["/usr/local/bin", "/usr/bin", "/bin"];
  return {
    PYTHONUNBUFFERED: "1",
    ...withoutCredentials(own),
    PATH: [dirname(settings.imagePython), join(settings.imageDirectory, "bin"), ...system].join(delimiter),
    HOME: base,
    LANG: "C.UTF-8",
    TZ: "UTC",
    // Keeps compiled Python out of the image's folder.
    PYTHONPYCACHEPREFIX: settings.bytecodeDirectory,
    ...identity,
    AWS_REGION: settings.region,
    AWS_DEFAULT_REGION: settings.region,
    AWS_ENDPOINT_URL: settings.awsEndpoint,
    AWS_EC2_METADATA_DISABLED: "true",
    SAGEMAKER_BASE_DIR: base,
  };
}

/** The text of a file that a container may have written, at most 1,024 characters of it. */
export function writtenText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8").trim().slice(0, 1024) || undefined;
  } catch {
    return undefined;
  }
}
