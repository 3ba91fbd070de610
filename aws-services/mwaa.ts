/** Amazon Managed Workflows for Apache Airflow. */
import { numberOf, textOf } from "./arguments";
import { serviceRole, keyUseThrough } from "./permissions";
import { fixedCharge, hoursOfMonth, keyArgument, type Service, usageCharge } from "./record";

export const mwaa: Service = {
  aws_mwaa_environment: {
    // MWAA User Guide, "Accessing an Amazon MWAA environment" (also of its example with a customer managed key): MWAA
    // creates resources with the rights of the environment's creator, and uses the key through the creator's grants.
    permissions: [
      {
        sid: "Airflow",
        reads: "airflow:GetEnvironment airflow:ListTagsForResource",
        writes: "airflow:CreateEnvironment airflow:TagResource airflow:UntagResource airflow:UpdateEnvironment",
        on: "airflow:environment/{name}",
        readsAnywhere: "ec2:DescribeRouteTables ec2:DescribeSecurityGroups ec2:DescribeSubnets ec2:DescribeVpcs",
      },
      {
        sid: "AirflowEndpoints",
        writes: "ec2:CreateVpcEndpoint",
        on: "ec2:security-group/* ec2:subnet/* ec2:vpc/* ec2:vpc-endpoint/*",
      },
      {
        sid: "AirflowInterfaces",
        writes: "ec2:CreateNetworkInterface",
        on: "ec2:network-interface/* ec2:security-group/* ec2:subnet/*",
      },
      serviceRole("AirflowServiceRole", "airflow.amazonaws.com", "AWSServiceRoleForAmazonMWAA"),
      keyUseThrough("EncryptAirflow", "airflow"),
      keyUseThrough("GrantAirflowKey", "airflow", "kms:CreateGrant kms:DescribeKey kms:ListGrants kms:RevokeGrant"),
    ],
    price: {
      charges: ({ environment_class, min_workers }, { airflowDatabaseGigabytes, furtherWorkerHours }) => {
        const named = /^mw1\.(.)(.*)$/.exec(textOf(environment_class));
        const size = named ? `airflow${(named[1] ?? "").toUpperCase()}${named[2] ?? ""}` : "airflow";
        return [
          fixedCharge(`${size}Hour`, hoursOfMonth),
          // The environment's price includes the first worker.
          fixedCharge(`${size}WorkerHour`, hoursOfMonth * (numberOf(min_workers, 1) - 1)),
          usageCharge(`${size}WorkerHour`, furtherWorkerHours),
          usageCharge("airflowDatabaseGigabyteMonth", airflowDatabaseGigabytes),
        ].filter(({ quantity }) => quantity > 0);
      },
    },
    importId: "name",
    holds: { what: "Airflow's history, connections and variables", lostBy: ["airflow:DeleteEnvironment"] },
    encryption: keyArgument("kms_key"),
  },
};
