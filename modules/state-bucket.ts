import type { Construct } from "constructs";
import type { Conditions } from "./policy";
import { SecureBucket, type SecureBucketProps } from "./secure-bucket";

/** A state bucket always has its own key and is always protected. */
export type StateBucketProps = Omit<SecureBucketProps, "protect" | "expiries"> & { readonly encryptionKeyArn: string };

/**
 * A bucket for Terraform's states, which contain values that a plan hides.
 *
 * Terraform writes a state without an encryption header and gets the bucket's default: KMS with our key. With `encrypt
 * = true` in its backend, it would request AES256, which overrides the default (Terraform,
 * internal/backend/remote-state/s3/client.go: `put` and `lockWithFile`), and anyone with `s3:GetObject` could read the
 * state without the key. So the policy denies every other encryption.
 */
export class StateBucket extends SecureBucket {
  constructor(scope: Construct, id: string, props: StateBucketProps) {
    super(scope, id, { ...props, protect: true });
    const header = "s3:x-amz-server-side-encryption";
    const refuse = (sid: string, conditions: Conditions): void => {
      this.allow({
        sid,
        effect: "Deny",
        principals: "*",
        actions: ["s3:PutObject"],
        resources: [`${this.arn}/*`],
        conditions,
      });
    };
    // A request without these headers gets the bucket's default. Without `Null`, a missing key would count as a
    // different one (IAM User Guide, "IAM JSON policy elements: Condition operators").
    const other = (key: string, value: string): Conditions => ({
      Null: { [key]: "false" },
      StringNotEquals: { [key]: value },
    });
    refuse("RefuseOtherEncryption", other(header, "aws:kms"));
    refuse("RefuseOtherKeys", other(`${header}-aws-kms-key-id`, props.encryptionKeyArn));
    refuse("RefuseKeysOfCallers", { Null: { [`${header}-customer-algorithm`]: "false" } });
  }
}
