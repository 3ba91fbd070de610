/**
 * `node --import tsx one-stack.ts <outdir>`: plans and deploys the stack `data` of a folder that a test has written, as
 * `make deploy` would.
 */
import { join } from "node:path";
import { runCommand } from "../../command";
import { cdktfDeploy } from "../../delivery/cdktf";
import { findTerraform, Workspace } from "../../delivery/terraform";
import { loadEnvironment } from "../../environments";

const outdir = process.argv[2] ?? "";

runCommand(async () => {
  const terraform = await findTerraform();
  const environment = loadEnvironment("local");
  const folder = join(outdir, "stacks/data");
  const plan = join(folder, "plan");
  const workspace = new Workspace({ folder, stack: "data", environment, terraform });
  await workspace.init();
  await workspace.plan({ file: plan });
  await cdktfDeploy({
    environment,
    manifest: { outdir, stacks: [] },
    stack: { id: "data", folder, dependencies: [] },
    terraform,
    plan,
    lockSeconds: 0,
    onOutput: (text) => process.stdout.write(text),
  });
});
