/** Finds the records of types, and reports missing ones. */
import { type Permissions, words } from "./permissions";
import type { DataSourceType, ResourceType, Service } from "./record";

const permissionsIn = ({ permissions }: DataSourceType): readonly Permissions[] =>
  permissions === "engineers" ? [] : [permissions].flat();

/** The records of all types. */
export class Registry {
  /** All resource types with their records, sorted by type. */
  readonly records: readonly (readonly [type: string, record: ResourceType])[];
  /** The statements of deploy roles, in the order of the services. Several types share a statement. */
  readonly permissions: readonly Permissions[];
  private readonly types: ReadonlyMap<string, DataSourceType & Partial<ResourceType>>;

  /** @param services each service's types, by its file name */
  constructor(readonly services: Readonly<Record<string, Service>>) {
    const all = Object.values(services).flatMap((service) => Object.entries<DataSourceType | ResourceType>(service));
    this.types = new Map(all);
    this.records = all
      .filter((entry): entry is [string, ResourceType] => "price" in entry[1])
      .sort(([one], [other]) => (one < other ? -1 : 1));
    this.permissions = [...new Set(all.flatMap(([, record]) => permissionsIn(record)))];
  }

  /** The services, as in ARNs, whose ARNs contain the names that stacks give. */
  get namedServices(): readonly string[] {
    const patterns = this.permissions.flatMap(({ on }) => (typeof on === "string" ? words(on) : []));
    const named = patterns.filter((pattern) => pattern.includes("{name}"));
    return [...new Set(named.map((pattern) => pattern.replace(/:.*/, "")))].sort();
  }

  /** The actions that take no resource except `*`. */
  get actionsWithoutResources(): readonly string[] {
    return this.permissions.flatMap(({ writes = "", on, readsAnywhere = "", writesAnywhere = "" }) =>
      words(`${readsAnywhere} ${writesAnywhere} ${on === "*" ? writes : ""}`),
    );
  }

  /**
   * The record of a resource type.
   * @throws Error that names the file to write, where there is none
   */
  record(type: string): ResourceType {
    const [, record] = this.records.find(([each]) => each === type) ?? [];
    if (!record) {
      throw new Error(this.missing([type]));
    }
    return record;
  }

  /**
   * The record of an AWS or Docker type; undefined for another provider's, such as `terraform_data`.
   * @throws Error that names the file to write, where there is none
   */
  find(type: string): ResourceType | undefined {
    return /^(aws|docker)_/.test(type) ? this.record(type) : undefined;
  }

  /** The types whose record has a field, with the field. */
  having<Field extends keyof ResourceType>(
    field: Field,
  ): readonly (readonly [type: string, value: NonNullable<ResourceType[Field]>])[] {
    return this.records.flatMap(([type, { [field]: value }]) =>
      value === undefined ? [] : [[type, value as NonNullable<ResourceType[Field]>] as const],
    );
  }

  /** The given types without a record; a data source's starts with `data.`. */
  unknown(types: readonly string[]): readonly string[] {
    return types.filter((type) => !this.types.has(type));
  }

  /** The error text for types without a record, with the files to write. */
  missing(types: readonly string[]): string {
    const files = [...new Set(types.map((type) => this.fileOf(type)))];
    return (
      `There is no record of ${types.join(" and ")}: write one in ${files.join(" and ")} with the rights to deploy it, ` +
      "its price and, if it has them, its import id, its data and its encryption."
    );
  }

  /**
   * The statements that a role needs to deploy types, in the order of the services.
   * @param types Terraform's resource types, and data sources with the prefix `data.`
   * @throws Error that names the types without a record, or those that only engineers deploy
   */
  permissionsOf(types: readonly string[]): readonly Permissions[] {
    const unknown = this.unknown(types);
    if (unknown.length > 0) {
      throw new Error(this.missing(unknown));
    }
    const records = types.map((type) => [type, this.types.get(type)] as const);
    const byHand = records.find(([, record]) => record?.permissions === "engineers");
    if (byHand) {
      throw new Error(
        `Only engineers deploy ${byHand[0]}: give it permissions in ${this.fileOf(byHand[0])}, or remove it from the pipeline's stacks.`,
      );
    }
    const needed = new Set(records.flatMap(([, record]) => (record ? permissionsIn(record) : [])));
    return this.permissions.filter((each) => needed.has(each));
  }

  /** The file of a type, of its service, or a new one. */
  private fileOf(type: string): string {
    const [, service = type] = /^(?:data\.)?[a-z]+_([a-z0-9]+)/.exec(type) ?? [];
    const [file = service] =
      Object.entries(this.services).find(([, types]) => type in types) ??
      Object.entries(this.services).find(([, types]) =>
        Object.keys(types).some((each) => each.includes(`_${service}_`)),
      ) ??
      [];
    return `aws-services/${file}.ts`;
  }
}
