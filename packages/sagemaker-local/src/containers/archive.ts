import { execFile } from "node:child_process";
import { mkdirSync, readdirSync } from "node:fs";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Packs the content of `folder` as SageMaker packs a model: a gzipped tar whose paths start in the folder. */
export async function packFolder(folder: string, archive: string): Promise<void> {
  const names = readdirSync(folder).sort();
  // Without this option, tar refuses to make an empty archive.
  const content = names.length === 0 ? ["-T", "/dev/null"] : names.map((name) => `./${name}`);
  await run("tar", ["-czf", archive, "-C", folder, ...content]);
}

/**
 * Unpacks a gzipped tar into `folder`.
 * @throws Error when the file is not a gzipped tar archive
 */
export async function unpackArchive(archive: string, folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  await run("tar", ["-xzf", archive, "-C", folder]).catch((error: unknown) => {
    const reason = (error as { stderr?: string }).stderr ?? String(error);
    throw new Error(
      `The model archive could not be unpacked, a gzipped tar was expected: ${reason.trim().slice(0, 300)}`,
    );
  });
}
