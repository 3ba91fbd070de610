import { faultsOfAllSuites } from "./access";

/**
 * Fails the run when a role was refused something, or has a right that no suite used and no excuse explains.
 * @throws Error with a line for each
 */
export default function checkAccess(): void {
  const faults = faultsOfAllSuites();
  if (faults.length > 0) {
    throw new Error(`Rights of the platform's roles (make access):\n${faults.join("\n")}`);
  }
}
