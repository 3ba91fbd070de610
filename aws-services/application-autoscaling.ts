/** Application Auto Scaling, of SageMaker's endpoints. */
import { type Permissions, serviceRole } from "./permissions";
import type { Price, Service } from "./record";

const scaling: Permissions = {
  sid: "Scaling",
  reads: "application-autoscaling:ListTagsForResource",
  readsAnywhere: "application-autoscaling:DescribeScalableTargets application-autoscaling:DescribeScalingPolicies",
  writes: `
    application-autoscaling:DeleteScalingPolicy application-autoscaling:DeregisterScalableTarget
    application-autoscaling:PutScalingPolicy application-autoscaling:RegisterScalableTarget
    application-autoscaling:TagResource application-autoscaling:UntagResource`,
  // A target's name is a generated id.
  on: "application-autoscaling:scalable-target/*",
  // Tag requests lack the namespace, and a new target has no tag yet.
  conditions: ({ stack }) => ({
    StringEqualsIfExists: {
      "application-autoscaling:service-namespace": "sagemaker",
      "aws:ResourceTag/Stack": stack,
    },
  }),
};

const role = serviceRole(
  "ScalingServiceRole",
  "sagemaker.application-autoscaling.amazonaws.com",
  "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint",
);

const price: Price = { free: "scaling itself is free; the instances that it adds are not counted" };

export const applicationAutoscaling: Service = {
  aws_appautoscaling_policy: { permissions: [scaling, role], price },
  aws_appautoscaling_target: { permissions: [scaling, role], price },
};
