/** Application Auto Scaling, of SageMaker's endpoints. */
import { type Permissions, serviceRole } from "./permissions";
import type { Price } from "./price";
import type { Service } from "./resource-type";

const scaling: Permissions = {
  sid: "Scaling",
  service: "application-autoscaling",
  reads: ["ListTagsForResource"],
  readsAnywhere: ["application-autoscaling:DescribeScalableTargets", "application-autoscaling:DescribeScalingPolicies"],
  writes: [
    "DeleteScalingPolicy",
    "DeregisterScalableTarget",
    "PutScalingPolicy",
    "RegisterScalableTarget",
    "TagResource",
    "UntagResource",
  ],
  // AWS names a target by a number.
  on: ["scalable-target/*"],
  // Tags come without it.
  conditions: () => ({ StringEqualsIfExists: { "application-autoscaling:service-namespace": "sagemaker" } }),
  more: (scope) => [
    serviceRole(
      scope,
      "ScalingServiceRole",
      "sagemaker.application-autoscaling.amazonaws.com",
      "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint",
    ),
  ],
};

const price: Price = { free: "scaling itself costs nothing; the instances that it adds are not counted" };

export const applicationAutoscaling: Service = {
  aws_appautoscaling_policy: { permissions: [scaling], price },
  aws_appautoscaling_target: { permissions: [scaling], price },
};
