import { SagemakerFeatureGroup } from "@cdktf/provider-aws/lib/sagemaker-feature-group";
import { Construct } from "constructs";
import { eventTime, featureDefinitions, recordIdentifier } from "../survey/feature-contract";
import type { EncryptionKey } from "./encryption-key";
import { ExecutionRole } from "./execution-role";
import type { SecureBucket } from "./secure-bucket";

export interface FeatureGroupProps {
  /** 1 to 64 letters, digits, hyphens and underscores. */
  readonly name: string;
  readonly description: string;
  /** Bucket of the offline store. */
  readonly bucket: SecureBucket;
  /** Prefix of the offline store in the bucket, without a trailing slash: SageMaker adds one. */
  readonly prefix: string;
  /** Encrypts the offline store. */
  readonly encryptionKey: EncryptionKey;
  /**
   * Whether Terraform refuses to destroy it. SageMaker can't change a group's features, so a change replaces the group,
   * and all surveys must be ingested again.
   * @default true
   */
  readonly protect?: boolean;
}

/**
 * The feature group of the feature contract: its columns, record identifier and event time come from
 * `survey/features.json`. It has only an offline store, which keeps every version of each record in Parquet and in a
 * Glue table.
 */
export class FeatureGroup extends Construct {
  readonly name: string;
  readonly arn: string;
  /** The role with which SageMaker writes the offline store. */
  readonly role: ExecutionRole;

  constructor(scope: Construct, id: string, props: FeatureGroupProps) {
    super(scope, id);
    const { bucket, prefix, encryptionKey } = props;
    if (!/^[A-Za-z0-9]([_-]*[A-Za-z0-9]){0,63}$/.test(props.name)) {
      throw new Error(
        `The feature group name ${JSON.stringify(props.name)} must have 1 to 64 letters and digits, with hyphens or underscores between.`,
      );
    }
    this.role = new ExecutionRole(this, "role", {
      name: `${props.name}-feature-store`,
      description: `Lets SageMaker write the offline store of the feature group ${props.name}`,
      service: "sagemaker.amazonaws.com",
      // SageMaker does not document that the feature store sends the account.
      forThisAccount: false,
      statements: [
        {
          // SageMaker sets the ACL bucket-owner-full-control, the only one that a bucket without ACLs accepts.
          sid: "WriteOfflineStore",
          actions: ["s3:PutObject", "s3:PutObjectAcl"],
          resources: [`${bucket.arn}/${prefix}/*`],
        },
        { sid: "CheckBucket", actions: ["s3:GetBucketAcl"], resources: [bucket.arn] },
        encryptionKey.useStatement(["s3", "sagemaker"], "write"),
      ],
    });
    const group = new SagemakerFeatureGroup(this, "group", {
      featureGroupName: props.name,
      description: props.description,
      recordIdentifierFeatureName: recordIdentifier.name,
      eventTimeFeatureName: eventTime.name,
      featureDefinition: featureDefinitions.map(({ featureName, featureType }) => ({ featureName, featureType })),
      roleArn: this.role.arn,
      offlineStoreConfig: {
        tableFormat: "Glue",
        s3StorageConfig: { s3Uri: `s3://${bucket.name}/${prefix}`, kmsKeyId: encryptionKey.arn },
      },
      dependsOn: [this.role.policy, bucket.policy],
      lifecycle: (props.protect ?? true) ? { preventDestroy: true } : undefined,
    });
    this.name = group.featureGroupName;
    this.arn = group.arn;
  }
}
