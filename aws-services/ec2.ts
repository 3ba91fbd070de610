/** Amazon EC2's network: Amazon VPC. */
import { list } from "./arguments";
import { ownTagOrNone, type Permissions } from "./permissions";
import { fixed, hoursOfMonth, type Price, use } from "./price";
import type { ResourceType, Service } from "./resource-type";

const network: Permissions = {
  sid: "Network",
  service: "ec2",
  readsAnywhere: [
    "ec2:DescribeAddresses",
    "ec2:DescribeAddressesAttribute",
    "ec2:DescribeAvailabilityZones",
    "ec2:DescribeFlowLogs",
    "ec2:DescribeInternetGateways",
    "ec2:DescribeNatGateways",
    "ec2:DescribeNetworkAcls",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribePrefixLists",
    "ec2:DescribeRouteTables",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcEndpoints",
    "ec2:DescribeVpcs",
  ],
  reads: ["DescribeVpcAttribute"],
  writes: [
    "AllocateAddress",
    "AssociateRouteTable",
    "AttachInternetGateway",
    "CreateFlowLogs",
    "CreateInternetGateway",
    "CreateNatGateway",
    "CreateNetworkAcl",
    "CreateNetworkAclEntry",
    "CreateRoute",
    "CreateRouteTable",
    "CreateSubnet",
    "CreateTags",
    "CreateVpc",
    "CreateVpcEndpoint",
    "DeleteFlowLogs",
    "DeleteInternetGateway",
    "DeleteNatGateway",
    "DeleteNetworkAcl",
    "DeleteNetworkAclEntry",
    "DeleteRoute",
    "DeleteRouteTable",
    "DeleteSubnet",
    "DeleteTags",
    "DeleteVpc",
    "DeleteVpcEndpoints",
    "DetachInternetGateway",
    "DisassociateAddress",
    "DisassociateRouteTable",
    "ModifySubnetAttribute",
    "ModifyVpcAttribute",
    "ModifyVpcEndpoint",
    "ReleaseAddress",
    "ReplaceNetworkAclAssociation",
    "ReplaceRoute",
    "ReplaceRouteTableAssociation",
  ],
  on: [
    "elastic-ip/*",
    "internet-gateway/*",
    "natgateway/*",
    "network-acl/*",
    "route-table/*",
    "security-group/*",
    "subnet/*",
    "vpc/*",
    "vpc-endpoint/*",
    "vpc-flow-log/*",
  ],
  conditions: ownTagOrNone,
  // A flow log writes by a delivery of CloudWatch Logs.
  writesAnywhere: ["logs:CreateLogDelivery", "logs:DeleteLogDelivery"],
  more: (scope) => [
    {
      // The private names of an endpoint are a hosted zone of AWS's (service authorization reference of EC2,
      // dependent actions of CreateVpcEndpoint).
      sid: "PrivateNames",
      actions: ["route53:AssociateVPCWithHostedZone"],
      resources: scope.arns("route53", "hostedzone/*"),
    },
  ],
};

const securityGroups: Permissions = {
  sid: "SecurityGroups",
  service: "ec2",
  readsAnywhere: ["ec2:DescribeNetworkInterfaces", "ec2:DescribeSecurityGroupRules", "ec2:DescribeSecurityGroups"],
  writes: [
    "AuthorizeSecurityGroupEgress",
    "AuthorizeSecurityGroupIngress",
    "CreateSecurityGroup",
    "CreateTags",
    "DeleteSecurityGroup",
    "DeleteTags",
    "ModifySecurityGroupRules",
    "RevokeSecurityGroupEgress",
    "RevokeSecurityGroupIngress",
  ],
  on: ["security-group/*", "security-group-rule/*"],
  conditions: ownTagOrNone,
  more: (scope) => [
    // Every group stands in the network's VPC, which bears the network's tag.
    { sid: "GroupsInVpc", actions: ["ec2:CreateSecurityGroup"], resources: scope.arns("ec2", "vpc/*") },
  ],
};

const price: Price = {
  free: "AWS asks nothing for it; what goes through the NAT gateways and endpoints is counted there",
};
const part: ResourceType = { permissions: [network], price };
const groupPart: ResourceType = { permissions: [securityGroups], price };

export const ec2: Service = {
  aws_default_network_acl: part,
  aws_default_route_table: part,
  aws_default_security_group: { permissions: [network, securityGroups], price },
  aws_eip: {
    permissions: [network],
    price: { charges: () => [fixed("publicAddressHour", hoursOfMonth)] },
  },
  aws_flow_log: {
    permissions: [network],
    price: { free: "AWS asks for the logs: they are counted at their log group" },
  },
  aws_internet_gateway: part,
  aws_nat_gateway: {
    permissions: [network],
    price: {
      charges: (_, { internetGigabytes, natGigabytes }) => [
        fixed("natGatewayHour", hoursOfMonth),
        use("natGatewayGigabyte", natGigabytes),
        use("internetGigabyte", internetGigabytes),
      ],
    },
  },
  aws_network_acl: part,
  aws_network_acl_rule: part,
  aws_route: part,
  aws_route_table: part,
  aws_route_table_association: part,
  aws_security_group: groupPart,
  aws_subnet: part,
  aws_vpc: part,
  aws_vpc_endpoint: {
    permissions: [network],
    price: {
      charges: ({ vpc_endpoint_type, subnet_ids }, { endpointGigabytes }) =>
        // The endpoint of S3 is one of routes, for which AWS asks nothing.
        vpc_endpoint_type === "Interface"
          ? [
              fixed("interfaceEndpointHour", hoursOfMonth * list(subnet_ids).length),
              use("interfaceEndpointGigabyte", endpointGigabytes),
            ]
          : [],
    },
  },
  aws_vpc_security_group_egress_rule: groupPart,
  aws_vpc_security_group_ingress_rule: groupPart,
};
