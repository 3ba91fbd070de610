/** Animals to try, as visitors would type them: rows of UCI's abalone data (CC BY 4.0) in mm and g. */
import { camelCase, type Feature, features } from "../survey/feature-contract";

/** An example's values by the API's names of the fields. */
export type Example = Readonly<Record<string, string | number>>;

const exampleOf = (value: (feature: Feature) => string | number): Example =>
  Object.fromEntries(features.map((feature) => [camelCase(feature.name), value(feature)]));

/** From the feature contract: the young one has 5 rings, the grown one 15, the old one 19. */
export const examples = {
  young: exampleOf(({ otherExamples }) => otherExamples.young),
  grown: exampleOf(({ example }) => example),
  old: exampleOf(({ otherExamples }) => otherExamples.old),
};
