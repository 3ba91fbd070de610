import type { Construct } from "constructs";
import type { Conditions } from "./policy";
import { SecureBucket, type SecureBucketProps } from "./secure-bucket";

/** A state bucket is always encrypted by a key of its own, and always protected. */
export type StateBucketProps = Omit<SecureBucketProps, "protect" | "expiries"> & { readonly encryptionKeyArn: string };

/**
 * A bucket for the states of Terraform, which hold what a plan doesn't show.
 *
 * Terraform asks for no encryption when it writes a state, and gets the bucket's: KMS with our key. With `encrypt =
 * true` in its backend it would ask for AES256, which wins over the bucket's (Terraform,
 * internal/backend/remote-state/s3/client.go: `put` and `lockWithFile`), and anyone with `s3:GetObject` could read the
 * state without the key. So whoever asks for anything but our key is refused.
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
    // A request without these headers gets the bucket's own encryption, and has none of these keys. Without `Null`, a
    // key that isn't there would count as one that differs (IAM User Guide, "IAM JSON policy elements: Condition
    // operators").
    const other = (key: string, value: string): Conditions => ({
      Null: { [key]: "false" },
      StringNotEquals: { [key]: value },
    });
    refuse("RefuseOtherEncryption", other(header, "aws:kms"));
    refuse("RefuseOtherKeys", other(`${header}-aws-kms-key-id`, props.encryptionKeyArn));
    refuse("RefuseKeysOfCallers", { Null: { [`${header}-customer-algorithm`]: "false" } });
  }
}
