/** The part of Terraform's plan as JSON that the platform reads ("JSON Output Format" in Terraform's documentation). */

/**
 * What Terraform does to a resource; a replacement has both "delete" and "create", in the order in which they happen.
 */
export type PlanAction = "no-op" | "create" | "read" | "update" | "delete" | "forget";

/** The change of one resource. */
export interface ResourceChange {
  /** Such as `aws_s3_bucket.data_bucket`. */
  readonly address: string;
  /** Its address before it was moved. */
  readonly previous_address?: string;
  readonly mode: "managed" | "data";
  readonly type: string;
  readonly name: string;
  readonly provider_name: string;
  readonly change: {
    readonly actions: readonly PlanAction[];
    readonly before: unknown;
    readonly after: unknown;
    /** True at each place whose value is known after the apply only. */
    readonly after_unknown: unknown;
    /** True at each place that is secret. */
    readonly before_sensitive: unknown;
    readonly after_sensitive: unknown;
    /** The paths of the arguments that make a replacement necessary. */
    readonly replace_paths?: readonly (readonly (string | number)[])[];
    /** Set where the resource is taken over. */
    readonly importing?: { readonly id?: string };
  };
  readonly action_reason?: string;
}

/** What `terraform show -json` says of a saved plan. */
export interface TerraformPlan {
  readonly format_version: string;
  readonly terraform_version: string;
  readonly resource_changes?: readonly ResourceChange[];
  /** What somebody has changed behind Terraform's back. */
  readonly resource_drift?: readonly ResourceChange[];
  readonly output_changes?: Readonly<Record<string, unknown>>;
  readonly prior_state?: unknown;
  readonly planned_values?: unknown;
  readonly configuration?: unknown;
  readonly applyable?: boolean;
  readonly complete?: boolean;
  readonly errored?: boolean;
}
