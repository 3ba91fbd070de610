import { join } from "node:path";
import { DataAwsS3Object } from "@cdktf/provider-aws/lib/data-aws-s3-object";
import { DynamodbTable } from "@cdktf/provider-aws/lib/dynamodb-table";
import { LambdaPermission } from "@cdktf/provider-aws/lib/lambda-permission";
import { S3Object } from "@cdktf/provider-aws/lib/s3-object";
import { SnsTopicSubscription } from "@cdktf/provider-aws/lib/sns-topic-subscription";
import { Op } from "cdktf";
import type { WebsiteStage } from "../environments";
import { declaration as contactHandler } from "../handlers/contact/declaration";
import { declaration as predictHandler } from "../handlers/predict/declaration";
import { declaration as starterHandler } from "../handlers/start-data-workflow/declaration";
import { openApiFile, openApiJson } from "../web/openapi";
import { Alarm, AlarmTopic, functionErrors } from "../modules/alarm";
import { BuildCache } from "../modules/build-cache";
import { ContactMail } from "../modules/contact-mail";
import { EncryptionKey } from "../modules/encryption-key";
import { HttpApi } from "../modules/http-api";
import { type DataCapture, ModelEndpoint } from "../modules/model-endpoint";
import { ModelMonitor } from "../modules/model-monitor";
import { readObjects, type Statement, useKey, writeObjects } from "../modules/policy";
import { projectRoot } from "../modules/project-root";
import { cacheControlOf, contentTypeOf } from "../modules/site-delivery";
import { StaticSite } from "../modules/static-site";
import { TypeScriptFunction } from "../modules/typescript-function";
import { firewallRegion, WebFirewall } from "../modules/web-firewall";
// It finds its sources beside itself; `npm run synth` keeps its __dirname right within the bundle.
import { sitemap, websiteFiles } from "../web/build";
import { dataWorkflowDag, placeholder, publicFigures } from "./contract";
import { type Platform, PlatformStack } from "./platform";

/** How the stage's names begin in the contract. */
const prefixes = { test: "Test", production: "Production" } as const satisfies Record<WebsiteStage, string>;

/** Where the pages find the champion's public figures. */
const figuresFile = "model.json";

/** Where in the data bucket captured traffic lies, and what was found in it. */
const prefix = { capture: "data-capture", reports: "monitoring" } as const;

/** The pages' scripts and stylesheet of earlier synths; both stages share theirs. */
const siteCache = new BuildCache(projectRoot, "dist/website");

/** What watching an endpoint needs to know of it. */
interface WatchedEndpoint {
  /** With which the stage's names begin. */
  readonly name: string;
  readonly endpoint: ModelEndpoint;
  readonly dataBucket: string;
  /** Encrypts the data bucket. */
  readonly dataKey: string;
  /** The topic of the stage's alarms. */
  readonly topicArn: string;
  /** The stage's own key. */
  readonly keyArn: string;
}

/**
 * One stage of the website: the champion's endpoint and what watches its traffic, the API in front of it, the pages,
 * and what visitors write to us. The system tests run on the stage `test`; what passed them goes to the stage
 * `production`, whose drift starts the data workflow.
 */
export class WebsiteStack extends PlatformStack {
  constructor(
    platform: Platform,
    readonly stage: WebsiteStage,
  ) {
    super(platform, `website-${stage}`);
    const { account, region, logRetentionDays, protectData: protect, alarmEmail } = this.environment;
    const {
      endpoint: size,
      latencyAlarmMilliseconds,
      domain,
      firewall,
      contact: mail,
    } = this.environment.websites[stage];
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
    const dataBucket = this.read("DataBucket");
    const dataBucketArn = this.arn("s3", dataBucket, { region: "", account: "" });
    const dataKey = this.read("DataKey");
    const { capture, captureStatements } = this.capture(name, dataBucket, dataKey);
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
        useKey({
          keyArn: dataKey,
          services: ["s3"],
          region,
          access: capture ? "write" : "read",
          sid: capture ? "UseDataKey" : "DecryptModel",
        }),
        ...captureStatements,
      ],
      ...(capture ? { capture } : {}),
      instanceType: size.instanceType,
      instanceCount: size.instanceCount,
      ...(size.scaling ? { scaling: size.scaling } : {}),
      region,
      partition: platform.partition,
      account,
      logRetentionDays,
      encryptionKey: key,
      latencyAlarmMilliseconds,
      alarmTopicArn: topicArn,
      bakeSeconds: size.bakeSeconds,
      afterRollback: `What now: put the earlier package back into ${this.parameterName("ModelPackageName")}, or train another, and deploy again (docs/runbooks.md, "A release was rolled back").`,
    });

    const messages = new DynamodbTable(this, "messages", {
      name: `${name}-contact`,
      billingMode: "PAY_PER_REQUEST",
      hashKey: "id",
      attribute: [{ name: "id", type: "S" }],
      ttl: { attributeName: "expiresAt", enabled: true },
      serverSideEncryption: { enabled: true, kmsKeyArn: key.arn },
      pointInTimeRecovery: { enabled: true },
      // Keys alone: whoever mails a message reads it where it lies, and nothing else holds it.
      ...(mail ? { streamEnabled: true, streamViewType: "KEYS_ONLY" } : {}),
      deletionProtectionEnabled: protect,
      ...(protect ? { lifecycle: { preventDestroy: true } } : {}),
    });
    // Counts of an hour, by codes whose key lies beside them and is replaced every day: no backup may keep it.
    const visitors = new DynamodbTable(this, "visitors", {
      name: `${name}-contact-visitors`,
      billingMode: "PAY_PER_REQUEST",
      hashKey: "id",
      attribute: [{ name: "id", type: "S" }],
      ttl: { attributeName: "expiresAt", enabled: true },
      serverSideEncryption: { enabled: true, kmsKeyArn: key.arn },
    });

    const predict = new TypeScriptFunction(this, "predict", {
      ...common,
      name: `${name}-predict`,
      handler: predictHandler,
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
      handler: contactHandler,
      environment: {
        CONTACT_TABLE: messages.name,
        CONTACT_RETENTION_DAYS: String(this.environment.contactRetentionDays),
        CONTACT_VISITORS_TABLE: visitors.name,
        CONTACT_MESSAGES_PER_HOUR: String(this.environment.api.contactMessagesPerHour),
      },
      statements: [
        { sid: "KeepMessage", actions: ["dynamodb:PutItem"], resources: [messages.arn] },
        { sid: "CountMessage", actions: ["dynamodb:UpdateItem"], resources: [visitors.arn] },
        key.useStatement(["dynamodb"], "write"),
      ],
    });
    if (mail) {
      new ContactMail(this, "mail", {
        ...mail,
        name,
        table: { name: messages.name, arn: messages.arn, streamArn: messages.streamArn },
        website: stage === "production" ? "abalone website" : `abalone website (${stage})`,
        account,
        region,
        partition: platform.partition,
        logRetentionDays,
        encryptionKey: key,
        alarmTopicArn: topicArn,
      });
    }
    const api = new HttpApi(this, "api", {
      ...common,
      name,
      description: `The API of the website's stage ${stage}`,
      handlers: {
        predict: { function: predict, routes: [predictHandler.route, "$default"] },
        contact: { function: contact, routes: [contactHandler.route] },
      },
      requestsPerSecond: this.environment.api.requestsPerSecond,
      burst: this.environment.api.burst,
      region,
    });

    const logsBucket = this.read("LogsBucket");
    const site = new StaticSite(this, "website", {
      name,
      bucketName: this.named(`site-${stage}-${account}-${region}`),
      files: new Map([
        ...websiteFiles(
          join(projectRoot, "web"),
          {
            contactRetentionDays: this.environment.contactRetentionDays,
            // The bucket of the access logs keeps what has expired as an old version for some time.
            recordRetentionDays: logRetentionDays + this.environment.oldVersionDays,
            contactMailed: mail !== undefined,
            ...(domain ? { address: `https://${domain.name}` } : {}),
          },
          (...request) => siteCache.reuse(...request),
        ),
        [openApiFile, openApiJson()],
      ]),
      apiDomainName: api.domainName,
      accessLogBucket: { name: logsBucket, arn: this.arn("s3", logsBucket, { region: "", account: "" }) },
      ...(domain ? { domain } : {}),
      ...(firewall ? { firewallArn: this.firewall(name, firewall.requestsPerFiveMinutes) } : {}),
    });

    this.showFigures(site, dataBucket, endpoint);
    this.showSitemap(site);

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
    functionErrors(this, "predict-errors", { function: predict, topicArn });
    functionErrors(this, "contact-errors", { function: contact, topicArn });

    this.watch({ name, endpoint, dataBucket, dataKey, topicArn, keyArn: key.arn });

    this.publish(`${prefixes[stage]}Website`, site.url);
    // The API's own address: the site passes `/api/*` on to the same one, and the system tests compare the two.
    this.publish(`${prefixes[stage]}Api`, `https://${api.domainName}/api`);
    this.publish(`${prefixes[stage]}Endpoint`, endpoint.name);
  }

  /** The firewall's ARN; it stands in another region than the rest, and so does the key of its logs. */
  private firewall(name: string, requestsPerFiveMinutes: number): string {
    const { account, logRetentionDays, protectData: protect } = this.environment;
    const key = new EncryptionKey(this, "firewall-encryption", {
      name: `${name}-firewall`,
      description: `Encrypts the logs of the firewall of the website's stage ${this.stage}`,
      account,
      region: firewallRegion,
      elsewhere: true,
      partition: this.platform.partition,
      logGroupsNamed: name,
      protect,
    });
    const firewall = new WebFirewall(this, "firewall", {
      name,
      requestsPerFiveMinutes,
      logRetentionDays,
      encryptionKeyArn: key.arn,
    });
    return firewall.arn;
  }

  /**
   * Puts `sitemap.xml` beside the pages: by its content, as Terraform knows the site's address, which stands in it,
   * only when the distribution is there.
   */
  private showSitemap({ bucketName, url }: StaticSite): void {
    const key = "sitemap.xml";
    new S3Object(this, "sitemap", {
      bucket: bucketName,
      key,
      content: sitemap(url),
      contentType: contentTypeOf(key),
      cacheControl: cacheControlOf(key),
    });
  }

  /**
   * Puts the champion's public figures beside the pages, as `/model.json`. By their content and not as a copy of the
   * object, which Terraform would delete before it copies the next one. They come after the endpoint: a release that is
   * rolled back changes none.
   */
  private showFigures({ bucketName }: StaticSite, dataBucket: string, { endpoint }: ModelEndpoint): void {
    const figures = new DataAwsS3Object(this, "figures", { bucket: dataBucket, key: this.read("FiguresKey") });
    new S3Object(this, "model-json", {
      bucket: bucketName,
      key: figuresFile,
      content: figures.body,
      contentType: contentTypeOf(figuresFile),
      cacheControl: cacheControlOf(figuresFile),
      dependsOn: [endpoint],
      lifecycle: {
        precondition: [
          {
            // Terraform reads the content of no other type, and would put an empty file there.
            condition: Op.eq(figures.contentType, "application/json"),
            errorMessage:
              `The public figures that ${this.parameterName("FiguresKey")} names in the data bucket are not of the type application/json. ` +
              `Run the workflow of the stack ml-workflow until it registers a model, or put ${publicFigures.none} into the parameter: the website then shows none.`,
          },
        ],
      },
    });
  }

  /**
   * What SageMaker keeps of the endpoint's traffic, and what the endpoint's role needs for that: nothing where nobody
   * watches it.
   */
  private capture(
    name: string,
    dataBucket: string,
    encryptionKeyArn: string,
  ): { readonly capture?: DataCapture; readonly captureStatements: readonly Statement[] } {
    const { monitor } = this.environment.websites[this.stage];
    if (!monitor) {
      return { captureStatements: [] };
    }
    return {
      capture: {
        destinationUri: `s3://${dataBucket}/${prefix.capture}`,
        encryptionKeyArn,
        samplingPercent: monitor.samplingPercent,
      },
      captureStatements: writeObjects({
        bucketArn: this.arn("s3", dataBucket, { region: "", account: "" }),
        prefixes: [`${prefix.capture}/${name}/`],
        name: "Traffic",
      }),
    };
  }

  /**
   * Compares the endpoint's traffic with the rows on which the champion was trained. Drift in production starts the
   * data workflow.
   */
  private watch(watched: WatchedEndpoint): void {
    const { account, region, processing, websites } = this.environment;
    const imageUri = this.read("ModelImageUri");
    const baselineUri = this.read("MonitoringBaselineUri");
    const stateMachine = this.read("StateMachine");
    const network = this.jobNetwork();
    const { monitor } = websites[this.stage];
    if (!monitor) {
      return;
    }
    const { name, endpoint, dataBucket, dataKey, topicArn } = watched;
    const driftTopicArn = this.stage === "production" ? this.startOnDrift(watched, stateMachine) : undefined;
    new ModelMonitor(this, "monitor", {
      name,
      endpointName: endpoint.name,
      endpoint: endpoint.endpoint,
      bucket: dataBucket,
      capturePrefix: `${prefix.capture}/${name}/`,
      baselinePrefix: "runs/",
      reportPrefix: prefix.reports,
      baselineUri,
      preconditions: [
        {
          condition: Op.neq(baselineUri, placeholder),
          errorMessage:
            `The champion has no baseline: ${this.parameterName("MonitoringBaselineUri")} is still ${placeholder}. ` +
            "Run the workflow of the stack ml-workflow until it has registered a model, then deploy this stack.",
        },
      ],
      imageUri,
      repositoryArn: this.arn("ecr", `repository/${this.named("abalone")}`),
      schedule: monitor.schedule,
      minimumRows: monitor.minimumRows,
      job: processing,
      ...network,
      encryptionKeyArn: dataKey,
      account,
      region,
      partition: this.platform.partition,
      alarmTopicArn: topicArn,
      ...(driftTopicArn === undefined ? {} : { driftTopicArn }),
    });
  }

  /**
   * The topic of drift, and behind it the function that starts the data workflow. Airflow is deployed after the
   * websites, so that it is named by convention; where an environment has none, the ML workflow takes its place.
   */
  private startOnDrift({ name, topicArn, keyArn }: WatchedEndpoint, stateMachine: string): string {
    const { account, airflow, logRetentionDays } = this.environment;
    const topic = new AlarmTopic(this, "drift", { name: `${name}-drift`, account, encryptionKeyArn: keyArn });
    const airflowName = this.named("airflow");
    const starter = new TypeScriptFunction(this, "start-data-workflow", {
      name: `${name}-start-data-workflow`,
      handler: starterHandler,
      environment: airflow
        ? { STAGE: this.stage, AIRFLOW_ENVIRONMENT: airflowName, DAG: dataWorkflowDag }
        : { STAGE: this.stage, STATE_MACHINE: stateMachine },
      statements: [
        airflow
          ? {
              // As Airflow's own role User, which may start DAGs and change no settings (MWAA User Guide, "Apache
              // Airflow UI access policies").
              sid: "StartDag",
              actions: ["airflow:InvokeRestApi"],
              resources: [this.arn("airflow", `role/${airflowName}/User`)],
            }
          : { sid: "StartWorkflow", actions: ["states:StartExecution"], resources: [stateMachine] },
      ],
      logRetentionDays,
      encryptionKeyArn: keyArn,
    });
    const permission = new LambdaPermission(this, "drift-permission", {
      statementId: "Drift",
      action: "lambda:InvokeFunction",
      functionName: starter.name,
      principal: "sns.amazonaws.com",
      sourceArn: topic.arn,
    });
    new SnsTopicSubscription(this, "drift-subscription", {
      topicArn: topic.arn,
      protocol: "lambda",
      endpoint: starter.arn,
      dependsOn: [permission],
    });
    functionErrors(this, "start-data-workflow-errors", { function: starter, topicArn });
    return topic.arn;
  }
}
