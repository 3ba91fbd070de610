import type { Arguments } from "./arguments";
import type { Clients } from "./clients";
import type { ValueMap } from "./value";

/** What the service knows of a resource, for references and for finding it again. */
export interface Attributes extends ValueMap {
  /** Identifies the resource among those of its type. */
  readonly id: string;
}

/** Where a resource is made. */
export interface Place {
  readonly clients: Clients;
  readonly account: string;
  readonly region: string;
  /** The ARN of something of a service, such as `table/messages`, in this region and account. */
  readonly arnOf: (service: string, resource: string) => string;
  /** Folder of the stack, from which paths to files are relative. */
  readonly directory: string;
  /** `stack/address`, for messages and for marking what has no name of its own. */
  readonly owner: string;
}

/** Whether an argument's changes at run time stay. */
export type Keeps = (argument: string) => boolean;

/** A resource that is to be made. */
export interface Creation extends Place {
  readonly arguments: Arguments;
  /** The arguments' tags with the provider's default tags. */
  readonly tags: Record<string, string>;
  /** A text that no other resource has and that stays the same when the making is repeated after a kill. */
  readonly token: string;
  /** True when another resource of the stack holds this id, which therefore must not be adopted. */
  readonly isTaken: (id: string) => boolean;
  /** True when `lifecycle.ignore_changes` names the argument: what was changed at run time must stay. */
  readonly keeps: Keeps;
}

/** A resource that exists. */
export interface Existing extends Place {
  readonly attributes: Attributes;
  /** The arguments with which it was made. */
  readonly arguments: Arguments;
}

/** A resource that exists and is to get other arguments. */
export interface Change extends Creation {
  readonly attributes: Attributes;
  /** The arguments with which it was made. */
  readonly previous: Arguments;
}

/**
 * One of Terraform's resource types: how it is made, looked at, changed and deleted through the AWS SDK.
 *
 * What `create` makes half-way before a kill it must find and finish when it is called again with the same arguments,
 * name and token.
 */
export interface ResourceKind {
  /** Terraform's type, such as `aws_s3_bucket`. */
  readonly type: string;
  /** The argument that names it, where Terraform would generate a name from a prefix or from nothing. */
  readonly naming?: {
    readonly argument: string;
    readonly prefix: string;
    /** In characters, the limit of the service. */
    readonly maximumLength: number;
  };
  /** Arguments whose change makes a new resource. @default none */
  readonly replacedBy?: readonly string[];
  /** Arguments that are paths of files whose content counts. @default none */
  readonly files?: readonly string[];
  create(creation: Creation): Promise<Attributes>;
  /** Something false when it is so broken that it must be made again; AWS's own error when it is gone. */
  exists(existing: Existing & { readonly keeps: Keeps }): Promise<unknown>;
  update(change: Change): Promise<Attributes>;
  /** Deletes it; AWS's own error when it is gone already. */
  delete(existing: Existing): Promise<unknown>;
}

/** A type that is known and not made locally. */
export interface LeftOutKind {
  readonly type: string;
  /** Why, as a clause for the list: "the model image is the local Python environment". */
  readonly reason: string;
  /** What other resources may refer to, computed as AWS would. @default nothing but the arguments */
  readonly attributes?: (creation: Pick<Creation, "arguments" | "account" | "region">) => ValueMap;
}

/** A data source: looks something up, makes nothing. */
export interface DataSourceKind {
  readonly type: string;
  read(query: Place & { readonly arguments: Arguments }): Promise<ValueMap>;
}

/** A kind whose making and changing are the same, repeatable work. */
export function settled(
  kind: Omit<ResourceKind, "create" | "update"> & { readonly put: (creation: Creation) => Promise<Attributes> },
): ResourceKind {
  const { put, ...rest } = kind;
  return { ...rest, create: put, update: put };
}

/** Runs the work; undefined when AWS says that the thing doesn't exist. */
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

/** True when AWS says that the thing doesn't exist: by the error's name, or by status 404. */
export function isMissing(error: unknown): boolean {
  if (!(error instanceof Error)) {
    return false;
  }
  const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
  return (
    status === 404 ||
    /NotFound|NoSuch|DoesNotExist|^UnknownResource/i.test(error.name) ||
    // SageMaker and Athena have no name of its own for it.
    (/^(ValidationException|InvalidRequestException)$/.test(error.name) &&
      /could not find|does not exist|not found/i.test(error.message))
  );
}

/** True for an AWS error whose name is one of `names`. */
export function isNamed(error: unknown, ...names: readonly string[]): boolean {
  return error instanceof Error && names.includes(error.name);
}

/**
 * One of a resource's attributes that is text.
 * @throws Error when there is none: the state was written by another version.
 */
export function textOf(attributes: Attributes, name: string): string {
  const value = attributes[name];
  if (typeof value !== "string") {
    throw new Error(`its state has no "${name}"; delete its entry in the state file to have it found again`);
  }
  return value;
}

/** Tags as most services want them. */
export function tagList(tags: Readonly<Record<string, string>>): { Key: string; Value: string }[] {
  return Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
}

/**
 * Looks again and again until the state is settled.
 * @param look Returns undefined while there is still something to wait for.
 * @param what For the message when it takes too long.
 */
export async function waitFor<T>(
  look: () => Promise<T | undefined>,
  what: string,
  { seconds, every = 0.1 }: { readonly seconds: number; readonly every?: number },
): Promise<T> {
  const end = Date.now() + seconds * 1_000;
  for (let pause = every; ; pause = Math.min(pause * 1.5, 2)) {
    const result = await look();
    if (result !== undefined) {
      return result;
    }
    if (Date.now() > end) {
      throw new Error(`${what} was not ready after ${seconds} seconds`);
    }
    await new Promise((resolve) => setTimeout(resolve, pause * 1_000));
  }
}

/**
 * Waits until AWS says that the thing doesn't exist any more.
 * @param look Asks for it.
 * @param what For the message when it takes too long.
 */
export async function waitUntilGone(look: () => Promise<unknown>, what: string, seconds = 120): Promise<void> {
  const isThere = (): Promise<boolean> => look().then(() => true);
  await waitFor(async () => ((await unlessMissing(isThere())) ? undefined : true), `the deletion of ${what}`, {
    seconds,
  });
}
