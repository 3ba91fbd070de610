/** Checks the shell's credentials before anything else, so that no command works in the wrong account. */
import { STS } from "@aws-sdk/client-sts";
import type { Environment } from "../environments";
import { DeploymentError } from "./terraform";

/** A caller's AWS identity. */
export interface Identity {
  readonly account: string;
  readonly arn: string;
  /** AWS partition: `aws`, or one for China or governments. */
  readonly partition: string;
}

const signIn = "Sign in (aws sso login), or set AWS_PROFILE to a profile of the account, and run it again.";

/** Hosts of this machine. */
const loopback = /^(127(\.\d{1,3}){3}|localhost|\[::1\])$/;

/**
 * Checks that there are credentials, and that they belong to the environment's account.
 * @param variables environment variables, for an emulator's address. @default those of this process
 * @throws DeploymentError when they don't; no other request has been sent to AWS then
 */
export async function requireAccount(
  { name, account, region, emulated }: Environment,
  variables: NodeJS.ProcessEnv = process.env,
): Promise<Identity> {
  if (emulated) {
    requireEmulator(name, variables);
  }
  const client = new STS({ region });
  let identity: Identity;
  try {
    const caller = await client.getCallerIdentity({});
    const { Account: owner = "", Arn: arn = "" } = caller;
    identity = { account: owner, arn, partition: arn.split(":")[1] ?? "" };
  } catch (error) {
    throw withoutIdentity(name, error, variables);
  } finally {
    client.destroy();
  }
  if (identity.account !== account) {
    throw new DeploymentError(
      `The credentials are of account ${identity.account} (${identity.arn}); the environment ${name} is account ${account}.`,
      `Set AWS_PROFILE to a profile of account ${account}; if the account has changed, correct environments/${name}.ts.`,
    );
  }
  return identity;
}

/** Commands for an emulator never go to AWS, even if somebody owned that account. */
function requireEmulator(name: string, variables: NodeJS.ProcessEnv): void {
  const endpoint = variables.AWS_ENDPOINT_URL ?? "";
  const next = 'make up, then: eval "$(make -s env)", and run it again. For AWS, choose another ENVIRONMENT.';
  if (endpoint === "") {
    throw new DeploymentError(
      `The environment ${name} is for an emulator, but AWS_ENDPOINT_URL, its address, is not set.`,
      next,
    );
  }
  if (!URL.canParse(endpoint) || !loopback.test(new URL(endpoint).hostname)) {
    throw new DeploymentError(
      `The environment ${name} is for an emulator, but AWS_ENDPOINT_URL is ${JSON.stringify(endpoint)}; expected an address of this machine.`,
      next,
    );
  }
}

/** Error codes with which AWS refuses credentials (API reference, "Common Error Types"). */
const refusals: readonly string[] = [
  "ExpiredToken",
  "ExpiredTokenException",
  "InvalidClientTokenId",
  "UnrecognizedClientException",
  "SignatureDoesNotMatch",
  "IncompleteSignature",
];

function withoutIdentity(name: string, error: unknown, variables: NodeJS.ProcessEnv): DeploymentError {
  const code = error instanceof Error ? error.name : "";
  const said = error instanceof Error ? error.message : String(error);
  if (/CredentialsProviderError|TokenProviderError|Credentials/.test(code)) {
    const { AWS_PROFILE: profile = "" } = variables;
    if (profile === "") {
      return new DeploymentError(`There are no AWS credentials for ${name} (${said}).`, signIn);
    }
    return new DeploymentError(
      `AWS_PROFILE is ${JSON.stringify(profile)}, and that profile has no AWS credentials for ${name} (${said}).`,
      `Sign in (aws sso login --profile ${profile}), or set AWS_PROFILE to one of: aws configure list-profiles`,
    );
  }
  if (refusals.includes(code)) {
    return new DeploymentError(`AWS does not accept the credentials for ${name} (${code}: ${said}).`, signIn);
  }
  const where = variables.AWS_ENDPOINT_URL_STS ?? variables.AWS_ENDPOINT_URL;
  return new DeploymentError(
    `${where === undefined || where === "" ? "AWS" : where} did not report the credentials' account (${[code, said].filter((text) => text !== "").join(": ")}).`,
    where === undefined || where === ""
      ? "Check that this machine reaches AWS, and run it again."
      : "Check that it runs, or unset AWS_ENDPOINT_URL, and run it again.",
  );
}
