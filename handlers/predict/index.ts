/** POST /api/predict: how old is an abalone with these measures? */
import { MetricUnit } from "@aws-lambda-powertools/metrics";
import { InvokeEndpointCommand, ModelError, SageMakerRuntimeClient } from "@aws-sdk/client-sagemaker-runtime";
import {
  accepts,
  camelCase,
  expectation,
  features,
  isOptional,
  label,
  yearsBeyondRings,
} from "../../survey/feature-contract";
import * as z from "../../survey/zod";
import { clientOptions, errorMessage, errorName } from "../shared/clients";
import { readEnvironment } from "../shared/environment";
import { type FieldError, fieldProblem, HttpProblem, postJson, shorten } from "../shared/http";
import { logger, metrics } from "../shared/observability";
import { tracer } from "../shared/tracing";
import { route, variables } from "./declaration";

const environment = readEnvironment(variables);
const client = tracer.captureAWSv3Client(new SageMakerRuntimeClient({ ...clientOptions, maxAttempts: 3 }));

/** Time limit in ms, retries included. The model answers in milliseconds, and a visitor won't wait longer. */
const patience = 8_000;
/** Seconds after which a visitor may retry: by then a replaced or throttled endpoint has recovered. */
const retryAfter = "5";

const fields = new Map(features.map((feature) => [camelCase(feature.name), feature]));

const animalSchema = z.strictObject(
  Object.fromEntries(
    [...fields].map(([field, feature]) => {
      const value = z.custom((candidate) => accepts(feature, candidate));
      return [field, isOptional(feature) ? z.optional(value) : value];
    }),
  ),
);

/** Possible numbers of rings. The model stays within them, so another number is not an estimate. */
const rings = z.number().check(z.minimum(label.minimum), z.maximum(label.maximum));

/** One prediction of the container. */
const answerSchema = z.object({
  predictions: z
    .tuple([z.object({ rings, low: rings, high: rings })])
    .check(z.refine(([{ low, high }]) => low <= high, "the interval's low end is above its high end")),
  confidence: z.number().check(z.gt(0), z.lt(1)),
  model: z.string().check(z.minLength(1)),
});

function readAnimal(body: unknown): Record<string, unknown> {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw fieldProblem([
      { field: "", value: shorten(body), expected: "a JSON object with the animal's sex and measures" },
    ]);
  }
  const result = animalSchema.safeParse(body);
  if (result.success) {
    return result.data;
  }
  const sent = new Map(Object.entries(body));
  throw fieldProblem(
    result.error.issues.flatMap((issue): FieldError[] => {
      if (issue.code === "unrecognized_keys") {
        const expected = `no other fields than ${[...fields.keys()].join(", ")}`;
        return issue.keys.map((key) => ({ field: String(shorten(key)), expected }));
      }
      const field = String(issue.path[0]);
      const feature = fields.get(field);
      const expected = feature
        ? `${feature.type === "number" ? "a number " : ""}${expectation(feature)}`
        : issue.message;
      return [{ field, value: sent.has(field) ? shorten(sent.get(field)) : undefined, expected }];
    }),
  );
}

/** Attempts in total. During a release, some instances may have a failing model; the next attempt may reach another. */
const tries = 3;

/**
 * Whether a retry makes sense: a prediction is idempotent, so yes if the model failed, but not if it refuses the
 * request.
 */
function isWorthAnotherTry(error: unknown): boolean {
  if (error instanceof ModelError) {
    return (error.OriginalStatusCode ?? 0) >= 500 || error.OriginalStatusCode === 0;
  }
  return error instanceof SyntaxError || error instanceof z.ZodError; // an invalid answer
}

async function ask(body: string, abortSignal: AbortSignal): Promise<z.infer<typeof answerSchema>> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const { Body } = await client.send(
        new InvokeEndpointCommand({
          EndpointName: environment.ENDPOINT_NAME,
          ContentType: "application/json",
          Accept: "application/json",
          Body: body,
        }),
        { abortSignal },
      );
      return answerSchema.parse(JSON.parse(Buffer.from(Body).toString("utf8")));
    } catch (error) {
      if (attempt === tries || !isWorthAnotherTry(error)) {
        throw error;
      }
      metrics.addMetric("ModelAskedAgain", MetricUnit.Count, 1);
    }
  }
}

/**
 * Why the model did not answer, for the log. The model's own message may quote the visitor's input, so only the name of
 * its log is given.
 */
function reasonOf(error: unknown): string {
  if (error instanceof ModelError) {
    const { OriginalStatusCode: status = "nothing", LogStreamArn: log = "the endpoint's log group" } = error;
    return `the model answered ${status}: read ${log}`;
  }
  if (error instanceof SyntaxError) {
    return "the model's answer is not JSON";
  }
  if (error instanceof z.ZodError) {
    const places = error.issues.map(({ path }) => path.join(".") || "the whole");
    return `the model's answer is wrong: ${places.join(", ")}`;
  }
  return errorMessage(error);
}

async function invoke(animal: Readonly<Record<string, unknown>>): Promise<z.infer<typeof answerSchema>> {
  const instance = Object.fromEntries(features.map((feature) => [feature.name, animal[camelCase(feature.name)]]));
  try {
    return await ask(JSON.stringify({ instances: [instance] }), AbortSignal.timeout(patience));
  } catch (error) {
    logger.error("The model did not answer", {
      endpoint: environment.ENDPOINT_NAME,
      errorName: errorName(error),
      reason: reasonOf(error).slice(0, 500),
    });
    metrics.addMetric("ModelUnavailable", MetricUnit.Count, 1);
    throw new HttpProblem(503, "The model cannot answer at the moment. Please try again in a few seconds", {
      headers: { "retry-after": retryAfter },
    });
  }
}

const toTenth = (value: number): number => Math.round(value * 10) / 10;

/** Answers a request of the HTTP API. */
export const handler = postJson(route, async (body) => {
  const { predictions, confidence, model } = await invoke(readAnimal(body));
  const [{ rings, low, high }] = predictions;
  const years = (count: number): number => toTenth(count + yearsBeyondRings);
  metrics.addMetric("Prediction", MetricUnit.Count, 1);
  return {
    status: 200,
    body: {
      rings: toTenth(rings),
      age: { years: years(rings), low: years(low), high: years(high), confidence },
      model,
    },
  };
});
