/**
 * How much the platform is used: assumptions, for the part of the bill that depends on it. Put your own numbers here.
 */
import type { Environment } from "../../environments";

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

/** The hours of a month, as AWS counts it in its own examples. */
export const hoursOfMonth = 730;
/** The days of a month: 365 / 12. */
export const daysOfMonth = hoursOfMonth / 24;
