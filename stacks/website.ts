import { join } from "node:path";
import { DataAwsS3Object } from "@cdktf/provider-aws/lib/data-aws-s3-object";
import { DynamodbTable } from "@cdktf/provider-aws/lib/dynamodb-table";
import { LambdaPermission } from "@cdktf/provider-aws/lib/lambda-permission";
import { S3Object } from "@cdktf/provider-aws/lib/s3-object";
import { SnsTopicSubscription } from "@cdktf/provider-aws/lib/sns-topic-subscription";
import { Op } from "cdktf";
import type { Environment, WebsiteStage } from "../environments";
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
import { readObjects, type Statement, allowKeyUse, writeObjects } from "../modules/policy";
import { projectRoot } from "../modules/project-root";
import { cacheControlOf, contentTypeOf } from "../modules/site-delivery";
import { StaticSite } from "../modules/static-site";
import { TypeScriptFunction } from "../modules/typescript-function";
import { firewallRegion, WebFirewall } from "../modules/web-firewall";
import { sitemap, websiteFiles } from "../web/build";
import { dataWorkflowDag, placeholder, publicFigures } from "./contract";
import { type Platform, PlatformStack } from "./platform";

/** The prefix of each stage's parameters in the contract. */
const prefixes = { test: "Test", production: "Production" } as const satisfies Record<WebsiteStage, string>;

/** The file from which the pages read the champion's public figures. */
const figuresFile = "model.json";

/** The data bucket's prefixes for captured traffic and for reports about it. */
const prefix = { capture: "data-capture", reports: "monitoring" } as const;

/** The scripts and stylesheet that earlier synths built; both stages share them. */
const siteCache = new BuildCache(projectRoot, "dist/website");

/** The two functions behind the API. */
interface ApiFunctions {
  readonly predict: TypeScriptFunction<typeof predictHandler.variables>;
  readonly contact: TypeScriptFunction<typeof contactHandler.variables>;
}

/**
 * One stage of the website: the champion's endpoint and its monitor, the API in front of it, the pages, and the
 * messages of visitors. The system tests run on the stage `test`; what passed them goes to the stage `production`,
 * whose drift starts the data workflow.
 */
export class WebsiteStack extends PlatformStack {
  /** Name prefix of the stage, for example `acme-production-test`. */
  private readonly name: string;
  private readonly settings: Environment["websites"][WebsiteStage];
  /** Encrypts what the stage stores itself. */
  private readonly key: EncryptionKey;
  /** The topic of the stage's alarms. */
  private readonly topicArn: string;
  /** The data bucket, and the ARN of the key that encrypts it. */
  private readonly data: { readonly bucket: string; readonly key: string };

  constructor(
    platform: Platform,
    readonly stage: WebsiteStage,
  ) {
    super(platform, `website-${stage}`);
    this.name = this.named();
    this.settings = this.environment.websites[stage];
    this.key = this.encryptionKey({
      description: `Encrypts messages, logs and alarms of the website's stage ${stage}`,
      logGroupsNamed: this.name,
    });
    this.topicArn = this.alarmTopic(this.key.arn).arn;

    const modelPackageArn = this.read("ModelPackageName");
    this.data = { bucket: this.read("DataBucket"), key: this.read("DataKey") };
    const endpoint = this.serve(modelPackageArn);
    const functions = this.functions(endpoint);
    const api = this.api(functions);
    const site = this.site(api);
    this.showFigures(site, endpoint);
    this.showSitemap(site);
    this.watchApi(api, functions);
    this.watchTraffic(endpoint);

    this.publish(`${prefixes[stage]}Website`, site.url);
    // The API's own address: the site forwards `/api/*` to the same one, and the system tests compare the two.
    this.publish(`${prefixes[stage]}Api`, `https://${api.domainName}/api`);
    this.publish(`${prefixes[stage]}Endpoint`, endpoint.name);
  }

  /** The endpoint that serves the champion. */
  private serve(modelPackageArn: string): ModelEndpoint {
    const { endpoint: size, latencyAlarmMilliseconds } = this.settings;
    const { capture, captureStatements } = this.capture();
    return new ModelEndpoint(this, "model", {
      name: this.name,
      modelPackageArn,
      preconditions: [
        {
          condition: Op.neq(modelPackageArn, placeholder),
          errorMessage:
            `No model has been registered yet: ${this.parameterName("ModelPackageName")} is still ${placeholder}. ` +
            "Run the workflow of the stack ml-workflow until it has registered one, then deploy this stack.",
        },
      ],
      repositoryArn: this.arn("ecr", `repository/${this.named("abalone", "model-image")}`),
      modelStatements: [
        ...readObjects({ bucketArn: this.bucketArn(this.data.bucket), prefixes: ["runs/"], name: "Model" }),
        allowKeyUse({
          keyArn: this.data.key,
          services: ["s3"],
          region: this.environment.region,
          access: capture ? "write" : "read",
          sid: capture ? "UseDataKey" : "DecryptModel",
        }),
        ...captureStatements,
      ],
      capture,
      instanceType: size.instanceType,
      instanceCount: size.instanceCount,
      scaling: size.scaling,
      logRetentionDays: this.environment.logRetentionDays,
      encryptionKey: this.key,
      latencyAlarmMilliseconds,
      alarmTopicArn: this.topicArn,
      bakeSeconds: size.bakeSeconds,
      afterRollback: `Next step: put the earlier package back into ${this.parameterName("ModelPackageName")}, or train another, and deploy again (docs/runbooks.md, "A release was rolled back").`,
    });
  }

  /** The functions that answer visitors, and the tables for visitors' messages. */
  private functions(endpoint: ModelEndpoint): ApiFunctions {
    const { logRetentionDays, contactRetentionDays, api } = this.environment;
    const { messages, visitors } = this.tables();
    const common = { logRetentionDays, encryptionKeyArn: this.key.arn };
    const predict = new TypeScriptFunction(this, "predict", {
      ...common,
      name: `${this.name}-predict`,
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
      name: `${this.name}-contact`,
      handler: contactHandler,
      environment: {
        CONTACT_TABLE: messages.name,
        CONTACT_RETENTION_DAYS: String(contactRetentionDays),
        CONTACT_VISITORS_TABLE: visitors.name,
        CONTACT_MESSAGES_PER_HOUR: String(api.contactMessagesPerHour),
      },
      statements: [
        { sid: "KeepMessage", actions: ["dynamodb:PutItem"], resources: [messages.arn] },
        { sid: "CountMessage", actions: ["dynamodb:UpdateItem"], resources: [visitors.arn] },
        this.key.useStatement(["dynamodb"], "write"),
      ],
    });
    if (this.settings.contact) {
      this.mail(this.settings.contact, messages);
    }
    return { predict, contact };
  }

  private tables(): { readonly messages: DynamodbTable; readonly visitors: DynamodbTable } {
    const { protectData: protect } = this.environment;
    const common = {
      billingMode: "PAY_PER_REQUEST",
      hashKey: "id",
      attribute: [{ name: "id", type: "S" }],
      ttl: { attributeName: "expiresAt", enabled: true },
      serverSideEncryption: { enabled: true, kmsKeyArn: this.key.arn },
    };
    const messages = new DynamodbTable(this, "messages", {
      ...common,
      name: `${this.name}-contact`,
      pointInTimeRecovery: { enabled: true },
      // Keys only: the mailer reads the message from the table, so no copy exists.
      streamEnabled: this.settings.contact ? true : undefined,
      streamViewType: this.settings.contact ? "KEYS_ONLY" : undefined,
      deletionProtectionEnabled: protect,
      lifecycle: protect ? { preventDestroy: true } : undefined,
    });
    // Messages per hour and visitor code. The codes' key is in the same table and is replaced every day, so there is no
    // backup.
    const visitors = new DynamodbTable(this, "visitors", { ...common, name: `${this.name}-contact-visitors` });
    return { messages, visitors };
  }

  private mail(
    addresses: NonNullable<Environment["websites"][WebsiteStage]["contact"]>,
    { name, arn, streamArn }: DynamodbTable,
  ): void {
    new ContactMail(this, "mail", {
      ...addresses,
      name: this.name,
      table: { name, arn, streamArn },
      website: this.stage === "production" ? "abalone website" : `abalone website (${this.stage})`,
      logRetentionDays: this.environment.logRetentionDays,
      encryptionKey: this.key,
      alarmTopicArn: this.topicArn,
    });
  }

  private api({ predict, contact }: ApiFunctions): HttpApi {
    const { api, logRetentionDays } = this.environment;
    return new HttpApi(this, "api", {
      name: this.name,
      description: `The API of the website's stage ${this.stage}`,
      handlers: {
        predict: { function: predict, routes: [predictHandler.route, "$default"] },
        contact: { function: contact, routes: [contactHandler.route] },
      },
      requestsPerSecond: api.requestsPerSecond,
      burst: api.burst,
      logRetentionDays,
      encryptionKeyArn: this.key.arn,
    });
  }

  /** The pages, and the distribution in front of them and of the API. */
  private site(api: HttpApi): StaticSite {
    const { account, region, contactRetentionDays, logRetentionDays, oldVersionDays } = this.environment;
    const { domain, firewall, contact } = this.settings;
    const logsBucket = this.read("LogsBucket");
    return new StaticSite(this, "website", {
      name: this.name,
      bucketName: this.named(`${account}-${region}`),
      files: new Map([
        ...websiteFiles(
          join(projectRoot, "web"),
          {
            contactRetentionDays,
            // The access log bucket keeps expired objects as old versions for some time.
            recordRetentionDays: logRetentionDays + oldVersionDays,
            contactMailed: contact !== undefined,
            address: domain && `https://${domain.name}`,
          },
          (...request) => siteCache.reuse(...request),
        ),
        [openApiFile, openApiJson()],
      ]),
      apiDomainName: api.domainName,
      accessLogBucket: { name: logsBucket, arn: this.bucketArn(logsBucket) },
      domain,
      firewallArn: firewall && this.firewall(firewall.requestsPerFiveMinutes),
    });
  }

  /** The firewall's ARN. The firewall and its logs' key are in another region. */
  private firewall(requestsPerFiveMinutes: number): string {
    const { logRetentionDays, protectData: protect } = this.environment;
    const key = new EncryptionKey(this, "firewall-encryption", {
      name: `${this.name}-firewall`,
      description: `Encrypts the logs of the firewall of the website's stage ${this.stage}`,
      region: firewallRegion,
      logGroupsNamed: this.name,
      protect,
    });
    const firewall = new WebFirewall(this, "firewall", {
      name: this.name,
      requestsPerFiveMinutes,
      logRetentionDays,
      encryptionKeyArn: key.arn,
    });
    return firewall.arn;
  }

  private watchApi(api: HttpApi, { predict, contact }: ApiFunctions): void {
    const { name, stage, topicArn } = this;
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
  }

  /**
   * Puts `sitemap.xml` beside the pages. Terraform writes its content, because the site's address in it is known only
   * after the distribution exists.
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
   * Puts the champion's public figures beside the pages, as `/model.json`. Terraform writes the content; it would
   * delete a copied object before it copies the next one. This happens after the endpoint's update, so that a
   * rolled-back release keeps the old figures.
   */
  private showFigures({ bucketName }: StaticSite, { endpoint }: ModelEndpoint): void {
    const figures = new DataAwsS3Object(this, "figures", {
      bucket: this.data.bucket,
      key: this.read("FiguresKey"),
    });
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
            // Terraform does not read the content of other types, and would write an empty file.
            condition: Op.eq(figures.contentType, "application/json"),
            errorMessage:
              `The public figures that ${this.parameterName("FiguresKey")} names in the data bucket do not have the type application/json. ` +
              `Run the workflow of the stack ml-workflow until it registers a model, or put ${publicFigures.none} into the parameter: the website then shows no figures.`,
          },
        ],
      },
    });
  }

  /**
   * What SageMaker stores of the endpoint's traffic, and the rights that the endpoint's role needs for it. Empty
   * without a monitor.
   */
  private capture(): { readonly capture?: DataCapture; readonly captureStatements: readonly Statement[] } {
    const { monitor } = this.settings;
    if (!monitor) {
      return { captureStatements: [] };
    }
    return {
      capture: {
        destinationUri: `s3://${this.data.bucket}/${prefix.capture}`,
        encryptionKeyArn: this.data.key,
        samplingPercent: monitor.samplingPercent,
      },
      captureStatements: writeObjects({
        bucketArn: this.bucketArn(this.data.bucket),
        prefixes: [`${prefix.capture}/${this.name}/`],
        name: "Traffic",
      }),
    };
  }

  /**
   * Compares the endpoint's traffic with the rows on which the champion was trained. Drift in production starts the
   * data workflow.
   */
  private watchTraffic({ name: endpointName, endpoint }: ModelEndpoint): void {
    const { name, settings } = this;
    const imageUri = this.read("ModelImageUri");
    const baselineUri = this.read("MonitoringBaselineUri");
    const stateMachine = this.read("StateMachine");
    const network = this.jobNetwork();
    const { monitor } = settings;
    if (!monitor) {
      return;
    }
    new ModelMonitor(this, "monitor", {
      name,
      endpointName,
      endpoint,
      bucket: this.data.bucket,
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
      repositoryArn: this.arn("ecr", `repository/${this.named("abalone", "model-image")}`),
      schedule: monitor.schedule,
      minimumRows: monitor.minimumRows,
      job: this.environment.processing,
      ...network,
      encryptionKeyArn: this.data.key,
      alarmTopicArn: this.topicArn,
      driftTopicArn: this.stage === "production" ? this.startOnDrift(stateMachine) : undefined,
    });
  }

  /**
   * The topic of drift alarms and the function that starts the data workflow. Airflow is deployed after the websites,
   * so its name follows from the convention. In an environment without Airflow, the function starts the ML workflow.
   */
  private startOnDrift(stateMachine: string): string {
    const { airflow, logRetentionDays } = this.environment;
    const { name, topicArn } = this;
    const encryptionKeyArn = this.key.arn;
    const topic = new AlarmTopic(this, "drift", { name: `${name}-drift`, encryptionKeyArn });
    const airflowName = this.named(undefined, "data-workflow");
    const starter = new TypeScriptFunction(this, "start-data-workflow", {
      name: `${name}-start-data-workflow`,
      handler: starterHandler,
      environment: airflow
        ? { STAGE: this.stage, AIRFLOW_ENVIRONMENT: airflowName, DAG: dataWorkflowDag }
        : { STAGE: this.stage, STATE_MACHINE: stateMachine },
      statements: [
        airflow
          ? {
              // With Airflow's role User, which may start DAGs but not change settings (MWAA User Guide, "Apache
              // Airflow UI access policies").
              sid: "StartDag",
              actions: ["airflow:InvokeRestApi"],
              resources: [this.arn("airflow", `role/${airflowName}/User`)],
            }
          : { sid: "StartWorkflow", actions: ["states:StartExecution"], resources: [stateMachine] },
      ],
      logRetentionDays,
      encryptionKeyArn,
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
