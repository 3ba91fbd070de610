import type { Environment } from "../environments";
import { EncryptionKey } from "../modules/encryption-key";
import { SecureBucket } from "../modules/secure-bucket";
import { type Platform, PlatformStack } from "./platform";

/** What deploys the other stacks when the source changes. */
export class PipelineStack extends PlatformStack {
  constructor(platform: Platform, settings: NonNullable<Environment["pipeline"]>) {
    super(platform, "pipeline");
    const { account, region, logRetentionDays, oldVersionDays, protectData: protect } = this.environment;

    const key = new EncryptionKey(this, "encryption", {
      name: this.named("pipeline"),
      description: `Encrypts what passes between the actions of the pipeline of ${settings.source.repository}, and their logs`,
      account,
      region,
      partition: platform.partition,
      logGroupsNamed: this.named("pipeline"),
      protect,
    });

    new SecureBucket(this, "artefacts", {
      name: this.named(`artefacts-${account}-${region}`),
      encryptionKeyArn: key.arn,
      expireOldVersionsAfterDays: oldVersionDays,
      expiries: [{ prefix: "", days: logRetentionDays }],
      protect,
    });

    this.publish("Pipeline", this.named("pipeline"));
  }
}
