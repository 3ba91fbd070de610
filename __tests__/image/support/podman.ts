/**
 * Debian's podman on a storage of its own: no daemon, no cgroups, no overlay file system. What runs in a build only
 * changes its root (`--isolation chroot`), and a container's file system is a plain folder (storage driver `vfs`).
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run, type RunOptions, type Ended, succeed } from "./processes";

/** What an image says about itself, as far as it matters here. */
export interface ImageConfiguration {
  readonly Id: string;
  readonly Digest: string;
  readonly ManifestType: string;
  readonly Architecture: string;
  readonly RootFS: { readonly Layers: readonly string[] };
  readonly Config: {
    readonly Cmd: readonly string[];
    readonly Env: readonly string[];
    readonly ExposedPorts: Readonly<Record<string, unknown>>;
    readonly Labels: Readonly<Record<string, string>>;
    readonly User?: string;
    readonly WorkingDir: string;
  };
}

/** How SageMaker wants an image: it refuses the manifest of the Open Container Initiative. */
export const dockerManifest = "application/vnd.docker.distribution.manifest.v2+json";

export class Podman {
  readonly environment: Readonly<Record<string, string | undefined>>;

  /** @param insecureRegistry host and port of a registry that speaks plain HTTP, as one on 127.0.0.1 may */
  constructor(
    readonly folder: string,
    insecureRegistry: string,
  ) {
    mkdirSync(folder, { recursive: true });
    const file = (name: string, ...lines: string[]): string => {
      const path = join(folder, name);
      writeFileSync(path, `${lines.join("\n")}\n`);
      return path;
    };
    const text = JSON.stringify; // a TOML string, for what paths hold
    this.environment = {
      PATH: process.env.PATH,
      HOME: folder,
      CONTAINERS_CONF: file(
        "containers.conf",
        "[engine]",
        'cgroup_manager = "cgroupfs"',
        'events_logger = "none"',
        'lock_type = "file"',
        `tmp_dir = ${text(join(folder, "libpod"))}`,
        "[network]",
        `network_config_dir = ${text(join(folder, "networks"))}`,
      ),
      CONTAINERS_STORAGE_CONF: file(
        "storage.conf",
        "[storage]",
        'driver = "vfs"',
        `graphroot = ${text(join(folder, "storage"))}`,
        `runroot = ${text(join(folder, "run"))}`,
      ),
      CONTAINERS_REGISTRIES_CONF: file(
        "registries.conf",
        "[[registry]]",
        `location = ${text(insecureRegistry)}`,
        "insecure = true",
      ),
      // Where builds keep what they unpack.
      TMPDIR: folder,
    };
  }

  /** Runs a command of podman to its end, whatever that is. */
  async try(...words: string[]): Promise<Ended> {
    return run("podman", words, this.options);
  }

  /** @throws Error with the end of its output when it fails */
  async do(...words: string[]): Promise<string> {
    return succeed("podman", words, this.options);
  }

  async inspect(image: string): Promise<ImageConfiguration> {
    const [configuration] = JSON.parse(await this.do("image", "inspect", image)) as [ImageConfiguration];
    return configuration;
  }

  /** The folder with an image's whole root file system. Nothing is mounted: it is a folder of the storage. */
  async rootOf(image: string): Promise<string> {
    return this.do("image", "mount", image);
  }

  private get options(): RunOptions {
    return { environment: this.environment };
  }
}

/** The words with which `podman build` builds without an engine, each step again. */
export const buildOptions = (mounts: readonly string[]): readonly string[] => [
  "--isolation=chroot",
  "--network=host",
  "--format=docker",
  "--layers=false",
  "--pull=never",
  ...mounts.map((mount) => `--volume=${mount}`),
];
