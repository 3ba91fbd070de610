import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

import { projectRoot } from "../../modules/project-root";

/** The repository's root: every command of the platform is run from a checkout. */
export const root = projectRoot;

/** The account of the local environment (the same number is in environments/local.ts). */
export const account = "123456789012";

/** The region of the local environment (the same name is in environments/local.ts). */
export const region = "eu-west-1";

/**
 * One platform on this machine: a folder with all its state. Two instances (of `make up` and of a test) share only the
 * checkout and the Python environments.
 */
export interface Instance {
  /** Absolute path of the state folder. */
  readonly directory: string;
  /** Absolute path of a file in it. */
  readonly path: (...parts: string[]) => string;
}

/** Marks a folder that the platform created, so `make clean` may remove it. */
const marker = ".acme-platform";

/**
 * The version of the folder's content. Raise it with a change that makes older state unusable, and describe the change
 * here.
 *
 * - 1: folders without a version in their marker.
 * - 2: names of resources contain the stack's name.
 */
const layout = 2;

const markerText = `make clean removes this folder with all that is in it.\nlayout ${layout}\n`;

/**
 * Opens the instance in the folder of the environment variable `PLATFORM_DIRECTORY` (relative to the checkout).
 * @param directory Folder, default `.local`.
 * @param options anyLayout: for commands that only stop or remove it, whichever checkout made it. @default false
 * @throws Error when the folder has other files, or state of another layout
 */
export function openInstance(
  directory = process.env.PLATFORM_DIRECTORY,
  { anyLayout = false }: { readonly anyLayout?: boolean } = {},
): Instance {
  const absolute = resolve(root, directory === undefined || directory === "" ? ".local" : directory);
  if (statSync(absolute, { throwIfNoEntry: false })?.isDirectory() === false) {
    throw new Error(
      `PLATFORM_DIRECTORY: ${absolute} is a file; expected a folder that is new, empty, or the platform's own.`,
    );
  }
  mkdirSync(absolute, { recursive: true });
  if (!existsSync(join(absolute, marker))) {
    if (readdirSync(absolute).length > 0) {
      throw new Error(
        `PLATFORM_DIRECTORY: ${absolute} holds other files; expected a folder that is new, empty, or the platform's own.`,
      );
    }
    writeFileSync(join(absolute, marker), markerText);
  } else if (!anyLayout) {
    const [, found = "1"] = /^layout (.+)$/m.exec(readFileSync(join(absolute, marker), "utf8")) ?? [];
    if (found !== String(layout)) {
      throw new Error(
        `${shown(absolute)} holds a platform of another checkout: its layout is ${found}, and this checkout expects ${layout}. ` +
          "Remove it with `make clean`, then start over with `make up`.",
      );
    }
  }
  mkdirSync(join(absolute, "logs"), { recursive: true });
  mkdirSync(join(absolute, "home"), { recursive: true });
  return { directory: absolute, path: (...parts) => join(absolute, ...parts) };
}

/** A path for people: relative to the checkout if it is inside, otherwise absolute. */
export function shown(path: string): string {
  const fromRoot = relative(root, path);
  return fromRoot === "" || fromRoot.startsWith("..") ? path : fromRoot;
}

/** Reads a JSON file of the instance; returns `fallback` if it is missing or unreadable after a crash. */
export function readJson<T>(file: string, fallback: T): T {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as T;
  } catch {
    return fallback;
  }
}

/**
 * Reads a file that must not be replaced by a default: undefined only if it is missing.
 * @param holds Checks the content's shape.
 * @throws Error that names the file when it is damaged.
 */
export function readMemory<T>(file: string, holds: (content: unknown) => content is T): T | undefined {
  if (!existsSync(file)) {
    return undefined;
  }
  const content = readJson<unknown>(file, undefined);
  if (!holds(content)) {
    throw new Error(`${file} is damaged. Restore a good copy, or start over with \`make clean\`.`);
  }
  return content;
}

/** Writes a JSON file atomically: a reader never sees half of it, also after a kill. */
export function writeJson(file: string, value: unknown): void {
  mkdirSync(dirname(file), { recursive: true });
  const temporary = `${file}.${process.pid}.part`;
  writeFileSync(temporary, `${JSON.stringify(value, null, 2)}\n`);
  renameSync(temporary, file);
}

/**
 * The environment of every child process. It starts empty, so the shell's real AWS credentials, profiles, endpoints and
 * proxies reach no child; `HOME` is an empty folder, so `~/.aws` doesn't either.
 * @param extra Further variables for this child.
 */
export function cleanEnvironment(instance: Instance, extra: Record<string, string> = {}): Record<string, string> {
  return {
    PATH: [join(root, "node_modules/.bin"), process.env.PATH ?? "/usr/local/bin:/usr/bin:/bin"].join(":"),
    HOME: instance.path("home"),
    TMPDIR: process.env.TMPDIR ?? "/tmp",
    LANG: "C.UTF-8",
    TZ: "UTC",
    NO_PROXY: "*",
    AWS_CONFIG_FILE: "/dev/null",
    AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
    AWS_EC2_METADATA_DISABLED: "true",
    ...extra,
  };
}

/** Fake credentials: the emulator uses the access key as the account's number. */
export const harmlessCredentials = { accessKeyId: account, secretAccessKey: "test" };

/** Environment variables for an AWS client that works only with this instance. */
export function awsEnvironment(endpoint: string): Record<string, string> {
  return {
    AWS_ENDPOINT_URL: endpoint,
    AWS_REGION: region,
    AWS_DEFAULT_REGION: region,
    AWS_ACCESS_KEY_ID: harmlessCredentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: harmlessCredentials.secretAccessKey,
  };
}

/** Removes all AWS and proxy variables from this process, before any client is made. */
export function forgetRealCredentials(): void {
  for (const name of Object.keys(process.env)) {
    if (/^(AWS_|https?_proxy$|all_proxy$)/i.test(name)) {
      Reflect.deleteProperty(process.env, name);
    }
  }
  process.env.AWS_CONFIG_FILE = "/dev/null";
  process.env.AWS_SHARED_CREDENTIALS_FILE = "/dev/null";
  process.env.AWS_EC2_METADATA_DISABLED = "true";
}
