import type { Place } from "../place";
import type { Statement } from "../policy";
import type { JobNetwork } from "./definition";

/**
 * The rights that SageMaker needs to connect a job's instances to a VPC (SageMaker Developer Guide, execution roles:
 * CreateTrainingJob and CreateProcessingJob).
 */
export function networkStatements({ subnetIds, securityGroupIds }: JobNetwork, place: Place): readonly Statement[] {
  const interfaces = place.arn("ec2", "network-interface/*");
  return [
    {
      sid: "CreateNetworkInterfaces",
      actions: ["ec2:CreateNetworkInterface"],
      resources: [
        interfaces,
        ...subnetIds.map((id) => place.arn("ec2", `subnet/${id}`)),
        ...securityGroupIds.map((id) => place.arn("ec2", `security-group/${id}`)),
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
      // EC2's Describe actions take no resource (service authorization reference, Amazon EC2).
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
