/**
 * A VPC in three tiers, in as many availability zones as it is given:
 *
 * | tier | its route to the internet | for |
 * |---|---|---|
 * | `public` | the internet gateway | NAT gateways, nothing else |
 * | `private` | a NAT gateway, where there is one | what must reach package registries and the like |
 * | `jobs` | none | training and processing jobs, which reach AWS through endpoints alone |
 *
 *     const network = new Network(this, "network", { name, addressRange: "10.0.0.0/16", zones: ["eu-west-1a", "eu-west-1b"], … });
 *     network.subnetIds("jobs"); network.routeTableIds("private"); network.vpcId;
 *
 * Whatever AWS makes with a VPC by itself (security group, network ACL, main route table) lets nothing through.
 */
import { CloudwatchLogGroup } from "@cdktf/provider-aws/lib/cloudwatch-log-group";
import { DefaultNetworkAcl } from "@cdktf/provider-aws/lib/default-network-acl";
import { DefaultRouteTable } from "@cdktf/provider-aws/lib/default-route-table";
import { DefaultSecurityGroup } from "@cdktf/provider-aws/lib/default-security-group";
import { Eip } from "@cdktf/provider-aws/lib/eip";
import { FlowLog } from "@cdktf/provider-aws/lib/flow-log";
import { InternetGateway } from "@cdktf/provider-aws/lib/internet-gateway";
import { NatGateway } from "@cdktf/provider-aws/lib/nat-gateway";
import { NetworkAcl } from "@cdktf/provider-aws/lib/network-acl";
import { NetworkAclRule } from "@cdktf/provider-aws/lib/network-acl-rule";
import { Route } from "@cdktf/provider-aws/lib/route";
import { RouteTable } from "@cdktf/provider-aws/lib/route-table";
import { RouteTableAssociation } from "@cdktf/provider-aws/lib/route-table-association";
import { Subnet } from "@cdktf/provider-aws/lib/subnet";
import { Vpc } from "@cdktf/provider-aws/lib/vpc";
import { Construct } from "constructs";
import { ExecutionRole } from "./execution-role";

export interface NetworkProps {
  /** With which the names of all parts begin. */
  readonly name: string;
  /** A /16, such as `10.0.0.0/16`. */
  readonly addressRange: string;
  /** Full names of one to ten availability zones, such as `eu-west-1a`; each ends in a letter of its own. */
  readonly zones: readonly string[];
  /** None, one for all zones, or one in each zone, so that no zone needs another. */
  readonly natGateways: number;
  /** Encrypts the flow logs. */
  readonly encryptionKeyArn: string;
  /** Days that the flow logs are kept: one of CloudWatch's retention times. */
  readonly logRetentionDays: number;
}

/** A tier of subnets. */
export type Tier = "public" | "private" | "jobs";

/** Third byte of the address of each tier's first subnet; the zones follow one another. */
const firstSubnet: Readonly<Record<Tier, number>> = { public: 0, private: 10, jobs: 20 };
const tiers = Object.keys(firstSubnet) as readonly Tier[];

const anywhere = "0.0.0.0/0";
/** AWS's services and package registries answer here alone. */
const https = 443;

/**
 * The addresses of a subnet: a /24 of the VPC's /16.
 * @param zone the zone's place in the list of zones, from 0
 * @throws Error when the range is no /16, or has no room for the zone
 */
export function subnetRange(addressRange: string, tier: Tier, zone: number): string {
  const prefix = /^(\d+\.\d+)\.0\.0\/16$/.exec(addressRange)?.[1];
  if (prefix === undefined) {
    throw new Error(`The address range ${JSON.stringify(addressRange)} is no /16 such as "10.0.0.0/16". Correct it.`);
  }
  if (zone > 9) {
    throw new Error(`A network has at most 10 zones, and this is number ${zone + 1}. Leave some out.`);
  }
  return `${prefix}.${firstSubnet[tier] + zone}.0/24`;
}

/** A subnet, the letter of its zone, and its addresses. */
interface ZonedSubnet {
  readonly letter: string;
  readonly range: string;
  readonly subnet: Subnet;
}

/** The VPC with its subnets, routes, network ACLs and flow logs. */
export class Network extends Construct {
  readonly vpcId: string;
  private readonly subnets: Readonly<Record<Tier, readonly ZonedSubnet[]>>;
  private readonly routeTables: Readonly<Record<Tier, readonly RouteTable[]>>;

  constructor(
    scope: Construct,
    id: string,
    private readonly props: NetworkProps,
  ) {
    super(scope, id);
    const { name, addressRange, zones, natGateways } = props;
    if (zones.length === 0 || new Set(zones.map(letterOf)).size < zones.length) {
      throw new Error(
        `The zones of the network ${name} are ${zones.join(", ") || "none"}; expected at least one, each with another letter at its end. Correct them.`,
      );
    }
    if (![0, 1, zones.length].includes(natGateways)) {
      throw new Error(
        `The network ${name} has ${natGateways} NAT gateways; expected 0, 1, or ${zones.length}: one in each zone. Correct the number.`,
      );
    }

    const vpc = new Vpc(this, "vpc", {
      cidrBlock: addressRange,
      // Both are needed for the private names of interface endpoints.
      enableDnsHostnames: true,
      enableDnsSupport: true,
      tags: { Name: name },
    });
    this.vpcId = vpc.id;

    const perTier = <Value>(make: (tier: Tier) => Value): Readonly<Record<Tier, Value>> => ({
      public: make("public"),
      private: make("private"),
      jobs: make("jobs"),
    });
    this.subnets = perTier((tier) =>
      zones.map((zone, index) => {
        const letter = letterOf(zone);
        const range = subnetRange(addressRange, tier, index);
        const subnet = new Subnet(this, `${tier}-${letter}`, {
          vpcId: vpc.id,
          cidrBlock: range,
          availabilityZone: zone,
          mapPublicIpOnLaunch: false,
          tags: { Name: `${name}-${tier}-${letter}` },
        });
        return { letter, range, subnet };
      }),
    );
    this.routeTables = perTier((tier) => this.routes(tier));
    this.connect();
    for (const tier of tiers) {
      this.accessList(tier);
    }
    this.emptyDefaults(vpc);
    this.logFlows();
  }

  /** One for each zone, in the order of the zones. */
  subnetIds(tier: Tier): readonly string[] {
    return this.subnets[tier].map(({ subnet }) => subnet.id);
  }

  /** The addresses of a tier's subnets, by a name such as `private-a`. */
  ranges(tier: Tier): Readonly<Record<string, string>> {
    return Object.fromEntries(this.subnets[tier].map(({ letter, range }) => [`${tier}-${letter}`, range]));
  }

  /**
   * The route tables of a tier: one for each zone in the private tier, whose zones may differ in their NAT gateway,
   * else one for all.
   */
  routeTableIds(tier: Tier): readonly string[] {
    return [...new Set(this.routeTables[tier])].map((table) => table.id);
  }

  /** The route table of each of a tier's subnets, without any route but the one within the VPC. */
  private routes(tier: Tier): readonly RouteTable[] {
    const table = (suffix: string): RouteTable =>
      new RouteTable(this, `${suffix}-routes`, {
        vpcId: this.vpcId,
        tags: { Name: `${this.props.name}-${suffix}` },
      });
    const shared = tier === "private" ? undefined : table(tier);
    return this.subnets[tier].map(({ letter, subnet }) => {
      const routeTable = shared ?? table(`${tier}-${letter}`);
      new RouteTableAssociation(this, `${tier}-${letter}-association`, {
        subnetId: subnet.id,
        routeTableId: routeTable.id,
      });
      return routeTable;
    });
  }

  /** The ways to the internet: for the public tier by the gateway, for the private one by NAT, for jobs none. */
  private connect(): void {
    const { name, natGateways } = this.props;
    const gateway = new InternetGateway(this, "internet-gateway", { vpcId: this.vpcId, tags: { Name: name } });
    for (const routeTableId of this.routeTableIds("public")) {
      new Route(this, "public-default-route", {
        routeTableId,
        destinationCidrBlock: anywhere,
        gatewayId: gateway.id,
      });
    }
    const nats = this.subnets.public.slice(0, natGateways).map(({ letter, subnet }) => {
      const tags = { Name: `${name}-nat-${letter}` };
      // Both need the internet gateway, and neither refers to it.
      const address = new Eip(this, `nat-${letter}-address`, { domain: "vpc", tags, dependsOn: [gateway] });
      return new NatGateway(this, `nat-${letter}`, {
        allocationId: address.id,
        subnetId: subnet.id,
        tags,
        dependsOn: [gateway],
      });
    });
    this.routeTables.private.forEach((table, index) => {
      const nat = nats[index] ?? nats[0];
      if (!nat) {
        return;
      }
      new Route(this, `${table.node.id}-default`, {
        routeTableId: table.id,
        destinationCidrBlock: anywhere,
        natGatewayId: nat.id,
      });
    });
  }

  /**
   * A tier's network ACL. It knows no connections, so that replies need a rule of their own, and no names of services:
   * S3, which a gateway endpoint reaches under its public addresses, is "anywhere" even for jobs. Where a packet can go
   * is for the routes to say, who may send it for the security groups; the ACL holds what no subnet of the tier ever
   * does. Ports from 1024 are what NAT gateways and Linux use for replies (VPC User Guide, "Ephemeral ports").
   */
  private accessList(tier: Tier): void {
    const { name, addressRange } = this.props;
    const list = new NetworkAcl(this, `${tier}-access-list`, {
      vpcId: this.vpcId,
      subnetIds: [...this.subnetIds(tier)],
      tags: { Name: `${name}-${tier}` },
    });
    const allow = (
      id: string,
      rule: { ruleNumber: number; egress: boolean; cidrBlock: string; fromPort?: number; toPort?: number },
    ): void => {
      new NetworkAclRule(this, `${tier}-${id}`, {
        networkAclId: list.id,
        ruleAction: "allow",
        protocol: rule.fromPort === undefined ? "-1" : "tcp",
        ...rule,
      });
    };
    const replies = { fromPort: 1_024, toPort: 65_535 };
    const requests = { fromPort: https, toPort: https };

    allow("requests-out", { ruleNumber: 100, egress: true, cidrBlock: anywhere, ...requests });
    allow("replies-in", { ruleNumber: 100, egress: false, cidrBlock: anywhere, ...replies });
    if (tier === "public") {
      // What the private tier asks of the NAT gateway, and the answers to it.
      allow("requests-in", { ruleNumber: 110, egress: false, cidrBlock: addressRange, ...requests });
      allow("replies-out", { ruleNumber: 110, egress: true, cidrBlock: addressRange, ...replies });
    }
    if (tier === "private") {
      // Endpoints answer here, and what stands here speaks with its like: the security groups say who with whom.
      allow("network-in", { ruleNumber: 110, egress: false, cidrBlock: addressRange });
      allow("network-out", { ruleNumber: 110, egress: true, cidrBlock: addressRange });
    }
  }

  /** Takes over what AWS makes with every VPC, and takes every rule and route out of it. */
  private emptyDefaults(vpc: Vpc): void {
    const tags = { Name: `${this.props.name}-unused-default` };
    new DefaultSecurityGroup(this, "default-security-group", { vpcId: vpc.id, tags });
    new DefaultRouteTable(this, "default-route-table", {
      defaultRouteTableId: vpc.defaultRouteTableId,
      route: [],
      tags,
    });
    new DefaultNetworkAcl(this, "default-access-list", {
      defaultNetworkAclId: vpc.defaultNetworkAclId,
      tags,
      // A subnet without an ACL of its own falls back to this one by itself; that is not for a plan to undo.
      lifecycle: { ignoreChanges: ["subnet_ids"] },
    });
  }

  /** Who spoke to whom, and what was refused. */
  private logFlows(): void {
    const { name, logRetentionDays, encryptionKeyArn } = this.props;
    const group = new CloudwatchLogGroup(this, "flow-logs", {
      name: `/aws/vpc-flow-logs/${name}`,
      retentionInDays: logRetentionDays,
      kmsKeyId: encryptionKeyArn,
    });
    const role = new ExecutionRole(this, "flow-log", {
      name: `${name}-flow-log`,
      description: `Writes the flow logs of the network ${name}`,
      service: "vpc-flow-logs.amazonaws.com",
      statements: [
        {
          sid: "WriteFlowLogs",
          actions: ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"],
          resources: [group.arn, `${group.arn}:log-stream:*`],
        },
        // The service looks through all groups for its own (VPC User Guide, "IAM role for publishing flow logs to
        // CloudWatch Logs").
        { sid: "FindLogGroup", actions: ["logs:DescribeLogGroups"], resources: ["*"] },
      ],
    });
    new FlowLog(this, "flow", {
      vpcId: this.vpcId,
      trafficType: "ALL",
      logDestinationType: "cloud-watch-logs",
      logDestination: group.arn,
      iamRoleArn: role.arn,
      tags: { Name: name },
      dependsOn: [role.policy],
    });
  }
}

/** `b` for `eu-west-1b`. */
function letterOf(zone: string): string {
  return zone.slice(-1);
}
