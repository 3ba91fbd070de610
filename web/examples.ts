/** Animals to try, as visitors would type them: rows of UCI's abalone data (CC BY 4.0) in mm and g. */
import { camelCase, features } from "../survey/feature-contract";

/** An example's values by the API's names of the fields. */
export type Example = Readonly<Record<string, string | number>>;

/** The animal whose measures stand in the feature contract. */
function contractExample(): Example {
  return Object.fromEntries(
    features.map((feature) => [camelCase(feature.name), feature.type === "number" ? feature.example : "M"]),
  );
}

/** The young one has 5 rings, the one of the contract 15, the old one 19. */
export const examples = {
  contract: contractExample(),
  young: {
    sex: "I",
    length: 48,
    diameter: 35,
    height: 9,
    wholeWeight: 14,
    shuckedWeight: 6.3,
    visceraWeight: 4.7,
    shellWeight: 4,
  },
  old: {
    sex: "F",
    length: 136,
    diameter: 116,
    height: 40,
    wholeWeight: 357.4,
    shuckedWeight: 117,
    visceraWeight: 90.6,
    shellWeight: 120,
  },
} as const satisfies Readonly<Record<string, Example>>;
