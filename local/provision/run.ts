import { type Clients, closeClients, makeClients } from "./clients";
import { ProvisionError } from "./errors";
import type { Place } from "./resource-kind";
import { StackState } from "./state";

/** Options for provisioning a stack. */
export interface ProvisionOptions {
  /** The stack's folder in `cdktf.out/stacks`, with its `cdk.tf.json` and assets. */
  readonly stackDirectory: string;
  /** The state file of the stack. */
  readonly stateFile: string;
  /** The emulator's address, for example `http://127.0.0.1:4566`. */
  readonly endpoint: string;
  readonly region: string;
  /** Account id of 12 digits. */
  readonly account: string;
  /**
   * Called for every step. If it throws, provisioning stops after the running resources.
   * @default nobody
   */
  readonly onProgress?: (message: string, step: Step) => void;
  /** Maximum number of resources made at once. @default 8 */
  readonly parallel?: number;
}

/** A step of the work on a resource. */
export interface Step {
  readonly stack: string;
  readonly address: string;
  readonly action: "creating" | "created" | "updating" | "updated" | "unchanged" | "deleting" | "deleted" | "left out";
  /** Resources finished so far, of `total`. */
  readonly done: number;
  readonly total: number;
}

/** The results of a run, by the resources' addresses. */
export interface Inventory {
  readonly created: readonly string[];
  /** Changed in place, or replaced. */
  readonly updated: readonly string[];
  /** The ones of `updated` that were made again. */
  readonly replaced: readonly string[];
  readonly unchanged: readonly string[];
  readonly deleted: readonly string[];
  /** Not made locally, with the reason. */
  readonly leftOut: readonly { readonly type: string; readonly name: string; readonly reason: string }[];
}

/** Thrown when the progress callback throws: the caller wants to stop. */
export class Stopped extends Error {
  constructor(override readonly cause: unknown) {
    super("stopped");
  }
}

/** One run over a stack: its state, its place, and its results so far. */
export class Run {
  readonly state: StackState;
  readonly created: string[] = [];
  readonly updated: string[] = [];
  readonly replaced: string[] = [];
  readonly unchanged: string[] = [];
  readonly deleted: string[] = [];
  readonly leftOut: Inventory["leftOut"][number][] = [];
  /** Number of resources. */
  total = 0;
  /** Set once the caller wants to stop. */
  stopped: Stopped | undefined;
  private done = 0;
  private readonly clients = new Map<string, Clients>();

  constructor(
    readonly options: ProvisionOptions,
    readonly stack: string,
  ) {
    this.state = StackState.open(options.stateFile, stack);
  }

  /** The place of a resource. */
  place(address: string, region = this.options.region): Place {
    let clients = this.clients.get(region);
    if (!clients) {
      clients = makeClients(this.options.endpoint, region, this.options.account);
      this.clients.set(region, clients);
    }
    const { account } = this.options;
    return {
      clients,
      account,
      region,
      arnOf: (service, resource) => `arn:aws:${service}:${region}:${account}:${resource}`,
      directory: this.options.stackDirectory,
      owner: `${this.stack}/${address}`,
    };
  }

  /**
   * Reports a step to the caller.
   * @throws Stopped when the caller wants to stop.
   */
  report(address: string, action: Step["action"]): void {
    if (action !== "creating" && action !== "updating" && action !== "deleting") {
      this.done += 1;
    }
    const { stack, done, total } = this;
    try {
      this.options.onProgress?.(`${address} ${action} (${done} of ${total})`, { stack, address, action, done, total });
    } catch (error) {
      this.stopped = new Stopped(error);
      throw this.stopped;
    }
  }

  /** The emulator writes its state every few seconds; a resource that is reported as done must survive a kill. */
  async save(): Promise<void> {
    if (this.created.length + this.updated.length + this.deleted.length > 0) {
      const { ok, status } = await fetch(`${this.options.endpoint}/_ministack/save`, { method: "POST" });
      if (!ok) {
        throw new ProvisionError(
          `Stack ${this.stack}: the emulator did not save its state (status ${status}); see its log.`,
        );
      }
    }
  }

  inventory(): Inventory {
    const { created, updated, replaced, unchanged, deleted, leftOut } = this;
    leftOut.sort((a, b) => (`${a.type}.${a.name}` < `${b.type}.${b.name}` ? -1 : 1));
    for (const list of [created, updated, replaced, unchanged]) {
      list.sort();
    }
    return { created, updated, replaced, unchanged, deleted, leftOut };
  }

  close(): void {
    this.clients.forEach(closeClients);
  }
}
