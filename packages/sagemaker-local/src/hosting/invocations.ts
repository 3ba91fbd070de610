import type * as runtime from "@aws-sdk/client-sagemaker-runtime";
import type { DataCapture } from "../monitoring/data-capture";
import { ServiceError } from "../protocol/errors";
import type { OperationTable } from "../protocol/operations";
import type { Settings } from "../settings";
import type { EndpointMetrics } from "./endpoint-metrics";
import type { Endpoints, Route } from "./endpoints";
import { type ContainerAnswer, type ModelServer, ServerBroken, ServerTimeout, ServerUnavailable } from "./model-server";

const longestMessage = 1024;

/** The SageMaker runtime: passes requests to an endpoint's container, and its answers back. */
export function invocationOperations(
  endpoints: Endpoints,
  metrics: EndpointMetrics,
  settings: Settings,
  capture: DataCapture,
): OperationTable<typeof runtime> {
  return {
    InvokeEndpoint: async (request) => {
      const { server, answer } = await ask(
        endpoints.chooseServer(request.EndpointName, request.TargetVariant),
        metrics,
        definedOnly({
          "Content-Type": request.ContentType,
          Accept: request.Accept,
          "X-Amzn-SageMaker-Custom-Attributes": request.CustomAttributes,
          "X-Amzn-SageMaker-Inference-Id": request.InferenceId,
          "X-Amzn-SageMaker-Target-Model": request.TargetModel,
        }),
        request.Body as Uint8Array,
      );
      if (answer.status < 200 || answer.status > 299) {
        throw modelError(answer, server, settings);
      }
      capture.record(endpoints.captureOf(request.EndpointName)?.config, server.storage, {
        endpointName: request.EndpointName,
        variantName: server.options.variantName,
        request: { contentType: request.ContentType, body: request.Body as Uint8Array },
        answer: { contentType: answer.headers["content-type"], body: answer.body },
      });
      const attributes = answer.headers["x-amzn-sagemaker-custom-attributes"];
      return {
        Body: answer.body as never,
        ContentType: answer.headers["content-type"],
        InvokedProductionVariant: server.options.variantName,
        CustomAttributes: Array.isArray(attributes) ? attributes.join(",") : attributes,
      };
    },
  };
}

interface Answered {
  readonly server: ModelServer;
  readonly answer: ContainerAnswer;
}

/** Asks the server of a route; or the old one, if the new server of a release takes no requests yet. */
async function ask(
  { server, otherwise }: Route,
  metrics: EndpointMetrics,
  headers: Record<string, string>,
  body: Uint8Array,
): Promise<Answered> {
  const begin = performance.now();
  const count = (status: number): void => {
    metrics.record(server.options, status, performance.now() - begin);
  };
  try {
    const answer = await server.invoke(headers, body, otherwise === undefined);
    count(answer.status);
    return { server, answer };
  } catch (error) {
    if (error instanceof ServerUnavailable && otherwise !== undefined) {
      return ask({ server: otherwise }, metrics, headers, body);
    }
    count(500);
    throw unanswered(error, server);
  }
}

/** The error for a request that the container has not answered. */
function unanswered(error: unknown, server: ModelServer): unknown {
  const { endpointName } = server.options;
  if (error instanceof ServerUnavailable) {
    return new ServiceError(
      "ServiceUnavailable",
      `Endpoint ${endpointName} has no container that takes requests: ${error.message}.`,
      503,
    );
  }
  if (error instanceof ServerTimeout) {
    return new ServiceError(
      "ModelError",
      `Received server error (0) from primary with message "Your invocation timed out while waiting for a response ` +
        `from container primary. Review the latency metrics for each container in Amazon CloudWatch, resolve the issue, and try again." (log: ${server.logFile})`,
      424,
      { OriginalStatusCode: 0, OriginalMessage: error.message },
    );
  }
  if (error instanceof ServerBroken) {
    return new ServiceError(
      "ModelError",
      `Received server error (0) from primary with message "The container ended or closed the connection before it answered: ${error.message}". ` +
        `See ${server.logFile} for more information.`,
      424,
      { OriginalStatusCode: 0, OriginalMessage: error.message },
    );
  }
  return error;
}

function modelError(answer: ContainerAnswer, server: ModelServer, settings: Settings): ServiceError {
  const { status } = answer;
  const { endpointName } = server.options;
  const side = status >= 500 ? "server" : "client";
  const original = answer.body.toString("utf8");
  const group = `/aws/sagemaker/Endpoints/${endpointName}`;
  return new ServiceError(
    "ModelError",
    `Received ${side} error (${status}) from primary with message "${original.slice(0, longestMessage)}". ` +
      `See the log group ${group} in account ${settings.account}, or ${server.logFile}, for more information.`,
    424,
    {
      OriginalStatusCode: status,
      OriginalMessage: original.slice(0, 2048),
      LogStreamArn: `arn:aws:logs:${settings.region}:${settings.account}:log-group:${group}`,
    },
  );
}

function definedOnly(headers: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}
