import { join } from "node:path";
import type { ServiceError } from "../protocol/errors";
import type { Arns } from "./arns";
import { listPage, type ListRequest } from "./listing";
import { ResourceStore } from "./store";
import type { TagRegistry, Tags } from "./tags";

/** What all kinds of resources share. */
export interface ResourceContext {
  /** Contains a folder for the files of each kind. */
  readonly folder: string;
  readonly arns: Arns;
  readonly tags: TagRegistry;
}

/** What is particular about a kind of resources. */
export interface Kind<Prefix extends string> {
  /** Prefix of members: `TrainingJob` for TrainingJobName, TrainingJobArn and TrainingJobStatus. */
  readonly prefix: Prefix;
  /** Its type in an ARN, such as `training-job`. */
  readonly type: string;
  /** Where its files are, such as `training-jobs`. */
  readonly folder: string;
  /** Members that every resource of the kind has besides name and creation time. @default none */
  readonly members?: readonly string[];
  /** The default order of lists. */
  readonly order: "Ascending" | "Descending";
  /** The error when there is no resource of a name. */
  readonly missing: (name: string, arn: string) => ServiceError;
  /** The error when a new resource has the name of another. */
  readonly taken: (name: string, arn: string) => ServiceError;
}

/** The members of a new resource that the request does not set, without those that every resource gets. */
type Own<Prefix extends string, Resource, Request> = Partial<Resource> &
  Omit<Resource, keyof Request | `${Prefix}Arn` | "CreationTime" | "LastModifiedTime">;

/** Which resources are listed, and in what order. */
interface Listing<Resource> {
  /** A further filter, besides those of every list. @default all */
  readonly where?: (resource: Resource) => boolean;
  /** The key for SortBy Name. @default the name */
  readonly sortableName?: (resource: Resource) => string;
  /** Values of the sort keys beyond Name, CreationTime and Status. */
  readonly sortKeys?: (resource: Resource) => Readonly<Record<string, string>>;
}

/**
 * The resources of one kind, with their ARNs, tags and files.
 *
 * A resource has the members that its Describe operation answers, and may have internal ones: a client gets only the
 * members of the answer's shape. So Create, Update and List can answer whole resources, too.
 */
export class Resources<Prefix extends string, Resource extends object> {
  private readonly store: ResourceStore<Resource>;

  constructor(
    private readonly context: ResourceContext,
    private readonly kind: Kind<Prefix>,
  ) {
    const members = [`${kind.prefix}Name`, "CreationTime", ...(kind.members ?? [])];
    this.store = new ResourceStore(join(context.folder, kind.folder), members);
    context.tags.register(kind.type, (name) => this.store.has(name));
  }

  all(): Resource[] {
    return this.store.values();
  }

  /** The resource of this name or ARN, if there is one. */
  find(nameOrArn: string): Resource | undefined {
    return this.store.get(this.context.arns.nameIn(this.kind.type, nameOrArn));
  }

  /**
   * The resource of this name or ARN.
   * @throws ServiceError when there is none
   */
  existing(nameOrArn: string): Resource {
    const found = this.find(nameOrArn);
    if (found === undefined) {
      const name = this.context.arns.nameIn(this.kind.type, nameOrArn);
      throw this.kind.missing(name, this.arnOf(name));
    }
    return found;
  }

  /** @throws ServiceError when a new resource can't have this name, or these tags */
  checkNew(name: string, tags?: Tags): void {
    if (this.store.has(name)) {
      throw this.kind.taken(name, this.arnOf(name));
    }
    this.context.tags.check(tags);
  }

  /**
   * Makes the resource that a request describes.
   * @param own members that the request does not have, or that differ from the request
   * @throws ServiceError when its name is taken, or its tags are invalid
   */
  create<Request extends Readonly<Record<`${Prefix}Name`, string>> & { Tags?: Tags | undefined }>(
    request: Request,
    own: Own<Prefix, Resource, Request>,
  ): Resource {
    const { Tags: tags, ...described } = request;
    const name = this.text(request, "Name");
    this.checkNew(name, tags);
    const arn = this.arnOf(name);
    this.context.tags.create(arn, tags);
    const now = new Date();
    const times = { CreationTime: now, LastModifiedTime: now };
    const resource = { ...described, [`${this.kind.prefix}Arn`]: arn, ...times, ...own } as unknown as Resource;
    this.store.put(name, resource);
    return resource;
  }

  /** Changes a resource in place and stores it. */
  change(resource: Resource, changes: Partial<Resource>): Resource {
    return this.write(resource, { ...changes, LastModifiedTime: new Date() });
  }

  /** Stores a resource's internal members, which does not count as a change for clients. */
  write(resource: Resource, own: Partial<Resource>): Resource {
    Object.assign(resource, own);
    this.store.put(this.text(resource, "Name"), resource);
    return resource;
  }

  /**
   * Removes a resource with its tags.
   * @throws ServiceError when there is none
   */
  remove(nameOrArn: string): Resource {
    const resource = this.existing(nameOrArn);
    this.context.tags.remove(this.text(resource, "Arn"));
    this.store.delete(this.text(resource, "Name"));
    return resource;
  }

  /** A page of resources as the member of a List operation's answer. */
  list<Member extends string>(
    request: ListRequest,
    member: Member,
    { where = () => true, sortableName, sortKeys }: Listing<Resource> = {},
  ): Readonly<Record<Member, Resource[]>> & { readonly NextToken: string | undefined } {
    const page = listPage(
      this.all().filter(where),
      request,
      (resource) => {
        const { CreationTime, LastModifiedTime } = resource as { CreationTime: Date; LastModifiedTime?: Date };
        return {
          name: sortableName?.(resource) ?? this.text(resource, "Name"),
          created: CreationTime,
          modified: LastModifiedTime,
          status: this.text(resource, "Status"),
          sortKeys: sortKeys?.(resource),
        };
      },
      this.kind.order,
    );
    return { [member]: page.items, NextToken: page.nextToken } as never;
  }

  private arnOf(name: string): string {
    return this.context.arns.of(this.kind.type, name);
  }

  private text(resource: object, member: "Name" | "Arn" | "Status"): string {
    return (resource as Readonly<Record<string, string>>)[`${this.kind.prefix}${member}`] ?? "";
  }
}
