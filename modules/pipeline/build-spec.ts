/**
 * What a build of CodeBuild does: the commands that a person would type, in a buildspec of version 0.2 (CodeBuild User
 * Guide, "Build specification reference").
 */

/** A build's commands. */
export interface BuildCommands {
  /** Run first; when one fails, no other follows. @default none */
  readonly install?: readonly string[];
  /** Run next, in the same shell; when one fails, the build has failed. */
  readonly build: readonly string[];
  /** Variables of that shell, set by the commands, which the actions behind can use. @default none */
  readonly exports?: readonly string[];
}

/**
 * Versions that CodeBuild's image brings along. Node runs npm alone: npm installs the version with which everything
 * else runs.
 */
const runtimes = { nodejs: "22", python: "3.12" } as const;

/** What package managers keep. Each package is checked against its hash when it is taken from here. */
const caches = ["/root/.npm/**/*", "/root/.cache/uv/**/*", "/root/.cache/pip/**/*"];

/** The buildspec, as JSON, which is YAML too. */
export function buildSpec({ install = [], build, exports = [] }: BuildCommands): string {
  return JSON.stringify({
    version: "0.2",
    env: { shell: "bash", "exported-variables": exports.length > 0 ? exports : undefined },
    phases: {
      install: { "runtime-versions": runtimes, commands: install.length > 0 ? install : undefined },
      build: { commands: build },
    },
    cache: { paths: caches },
  });
}
