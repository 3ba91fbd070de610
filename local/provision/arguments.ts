import { ProvisionError } from "./errors";
import { asText, isList, isMap, kindOf, type Value, type ValueMap } from "./value";

/**
 * A resource's arguments, with typed reads whose errors name the attribute. It records the reads, so that unknown
 * arguments can be refused.
 */
export class Arguments {
  private readonly asked = new Set<string>();
  private readonly read = new Map<string, readonly Arguments[]>();

  constructor(
    private readonly values: ValueMap,
    private readonly where: string,
  ) {}

  /** Arguments that are set but were never read, also in blocks: `rule[0].filter`. */
  get unknown(): readonly string[] {
    return Object.keys(this.values).flatMap((name) => {
      if (!this.asked.has(name)) {
        return this.has(name) ? [name] : [];
      }
      const blocks = this.read.get(name) ?? [];
      return blocks.flatMap((block, index) => block.unknown.map((inner) => `${name}[${index}].${inner}`));
    });
  }

  /** Marks arguments as known although their values are not needed. */
  accept(...names: readonly string[]): void {
    names.forEach((name) => this.asked.add(name));
  }

  has(name: string): boolean {
    return (this.values[name] ?? null) !== null;
  }

  raw(name: string): Value {
    this.asked.add(name);
    return this.values[name] ?? null;
  }

  text(name: string): string | undefined {
    const value = this.raw(name);
    return value === null ? undefined : (asText(value) ?? this.refuse(name, value, "text"));
  }

  requireText(name: string): string {
    return this.text(name) ?? this.refuse(name, null, "text");
  }

  number(name: string): number | undefined {
    const value = this.raw(name);
    if (value === null) {
      return undefined;
    }
    const result = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
    return typeof result === "number" && !Number.isNaN(result) ? result : this.refuse(name, value, "a number");
  }

  requireNumber(name: string): number {
    return this.number(name) ?? this.refuse(name, null, "a number");
  }

  boolean(name: string): boolean | undefined {
    const value = this.raw(name);
    switch (value) {
      case null:
        return undefined;
      case true:
      case "true":
        return true;
      case false:
      case "false":
        return false;
      default:
        return this.refuse(name, value, "true or false");
    }
  }

  texts(name: string): string[] | undefined {
    const value = this.raw(name);
    if (value === null) {
      return undefined;
    }
    return (isList(value) ? value : [value]).map((item) => asText(item) ?? this.refuse(name, item, "a list of texts"));
  }

  /** A map of texts, such as tags, without nulls. */
  map(name: string): Record<string, string> | undefined {
    const value = this.raw(name);
    if (value === null) {
      return undefined;
    }
    if (!isMap(value)) {
      return this.refuse(name, value, "a map of texts");
    }
    return Object.fromEntries(
      Object.entries(value)
        .filter(([, item]) => item !== null)
        .map(([key, item]) => [key, asText(item) ?? this.refuse(`${name}.${key}`, item, "text")]),
    );
  }

  /** The blocks of a name, written as one object or as a list. */
  blocks(name: string): readonly Arguments[] {
    const value = this.raw(name);
    const blocks =
      this.read.get(name) ??
      (isList(value) ? value : [value])
        .filter((item) => item !== null)
        .map((item, index) =>
          isMap(item) ? new Arguments(item, `${this.where}.${name}[${index}]`) : this.refuse(name, item, "a block"),
        );
    this.read.set(name, blocks);
    return blocks;
  }

  /** The block of a name that occurs at most once. */
  block(name: string): Arguments | undefined {
    const [block, another] = this.blocks(name);
    return another === undefined ? block : this.refuse(name, this.raw(name), "one block");
  }

  requireBlock(name: string): Arguments {
    return this.block(name) ?? this.refuse(name, null, "a block");
  }

  /** Refuses a value: reports it and what was expected. */
  refuse(name: string, value: Value, expected: string): never {
    const found = value === null ? "nothing" : `${kindOf(value)}, ${JSON.stringify(value).slice(0, 200)}`;
    throw new ProvisionError(`${this.where}.${name}: ${expected} was expected, found ${found}`);
  }
}
