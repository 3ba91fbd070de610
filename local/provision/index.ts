/** Creates in the AWS emulator what the synthesized stacks say: a small Terraform for what `make up` touches. */
export { ProvisionError } from "./errors";
export { inventory, type InventoryEntry } from "./inventory";
export { destroy, type Inventory, provision, type Provisioned, type ProvisionOptions, type Step } from "./provision";
