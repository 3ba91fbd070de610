/**
 * This machine's way to a package index, for a build that runs on it: index, certificates, proxy, local wheels. It is
 * read from pip's own settings and the environment, and mounted into the build; neither the project nor the image keeps
 * any of it.
 */
import { copyFileSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { succeed } from "./processes";

/** pip's options that say where packages come from; others, such as a target folder, are none of a build's business. */
const passedOn = new Set([
  "extra-index-url",
  "find-links",
  "index-url",
  "no-index",
  "proxy",
  "retries",
  "timeout",
  "trusted-host",
]);

const systemCertificates = "/etc/ssl/certs/ca-certificates.crt";

/** What `pip config list` prints, later lines winning as they do in pip: files, then the environment. */
export function readSettings(listed: string): Map<string, string> {
  const settings = new Map<string, string>();
  for (const line of listed.split("\n")) {
    const [, name, value] =
      /^(?:global|install|:env:)\.([a-z-]+)=(['"])?(.*?)\2?$/
        .exec(line)
        ?.flatMap((part, index) => (index === 2 ? [] : [part])) ?? [];
    if (name !== undefined && value !== undefined) {
      settings.set(name, value.replaceAll("\\n", "\n"));
    }
  }
  return settings;
}

/**
 * Mounts for a build, each `source:target:ro`; every target is there in the base, so that the mounts leave nothing
 * behind.
 */
export async function packageIndexMounts(pip: string, folder: string): Promise<readonly string[]> {
  mkdirSync(folder, { recursive: true });
  const settings = readSettings(await succeed(pip, ["config", "list"]));
  const { env } = process;
  const proxy = env.HTTPS_PROXY ?? env.https_proxy ?? env.HTTP_PROXY ?? env.http_proxy;
  if (proxy !== undefined && !settings.has("proxy")) {
    settings.set("proxy", proxy);
  }

  const certificates = [settings.get("cert"), env.REQUESTS_CA_BUNDLE, env.SSL_CERT_FILE, systemCertificates].find(
    (file) => file !== undefined && existsSync(file),
  );
  const wheels = join(folder, "wheels");
  mkdirSync(wheels);
  const links = (settings.get("find-links") ?? "").split(/\s+/).filter((link) => link !== "");
  const local = links.filter((link) => existsSync(link) && statSync(link).isDirectory());
  for (const source of local) {
    for (const name of readdirSync(source)) {
      if (statSync(join(source, name)).isFile()) {
        copyFileSync(join(source, name), join(wheels, name));
      }
    }
  }
  if (links.length > 0) {
    settings.set("find-links", [...links.filter((link) => !local.includes(link)), "/mnt"].join(" "));
  }

  const lines = [...settings]
    .filter(([name]) => passedOn.has(name))
    .map(
      ([name, value]) =>
        `${name} = ${value
          .trim()
          .split(/\s*\n\s*/)
          .join("\n    ")}`,
    );
  if (certificates !== undefined) {
    lines.push(`cert = ${systemCertificates}`);
  }
  const file = join(folder, "pip.conf");
  writeFileSync(file, ["[global]", ...lines, ""].join("\n"));
  return [
    `${file}:/etc/pip.conf:ro`,
    `${wheels}:/mnt:ro`,
    ...(certificates === undefined ? [] : [`${certificates}:${systemCertificates}:ro`]),
  ];
}
