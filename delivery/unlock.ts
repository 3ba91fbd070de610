/** `make unlock ENVIRONMENT= STACK= LOCK=`: shows who has locked a state, asks, and releases the lock. */
import { requireAccount } from "./identity";
import { confirm, type Request, stackOf } from "./request";
import { readLock, stateBucketExists } from "./state";
import { DeploymentError, findTerraform, synthesize, Workspace } from "./terraform";
import { since, workOf } from "./terraform/explain";

/** Runs the command. */
export async function unlock(request: Request, say: (text: string) => void): Promise<void> {
  const { environment, stack, lock: id } = request;
  const { name, backend } = environment;
  if (stack === undefined) {
    throw new DeploymentError(
      "STACK is missing: each stack has its own lock.",
      `make unlock ENVIRONMENT=${name} STACK=data`,
    );
  }
  if (backend.type === "cloud") {
    const host = backend.hostname ?? "app.terraform.io";
    throw new DeploymentError(
      `Terraform Cloud keeps the state of ${stack} in ${name}, and its lock.`,
      `Unlock the workspace under Settings, Locking: https://${host}/app/${backend.organization}/workspaces/acme-${name}-${stack}`,
    );
  }
  const terraform = await findTerraform();
  await requireAccount(environment);
  const lock = (await stateBucketExists(environment)) ? await readLock(environment, stack) : undefined;
  if (!lock) {
    say(`The state of ${stack} in ${name} is not locked.`);
    return;
  }
  say(`The state of ${stack} in ${name} is locked by ${lock.who}, for ${workOf(lock)}, since ${since(lock.created)}.`);
  const command = `make unlock ENVIRONMENT=${name} STACK=${stack} LOCK=${lock.id}`;
  if (id !== lock.id) {
    throw new DeploymentError(
      id === undefined ? "LOCK is missing." : `LOCK is ${id}, but the current lock has another id.`,
      `Check that nothing of ${lock.who} still runs; then: ${command}`,
    );
  }
  await confirm(
    // A build server can't know whether somebody else is still working.
    { approved: request.saidYes },
    `If it still runs, two would change ${stack} at once, and its state could be lost. Release the lock?`,
    command,
  );
  const manifest = await synthesize(name);
  const { folder } = stackOf(manifest, environment, stack);
  const workspace = new Workspace({ folder, stack, environment, terraform });
  await workspace.init();
  await workspace.forceUnlock(lock.id);
  say(`✔ The lock is released. What was half done is finished by: make deploy ENVIRONMENT=${name} STACK=${stack}`);
}
