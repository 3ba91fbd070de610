/** Amazon Managed Workflows for Apache Airflow. */
import { numberOf, textOf } from "./arguments";
import { keyArgument } from "./encryption";
import { type Permissions, serviceRole, useKey } from "./permissions";
import { fixed, hoursOfMonth, use } from "./price";
import type { Service } from "./resource-type";

const environments: Permissions = {
  sid: "Airflow",
  service: "airflow",
  reads: ["GetEnvironment", "ListTagsForResource"],
  writes: ["CreateEnvironment", "TagResource", "UntagResource", "UpdateEnvironment"],
  on: ["environment/{name}"],
  readsAnywhere: ["ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs"],
  // MWAA User Guide, "Accessing an Amazon MWAA environment": what it does on behalf of whoever creates an
  // environment.
  more: (scope) => [
    {
      sid: "AirflowEndpoints",
      actions: ["ec2:CreateVpcEndpoint"],
      resources: scope.arns("ec2", "security-group/*", "subnet/*", "vpc/*", "vpc-endpoint/*"),
    },
    serviceRole(scope, "AirflowServiceRole", "airflow.amazonaws.com", "AWSServiceRoleForAmazonMWAA"),
    useKey(scope, "EncryptAirflow", "airflow"),
    {
      // MWAA User Guide, "Using customer managed keys for encryption": it goes on using the key by grants of whoever
      // creates the environment.
      sid: "GrantAirflowKey",
      actions: ["kms:CreateGrant", "kms:DescribeKey"],
      resources: scope.arns("kms", "key/*"),
      conditions: {
        StringEquals: {
          "aws:ResourceTag/Stack": scope.of.keyStack,
          "kms:ViaService": `airflow.${scope.of.region}.amazonaws.com`,
        },
      },
    },
  ],
};

export const mwaa: Service = {
  aws_mwaa_environment: {
    permissions: [environments],
    price: {
      charges: ({ environment_class, min_workers }, { airflowDatabaseGigabytes, furtherWorkerHours }) => {
        const named = /^mw1\.(.)(.*)$/.exec(textOf(environment_class));
        const size = named ? `airflow${(named[1] ?? "").toUpperCase()}${named[2] ?? ""}` : "airflow";
        return [
          fixed(`${size}Hour`, hoursOfMonth),
          // The first worker is in the price of the environment.
          fixed(`${size}WorkerHour`, hoursOfMonth * (numberOf(min_workers, 1) - 1)),
          use(`${size}WorkerHour`, furtherWorkerHours),
          use("airflowDatabaseGigabyteMonth", airflowDatabaseGigabytes),
        ].filter(({ quantity }) => quantity > 0);
      },
    },
    importId: "name",
    holds: { what: "Airflow's history, connections and variables", lostBy: ["airflow:DeleteEnvironment"] },
    encryption: keyArgument("kms_key"),
  },
};
