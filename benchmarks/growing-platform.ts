/**
 * A platform of as many resources as are asked for, for `growth.ts`: `tsx benchmarks/growing-platform.ts 5000 ours|cdktf`. The stacks are those of a platform
 * that has grown: no stack gets larger, there are more of them.
 */
import { CloudwatchLogGroup } from "@cdktf/provider-aws/lib/cloudwatch-log-group";
import { AwsProvider } from "@cdktf/provider-aws/lib/provider";
import { SsmParameter } from "@cdktf/provider-aws/lib/ssm-parameter";
import { App, TerraformStack } from "cdktf";
import { loadEnvironment } from "../environments";
import { Alarm, AlarmTopic } from "../modules/alarm";
import { EncryptionKey } from "../modules/encryption-key";
import { ExecutionRole } from "../modules/execution-role";
import type { StackId } from "../stacks/contract";
import { Platform, PlatformStack } from "../stacks/platform";

/** Resources of one stack: about twice as many as the largest of the platform has. */
const perStack = 250;
/** Of which each part of a stack has these: role, its policy, log group, alarm, parameter. */
const perPart = 5;

const environment = loadEnvironment("local");
const { account, region } = environment;

/** What a stack of the platform has: a key, a topic, and functions' parts. */
function fill(stack: TerraformStack, name: string): void {
  const key = new EncryptionKey(stack, "key", { name, description: "Encrypts", account, region, logGroupsNamed: name });
  const topic = new AlarmTopic(stack, "alarms", { name, account, encryptionKeyArn: key.arn });
  for (let part = 0; part < perStack / perPart; part += 1) {
    const own = `${name}-${part}`;
    const logs = new CloudwatchLogGroup(stack, `logs-${part}`, {
      name: own,
      retentionInDays: 30,
      kmsKeyId: key.arn,
    });
    new ExecutionRole(stack, `role-${part}`, {
      name: own,
      description: "Writes its log",
      service: "lambda.amazonaws.com",
      statements: [{ sid: "WriteLog", actions: ["logs:PutLogEvents"], resources: [`${logs.arn}:*`] }],
    });
    new Alarm(stack, `alarm-${part}`, {
      name: own,
      description: "Failed",
      namespace: "AWS/Lambda",
      metric: "Errors",
      dimensions: { FunctionName: own },
      statistic: "Sum",
      threshold: 0,
      topicArn: topic.arn,
    });
    new SsmParameter(stack, `parameter-${part}`, { name: `/acme/${own}`, type: "String", insecureValue: logs.arn });
  }
}

/** A stack with our names, tags and rules. */
class GrowingStack extends PlatformStack {
  constructor(platform: Platform, id: string) {
    super(platform, id as StackId);
    fill(this, this.named(id));
  }
}

const [count = "", way = ""] = process.argv.slice(2);
const ids = Array.from({ length: Math.round(Number(count) / perStack) }, (_, index) => `part-${index + 1}`);
const app = new App({ stackTraces: false });
if (way === "ours") {
  const platform = new Platform(app, environment);
  for (const id of ids) new GrowingStack(platform, id);
  platform.synth();
} else {
  for (const id of ids) {
    const stack = new TerraformStack(app, id);
    new AwsProvider(stack, "aws", { region });
    fill(stack, `acme-local-${id}`);
  }
  app.synth();
}
