import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

/** The folder of `cdktf.json`, also when this file runs from a bundle in `dist/`. */
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
