/** The part of Terraform's JSON plan that the platform reads ("JSON Output Format" in Terraform's documentation). */

/** Terraform's action on a resource; a replacement has both "delete" and "create", in order. */
export type PlanAction = "no-op" | "create" | "read" | "update" | "delete" | "forget";

/** The change of one resource. */
export interface ResourceChange {
  /** For example `aws_s3_bucket.data_bucket`. */
  readonly address: string;
  /** Its address before it was moved. */
  readonly previous_address?: string;
  readonly mode: "managed" | "data";
  readonly type: string;
  readonly change: {
    readonly actions: readonly PlanAction[];
    readonly before: unknown;
    readonly after: unknown;
    /** True for each value that is known only after the apply. */
    readonly after_unknown: unknown;
    /** True for each secret value. */
    readonly before_sensitive: unknown;
    readonly after_sensitive: unknown;
    /** The paths of the arguments that force a replacement. */
    readonly replace_paths?: readonly (readonly (string | number)[])[];
    /** Set if the resource is imported. */
    readonly importing?: { readonly id?: string };
  };
  readonly action_reason?: string;
}

/** The output of `terraform show -json` for a saved plan. */
export interface TerraformPlan {
  readonly resource_changes?: readonly ResourceChange[];
  /** Changes outside Terraform. */
  readonly resource_drift?: readonly ResourceChange[];
  readonly configuration?: unknown;
}
