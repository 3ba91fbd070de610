/** Creates the resources of synthesized stacks in the AWS emulator: a small Terraform for `make up`. */
export { ProvisionError } from "./errors";
export { provision } from "./provision";
export type { Inventory, ProvisionOptions, Step } from "./run";
