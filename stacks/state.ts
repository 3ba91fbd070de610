import { EncryptionKey } from "../modules/encryption-key";
import { StateBucket } from "../modules/state-bucket";
import { SecureBucket } from "../modules/secure-bucket";
import { type Platform, PlatformStack, stateBucketName } from "./platform";

/**
 * Where Terraform keeps the states of all stacks, including its own. `make bootstrap` creates the bucket before any
 * state exists; this stack then imports it.
 */
export class StateStack extends PlatformStack {
  constructor(platform: Platform) {
    super(platform, "state");
    const { account, region, oldVersionDays, logRetentionDays } = this.environment;
    const name = stateBucketName(account, region);

    const key = new EncryptionKey(this, "encryption", {
      name: this.named(),
      description: "Encrypts the states of Terraform",
    });

    const logs = new SecureBucket(this, "logs", {
      name: `${name}-logs`,
      // S3 delivers server access logs only to buckets with S3's own key.
      expireOldVersionsAfterDays: oldVersionDays,
      expiries: [{ prefix: "", days: logRetentionDays }],
    });
    logs.allowAccessLogs();

    // Protected in every environment: without its state, a platform can't even be destroyed.
    const states = new StateBucket(this, "states", {
      name,
      encryptionKeyArn: key.arn,
      expireOldVersionsAfterDays: oldVersionDays,
      accessLogBucket: logs,
    });

    this.publish("StateBucket", states.name);
    this.publish("StateKey", key.arn);
  }
}
