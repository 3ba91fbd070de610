/** `node --import tsx one-stack.ts <outdir>`: deploys the stack `data` of a folder that a test has written, as `make deploy` would. */
import { join } from "node:path";
import { cdktfDeploy } from "../../deployment/cdktf";
import { findTerraform } from "../../deployment/terraform";
import { loadEnvironment } from "../../environments";

const outdir = process.argv[2] ?? "";

findTerraform()
  .then((terraform) =>
    cdktfDeploy({
      environment: loadEnvironment("local"),
      manifest: { outdir, stacks: [] },
      stack: { id: "data", folder: join(outdir, "stacks/data"), dependencies: [] },
      terraform,
      lockSeconds: 0,
      onOutput: (text) => process.stdout.write(text),
    }),
  )
  .catch((error: unknown) => {
    process.stderr.write(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  });
