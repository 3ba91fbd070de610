import type { Statement } from "../policy";
import type { JobNetwork } from "./definition";

/** An ARN in the account and region of who asks. */
export type ArnOf = (service: string, resource: string) => string;

/**
 * With which SageMaker connects the instances of a job with a VPC (SageMaker Developer Guide, execution roles:
 * CreateTrainingJob and CreateProcessingJob).
 */
export function networkStatements({ subnetIds, securityGroupIds }: JobNetwork, arn: ArnOf): readonly Statement[] {
  const interfaces = arn("ec2", "network-interface/*");
  return [
    {
      sid: "CreateNetworkInterfaces",
      actions: ["ec2:CreateNetworkInterface"],
      resources: [
        interfaces,
        ...subnetIds.map((id) => arn("ec2", `subnet/${id}`)),
        ...securityGroupIds.map((id) => arn("ec2", `security-group/${id}`)),
      ],
    },
    {
      sid: "UseNetworkInterfaces",
      actions: [
        "ec2:CreateNetworkInterfacePermission",
        "ec2:DeleteNetworkInterface",
        "ec2:DeleteNetworkInterfacePermission",
      ],
      resources: [interfaces],
    },
    {
      // EC2's descriptions know no resources (service authorization reference, Amazon EC2).
      sid: "LookAtNetwork",
      actions: [
        "ec2:DescribeDhcpOptions",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcs",
      ],
      resources: ["*"],
    },
  ];
}
