/** Creates in the AWS emulator what the synthesized stacks consist of: a small Terraform for what `make up` touches. */
export { ProvisionError } from "./errors";
export { inventory, type InventoryEntry } from "./inventory";
export { destroy, provision } from "./provision";
export type { Inventory, ProvisionOptions, Step } from "./run";
