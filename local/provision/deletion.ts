import { dependenciesFirst } from "../../stacks/order";
import { describeError, ProvisionError } from "./errors";
import { creationOf, existingOf } from "./resource";
import { type ResourceKind, unlessMissing } from "./resource-kind";
import { resourceKinds, resourceTypesFile } from "./resource-types";
import { type Run, Stopped } from "./run";
import type { Made, ResourceState } from "./state";

/**
 * Deletes replaced resources and those that the stack no longer has, dependents first.
 * @param gone Addresses that the stack no longer has.
 * @throws ProvisionError that names the stack, the resource and the reason; or the error of the progress callback.
 */
export async function deleteGone(run: Run, gone: readonly string[]): Promise<void> {
  const { state, stack } = run;
  const dependenciesOf = (address: string): readonly string[] => state.get(address)?.dependencies ?? [];
  for (const address of dependenciesFirst([...state.addresses].sort(), dependenciesOf).reverse()) {
    const entry = state.get(address);
    const kind = entry && resourceKinds.get(entry.type);
    if (!entry || (!gone.includes(address) && !entry.deposed)) {
      continue;
    }
    if (!kind) {
      throw new ProvisionError(
        `Stack ${stack}: ${address} can't be deleted, because ${resourceTypesFile} no longer has its type ${entry.type}.`,
      );
    }
    try {
      await (gone.includes(address)
        ? deleteResource(run, address, entry, kind)
        : deleteDeposed(run, address, entry, kind));
    } catch (error) {
      if (error instanceof Stopped) {
        throw error.cause;
      }
      throw new ProvisionError(`Stack ${stack}, ${address} can't be deleted: ${describeError(error)}`);
    }
  }
}

async function deleteDeposed(run: Run, address: string, entry: ResourceState, kind: ResourceKind): Promise<void> {
  await deleteUnlessHeld(run, address, entry, kind, entry.deposed ?? [], () => true);
  run.state.set(address, { ...entry, deposed: undefined });
}

async function deleteResource(run: Run, address: string, entry: ResourceState, kind: ResourceKind): Promise<void> {
  run.report(address, "deleting");
  const victims = [...(entry.deposed ?? []), ...(entry.made ? [entry.made] : [])];
  if (entry.pending) {
    // Only its creation finds it again: finish that, then delete it.
    const creation = creationOf(run, kind, entry.pending, run.place(address, entry.region), []);
    victims.push({ ...entry.pending, attributes: await kind.create(creation) });
  }
  await deleteUnlessHeld(run, address, entry, kind, victims, (other) => other !== address);
  run.state.set(address, undefined);
  run.deleted.push(address);
  run.report(address, "deleted");
}

/** A resource that only changed its address in the stack was adopted under the new one, and stays. */
async function deleteUnlessHeld(
  run: Run,
  address: string,
  { type, region }: ResourceState,
  kind: ResourceKind,
  victims: readonly Made[],
  isHolder: (address: string) => boolean,
): Promise<void> {
  const held = run.state.addresses.filter(isHolder).flatMap((other) => {
    const entry = run.state.get(other);
    return entry?.type === type && entry.made ? [entry.made.attributes.id] : [];
  });
  for (const victim of victims.filter(({ attributes: { id } }) => !held.includes(id))) {
    await unlessMissing(kind.delete(existingOf(kind, victim, run.place(address, region))));
  }
}
