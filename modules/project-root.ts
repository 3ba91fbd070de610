import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

/** The folder of `cdktf.json`: the same whether this file runs where it stands or bundled into `dist/`. */
export const projectRoot: string = (() => {
  let folder = __dirname;
  while (!existsSync(join(folder, "cdktf.json"))) {
    const parent = dirname(folder);
    if (parent === folder) {
      throw new Error(`No cdktf.json above ${__dirname}: run the app from a checkout of the project.`);
    }
    folder = parent;
  }
  return folder;
})();
