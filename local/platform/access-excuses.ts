/** Why a right need not be used on this machine. */
export interface Excuse {
  /** The right's action, as the policy writes it; `*` stands for any text. */
  readonly action: string;
  /** The right's resource, as the policy writes it; `*` stands for any text. @default any */
  readonly resource?: string;
  /** As a clause, for the list. */
  readonly reason: string;
}

/** Rights that no loop on this machine uses, each with the reason. */
export const excuses: readonly Excuse[] = [
  { action: "athena:StopQueryExecution", reason: "a query is stopped only when its job is" },
  { action: "dynamodb:Scan", reason: "messages that could not be mailed are looked for once an hour" },
  { action: "s3:ListBucket", reason: "with it S3 says that an object is missing, without it that it is forbidden" },
  {
    action: "ses:SendEmail",
    reason: "a mail is judged on the identity that is verified: the sender's address, or its domain",
  },
  { action: "sagemaker:Stop*Job", reason: "a job is stopped only with its execution, or when it takes too long" },
  {
    action: "sqs:SendMessage",
    resource: "*-failed",
    reason: "a message is given up only when it could not be mailed for an hour",
  },
  { action: "sagemaker:DescribeTrial", reason: "asked only by an attempt that is repeated" },
  { action: "sagemaker:ListTags", reason: "AWS's guide lists it for .sync, and does not say when it is asked" },
  {
    action: "logs:*",
    resource: "*:log-group:/aws/lambda/*",
    reason: "the emulator writes the logs of functions by itself",
  },
  { action: "logs:*", resource: "*", reason: "the emulator writes the logs of state machines by itself" },
  {
    action: "logs:*",
    resource: "*:log-group:/aws/sagemaker/*",
    reason: "the statement names groups and streams, of which an action needs one; existing streams are known",
  },
  { action: "ecr:*", reason: "the model image is never built, so nobody pulls it" },
  { action: "kms:CreateGrant", reason: "SageMaker has no volumes here that a key would encrypt" },
  ...["kms:Encrypt", "kms:DescribeKey", "kms:GenerateDataKeyPair*", "kms:GenerateDataKeyWithoutPlaintext"].map(
    (action) => ({ action, reason: "services ask here for kms:Decrypt and kms:GenerateDataKey only" }),
  ),
  ...["kms:Decrypt", "kms:GenerateDataKey"].map((action) => ({
    action,
    reason: "a statement lets a role use a key in both ways, and some roles need only one here",
  })),
  { action: "cloudwatch:PutMetricData", reason: "SageMaker has no instances here that it could measure" },
  { action: "s3:AbortMultipartUpload", reason: "objects are written whole here" },
  { action: "s3:PutObjectAcl", reason: "the emulator judges an object's canned ACL by s3:PutObject alone" },
  ...(
    [
      { action: "glue:*" },
      { action: "s3:GetBucketLocation" },
      { action: "s3:ListBucketMultipartUploads" },
      { action: "s3:GetObject", resource: "*/feature-store/*" },
      { action: "s3:*Object", resource: "*/athena/*" },
    ] as const
  ).map((right) => ({ ...right, reason: "Athena works with rights of its own here, not in the name of who asks" })),
  { action: "xray:*", reason: "the emulator has no X-Ray" },
];
