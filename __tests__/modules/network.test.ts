import fc from "fast-check";
import { Network, type NetworkProps, subnetRange, type Tier } from "../../modules/network";
import { type Arguments, synthesize, type Template } from "../support/synthesize";

const props: NetworkProps = {
  name: "acme-net",
  addressRange: "10.0.0.0/16",
  zones: ["eu-west-1a", "eu-west-1b"],
  natGateways: 2,
  encryptionKeyArn: "arn:key",
  logRetentionDays: 30,
};
const make = (changes: Partial<NetworkProps> = {}): Template =>
  synthesize((stack) => {
    new Network(stack, "net", { ...props, ...changes });
  });
const template = make();

/** First and last address of a range, as numbers. */
function bounds(range: string): readonly [first: number, last: number] {
  const [address = "", bits] = range.split("/");
  const first = address.split(".").reduce((sum, byte) => sum * 256 + Number(byte), 0);
  return [first, first + 2 ** (32 - Number(bits)) - 1];
}

/** The default route of a subnet, found as AWS finds it: by the association, in the route table. */
function defaultRoute(stack: Template, subnet: string): Arguments | undefined {
  const associations = Object.values(stack.resources("aws_route_table_association")).filter(
    ({ subnet_id: id }) => id === `\${aws_subnet.net_${subnet}.id}`,
  );
  expect(associations).toHaveLength(1);
  return Object.values(stack.resources("aws_route")).find(
    (route) => route.route_table_id === associations[0]!.route_table_id && route.destination_cidr_block === "0.0.0.0/0",
  );
}

/** Whether a tier's network ACL lets a packet through. */
function admits(tier: Tier, direction: "in" | "out", port: number, address: string): boolean {
  return Object.values(template.resources("aws_network_acl_rule"))
    .filter(({ network_acl_id: list }) => list === `\${aws_network_acl.net_${tier}-access-list.id}`)
    .filter(({ egress }) => egress === (direction === "out"))
    .some(({ cidr_block: range, protocol, from_port: from, to_port: to }) => {
      const [first, last] = bounds(range);
      const [value] = bounds(`${address}/32`);
      return value >= first && value <= last && (protocol === "-1" || (port >= from && port <= to));
    });
}

describe("addresses", () => {
  test("each subnet lies within the VPC, and no two overlap, in any tier and zone", () => {
    const tier = fc.constantFrom<Tier[]>("public", "private", "jobs");
    const place = fc.tuple(tier, fc.integer({ min: 0, max: 9 }));
    fc.assert(
      fc.property(place, place, fc.integer({ min: 0, max: 255 }), (one, other, octet) => {
        const whole = `10.${octet}.0.0/16`;
        const [first, last] = bounds(subnetRange(whole, ...one));
        const [otherFirst, otherLast] = bounds(subnetRange(whole, ...other));
        expect(first).toBeGreaterThanOrEqual(bounds(whole)[0]);
        expect(last).toBeLessThanOrEqual(bounds(whole)[1]);
        expect(last < otherFirst || otherLast < first).toBe(one.join() !== other.join());
      }),
    );
  });

  test.each(["10.0.0.0/24", "10.0.1.0/16", "10.0.0.0", "", "2001:db8::/32"])(
    "%p is refused: it is not a /16",
    (range) => {
      expect(() => subnetRange(range, "jobs", 0)).toThrow(`The address range ${JSON.stringify(range)} is not a /16`);
    },
  );

  test("an eleventh zone is refused: its subnet would be another tier's", () => {
    expect(() => subnetRange("10.0.0.0/16", "public", 10)).toThrow("at most 10 zones, but this is number 11");
  });
});

test("each tier has a /24 in each zone, and nothing gets a public address by itself", () => {
  const subnets = Object.values(template.resources("aws_subnet"));
  for (const tier of ["public", "private", "jobs"]) {
    const zones = subnets
      .filter(({ tags }) => tags.Name.startsWith(`acme-net-${tier}-`))
      .map(({ availability_zone }) => availability_zone);
    expect(zones).toEqual(["eu-west-1a", "eu-west-1b"]);
  }
  for (const subnet of subnets) {
    expect(subnet.cidr_block).toMatch(/\/24$/);
    expect(subnet.map_public_ip_on_launch).toBe(false);
  }
});

test("private names of endpoints work in the VPC", () => {
  expect(template.resource("aws_vpc")).toMatchObject({ enable_dns_hostnames: true, enable_dns_support: true });
});

describe.each([0, 1, 2])("with %d NAT gateways", (natGateways) => {
  const stack = make({ natGateways });

  test("there are so many, each with an address, each in a public subnet of another zone", () => {
    const gateways = Object.values(stack.resources("aws_nat_gateway"));
    expect(gateways).toHaveLength(natGateways);
    expect(new Set(gateways.map(({ allocation_id: address }) => address)).size).toBe(natGateways);
    expect(gateways.map(({ subnet_id: subnet }) => subnet)).toEqual(
      ["a", "b"].slice(0, natGateways).map((letter) => `\${aws_subnet.net_public-${letter}.id}`),
    );
  });

  test("jobs have no way to the internet, whatever the others have", () => {
    for (const subnet of ["jobs-a", "jobs-b"]) {
      expect(defaultRoute(stack, subnet)).toBeUndefined();
    }
    const tables = JSON.stringify(stack.resources("aws_route_table"));
    expect(tables).not.toContain("0.0.0.0/0");
    const jobTable = "${aws_route_table.net_jobs-routes.id}";
    expect(Object.values(stack.resources("aws_route")).map(({ route_table_id: id }) => id)).not.toContain(jobTable);
  });

  test("private subnets go out through the NAT gateway of their own zone, or the only one, and never directly", () => {
    const gateways = [[], ["a", "a"], ["a", "b"]][natGateways]!;
    ["private-a", "private-b"].forEach((subnet, index) => {
      const route = defaultRoute(stack, subnet);
      expect(route?.nat_gateway_id).toBe(
        gateways[index] === undefined ? undefined : `\${aws_nat_gateway.net_nat-${gateways[index]}.id}`,
      );
      expect(route?.gateway_id).toBeUndefined();
    });
  });

  test("public subnets go out through the internet gateway", () => {
    for (const subnet of ["public-a", "public-b"]) {
      expect(defaultRoute(stack, subnet)?.gateway_id).toBe("${aws_internet_gateway.net_internet-gateway.id}");
    }
  });
});

test.each([-1, 3, 1.5])("%p NAT gateways for two zones are refused", (natGateways) => {
  expect(() => make({ natGateways })).toThrow(`has ${natGateways} NAT gateways; expected 0, 1, or 2: one in each zone`);
});

test.each([[[]], [["eu-west-1a", "eu-west-1a"]]])("the zones %p are refused", (zones) => {
  expect(() => make({ zones, natGateways: 0 })).toThrow("expected at least one, each with a different last letter");
});

describe("network ACLs", () => {
  const outside = "203.0.113.7";
  const inside = "10.0.10.9";

  test("every subnet has that of its tier", () => {
    for (const tier of ["public", "private", "jobs"]) {
      expect(template.resource("aws_network_acl", `net_${tier}-access-list`).subnet_ids).toEqual(
        ["a", "b"].map((letter) => `\${aws_subnet.net_${tier}-${letter}.id}`),
      );
    }
  });

  test.each<Tier>(["public", "private", "jobs"])("%s: HTTPS goes out and its replies come in", (tier) => {
    expect(admits(tier, "out", 443, outside)).toBe(true);
    expect(admits(tier, "in", 40_000, outside)).toBe(true);
    expect(admits(tier, "in", 1_024, outside)).toBe(true);
  });

  test.each<Tier>(["public", "private", "jobs"])(
    "%s: nothing else goes out, and no service answers strangers",
    (tier) => {
      for (const port of [22, 25, 80, 3306]) {
        expect(admits(tier, "out", port, outside)).toBe(false);
      }
      for (const port of [22, 80, 443, 1_023]) {
        expect(admits(tier, "in", port, outside)).toBe(false);
      }
    },
  );

  test("endpoints in the private tier answer the network", () => {
    expect(admits("private", "in", 443, "10.0.20.5")).toBe(true);
    expect(admits("private", "out", 40_000, "10.0.20.5")).toBe(true);
  });

  test("the NAT gateway takes requests of the network and answers them, on HTTPS alone", () => {
    expect(admits("public", "in", 443, inside)).toBe(true);
    expect(admits("public", "in", 80, inside)).toBe(false);
    expect(admits("public", "out", 40_000, inside)).toBe(true);
    expect(admits("public", "out", 22, inside)).toBe(false);
  });

  test("nothing can connect to a job", () => {
    for (const port of [22, 80, 443, 1_023]) {
      expect(admits("jobs", "in", port, inside)).toBe(false);
    }
  });

  test("no two rules of a list share a number", () => {
    const numbers = Object.values(template.resources("aws_network_acl_rule")).map((rule) =>
      [rule.network_acl_id, rule.egress, rule.rule_number].join(),
    );
    expect(new Set(numbers).size).toBe(numbers.length);
  });
});

test("AWS's defaults of a VPC allow nothing", () => {
  expect(template.resource("aws_default_route_table").route).toEqual([]);
  const group = template.resource("aws_default_security_group");
  const list = template.resource("aws_default_network_acl");
  for (const rules of [group.ingress, group.egress, list.ingress, list.egress]) {
    expect(rules).toBeUndefined();
  }
  expect(group.vpc_id).toBe("${aws_vpc.net_vpc.id}");
});

describe("flow logs", () => {
  test("all traffic of the VPC is logged in an encrypted group that expires", () => {
    expect(template.resource("aws_flow_log")).toMatchObject({
      vpc_id: "${aws_vpc.net_vpc.id}",
      traffic_type: "ALL",
      log_destination: "${aws_cloudwatch_log_group.net_flow-logs.arn}",
      iam_role_arn: "${aws_iam_role.net_flow-log_role.arn}",
      depends_on: ["aws_iam_role_policy.net_flow-log_policy"],
    });
    expect(template.resource("aws_cloudwatch_log_group")).toMatchObject({
      kms_key_id: "arn:key",
      retention_in_days: 30,
    });
  });

  test("their role writes into that group and no other, and only for this account", () => {
    const group = "${aws_cloudwatch_log_group.net_flow-logs.arn}";
    const policy = template.policyOf("net_flow-log_policy");
    expect(policy.allows("logs:PutLogEvents", `${group}:log-stream:eni-1`)).toBe(true);
    expect(policy.allows("logs:PutLogEvents", "arn:aws:logs:eu-west-1:123456789012:log-group:other:log-stream:a")).toBe(
      false,
    );
    expect(policy.allows("logs:DeleteLogGroup", group)).toBe(false);
    expect(JSON.parse(template.resource("aws_iam_role").assume_role_policy).Statement).toEqual([
      expect.objectContaining({
        Principal: { Service: "vpc-flow-logs.amazonaws.com" },
        Condition: { StringEquals: { "aws:SourceAccount": "123456789012" } },
      }),
    ]);
  });
});
