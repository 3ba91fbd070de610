import { createHash } from "node:crypto";
import type { LeftOutKind } from "./resource-kind";

type Compute = NonNullable<LeftOutKind["attributes"]>;

const noPermissions = "the emulator checks no permissions";
const noNetwork = "local processes have no VPC";
const noImage = "the model image is the local Python environment";
const notEmulated = "the emulator has no such service";
const noAccessLogs = "the emulator's CloudFront writes no access logs";
const notOfTheLoop = "not part of the loop on one machine";

/** An IAM resource; its ARN is known beforehand, as its name is. */
function iam(type: string, path: string): LeftOutKind {
  const attributes: Compute = ({ arguments: list, account, partition }) => {
    const name = list.requireText("name");
    const folder = list.text("path") ?? "/";
    return { id: name, arn: `arn:${partition}:iam::${account}:${path}${folder}${name}`, unique_id: name };
  };
  return {
    type,
    reason: noPermissions,
    naming: { argument: "name", prefix: "terraform-", maximumLength: 64 },
    attributes,
  };
}

/**
 * A resource whose id the service would choose: here it comes from the arguments, so that it stays the same.
 * @param made what else the service makes with it: attribute that holds its id, and the id's prefix
 */
function numbered(
  type: string,
  prefix: string,
  reason: string,
  made: Readonly<Record<string, string>> = {},
): LeftOutKind {
  const attributes: Compute = ({ arguments: list, account, region, partition }) => {
    const content = JSON.stringify(list.names.map((name) => [name, list.raw(name)]));
    const number = createHash("sha256").update(`${type}${content}`).digest("hex").slice(0, 17);
    const id = `${prefix}-${number}`;
    const noun = type.replace(/^aws_(vpc_)?/, "").replaceAll("_", "-");
    const others = Object.fromEntries(
      Object.entries(made).map(([attribute, otherPrefix]) => [attribute, `${otherPrefix}-${number}`] as const),
    );
    return { ...others, id, arn: `arn:${partition}:ec2:${region}:${account}:${noun}/${id}` };
  };
  return { type, reason, attributes };
}

const repository: LeftOutKind = {
  type: "aws_ecr_repository",
  reason: noImage,
  attributes: ({ arguments: list, account, region, partition }) => {
    const name = list.requireText("name");
    return {
      id: name,
      arn: `arn:${partition}:ecr:${region}:${account}:repository/${name}`,
      registry_id: account,
      repository_url: `${account}.dkr.ecr.${region}.amazonaws.com/${name}`,
    };
  },
};

/** What is known and not made locally, each with the reason. */
export const allLeftOut: readonly LeftOutKind[] = [
  iam("aws_iam_role", "role"),
  iam("aws_iam_policy", "policy"),
  iam("aws_iam_instance_profile", "instance-profile"),
  ...[
    "aws_iam_role_policy",
    "aws_iam_role_policies_exclusive",
    "aws_iam_role_policy_attachment",
    "aws_iam_role_policy_attachments_exclusive",
    "aws_iam_service_linked_role",
    "aws_cloudwatch_log_resource_policy",
    "aws_sagemaker_model_package_group_policy",
  ].map((type) => ({ type, reason: noPermissions })),
  numbered("aws_vpc", "vpc", noNetwork, {
    default_network_acl_id: "acl",
    default_route_table_id: "rtb",
    default_security_group_id: "sg",
    main_route_table_id: "rtb",
  }),
  numbered("aws_subnet", "subnet", noNetwork),
  numbered("aws_internet_gateway", "igw", noNetwork),
  numbered("aws_nat_gateway", "nat", noNetwork),
  numbered("aws_eip", "eipalloc", noNetwork),
  numbered("aws_route_table", "rtb", noNetwork),
  numbered("aws_network_acl", "acl", noNetwork),
  numbered("aws_security_group", "sg", noNetwork),
  numbered("aws_vpc_endpoint", "vpce", noNetwork, { prefix_list_id: "pl" }),
  numbered("aws_flow_log", "fl", noNetwork),
  ...[
    "aws_route",
    "aws_route_table_association",
    "aws_main_route_table_association",
    "aws_default_route_table",
    "aws_default_network_acl",
    "aws_default_security_group",
    "aws_network_acl_association",
    "aws_network_acl_rule",
    "aws_security_group_rule",
    "aws_vpc_security_group_egress_rule",
    "aws_vpc_security_group_ingress_rule",
    "aws_vpc_endpoint_policy",
    "aws_vpc_endpoint_route_table_association",
  ].map((type) => ({ type, reason: noNetwork })),
  repository,
  ...[
    "aws_ecr_lifecycle_policy",
    "aws_ecr_repository_policy",
    "aws_ecr_registry_scanning_configuration",
    "docker_image",
    "docker_registry_image",
    "docker_tag",
  ].map((type) => ({ type, reason: noImage })),
  { type: "aws_cloudwatch_log_delivery_source", reason: noAccessLogs },
  {
    type: "aws_cloudwatch_log_delivery_destination",
    reason: noAccessLogs,
    attributes: ({ arguments: list, account, region, partition }) => ({
      arn: `arn:${partition}:logs:${list.text("region") ?? region}:${account}:delivery-destination:${list.requireText("name")}`,
    }),
  },
  { type: "aws_cloudwatch_log_delivery", reason: noAccessLogs },
  ...["aws_appautoscaling_policy", "aws_appautoscaling_scheduled_action", "aws_appautoscaling_target"].map((type) => ({
    type,
    reason: notEmulated,
  })),
  ...["aws_budgets_budget", "aws_xray_encryption_config", "aws_xray_group", "aws_xray_sampling_rule"].map((type) => ({
    type,
    reason: notOfTheLoop,
  })),
];
