import { CloudwatchLogMetricFilter } from "@cdktf/provider-aws/lib/cloudwatch-log-metric-filter";
import { SagemakerModelPackageGroup } from "@cdktf/provider-aws/lib/sagemaker-model-package-group";

import { declaration as evaluateResultsHandler } from "../handlers/evaluate-results/declaration";
import { declaration as ingestSurveyHandler } from "../handlers/ingest-survey/declaration";
import { declaration as prepareRunHandler } from "../handlers/prepare-run/declaration";
import { declaration as registerModelHandler } from "../handlers/register-model/declaration";
import type { HandlerDeclaration, VariablesShape } from "../handlers/shared/declaration";
import { Alarm, functionErrors } from "../modules/alarm";
import { readObjects, allowKeyUse, writeObjects } from "../modules/policy";
import { belowThresholdError, TrainingWorkflow } from "../modules/training-workflow";
import { TypeScriptFunction, type TypeScriptFunctionProps } from "../modules/typescript-function";
import { placeholder, publicFigures } from "./contract";
import { type Platform, PlatformStack } from "./platform";

/**
 * From survey to registered model: the state machine with its functions and roles, the model package group, and the
 * function that puts a survey into the feature group. Alarms report failed runs, models that miss the threshold, and
 * failed functions.
 */
export class MlWorkflowStack extends PlatformStack {
  private readonly bucket: string;
  private readonly dataArn: string;
  private readonly key: string;

  constructor(platform: Platform) {
    super(platform, "ml-workflow");
    const { logRetentionDays, processing, protectData, training } = this.environment;
    this.bucket = this.read("DataBucket");
    this.dataArn = this.bucketArn(this.bucket);
    this.key = this.read("DataKey");
    const featureGroup = this.read("FeatureGroup");
    const imageUri = this.read("ModelImageUri");

    const packages = new SagemakerModelPackageGroup(this, "packages", {
      modelPackageGroupName: this.named("abalone"),
      modelPackageGroupDescription: "Models that tell the age of an abalone; each passed the gate of the workflow",
      lifecycle: protectData ? { preventDestroy: true } : undefined,
    });
    const packageArn = this.arn("sagemaker", `model-package/${packages.modelPackageGroupName}/*`);

    const prepareRun = this.prepareRun(packageArn);
    const evaluateResults = this.evaluateResults();
    const registerModel = this.registerModel(packages.modelPackageGroupName, packageArn, imageUri);
    const ingestSurvey = this.ingestSurvey(featureGroup);
    const workflow = new TrainingWorkflow(this, "training", {
      name: this.named("training"),
      jobPrefix: this.named(),
      functions: {
        prepareRun: prepareRun.arn,
        evaluateResults: evaluateResults.arn,
        registerModel: registerModel.arn,
      },
      imageUri,
      imageRepository: this.imageRepository,
      featureGroup,
      athenaWorkgroup: this.read("AthenaWorkgroup"),
      bucket: this.bucket,
      encryptionKeyArn: this.key,
      processing,
      training,
      ...this.jobNetwork(),
      jobTags: { ...this.environment.ownerTags, Project: "acme", Environment: this.environment.name, Stack: this.id },
      logRetentionDays,
    });

    this.watch(workflow);

    this.publish("StateMachine", workflow.arn);
    this.publish("IngestSurveyFunction", ingestSurvey.name);
    this.publish("ModelPackageGroup", packages.modelPackageGroupName);
    this.publish("ModelPackageName", placeholder);
    this.publish("BaselineDataUri", placeholder);
    this.publish("MonitoringBaselineUri", placeholder);
    this.publish("FiguresKey", publicFigures.none);
  }

  private get imageRepository(): string {
    return this.named("abalone", "model-image");
  }

  private prepareRun(packageArn: string): TypeScriptFunction {
    // The workflow makes the experiment: Terraform's AWS provider has no resource for it.
    const experiment = this.named("abalone");
    return this.function(prepareRunHandler, {
      environment: {
        DATA_BUCKET: this.bucket,
        EXPERIMENT_NAME: experiment,
        MODEL_PACKAGE_PARAMETER: this.parameterName("ModelPackageName"),
        RESOURCE_PREFIX: this.named(),
      },
      statements: [
        {
          // A trial is created in its experiment: the right to create it is needed on both.
          sid: "OpenExperiment",
          actions: ["sagemaker:CreateExperiment", "sagemaker:DescribeExperiment", "sagemaker:CreateTrial"],
          resources: [this.arn("sagemaker", `experiment/${experiment}`)],
        },
        {
          sid: "OpenTrial",
          actions: ["sagemaker:CreateTrial", "sagemaker:DescribeTrial"],
          resources: [this.arn("sagemaker", `experiment-trial/${this.named()}-*`)],
        },
        { sid: "ReadChampion", actions: ["ssm:GetParameter"], resources: [this.parameterArn("ModelPackageName")] },
        { sid: "DescribeChampion", actions: ["sagemaker:DescribeModelPackage"], resources: [packageArn] },
      ],
    });
  }

  private evaluateResults(): TypeScriptFunction {
    const { gate, qualityThreshold, region } = this.environment;
    return this.function(evaluateResultsHandler, {
      environment: {
        QUALITY_THRESHOLD: String(qualityThreshold),
        GATE_METRIC: gate.metric,
        GATE_CONFIDENCE: String(gate.confidence),
        GATE_MARGIN: String(gate.margin),
        GATE_NEWER_TOLERANCE: gate.preferNewer ? String(gate.preferNewer.tolerance) : "none",
      },
      statements: [
        ...readObjects({ bucketArn: this.dataArn, prefixes: ["runs/"] }),
        allowKeyUse({ keyArn: this.key, services: ["s3"], region, access: "read" }),
      ],
    });
  }

  private registerModel(packageGroup: string, packageArn: string, imageUri: string): TypeScriptFunction {
    const { region, websites } = this.environment;
    return this.function(registerModelHandler, {
      environment: {
        MODEL_PACKAGE_GROUP: packageGroup,
        MODEL_IMAGE_URI: imageUri,
        MODEL_PACKAGE_PARAMETER: this.parameterName("ModelPackageName"),
        BASELINE_DATA_PARAMETER: this.parameterName("BaselineDataUri"),
        MONITORING_BASELINE_PARAMETER: this.parameterName("MonitoringBaselineUri"),
        FIGURES_PARAMETER: this.parameterName("FiguresKey"),
        FIGURES_PREFIX: publicFigures.prefix,
        INFERENCE_INSTANCE_TYPES: [
          ...new Set([websites.test.endpoint.instanceType, websites.production.endpoint.instanceType]),
        ].join(","),
      },
      statements: [
        {
          sid: "RegisterModel",
          actions: ["sagemaker:CreateModelPackage"],
          resources: [this.arn("sagemaker", `model-package-group/${packageGroup}`), packageArn],
        },
        {
          // The registry looks up the image in the caller's name (AWS's managed policy
          // AmazonSageMakerModelRegistryFullAccess).
          sid: "FindImage",
          actions: ["ecr:BatchGetImage", "ecr:DescribeImages"],
          resources: [this.arn("ecr", `repository/${this.imageRepository}`)],
        },
        {
          // List actions take no resource (SageMaker's "API permissions" reference: all but ListTags).
          sid: "FindModel",
          actions: ["sagemaker:ListModelPackages"],
          resources: ["*"],
        },
        {
          sid: "ReadChampion",
          actions: ["ssm:GetParameter"],
          resources: [this.parameterArn("ModelPackageName")],
        },
        {
          sid: "NameChampion",
          actions: ["ssm:PutParameter"],
          resources: (["ModelPackageName", "BaselineDataUri", "MonitoringBaselineUri", "FiguresKey"] as const).map(
            (name) => this.parameterArn(name),
          ),
        },
        // SageMaker checks with the caller's rights that the package's model and evaluation exist.
        ...readObjects({ bucketArn: this.dataArn, prefixes: ["runs/"] }),
        ...writeObjects({ bucketArn: this.dataArn, prefixes: [publicFigures.prefix], name: "Figures" }),
        allowKeyUse({ keyArn: this.key, services: ["s3"], region, access: "write" }),
      ],
    });
  }

  private ingestSurvey(featureGroup: string): TypeScriptFunction {
    const { region } = this.environment;
    return this.function(ingestSurveyHandler, {
      environment: { DATA_BUCKET: this.bucket, FEATURE_GROUP: featureGroup },
      statements: [
        ...readObjects({ bucketArn: this.dataArn, prefixes: ["surveys/"] }),
        ...writeObjects({ bucketArn: this.dataArn, prefixes: ["surveys/rejected/"] }),
        allowKeyUse({ keyArn: this.key, services: ["s3"], region, access: "write" }),
        {
          sid: "PutRecords",
          // A batch needs the right to put a record too.
          actions: ["sagemaker:BatchWriteRecord", "sagemaker:PutRecord"],
          resources: [this.arn("sagemaker", `feature-group/${featureGroup}`)],
        },
      ],
    });
  }

  private function<Shape extends VariablesShape>(
    handler: HandlerDeclaration<Shape>,
    settings: Pick<TypeScriptFunctionProps<Shape>, "environment" | "statements">,
  ): TypeScriptFunction {
    return new TypeScriptFunction(this, handler.name, {
      ...settings,
      name: this.named(handler.name),
      handler,
      logRetentionDays: this.environment.logRetentionDays,
      encryptionKeyArn: this.key,
    });
  }

  /** Alarms on runs and on every function. Each alarm says where to look. */
  private watch(workflow: TrainingWorkflow): void {
    const topic = this.alarmTopic(this.key);

    const executions = {
      failed: ["ExecutionsFailed", "A workflow run failed, or its model missed the threshold"],
      "timed-out": ["ExecutionsTimedOut", "A workflow run took longer than an hour"],
      throttled: ["ExecutionThrottled", "Step Functions throttled workflow runs: too many at once"],
    } as const;
    for (const [name, [metric, description]] of Object.entries(executions)) {
      new Alarm(this, `executions-${name}`, {
        name: this.named(`training-${name}`),
        description: `${description}. Look at the executions of ${this.named("training")} in Step Functions.`,
        namespace: "AWS/States",
        metric,
        dimensions: { StateMachineArn: workflow.arn },
        statistic: "Sum",
        threshold: 0,
        topicArn: topic.arn,
      });
    }

    // Step Functions counts a refused model as a failed execution; only the log separates the two.
    const refused = { name: "ModelsBelowThreshold", namespace: `acme/${this.environment.name}` };
    new CloudwatchLogMetricFilter(this, "below-threshold-metric", {
      name: this.named("training-below-threshold"),
      logGroupName: workflow.logGroupName,
      pattern: `{ $.type = "ExecutionFailed" && $.details.error = "${belowThresholdError}" }`,
      metricTransformation: { ...refused, value: "1", defaultValue: "0" },
    });
    new Alarm(this, "below-threshold", {
      name: this.named("training-below-threshold"),
      description: `A model missed the quality threshold of ${this.environment.qualityThreshold} rings, so nothing was registered. Look at the newest surveys and at the run's evaluation.`,
      namespace: refused.namespace,
      metric: refused.name,
      dimensions: {},
      statistic: "Sum",
      threshold: 0,
      topicArn: topic.arn,
    });

    for (const each of this.node.children.filter((child) => child instanceof TypeScriptFunction)) {
      functionErrors(this, `${each.handler.name}-errors`, { function: each, topicArn: topic.arn });
    }
  }
}
