/** A container registry on 127.0.0.1: Debian's docker-registry. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { dockerManifest } from "./podman";
import { freePort, type Server, startServer } from "./processes";

export class Registry {
  private constructor(
    /** Host and port: where an image's name begins. */
    readonly address: string,
    private readonly server: Server,
  ) {}

  static async start(program: string, folder: string): Promise<Registry> {
    mkdirSync(join(folder, "data"), { recursive: true });
    const address = `127.0.0.1:${await freePort()}`;
    const configuration = join(folder, "config.json"); // JSON is YAML
    writeFileSync(
      configuration,
      JSON.stringify({
        version: "0.1",
        storage: { filesystem: { rootdirectory: join(folder, "data") } },
        http: { addr: address },
      }),
    );
    const server = await startServer(program, ["serve", configuration], {
      log: join(folder, "log"),
      isReady: async () => (await fetch(`http://${address}/v2/`)).ok,
    });
    return new Registry(address, server);
  }

  /** What the registry itself says of an image: digest and type of the manifest. */
  async manifest(repository: string, reference: string): Promise<{ digest: string; mediaType: string }> {
    const response = await fetch(`http://${this.address}/v2/${repository}/manifests/${reference}`, {
      headers: { accept: `${dockerManifest}, application/vnd.oci.image.manifest.v1+json` },
    });
    if (!response.ok) {
      throw new Error(`${repository}:${reference}: the registry answers ${response.status}`);
    }
    await response.arrayBuffer();
    return {
      digest: response.headers.get("docker-content-digest") ?? "",
      mediaType: response.headers.get("content-type") ?? "",
    };
  }

  async tags(repository: string): Promise<readonly string[]> {
    const response = await fetch(`http://${this.address}/v2/${repository}/tags/list`);
    return response.ok ? ((await response.json()) as { tags: string[] }).tags : [];
  }

  async stop(): Promise<void> {
    await this.server.stop();
  }
}
