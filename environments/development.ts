import type { Environment } from "./settings";

/** For engineers to try a change on AWS: small, cheap and disposable. Enter your own account here. */
export const development: Environment = {
  name: "development",
  account: "111122223333",
  region: "eu-west-1",
  emulated: false,
  backend: { type: "s3" },
  ownerTags: { Owner: "acme-abalone", CostCentre: "research" },
  logRetentionDays: 14,
  protectData: false,
  oldVersionDays: 14,
  queryResultDays: 7,
  capturedTrafficDays: 14,
  queryScanLimitGibibytes: 10,
  qualityThreshold: 2.3,
  gate: { metric: "rmse", confidence: 0.95, margin: 0 },
  modelImage: { build: "docker" },
  network: { addressRange: "10.0.0.0/16", zones: ["a", "b"], natGateways: 1, endpointZones: 1 },
  jobsInVpc: true,
  processing: { instanceType: "ml.t3.medium", volumeGibibytes: 10, maximumSeconds: 1_800 },
  training: { instanceType: "ml.m5.large", volumeGibibytes: 10, maximumSeconds: 1_800 },
  websites: {
    test: {
      endpoint: { instanceType: "ml.t2.medium", instanceCount: 1, bakeSeconds: 300 },
      monitor: { samplingPercent: 100, schedule: "daily", minimumRows: 100 },
      latencyAlarmMilliseconds: 1_000,
    },
    production: {
      endpoint: { instanceType: "ml.t2.medium", instanceCount: 1, bakeSeconds: 300 },
      monitor: { samplingPercent: 100, schedule: "daily", minimumRows: 100 },
      latencyAlarmMilliseconds: 1_000,
    },
  },
  api: { requestsPerSecond: 20, burst: 40, contactMessagesPerHour: 100 },
  contactRetentionDays: 30,
  airflow: { version: "3.0.6", environmentClass: "mw1.small", maximumWorkers: 2, webServer: "public" },
  pipeline: {
    source: { type: "codecommit", repository: "acme-mlsdlc", branch: "main" },
    approval: false,
  },
  governance: { monthlyBudgetDollars: 800, trailRetentionDays: 30 },
};
