/**
 * Terraform Cloud as far as terraform asks it to plan and apply one workspace on its own machines (HCP Terraform's API
 * documentation; JSON:API). It keeps runs and whether they were applied; what a plan holds, the test says.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";

interface Run {
  readonly id: string;
  readonly savesPlan: boolean;
  status: "planned_and_saved" | "discarded" | "applied";
}

type Attributes = Readonly<Record<string, unknown>>;

const document = (
  type: string,
  id: string,
  attributes: Attributes,
  related: readonly (readonly [string, string])[] = [],
) => ({
  ...{ id, type, attributes },
  relationships: Object.fromEntries(
    related.map(([other, otherId]) => [
      other,
      { data: { type: other === "apply" ? "applies" : `${other}s`, id: otherId } },
    ]),
  ),
});

async function bodyOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) {
    parts.push(part as Buffer);
  }
  return Buffer.concat(parts).toString();
}

/** A running Terraform Cloud. */
export class FakeTerraformCloud {
  static readonly hostname = "cloud.acme.example";
  /** Every run that was begun, in its order. */
  readonly runs: Run[] = [];
  /** The changes that each plan from now on has, as `terraform show -json` tells them. */
  changes: readonly object[] = [];
  private workspaceIsThere = false;
  private readonly server: Server;

  private constructor() {
    this.server = createServer((request, response) => {
      void bodyOf(request).then((body) => {
        const { pathname, searchParams } = new URL(request.url ?? "", this.address);
        if (pathname.startsWith("/log/")) {
          // A log begins with STX and ends with ETX; terraform asks for what it hasn't read yet.
          response.end(
            Buffer.from(`\u0002The ${pathname.slice(5)} is here.\n\u0003`).subarray(Number(searchParams.get("offset"))),
          );
          return;
        }
        const answer = this.answer(`${request.method ?? ""} ${pathname.replace("/api/v2", "")}`, body);
        response.writeHead(answer === undefined ? 404 : 200, {
          ...{ "content-type": "application/vnd.api+json", "TFP-API-Version": "2.6", "TFP-AppName": "HCP Terraform" },
        });
        response.end(JSON.stringify(answer ?? {}));
      });
    });
  }

  static async start(): Promise<FakeTerraformCloud> {
    const cloud = new FakeTerraformCloud();
    cloud.server.listen(0, "127.0.0.1");
    await once(cloud.server, "listening");
    return cloud;
  }

  async stop(): Promise<void> {
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, "close");
  }

  /** A configuration of terraform's command line by which it finds this in Terraform Cloud's place. */
  get configuration(): string {
    const services = ["tfe.v2", "tfe.v2.1", "tfe.v2.2", "state.v2"].map(
      (name) => `"${name}" = "${this.address}/api/v2/"`,
    );
    return `host "${FakeTerraformCloud.hostname}" {\n  services = {\n${services.join("\n")}\n}\n}\ncredentials "${FakeTerraformCloud.hostname}" {\n  token = "none"\n}\n`;
  }

  /** What Terraform Cloud does to saved plans when another run has been applied. */
  discardSavedPlans(): void {
    for (const run of this.runs) {
      if (run.status === "planned_and_saved") {
        run.status = "discarded";
      }
    }
  }

  private get address(): string {
    return `http://127.0.0.1:${String((this.server.address() as AddressInfo).port)}`;
  }

  /** @returns what is asked for; undefined when it isn't there */
  private answer(asked: string, body: string): object | undefined {
    const [, id = ""] = /-(\d+)(?:\/|$)/.exec(asked) ?? [];
    const run = this.runs.find((each) => each.id === id);
    const details = (type: "plan" | "apply", status: string) =>
      document(type === "plan" ? "plans" : "applies", `${type}-${id}`, {
        status,
        "log-read-url": `${this.address}/log/${type}`,
      });
    const configuration = { status: "uploaded", "upload-url": `${this.address}/upload` };
    const route = asked.replace(/-\d+/, "-N");
    switch (route) {
      case "GET /ping":
      case "PUT /upload":
      case "PATCH /workspaces/ws-N":
        return { data: this.workspace() };
      case "GET /organizations/acme/entitlement-set":
        return { data: document("entitlement-sets", "org-1", { operations: true, "state-storage": true }) };
      case "GET /organizations/acme/workspaces/acme-development-data":
        return this.workspaceIsThere ? { data: this.workspace() } : undefined;
      case "POST /organizations/acme/workspaces":
        this.workspaceIsThere = true;
        return { data: this.workspace() };
      case "POST /workspaces/ws-N/configuration-versions":
      case "GET /configuration-versions/cv-N":
        return { data: document("configuration-versions", "cv-1", configuration) };
      case "POST /runs": {
        const { data } = JSON.parse(body) as { readonly data: { readonly attributes: Attributes } };
        const savesPlan = data.attributes["save-plan"] === true;
        const begun: Run = { id: String(this.runs.length + 1), savesPlan, status: "planned_and_saved" };
        this.runs.push(begun);
        // A run that would be applied without anybody's look at its plan ends here.
        return savesPlan ? { data: this.describe(begun) } : undefined;
      }
      case "GET /runs/run-N":
        return run && { data: this.describe(run), included: [this.workspace(), details("plan", "finished")] };
      case "GET /runs/run-N/run-events":
      case "GET /workspaces/ws-N/current-state-version-outputs":
        return { data: [] };
      case "POST /runs/run-N/actions/apply":
        if (run) {
          run.status = "applied";
        }
        return {};
      case "GET /plans/plan-N":
        return { data: details("plan", "finished") };
      case "GET /applies/apply-N":
        return { data: details("apply", run?.status === "applied" ? "finished" : "pending") };
      case "GET /plans/plan-N/json-output":
        return { format_version: "1.2", terraform_version: "1.11.4", resource_changes: this.changes };
      default:
        return undefined;
    }
  }

  private workspace() {
    const may = ["can-queue-run", "can-queue-apply", "can-update", "can-lock", "can-unlock", "can-read-settings"];
    const permissions = Object.fromEntries(may.map((right) => [right, true]));
    const attributes = { name: "acme-development-data", operations: true, "execution-mode": "remote", permissions };
    return document("workspaces", "ws-1", attributes, [["organization", "acme"]]);
  }

  private describe({ id, status, savesPlan }: Run) {
    const actions = { "is-confirmable": status === "planned_and_saved" };
    const attributes = {
      status,
      "save-plan": savesPlan,
      "has-changes": true,
      actions,
      permissions: { "can-apply": true },
    };
    return document("runs", `run-${id}`, attributes, [
      ...([
        ["workspace", "ws-1"],
        ["plan", `plan-${id}`],
        ["apply", `apply-${id}`],
        ["configuration-version", "cv-1"],
      ] as const),
    ]);
  }
}
