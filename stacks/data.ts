import { AthenaWorkgroup } from "@cdktf/provider-aws/lib/athena-workgroup";
import { S3Object } from "@cdktf/provider-aws/lib/s3-object";
import { FeatureGroup } from "../modules/feature-group";
import { SecureBucket } from "../modules/secure-bucket";
import { publicFigures } from "./contract";
import { type Platform, PlatformStack } from "./platform";

/** Bytes in a gibibyte. */
const gibibyte = 2 ** 30;

/**
 * What is never replaced: the surveys, the feature group, and the results of each workflow run.
 *
 * | prefix in the data bucket | holds |
 * |---|---|
 * | `surveys/` | incoming surveys, and below `surveys/rejected/` the rows that were refused |
 * | `feature-store/` | the offline store |
 * | `athena/` | query results, which expire |
 * | `runs/<run>/` | dataset, baseline, model and evaluation of each run |
 * | `figures/<run>.json` | what the website shows about each registered model |
 * | `data-capture/<endpoint>/` | requests to an endpoint and its answers; expires |
 * | `monitoring/<endpoint>/` | reports about that traffic; expires |
 */
export class DataStack extends PlatformStack {
  constructor(platform: Platform) {
    super(platform, "data");
    const { account, region, protectData: protect, oldVersionDays, queryResultDays } = this.environment;

    const key = this.encryptionKey({
      description: "Encrypts surveys, feature store, query results, runs, and the workflow's logs",
      logGroupsNamed: this.namePrefix,
    });

    const logs = new SecureBucket(this, "logs", {
      name: this.named(`logs-${account}-${region}`),
      // S3 delivers server access logs only to buckets with S3's own key.
      expireOldVersionsAfterDays: oldVersionDays,
      expiries: [{ prefix: "", days: this.environment.logRetentionDays }],
      protect,
    });
    logs.allowAccessLogs();
    logs.allowCloudFrontLogs(this.arn("logs", `delivery-source:${this.namePrefix}*`, { region: "us-east-1" }));

    const bucket = new SecureBucket(this, "data", {
      name: this.named(`${account}-${region}`),
      encryptionKeyArn: key.arn,
      expireOldVersionsAfterDays: oldVersionDays,
      expiries: [
        { prefix: "athena/", days: queryResultDays },
        { prefix: "data-capture/", days: this.environment.capturedTrafficDays },
        { prefix: "monitoring/", days: this.environment.capturedTrafficDays },
      ],
      accessLogBucket: logs,
      protect,
    });

    // A website whose model has no figures reads this object, so it can be deployed too.
    new S3Object(this, "no-figures", {
      bucket: bucket.name,
      key: publicFigures.none,
      content: "{}",
      contentType: "application/json",
    });

    const features = new FeatureGroup(this, "features", {
      name: this.named("abalone"),
      description: "Abalone as surveyed: measures in mm and g, sex, and the rings that tell the age",
      bucket,
      prefix: "feature-store",
      encryptionKey: key,
      protect,
    });

    const workgroup = new AthenaWorkgroup(this, "queries", {
      name: this.named("abalone"),
      description: "Queries of the feature store, with encrypted results and a limit on what one may scan",
      forceDestroy: !protect,
      configuration: {
        enforceWorkgroupConfiguration: true,
        publishCloudwatchMetricsEnabled: true,
        bytesScannedCutoffPerQuery: Math.round(this.environment.queryScanLimitGibibytes * gibibyte),
        resultConfiguration: {
          outputLocation: `s3://${bucket.name}/athena/`,
          expectedBucketOwner: account,
          encryptionConfiguration: { encryptionOption: "SSE_KMS", kmsKeyArn: key.arn },
        },
      },
    });

    this.publish("DataBucket", bucket.name);
    this.publish("DataKey", key.arn);
    this.publish("LogsBucket", logs.name);
    this.publish("FeatureGroup", features.name);
    this.publish("AthenaWorkgroup", workgroup.name);
  }
}
