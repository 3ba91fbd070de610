import { apply } from "./apply";
import { ProvisionError } from "./errors";
import { dataSourceKinds, leftOutKinds, resourceKinds, resourceTypesFile } from "./resource-types";
import { type Inventory, type ProvisionOptions, Run } from "./run";
import { readStack, type StackDocument } from "./stack-document";

/**
 * Creates, changes and deletes a synthesized stack's resources in the emulator. It is idempotent, and after a kill at
 * any moment the next run finishes the work.
 * @throws ProvisionError that names the stack, the resource and the reason. The state keeps what was made before.
 */
export async function provision(options: ProvisionOptions): Promise<{ readonly inventory: Inventory }> {
  const document = readStack(options.stackDirectory);
  refuseUnknownTypes(document);
  const run = new Run(options, document.name);
  try {
    await apply(run, document);
    await run.save();
    return { inventory: run.inventory() };
  } finally {
    run.close();
  }
}

function refuseUnknownTypes({ name, resources, dataSources }: StackDocument): void {
  const unknown = [
    ...[...resources.values()].filter(({ type }) => !resourceKinds.has(type) && !leftOutKinds.has(type)),
    ...[...dataSources.values()].filter(({ type }) => !dataSourceKinds.has(type)),
  ].map(({ address }) => address);
  if (unknown.length > 0) {
    throw new ProvisionError(
      `Stack ${name}: the local provisioning doesn't know the types of ${unknown.sort().join(", ")}. ` +
        `Add each to ${resourceTypesFile}: how it is made, or why it is left out. Nothing was made.`,
    );
  }
}
