import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type Clients, closeClients, makeClients } from "../../../../local/provision/clients";
import { type Inventory, provision, type ProvisionOptions } from "../../../../local/provision";
import { attributeOf, parseTemplate } from "../../../../local/provision/expression";
import { type Made, readStateFile } from "../../../../local/provision/state";
import type { ValueMap } from "../../../../local/provision/value";
import { account, region, trusting } from "../../../workflow/support/emulator";

export { account, region };

/**
 * A stack's Terraform JSON, as a test writes it, and what the test wants to know: `output` is not part of the stack,
 * for no stack of the platform has any.
 */
export type Stack = Readonly<Record<string, unknown>> & { readonly output?: Readonly<Record<string, string>> };

/** A role `acme` that a service takes on, as a stack writes it. */
export const roleOf = (service: string): Readonly<Record<string, string>> => ({
  name: "acme",
  assume_role_policy: trusting({ Service: service }),
});

/** A folder of stacks and states, and an emulator in which they are provisioned. */
export class Workspace {
  readonly folder = mkdtempSync(join(tmpdir(), "acme-provision-"));
  readonly clients: Clients;

  constructor(readonly endpoint: string) {
    this.clients = makeClients(endpoint, region, account);
  }

  /** What provisions a stack of this workspace. */
  options(name: string): ProvisionOptions {
    return {
      stackDirectory: join(this.folder, "stacks", name),
      stateFile: this.stateFile(name),
      endpoint: this.endpoint,
      region,
      account,
    };
  }

  stateFile(name: string): string {
    return join(this.folder, "state", `${name}.json`);
  }

  state(name: string): string {
    return readFileSync(this.stateFile(name), "utf8");
  }

  /** Puts a file into the stack's folder. */
  file(name: string, path: string, content: string | Uint8Array): void {
    const file = join(this.folder, "stacks", name, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  }

  write(name: string, stack: Stack): void {
    this.file(name, "cdk.tf.json", JSON.stringify({ ...stack, output: undefined }));
  }

  /** Writes the stack, provisions it, and looks its outputs up. */
  async provision(
    name: string,
    stack: Stack,
    extra: Partial<ProvisionOptions> = {},
  ): Promise<{ readonly inventory: Inventory; readonly outputs: Readonly<Record<string, unknown>> }> {
    this.write(name, stack);
    const options = { ...this.options(name), ...extra };
    return { ...(await provision(options)), outputs: outputsOf(options.stateFile, stack) };
  }

  /** Deletes all that was made for a stack: it has nothing any more. */
  async destroy(name: string): Promise<readonly string[]> {
    return (await this.provision(name, {})).inventory.deleted;
  }

  /** Asks the emulator, under another host's name where the headers say so, which fetch() can't. */
  async ask(
    path: string,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; headers: Record<string, unknown>; text: string }> {
    return await new Promise((resolve, reject) => {
      request(`${this.endpoint}${path}`, { headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () => {
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text: Buffer.concat(chunks).toString(),
          });
        });
      })
        .on("error", reject)
        .end();
    });
  }

  close(): void {
    closeClients(this.clients);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** What a stack's outputs are: attributes of resources that are made, from their state. */
function outputsOf(stateFile: string, { output = {} }: Stack): Readonly<Record<string, unknown>> {
  const { resources } = JSON.parse(existsSync(stateFile) ? readFileSync(stateFile, "utf8") : '{"resources":{}}') as {
    readonly resources: Readonly<Record<string, { readonly made: Made }>>;
  };
  return Object.fromEntries(
    Object.entries(output).map(([name, template]) => [
      name,
      parseTemplate(template).evaluate(([type = "", id = "", ...names]) => {
        const made = resources[`${type}.${id}`]!.made;
        const value: ValueMap = {
          ...made.arguments,
          ...(made.name === undefined ? {} : { name: made.name }),
          ...made.attributes,
        };
        return names.reduce(attributeOf, value);
      }),
    ]),
  );
}

/** The stack and address of all that is made, by the state files of a folder. */
export function madeIn(folder: string): readonly string[] {
  const files = readdirSync(folder).filter((file) => file.endsWith(".json"));
  return files.flatMap((file) => {
    const { stack, resources } = readStateFile(join(folder, file));
    return Object.keys(resources).flatMap((address) => (resources[address]?.made ? [`${stack} ${address}`] : []));
  });
}

/** The message with which something fails. */
export async function failure(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("It was expected to fail, but it did not.");
}
