/**
 * VPC endpoints for AWS services, so that nothing in the VPC needs the internet for them.
 *
 *     const endpoints = new ServiceEndpoints(this, "endpoints", { name, account, region, vpcId, subnetIds, routeTableIds, … });
 *     endpoints.admit("jobs", jobs.id);   // a security group whose members may use the interface endpoints
 *     endpoints.s3PrefixListId;           // for a rule that lets them reach S3
 *
 * Each endpoint accepts only principals of this account: foreign credentials don't work in the VPC.
 */
import { SecurityGroup } from "@cdktf/provider-aws/lib/security-group";
import { VpcEndpoint } from "@cdktf/provider-aws/lib/vpc-endpoint";
import { VpcSecurityGroupEgressRule } from "@cdktf/provider-aws/lib/vpc-security-group-egress-rule";
import { VpcSecurityGroupIngressRule } from "@cdktf/provider-aws/lib/vpc-security-group-ingress-rule";
import { Construct } from "constructs";
import { placeOf } from "./place";
import { type Conditions, policyDocument, type ResourceStatement } from "./policy";

/** AWS services with an interface endpoint: the action prefix in policies by endpoint name. */
const actionPrefixes = {
  // For Airflow without a NAT gateway (MWAA User Guide, "Creating the required VPC service endpoints in an Amazon VPC
  // with private routing").
  "airflow.api": "airflow",
  "airflow.env": "airflow",
  "airflow.ops": "airflow",
  athena: "athena",
  "ecr.api": "ecr",
  "ecr.dkr": "ecr",
  glue: "glue",
  kms: "kms",
  lambda: "lambda",
  logs: "logs",
  monitoring: "cloudwatch",
  "sagemaker.api": "sagemaker",
  "sagemaker.featurestore-runtime": "sagemaker",
  "sagemaker.runtime": "sagemaker",
  sqs: "sqs",
  ssm: "ssm",
  states: "states",
  sts: "sts",
} as const;

/** A service that can have an interface endpoint. */
export type EndpointService = keyof typeof actionPrefixes;

export const endpointServices = Object.keys(actionPrefixes) as readonly EndpointService[];

/**
 * Services for which AWS uses its own accounts and resources in the VPC: MWAA keeps its workers' queue and image there.
 * So the resource's account is not checked.
 */
const resourcesOfAws: readonly EndpointService[] = ["ecr.api", "ecr.dkr", "sqs"];

export interface ServiceEndpointsProps {
  /** Name prefix of all parts. */
  readonly name: string;
  readonly vpcId: string;
  /** Subnets of the interface endpoints, at most one in each zone. An endpoint costs by the hour in each of them. */
  readonly subnetIds: readonly string[];
  /** Route tables of the subnets that reach S3 through the gateway endpoint, free of charge. */
  readonly routeTableIds: readonly string[];
  /** Address ranges that may use the interface endpoints, by a name of letters, digits and hyphens. */
  readonly admitted: Readonly<Record<string, string>>;
}

/** A gateway endpoint for S3 and interface endpoints for other services, with their security group. */
export class ServiceEndpoints extends Construct {
  /** The public addresses of S3 in the region, for security group rules. */
  readonly s3PrefixListId: string;
  private readonly group: SecurityGroup;

  constructor(scope: Construct, id: string, props: ServiceEndpointsProps) {
    super(scope, id);
    const { name, vpcId } = props;
    const place = placeOf(this);
    const { account, region } = place;

    const s3 = new VpcEndpoint(this, "s3", {
      vpcId,
      vpcEndpointType: "Gateway",
      serviceName: `com.amazonaws.${region}.s3`,
      routeTableIds: [...props.routeTableIds],
      policy: policyDocument([
        fromAccount(account, "s3", true),
        {
          // ECR serves image layers from an AWS bucket, with signed URLs (ECR User Guide, "Minimum Amazon S3 bucket
          // permissions").
          sid: "ReadImageLayers",
          principals: "*",
          actions: ["s3:GetObject"],
          resources: [place.bucketArn(`prod-${region}-starport-layer-bucket/*`)],
        },
      ]),
      tags: { Name: `${name}-s3` },
    });
    this.s3PrefixListId = s3.prefixListId;

    this.group = new SecurityGroup(this, "security-group", {
      name: `${name}-endpoints`,
      description: "Interface endpoints of AWS services: takes HTTPS from within the network",
      vpcId,
      tags: { Name: `${name}-endpoints` },
    });
    for (const [from, cidrIpv4] of Object.entries(props.admitted)) {
      new VpcSecurityGroupIngressRule(this, `from-${from}`, {
        securityGroupId: this.group.id,
        description: `HTTPS from ${from}`,
        cidrIpv4,
        ...overHttps,
      });
    }

    for (const service of endpointServices) {
      const slug = service.replaceAll(".", "-");
      new VpcEndpoint(this, slug, {
        vpcId,
        vpcEndpointType: "Interface",
        serviceName: `com.amazonaws.${region}.${service}`,
        subnetIds: [...props.subnetIds],
        securityGroupIds: [this.group.id],
        // Then the services' usual DNS names resolve to the endpoint, and clients need no setting.
        privateDnsEnabled: true,
        policy: policyDocument([
          fromAccount(account, actionPrefixes[service], !resourcesOfAws.includes(service)),
          ...(actionPrefixes[service] === "ecr" ? [pullImages] : []),
        ]),
        tags: { Name: `${name}-${slug}` },
      });
    }
  }

  /** Lets the members of a security group use the endpoints, including S3's: one rule on each side. */
  admit(name: string, securityGroupId: string): void {
    new VpcSecurityGroupIngressRule(this, `from-${name}`, {
      securityGroupId: this.group.id,
      description: `HTTPS from ${name}`,
      referencedSecurityGroupId: securityGroupId,
      ...overHttps,
    });
    new VpcSecurityGroupEgressRule(this, `${name}-to-endpoints`, {
      securityGroupId,
      description: "HTTPS to the interface endpoints",
      referencedSecurityGroupId: this.group.id,
      ...overHttps,
    });
    new VpcSecurityGroupEgressRule(this, `${name}-to-s3`, {
      securityGroupId,
      description: "HTTPS to S3 through its gateway endpoint",
      prefixListId: this.s3PrefixListId,
      ...overHttps,
    });
  }
}

const overHttps = { ipProtocol: "tcp", fromPort: 443, toPort: 443 } as const;

/**
 * Principals of the account may use the service; with `ownResources` only for the account's own resources. Calls
 * without a resource are allowed.
 */
function fromAccount(account: string, actionPrefix: string, ownResources: boolean): ResourceStatement {
  const conditions: Conditions = {
    StringEquals: { "aws:PrincipalAccount": account },
    ...(ownResources ? { StringEqualsIfExists: { "aws:ResourceAccount": account } } : {}),
  };
  return { sid: "ThisAccount", principals: "*", actions: [`${actionPrefix}:*`], resources: ["*"], conditions };
}

/** AWS services pull their images into the VPC with their own roles. This allows no change to anybody's image. */
const pullImages: ResourceStatement = {
  sid: "PullImages",
  principals: "*",
  actions: [
    "ecr:GetAuthorizationToken",
    "ecr:BatchCheckLayerAvailability",
    "ecr:GetDownloadUrlForLayer",
    "ecr:BatchGetImage",
  ],
  resources: ["*"],
};
