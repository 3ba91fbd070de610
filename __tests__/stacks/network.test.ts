import { environmentNames, loadEnvironment } from "../../environments";
import { synthesizePlatform } from "../support/synthesize";

/** The environments that have a network. */
const names = environmentNames.filter((name) => loadEnvironment(name).network);
const stacks = Object.fromEntries(names.map((name) => [name, synthesizePlatform(name).network!] as const));

test("the number of NAT gateways is the environment's: one where it is cheap, one in each zone for the public, none where AWS is all that anything reaches", () => {
  const counts = Object.entries(stacks).map(([name, stack]) => [
    name,
    Object.keys(stack.resources("aws_nat_gateway")).length,
  ]);
  expect(Object.fromEntries(counts)).toEqual({ development: 1, production: 2 });
  const { network } = loadEnvironment("production");
  const closed = synthesizePlatform("production", { network: { ...network!, natGateways: 0 } }).network!;
  expect(closed.resources("aws_nat_gateway")).toEqual({});
});

describe.each(names)("%s", (name) => {
  const stack = stacks[name]!;
  const { region, ...environment } = loadEnvironment(name);
  const network = environment.network!;

  test("two zones of the region, by their names and without a look-up", () => {
    const zones = Object.values(stack.resources("aws_subnet")).map(({ availability_zone: zone }) => zone);
    expect([...new Set(zones)].sort()).toEqual(network.zones.map((letter) => `${region}${letter}`));
    expect(stack.document.data).toBeUndefined();
  });

  test("the endpoints stand in private subnets, in as many zones as the settings say", () => {
    const interfaces = Object.values(stack.resources("aws_vpc_endpoint")).filter(
      ({ vpc_endpoint_type: type }) => type === "Interface",
    );
    expect(interfaces.length).toBeGreaterThan(10);
    for (const { subnet_ids: subnets } of interfaces) {
      expect(subnets).toEqual(
        network.zones.slice(0, network.endpointZones).map((letter) => `\${aws_subnet.network_private-${letter}.id}`),
      );
    }
  });

  test("jobs reach S3 without the internet", () => {
    expect(stack.resource("aws_vpc_endpoint", "endpoints_s3").route_table_ids).toContain(
      "${aws_route_table.network_jobs-routes.id}",
    );
  });

  test("no security group has rules inside, and jobs have no rule that names the internet", () => {
    for (const group of Object.values(stack.resources("aws_security_group"))) {
      expect(group).not.toHaveProperty("ingress");
      expect(group).not.toHaveProperty("egress");
    }
    for (const type of ["aws_vpc_security_group_egress_rule", "aws_vpc_security_group_ingress_rule"]) {
      expect(JSON.stringify(stack.resources(type))).not.toContain("0.0.0.0/0");
    }
    const jobs = "${aws_security_group.jobs.id}";
    const incoming = Object.values(stack.resources("aws_vpc_security_group_ingress_rule"));
    expect(incoming.map(({ security_group_id: group }) => group)).not.toContain(jobs);
  });

  test("flow logs are encrypted by the network's own key and kept as long as the settings say", () => {
    expect(stack.resource("aws_cloudwatch_log_group")).toMatchObject({
      kms_key_id: "${aws_kms_key.encryption_key.arn}",
      retention_in_days: loadEnvironment(name).logRetentionDays,
    });
  });

  test("the subnets are published in the order of the zones", () => {
    expect(stack.resource("aws_ssm_parameter", "JobSubnetIds").insecure_value).toBe(
      '${join(",", [aws_subnet.network_jobs-a.id, aws_subnet.network_jobs-b.id])}',
    );
    expect(stack.resource("aws_ssm_parameter", "PrivateSubnetIds").insecure_value).toBe(
      '${join(",", [aws_subnet.network_private-a.id, aws_subnet.network_private-b.id])}',
    );
    expect(stack.resource("aws_ssm_parameter", "JobSecurityGroupId").insecure_value).toBe(
      "${aws_security_group.jobs.id}",
    );
  });
});
