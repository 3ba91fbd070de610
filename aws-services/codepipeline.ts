/** AWS CodePipeline. */
import { filled, values } from "./arguments";
import { ownKeyIf, type Service, usageCharge } from "./record";

export const codepipeline: Service = {
  aws_codepipeline: {
    permissions: [
      {
        sid: "Pipelines",
        reads: "codepipeline:GetPipeline codepipeline:ListTagsForResource",
        writes: `
          codepipeline:CreatePipeline codepipeline:DeletePipeline codepipeline:TagResource codepipeline:UntagResource
          codepipeline:UpdatePipeline`,
        on: "codepipeline:{name}",
      },
      {
        // Who makes or changes a pipeline hands its connection to it (Service Authorization Reference, AWS
        // CodeConnections). An older connection has the service's old name in its actions.
        sid: "PassConnection",
        writes: "codeconnections:PassConnection codestar-connections:PassConnection",
        on: ({ connections = [] }) => connections.join(" "),
      },
    ],
    price: { charges: (_, { pipelineMinutes }) => [usageCharge("pipelineMinute", pipelineMinutes)] },
    importId: "name",
    encryption: ({ arguments: block }) =>
      values(block, "artifact_store").map((store) => ownKeyIf(filled(store, "encryption_key", "id"))),
  },
};
