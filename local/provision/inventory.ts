import { readdirSync } from "node:fs";
import { join } from "node:path";
import { readStateFile } from "./state";

/** Something that was made for a stack and is still there, as far as its state knows. */
export interface InventoryEntry {
  readonly stack: string;
  /** `aws_s3_bucket.data` */
  readonly address: string;
  readonly type: string;
  readonly id: string;
  /** Where the type has one. */
  readonly arn?: string;
}

/**
 * Lists what is provisioned over all stacks, from the state files of a folder, without asking the emulator.
 *
 * @param stateDirectory Folder with one state file (`<stack>.json`) for each stack; one that doesn't exist is empty.
 */
export function inventory(stateDirectory: string): readonly InventoryEntry[] {
  return stateFiles(stateDirectory).flatMap((file) => {
    const { stack, resources } = readStateFile(join(stateDirectory, file));
    return Object.entries(resources).flatMap(([address, { type, made }]) => {
      if (!made) {
        return [];
      }
      const { id, arn } = made.attributes;
      return [{ stack, address, type, id, arn: typeof arn === "string" ? arn : undefined }];
    });
  });
}

function stateFiles(directory: string): readonly string[] {
  try {
    return readdirSync(directory)
      .filter((file) => file.endsWith(".json"))
      .sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") {
      return [];
    }
    throw error;
  }
}
