import { CloudwatchLogGroup } from "@cdktf/provider-aws/lib/cloudwatch-log-group";
import { SagemakerEndpoint } from "@cdktf/provider-aws/lib/sagemaker-endpoint";
import { SagemakerEndpointConfiguration } from "@cdktf/provider-aws/lib/sagemaker-endpoint-configuration";
import { SagemakerModel } from "@cdktf/provider-aws/lib/sagemaker-model";
import type { Precondition } from "cdktf";
import { Construct } from "constructs";
import type { EncryptionKey } from "./encryption-key";
import { ExecutionRole } from "./execution-role";
import type { Statement } from "./policy";

export interface ModelEndpointProps {
  /** Stays the same through every update: 1 to 63 letters, digits and hyphens. */
  readonly name: string;
  /** ARN of the model package that it serves. */
  readonly modelPackageArn: string;
  /** What must hold before Terraform makes the model. @default nothing */
  readonly preconditions?: Precondition[];
  /** ARN of the ECR repository of the package's image. */
  readonly repositoryArn: string;
  /** What else the container's role may do: read the model, and use the key that encrypts it. */
  readonly modelStatements: readonly Statement[];
  readonly instanceType: string;
  readonly instanceCount: number;
  readonly account: string;
  readonly logRetentionDays: number;
  /** Encrypts the logs and the volumes of the instances. */
  readonly encryptionKey: EncryptionKey;
}

/** The only variant: releases shift all traffic from one configuration to the next. */
const variant = "champion";

/**
 * A real-time endpoint that serves one model package. Model and configuration can't be changed, so each release makes new ones under new names, moves
 * the endpoint over, and removes the old.
 */
export class ModelEndpoint extends Construct {
  readonly name: string;
  readonly arn: string;
  /** Dimensions of the endpoint's metrics in `AWS/SageMaker`. */
  readonly dimensions: Readonly<Record<string, string>>;

  constructor(scope: Construct, id: string, props: ModelEndpointProps) {
    super(scope, id);
    if (!/^[A-Za-z0-9](-*[A-Za-z0-9]){0,62}$/.test(props.name)) {
      throw new Error(
        `The endpoint name ${JSON.stringify(props.name)} must have 1 to 63 letters and digits, with hyphens between.`,
      );
    }
    const logs = new CloudwatchLogGroup(this, "logs", {
      name: `/aws/sagemaker/Endpoints/${props.name}`,
      retentionInDays: props.logRetentionDays,
      kmsKeyId: props.encryptionKey.arn,
    });
    const role = new ExecutionRole(this, "role", {
      name: `${props.name}-endpoint`,
      description: `What the model behind the endpoint ${props.name} may do`,
      service: "sagemaker.amazonaws.com",
      sourceAccount: props.account,
      statements: [
        // Signing in to a registry knows no resources (service authorization reference, "Actions defined by Amazon ECR").
        { sid: "SignInToRegistry", actions: ["ecr:GetAuthorizationToken"], resources: ["*"] },
        {
          sid: "PullImage",
          actions: ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
          resources: [props.repositoryArn],
        },
        {
          sid: "WriteLogs",
          actions: ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
          resources: [`${logs.arn}:*`],
        },
        {
          // Metrics know no resources either; the namespace is what can be held.
          sid: "WriteMetrics",
          actions: ["cloudwatch:PutMetricData"],
          resources: ["*"],
          conditions: { StringEquals: { "cloudwatch:namespace": "/aws/sagemaker/Endpoints" } },
        },
        {
          sid: "EncryptVolumes",
          actions: ["kms:CreateGrant"],
          resources: [props.encryptionKey.arn],
          conditions: { Bool: { "kms:GrantIsForAWSResource": "true" } },
        },
        ...props.modelStatements,
      ],
    });

    const model = new SagemakerModel(this, "model", {
      executionRoleArn: role.arn,
      primaryContainer: { modelPackageName: props.modelPackageArn },
      // The container calls nobody: what it was given is all that it needs.
      enableNetworkIsolation: true,
      dependsOn: [role.policy],
      lifecycle: {
        createBeforeDestroy: true,
        ...(props.preconditions ? { precondition: props.preconditions } : {}),
      },
    });
    const configuration = new SagemakerEndpointConfiguration(this, "configuration", {
      namePrefix: `${props.name}-`,
      kmsKeyArn: props.encryptionKey.arn,
      productionVariants: [
        {
          variantName: variant,
          modelName: model.name,
          instanceType: props.instanceType,
          initialInstanceCount: props.instanceCount,
          initialVariantWeight: 1,
        },
      ],
      lifecycle: { createBeforeDestroy: true },
    });
    const endpoint = new SagemakerEndpoint(this, "endpoint", {
      name: props.name,
      endpointConfigName: configuration.name,
      dependsOn: [logs],
    });
    this.name = props.name;
    this.arn = endpoint.arn;
    this.dimensions = { EndpointName: props.name, VariantName: variant };
  }
}
