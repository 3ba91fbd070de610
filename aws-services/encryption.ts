/** How a type of resource that keeps something is encrypted, and with whose key. */
import { type Arguments, filled } from "./arguments";

/** A resource, as far as the question needs it. */
export interface EncryptedResource {
  readonly stack: string;
  readonly address: string;
  readonly arguments: Arguments;
}

/** The resources beside it. */
export interface Neighbours {
  /** The resources of a type, in the same stack, whose argument names the owner by one of its attributes. */
  belongingTo(
    owner: EncryptedResource,
    type: string,
    argument: string,
    attributes: readonly string[],
  ): readonly EncryptedResource[];
}

/** How something is encrypted. */
export interface Encryption {
  /**
   * A key of ours, a key of AWS's, the hardware of the instance, or nobody. `refused`: it has a key where AWS takes
   * none, so that making it would fail.
   */
  readonly by: "own key" | "key of AWS" | "hardware" | "none" | "refused";
  /** What is encrypted, where a resource has several such things. @default the resource */
  readonly part?: string;
}

/**
 * How the encryption of a type is read, or, where it has an argument for a key of which we make no use, why not. What
 * AWS does without a key is in the security chapter of each service's guide, section "Encryption at rest".
 */
export type EncryptionRule =
  ((resource: EncryptedResource, neighbours: Neighbours) => readonly Encryption[]) | { readonly elsewhere: string };

/** A key of ours where the condition holds. */
export const ownKeyIf = (
  condition: boolean,
  part?: string,
  otherwise: Encryption["by"] = "key of AWS",
): Encryption => ({ by: condition ? "own key" : otherwise, part });

/** The rule of a type that has one argument for the key. */
export const keyArgument =
  (argument: string, otherwise?: Encryption["by"]): EncryptionRule =>
  (resource) => [ownKeyIf(filled(resource.arguments, argument), undefined, otherwise)];
