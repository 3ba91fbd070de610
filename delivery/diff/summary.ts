/**
 * The output of `make diff FORMAT=json`: what a deployment of an environment would change, by stack.
 *
 * The format is stable: `version` changes when an older reader would misunderstand it; optional fields may be added at
 * any time. Addresses are Terraform's; paths have dots and indices, as in `rule[0].prefix`. It contains no secrets: see
 * `hidden`.
 */
import { z } from "zod";
import { stackIds } from "../../stacks/contract";

/** A value before or after. */
export const valueSchema = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("known"), value: z.json() }),
  /** A secret by the provider's mark or by its name; the value is left out. */
  z.object({ kind: z.literal("hidden") }),
  /** Known only after the deployment. */
  z.object({
    kind: z.literal("unknown"),
    /** The resources that will provide it. */
    from: z.array(z.string()),
  }),
  z.object({ kind: z.literal("absent") }),
]);

/** A change of one policy statement. */
export const statementChangeSchema = z.object({
  /** Its `Sid`, or its position: "statement 2". */
  statement: z.string(),
  effect: z.enum(["Allow", "Deny"]),
  change: z.enum(["added", "removed", "changed"]),
  /** Whether it may allow more than before; true if unsure. */
  mayAllowMore: z.boolean(),
  /**
   * Added and removed parts: actions, resources, principals, conditions (as "StringEquals aws:SourceAccount =
   * 123456789012").
   */
  parts: z.array(
    z.object({
      part: z.enum(["Action", "NotAction", "Resource", "NotResource", "Principal", "NotPrincipal", "Condition"]),
      added: z.array(z.string()),
      removed: z.array(z.string()),
    }),
  ),
});

/** A change of one argument. */
export const attributeChangeSchema = z.object({
  path: z.string(),
  before: valueSchema,
  after: valueSchema,
  /** Whether it forces a replacement. */
  forcesReplacement: z.boolean(),
  /** Replaces the values if both are policy documents. */
  policy: z.array(statementChangeSchema).optional(),
});

/** A change of one resource. */
export const resourceChangeSchema = z.object({
  address: z.string(),
  type: z.string(),
  /**
   * `forget`: it stays in AWS, but leaves the state. `import`: an existing resource enters the state. `move`: its
   * address changes.
   */
  action: z.enum(["delete", "replace", "forget", "update", "import", "move", "create"]),
  /** Whether a replacement creates the new one before it deletes the old one. */
  createBeforeDelete: z.boolean().optional(),
  /** Terraform's reason, if any. */
  reason: z.string().optional(),
  /** Its address before the move. */
  previousAddress: z.string().optional(),
  /** What is lost when a resource of this type is deleted: `holds` of its record in aws-services/. */
  holds: z.string().optional(),
  /** Whether `prevent_destroy` protects it. */
  protected: z.boolean().optional(),
  /** Its changes; empty if all of it is added or removed. */
  attributes: z.array(attributeChangeSchema),
  /** Number of further arguments whose values are known only after the deployment. */
  knownLater: z.number().int(),
});

/** A stack whose parameters are missing. */
export const awaitedSchema = z.object({
  stack: z.enum(stackIds),
  parameters: z.array(z.string()),
  /**
   * `deployed`: the stack must publish them first. `run`: the stack has published them, but the ML workflow must set
   * their values.
   */
  until: z.enum(["deployed", "run"]),
});

/** One stack. */
export const stackSummarySchema = z.object({
  stack: z.enum(stackIds),
  /** `waiting`: it can't be planned before the stacks in `awaits`; `failed`: see `error`. */
  status: z.enum(["changes", "unchanged", "waiting", "failed"]),
  resources: z.array(resourceChangeSchema),
  awaits: z.array(awaitedSchema),
  /** Parameters that it reads and other stacks' plans change: after their deployment its plan will differ. */
  readsChanging: z.array(z.object({ parameter: z.string(), stack: z.enum(stackIds) })),
  error: z.object({ problem: z.string(), next: z.string(), details: z.string() }).optional(),
});

/** A loss that is refused unless somebody allows it by name. */
export const refusalSchema = z.object({
  stack: z.enum(stackIds),
  address: z.string(),
  action: z.enum(["delete", "replace"]),
  holds: z.string(),
  protected: z.boolean(),
});

/** The whole summary. */
export const planSummarySchema = z.object({
  format: z.literal("acme-plan-summary"),
  version: z.literal(1),
  environment: z.string(),
  /** In the order of deployment. */
  stacks: z.array(stackSummarySchema),
  refused: z.array(refusalSchema),
});

export type Value = z.infer<typeof valueSchema>;
export type StatementChange = z.infer<typeof statementChangeSchema>;
export type AttributeChange = z.infer<typeof attributeChangeSchema>;
export type ResourceSummary = z.infer<typeof resourceChangeSchema>;
export type Awaited = z.infer<typeof awaitedSchema>;
export type StackSummary = z.infer<typeof stackSummarySchema>;
export type Refusal = z.infer<typeof refusalSchema>;
export type PlanSummary = z.infer<typeof planSummarySchema>;
