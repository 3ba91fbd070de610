import type { Arguments } from "./arguments";
import type { Clients } from "./clients";
import type { ValueMap } from "./value";

/** A resource's attributes, for references and for finding it again. */
export interface Attributes extends ValueMap {
  /** Identifies the resource within its type. */
  readonly id: string;
}

/** Where a resource is made. */
export interface Place {
  readonly clients: Clients;
  readonly account: string;
  readonly region: string;
  /** The ARN of a service's resource, such as `table/messages`, in this region and account. */
  readonly arnOf: (service: string, resource: string) => string;
  /** Folder of the stack, from which paths to files are relative. */
  readonly directory: string;
  /** `stack/address`, for messages and for tagging resources without a name. */
  readonly owner: string;
}

/** Whether an argument's changes at run time are kept. */
export type Keeps = (argument: string) => boolean;

/** A resource to make. */
export interface Creation extends Place {
  readonly arguments: Arguments;
  /** The arguments' tags and the provider's default tags. */
  readonly tags: Record<string, string>;
  /** A unique text that stays the same when the creation is repeated after a kill. */
  readonly token: string;
  /** True when another resource of the stack has this id, so it must not be adopted. */
  readonly isTaken: (id: string) => boolean;
  /** True when `lifecycle.ignore_changes` contains the argument: changes at run time must be kept. */
  readonly keeps: Keeps;
}

/** A resource that exists. */
export interface Existing extends Place {
  readonly attributes: Attributes;
  /** The arguments with which it was made. */
  readonly arguments: Arguments;
}

/** An existing resource that gets other arguments. */
export interface Change extends Creation {
  readonly attributes: Attributes;
  /** The arguments with which it was made. */
  readonly previous: Arguments;
}

/**
 * A Terraform resource type: how it is made, read, changed and deleted through the AWS SDK.
 *
 * If `create` was killed half-way, a call with the same arguments, name and token must find and finish its work.
 */
export interface ResourceKind {
  /** Terraform's type, such as `aws_s3_bucket`. */
  readonly type: string;
  /** The argument with its name, if Terraform can generate the name from a prefix or from nothing. */
  readonly naming?: {
    readonly argument: string;
    readonly prefix: string;
    /** The service's limit in characters. */
    readonly maximumLength: number;
  };
  /** Arguments whose change makes a new resource. @default none */
  readonly replacedBy?: readonly string[];
  /** Arguments with paths of files whose content matters. @default none */
  readonly files?: readonly string[];
  create(creation: Creation): Promise<Attributes>;
  /** Returns a falsy value when it is so broken that it must be made again; throws AWS's error when it is gone. */
  exists(existing: Existing & { readonly keeps: Keeps }): Promise<unknown>;
  update(change: Change): Promise<Attributes>;
  /** Deletes it; throws AWS's error when it is already gone. */
  delete(existing: Existing): Promise<unknown>;
}

/** A type that is known but not made locally. */
export interface LeftOutKind {
  readonly type: string;
  /** The reason, as a clause for the list: "the model image is the local Python environment". */
  readonly reason: string;
  /** The values for references, computed as AWS would. @default only the arguments */
  readonly attributes?: (creation: Pick<Creation, "arguments" | "account" | "region">) => ValueMap;
}

/** A data source, which only reads. */
export interface DataSourceKind {
  readonly type: string;
  read(query: Place & { readonly arguments: Arguments }): Promise<ValueMap>;
}

/** A kind whose creation and change are the same, idempotent work. */
export function settled(
  kind: Omit<ResourceKind, "create" | "update"> & { readonly put: (creation: Creation) => Promise<Attributes> },
): ResourceKind {
  const { put, ...rest } = kind;
  return { ...rest, create: put, update: put };
}

/** Runs the work; undefined when AWS reports that the resource doesn't exist. */
export async function unlessMissing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (isMissing(error)) {
      return undefined;
    }
    throw error;
  }
}

/** True when AWS reports that the resource doesn't exist: by the error's name, or by status 404. */
export function isMissing(error: unknown): boolean {
  if (!(error instanceof Error)) {
    return false;
  }
  const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
  return (
    status === 404 ||
    /NotFound|NoSuch|DoesNotExist|^UnknownResource/i.test(error.name) ||
    // SageMaker and Athena have no error name for it.
    (/^(ValidationException|InvalidRequestException)$/.test(error.name) &&
      /could not find|does not exist|not found/i.test(error.message))
  );
}

/** True for an AWS error whose name is one of `names`. */
export function isNamed(error: unknown, ...names: readonly string[]): boolean {
  return error instanceof Error && names.includes(error.name);
}

/**
 * A text attribute of a resource.
 * @throws Error when it is missing: another version wrote the state.
 */
export function textOf(attributes: Attributes, name: string): string {
  const value = attributes[name];
  if (typeof value !== "string") {
    throw new Error(
      `its state has no "${name}": delete its entry in the state file, and the next run finds the resource by its name`,
    );
  }
  return value;
}

/** Whether a policy that AWS answers is the wanted one, however its JSON is spaced. */
export function isSamePolicy(found: string | undefined, wanted: string): boolean {
  return found !== undefined && JSON.stringify(JSON.parse(found)) === JSON.stringify(JSON.parse(wanted));
}

/** Tags in the format of most services. */
export function tagList(tags: Readonly<Record<string, string>>): { Key: string; Value: string }[] {
  return Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
}

/**
 * Polls until a state is reached, at even intervals: the emulator is on this machine, and others wait for the resource.
 * @param look Returns undefined to continue polling.
 * @param what For the message when it takes too long.
 */
export async function waitFor<T>(
  look: () => Promise<T | undefined>,
  what: string,
  { seconds, every = 0.1 }: { readonly seconds: number; readonly every?: number },
): Promise<T> {
  const end = Date.now() + seconds * 1_000;
  for (;;) {
    const result = await look();
    if (result !== undefined) {
      return result;
    }
    if (Date.now() > end) {
      throw new Error(`${what} was not ready after ${seconds} seconds`);
    }
    await new Promise((resolve) => setTimeout(resolve, every * 1_000));
  }
}

/**
 * Waits until AWS reports that the resource no longer exists.
 * @param look Requests it.
 * @param what For the message when it takes too long.
 */
export async function waitUntilGone(look: () => Promise<unknown>, what: string, seconds = 120): Promise<void> {
  const isThere = (): Promise<boolean> => look().then(() => true);
  await waitFor(async () => ((await unlessMissing(isThere())) ? undefined : true), `the deletion of ${what}`, {
    seconds,
  });
}
