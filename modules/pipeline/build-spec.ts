/**
 * The buildspec of a CodeBuild build: the commands that a person would type (version 0.2; CodeBuild User Guide, "Build
 * specification reference").
 */

/** A build's commands. */
export interface BuildCommands {
  /** Run first; the first failure stops the build. @default none */
  readonly install?: readonly string[];
  /** Run next, in the same shell; the first failure fails the build. */
  readonly build: readonly string[];
  /** Shell variables, set by the commands, for later actions. @default none */
  readonly exports?: readonly string[];
}

/** Versions in CodeBuild's image. Node only runs npm, which installs the version that runs everything else. */
const runtimes = { nodejs: "22", python: "3.12" } as const;

/** The caches of package managers, which check each cached package's hash. */
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
