/** Sessions of roles, at an AWS endpoint that says what the test wants. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { Aws } from "../src/aws";
import { RoleError } from "../src/role-session";
import type { Settings } from "../src/settings";

const roleArn = "arn:aws:iam::123456789012:role/worker";
const minute = 60_000;

let endpoint: Server;
/** How long the next session is good. */
let sessionMilliseconds: number;
/** The number of sessions that were asked for, and the one that is known no more. */
let given: number;
let lost: string;
let failure: { readonly status: number; readonly code: string } | undefined;
/** Whose key each request to S3 was signed with. */
let keys: string[];

beforeEach(async () => {
  sessionMilliseconds = 60 * minute;
  given = 0;
  lost = "";
  failure = undefined;
  keys = [];
  endpoint = createServer((request, response) => {
    void (async () => {
      const body = await text(request);
      const [, key = ""] = /Credential=([^/]+)/.exec(request.headers.authorization ?? "") ?? [];
      const error = (status: number, code: string): void => {
        response.writeHead(status, { "Content-Type": "text/xml" });
        const words = `<Code>${code}</Code><Message>said</Message>`;
        response.end(
          body.includes("AssumeRole")
            ? `<ErrorResponse><Error>${words}</Error></ErrorResponse>`
            : `<Error>${words}</Error>`,
        );
      };
      if (body.includes("AssumeRole")) {
        if (failure !== undefined) {
          error(failure.status, failure.code);
          return;
        }
        given += 1;
        const expiration = new Date(Date.now() + sessionMilliseconds).toISOString();
        response.end(
          `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>session-${given}</AccessKeyId>` +
            `<SecretAccessKey>secret</SecretAccessKey><SessionToken>token</SessionToken>` +
            `<Expiration>${expiration}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`,
        );
      } else if (key === lost) {
        error(403, "InvalidAccessKeyId");
      } else {
        keys.push(key);
        response.end("<ListAllMyBucketsResult/>");
      }
    })();
  }).listen(0, "127.0.0.1");
  await once(endpoint, "listening");
});
afterEach(async () => {
  endpoint.closeAllConnections();
  endpoint.close();
  await once(endpoint, "close");
});

const awsWith = (assumeRoles: boolean): Aws =>
  new Aws({
    awsEndpoint: `http://127.0.0.1:${(endpoint.address() as AddressInfo).port}`,
    region: "eu-west-1",
    account: "123456789012",
    assumeRoles,
  } as Settings);

test("requests of a role share a session, which is taken when first needed", async () => {
  const clients = awsWith(true).as(roleArn);
  expect(given).toBe(0);
  const s3 = await clients.s3();
  await Promise.all([s3.listBuckets(), s3.listBuckets(), clients.check()]);
  await s3.listBuckets();
  expect([given, ...keys]).toEqual([1, "session-1", "session-1", "session-1"]);
});

test("a session is renewed well before it ends", async () => {
  sessionMilliseconds = 20 * minute;
  const s3 = await awsWith(true).as(roleArn).s3();
  await s3.listBuckets();
  sessionMilliseconds = 60 * minute;
  await s3.listBuckets();
  await s3.listBuckets();
  const [first, ...later] = keys;
  expect(new Set(later).size).toBe(1);
  expect(later).not.toContain(first);
});

test("a session that can't be renewed yet is used as long as it is good", async () => {
  sessionMilliseconds = 20 * minute;
  const s3 = await awsWith(true).as(roleArn).s3();
  await s3.listBuckets();
  failure = { status: 403, code: "AccessDenied" };
  await s3.listBuckets();
  expect(keys[1]).toBe(keys[0]);
});

test("a session that the endpoint knows no more is taken again", async () => {
  const s3 = await awsWith(true).as(roleArn).s3();
  await s3.listBuckets();
  lost = "session-1";
  await s3.listBuckets();
  expect(keys).toEqual(["session-1", "session-2"]);
});

test("a role that can't be assumed is an error of its own, for each who asks", async () => {
  failure = { status: 403, code: "AccessDenied" };
  const clients = awsWith(true).as(roleArn);
  await expect(clients.check()).rejects.toThrow(RoleError);
  await expect((await clients.s3()).listBuckets()).rejects.toThrow(`Could not assume role ${roleArn}.`);
  failure = undefined;
  await clients.check();
});

test("without the setting, all is done with the account's key", async () => {
  const aws = awsWith(false);
  expect(aws.as(roleArn)).toBe(aws.own);
  await (await aws.own.s3()).listBuckets();
  expect([given, ...keys]).toEqual([0, "123456789012"]);
});
