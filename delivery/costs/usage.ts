/** Assumed use of the platform, for usage-based costs. Enter your own numbers here. */
import type { Arguments } from "../../aws-services/arguments";
import { daysOfMonth, hoursOfMonth, type MonthlyUse } from "../../aws-services/record";
import type { Environment } from "../../environments";
import type { StackId } from "../../stacks/contract";

/** The daily use of one website. */
export interface WebsiteUsage {
  /** Pages opened. */
  readonly visits: number;
  /** Ages calculated. */
  readonly predictions: number;
  /** Messages from the contact form. */
  readonly messages: number;
  /** Comparisons of captured traffic: 1 or 24, according to the environment's `monitor.schedule`. */
  readonly comparisons: number;
}

/** The use of one environment. A month has 730 hours and 30.4 days. */
export interface Usage {
  readonly websites: { readonly test: WebsiteUsage; readonly production: WebsiteUsage };
  /** Runs of the ML workflow in a month. */
  readonly workflowRuns: number;
  /** Survey rows per month. */
  readonly surveyRows: number;
  /** Runs of the pipeline in a month. */
  readonly pipelineRuns: number;
  /** GB in the data bucket. */
  readonly dataGigabytes: number;
  /** GB in each other bucket. */
  readonly otherBucketGigabytes: number;
  /** GB of model images. */
  readonly imageGigabytes: number;
  /** GB per month in the VPC's flow logs. */
  readonly flowLogGigabytes: number;
  /** GB per month in each other log group. */
  readonly logGigabytes: number;
  /** GB through each NAT gateway in a month. */
  readonly natGigabytes: number;
  /** GB through each interface endpoint in a month. */
  readonly endpointGigabytes: number;
  /** Object and item events that the trail records in a month. */
  readonly trailEvents: number;
  /** Total monthly hours of Airflow's workers beyond the first. */
  readonly furtherWorkerHours: number;
}

/** Assumptions for all environments, because they depend on the platform and not on its users. */
export const workload = {
  /** A page with its scripts, styles and picture. */
  requestsOfVisit: 8,
  megabytesOfVisit: 0.5,
  /** Duration of a function call in seconds. */
  functionSeconds: 0.2,
  /** Minutes of one processing or training job, including its start. */
  jobMinutes: 6,
  /** Metrics of one comparison of captured traffic: see docs/monitoring.md. */
  metricsOfComparison: 25,
  /** State transitions of a workflow run: its 12 states, and some retries. */
  transitionsOfRun: 15,
  /** GB scanned by the workflow's query: Athena bills at least 10 MB. */
  queryGigabytesOfRun: 0.05,
  /** Minutes of each build of the pipeline's run. */
  buildMinutes: 8,
  /** Minutes per run in which pipeline actions wait for a build, a workflow or a deployment. */
  actionMinutesOfRun: 120,
  /** PUT and GET requests to each bucket in a month. */
  bucketWrites: 20_000,
  bucketReads: 50_000,
  /** Requests to each key per month; bucket keys keep the number low. */
  keyRequests: 20_000,
  /** GB of each DynamoDB table. */
  tableGigabytes: 0.1,
  /** GB of Airflow's database. */
  airflowDatabaseGigabytes: 5,
} as const;

const quiet: WebsiteUsage = { visits: 20, predictions: 50, messages: 1, comparisons: 1 };

/** The assumptions by environment. */
export const usages: Readonly<Record<Environment["name"], Usage>> = {
  local: {
    websites: { test: quiet, production: quiet },
    workflowRuns: 0,
    surveyRows: 0,
    pipelineRuns: 0,
    dataGigabytes: 0,
    otherBucketGigabytes: 0,
    imageGigabytes: 0,
    flowLogGigabytes: 0,
    logGigabytes: 0,
    natGigabytes: 0,
    endpointGigabytes: 0,
    trailEvents: 0,
    furtherWorkerHours: 0,
  },
  development: {
    websites: { test: quiet, production: quiet },
    workflowRuns: 30,
    surveyRows: 50_000,
    pipelineRuns: 60,
    dataGigabytes: 5,
    otherBucketGigabytes: 1,
    imageGigabytes: 5,
    flowLogGigabytes: 1,
    logGigabytes: 0.05,
    natGigabytes: 20,
    endpointGigabytes: 2,
    trailEvents: 500_000,
    furtherWorkerHours: 0,
  },
  production: {
    websites: { test: quiet, production: { visits: 1_000, predictions: 5_000, messages: 20, comparisons: 24 } },
    workflowRuns: 8,
    surveyRows: 100_000,
    pipelineRuns: 20,
    dataGigabytes: 50,
    otherBucketGigabytes: 2,
    imageGigabytes: 10,
    flowLogGigabytes: 5,
    logGigabytes: 0.2,
    natGigabytes: 20,
    endpointGigabytes: 5,
    trailEvents: 2_000_000,
    furtherWorkerHours: 20,
  },
};

/** A synthesized resource. */
export interface Resource {
  readonly stack: StackId;
  readonly type: string;
  readonly name: string;
  readonly arguments: Arguments;
}

/** The daily use of a stack's website; zero for the other stacks. */
function websiteOf(stack: StackId, { websites }: Usage): WebsiteUsage {
  if (stack === "website-test") {
    return websites.test;
  }
  return stack === "website-production"
    ? websites.production
    : { visits: 0, predictions: 0, messages: 0, comparisons: 0 };
}

/** Calls of a function per month; functions outside websites are called once per workflow run. */
function functionCalls({ stack, name }: Resource, usage: Usage): number {
  const { messages, predictions } = websiteOf(stack, usage);
  if (!stack.startsWith("website-")) {
    return usage.workflowRuns;
  }
  // Drift starts it at most once a day.
  if (name.startsWith("start-data-workflow")) {
    return 1;
  }
  if (name.startsWith("contact")) {
    return daysOfMonth * messages;
  }
  // Once per message, and once per hour.
  if (name.startsWith("mail_")) {
    return daysOfMonth * messages + hoursOfMonth;
  }
  return daysOfMonth * predictions;
}

/** The monthly use of one resource, by its environment's assumptions. */
export function useOf(resource: Resource, usage: Usage): MonthlyUse {
  const { stack, name } = resource;
  const website = websiteOf(stack, usage);
  const visits = daysOfMonth * website.visits;
  const messages = daysOfMonth * website.messages;
  const apiRequests = daysOfMonth * (website.predictions + website.messages);
  const jobHours = workload.jobMinutes / 60;
  return {
    ...usage,
    ...workload,
    apiRequests,
    websiteRequests: visits * workload.requestsOfVisit + apiRequests,
    websiteGigabytes: (visits * workload.megabytesOfVisit) / 1_000,
    mails: messages,
    functionCalls: functionCalls(resource, usage),
    workflowJobHours: usage.workflowRuns * jobHours,
    stateTransitions: usage.workflowRuns * workload.transitionsOfRun,
    comparisonJobHours: daysOfMonth * website.comparisons * jobHours,
    comparisonMetrics: (workload.metricsOfComparison * website.comparisons) / 24,
    featureWrites: usage.surveyRows,
    queryTerabytes: (usage.workflowRuns * workload.queryGigabytesOfRun) / 1_000,
    // Two units each in a transaction; marking a message as mailed takes two writes.
    tableWrites: messages * 4,
    tableReads: messages,
    bucketGigabytes: stack === "data" && name.startsWith("data") ? usage.dataGigabytes : usage.otherBucketGigabytes,
    logGigabytes: name.includes("flow-log") ? usage.flowLogGigabytes : usage.logGigabytes,
    internetGigabytes: usage.natGigabytes / 10,
    buildMinutes: usage.pipelineRuns * workload.buildMinutes,
    pipelineMinutes: usage.pipelineRuns * workload.actionMinutesOfRun,
  };
}
