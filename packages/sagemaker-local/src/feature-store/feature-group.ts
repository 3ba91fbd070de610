import type { DescribeFeatureGroupResponse } from "@aws-sdk/client-sagemaker";
import type { Validated } from "../protocol/operations";

/** A feature group as DescribeFeatureGroup answers it. */
export type FeatureGroup = Omit<Validated<DescribeFeatureGroupResponse>, "NextToken">;

/** Name and type of one of its features. */
export type FeatureDefinition = FeatureGroup["FeatureDefinitions"][number];
