import { randomBytes } from "node:crypto";
import type { AwsClients } from "../aws";
import { ServiceError } from "../protocol/errors";
import type { WireAnswer } from "../protocol/http";
import type { RoleSession } from "../role-session";
import type { Settings } from "../settings";

/** The AWS credentials of one container. */
export interface ContainerIdentity {
  /** Variables by which an AWS SDK in the container finds them. */
  readonly environment: Readonly<Record<string, string>>;
  /** Revokes them: later requests for credentials are refused. */
  readonly end: () => void;
}

/** Variables through which an SDK would find other credentials. */
const others =
  /^AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN|(DEFAULT_)?PROFILE|ROLE_ARN|WEB_IDENTITY_TOKEN_FILE|CONFIG_FILE|SHARED_CREDENTIALS_FILE|CONTAINER_\w+)$/;

/** The variables that a job or model asks for, without those that contain or name credentials. */
export function withoutCredentials(environment: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !others.test(name)));
}

/**
 * Gives containers the AWS credentials of their role. As on SageMaker, a container requests them from an address, with
 * a token that is valid while the container runs. It never gets the account's own key.
 */
export class ContainerCredentials {
  /** Path of the address. */
  static readonly path = "/container-credentials";

  private readonly sessions = new Map<string, RoleSession>();
  private address = "";

  constructor(private readonly settings: Settings) {}

  /** Sets the service's port, before the first container starts. */
  listensOn(port: number): void {
    this.address = `http://127.0.0.1:${port}${ContainerCredentials.path}`;
  }

  /**
   * Credentials for a new container.
   * @param clients those of the container's role
   * @param isIsolated whether it has no network: then it gets no credentials (SageMaker Developer Guide, "Run Training
   * and Inference Containers in Internet-Free Mode")
   */
  give({ session }: AwsClients, isIsolated = false): ContainerIdentity {
    if (session === undefined) {
      const environment = { AWS_ACCESS_KEY_ID: this.settings.account, AWS_SECRET_ACCESS_KEY: "test" };
      return { environment, end: () => undefined };
    }
    if (isIsolated) {
      return { environment: {}, end: () => undefined };
    }
    const token = randomBytes(32).toString("base64url");
    this.sessions.set(token, session);
    return {
      environment: { AWS_CONTAINER_CREDENTIALS_FULL_URI: this.address, AWS_CONTAINER_AUTHORIZATION_TOKEN: token },
      end: () => {
        this.sessions.delete(token);
      },
    };
  }

  /**
   * Answers a container's request, in the form of Amazon ECS's credentials endpoint.
   * @param token its Authorization header
   * @throws ServiceError when the token is unknown, or its container has ended
   * @throws RoleError when the role can't be assumed any more
   */
  async answer(token: string | undefined): Promise<WireAnswer> {
    const session = this.sessions.get(token ?? "");
    if (session === undefined) {
      throw new ServiceError(
        "AccessDeniedException",
        "The token does not belong to a running container of sagemaker-local.",
        403,
      );
    }
    const { accessKeyId, secretAccessKey, sessionToken, expiration } = await session.credentials();
    return {
      status: 200,
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({
        RoleArn: session.roleArn,
        AccessKeyId: accessKeyId,
        SecretAccessKey: secretAccessKey,
        Token: sessionToken,
        Expiration: expiration.toISOString(),
      }),
    };
  }
}
