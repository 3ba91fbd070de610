/** AWS CodeBuild. */
import { textOf, values } from "./arguments";
import { keyArgument } from "./encryption";
import type { Permissions } from "./permissions";
import { use } from "./price";
import type { Service } from "./resource-type";

const projects: Permissions = {
  sid: "Builds",
  service: "codebuild",
  reads: ["BatchGetProjects"],
  writes: ["CreateProject", "DeleteProject", "UpdateProject"],
  on: ["project/{name}"],
};

/** Prices by CodeBuild's sizes. */
const prices: Readonly<Record<string, string>> = {
  BUILD_GENERAL1_SMALL: "buildSmallMinute",
  BUILD_GENERAL1_MEDIUM: "buildMediumMinute",
  BUILD_GENERAL1_LARGE: "buildLargeMinute",
};

export const codebuild: Service = {
  aws_codebuild_project: {
    permissions: [projects],
    price: {
      charges: (block, { buildMinutes }) => {
        const size = textOf(values(block, "environment", "compute_type")[0]);
        return [use(prices[size] ?? `build:${size}`, buildMinutes)];
      },
    },
    importId: "name",
    encryption: keyArgument("encryption_key"),
  },
};
