/**
 * AWS's own description of its APIs, as botocore ships it in the emulator's Python environment, and a check of requests
 * against it.
 */
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { gunzipSync } from "node:zlib";

interface Shape {
  readonly type: string;
  readonly members?: Readonly<Record<string, { readonly shape: string }>>;
  readonly required?: readonly string[];
  readonly member?: { readonly shape: string };
  readonly key?: { readonly shape: string };
  readonly value?: { readonly shape: string };
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly min?: number;
  readonly max?: number;
}

/** The description of one service. */
export interface ServiceModel {
  readonly operations: Readonly<Record<string, { readonly input?: { readonly shape: string } }>>;
  readonly shapes: Readonly<Record<string, Shape>>;
}

/** The folder `botocore/data`; the environment variable `BOTOCORE_DATA` names another one. */
function botocoreData(): string {
  if (process.env.BOTOCORE_DATA !== undefined) {
    return process.env.BOTOCORE_DATA;
  }
  const libraries = resolve(__dirname, "../../../.venv/emulator/lib");
  const candidates = existsSync(libraries)
    ? readdirSync(libraries).map((name) => join(libraries, name, "site-packages/botocore/data"))
    : [];
  const found = candidates.find((candidate) => existsSync(candidate));
  if (found === undefined) {
    throw new Error(
      `There is no botocore in ${libraries}. Run "make install-test", or set BOTOCORE_DATA to a botocore/data folder.`,
    );
  }
  return found;
}

/** Reads the description of a service, for example `loadServiceModel("sagemaker", "2017-07-24")`. */
export function loadServiceModel(service: string, version: string): ServiceModel {
  const file = join(botocoreData(), service, version, "service-2.json.gz");
  return JSON.parse(gunzipSync(readFileSync(file)).toString("utf8")) as ServiceModel;
}

const isExpression = (value: unknown): boolean => typeof value === "string" && /^\{%[\s\S]*%\}$/.test(value);

/**
 * Every fault of a request, each with its place: names that the API doesn't know, required ones that are missing, and
 * values outside of their enumeration, pattern or limits. A JSONata expression passes for any value; its name doesn't.
 */
export function requestFaults(model: ServiceModel, operation: string, request: unknown): string[] {
  const input = model.operations[operation]?.input;
  if (input === undefined) {
    return [`${operation}: no such operation`];
  }
  const faults: string[] = [];

  const check = (shapeName: string, value: unknown, place: string): void => {
    if (isExpression(value)) {
      return;
    }
    const shape = model.shapes[shapeName]!;
    const fault = (expected: string): void => void faults.push(`${place}: ${JSON.stringify(value)} is not ${expected}`);
    const outside = (size: number): boolean => size < (shape.min ?? -Infinity) || size > (shape.max ?? Infinity);
    const limits = `${shape.min ?? 0} to ${shape.max ?? "any number"}`;

    switch (shape.type) {
      case "structure": {
        if (typeof value !== "object" || value === null || Array.isArray(value)) {
          fault("an object");
          return;
        }
        const given = value as Record<string, unknown>;
        for (const name of shape.required ?? []) {
          if (given[name] === undefined) {
            faults.push(`${place}: ${name} is missing`);
          }
        }
        for (const [name, inner] of Object.entries(given)) {
          const member = shape.members?.[name];
          if (member === undefined) {
            faults.push(`${place}.${name}: no such parameter`);
          } else {
            check(member.shape, inner, `${place}.${name}`);
          }
        }
        return;
      }
      case "list":
        if (!Array.isArray(value)) {
          fault("a list");
          return;
        }
        if (outside(value.length)) {
          fault(`a list of ${limits}`);
        }
        value.forEach((inner, index) => {
          check(shape.member!.shape, inner, `${place}[${String(index)}]`);
        });
        return;
      case "map":
        if (typeof value !== "object" || value === null || Array.isArray(value)) {
          fault("an object");
          return;
        }
        for (const [name, inner] of Object.entries(value)) {
          check(shape.key!.shape, name, `${place} (key)`);
          check(shape.value!.shape, inner, `${place}.${name}`);
        }
        return;
      case "string":
        if (typeof value !== "string") {
          fault("a text");
          return;
        }
        if (shape.enum !== undefined && !shape.enum.includes(value)) {
          fault(`one of ${shape.enum.slice(0, 5).join(", ")} …`);
        }
        if (outside(value.length)) {
          fault(`a text of ${limits} characters`);
        }
        if (shape.pattern !== undefined && !new RegExp(`^(?:${shape.pattern})$`, "u").test(value)) {
          fault(`a text like ${shape.pattern}`);
        }
        return;
      case "integer":
      case "long":
        if (typeof value !== "number" || !Number.isInteger(value)) {
          fault("a whole number");
          return;
        }
        if (outside(value)) {
          fault(`a number from ${limits}`);
        }
        return;
      case "boolean":
        if (typeof value !== "boolean") {
          fault("true or false");
        }
        return;
      case "blob":
        return;
      default:
        fault(`of the type ${shape.type}, which this check doesn't know`);
    }
  };

  check(input.shape, request, operation);
  return faults;
}
