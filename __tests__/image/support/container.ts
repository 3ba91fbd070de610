/**
 * Runs an image's command in its root file system as SageMaker does: as root, with the image's own environment and
 * working folder, and with /opt/ml mounted (Developer Guide, *How Amazon SageMaker AI Runs Your Training Image* and
 * *Custom Inference Code with Hosting Services*).
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { ImageConfiguration } from "./podman";
import { type Ended, run, type RunOptions, type Server, startServer } from "./processes";

const enter = `
mount --bind "$1" "$2/opt/ml"
mount -t proc proc "$2/proc"
mount --rbind /dev "$2/dev"
root=$2
shift 2
exec chroot "$root" "$@"
`;

export class Container {
  /** @param ml what the container finds as /opt/ml */
  constructor(
    private readonly root: string,
    private readonly image: ImageConfiguration,
    private readonly ml: string,
  ) {
    mkdirSync(join(root, "opt/ml"), { recursive: true });
  }

  /** Runs a command to its end. It has no network, like a job in a VPC without a route. */
  async run(command: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<Ended> {
    return run("unshare", ["--net", ...this.words(command, environment)], this.options);
  }

  /** Starts a server on a port of this machine, and waits until `isReady`. */
  async start(
    command: readonly string[],
    environment: Readonly<Record<string, string>>,
    isReady: () => Promise<boolean>,
    log: string,
  ): Promise<Server> {
    return startServer("unshare", this.words(command, environment), { ...this.options, isReady, log });
  }

  private words(command: readonly string[], environment: Readonly<Record<string, string>>): readonly string[] {
    const variables = [
      ...this.image.Config.Env,
      ...Object.entries(environment).map(([name, value]) => `${name}=${value}`),
    ];
    // `unshare`, the shell, `chroot` and `env` each become the next one, so that a signal reaches the command itself.
    return [
      ...["--mount", "sh", "-euc", enter, "enter", this.ml, this.root],
      ...["/usr/bin/env", "-i", `--chdir=${this.image.Config.WorkingDir}`, ...variables, ...command],
    ];
  }

  private get options(): RunOptions {
    return { environment: { PATH: process.env.PATH } };
  }
}
