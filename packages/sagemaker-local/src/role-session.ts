import { log } from "./log";
import { messageOf } from "./protocol/errors";

/** Credentials as the AWS SDK takes them. */
export interface Session {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  readonly expiration: Date;
}

/** A role that cannot be assumed; its message is for a FailureReason. */
export class RoleError extends Error {}

/** A refused request of a role; its message names role, action and resource, and is for a FailureReason. */
export class AccessError extends Error {}

/** A session is renewed when less than this is left. AWS's SDKs ask for new credentials 15 minutes before the end. */
const renewalMilliseconds = 30 * 60_000;

/** A session of a role. The role is assumed when the session is first used, and again well before it expires. */
export class RoleSession {
  private session: Session | undefined;
  private taking: Promise<Session> | undefined;
  private complained = false;

  /** @param assume assumes the role once */
  constructor(
    readonly roleArn: string,
    private readonly assume: () => Promise<Session>,
  ) {}

  /** The name of the role. */
  get roleName(): string {
    return this.roleArn.split("/").at(-1) ?? this.roleArn;
  }

  /**
   * Credentials that are valid for at least half an hour, or for less while they cannot be renewed.
   * @throws RoleError when the role does not exist, or does not trust SageMaker
   */
  async credentials(): Promise<Session> {
    const left = (this.session?.expiration.getTime() ?? 0) - Date.now();
    if (this.session !== undefined && left > renewalMilliseconds) {
      return this.session;
    }
    this.taking ??= this.assume().finally(() => {
      this.taking = undefined;
    });
    try {
      this.session = await this.taking;
      this.complained = false;
    } catch (error) {
      if (this.session === undefined || left <= 0) {
        throw error;
      }
      if (!this.complained) {
        log(`The session of the role ${this.roleName} could not be renewed yet: ${messageOf(error)}`);
      }
      this.complained = true;
    }
    return this.session;
  }

  /** Forgets the credentials; the next caller gets new ones. */
  forget(): void {
    this.session = undefined;
  }
}
