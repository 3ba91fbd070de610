import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { addressesFrom, readAddress, requireAnswer } from "../../../delivery/builds/system-test";

const folder = mkdtempSync(join(tmpdir(), "addresses-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

test("a website at any address is tested through itself", async () => {
  for (const address of ["https://abalone.example.com", "http://127.0.0.1:8080"]) {
    expect(await addressesFrom({ URL: `${address}/` })).toEqual({ WEBSITE: address, API: `${address}/api` });
  }
});

test("a stage of the local platform is where make up has put it", async () => {
  const platform = join(folder, "platform");
  mkdirSync(platform);
  const [website, api] = ["http://127.0.0.1:8081", "http://127.0.0.1:4566/_aws/execute-api/a/$default/api"];
  writeFileSync(join(platform, "platform.json"), JSON.stringify({ websiteTest: website, apiTest: api }));
  const variables = { PLATFORM_DIRECTORY: platform, URL: "" };
  expect(await addressesFrom({ ...variables, STAGE: "test" })).toEqual({ WEBSITE: website, API: api });
  await expect(addressesFrom({ ...variables, STAGE: "production" })).rejects.toThrow(
    "has no addresses of the stage production",
  );
});

test("without either, and with both, it says what to type", async () => {
  await expect(addressesFrom({})).rejects.toThrow(
    'STAGE is ""; expected test or production, for example: make system-test ENVIRONMENT=production STAGE=test, or: make system-test URL=https://',
  );
  await expect(addressesFrom({ URL: "https://example.org", STAGE: "test" })).rejects.toThrow(
    "URL is https://example.org, and STAGE is test: expected only one of the two",
  );
});

test("without an answer, one sentence says so before anything is tested", async () => {
  const server = createServer((_, response) => response.writeHead(404).end());
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await requireAnswer(address, []);
  await new Promise((closed) => server.close(closed));
  await expect(requireAnswer(address, [0.01])).rejects.toThrow(
    new RegExp(`^There is no answer from ${address} \\(connect ECONNREFUSED .*\\), so nothing was tested\\. .*make up`),
  );
});

test.each([
  "example.org",
  "ftp://example.org",
  "https://example.org/de",
  "https://example.org/?a=1",
  "",
  "javascript:1",
])("%j is not an address of a website", (value) => {
  expect(() => readAddress("URL", value)).toThrow(
    `URL is ${JSON.stringify(value)}; expected the address of a website, such as https://abalone.example.com`,
  );
});
