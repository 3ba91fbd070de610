/** AWS CodeBuild. */
import { textOf, values } from "./arguments";
import { keyArgument, type Service, usageCharge } from "./record";

/** Price ids by CodeBuild's sizes. */
const prices: Readonly<Record<string, string>> = {
  BUILD_GENERAL1_SMALL: "buildSmallMinute",
  BUILD_GENERAL1_MEDIUM: "buildMediumMinute",
  BUILD_GENERAL1_LARGE: "buildLargeMinute",
};

export const codebuild: Service = {
  aws_codebuild_project: {
    permissions: {
      sid: "Builds",
      reads: "codebuild:BatchGetProjects",
      writes: "codebuild:CreateProject codebuild:DeleteProject codebuild:UpdateProject",
      on: "codebuild:project/{name}",
    },
    price: {
      charges: (block, { buildMinutes }) => {
        const size = textOf(values(block, "environment", "compute_type")[0]);
        return [usageCharge(prices[size] ?? `build:${size}`, buildMinutes)];
      },
    },
    importId: "name",
    encryption: keyArgument("encryption_key"),
  },
};
