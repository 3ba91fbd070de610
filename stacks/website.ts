import { join } from "node:path";
import { DynamodbTable } from "@cdktf/provider-aws/lib/dynamodb-table";
import { Op } from "cdktf";
import type { WebsiteStage } from "../environments";
import { Alarm, AlarmTopic, functionErrors } from "../modules/alarm";
import { EncryptionKey } from "../modules/encryption-key";
import { HttpApi } from "../modules/http-api";
import { ModelEndpoint } from "../modules/model-endpoint";
import { readObjects, useKey } from "../modules/policy";
import { projectRoot } from "../modules/project-root";
import { StaticSite } from "../modules/static-site";
import { TypeScriptFunction } from "../modules/typescript-function";
// It finds its sources beside itself; `npm run synth` keeps its __dirname right within the bundle.
import { websiteFiles } from "../web/build";
import { placeholder } from "./contract";
import { type Platform, PlatformStack } from "./platform";

/** How the stage's names begin in the contract. */
const prefixes = { test: "Test", production: "Production" } as const satisfies Record<WebsiteStage, string>;

/**
 * One stage of the website: the champion's endpoint, the API in front of it, the pages, and what visitors write to us. The system tests run on the
 * stage `test`; what passed them goes to the stage `production`.
 */
export class WebsiteStack extends PlatformStack {
  constructor(
    platform: Platform,
    readonly stage: WebsiteStage,
  ) {
    super(platform, `website-${stage}`);
    const { account, region, logRetentionDays, protectData: protect, alarmEmail } = this.environment;
    const { endpoint: size, latencyAlarmMilliseconds, domain } = this.environment.websites[stage];
    const name = this.named(stage);

    const key = new EncryptionKey(this, "encryption", {
      name,
      description: `Encrypts messages, logs and alarms of the website's stage ${stage}`,
      account,
      region,
      partition: platform.partition,
      logGroupsNamed: name,
      protect,
    });
    const common = { logRetentionDays, encryptionKeyArn: key.arn };
    const alarms = new AlarmTopic(this, "alarms", {
      name: `${name}-alarms`,
      account,
      encryptionKeyArn: key.arn,
      ...(alarmEmail === undefined ? {} : { email: alarmEmail }),
    });
    const topicArn = alarms.arn;

    const modelPackageArn = this.read("ModelPackageName");
    const dataBucketArn = this.arn("s3", this.read("DataBucket"), { region: "", account: "" });
    const endpoint = new ModelEndpoint(this, "model", {
      name,
      modelPackageArn,
      preconditions: [
        {
          condition: Op.neq(modelPackageArn, placeholder),
          errorMessage:
            `No model has been registered yet: ${this.parameterName("ModelPackageName")} is still ${placeholder}. ` +
            "Run the workflow of the stack ml-workflow until it has registered one, then deploy this stack.",
        },
      ],
      repositoryArn: this.arn("ecr", `repository/${this.named("abalone")}`),
      modelStatements: [
        ...readObjects({ bucketArn: dataBucketArn, prefixes: ["runs/"], name: "Model" }),
        useKey({ keyArn: this.read("DataKey"), services: ["s3"], region, access: "read", sid: "DecryptModel" }),
      ],
      instanceType: size.instanceType,
      instanceCount: size.instanceCount,
      account,
      logRetentionDays,
      encryptionKey: key,
      latencyAlarmMilliseconds,
      alarmTopicArn: topicArn,
      bakeSeconds: size.bakeSeconds,
    });

    const messages = new DynamodbTable(this, "messages", {
      name: `${name}-contact`,
      billingMode: "PAY_PER_REQUEST",
      hashKey: "id",
      attribute: [{ name: "id", type: "S" }],
      ttl: { attributeName: "expiresAt", enabled: true },
      serverSideEncryption: { enabled: true, kmsKeyArn: key.arn },
      pointInTimeRecovery: { enabled: true },
      deletionProtectionEnabled: protect,
      ...(protect ? { lifecycle: { preventDestroy: true } } : {}),
    });

    const predict = new TypeScriptFunction(this, "predict", {
      ...common,
      name: `${name}-predict`,
      description: "Tells the age of an abalone from its measures",
      entry: "handlers/predict/index.ts",
      environment: { ENDPOINT_NAME: endpoint.name },
      statements: [
        {
          sid: "InvokeEndpoint",
          actions: ["sagemaker:InvokeEndpoint"],
          resources: [this.arn("sagemaker", `endpoint/${endpoint.name}`)],
        },
      ],
    });
    const contact = new TypeScriptFunction(this, "contact", {
      ...common,
      name: `${name}-contact`,
      description: "Keeps what a visitor writes to us",
      entry: "handlers/contact/index.ts",
      environment: {
        CONTACT_TABLE: messages.name,
        CONTACT_RETENTION_DAYS: String(this.environment.contactRetentionDays),
      },
      statements: [
        { sid: "KeepMessage", actions: ["dynamodb:PutItem"], resources: [messages.arn] },
        key.useStatement(["dynamodb"], "write"),
      ],
    });
    const api = new HttpApi(this, "api", {
      ...common,
      name,
      description: `The API of the website's stage ${stage}`,
      handlers: {
        predict: { function: predict, routes: ["/api/predict", "$default"] },
        contact: { function: contact, routes: ["/api/contact"] },
      },
      requestsPerSecond: this.environment.api.requestsPerSecond,
      burst: this.environment.api.burst,
      region,
    });

    const logsBucket = this.read("LogsBucket");
    const site = new StaticSite(this, "website", {
      name,
      bucketName: this.named(`site-${stage}-${account}-${region}`),
      files: websiteFiles(join(projectRoot, "web")),
      apiDomainName: api.domainName,
      accessLogBucket: { name: logsBucket, arn: this.arn("s3", logsBucket, { region: "", account: "" }) },
      ...(domain ? { domain } : {}),
    });

    new Alarm(this, "api-errors", {
      name: `${name}-api-errors`,
      description: `The API of the stage ${stage} answered 5xx: read /aws/vendedlogs/apis/${name}.`,
      namespace: "AWS/ApiGateway",
      metric: "5xx",
      dimensions: { ApiId: api.id },
      statistic: "Sum",
      threshold: 0,
      topicArn,
    });
    for (const [id, { name: functionName }] of Object.entries({ predict, contact })) {
      functionErrors(this, `${id}-errors`, {
        name: `${name}-${id}-errors`,
        description: `The function ${name}-${id} failed: read /aws/lambda/${name}-${id}.`,
        functionName,
        topicArn,
      });
    }

    this.publish(`${prefixes[stage]}Website`, site.url);
    // The API's own address: the site passes `/api/*` on to the same one, and the system tests compare the two.
    this.publish(`${prefixes[stage]}Api`, `https://${api.domainName}/api`);
    this.publish(`${prefixes[stage]}Endpoint`, endpoint.name);
  }
}
