import type * as control from "@aws-sdk/client-sagemaker";
import { resourceLimitExceeded, resourceNotFound, validationException } from "../protocol/errors";
import type { OperationTable, Validated } from "../protocol/operations";
import type { Arns } from "./arns";
import type { ResourceStore } from "./store";

/** Tags as a request has them. */
export type Tags = Validated<control.Tag>[];
const maximum = 50;

/** Tags of all resources, by the resource's ARN. */
export class TagRegistry {
  /** How to find out whether a resource of a type exists. */
  private readonly finders = new Map<string, (name: string) => boolean>();

  constructor(
    private readonly store: ResourceStore<{ readonly arn: string; readonly tags: Tags }>,
    private readonly arns: Arns,
  ) {}

  /** Lets resources of `type` (as in their ARN) be tagged. */
  register(type: string, exists: (name: string) => boolean): void {
    this.finders.set(type, exists);
  }

  /**
   * Sets the tags of a new resource.
   * @throws ServiceError when a key occurs twice or there are more than fifty
   */
  create(arn: string, tags: Tags | undefined): void {
    if (tags === undefined || tags.length === 0) {
      this.store.delete(arn);
      return;
    }
    this.check(tags);
    this.store.put(arn, { arn, tags });
  }

  /** Refuses tags that `create` would refuse, before anything else is made. */
  check(tags: Tags | undefined): void {
    const keys = new Set(tags?.map((tag) => tag.Key));
    if (tags !== undefined && keys.size < tags.length) {
      throw validationException("Duplicate tag keys found: give each key once.");
    }
    if (keys.size > maximum) {
      throw resourceLimitExceeded(`A resource has at most ${maximum} tags: ${keys.size} were given.`);
    }
  }

  remove(arn: string): void {
    this.store.delete(arn);
  }

  readonly operations: OperationTable<typeof control> = {
    AddTags: ({ ResourceArn, Tags: added }) => {
      const arn = this.existing(ResourceArn);
      const kept = this.of(arn).filter((tag) => !added.some(({ Key }) => Key === tag.Key));
      const tags = [...kept, ...added];
      this.check(tags);
      this.store.put(arn, { arn, tags });
      return { Tags: tags };
    },
    ListTags: ({ ResourceArn }) => ({ Tags: this.of(this.existing(ResourceArn)) }),
    DeleteTags: ({ ResourceArn, TagKeys }) => {
      const arn = this.existing(ResourceArn);
      const tags = this.of(arn).filter((tag) => !TagKeys.includes(tag.Key));
      this.store.put(arn, { arn, tags });
      return {};
    },
  };

  private of(arn: string): Tags {
    return this.store.get(arn)?.tags ?? [];
  }

  private existing(arn: string): string {
    const resource = this.arns.parse(arn);
    const exists = resource && this.finders.get(resource.type);
    if (resource === undefined || exists === undefined) {
      throw validationException(`'${arn}' is not the ARN of a SageMaker resource that can have tags.`);
    }
    if (!exists(resource.name)) {
      throw resourceNotFound(`Could not find resource "${arn}".`);
    }
    return arn;
  }
}
