import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";

/** A type as botocore's service models describe it. */
export interface Shape {
  readonly type:
    | "structure"
    | "list"
    | "map"
    | "string"
    | "integer"
    | "long"
    | "float"
    | "double"
    | "boolean"
    | "timestamp"
    | "blob";
  readonly required?: readonly string[];
  readonly members?: Readonly<Record<string, Member>>;
  readonly member?: Member;
  readonly key?: Member;
  readonly value?: Member;
  readonly enum?: readonly string[];
  readonly min?: number;
  readonly max?: number;
  readonly pattern?: string;
  readonly payload?: string;
  readonly union?: boolean;
}

/** A member of a structure, list or map, and where REST protocols carry it. */
export interface Member {
  readonly shape: string;
  readonly location?: "uri" | "querystring" | "header";
  readonly locationName?: string;
}

/** One operation of a service. */
export interface OperationModel {
  readonly name: string;
  readonly http: { readonly method: string; readonly requestUri: string; readonly responseCode?: number };
  readonly input?: { readonly shape: string };
  readonly output?: { readonly shape: string };
}

interface ServiceDescription {
  readonly operations: Readonly<Record<string, OperationModel>>;
  readonly shapes: Readonly<Record<string, Shape>>;
}

/** A service as botocore describes it: its operations and the shapes of their requests and answers. */
export class ServiceModel {
  readonly operations: ReadonlyMap<string, OperationModel>;
  private readonly shapes: Readonly<Record<string, Shape>>;

  constructor(description: ServiceDescription) {
    this.operations = new Map(Object.entries(description.operations));
    this.shapes = description.shapes;
  }

  /**
   * Reads `service-2.json` (or its gzipped form) of the newest API version of a service.
   * @throws Error when botocore has no such service, naming the folder that was searched
   */
  static load(botocoreData: string, service: string): ServiceModel {
    const folder = join(botocoreData, service);
    const version = existsSync(folder) ? readdirSync(folder).sort().at(-1) : undefined;
    const plain = join(folder, version ?? "", "service-2.json");
    const found = [plain, `${plain}.gz`].find((file) => existsSync(file));
    if (found === undefined) {
      throw new Error(
        `BOTOCORE_DATA is '${botocoreData}', but botocore's model of ${service} is not there: expected ${plain} or ` +
          `${plain}.gz. Install a newer botocore, or pass the data folder of another (--botocore-data).`,
      );
    }
    const content = readFileSync(found);
    const text = (found.endsWith(".gz") ? gunzipSync(content) : content).toString("utf8");
    return new ServiceModel(JSON.parse(text) as ServiceDescription);
  }

  shape(name: string): Shape {
    const shape = this.shapes[name];
    if (shape === undefined) {
      throw new Error(`The service model has no shape ${name}.`);
    }
    return shape;
  }
}
