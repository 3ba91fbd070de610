/**
 * `make bootstrap ENVIRONMENT=`: creates the state bucket if it is missing, and imports it into its stack.
 *
 * The bucket's own state can't be in the bucket before it exists. So it is created first, without settings except
 * private and versioned, which is idempotent. From then on the stack `state` is deployed like any other, with its state
 * locked in the bucket; a state is never only on somebody's disk. If the command is killed at any point, the next run
 * continues. If two run at once, one waits for the other's lock or is refused.
 */
import { keepsOwnState, stateBucketName } from "../stacks/platform";
import { deployStack } from "./deploy";
import { requireAccount } from "./identity";
import { type Request, stackOf } from "./request";
import { createStateBucket, stateBucketExists } from "./state";
import { findTerraform, synthesize } from "./terraform";

/** Runs the command. */
export async function bootstrap(request: Request, say: (text: string) => void): Promise<void> {
  const { environment } = request;
  const { name, backend, account, region } = environment;
  if (backend.type === "cloud") {
    const { organization, project, hostname = "app.terraform.io" } = backend;
    say(
      `Nothing to create: Terraform Cloud keeps the states of ${name}. The workspaces acme-${name}-<stack> come with the first deploy` +
        `${project === undefined ? "" : `; the project ${JSON.stringify(project)} has to be there before`}.\n` +
        `→ terraform login${hostname === "app.terraform.io" ? "" : ` ${hostname}`}, if you have no token for ${organization} yet; then: make deploy ENVIRONMENT=${name}`,
    );
    return;
  }

  const terraform = await findTerraform();
  const identity = await requireAccount(environment);
  const bucket = stateBucketName(account, region);
  if (await stateBucketExists(environment)) {
    say(`The state bucket ${bucket} is there.`);
  } else {
    await createStateBucket(environment);
    say(`✔ Created the state bucket ${bucket} in account ${account}.`);
  }
  if (!keepsOwnState(environment)) {
    say(`→ make deploy ENVIRONMENT=${name}`);
    return;
  }

  const manifest = await synthesize(name);
  const stack = stackOf(manifest, environment, "state");
  await deployStack({
    request,
    identity,
    manifest,
    stack,
    terraform,
    say,
    command: `make bootstrap ENVIRONMENT=${name}`,
    harmlessIsApproved: true,
    takesOver: true,
  });
  say(`✔ The states of ${name} have their place: s3://${bucket}/${name}/\n→ make deploy ENVIRONMENT=${name}`);
}
