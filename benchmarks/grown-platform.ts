/**
 * Production, grown: `RESOURCES` of them at least. It shows whether the time of a synth, the rules of `policies/`
 * included, follows the number of resources. What is added is what stacks are made of, in the mix of a small service: a
 * key, two buckets, a function, an alarm.
 */
import { App, TerraformResource } from "cdktf";
import type { Construct } from "constructs";

import { loadEnvironment } from "../environments";
import { definePlatform } from "../main";
import { functionErrors } from "../modules/alarm";
import { EncryptionKey } from "../modules/encryption-key";
import { SecureBucket } from "../modules/secure-bucket";
import { TypeScriptFunction } from "../modules/typescript-function";
import { type Platform, PlatformStack } from "../stacks/platform";

function addService(stack: PlatformStack, platform: Platform, number: number): void {
  const { logRetentionDays } = platform.environment;
  const name = `grown-${number}`;
  const key = new EncryptionKey(stack, `${name}-key`, {
    name: stack.named(name),
    description: "Encrypts what a grown service keeps",
    logGroupsNamed: stack.named(""),
  });
  const logs = new SecureBucket(stack, `${name}-logs`, {
    name: stack.named(`${name}-logs`),
    encryptionKeyArn: key.arn,
  });
  logs.allowAccessLogs();
  const bucket = new SecureBucket(stack, `${name}-data`, {
    name: stack.named(`${name}-data`),
    encryptionKeyArn: key.arn,
    accessLogBucket: logs,
  });
  const handler = new TypeScriptFunction(stack, `${name}-function`, {
    name: stack.named(name),
    handler: {
      name: "contact",
      purpose: "What a grown service does",
      owners: ["platform"],
      variables: {},
      failure: { means: "A grown service fails", look: "", do: "" },
    },
    environment: {},
    statements: [{ sid: "ReadObjects", actions: ["s3:GetObject"], resources: [`${bucket.arn}/*`] }],
    logRetentionDays,
    encryptionKeyArn: key.arn,
  });
  functionErrors(stack, `${name}-errors`, {
    function: handler,
    topicArn: stack.arn("sns", stack.named("alarms")),
  });
}

const countOf = (scope: Construct): number =>
  scope.node.findAll().filter((construct) => TerraformResource.isTerraformResource(construct)).length;

const app = new App({ stackTraces: false });
const platform = definePlatform(app, loadEnvironment("production"));
const stacks = app.node.children.filter((child) => child instanceof PlatformStack);
let resources = countOf(app);
for (let number = 0; resources < Number(process.env.RESOURCES); number += 1) {
  const stack = stacks[number % stacks.length];
  if (stack === undefined) {
    throw new Error("The platform has no stack.");
  }
  const before = countOf(stack);
  addService(stack, platform, number);
  resources += countOf(stack) - before;
}
platform.synth();
