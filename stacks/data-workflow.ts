import { join } from "node:path";
import { Fn } from "cdktf";
import type { Environment } from "../environments";
import { declaration as releaseChangeHandler } from "../handlers/release-change/declaration";
import { ExternalAirflow, AirflowEnvironment } from "../modules/airflow-environment";
import { functionErrors } from "../modules/alarm";
import { readFiles } from "../modules/content-hash";
import { readObjects, type Statement, writeObjects } from "../modules/policy";
import { projectRoot } from "../modules/project-root";
import { TypeScriptFunction } from "../modules/typescript-function";
import { dataWorkflowDag } from "./contract";
import { type Platform, PlatformStack } from "./platform";

/** Where the DAG puts surveys when it has finished with them. It never deletes from there. */
const finishedSurveys = ["surveys/processed/", "surveys/refused/"] as const;
/** Where ingest-survey lists the rows that it refused. */
const rejectedRows = "surveys/rejected/";

/**
 * Airflow, whose DAG ingests each new survey with the function ingest-survey and then starts the pipeline with the
 * function release-change. The DAG finds the names of all three in Airflow Variables.
 *
 * An environment without the setting `airflow` gets everything except Airflow itself. There the same DAG runs in an
 * Airflow beside the platform, with the same role and Variables.
 */
export class DataWorkflowStack extends PlatformStack {
  private readonly variablesPath = `/acme/${this.environment.name}/airflow/variables`;

  constructor(platform: Platform) {
    super(platform, "data-workflow");
    const { airflow, emulated, logRetentionDays } = this.environment;
    const dataBucket = this.read("DataBucket");
    const key = this.read("DataKey");
    const logsBucket = this.read("LogsBucket");
    const ingestSurvey = this.read("IngestSurveyFunction");
    // Beside an emulator, the pipeline's replacement has the name that the stack would give.
    const pipeline = emulated ? this.named(undefined, "pipeline") : this.read("Pipeline");

    const releaseChange = new TypeScriptFunction(this, "release-change", {
      name: this.named("release-change"),
      handler: releaseChangeHandler,
      environment: { PIPELINE: pipeline },
      statements: [
        {
          sid: "StartPipeline",
          actions: ["codepipeline:StartPipelineExecution"],
          resources: [this.arn("codepipeline", pipeline)],
        },
      ],
      logRetentionDays,
      encryptionKeyArn: key,
    });

    const variables = {
      acme_data_bucket: dataBucket,
      acme_ingest_survey_function: ingestSurvey,
      acme_release_change_function: releaseChange.name,
    };
    const topic = this.alarmTopic(key);
    functionErrors(this, "release-change-errors", { function: releaseChange, topicArn: topic.arn });

    this.publish("ReleaseChangeFunction", releaseChange.name);

    const running = airflow
      ? this.runAirflow(airflow, { variables, topicArn: topic.arn, key, logsBucket })
      : new ExternalAirflow(this, "airflow", {
          name: this.named(),
          variables,
          path: this.variablesPath,
          encryptionKeyArn: key,
        });
    running.grant(...this.moveSurveys(this.bucketArn(dataBucket)), {
      sid: "InvokeFunctions",
      actions: ["lambda:InvokeFunction"],
      resources: [this.arn("lambda", `function:${ingestSurvey}`), releaseChange.arn],
    });
  }

  /** Airflow itself, with its alarms; the caller grants what its DAGs may do. */
  private runAirflow(
    settings: NonNullable<Environment["airflow"]>,
    uses: {
      readonly variables: Readonly<Record<string, string>>;
      readonly topicArn: string;
      readonly key: string;
      readonly logsBucket: string;
    },
  ): AirflowEnvironment {
    const { account, region, logRetentionDays, network, oldVersionDays, protectData } = this.environment;
    const subnetIds = Fn.split(",", this.read("PrivateSubnetIds"));
    const files = readFiles(join(projectRoot, "airflow-dags"), (path) => /^(\w+\.py|requirements\.txt)$/.test(path));
    const requirements = files.get("requirements.txt");
    // A private web server runs in a VPC of AWS, where pip reaches no registry. On workers, pip reaches one only
    // through NAT.
    const pipReachesRegistry = settings.webServer === "public" && (network?.natGateways ?? 0) > 0;
    const airflow = new AirflowEnvironment(this, "airflow", {
      name: this.named(),
      version: settings.version,
      environmentClass: settings.environmentClass,
      maximumWorkers: settings.maximumWorkers,
      webServer: settings.webServer,
      vpcId: this.read("VpcId"),
      subnetIds: [Fn.element(subnetIds, 0) as string, Fn.element(subnetIds, 1) as string],
      bucketName: this.named(`dags-${account}-${region}`),
      expireOldVersionsAfterDays: oldVersionDays,
      accessLogBucket: { name: uses.logsBucket },
      dags: new Map([...files].filter(([path]) => path.endsWith(".py"))),
      requirements: pipReachesRegistry ? requirements : undefined,
      variables: uses.variables,
      variablesPath: this.variablesPath,
      encryptionKeyArn: uses.key,
      logRetentionDays,
      protect: protectData,
    });
    airflow.alarms({ topicArn: uses.topicArn, dagIds: [dataWorkflowDag] });
    this.publish("AirflowEnvironment", airflow.name);
    this.publish("DagBucket", airflow.bucketName);
    return airflow;
  }

  /** Lists and reads new surveys, and moves them to the finished ones. */
  private moveSurveys(bucketArn: string): readonly Statement[] {
    return [
      ...readObjects({ bucketArn, prefixes: ["surveys/"], name: "Surveys" }),
      ...writeObjects({ bucketArn, prefixes: finishedSurveys, name: "Surveys" }),
      { sid: "DeleteSurveys", actions: ["s3:DeleteObject"], resources: [`${bucketArn}/surveys/*`] },
      {
        sid: "KeepFinishedSurveys",
        effect: "Deny",
        actions: ["s3:DeleteObject"],
        resources: [...finishedSurveys, rejectedRows].map((prefix) => `${bucketArn}/${prefix}*`),
      },
    ];
  }
}
