/**
 * What a deploy has made and its state doesn't know, because the machine died under it.
 *
 * Terraform saves a state in S3 every twenty seconds while it works, and when it ends in whatever way it may; only when it is killed together with all that
 * it could tell, what it made since the last save is known to nobody. Most of that has names that can't be given twice, so the next deploy meets it, and
 * stops. Then this finds it: it has Terraform import, in a plan, all that is still to be created and has an id by its name, leaves out what isn't there, and
 * writes the rest down as import blocks. The deploy that follows takes it over and makes what is missing.
 *
 * What has no name of its own (a KMS key without an alias yet, an API, a subnet) can't be found so: see docs/runbooks.md, "A machine died in a deploy".
 */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Environment } from "../environments";
import type { Import } from "./takeover";
import {
  DeploymentError,
  type ResourceChange,
  type SynthesizedStack,
  type TerraformPlan,
  Workspace,
} from "./terraform";

type Values = Readonly<Record<string, unknown>>;

const named =
  (argument: string) =>
  (values: Values): unknown =>
    values[argument];

/**
 * The id by which Terraform imports a resource ("Import" in the provider's documentation of each), of types whose second creation AWS refuses. What AWS
 * lets be made twice under one name, being the same then, is left out: it does no harm.
 */
const importIds: Readonly<Record<string, (values: Values, environment: Environment) => unknown>> = {
  aws_athena_workgroup: named("name"),
  aws_budgets_budget: ({ name }, { account }) => `${account}:${String(name)}`,
  aws_cloudwatch_log_group: named("name"),
  aws_codebuild_project: named("name"),
  aws_codecommit_repository: named("repository_name"),
  aws_codepipeline: named("name"),
  aws_dynamodb_table: named("name"),
  aws_ecr_repository: named("name"),
  aws_iam_role: named("name"),
  aws_kms_alias: named("name"),
  aws_lambda_function: named("function_name"),
  aws_lambda_permission: ({ function_name: name, statement_id: id }) => `${String(name)}/${String(id)}`,
  aws_mwaa_environment: named("name"),
  aws_s3_bucket: named("bucket"),
  aws_sagemaker_endpoint: named("name"),
  aws_sagemaker_feature_group: named("feature_group_name"),
  aws_sagemaker_model: named("name"),
  aws_sagemaker_model_package_group: named("model_package_group_name"),
  aws_sfn_state_machine: ({ name }, { account, region }) =>
    `arn:aws:states:${region}:${account}:stateMachine:${String(name)}`,
  aws_ssm_parameter: named("name"),
};

/** Import blocks for all that a plan would create and that could be there already under its name. */
export function candidates(
  { resource_changes: changes = [] }: TerraformPlan,
  environment: Environment,
): readonly Import[] {
  return changes.flatMap(({ address, type, change }) => {
    if (change.actions.join() !== "create") return [];
    const id = importIds[type]?.((change.after ?? {}) as Values, environment);
    return typeof id === "string" && !/\bundefined\b/.test(id) ? [{ to: address, id }] : [];
  });
}

/** Those of the import blocks at which a plan has failed, for nothing has their id. */
export function missingIn(said: string, imports: readonly Import[]): readonly Import[] {
  const text = said.replace(/\s+/g, " ");
  return imports.filter(
    ({ to, id }) =>
      text.includes(`import an existing object to "${to}"`) || (text.includes(`importing`) && text.includes(`(${id})`)),
  );
}

const file = "strays.tf.json";

/** Forgets the import blocks of an earlier deploy. */
export function forgetStrays({ folder }: SynthesizedStack): void {
  rmSync(join(folder, file), { force: true });
}

/**
 * Finds what an earlier deploy has made, and writes import blocks for it beside the stack; `forgetStrays` removes them.
 * @returns the addresses of what is taken over
 * @throws DeploymentError when something of that name is there that another stack, or somebody else, has made
 */
export async function findStrays(
  workspace: Workspace,
  stack: SynthesizedStack,
  environment: Environment,
): Promise<readonly string[]> {
  const planFile = "strays.plan";
  await workspace.plan({ file: planFile });
  let imports = candidates(await workspace.show(planFile), environment);
  while (imports.length > 0) {
    writeFileSync(join(stack.folder, file), JSON.stringify({ import: imports }, null, 2));
    try {
      await workspace.plan({ file: planFile });
      break;
    } catch (error) {
      const missing = error instanceof DeploymentError ? missingIn(error.details, imports) : [];
      forgetStrays(stack);
      if (missing.length === 0) throw error;
      imports = imports.filter((each) => !missing.includes(each));
    }
  }
  if (imports.length === 0) return [];
  const { resource_changes: changes = [] } = await workspace.show(planFile);
  const found = changes.filter(({ change }) => change.importing !== undefined);
  const foreign = found.find((change) => !isOurs(change) || change.change.actions.includes("delete"));
  if (foreign) {
    forgetStrays(stack);
    throw new DeploymentError(
      `${foreign.address} of ${stack.id} wants a name that something else has: ` +
        `it ${isOurs(foreign) ? "can't be made what the stack wants without replacing it" : "bears other tags than those of the stack"}.`,
      "Look at it in AWS. Remove it if nobody needs it, or give the resource of the stack another name; then type it again.",
    );
  }
  return found.map(({ address }) => address);
}

/** Whether what is there bears the tags that the stack gives. A bucket gets its tags by a call of their own, which may not have come. */
function isOurs({ type, change }: ResourceChange): boolean {
  const tagsOf = (values: unknown): Readonly<Record<string, string>> =>
    (values as { readonly tags_all?: Readonly<Record<string, string>> | null } | null)?.tags_all ?? {};
  const [there, wanted] = [tagsOf(change.before), tagsOf(change.after)];
  if (type === "aws_s3_bucket" && Object.keys(there).length === 0) return true;
  return ["Project", "Environment", "Stack"].every((name) => there[name] === wanted[name]);
}
