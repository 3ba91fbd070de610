import { messageOf, nameOf } from "./protocol/errors";
import { AccessError, RoleError, RoleSession, type Session } from "./role-session";
import type { Settings } from "./settings";

/** Calls `make` once; every call returns the same promise. */
function once<Made>(make: () => Promise<Made>): () => Promise<Made> {
  let made: Promise<Made> | undefined;
  return () => (made ??= make());
}

/** The session name that AWS's SageMaker uses. */
const sessionName = "SageMaker";

/** Errors for a session that the AWS endpoint does not know any more, for example after the emulator was killed. */
const lostSession = new Set([
  "ExpiredToken",
  "ExpiredTokenException",
  "InvalidAccessKeyId",
  "InvalidClientTokenId",
  "InvalidToken",
  "UnrecognizedClientException",
]);

const isRefusal = (error: unknown): boolean => /^AccessDenied(Exception)?$|^403$|^Forbidden$/.test(nameOf(error));

/** The part of a client's middleware stack that is used here: the SDK's own types differ from client to client. */
interface Middlewares {
  readonly add: (
    middleware: (
      next: (request: { readonly input: object }) => Promise<unknown>,
      context: { readonly commandName?: string },
    ) => (request: { readonly input: object }) => Promise<unknown>,
    place: { readonly step: "initialize"; readonly name: string },
  ) => void;
}

/**
 * Clients of the AWS endpoint with the same credentials. They are made when first used, since their packages take
 * longer to load than the whole service takes to start.
 */
export class AwsClients {
  private readonly options;

  /** @param session session of the role that they use. @default the account's own key */
  constructor(
    { awsEndpoint: endpoint, region, account }: Settings,
    readonly session?: RoleSession,
  ) {
    const ownKey = { accessKeyId: account, secretAccessKey: "test" };
    const credentials =
      // The SDK asks for expired credentials again before each request. The session decides when to renew.
      session === undefined ? ownKey : async () => ({ ...(await session.credentials()), expiration: new Date(0) });
    // About twenty seconds: the emulator may be restarting.
    this.options = { endpoint, region, credentials, maxAttempts: 9 };
  }

  /**
   * Assumes the role.
   * @throws RoleError when that is impossible
   */
  async check(): Promise<void> {
    await this.session?.credentials();
  }

  readonly s3 = once(async () => {
    const { S3 } = await import("@aws-sdk/client-s3");
    return this.watched(new S3({ ...this.options, forcePathStyle: true }), s3Request);
  });

  readonly sts = once(async () => new (await import("@aws-sdk/client-sts")).STS(this.options));

  readonly glue = once(async () => new (await import("@aws-sdk/client-glue")).Glue(this.options));

  // The caller polls, so it asks again soon.
  readonly cloudWatch = once(async () => {
    const { CloudWatch } = await import("@aws-sdk/client-cloudwatch");
    return this.watched(new CloudWatch({ ...this.options, maxAttempts: 2 }), (command) => ({
      action: `cloudwatch:${command}`,
      resource: "*",
    }));
  });

  // Few retries, so that no job waits long: lines that can't be sent are dropped, and the log file has them all.
  readonly logs = once(async () => {
    const { CloudWatchLogs } = await import("@aws-sdk/client-cloudwatch-logs");
    return this.watched(new CloudWatchLogs({ ...this.options, maxAttempts: 2 }), logsRequest);
  });

  /** Replaces a lost session, and reports refused requests with the role's name. */
  private watched<Client extends { readonly middlewareStack: object }>(
    client: Client,
    describe: (command: string, input: object) => { readonly action: string; readonly resource: string },
  ): Client {
    const { session } = this;
    if (session !== undefined) {
      (client.middlewareStack as Middlewares).add(
        (next, { commandName = "" }) =>
          async (request) => {
            try {
              return await next(request).catch((error: unknown) => {
                if (!lostSession.has(nameOf(error))) {
                  throw error;
                }
                session.forget();
                return next(request);
              });
            } catch (error) {
              if (!isRefusal(error)) {
                throw error;
              }
              throw accessError(session, describe(commandName.replace(/Command$/, ""), request.input), error);
            }
          },
        { step: "initialize", name: "roleSession" },
      );
    }
    return client;
  }
}

/** Action and resource are those of the endpoint's message; what it leaves out follows from the request. */
function accessError(
  { roleName }: RoleSession,
  { action, resource }: { readonly action: string; readonly resource: string },
  error: unknown,
): AccessError {
  const [, named = action, on] =
    /not authorized to perform: ([\w-]+:\w+)(?: on resource: "?([^\s"]+))?/.exec(messageOf(error)) ?? [];
  return new AccessError(
    `AccessDenied: the role ${roleName} was refused ${named} on ${on ?? resource}. ` +
      `Allow ${named} on it in the role's policy, and see that neither its permissions boundary nor the resource's own policy denies it`,
    { cause: error },
  );
}

function s3Request(command: string, input: object): { action: string; resource: string } {
  const { Bucket = "", Key } = input as { Bucket?: string; Key?: string };
  const action = command === "ListObjectsV2" ? "ListBucket" : command;
  return { action: `s3:${action}`, resource: `arn:aws:s3:::${Bucket}${Key === undefined ? "" : `/${Key}`}` };
}

function logsRequest(command: string, input: object): { action: string; resource: string } {
  const { logGroupName = "", logStreamName } = input as { logGroupName?: string; logStreamName?: string };
  const stream = logStreamName === undefined ? "" : `, log stream ${logStreamName}`;
  return { action: `logs:${command}`, resource: `the log group ${logGroupName}${stream}` };
}

/**
 * The credentials of the service at the AWS endpoint. With the setting `assumeRoles` it uses roles as AWS's SageMaker
 * does, otherwise always the account's own key.
 *
 * - With the role that a request names: inputs and outputs of jobs, model data, captured traffic, objects of the
 *   offline store, log streams, the requests of containers, and the alarms of a release ("Auto-Rollback Configuration
 *   and Monitoring", SageMaker Developer Guide).
 * - With the account's key: the metrics of endpoints, because the namespace `AWS/SageMaker` is the service's own, and
 *   the offline store's table in Glue.
 *
 * AWS's managed policy for the role of an offline store, AmazonSageMakerFeatureStoreAccess, cannot create a database,
 * table or partition in Glue. Its `glue:GetTable` and `glue:UpdateTable` came with the table format Iceberg, which this
 * package doesn't have. So SageMaker itself creates the table, for the caller of CreateFeatureGroup.
 */
export class Aws {
  /** Clients with the account's own key. */
  readonly own: AwsClients;

  constructor(private readonly settings: Settings) {
    this.own = new AwsClients(settings);
  }

  /**
   * Clients with a new session of a role. The role is assumed when the first client needs it.
   * @param roleArn undefined for a resource without a role: then nothing is possible
   */
  as(roleArn: string | undefined): AwsClients {
    if (!this.settings.assumeRoles) {
      return this.own;
    }
    const arn = roleArn ?? "";
    return new AwsClients(this.settings, new RoleSession(arn, () => this.assume(arn)));
  }

  private async assume(roleArn: string): Promise<Session> {
    try {
      const { Credentials: given } = await (
        await this.own.sts()
      ).assumeRole({ RoleArn: roleArn, RoleSessionName: sessionName });
      return {
        accessKeyId: given?.AccessKeyId ?? "",
        secretAccessKey: given?.SecretAccessKey ?? "",
        sessionToken: given?.SessionToken ?? "",
        expiration: given?.Expiration ?? new Date(),
      };
    } catch (error) {
      if (!isRefusal(error) && nameOf(error) !== "ValidationError") {
        throw error;
      }
      throw new RoleError(
        `Could not assume role ${roleArn}. Please ensure that the role exists and allows principal ` +
          `'sagemaker.amazonaws.com' to assume the role: its trust policy must allow that principal sts:AssumeRole (STS answered ${nameOf(error)})`,
        { cause: error },
      );
    }
  }
}
