/** What went wrong with a deployment, in a sentence, and what to do next. */
export class DeploymentError extends Error {
  /**
   * @param problem what is wrong, with the values that matter
   * @param next what to do about it
   * @param details what a program said about it, where that helps
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

/** Terraform refuses a plan, for it would destroy what `prevent_destroy` protects. */
export class ProtectedError extends DeploymentError {}

/** AWS refuses to make what is there already. */
export class ExistsError extends DeploymentError {}

/** The state has changed since the plan was made: Terraform refuses to apply it. */
export class StaleError extends DeploymentError {}
