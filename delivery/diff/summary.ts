/**
 * What `make diff FORMAT=json` prints: what a deployment of an environment would change, stack by stack.
 *
 * The shape is stable: `version` grows with the first change that an older reader would misunderstand; new optional
 * fields may come at any time. Addresses are Terraform's, paths are dots and indices as in `rule[0].prefix`. Nothing
 * secret is in it: see `hidden`.
 */
import { z } from "zod";
import { stackIds } from "../../stacks/contract";

/** What stands at a place before or after. */
export const valueSchema = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("known"), value: z.json() }),
  /** Secret, as the provider says or as its name tells: the value is left out. */
  z.object({ kind: z.literal("hidden") }),
  /** Known after the deployment only. */
  z.object({
    kind: z.literal("unknown"),
    /** The resources from which it will come. */
    from: z.array(z.string()),
  }),
  z.object({ kind: z.literal("absent") }),
]);

/** What happens to one statement of a policy. */
export const statementChangeSchema = z.object({
  /** Its `Sid`; without one, its place: "statement 2". */
  statement: z.string(),
  effect: z.enum(["Allow", "Deny"]),
  change: z.enum(["added", "removed", "changed"]),
  /** Whether more may be allowed than before. In doubt it is true. */
  mayAllowMore: z.boolean(),
  /**
   * What comes and goes: actions, resources, principals, conditions (as "StringEquals aws:SourceAccount =
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

/** What happens to one argument. */
export const attributeChangeSchema = z.object({
  path: z.string(),
  before: valueSchema,
  after: valueSchema,
  /** Whether it is why the resource has to be replaced. */
  forcesReplacement: z.boolean(),
  /** In the place of the values, where both are policy documents. */
  policy: z.array(statementChangeSchema).optional(),
});

/** What happens to one resource. */
export const resourceChangeSchema = z.object({
  address: z.string(),
  type: z.string(),
  /**
   * `forget`: it stays in AWS, and Terraform no longer knows it. `import`: it is taken over. `move`: it has another
   * address.
   */
  action: z.enum(["delete", "replace", "forget", "update", "import", "move", "create"]),
  /** Whether a replacement makes the new one before it deletes the old one. */
  createBeforeDelete: z.boolean().optional(),
  /** Why, where Terraform says it. */
  reason: z.string().optional(),
  /** Its address before the move. */
  previousAddress: z.string().optional(),
  /** What is lost with a resource of this type when it is deleted: `holds` of its record in aws-services/. */
  holds: z.string().optional(),
  /** Whether `prevent_destroy` protects it. */
  protected: z.boolean().optional(),
  /** What changes in it; nothing for what comes or goes as a whole. */
  attributes: z.array(attributeChangeSchema),
  /** How many more arguments get values that are known after the deployment only. */
  knownLater: z.number().int(),
});

/** A stack whose parameters are awaited. */
export const awaitedSchema = z.object({
  stack: z.enum(stackIds),
  parameters: z.array(z.string()),
  /** `deployed`: the stack has to publish them first. `run`: it has, but the ML workflow has to put values there. */
  until: z.enum(["deployed", "run"]),
});

/** One stack. */
export const stackSummarySchema = z.object({
  stack: z.enum(stackIds),
  /** `waiting`: it can't be planned before what `awaits` names; `failed`: see `error`. */
  status: z.enum(["changes", "unchanged", "waiting", "failed"]),
  resources: z.array(resourceChangeSchema),
  awaits: z.array(awaitedSchema),
  /** What it reads and other stacks' plans change: after their deployment its plan will be another. */
  readsChanging: z.array(z.object({ parameter: z.string(), stack: z.enum(stackIds) })),
  error: z.object({ problem: z.string(), next: z.string(), details: z.string() }).optional(),
});

/** What may not happen unless somebody allows it by name. */
export const refusalSchema = z.object({
  stack: z.enum(stackIds),
  address: z.string(),
  action: z.enum(["delete", "replace"]),
  holds: z.string(),
  protected: z.boolean(),
});

/** The whole. */
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
