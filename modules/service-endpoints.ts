/**
 * The doors from a VPC to AWS's services, so that nothing in it needs the internet for them.
 *
 *     const endpoints = new ServiceEndpoints(this, "endpoints", { name, account, region, vpcId, subnetIds, routeTableIds, services: […], … });
 *     endpoints.admit("jobs", jobs.id);   // a security group whose members may use the interface endpoints
 *     endpoints.s3PrefixListId;           // for a rule that lets them reach S3
 *
 * Each door opens for principals of this account alone: credentials that somebody brought along from elsewhere are of
 * no use in the VPC.
 */
import { SecurityGroup } from "@cdktf/provider-aws/lib/security-group";
import { VpcEndpoint } from "@cdktf/provider-aws/lib/vpc-endpoint";
import { VpcSecurityGroupEgressRule } from "@cdktf/provider-aws/lib/vpc-security-group-egress-rule";
import { VpcSecurityGroupIngressRule } from "@cdktf/provider-aws/lib/vpc-security-group-ingress-rule";
import { Construct } from "constructs";
import { placeOf } from "./place";
import { type Conditions, policyDocument, type ResourceStatement } from "./policy";

/**
 * AWS's services with an interface endpoint, by the name of the endpoint, and the prefix of their actions in policies.
 */
const actionPrefixes = {
  // Airflow where there is no NAT gateway (MWAA User Guide, "Creating the required VPC service endpoints in an Amazon
  // VPC with private routing").
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

/** All of them. */
export const endpointServices = Object.keys(actionPrefixes) as readonly EndpointService[];

/**
 * Services in whose case AWS acts in the VPC with accounts and resources of its own: MWAA keeps its workers' queue and
 * their image. The resource's account is therefore not looked at.
 */
const resourcesOfAws: readonly EndpointService[] = ["ecr.api", "ecr.dkr", "sqs"];

export interface ServiceEndpointsProps {
  /** With which the names of all parts begin. */
  readonly name: string;
  readonly vpcId: string;
  /**
   * Where the interface endpoints stand, at most one subnet in each zone. An endpoint costs by the hour in each of
   * them.
   */
  readonly subnetIds: readonly string[];
  /** From which subnets S3 is reached, without a cost. */
  readonly routeTableIds: readonly string[];
  /** @default all that this module knows */
  readonly services?: readonly EndpointService[];
  /** The address ranges from which the interface endpoints may be used, by a name of letters, digits and hyphens. */
  readonly admitted: Readonly<Record<string, string>>;
}

/** A gateway endpoint for S3 and interface endpoints for other services, with their security group. */
export class ServiceEndpoints extends Construct {
  /** The public addresses of S3 in the region, as rules of security groups know them. */
  readonly s3PrefixListId: string;
  private readonly group: SecurityGroup;

  constructor(scope: Construct, id: string, props: ServiceEndpointsProps) {
    super(scope, id);
    const { name, vpcId, services = endpointServices } = props;
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
          // ECR hands out its images' layers from a bucket of AWS's, signed by ECR itself (ECR User Guide, "Minimum
          // Amazon S3 bucket permissions").
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

    for (const service of services) {
      const slug = service.replaceAll(".", "-");
      new VpcEndpoint(this, slug, {
        vpcId,
        vpcEndpointType: "Interface",
        serviceName: `com.amazonaws.${region}.${service}`,
        subnetIds: [...props.subnetIds],
        securityGroupIds: [this.group.id],
        // The services' usual names then lead here, and no client has to be told.
        privateDnsEnabled: true,
        policy: policyDocument([
          fromAccount(account, actionPrefixes[service], !resourcesOfAws.includes(service)),
          ...(actionPrefixes[service] === "ecr" ? [pullImages] : []),
        ]),
        tags: { Name: `${name}-${slug}` },
      });
    }
  }

  /** Lets the members of a security group use the endpoints, S3's included: a rule on either side. */
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
 * Who belongs to the account may use the service, and where `ownResources` is true, for the account's own resources;
 * calls that name none are let through.
 */
function fromAccount(account: string, actionPrefix: string, ownResources: boolean): ResourceStatement {
  const conditions: Conditions = {
    StringEquals: { "aws:PrincipalAccount": account },
    ...(ownResources ? { StringEqualsIfExists: { "aws:ResourceAccount": account } } : {}),
  };
  return { sid: "ThisAccount", principals: "*", actions: [`${actionPrefix}:*`], resources: ["*"], conditions };
}

/**
 * AWS's own services pull their images into the VPC with roles of theirs. Nobody else's image can be changed in this
 * way.
 */
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
