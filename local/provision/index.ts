/** Creates in the AWS emulator what the synthesized stacks consist of: a small Terraform for what `make up` touches. */
export { ProvisionError } from "./errors";
export { provision } from "./provision";
export type { Inventory, ProvisionOptions, Step } from "./run";
