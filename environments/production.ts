import type { Environment } from "./settings";

/** For the public. Enter your own account here. */
export const production: Environment = {
  name: "production",
  account: "444455556666",
  region: "eu-west-1",
  emulated: false,
  backend: { type: "s3" },
  ownerTags: { Owner: "acme-abalone", CostCentre: "website" },
  logRetentionDays: 365,
  protectData: true,
  oldVersionDays: 90,
  queryResultDays: 30,
  capturedTrafficDays: 90,
  queryScanLimitGibibytes: 100,
  qualityThreshold: 2.3,
  gate: { metric: "rmse", confidence: 0.95, margin: 0 },
  modelImage: { build: "docker" },
  network: { addressRange: "10.0.0.0/16", zones: ["a", "b"], natGateways: 2, endpointZones: 2 },
  jobsInVpc: true,
  processing: { instanceType: "ml.m5.large", volumeGibibytes: 30, maximumSeconds: 1_800 },
  training: { instanceType: "ml.m5.xlarge", volumeGibibytes: 30, maximumSeconds: 1_800 },
  websites: {
    test: {
      endpoint: { instanceType: "ml.t2.large", instanceCount: 1, bakeSeconds: 600 },
      monitor: { samplingPercent: 100, schedule: "daily", minimumRows: 100 },
      latencyAlarmMilliseconds: 500,
    },
    // With two instances, SageMaker uses two availability zones.
    production: {
      endpoint: {
        instanceType: "ml.c5.large",
        instanceCount: 2,
        bakeSeconds: 600,
        scaling: {
          maximumInstances: 10,
          invocationsPerInstance: 750,
          scaleOutCooldownSeconds: 60,
          scaleInCooldownSeconds: 300,
        },
      },
      monitor: { samplingPercent: 100, schedule: "hourly", minimumRows: 200 },
      latencyAlarmMilliseconds: 500,
      // Enter your own addresses here.
      contact: { to: "office@acme.example", from: "website@acme.example", identity: "domain" },
      firewall: { requestsPerFiveMinutes: 2_000 },
    },
  },
  api: { requestsPerSecond: 100, burst: 200, contactMessagesPerHour: 10 },
  contactRetentionDays: 365,
  airflow: { version: "3.0.6", environmentClass: "mw1.small", maximumWorkers: 5, webServer: "private" },
  pipeline: {
    source: { type: "codecommit", repository: "acme-mlsdlc", branch: "main" },
    approval: true,
  },
  governance: { monthlyBudgetDollars: 1_500, trailRetentionDays: 365 },
};
