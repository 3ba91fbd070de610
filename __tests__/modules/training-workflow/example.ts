import type { TrainingWorkflowDefinitionProps } from "../../../modules/training-workflow/definition";

/** Everything that the definition asks for, with values as AWS would give them. */
export const exampleProps: TrainingWorkflowDefinitionProps = {
  functions: {
    prepareRun: "arn:aws:lambda:eu-west-1:123456789012:function:acme-test-prepare-run",
    evaluateResults: "arn:aws:lambda:eu-west-1:123456789012:function:acme-test-evaluate-results",
    registerModel: "arn:aws:lambda:eu-west-1:123456789012:function:acme-test-register-model",
  },
  jobRoleArn: "arn:aws:iam::123456789012:role/acme-test-training-job",
  imageUri: `123456789012.dkr.ecr.eu-west-1.amazonaws.com/acme-test-abalone@sha256:${"0123456789abcdef".repeat(4)}`,
  featureGroup: "acme-test-abalone",
  athenaWorkgroup: "acme-test-abalone",
  keyArn: "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555",
  region: "eu-west-1",
  processing: { instanceType: "ml.t3.medium", volumeGibibytes: 10, maximumSeconds: 1_800 },
  training: { instanceType: "ml.m5.large", volumeGibibytes: 10, maximumSeconds: 1_800 },
  jobTags: { Project: "acme", Environment: "test" },
};
