/**
 * A Lambda function written in TypeScript: bundle, role, log group, tracing.
 *
 *     const predict = new TypeScriptFunction(this, "predict", {
 *       name: "acme-local-website-test-predict", handler: declaration, // from handlers/predict/declaration.ts
 *       environment: { ENDPOINT_NAME: … }, statements: [{ sid: "Invoke", actions: ["sagemaker:InvokeEndpoint"], resources: [arn] }],
 *       logRetentionDays: 30, encryptionKeyArn: key.arn,
 *     });
 *     predict.arn; predict.name; predict.invokeArn
 */
import { createHash } from "node:crypto";
import { CloudwatchLogGroup } from "@cdktf/provider-aws/lib/cloudwatch-log-group";
import { LambdaFunction } from "@cdktf/provider-aws/lib/lambda-function";
import { Construct } from "constructs";
import type { HandlerDeclaration, Variables, VariablesShape } from "../handlers/shared/declaration";
import { bundle } from "./bundle";
import { ExecutionRole } from "./execution-role";
import { GeneratedAsset } from "./generated-asset";
import type { Statement } from "./policy";

export interface TypeScriptFunctionProps<Shape extends VariablesShape = VariablesShape> {
  /** 1 to 64 letters, digits, hyphens and underscores, unique in account and region. */
  readonly name: string;
  /** The handler's declaration. */
  readonly handler: HandlerDeclaration<Shape>;
  /** The file that exports `handler`. @default `handlers/<the handler's name>/index.ts` */
  readonly entry?: string;
  /**
   * The variables that the handler declares. It also gets `POWERTOOLS_SERVICE_NAME` (its name),
   * `POWERTOOLS_METRICS_NAMESPACE` and `LOG_LEVEL`.
   */
  readonly environment: Variables<Shape>;
  /** Rights besides writing its own logs and traces. @default nothing */
  readonly statements?: readonly Statement[];
  /** One of CloudWatch's retention times. */
  readonly logRetentionDays: number;
  /** Encrypts the logs; its policy must let CloudWatch Logs use it. */
  readonly encryptionKeyArn: string;
}

/** The limits of Lambda (developer guide, "Lambda quotas"). */
const limits = { timeoutSeconds: [1, 900], memoryMebibytes: [128, 10_240] } as const;

/** A Node 22 function on arm64. Its role can write its own logs and traces, and has the given statements. */
export class TypeScriptFunction<Shape extends VariablesShape = VariablesShape> extends Construct {
  readonly arn: string;
  /** As a reference: a resource that uses it depends on the function. */
  readonly name: string;
  /** The name as plain text. */
  readonly fullName: string;
  readonly handler: HandlerDeclaration<Shape>;
  /** For API Gateway. */
  readonly invokeArn: string;
  readonly role: ExecutionRole;
  readonly logGroupName: string;

  constructor(scope: Construct, id: string, props: TypeScriptFunctionProps<Shape>) {
    super(scope, id);
    const { handler } = props;
    this.handler = handler;
    this.fullName = props.name;
    const { timeoutSeconds = 10, memoryMebibytes = 256 } = handler;
    if (!/^[A-Za-z0-9_-]{1,64}$/.test(props.name)) {
      throw new Error(
        `The function name ${JSON.stringify(props.name)} must have 1 to 64 letters, digits, hyphens and underscores. Shorten or correct it.`,
      );
    }
    for (const [field, value] of Object.entries({ timeoutSeconds, memoryMebibytes })) {
      const [least, most] = limits[field as keyof typeof limits];
      if (!Number.isInteger(value) || value < least || value > most) {
        throw new Error(
          `${field} of ${props.name} is ${value}; Lambda accepts a whole number from ${least} to ${most}.`,
        );
      }
    }

    const logs = new CloudwatchLogGroup(this, "logs", {
      name: `/aws/lambda/${props.name}`,
      retentionInDays: props.logRetentionDays,
      kmsKeyId: props.encryptionKeyArn,
    });
    this.role = new ExecutionRole(this, "role", {
      name: props.name,
      description: `What the function ${props.name} may do`,
      service: "lambda.amazonaws.com",
      forThisAccount: false, // Lambda does not send aws:SourceAccount
      statements: [
        { sid: "WriteLogs", actions: ["logs:CreateLogStream", "logs:PutLogEvents"], resources: [`${logs.arn}:*`] },
        {
          // X-Ray's write actions take no resource (service authorization reference, "Actions defined by AWS X-Ray").
          sid: "WriteTraces",
          actions: ["xray:PutTraceSegments", "xray:PutTelemetryRecords"],
          resources: ["*"],
        },
        ...(props.statements ?? []),
      ],
    });

    const code = bundle(props.entry ?? `handlers/${handler.name}/index.ts`);
    const file = `${handler.name}.zip`;
    const asset = new GeneratedAsset(this, "archive", { files: new Map([[file, code]]) });
    const lambda = new LambdaFunction(this, "function", {
      functionName: props.name,
      description: handler.purpose,
      role: this.role.arn,
      runtime: "nodejs22.x",
      architectures: ["arm64"],
      handler: "index.handler",
      filename: asset.path(file),
      sourceCodeHash: createHash("sha256").update(code).digest("base64"),
      timeout: timeoutSeconds,
      memorySize: memoryMebibytes,
      environment: {
        variables: {
          POWERTOOLS_SERVICE_NAME: handler.name,
          POWERTOOLS_METRICS_NAMESPACE: "acme",
          LOG_LEVEL: "INFO",
          ...(props.environment as Readonly<Record<string, string>>),
        },
      },
      loggingConfig: { logFormat: "JSON", logGroup: logs.name },
      tracingConfig: { mode: "Active" },
      dependsOn: [this.role.policy],
    });
    this.arn = lambda.arn;
    this.name = lambda.functionName;
    this.invokeArn = lambda.invokeArn;
    this.logGroupName = logs.name;
  }
}
