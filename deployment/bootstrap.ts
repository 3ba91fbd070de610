/**
 * `make bootstrap ENVIRONMENT=`: creates the bucket of the states where there is none, and has its stack take it over.
 *
 * The bucket is the one thing that can't have its state in the bucket before it is there. So it is created first, bare, private and versioned, which is
 * the same when done twice; from then on the stack `state` is deployed as any other: with its state in the bucket, locked. There is no time at which a state
 * lies on somebody's disk alone. Whoever is killed, and wherever, leaves nothing that the next one does not find; and of two at once, one waits for the
 * other's lock or is refused.
 */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { keepsOwnState, stateBucketName } from "../stacks/platform";
import { deployStack } from "./deploy";
import { requireAccount } from "./identity";
import { type Request, stackOf } from "./request";
import { createStateBucket, stateBucketExists } from "./state";
import { whatIsThere } from "./takeover";
import { findTerraform, synthesize, Workspace } from "./terraform";

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
  await requireAccount(environment);
  const bucket = stateBucketName(account, region);
  if (await stateBucketExists(environment)) say(`The state bucket ${bucket} is there.`);
  else {
    await createStateBucket(environment);
    say(`✔ Created the state bucket ${bucket} in account ${account}.`);
  }
  if (!keepsOwnState(environment)) {
    say(`→ make deploy ENVIRONMENT=${name}`);
    return;
  }

  const manifest = await synthesize(name);
  const stack = stackOf(manifest, environment, "state");
  const takeover = join(stack.folder, "takeover.tf.json");
  rmSync(takeover, { force: true });
  const workspace = new Workspace({
    folder: stack.folder,
    stack: stack.id,
    environment,
    terraform,
    lockSeconds: request.lockSeconds,
  });
  await workspace.init();
  const known = (await workspace.resources()).map(({ address }) => address);
  const found = (await whatIsThere(environment, stack)).filter(({ to }) => !known.includes(to));
  if (found.length > 0) writeFileSync(takeover, JSON.stringify({ import: found }, null, 2));
  try {
    await deployStack({
      request,
      manifest,
      stack,
      terraform,
      say,
      command: `make bootstrap ENVIRONMENT=${name}`,
      harmlessIsApproved: true,
    });
  } finally {
    rmSync(takeover, { force: true });
  }
  say(`✔ The states of ${name} have their place: s3://${bucket}/${name}/\n→ make deploy ENVIRONMENT=${name}`);
}
