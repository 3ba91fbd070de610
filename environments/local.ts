import type { Environment } from "./settings";

/** A laptop: the platform of `make up`, with an emulator instead of AWS. */
export const local: Environment = {
  name: "local",
  account: "123456789012",
  region: "eu-west-1",
  emulated: true,
  backend: { type: "s3" },
  ownerTags: { Owner: "acme-abalone" },
  logRetentionDays: 1,
  protectData: false,
  oldVersionDays: 1,
  queryResultDays: 1,
  capturedTrafficDays: 1,
  queryScanLimitGibibytes: 1,
  qualityThreshold: 2.3,
  gate: { metric: "rmse", confidence: 0.95, margin: 0 },
  modelImage: { build: "content" },
  jobsInVpc: false,
  processing: { instanceType: "ml.t3.medium", volumeGibibytes: 1, maximumSeconds: 900 },
  training: { instanceType: "ml.m5.large", volumeGibibytes: 1, maximumSeconds: 900 },
  websites: {
    test: {
      endpoint: { instanceType: "ml.t2.medium", instanceCount: 1, bakeSeconds: 2 },
      latencyAlarmMilliseconds: 1_000,
      // Mails don't leave the machine: the emulator writes each into a file (`make status` shows where).
      contact: { to: "office@acme.example", from: "website@test.acme.example", identity: "domain" },
    },
    production: {
      // One server represents both instances; with two, a release starts with a canary.
      endpoint: { instanceType: "ml.t2.medium", instanceCount: 2, bakeSeconds: 3 },
      // Hourly on AWS; the local SageMaker service compares once a minute.
      monitor: { samplingPercent: 100, schedule: "hourly", minimumRows: 100 },
      latencyAlarmMilliseconds: 1_000,
      contact: { to: "office@acme.example", from: "website@acme.example", identity: "domain" },
    },
  },
  api: { requestsPerSecond: 100, burst: 200, contactMessagesPerHour: 1_000 },
  contactRetentionDays: 7,
};
