import type { TrainingWorkflowDefinition } from "../../../modules/training-workflow/definition";
import { loadServiceModel, requestFaults } from "./service-model";

const sagemaker = loadServiceModel("sagemaker", "2017-07-24");
const lambda = loadServiceModel("lambda", "2015-03-31");

/**
 * The optimised integrations that wait for an answer, with the API operation behind each: "Integrating optimized
 * services with Step Functions" and its pages on Lambda and SageMaker in the Step Functions Developer Guide.
 * `lambda:invoke` answers when the function does, so it has no `.sync`.
 */
const integrations: Readonly<Record<string, { model: typeof sagemaker; operation: string }>> = {
  "arn:aws:states:::lambda:invoke": { model: lambda, operation: "Invoke" },
  "arn:aws:states:::sagemaker:createProcessingJob.sync": { model: sagemaker, operation: "CreateProcessingJob" },
  "arn:aws:states:::sagemaker:createTrainingJob.sync": { model: sagemaker, operation: "CreateTrainingJob" },
};

/** Every fault that AWS's API descriptions find in the tasks of a definition. */
export function taskFaults({ States }: TrainingWorkflowDefinition): string[] {
  return Object.entries(States).flatMap(([name, state]) => {
    if (state.Type !== "Task") {
      return [];
    }
    const integration = integrations[state.Resource];
    if (integration === undefined) {
      return [`${name}: ${state.Resource} is not an integration that waits for an answer`];
    }
    return requestFaults(integration.model, integration.operation, state.Arguments).map((fault) => `${name}: ${fault}`);
  });
}

/** The types of instance that SageMaker offers for an endpoint. */
export const endpointInstanceTypes: readonly string[] = sagemaker.shapes.ProductionVariantInstanceType!.enum!;
