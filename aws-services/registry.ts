/** Finds the records of types, and reports those that are missing. */
import { type Permissions, words } from "./permissions";
import type { DataSourceType, ResourceType, Service } from "./record";

const permissionsIn = ({ permissions }: DataSourceType): readonly Permissions[] =>
  permissions === "engineers" ? [] : [permissions].flat();

/** The records of all types. */
export class Registry {
  /** Every type of resource with its record, in the order of the types' names. */
  readonly records: readonly (readonly [type: string, record: ResourceType])[];
  /** What deploy roles need, in the order of the services: one statement serves several types. */
  readonly permissions: readonly Permissions[];
  private readonly types: ReadonlyMap<string, DataSourceType & Partial<ResourceType>>;

  /** @param services the types of each service, by the name of its file */
  constructor(readonly services: Readonly<Record<string, Service>>) {
    const all = Object.values(services).flatMap((service) => Object.entries<DataSourceType | ResourceType>(service));
    this.types = new Map(all);
    this.records = all
      .filter((entry): entry is [string, ResourceType] => "price" in entry[1])
      .sort(([one], [other]) => (one < other ? -1 : 1));
    this.permissions = [...new Set(all.flatMap(([, record]) => permissionsIn(record)))];
  }

  /** The services, as ARNs name them, whose resources' ARNs show the names that their stack gives. */
  get namedServices(): readonly string[] {
    const patterns = this.permissions.flatMap(({ on }) => (typeof on === "string" ? words(on) : []));
    const named = patterns.filter((pattern) => pattern.includes("{name}"));
    return [...new Set(named.map((pattern) => pattern.replace(/:.*/, "")))].sort();
  }

  /** The actions for which AWS takes no other resource than `*`. */
  get actionsWithoutResources(): readonly string[] {
    return this.permissions.flatMap(({ writes = "", on, readsAnywhere = "", writesAnywhere = "" }) =>
      words(`${readsAnywhere} ${writesAnywhere} ${on === "*" ? writes : ""}`),
    );
  }

  /**
   * The record of a type of resource.
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
   * The record of a type of AWS's or Docker's; undefined for another provider's, such as `terraform_data`.
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

  /** Those of the types that have no record; a data source's begins with `data.`. */
  unknown(types: readonly string[]): readonly string[] {
    return types.filter((type) => !this.types.has(type));
  }

  /** Why types without a record can't be used, and the files to write. */
  missing(types: readonly string[]): string {
    const files = [...new Set(types.map((type) => this.fileOf(type)))];
    return (
      `Nothing is known of ${types.join(" and ")}: write a record in ${files.join(" and ")} with what a role needs to deploy it, ` +
      "its price and, where it has them, its import id, what it holds and how it is encrypted."
    );
  }

  /**
   * What a role needs to deploy types, in the order of the services.
   * @param types Terraform's types of resources and, with `data.` before, of data sources
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
        `Only engineers deploy ${byHand[0]}: give it permissions in ${this.fileOf(byHand[0])}, or take it out of the pipeline's stacks.`,
      );
    }
    const needed = new Set(records.flatMap(([, record]) => (record ? permissionsIn(record) : [])));
    return this.permissions.filter((each) => needed.has(each));
  }

  /** The file of a type: its own, or that of its service, or one to be written. */
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
