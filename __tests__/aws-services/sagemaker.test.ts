import { hasLocalStorage } from "../../aws-services/sagemaker";

test.each([
  ["ml.t2.medium", false],
  ["ml.m5.xlarge", false],
  ["ml.c5.large", false],
  ["ml.g4dn.xlarge", true],
  ["ml.m5d.large", true],
  ["ml.c6gd.large", true],
  ["ml.p3.2xlarge", false],
  ["ml.p3dn.24xlarge", true],
  ["ml.c6id.xlarge", true],
  ["ml.r5.large", false],
  ["ml.m7i.large", false],
  ["ml.p5en.48xlarge", true],
  ["ml.p6-b200.48xlarge", true],
  ["ml.p4d.24xlarge", true],
  ["ml.g5.2xlarge", true],
  ["ml.inf1.xlarge", false],
  ["ml.trn1.2xlarge", true],
])("%s has disks of its own: %p", (instanceType, expected) => {
  expect(hasLocalStorage(instanceType)).toBe(expected);
});
