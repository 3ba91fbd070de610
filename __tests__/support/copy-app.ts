import { cpSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../../modules/project-root";

/** What `npm run synth` reads, besides `node_modules`. */
const sources = [
  ...["main.ts", "command.ts", "cdktf.json", "package.json", "tsconfig.json"],
  ...["airflow-dags", "aws-services", "environments", "handlers", "model-image", "modules", "policies", "stacks"],
  ...["survey", "web"],
];

/** Copies the app, which has built nothing there yet, into a folder. */
export function copyApp(folder: string): void {
  for (const source of sources) {
    cpSync(join(projectRoot, source), join(folder, source), {
      recursive: true,
      filter: (path) => !/\/(\.[a-z_]+_cache|__pycache__|tests)$/.test(path),
    });
  }
  symlinkSync(join(projectRoot, "node_modules"), join(folder, "node_modules"));
}
