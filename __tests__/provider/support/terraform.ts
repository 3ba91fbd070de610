/** The real terraform, run in a stack's folder. */
import { type Ended, findTerraform, runChild } from "../../../delivery/terraform";

/**
 * One line of what `terraform plan -json` and `terraform apply -json` print ("Machine-Readable UI" of Terraform's
 * documentation).
 */
interface Message {
  readonly type: string;
  readonly "@message": string;
  readonly change?: { readonly resource: { readonly addr: string }; readonly action: string };
  readonly diagnostic?: Diagnostic;
}

/** Something that terraform or a provider finds worth telling. */
export interface Diagnostic {
  readonly severity: "error" | "warning";
  readonly summary: string;
  readonly detail: string;
  readonly address?: string;
}

/** What a plan would do. */
export interface Plan {
  /** "create", "update", "delete", "replace" …, by the resource's address. What stays as it is isn't listed. */
  readonly actions: Readonly<Record<string, string>>;
  readonly diagnostics: readonly Diagnostic[];
}

/** Terraform in one folder, with one environment. */
export class Terraform {
  constructor(
    readonly folder: string,
    private readonly variables: Record<string, string>,
  ) {}

  /** Gets the providers and connects with the state. */
  async init(): Promise<void> {
    await this.succeed("init", "-input=false", "-no-color");
  }

  /** What the provider's schemas say of the stack: nothing, when all is well. */
  async validate(): Promise<readonly Diagnostic[]> {
    const { output, errors } = await this.run("validate", "-json");
    if (output === "") {
      throw new Error(`terraform validate says nothing but ${errors}`);
    }
    return (JSON.parse(output) as { readonly diagnostics: readonly Diagnostic[] }).diagnostics;
  }

  /** What it would take to make AWS what the stack says. */
  async plan(): Promise<Plan> {
    const { output, errors } = await this.run("plan", "-json", "-input=false");
    const messages = messagesIn(output);
    if (!messages.some(({ type }) => type === "change_summary" || type === "diagnostic")) {
      throw new Error(`terraform plan says neither what it would do nor what is wrong:\n${output}${errors}`);
    }
    return {
      actions: Object.fromEntries(
        messages.flatMap(({ type, change }) =>
          type === "planned_change" && change ? [[change.resource.addr, change.action]] : [],
        ),
      ),
      diagnostics: messages.flatMap(({ diagnostic }) => (diagnostic ? [diagnostic] : [])),
    };
  }

  /** Destroys all that the stack has, and its state's content; asks nobody. */
  async destroy(): Promise<void> {
    await this.init();
    await this.succeed("destroy", "-auto-approve", "-input=false", "-no-color");
  }

  /**
   * Runs a command of terraform.
   * @throws Error with what it said when it fails
   */
  async succeed(...parameters: string[]): Promise<string> {
    const { status, output, errors } = await this.run(...parameters);
    if (status !== 0) {
      throw new Error(`terraform ${parameters.join(" ")} ended with ${status}:\n${output}${errors}`);
    }
    return output;
  }

  private async run(...parameters: string[]): Promise<Ended> {
    const end = await runChild(await findTerraform(this.variables), parameters, {
      folder: this.folder,
      variables: this.variables,
      seconds: 240,
    });
    if (end.late) {
      throw new Error(`terraform ${parameters.join(" ")} took more than 240 seconds:\n${end.output}`);
    }
    return end;
  }
}

function messagesIn(output: string): readonly Message[] {
  return output
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Message);
}
