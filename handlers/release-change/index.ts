/**
 * Releases what new surveys change: starts the pipeline, which trains on them and deploys the websites if the model is
 * better.
 *
 * Safe to repeat: the same surveys make the same token, and CodePipeline takes a repeated request with the same token
 * for the same execution. A survey that comes again is another one, also with the content of an earlier: another one of
 * the same name may have come between.
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
        /** Of the content that was ingested. */
        etag: someText,
        /** When it came: S3's time of its last modification. @default the same survey whenever it came */
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

/** There is no such pipeline. */
export class PipelineNotFound extends Error {
  override readonly name = "PipelineNotFound";
}

/**
 * Of the surveys, their contents and when they came, in whatever order they come: 64 hexadecimal digits, of the 128
 * characters that CodePipeline takes.
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
