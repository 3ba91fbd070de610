/**
 * Terraform for the platform's commands: finds and checks it, runs it with a time limit, and explains its errors.
 *
 *     const terraform = await findTerraform();
 *     const { stacks } = await synthesize("development");      // cdktf.out/development, in the order of deployment
 *     const workspace = new Workspace({ folder, stack, environment, terraform, variables: process.env });
 *     await workspace.init();
 *     const { changes } = await workspace.plan({ file: "plan" });
 *     const plan = await workspace.show("plan");               // terraform show -json
 */
export { type Ended, runChild } from "./child";
export { DeploymentError, ExistsError, ProtectedError, StaleError } from "./error";
export { explain, type Lock } from "./explain";
export { findTerraform } from "./find";
export type { PlanAction, ResourceChange, TerraformPlan } from "./plan";
export { type Manifest, outdirOf, readManifest, type SynthesizedStack, synthesize } from "./synthesize";
export { type StateResource, terraformVariables, Workspace, type WorkspaceOptions } from "./workspace";
