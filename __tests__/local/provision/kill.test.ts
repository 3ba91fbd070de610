import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Emulator } from "../../workflow/support/emulator";
import { account, region, type Stack, Workspace } from "./support/workspace";

jest.setTimeout(300_000);

let emulator: Emulator;
let workspace: Workspace;

beforeAll(async () => {
  emulator = await Emulator.start("http://127.0.0.1:9");
  workspace = new Workspace(emulator.endpoint);
});
afterAll(async () => {
  workspace.close();
  await emulator.stop();
});

/** Everything in it gets its id from the service, so that nothing but the state tells what was made before a kill. */
const stackWith = (httpVersion: string): Stack => ({
  output: {
    key: "${aws_kms_key.key.arn}",
    topic: "${aws_sns_topic.topic.arn}",
    route: "${aws_apigatewayv2_route.all.id}",
    site: "${aws_cloudfront_distribution.site.domain_name}",
  },
  resource: {
    aws_kms_key: { key: { description: "killed" } },
    aws_sns_topic: { topic: { name_prefix: "killed-", kms_master_key_id: "${aws_kms_key.key.arn}" } },
    aws_apigatewayv2_api: { api: { name: "killed", protocol_type: "HTTP" } },
    aws_apigatewayv2_integration: {
      origin: {
        api_id: "${aws_apigatewayv2_api.api.id}",
        integration_type: "AWS_PROXY",
        integration_uri: `arn:aws:lambda:${region}:${account}:function:nobody`,
      },
    },
    aws_apigatewayv2_route: {
      all: {
        api_id: "${aws_apigatewayv2_api.api.id}",
        route_key: "$default",
        target: "integrations/${aws_apigatewayv2_integration.origin.id}",
      },
    },
    aws_cloudfront_distribution: {
      site: {
        enabled: true,
        http_version: httpVersion,
        comment: "${aws_apigatewayv2_route.all.id}",
        origin: [
          {
            origin_id: "api",
            domain_name: "example.com",
            custom_origin_config: {
              ...{
                http_port: 80,
                https_port: 443,
                origin_protocol_policy: "https-only",
                origin_ssl_protocols: ["TLSv1.2"],
              },
            },
          },
        ],
        default_cache_behavior: {
          target_origin_id: "api",
          viewer_protocol_policy: "https-only",
          allowed_methods: ["GET", "HEAD"],
          cached_methods: ["GET", "HEAD"],
          cache_policy_id: "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
        },
        restrictions: { geo_restriction: { restriction_type: "none" } },
        viewer_certificate: { cloudfront_default_certificate: true },
      },
    },
  },
});
const stack = stackWith("http2");

/** Provisions in a child; kills it as soon as it has printed `lines` lines. True when it ended by itself. */
async function provisionAndKill(lines: number): Promise<boolean> {
  const root = resolve(__dirname, "../../..");
  const child = spawn(
    process.execPath,
    ["--import", "tsx", join(__dirname, "support/provision-once.ts"), JSON.stringify(workspace.options("killed"))],
    { cwd: root, env: { PATH: process.env.PATH, HOME: workspace.folder }, stdio: ["ignore", "pipe", "pipe"] },
  );
  let output = "";
  let errors = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
    if (output.split("\n").length > lines) {
      child.kill("SIGKILL");
    }
  });
  child.stderr.on("data", (chunk: Buffer) => {
    errors += chunk.toString();
  });
  await once(child, "close");
  if (child.signalCode === null && child.exitCode !== 0) {
    throw new Error(errors);
  }
  return child.exitCode === 0;
}

async function expectOneOfEach(): Promise<void> {
  const { apiGateway, cloudFront, kms, sns } = workspace.clients;
  expect((await kms.listKeys({})).Keys).toHaveLength(1);
  expect((await sns.listTopics({})).Topics).toHaveLength(1);
  const { Items: apis = [] } = await apiGateway.getApis({});
  expect(apis).toHaveLength(1);
  const ApiId = apis[0]?.ApiId;
  expect((await apiGateway.getIntegrations({ ApiId })).Items).toHaveLength(1);
  expect((await apiGateway.getRoutes({ ApiId })).Items).toHaveLength(1);
  const { DistributionList } = await cloudFront.listDistributions({});
  expect(DistributionList?.Items).toHaveLength(1);
}

test("killed at every step, the next run continues, and in the end there is one of each", async () => {
  workspace.write("killed", stack);
  let kills = 0;
  // Each kill comes right after a resource was begun, when the emulator may or may not have made it already.
  for (let lines = 1; !(await provisionAndKill(lines)); lines += 1) {
    kills += 1;
  }
  expect(kills).toBeGreaterThanOrEqual(4);

  await expectOneOfEach();
  const { inventory } = await workspace.provision("killed", stack);
  expect(inventory.unchanged).toHaveLength(6);
});

/** The state as it is when a kill comes after the emulator has made everything and before any of it was noted. */
function forgetWhatWasMade(): void {
  const state = JSON.parse(workspace.state("killed")) as {
    resources: Record<string, { made: Record<string, unknown> }>;
  };
  for (const [address, { made, ...entry }] of Object.entries(state.resources)) {
    const { attributes, ...pending } = made;
    expect(attributes).toHaveProperty("id");
    Object.assign(state.resources, { [address]: { ...entry, pending } });
  }
  writeFileSync(workspace.stateFile("killed"), JSON.stringify(state));
}

test("a resource that was made but not recorded before a kill is found again, not made twice", async () => {
  const { outputs } = await workspace.provision("killed", stack);
  forgetWhatWasMade();
  // The stack has changed since: what is found again must also be brought up to date.
  const { inventory, outputs: again } = await workspace.provision("killed", stackWith("http2and3"));
  expect(inventory.created).toHaveLength(6);
  expect(again).toEqual(outputs);
  await expectOneOfEach();
  const { DistributionList } = await workspace.clients.cloudFront.listDistributions({});
  expect(DistributionList?.Items).toMatchObject([{ HttpVersion: "http2and3" }]);
});

test("a resource that was made but not recorded before a kill is deleted with the stack", async () => {
  forgetWhatWasMade();
  expect(await workspace.destroy("killed")).toHaveLength(6);
  const { DistributionList } = await workspace.clients.cloudFront.listDistributions({});
  expect(DistributionList?.Items ?? []).toEqual([]);
  expect((await workspace.clients.apiGateway.getApis({})).Items).toEqual([]);
  expect((await workspace.clients.sns.listTopics({})).Topics ?? []).toEqual([]);
});
