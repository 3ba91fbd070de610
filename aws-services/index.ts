/**
 * All that is known of AWS's services: a file each, with a record for each type of resource.
 *
 *     awsServices.record("aws_dynamodb_table").holds?.what; // "items": what would be lost
 *     awsServices.holding;                                  // every type that holds what can't be made again
 *
 * The records are data. What asks for them is elsewhere: the deploy roles (modules/pipeline), the boundaries (stacks),
 * the rules (policies), costs, orphans and the plan's guard (delivery). A new type is one record here; a record stays
 * for as long as a state has a resource of its type, for without it no role may delete it.
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

/** The services by the names of their files. Their statements stand in this order in the policies of deploy roles. */
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
