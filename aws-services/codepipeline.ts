/** AWS CodePipeline. */
import { filled, values } from "./arguments";
import { ownKeyIf } from "./encryption";
import type { Permissions } from "./permissions";
import { use } from "./price";
import type { Service } from "./resource-type";

const pipelines: Permissions = {
  sid: "Pipelines",
  service: "codepipeline",
  reads: ["GetPipeline", "ListTagsForResource"],
  writes: ["CreatePipeline", "DeletePipeline", "TagResource", "UntagResource", "UpdatePipeline"],
  on: ["{name}"],
};

export const codepipeline: Service = {
  aws_codepipeline: {
    permissions: [pipelines],
    price: { charges: (_, { pipelineMinutes }) => [use("pipelineMinute", pipelineMinutes)] },
    importId: "name",
    encryption: ({ arguments: block }) =>
      values(block, "artifact_store").map((store) => ownKeyIf(filled(store, "encryption_key", "id"))),
  },
};
