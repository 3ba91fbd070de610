/**
 * Releases new surveys: starts the pipeline, which trains on them and deploys the websites if the model is better.
 *
 * Idempotent: the same surveys give the same token, and CodePipeline starts one execution per token. A survey that
 * arrives again counts as another one, even with the same content, because a different one of the same name may have
 * come in between.
 */
import { createHash } from "node:crypto";
import {
  CodePipelineClient,
  PipelineNotFoundException,
  StartPipelineExecutionCommand,
} from "@aws-sdk/client-codepipeline";
import * as z from "../../survey/zod";
import { clientOptions } from "../shared/clients";
import { readEnvironment } from "../shared/environment";
import { parseEvent, someText } from "../shared/input";
import { logger, observed } from "../shared/observability";
import { traced, tracer } from "../shared/tracing";
import { variables } from "./declaration";

const environment = readEnvironment(variables);
const pipelines = tracer.captureAWSv3Client(new CodePipelineClient(clientOptions));

const eventSchema = z.object({
  /** The surveys that a run of the data workflow has ingested. */
  surveys: z
    .array(
      z.object({
        /** In the data bucket. */
        key: someText,
        /** Of the ingested content. */
        etag: someText,
        /** Arrival time: S3's last modification. @default the same survey whenever it came */
        arrived: z.optional(z.iso.datetime({ offset: true })),
      }),
    )
    .check(
      z.minLength(1, "expected at least one survey: a run without one has nothing to release"),
      z.refine((surveys) => new Set(surveys.map(({ key }) => key)).size === surveys.length, "names a survey twice"),
    ),
});

type Survey = z.infer<typeof eventSchema>["surveys"][number];

/** What was started, now or by an earlier call with the same surveys. */
export interface Release {
  readonly pipeline: string;
  readonly pipelineExecutionId: string;
  /** `clientRequestToken` of the execution. */
  readonly token: string;
}

/** The pipeline does not exist. */
export class PipelineNotFound extends Error {
  override readonly name = "PipelineNotFound";
}

/**
 * A hash of the surveys' names, contents and arrival times, in any order: 64 hexadecimal digits; CodePipeline allows
 * 128 characters.
 */
function tokenOf(surveys: readonly Survey[]): string {
  const lines = surveys.map(({ key, etag, arrived }) =>
    JSON.stringify([
      key,
      etag.replaceAll('"', ""),
      ...(arrived === undefined ? [] : [new Date(arrived).toISOString()]),
    ]),
  );
  return createHash("sha256").update(lines.sort().join("\n")).digest("hex");
}

/** Starts the pipeline for the surveys of one run. */
export const handler = observed(
  traced(async (event: unknown): Promise<Release> => {
    const { surveys } = parseEvent(eventSchema, event);
    const pipeline = environment.PIPELINE;
    const token = tokenOf(surveys);
    try {
      const { pipelineExecutionId } = await pipelines.send(
        new StartPipelineExecutionCommand({ name: pipeline, clientRequestToken: token }),
      );
      if (pipelineExecutionId === undefined) {
        throw new Error(`CodePipeline started ${pipeline} without an execution id`);
      }
      logger.info("The change is released", { pipeline, pipelineExecutionId, token, surveys: surveys.length });
      return { pipeline, pipelineExecutionId, token };
    } catch (error) {
      if (!(error instanceof PipelineNotFoundException)) {
        throw error;
      }
      throw new PipelineNotFound(`There is no pipeline ${pipeline}: deploy the pipeline stack, then repeat the call`, {
        cause: error,
      });
    }
  }),
);
