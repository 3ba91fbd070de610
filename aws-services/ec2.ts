/** Amazon EC2's network: Amazon VPC. */
import { list } from "./arguments";
import { ownTagOrNone, type Permissions } from "./permissions";
import { fixedCharge, hoursOfMonth, type Price, type ResourceType, type Service, usageCharge } from "./record";

const vpc: Permissions = {
  sid: "Network",
  readsAnywhere: `
    ec2:DescribeAddresses ec2:DescribeAddressesAttribute ec2:DescribeAvailabilityZones ec2:DescribeFlowLogs
    ec2:DescribeInternetGateways ec2:DescribeNatGateways ec2:DescribeNetworkAcls ec2:DescribeNetworkInterfaces
    ec2:DescribePrefixLists ec2:DescribeRouteTables ec2:DescribeSubnets ec2:DescribeVpcEndpoints ec2:DescribeVpcs`,
  reads: "ec2:DescribeVpcAttribute",
  writes: `
    ec2:AllocateAddress ec2:AssociateRouteTable ec2:AttachInternetGateway ec2:CreateFlowLogs ec2:CreateInternetGateway
    ec2:CreateNatGateway ec2:CreateNetworkAcl ec2:CreateNetworkAclEntry ec2:CreateRoute ec2:CreateRouteTable
    ec2:CreateSubnet ec2:CreateTags ec2:CreateVpc ec2:CreateVpcEndpoint ec2:DeleteFlowLogs ec2:DeleteInternetGateway
    ec2:DeleteNatGateway ec2:DeleteNetworkAcl ec2:DeleteNetworkAclEntry ec2:DeleteRoute ec2:DeleteRouteTable
    ec2:DeleteSubnet ec2:DeleteTags ec2:DeleteVpc ec2:DeleteVpcEndpoints ec2:DetachInternetGateway
    ec2:DisassociateAddress ec2:DisassociateRouteTable ec2:ModifySubnetAttribute ec2:ModifyVpcAttribute
    ec2:ModifyVpcEndpoint ec2:ReleaseAddress ec2:ReplaceNetworkAclAssociation ec2:ReplaceRoute
    ec2:ReplaceRouteTableAssociation`,
  on: `
    ec2:elastic-ip/* ec2:internet-gateway/* ec2:natgateway/* ec2:network-acl/* ec2:route-table/* ec2:security-group/*
    ec2:subnet/* ec2:vpc/* ec2:vpc-endpoint/* ec2:vpc-flow-log/*`,
  conditions: ownTagOrNone,
  // A flow log uses a log delivery of CloudWatch Logs.
  writesAnywhere: "logs:CreateLogDelivery logs:DeleteLogDelivery",
};

const groups: Permissions = {
  sid: "SecurityGroups",
  readsAnywhere: "ec2:DescribeNetworkInterfaces ec2:DescribeSecurityGroupRules ec2:DescribeSecurityGroups",
  writes: `
    ec2:AuthorizeSecurityGroupEgress ec2:AuthorizeSecurityGroupIngress ec2:CreateSecurityGroup ec2:CreateTags
    ec2:DeleteSecurityGroup ec2:DeleteTags ec2:ModifySecurityGroupRules ec2:RevokeSecurityGroupEgress
    ec2:RevokeSecurityGroupIngress`,
  on: "ec2:security-group/* ec2:security-group-rule/*",
  conditions: ownTagOrNone,
};

const network: readonly Permissions[] = [
  vpc,
  // An endpoint's private DNS names are a hosted zone of AWS (service authorization reference of EC2, dependent actions
  // of CreateVpcEndpoint).
  { sid: "PrivateNames", writes: "route53:AssociateVPCWithHostedZone", on: "route53:hostedzone/*" },
];
const securityGroups: readonly Permissions[] = [
  groups,
  // Every security group is in the network's VPC, which has the network's tag.
  { sid: "GroupsInVpc", writes: "ec2:CreateSecurityGroup", on: "ec2:vpc/*" },
];

const price: Price = {
  free: "free by itself; traffic is counted at the NAT gateways and endpoints",
};
const part: ResourceType = { permissions: network, price };
const groupPart: ResourceType = { permissions: securityGroups, price };

export const ec2: Service = {
  aws_default_network_acl: part,
  aws_default_route_table: part,
  aws_default_security_group: { permissions: [...network, ...securityGroups], price },
  aws_eip: { permissions: network, price: { charges: () => [fixedCharge("publicAddressHour", hoursOfMonth)] } },
  aws_flow_log: {
    permissions: network,
    price: { free: "only its logs are billed, which are counted at their log group" },
  },
  aws_internet_gateway: part,
  aws_nat_gateway: {
    permissions: network,
    price: {
      charges: (_, { internetGigabytes, natGigabytes }) => [
        fixedCharge("natGatewayHour", hoursOfMonth),
        usageCharge("natGatewayGigabyte", natGigabytes),
        usageCharge("internetGigabyte", internetGigabytes),
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
    permissions: network,
    price: {
      charges: ({ vpc_endpoint_type, subnet_ids }, { endpointGigabytes }) =>
        // S3's endpoint is a gateway endpoint, which is free.
        vpc_endpoint_type === "Interface"
          ? [
              fixedCharge("interfaceEndpointHour", hoursOfMonth * list(subnet_ids).length),
              usageCharge("interfaceEndpointGigabyte", endpointGigabytes),
            ]
          : [],
    },
  },
  aws_vpc_security_group_egress_rule: groupPart,
  aws_vpc_security_group_ingress_rule: groupPart,
};
