/**
 * How much the platform is used: assumptions, for the part of the bill that depends on it. Put your own numbers here.
 */
import type { Arguments } from "../../aws-services/arguments";
import { daysOfMonth, hoursOfMonth, type MonthlyUse } from "../../aws-services/record";
import type { Environment } from "../../environments";
import type { StackId } from "../../stacks/contract";

/** The use of one website in a day. */
export interface WebsiteUsage {
  /** Pages opened. */
  readonly visits: number;
  /** Ages calculated. */
  readonly predictions: number;
  /** Messages from the contact form. */
  readonly messages: number;
  /** Comparisons of captured traffic: 1 or 24, as `monitor.schedule` of the environment says. */
  readonly comparisons: number;
}

/** The use of one environment. A month has 730 hours and 30.4 days. */
export interface Usage {
  readonly websites: { readonly test: WebsiteUsage; readonly production: WebsiteUsage };
  /** Runs of the ML workflow in a month. */
  readonly workflowRuns: number;
  /** Rows that surveys bring in a month. */
  readonly surveyRows: number;
  /** Runs of the pipeline in a month. */
  readonly pipelineRuns: number;
  /** GB in the data bucket. */
  readonly dataGigabytes: number;
  /** GB in each other bucket. */
  readonly otherBucketGigabytes: number;
  /** GB of model images. */
  readonly imageGigabytes: number;
  /** GB that the VPC's flow logs take in a month. */
  readonly flowLogGigabytes: number;
  /** GB that each other log group takes in a month. */
  readonly logGigabytes: number;
  /** GB through each NAT gateway in a month. */
  readonly natGigabytes: number;
  /** GB through each interface endpoint in a month. */
  readonly endpointGigabytes: number;
  /** Object and item events that the trail records in a month. */
  readonly trailEvents: number;
  /** Hours in a month in which Airflow runs workers beyond the first, added up over workers. */
  readonly furtherWorkerHours: number;
}

/** What is the same everywhere, because the platform and not its users decides it. */
export const workload = {
  /** A page with its scripts, styles and picture. */
  requestsOfVisit: 8,
  megabytesOfVisit: 0.5,
  /** Seconds that a function works for one request. */
  functionSeconds: 0.2,
  /** Minutes of one processing or training job, its start included. */
  jobMinutes: 6,
  /** Metrics that a comparison of captured traffic puts: see docs/monitoring.md. */
  metricsOfComparison: 25,
  /** State transitions of a run of the workflow: its 12 states, and some tried again. */
  transitionsOfRun: 15,
  /** GB that the workflow's query scans: Athena asks for at least 10 MB. */
  queryGigabytesOfRun: 0.05,
  /** Minutes of each build of the pipeline's run. */
  buildMinutes: 8,
  /** Actions of the pipeline that wait while a build, a workflow or a deployment runs, in minutes a run. */
  actionMinutesOfRun: 120,
  /** PUT and GET requests to each bucket in a month. */
  bucketWrites: 20_000,
  bucketReads: 50_000,
  /** Requests to each key in a month; bucket keys keep them few. */
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

/** A resource as synth wrote it. */
export interface Resource {
  readonly stack: StackId;
  readonly type: string;
  readonly name: string;
  readonly arguments: Arguments;
}

/** The website of a stack, a day; nothing is used of the other stacks. */
function websiteOf(stack: StackId, { websites }: Usage): WebsiteUsage {
  if (stack === "website-test") {
    return websites.test;
  }
  return stack === "website-production"
    ? websites.production
    : { visits: 0, predictions: 0, messages: 0, comparisons: 0 };
}

/** Calls of a function in a month; what isn't of a website works for the workflow, once a run. */
function functionCalls({ stack, name }: Resource, usage: Usage): number {
  const { messages, predictions } = websiteOf(stack, usage);
  if (!stack.startsWith("website-")) {
    return usage.workflowRuns;
  }
  // Drift starts it once a day at most.
  if (name.startsWith("start-data-workflow")) {
    return 1;
  }
  if (name.startsWith("contact")) {
    return daysOfMonth * messages;
  }
  // Once for a message, and once an hour.
  if (name.startsWith("mail_")) {
    return daysOfMonth * messages + hoursOfMonth;
  }
  return daysOfMonth * predictions;
}

/** How much one resource is used in a month, by the assumptions of its environment. */
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
    // Two units each in a transaction; that a message was mailed is written in two steps.
    tableWrites: messages * 4,
    tableReads: messages,
    bucketGigabytes: stack === "data" && name.startsWith("data") ? usage.dataGigabytes : usage.otherBucketGigabytes,
    logGigabytes: name.includes("flow-log") ? usage.flowLogGigabytes : usage.logGigabytes,
    internetGigabytes: usage.natGigabytes / 10,
    buildMinutes: usage.pipelineRuns * workload.buildMinutes,
    pipelineMinutes: usage.pipelineRuns * workload.actionMinutesOfRun,
  };
}
