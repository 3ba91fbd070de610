import { SecurityGroup } from "@cdktf/provider-aws/lib/security-group";
import { Fn } from "cdktf";
import type { Environment } from "../environments";
import { Network } from "../modules/network";
import { ServiceEndpoints } from "../modules/service-endpoints";
import { type Platform, PlatformStack } from "./platform";

/**
 * Where jobs and Airflow run: a VPC whose job subnets have no route to the internet, the endpoints through which
 * everything in it reaches AWS, and the jobs' security group.
 */
export class NetworkStack extends PlatformStack {
  constructor(platform: Platform, settings: NonNullable<Environment["network"]>) {
    super(platform, "network");
    const { region, logRetentionDays } = this.environment;
    const name = this.named();

    // The key of the data stack is deployed later.
    const key = this.encryptionKey({
      description: "Encrypts the flow logs of the network",
      logGroupsNamed: this.namePrefix,
    });

    const network = new Network(this, "network", {
      name,
      addressRange: settings.addressRange,
      zones: settings.zones.map((letter) => `${region}${letter}`),
      natGateways: settings.natGateways,
      encryptionKeyArn: key.arn,
      logRetentionDays,
    });

    const endpoints = new ServiceEndpoints(this, "endpoints", {
      name,
      vpcId: network.vpcId,
      subnetIds: network.subnetIds("private").slice(0, settings.endpointZones),
      routeTableIds: [...network.routeTableIds("private"), ...network.routeTableIds("jobs")],
      // A service's DNS name resolves to its endpoint everywhere in the VPC, so the private tier depends on endpoints
      // too.
      admitted: network.ranges("private"),
    });

    // Each job has one instance, so members of the group never talk to each other.
    const jobs = new SecurityGroup(this, "jobs", {
      name: `${name}-jobs`,
      description: "Training and processing jobs: reach AWS services through endpoints, and nothing else",
      vpcId: network.vpcId,
      tags: { Name: `${name}-jobs` },
    });
    endpoints.admit("jobs", jobs.id);

    this.publish("VpcId", network.vpcId);
    this.publish("PrivateSubnetIds", Fn.join(",", [...network.subnetIds("private")]));
    this.publish("JobSubnetIds", Fn.join(",", [...network.subnetIds("jobs")]));
    this.publish("JobSecurityGroupId", jobs.id);
  }
}
