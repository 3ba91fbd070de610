import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { createServer } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { portTakenStatus } from "../src/loopback";
import { freePort, ServiceProcess } from "./support/service";

const folder = mkdtempSync(join(tmpdir(), "acme-sagemaker-"));
let service: ServiceProcess;
const nobody = "http://127.0.0.1:9"; // The emulator, which none of these tests needs.

beforeAll(async () => {
  service = new ServiceProcess(ServiceProcess.settings(await freePort(), folder, nobody));
  await service.start();
}, 120_000);
afterAll(async () => {
  await service.stop();
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

interface WireAnswer {
  readonly status: number;
  readonly error: string | undefined;
  readonly body: { __type?: string; message?: string; [member: string]: unknown };
}

async function send(
  target: string | undefined,
  body: string,
  options: { method?: string; path?: string; headers?: Record<string, string> } = {},
): Promise<WireAnswer> {
  const { method = "POST", path: requestPath = "/", headers = {} } = options;
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      service.url + requestPath,
      { method, headers: { ...(target !== undefined && { "X-Amz-Target": target }), ...headers } },
      (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
        response.on("end", () => {
          const error = response.headers["x-amzn-errortype"];
          resolve({
            status: response.statusCode ?? 0,
            error: Array.isArray(error) ? error[0] : error,
            body: JSON.parse(text) as WireAnswer["body"],
          });
        });
      },
    );
    request.on("error", reject);
    request.end(body);
  });
}
const call = (operation: string, request: unknown): Promise<WireAnswer> =>
  send(`SageMaker.${operation}`, JSON.stringify(request));

describe("the wire", () => {
  test("dates are seconds since 1970, and errors have their name in the header and in the body", async () => {
    await call("CreateExperiment", { ExperimentName: "wired" });
    const { body } = await call("DescribeExperiment", { ExperimentName: "wired" });
    expect(body.CreationTime).toBeCloseTo(Date.now() / 1000, -2);
    const missing = await call("DescribeExperiment", { ExperimentName: "no-such-experiment" });
    expect(missing).toMatchObject({ status: 400, error: "ResourceNotFound", body: { __type: "ResourceNotFound" } });
    expect(missing.body.message).toBe("Experiment 'no-such-experiment' does not exist.");
  });

  test("a missing operation of SageMaker is named, and so is an unknown one", async () => {
    const elsewhere = await call("CreateAutoMLJob", {});
    expect(elsewhere.error).toBe("UnsupportedOperationException");
    expect(elsewhere.body.message).toMatch(
      /operation CreateAutoMLJob is not part of sagemaker-local. It has: AddTags, /,
    );
    expect(await call("MakeCoffee", {})).toMatchObject({
      error: "UnknownOperationException",
      body: { message: "SageMaker has no operation 'MakeCoffee'." },
    });
    expect(await call("constructor", {})).toMatchObject({ error: "UnknownOperationException" });
    expect(await send(undefined, "", { method: "GET", path: "/nowhere" })).toMatchObject({ status: 404 });
  });

  test.each([
    ["no JSON", "{", "SerializationException", /not JSON/],
    ["a list", "[]", "SerializationException", /START_ARRAY can not be converted to a structure at the request/],
    [
      "a number for a name",
      '{"ExperimentName": 7}',
      "SerializationException",
      /NUMBER_VALUE .* a String at 'experimentName'/,
    ],
    [
      "nothing",
      "",
      "ValidationException",
      /^1 validation error detected: Value null at 'experimentName' .* must not be null$/,
    ],
    ["null", '{"ExperimentName": null}', "ValidationException", /Member must not be null/],
    [
      "a name that no pattern allows",
      '{"ExperimentName": "a_b"}',
      "ValidationException",
      /Value 'a_b' at 'experimentName' failed to satisfy constraint: Member must satisfy regular expression pattern: /,
    ],
    [
      "too long a name",
      JSON.stringify({ ExperimentName: "a".repeat(121) }),
      "ValidationException",
      /Member must have length less than or equal to 120/,
    ],
    [
      "an unknown parameter, and a list whose item lacks a member",
      '{"ExperimentName": "a", "Colour": "green", "Tags": [{"Key": "a"}]}',
      "ValidationException",
      /^2 validation errors detected: Value 'green' at 'colour' .*; Value null at 'tags.1.member.value'/,
    ],
  ])("%s is refused as SageMaker would", async (_, body, code, message) => {
    const answer = await send("SageMaker.CreateExperiment", body);
    expect(answer).toMatchObject({ status: 400, error: code, body: { __type: code } });
    expect(answer.body.message).toMatch(message);
  });

  test("numbers out of range and unknown values are named with what is allowed", async () => {
    expect((await call("ListModels", { MaxResults: 101, SortOrder: "Sideways" })).body.message).toBe(
      "2 validation errors detected: Value '101' at 'maxResults' failed to satisfy constraint: Member must have value less " +
        "than or equal to 100; Value 'Sideways' at 'sortOrder' failed to satisfy constraint: Member must satisfy enum value " +
        "set: [Ascending, Descending]",
    );
  });

  test("the runtimes have their own name for it", async () => {
    const put = await send(undefined, JSON.stringify({ Record: [] }), { method: "PUT", path: "/FeatureGroup/group" });
    expect(put).toMatchObject({ status: 400, error: "ValidationError" });
    const missing = await send(undefined, JSON.stringify({ Record: [{ FeatureName: "a", ValueAsString: "1" }] }), {
      method: "PUT",
      path: "/FeatureGroup/group",
    });
    expect(missing).toMatchObject({ status: 404, error: "ResourceNotFound" });
  });

  test("the page of another website gets no answer, under any name", async () => {
    for (const [name, value] of [
      ["Origin", "https://example.com"],
      ["Origin", "http://d1.cloudfront.net"],
      ["Origin", "https://somebody.s3.amazonaws.com"],
      ["Origin", "null"],
      ["Sec-Fetch-Site", "cross-site"],
      ["Sec-Fetch-Site", "same-site"],
      ["Host", "rebound.example.com:4567"],
    ] as const) {
      expect(await send("SageMaker.ListModels", "{}", { headers: { [name]: value } })).toMatchObject({
        status: 403,
        error: "AccessDeniedException",
      });
    }
  });

  test("a body that is too long is refused, and the service continues", async () => {
    expect((await send("SageMaker.CreateExperiment", " ".repeat(17 * 1024 * 1024))).body.message).toContain("16777216");
    expect(await (await fetch(`${service.url}/health`)).json()).toEqual({ status: "ok" });
  });
});

describe("the start", () => {
  const startOther = async (changes: Record<string, string>): Promise<{ code: number | null; output: string }> => {
    const other = new ServiceProcess({ ...ServiceProcess.settings(await freePort(), folder, nobody), ...changes });
    await other.start();
    return { code: await other.stop(), output: other.output };
  };

  test("on a port that is taken ends with the status of that and says what to do", async () => {
    const listener = createServer().listen(0, "127.0.0.1");
    await once(listener, "listening");
    const { port } = listener.address() as { port: number };
    // What answers on the port is not the service: the helper's wait ends when the process does.
    const elsewhere = mkdtempSync(join(tmpdir(), "acme-sagemaker-"));
    const { code, output } = await startOther({ SAGEMAKER_PORT: String(port), SAGEMAKER_STATE_DIRECTORY: elsewhere });
    listener.close();
    rmSync(elsewhere, { recursive: true });
    expect(code).toBe(portTakenStatus);
    expect(output).toContain(`Port ${port} on 127.0.0.1 is already in use: `);
    expect(output).toContain("choose another with --port or SAGEMAKER_PORT");
    expect(output).not.toContain("    at ");
  });

  test("on a state folder that another service uses ends with status 1 and touches nothing", async () => {
    const { code, output } = await startOther({});
    expect(code).toBe(1);
    expect(output).toContain(`is in use by a running SageMaker service (process ${service.pid})`);
    expect((await call("DescribeExperiment", { ExperimentName: "wired" })).status).toBe(200);
  });

  test.each([
    ["SAGEMAKER_PORT", "eighty", "SAGEMAKER_PORT is 'eighty': expected a port number"],
    ["SAGEMAKER_PORT", "70000", "SAGEMAKER_PORT is '70000': expected a port number from 0 to 65535"],
    ["AWS_ENDPOINT_URL", "localhost:4566", "AWS_ENDPOINT_URL is 'localhost:4566': expected the AWS emulator's address"],
    ["AWS_ACCOUNT_ID", "12", "AWS_ACCOUNT_ID is '12': expected an account number of twelve digits"],
    ["BOTOCORE_DATA", "/nonexistent", "botocore's model of sagemaker is not there"],
  ])("with %s=%s ends with status 1 and names it", async (name, value, message) => {
    const elsewhere = mkdtempSync(join(tmpdir(), "acme-sagemaker-"));
    const { code, output } = await startOther({ SAGEMAKER_STATE_DIRECTORY: elsewhere, [name]: value });
    rmSync(elsewhere, { recursive: true });
    expect(code).toBe(1);
    expect(output).toContain(message);
  });

  test.each(["half a fil", "null", '{"pid":"1"}', ""])(
    "with a damaged note of who has the state folder (%j) ends with status 1 and says what to do",
    async (content) => {
      const elsewhere = mkdtempSync(join(tmpdir(), "acme-sagemaker-"));
      const owner = join(elsewhere, "owner.json");
      writeFileSync(owner, content);
      const { code, output } = await startOther({ SAGEMAKER_STATE_DIRECTORY: elsewhere });
      expect(code).toBe(1);
      expect(output).toMatch(/^\/.*owner\.json is damaged, .* delete the file, and start again\.\n$/);
      rmSync(owner);
      mkdirSync(join(elsewhere, "children"));
      writeFileSync(join(elsewhere, "children", "77.json"), content);
      const healed = await startOther({ SAGEMAKER_STATE_DIRECTORY: elsewhere });
      expect(healed.code).toBe(0);
      expect(healed.output).toContain("77.json is damaged");
      expect(readdirSync(join(elsewhere, "children"))).toEqual([]);
      rmSync(elsewhere, { recursive: true });
    },
  );

  describe("with a damaged file of a resource", () => {
    const elsewhere = mkdtempSync(join(tmpdir(), "acme-sagemaker-"));
    const filesOf = (directory: string): Record<string, string> =>
      Object.fromEntries(readdirSync(directory).map((name) => [name, readFileSync(join(directory, name), "utf8")]));
    afterAll(() => {
      rmSync(elsewhere, { recursive: true });
    });

    const name = "abalone-4bd86464.json";
    test.each([
      ["feature-groups", "half a file", '{"name": "aba'],
      ["feature-groups", "an empty file", ""],
      ["feature-groups", "a list", '[1,"x",null]'],
      ["feature-groups", "null", "null"],
      ["feature-groups", "a resource that is none", '{"name": "abalone", "resource": 7}'],
      ["feature-groups", "a resource without its parts", '{"name": "abalone", "resource": {"group": {}}}'],
      ["model-package-groups", "a list", '[1,"x",null]'],
      ["model-packages", "a list", '[1,"x",null]'],
      ["experiments", "half a file", '{"name": "aba'],
    ])("of %s (%s) ends with status 1, names it, and changes nothing", async (kind, _, content) => {
      const resources = join(elsewhere, "resources", kind);
      rmSync(join(elsewhere, "resources"), { recursive: true, force: true });
      mkdirSync(resources, { recursive: true });
      writeFileSync(join(resources, name), content);
      writeFileSync(join(resources, `${name}.1.new`), "a draft that may be the good copy");
      const before = filesOf(resources);
      const { code, output } = await startOther({ SAGEMAKER_STATE_DIRECTORY: elsewhere });
      expect(code).toBe(1);
      expect(output).toBe(
        `${join(resources, name)} is damaged. Restore a good copy, or start with an empty state folder ` +
          "(`make clean` if `make up` made it).\n",
      );
      expect(filesOf(resources)).toEqual(before);
    });
  });

  test("with another resource's file instead of its own refuses until the good copy is back", async () => {
    await call("CreateExperiment", { ExperimentName: "damaged" });
    await call("CreateExperiment", { ExperimentName: "other" });
    await service.stop("SIGKILL");
    const resources = join(folder, "state", "resources", "experiments");
    const fileOf = (prefix: string): string =>
      join(resources, readdirSync(resources).find((each) => each.startsWith(prefix)) ?? "");
    const good = readFileSync(fileOf("damaged-"));
    copyFileSync(fileOf("other-"), fileOf("damaged-"));
    await service.start();
    expect(await service.stop()).toBe(1);
    expect(service.output).toContain(`${fileOf("damaged-")} is damaged.`);
    writeFileSync(fileOf("damaged-"), good);
    await service.start();
    for (const ExperimentName of ["damaged", "other", "wired"]) {
      expect((await call("DescribeExperiment", { ExperimentName })).status).toBe(200);
    }
  });
});
