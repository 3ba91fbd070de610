/** Types that engineers deploy by hand, and no role of the pipeline: budgets, trails, secrets, the source. */
import { keyArgument, type Service, usageCharge } from "./record";

export const byHand: Service = {
  aws_budgets_budget: {
    permissions: "engineers",
    price: { free: "a budget without actions is free" },
    importId: ({ name }, { account }) => `${account}:${String(name)}`,
  },
  aws_cloudtrail: {
    permissions: "engineers",
    price: { charges: (_, { trailEvents }) => [usageCharge("trailDataEvent", trailEvents)] },
    holds: { what: "the records of all events until there is a trail again", lostBy: ["cloudtrail:DeleteTrail"] },
    encryption: keyArgument("kms_key_id"),
  },
  aws_codecommit_repository: {
    permissions: "engineers",
    price: { free: "the first five users of an account are free" },
    importId: "repository_name",
    holds: { what: "the source and its history", lostBy: ["codecommit:DeleteRepository"] },
  },
  aws_secretsmanager_secret: {
    permissions: "engineers",
    price: { notPriced: "a secret costs less than a dollar a month" },
    encryption: keyArgument("kms_key_id"),
  },
};
