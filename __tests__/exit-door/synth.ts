/**
 * Synthesizes the same source on CDK Terrain (`cdktn`), the living successor of the archived CDKTF: `main.ts` is
 * bundled with the packages' names exchanged, and nothing else.
 *
 *     ENVIRONMENT=production CDKTF_OUTDIR=/somewhere tsx __tests__/exit-door/synth.ts
 *
 * Its packages stand in `__tests__/exit-door/node_modules` (`make install-exit-door`), so that nobody else installs 480
 * MB more.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { build, type Plugin } from "esbuild";
import { runCommand } from "../../command";

const root = join(__dirname, "../..");

/**
 * What takes the place of what. There is no docker provider for cdktn: CDKTF's own is bundled, and finds cdktn under
 * the name of cdktf.
 */
export const aliases: Readonly<Record<string, string>> = {
  cdktf: "cdktn",
  "@cdktf/provider-aws": "@cdktn/provider-aws",
  constructs: "constructs",
};

/** @param folder where the packages of the exit door are installed */
function exchange(folder: string): Plugin {
  // From the folder's own packages: the names are the same, or would not be found, from anywhere else.
  const fromFolder = createRequire(join(folder, "package.json"));
  return {
    name: "exchange",
    setup(bundle) {
      bundle.onResolve({ filter: /^[^./]/ }, ({ path, kind }) => {
        if (kind === "entry-point" || path.startsWith("@cdktf/provider-docker")) {
          return undefined;
        }
        for (const [from, to] of Object.entries(aliases)) {
          if (path === from || path.startsWith(`${from}/`)) {
            return { path: fromFolder.resolve(to + path.slice(from.length)), external: true };
          }
        }
        return { path, external: true };
      });
    },
  };
}

/**
 * Synthesizes an environment on cdktn.
 * @param outdir where the stacks are written, as `cdktf.out` would be
 * @throws Error when the packages are not installed, or with what the app said when it fails
 */
export async function synthesizeOnCdktn(environment: string, outdir: string): Promise<void> {
  if (!existsSync(join(__dirname, "node_modules/cdktn"))) {
    throw new Error("The packages of the exit door are not installed: run make install-exit-door.");
  }
  // Within the project, so that what is not exchanged is found in its own node_modules.
  const folder = mkdtempSync(join(root, "node_modules/.exit-door-"));
  try {
    const outfile = join(folder, "main.js");
    await build({
      absWorkingDir: root,
      entryPoints: ["main.ts"],
      bundle: true,
      platform: "node",
      target: "node22",
      outfile,
      logLevel: "warning",
      plugins: [exchange(__dirname)],
    });
    const { status, stdout, stderr } = spawnSync(process.execPath, [outfile], {
      cwd: root,
      env: { ...process.env, ENVIRONMENT: environment, CDKTF_OUTDIR: outdir },
      encoding: "utf8",
      timeout: 120_000,
    });
    if (status !== 0) {
      throw new Error(`The app failed on cdktn:\n${stderr || stdout}`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (require.main === module) {
  runCommand(({ ENVIRONMENT = "local", CDKTF_OUTDIR = "cdktf.out" }) => synthesizeOnCdktn(ENVIRONMENT, CDKTF_OUTDIR));
}
