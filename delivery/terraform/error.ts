/** A deployment error: the problem in a sentence, and the next step. */
export class DeploymentError extends Error {
  /**
   * @param problem what is wrong, with the important values
   * @param next what to do about it
   * @param details a program's output, if that helps
   */
  constructor(
    readonly problem: string,
    readonly next: string,
    readonly details = "",
  ) {
    super([problem, `→ ${next}`, ...(details === "" ? [] : ["", details])].join("\n"));
    this.name = "DeploymentError";
  }
}

/** Terraform refuses a plan that would destroy what `prevent_destroy` protects. */
export class ProtectedError extends DeploymentError {}

/** AWS refuses to create what already exists. */
export class ExistsError extends DeploymentError {}

/** The plan is stale: the state has changed since, so Terraform refuses to apply it. */
export class StaleError extends DeploymentError {}
