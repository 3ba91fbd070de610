import { KmsAlias } from "@cdktf/provider-aws/lib/kms-alias";
import { KmsKey } from "@cdktf/provider-aws/lib/kms-key";
import { Lazy } from "cdktf";
import { Construct } from "constructs";
import { placeOf } from "./place";
import { policyDocument, type ResourceStatement, type Statement, allowKeyUse } from "./policy";

export interface EncryptionKeyProps {
  /** The alias without `alias/`: letters, digits and `/_-`. */
  readonly name: string;
  /** What it encrypts. */
  readonly description: string;
  /** Its region, such as `us-east-1` for CloudFront. @default the stack's region */
  readonly region?: string;
  /**
   * CloudWatch Logs may use it for log groups whose names contain this, such as `acme-local-`. @default it encrypts
   * neither logs nor alarms
   */
  readonly logGroupsNamed?: string;
  /** Whether Terraform refuses to destroy it: without the key, the encrypted data is lost. @default true */
  readonly protect?: boolean;
}

/**
 * A customer-managed KMS key with yearly rotation. IAM policies of the account decide who uses it. CloudWatch Logs and
 * CloudWatch alarms have no role, so the key's policy admits them, for this account only.
 */
export class EncryptionKey extends Construct {
  readonly arn: string;
  private readonly region: string;
  private readonly statements: ResourceStatement[];

  constructor(scope: Construct, id: string, props: EncryptionKeyProps) {
    super(scope, id);
    const { account, partition, region: home } = placeOf(this);
    const { region = home } = props;
    this.region = region;
    // In a key policy the resource "*" means this key.
    this.statements = [
      {
        sid: "AccountDecidesByItsPolicies",
        principals: { AWS: `arn:${partition}:iam::${account}:root` },
        actions: ["kms:*"],
        resources: ["*"],
      },
    ];
    if (props.logGroupsNamed !== undefined) {
      this.allow(
        {
          sid: "LogsEncryptTheirGroups",
          principals: { Service: `logs.${region}.amazonaws.com` },
          actions: ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"],
          resources: ["*"],
          conditions: {
            ArnLike: {
              "kms:EncryptionContext:aws:logs:arn": `arn:${partition}:logs:${region}:${account}:log-group:*${props.logGroupsNamed}*`,
            },
          },
        },
        {
          sid: "AlarmsPublishToEncryptedTopics",
          principals: { Service: "cloudwatch.amazonaws.com" },
          actions: ["kms:Decrypt", "kms:GenerateDataKey*"],
          resources: ["*"],
          conditions: { StringEquals: { "aws:SourceAccount": account } },
        },
      );
    }
    const key = new KmsKey(this, "key", {
      region: props.region,
      description: props.description,
      enableKeyRotation: true,
      deletionWindowInDays: 30,
      policy: Lazy.stringValue({ produce: () => policyDocument(this.statements) }),
      lifecycle: (props.protect ?? true) ? { preventDestroy: true } : undefined,
    });
    new KmsAlias(this, "alias", {
      region: props.region,
      name: `alias/${props.name}`,
      targetKeyId: key.keyId,
    });
    this.arn = key.arn;
  }

  /** Lets a service without a role use the key. Limit each statement by a condition on the account or the resource. */
  allow(...statements: readonly ResourceStatement[]): void {
    this.statements.push(...statements);
  }

  /** The statement that lets a role use the key through AWS services, such as `s3`. */
  useStatement(services: readonly string[], access: "read" | "write", sid?: string): Statement {
    return allowKeyUse({ keyArn: this.arn, services, region: this.region, access, sid });
  }
}
