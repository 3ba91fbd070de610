/**
 * An engine for Terraform's docker provider: podman's API on a socket, with a small server before it.
 *
 * The Docker API has no word for how a build is isolated, and podman then takes an OCI runtime, which needs cgroups of
 * its own liking. Podman's own build request has that word, and otherwise takes the same parameters and the same body:
 * so the server passes a build on as that one, with what `podman build` gets here on its command line (but mounts, for
 * which podman 4.3 has no parameter). All other requests pass as they are.
 */
import { createServer, request } from "node:http";
import { once } from "node:events";
import { join } from "node:path";
import { dockerManifest, type Podman } from "./podman";
import { startServer } from "./processes";

export interface Engine {
  /** What `DOCKER_HOST` is set to. */
  readonly address: string;
  /** The requests so far, without their parameters. */
  readonly requests: readonly string[];
  stop(): Promise<void>;
}

export async function startEngine(podman: Podman): Promise<Engine> {
  const behind = join(podman.folder, "podman.sock");
  const before = join(podman.folder, "docker.sock");
  const ping = (): Promise<boolean> =>
    new Promise((settle) => {
      request({ socketPath: behind, path: "/_ping" }, (answer) => {
        answer.resume();
        settle(answer.statusCode === 200);
      })
        .on("error", () => {
          settle(false);
        })
        .end();
    });
  const service = await startServer("podman", ["system", "service", "--time=0", `unix://${behind}`], {
    environment: podman.environment,
    log: join(podman.folder, "service.log"),
    isReady: ping,
  });

  const requests: string[] = [];
  const server = createServer((incoming, outgoing) => {
    const url = new URL(incoming.url ?? "/", "http://engine");
    requests.push(`${incoming.method ?? ""} ${url.pathname.replace(/^\/v[\d.]+/, "")}`);
    if (/^\/v[\d.]+\/build$/.test(url.pathname)) {
      url.pathname = "/v4.0.0/libpod/build";
      url.searchParams.set("isolation", "chroot");
      url.searchParams.set("networkmode", "host");
      url.searchParams.set("outputformat", dockerManifest);
      url.searchParams.set("layers", "false");
    }
    const passed = request(
      { socketPath: behind, path: url.pathname + url.search, method: incoming.method, headers: incoming.headers },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      },
    );
    passed.on("error", () => outgoing.destroy());
    incoming.pipe(passed);
  });
  server.listen(before);
  await once(server, "listening");
  return {
    address: `unix://${before}`,
    requests,
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await service.stop();
    },
  };
}
