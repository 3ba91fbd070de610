/**
 * Data about AWS services: one file per service, with one record per resource type.
 *
 *     awsServices.record("aws_dynamodb_table").holds?.what; // "items": what would be lost
 *     awsServices.holding;                                  // every type whose data can't be made again
 *
 * The records are data. Their users are elsewhere: the deploy roles (modules/pipeline), the boundaries (stacks), the
 * rules (policies), costs, orphans and the plan's guard (delivery). A new type needs one record here. A record stays as
 * long as a state has a resource of its type, because without it no role may delete the resource.
 */
import { apiGateway } from "./api-gateway";
import { applicationAutoscaling } from "./application-autoscaling";
import { athena } from "./athena";
import { byHand } from "./by-hand";
import { cloudfront } from "./cloudfront";
import { cloudwatch } from "./cloudwatch";
import { cloudwatchLogs } from "./cloudwatch-logs";
import { codebuild } from "./codebuild";
import { codepipeline } from "./codepipeline";
import { dynamodb } from "./dynamodb";
import { ec2 } from "./ec2";
import { ecr } from "./ecr";
import { eventbridge } from "./eventbridge";
import { iam } from "./iam";
import { kms } from "./kms";
import { lambda } from "./lambda";
import { mwaa } from "./mwaa";
import { Registry } from "./registry";
import { route53 } from "./route53";
import { s3 } from "./s3";
import { sagemaker } from "./sagemaker";
import { sagemakerMonitor } from "./sagemaker-monitor";
import { ses } from "./ses";
import { sns } from "./sns";
import { sqs } from "./sqs";
import { stepFunctions } from "./step-functions";
import { systemsManager } from "./systems-manager";
import { waf } from "./waf";

/** The services by file name. The statements of deploy policies have this order. */
export const awsServices = new Registry({
  "systems-manager": systemsManager,
  iam,
  kms,
  s3,
  "cloudwatch-logs": cloudwatchLogs,
  cloudwatch,
  sns,
  eventbridge,
  lambda,
  sqs,
  ses,
  "step-functions": stepFunctions,
  sagemaker,
  "application-autoscaling": applicationAutoscaling,
  "sagemaker-monitor": sagemakerMonitor,
  dynamodb,
  athena,
  ecr,
  "api-gateway": apiGateway,
  cloudfront,
  waf,
  route53,
  ec2,
  mwaa,
  codebuild,
  codepipeline,
  "by-hand": byHand,
});
