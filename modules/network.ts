/**
 * A VPC with three tiers in each of the given availability zones:
 *
 * | tier | route to the internet | for |
 * |---|---|---|
 * | `public` | the internet gateway | NAT gateways, nothing else |
 * | `private` | a NAT gateway, if there is one | what must reach package registries |
 * | `jobs` | none | training and processing jobs, which reach AWS only through endpoints |
 *
 *     const network = new Network(this, "network", { name, addressRange: "10.0.0.0/16", zones: ["eu-west-1a", "eu-west-1b"], … });
 *     network.subnetIds("jobs"); network.routeTableIds("private"); network.vpcId;
 *
 * The defaults that AWS creates with a VPC (security group, network ACL, main route table) let nothing through.
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
  /** Name prefix of all parts. */
  readonly name: string;
  /** A /16, such as `10.0.0.0/16`. */
  readonly addressRange: string;
  /** Full names of one to ten availability zones, such as `eu-west-1a`; each ends in a letter of its own. */
  readonly zones: readonly string[];
  /** None, one for all zones, or one in each zone so that no zone depends on another. */
  readonly natGateways: number;
  /** Encrypts the flow logs. */
  readonly encryptionKeyArn: string;
  /** Days that the flow logs are kept: one of CloudWatch's retention times. */
  readonly logRetentionDays: number;
}

/** A tier of subnets. */
export type Tier = "public" | "private" | "jobs";

/** Third byte of the address of each tier's first subnet; the other zones follow. */
const firstSubnet: Readonly<Record<Tier, number>> = { public: 0, private: 10, jobs: 20 };
const tiers = Object.keys(firstSubnet) as readonly Tier[];

const anywhere = "0.0.0.0/0";
/** AWS services and package registries use only this port. */
const https = 443;

/**
 * The addresses of a subnet: a /24 of the VPC's /16.
 * @param zone index of the zone, from 0
 * @throws Error when the range is not a /16, or has no room for the zone
 */
export function subnetRange(addressRange: string, tier: Tier, zone: number): string {
  const prefix = /^(\d+\.\d+)\.0\.0\/16$/.exec(addressRange)?.[1];
  if (prefix === undefined) {
    throw new Error(
      `The address range ${JSON.stringify(addressRange)} is not a /16 such as "10.0.0.0/16". Correct it.`,
    );
  }
  if (zone > 9) {
    throw new Error(`A network has at most 10 zones, but this is number ${zone + 1}. Remove some.`);
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
        `The zones of the network ${name} are ${zones.join(", ") || "none"}; expected at least one, each with a different last letter. Correct them.`,
      );
    }
    if (![0, 1, zones.length].includes(natGateways)) {
      throw new Error(
        `The network ${name} has ${natGateways} NAT gateways; expected 0, 1, or ${zones.length}: one in each zone. Correct the number.`,
      );
    }

    const vpc = new Vpc(this, "vpc", {
      cidrBlock: addressRange,
      // Interface endpoints with private DNS names need both.
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
   * The route tables of a tier: one for each zone in the private tier, whose zones may have different NAT gateways,
   * otherwise one for all.
   */
  routeTableIds(tier: Tier): readonly string[] {
    return [...new Set(this.routeTables[tier])].map((table) => table.id);
  }

  /** The route table of each subnet of a tier, with only the local route. */
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

  /** The routes to the internet: the gateway for the public tier, NAT for the private one, none for jobs. */
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
      // Both need the internet gateway, but neither refers to it.
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
   * A tier's network ACL. It is stateless, so replies need a rule of their own. It has no service names: S3, which a
   * gateway endpoint reaches under its public addresses, is "anywhere" even for jobs. Routes limit the destinations and
   * security groups the senders; the ACL forbids what no subnet of the tier ever does. NAT gateways and Linux use ports
   * from 1024 for replies (VPC User Guide, "Ephemeral ports").
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
      // Requests of the private tier to the NAT gateway, and the answers.
      allow("requests-in", { ruleNumber: 110, egress: false, cidrBlock: addressRange, ...requests });
      allow("replies-out", { ruleNumber: 110, egress: true, cidrBlock: addressRange, ...replies });
    }
    if (tier === "private") {
      // Traffic with endpoints and within the VPC; security groups limit who talks to whom.
      allow("network-in", { ruleNumber: 110, egress: false, cidrBlock: addressRange });
      allow("network-out", { ruleNumber: 110, egress: true, cidrBlock: addressRange });
    }
  }

  /** Adopts the defaults that AWS creates with every VPC, and removes all their rules and routes. */
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
      // A subnet without its own ACL falls back to this one; Terraform must not undo that.
      lifecycle: { ignoreChanges: ["subnet_ids"] },
    });
  }

  /** Logs who talked to whom, and what was refused. */
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
        // The service lists all log groups to find its own (VPC User Guide, "IAM role for publishing flow logs to
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
