import type { LeftOutKind } from "./resource-kind";

const noImage = "the model image is the local Python environment";
const noAccessLogs = "the emulator's CloudFront writes no access logs";

/** Types that are known but not made locally, each with the reason. */
export const allLeftOut: readonly LeftOutKind[] = [
  { type: "aws_ecr_repository", reason: noImage },
  { type: "aws_ecr_lifecycle_policy", reason: noImage },
  { type: "aws_cloudwatch_log_delivery_source", reason: noAccessLogs },
  {
    type: "aws_cloudwatch_log_delivery_destination",
    reason: noAccessLogs,
    attributes: ({ arguments: list, account }) => ({
      arn: `arn:aws:logs:${list.requireText("region")}:${account}:delivery-destination:${list.requireText("name")}`,
    }),
  },
  { type: "aws_cloudwatch_log_delivery", reason: noAccessLogs },
];
