import { ServiceError } from "./errors";
import type { ServiceModel, Shape } from "./service-model";

/** AWS's words for the types of JSON values. */
function kindOf(value: unknown): string {
  if (Array.isArray(value)) {
    return "START_ARRAY";
  }
  if (typeof value === "object") {
    return "START_OBJECT";
  }
  if (typeof value === "boolean") {
    return value ? "TRUE_VALUE" : "FALSE_VALUE";
  }
  return typeof value === "number" ? "NUMBER_VALUE" : "STRING_VALUE";
}

const wanted: Readonly<Record<Shape["type"], string>> = {
  structure: "a structure",
  list: "a list",
  map: "a map",
  string: "a String",
  integer: "an Integer",
  long: "a Long",
  float: "a Float",
  double: "a Double",
  boolean: "a Boolean",
  timestamp: "a timestamp (seconds since 1970)",
  blob: "a blob",
};

/** Patterns have Java's syntax, parts of which JavaScript writes otherwise; null when a pattern is invalid in both. */
function compile(pattern: string): RegExp | null {
  const translated = pattern
    .replaceAll("\\A", "^")
    .replaceAll("\\z", "$")
    .replaceAll("\\p{Print}", "\\x20-\\x7E")
    .replaceAll("\\p{Alnum}", "a-zA-Z0-9");
  for (const flags of ["u", ""]) {
    try {
      return new RegExp(`^(?:${translated})$`, flags);
    } catch {
      // Try the next flags: a few of the service's patterns escape characters that the u flag doesn't allow to escape.
    }
  }
  return null;
}

function plainText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function describe(value: unknown): string {
  const text = Array.isArray(value) ? `[${value.map(plainText).join(", ")}]` : plainText(value);
  return text.length > 500 ? `${text.slice(0, 500)}…` : text;
}

const lowerFirst = (name: string): string => name.charAt(0).toLowerCase() + name.slice(1);

/**
 * Checks requests against a service model and reports problems in SageMaker's wording, for example
 * "1 validation error detected: Value 'a_b' at 'trainingJobName' failed to satisfy constraint: Member must satisfy
 * regular expression pattern: …".
 */
export class Validator {
  private readonly patterns = new Map<string, RegExp | null>();

  constructor(
    private readonly model: ServiceModel,
    /** Code of the errors, which differs between the control plane and the runtimes. */
    private readonly errorCode: "ValidationException" | "ValidationError",
  ) {}

  /**
   * The request with its timestamps turned into dates and its nulls left out.
   * @throws ServiceError listing every broken constraint; a value of the wrong type is a SerializationException
   */
  validate(shapeName: string, request: unknown): unknown {
    const problems: string[] = [];
    const checked = this.check(this.model.shape(shapeName), request, "", problems);
    if (problems.length > 0) {
      const count = `${problems.length} validation error${problems.length === 1 ? "" : "s"} detected: `;
      throw new ServiceError(this.errorCode, count + problems.join("; "));
    }
    return checked;
  }

  private check(shape: Shape, value: unknown, path: string, problems: string[]): unknown {
    switch (shape.type) {
      case "structure":
        return this.checkStructure(shape, this.asObject(shape, value, path), path, problems);
      case "list": {
        if (!Array.isArray(value)) {
          throw this.wrongType(shape, value, path);
        }
        this.checkSize(shape, value.length, value, path, problems);
        const member = this.model.shape(shape.member?.shape ?? "");
        return value.map((item, index) => this.check(member, item, `${path}.${index + 1}.member`, problems));
      }
      case "map":
        return this.checkMap(shape, this.asObject(shape, value, path), path, problems);
      case "string":
        if (typeof value !== "string") {
          throw this.wrongType(shape, value, path);
        }
        problems.push(...this.stringProblems(shape, value).map((constraint) => failure(value, path, constraint)));
        return value;
      case "boolean":
        if (typeof value !== "boolean") {
          throw this.wrongType(shape, value, path);
        }
        return value;
      case "timestamp": {
        const date = typeof value === "number" ? new Date(value * 1000) : new Date(NaN);
        if (Number.isNaN(date.getTime())) {
          throw this.wrongType(shape, value, path);
        }
        return date;
      }
      case "blob":
        if (Buffer.isBuffer(value)) {
          this.checkSize(shape, value.length, "", path, problems);
        }
        return value;
      default:
        return this.checkNumber(shape, value, path, problems);
    }
  }

  private checkStructure(
    shape: Shape,
    value: Readonly<Record<string, unknown>>,
    path: string,
    problems: string[],
  ): Record<string, unknown> {
    const members = shape.members ?? {};
    const at = (name: string): string => (path === "" ? lowerFirst(name) : `${path}.${lowerFirst(name)}`);
    for (const name of shape.required ?? []) {
      if (value[name] === undefined || value[name] === null) {
        problems.push(`Value null at '${at(name)}' failed to satisfy constraint: Member must not be null`);
      }
    }
    const checked: Record<string, unknown> = {};
    for (const [name, item] of Object.entries(value)) {
      if (item === null || item === undefined) {
        continue;
      }
      const member = Object.hasOwn(members, name) ? members[name] : undefined;
      if (member === undefined) {
        const known = Object.keys(members).map(lowerFirst).join(", ");
        problems.push(failure(item, at(name), `Member must be one that the operation knows: [${known}]`));
        continue;
      }
      checked[name] = this.check(this.model.shape(member.shape), item, at(name), problems);
    }
    return checked;
  }

  private checkMap(
    shape: Shape,
    value: Readonly<Record<string, unknown>>,
    path: string,
    problems: string[],
  ): Record<string, unknown> {
    const entries = Object.entries(value).filter(([, item]) => item !== null);
    this.checkSize(shape, entries.length, value, path, problems);
    const keyShape = this.model.shape(shape.key?.shape ?? "");
    const valueShape = this.model.shape(shape.value?.shape ?? "");
    const checked: Record<string, unknown> = {};
    for (const [key, item] of entries) {
      const keyProblems = this.stringProblems(keyShape, key);
      if (keyProblems.length > 0) {
        problems.push(failure(value, path, `Map keys must satisfy constraint: [${keyProblems.join(", ")}]`));
      }
      if (valueShape.type === "string" && typeof item === "string") {
        const valueProblems = this.stringProblems(valueShape, item);
        if (valueProblems.length > 0) {
          problems.push(failure(value, path, `Map value must satisfy constraint: [${valueProblems.join(", ")}]`));
        }
        checked[key] = item;
      } else {
        checked[key] = this.check(valueShape, item, `${path}.${key}.member`, problems);
      }
    }
    return checked;
  }

  private stringProblems(shape: Shape, value: string): string[] {
    const problems: string[] = [];
    if (shape.enum !== undefined && !shape.enum.includes(value)) {
      problems.push(`Member must satisfy enum value set: [${shape.enum.join(", ")}]`);
    }
    if (shape.max !== undefined && value.length > shape.max) {
      problems.push(`Member must have length less than or equal to ${shape.max}`);
    }
    if (shape.min !== undefined && value.length < shape.min) {
      problems.push(`Member must have length greater than or equal to ${shape.min}`);
    }
    if (shape.pattern !== undefined && problems.length === 0 && this.pattern(shape.pattern)?.test(value) === false) {
      problems.push(`Member must satisfy regular expression pattern: ${shape.pattern}`);
    }
    return problems;
  }

  private pattern(text: string): RegExp | null {
    let pattern = this.patterns.get(text);
    if (pattern === undefined) {
      pattern = compile(text);
      this.patterns.set(text, pattern);
    }
    return pattern;
  }

  private checkNumber(shape: Shape, value: unknown, path: string, problems: string[]): unknown {
    const whole = shape.type === "integer" || shape.type === "long";
    if (typeof value !== "number" || (whole && !Number.isInteger(value))) {
      throw this.wrongType(shape, value, path);
    }
    if (shape.max !== undefined && value > shape.max) {
      problems.push(failure(value, path, `Member must have value less than or equal to ${shape.max}`));
    }
    if (shape.min !== undefined && value < shape.min) {
      problems.push(failure(value, path, `Member must have value greater than or equal to ${shape.min}`));
    }
    return value;
  }

  private checkSize(shape: Shape, size: number, value: unknown, path: string, problems: string[]): void {
    if (shape.max !== undefined && size > shape.max) {
      problems.push(failure(value, path, `Member must have length less than or equal to ${shape.max}`));
    }
    if (shape.min !== undefined && size < shape.min) {
      problems.push(failure(value, path, `Member must have length greater than or equal to ${shape.min}`));
    }
  }

  private asObject(shape: Shape, value: unknown, path: string): Readonly<Record<string, unknown>> {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw this.wrongType(shape, value, path);
    }
    return value as Readonly<Record<string, unknown>>;
  }

  private wrongType(shape: Shape, value: unknown, path: string): ServiceError {
    const where = path === "" ? "the request" : `'${path}'`;
    return new ServiceError(
      "SerializationException",
      `${kindOf(value)} can not be converted to ${wanted[shape.type]} at ${where}`,
    );
  }
}

function failure(value: unknown, path: string, constraint: string): string {
  return `Value '${describe(value)}' at '${path}' failed to satisfy constraint: ${constraint}`;
}
