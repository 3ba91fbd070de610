/** What no role of the pipeline deploys: budgets, trails, secrets, the source. Engineers make them by hand. */
import { keyArgument, type Service, use } from "./record";

export const byHand: Service = {
  aws_budgets_budget: {
    permissions: "engineers",
    price: { free: "a budget that only tells costs nothing; those with actions do" },
    importId: ({ name }, { account }) => `${account}:${String(name)}`,
  },
  aws_cloudtrail: {
    permissions: "engineers",
    price: { charges: (_, { trailEvents }) => [use("trailDataEvent", trailEvents)] },
    holds: { what: "the record of what is done until there is a trail again", lostBy: ["cloudtrail:DeleteTrail"] },
    encryption: keyArgument("kms_key_id"),
  },
  aws_codecommit_repository: {
    permissions: "engineers",
    price: { free: "the first five users of an account cost nothing" },
    importId: "repository_name",
    holds: { what: "the source and its history", lostBy: ["codecommit:DeleteRepository"] },
  },
  aws_secretsmanager_secret: {
    permissions: "engineers",
    price: { notPriced: "a secret costs less than a dollar a month" },
    encryption: keyArgument("kms_key_id"),
  },
};
