import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { PortError } from "sagemaker-local/loopback";
import {
  cleanEnvironment,
  type Instance,
  openInstance,
  readJson,
  root,
  writeJson,
} from "../../../local/platform/instance";
import { checkSetPorts, choosePort, frontDoorHealth, knownPorts, onOwnPorts } from "../../../local/platform/ports";
import { recordedProcess, startService } from "../../../local/platform/processes";
import {
  addressOf,
  checkSettings,
  isHealthy,
  openFrontDoor,
  serviceNames,
  startServices,
  stopServices,
} from "../../../local/platform/services";

const instances: Instance[] = [];

function makeInstance(ports: Readonly<Record<string, number>> = {}): Instance {
  const instance = openInstance(mkdtempSync(join(tmpdir(), "services-")));
  instances.push(instance);
  writeJson(instance.path("ports.json"), ports);
  return instance;
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((settle) => server.listen(0, "127.0.0.1", settle));
  return (server.address() as AddressInfo).port;
}

/** Ports of which nobody knows anything a moment later. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(servers.map(listen));
  await Promise.all(servers.map((server) => new Promise((settle) => server.close(settle))));
  return ports;
}

beforeEach(() => {
  jest.replaceProperty(process, "env", { ...process.env });
});

afterEach(async () => {
  jest.restoreAllMocks();
  for (const instance of instances.splice(0)) {
    await stopServices(instance);
    rmSync(instance.directory, { recursive: true, force: true });
  }
});

test("two platforms that start in the same moment with the same ports both come up, each with its own", async () => {
  const [emulator = 0, sagemaker = 0, pipeline = 0, website = 0, websiteTest = 0] = await freePorts(5);
  const both = [0, 1].map(() => makeInstance({ emulator, sagemaker, pipeline, website, "website-test": websiteTest }));
  await Promise.all(
    both.map(async (instance) => {
      await startServices(instance);
      await openFrontDoor(instance, {});
    }),
  );
  for (const instance of both) {
    for (const name of serviceNames) {
      expect([name, await isHealthy(instance, name)]).toEqual([name, true]);
    }
  }
  const ports = both.flatMap((instance) => Object.values(knownPorts(instance)));
  expect(new Set(ports).size).toBe(10);
}, 120_000);

test.each([
  ["front door", "local/front-door.ts", frontDoorHealth],
  ["pipeline", "local/codepipeline/main.ts", "/health"],
])(
  "a %s whose port was free when it was chosen, taken when it was opened and free again chooses again",
  async (_, program, path) => {
    const instance = makeInstance();
    const other = createServer((request) => request.socket.destroy());
    const port = await listen(other);
    const found: unknown[] = [];
    await onOwnPorts(instance, async () => {
      try {
        await startService(instance, {
          name: "front-door",
          command: process.execPath,
          arguments: ["--import", "tsx", join(root, program)],
          environment: cleanEnvironment(instance, {
            EMULATOR_URL: "http://127.0.0.1:9",
            FRONT_DOOR_SITES: JSON.stringify({ [port]: "" }),
            PLATFORM_DIRECTORY: instance.directory,
            PIPELINE_PORT: String(port),
          }),
          isHealthy: () =>
            fetch(`http://127.0.0.1:${port}${path}`).then(
              ({ ok }) => ok,
              () => false,
            ),
        });
      } catch (error) {
        found.push(error);
        throw error;
      } finally {
        other.close();
      }
    });
    expect(found).toEqual([expect.any(PortError)]);
    expect(String(found[0])).toContain(`Port ${port} on 127.0.0.1 is already in use`);
  },
  60_000,
);

describe("a port that is set while the services run", () => {
  test("its service moves there, and services that use its address are restarted", async () => {
    const instance = makeInstance();
    await startServices(instance);
    await openFrontDoor(instance, { website: "d111111abcdef8.cloudfront.net" });
    const [sagemaker = 0, website = 0] = await freePorts(2);
    process.env.SAGEMAKER_PORT = String(sagemaker);
    process.env.WEBSITE_PORT = String(website);
    expect(await startServices(instance)).toEqual(["emulator", "sagemaker"]);
    await openFrontDoor(instance, {});
    expect(knownPorts(instance)).toMatchObject({ sagemaker, website });
    for (const name of serviceNames) {
      expect([name, await isHealthy(instance, name)]).toEqual([name, true]);
    }
    expect(readJson(instance.path("sites.json"), {})).toMatchObject({ [website]: "d111111abcdef8.cloudfront.net" });
    expect(await startServices(instance)).toEqual([]);
  }, 120_000);

  test.each([
    ["another has it", undefined, /_PORT: port \d+ of 127\.0\.0\.1 is taken/],
    ["it is not a port", "80a", "_PORT: '80a' is not a port; expected a whole number from 1 to 65535"],
    ["no browser would look at it", "6000", "_PORT: browsers refuse HTTP on port 6000; set another."],
  ])(
    "is refused where %s, and everything runs on",
    async (_, value, message) => {
      const instance = makeInstance();
      await startServices(instance);
      await openFrontDoor(instance, {});
      const before = serviceNames.map((name) => recordedProcess(instance, name));
      const stranger = createServer();
      const requested = value ?? String(await listen(stranger));
      try {
        for (const [variable, start] of [
          ["SAGEMAKER_PORT", () => startServices(instance)],
          ["WEBSITE_PORT", () => openFrontDoor(instance, {})],
          ["WEBSITE_PORT", () => checkSetPorts(instance)],
        ] as const) {
          process.env[variable] = requested;
          await expect(start()).rejects.toThrow(message);
          Reflect.deleteProperty(process.env, variable);
        }
      } finally {
        stranger.close();
      }
      expect(serviceNames.map((name) => recordedProcess(instance, name))).toEqual(before);
      for (const name of serviceNames) {
        expect([name, await isHealthy(instance, name)]).toEqual([name, true]);
      }
    },
    120_000,
  );
});

test.each([
  [
    { WEBSITE_PORT: "9077", WEBSITE_TEST_PORT: "9077" },
    "WEBSITE_PORT: port 9077 is also that of website-test (WEBSITE_TEST_PORT)",
  ],
  [
    { EMULATOR_PORT: "9079", SAGEMAKER_PORT: "9079" },
    "EMULATOR_PORT: port 9079 is also that of sagemaker (SAGEMAKER_PORT)",
  ],
  [
    { WEBSITE_PORT: "09077", WEBSITE_TEST_PORT: "9077" },
    "WEBSITE_PORT: port 9077 is also that of website-test (WEBSITE_TEST_PORT)",
  ],
  [{ WEBSITE_TEST_PORT: "9078" }, "WEBSITE_TEST_PORT: port 9078 is also that of pipeline (PIPELINE_PORT)"],
])("a port that two servers would share is refused: %j", async (variables, message) => {
  const instance = makeInstance({ pipeline: 9078 });
  Object.assign(process.env, variables);
  await expect(checkSetPorts(instance)).rejects.toThrow(message);
});

test.each(["x", "0", "-5", "1.5", ""])("MONITORING_SECONDS=%j is refused under its own name", async (value) => {
  process.env.MONITORING_SECONDS = value;
  await expect(checkSettings(makeInstance())).rejects.toThrow(
    `MONITORING_SECONDS: '${value}' is not a time between two comparisons; expected a whole number of seconds from 1.`,
  );
});

test("a port that is set for one server is chosen for no other, even if the other prefers it", async () => {
  const instance = makeInstance();
  process.env.WEBSITE_PORT = "8081";
  expect(await choosePort(instance, "website-test")).not.toBe(8081);
});

test("a port at which nothing came up is forgotten", async () => {
  const [port = 0] = await freePorts(1);
  const instance = makeInstance({ website: 9080 });
  const failed = onOwnPorts(instance, () => {
    writeJson(instance.path("ports.json"), { website: port });
    return Promise.reject(new Error("not ready after 30 seconds"));
  });
  await expect(failed).rejects.toThrow("not ready");
  expect(knownPorts(instance)).toEqual({ website: 9080 });
});

test("another program that answers at a service's port does not count as the service", async () => {
  const instance = makeInstance();
  await startServices(instance);
  expect(await isHealthy(instance, "pipeline")).toBe(true);

  const stranger = createServer((_, response) => response.end("ok"));
  try {
    writeJson(instance.path("ports.json"), { ...knownPorts(instance), pipeline: await listen(stranger) });
    expect((await fetch(`${addressOf(instance, "pipeline")}/health`)).ok).toBe(true);
    expect(await isHealthy(instance, "pipeline")).toBe(false);
  } finally {
    stranger.close();
  }
}, 120_000);
