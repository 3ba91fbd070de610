import { randomUUID } from "node:crypto";
import type { DataCaptureConfig } from "@aws-sdk/client-sagemaker";
import type { ObjectStorage } from "../containers/object-storage";
import { joinS3Uri } from "../containers/object-storage";
import { log } from "../log";
import { messageOf } from "../protocol/errors";
import type { Validated } from "../protocol/operations";

/** The request or the answer of an invocation. */
export interface CapturedMessage {
  readonly contentType: string | undefined;
  readonly body: Uint8Array;
}

/** An invocation that was answered. */
export interface Invocation {
  readonly endpointName: string;
  readonly variantName: string;
  readonly request: CapturedMessage;
  readonly answer: CapturedMessage;
}

const flushMilliseconds = 2_000;
/** Maximum number of lines that wait while S3 doesn't answer; the oldest are dropped first. */
const mostWaiting = 20_000;

/** `yyyy/mm/dd/hh` of a time, in UTC: SageMaker's folders. */
export function hourFolder(time: Date): string {
  return time.toISOString().slice(0, 13).replaceAll("-", "/").replace("T", "/");
}

/**
 * Data capture: a sample of endpoints' requests and answers, as JSON lines in S3, in SageMaker's format and folders
 * (SageMaker Developer Guide, "View captured data").
 *
 * An invocation never waits for it or fails because of it: lines are kept in memory and written every two seconds.
 */
export class DataCapture {
  private readonly waiting = new Map<string, { readonly lines: string[]; readonly storage: ObjectStorage }>();
  private flushing: Promise<void> = Promise.resolve();
  private complained = false;
  private readonly timer: NodeJS.Timeout;

  constructor() {
    this.timer = setInterval(() => void this.flush(), flushMilliseconds);
    this.timer.unref();
  }

  /**
   * Keeps an invocation, if the endpoint's configuration says so and chance takes it into the sample.
   * @param storage writes it with the role of the model that has answered
   */
  record(config: Validated<DataCaptureConfig> | undefined, storage: ObjectStorage, invocation: Invocation): void {
    if (config === undefined || config.EnableCapture === false) {
      return;
    }
    if (Math.random() * 100 >= config.InitialSamplingPercentage) {
      return;
    }
    const now = new Date();
    const modes = new Set(config.CaptureOptions.map(({ CaptureMode }) => CaptureMode));
    const document = {
      captureData: {
        ...((modes.has("Input") || modes.has("InputAndOutput")) && {
          endpointInput: captured(config, "INPUT", invocation.request),
        }),
        ...((modes.has("Output") || modes.has("InputAndOutput")) && {
          endpointOutput: captured(config, "OUTPUT", invocation.answer),
        }),
      },
      eventMetadata: { eventId: randomUUID(), inferenceTime: now.toISOString() },
      eventVersion: "0",
    };
    const folder = joinS3Uri(
      config.DestinationS3Uri,
      invocation.endpointName,
      invocation.variantName,
      ...hourFolder(now).split("/"),
    );
    const lines = this.waiting.get(folder)?.lines ?? [];
    lines.push(JSON.stringify(document));
    lines.splice(0, lines.length - mostWaiting);
    this.waiting.set(folder, { lines, storage });
  }

  /** Writes the waiting lines. Lines that S3 refuses wait for the next time. */
  flush(): Promise<void> {
    this.flushing = this.flushing.then(async () => {
      for (const [folder, { lines, storage }] of [...this.waiting]) {
        this.waiting.delete(folder);
        try {
          await storage.uploadText(`${lines.join("\n")}\n`, joinS3Uri(folder, fileName(new Date())));
          this.complained = false;
        } catch (error) {
          const later = this.waiting.get(folder);
          this.waiting.set(folder, {
            lines: [...lines, ...(later?.lines ?? [])].slice(-mostWaiting),
            storage: later?.storage ?? storage,
          });
          if (!this.complained) {
            log(`Captured traffic could not be written to ${folder}: ${messageOf(error)}`);
          }
          this.complained = true;
        }
      }
    });
    return this.flushing;
  }

  /** Writes the waiting lines for the last time. */
  async close(): Promise<void> {
    clearInterval(this.timer);
    await this.flush();
  }
}

/** A file name as SageMaker makes it: minute, second, millisecond, and a unique id. */
function fileName(now: Date): string {
  const [, minute, second, millisecond] = /T\d\d:(\d\d):(\d\d)\.(\d{3})Z$/.exec(now.toISOString()) ?? [];
  return `${minute ?? ""}-${second ?? ""}-${millisecond ?? ""}-${randomUUID()}.jsonl`;
}

/**
 * Text if the configuration says that the content type is text; otherwise Base64 (API reference,
 * CaptureContentTypeHeader).
 */
function captured(
  { CaptureContentTypeHeader: header }: Validated<DataCaptureConfig>,
  mode: "INPUT" | "OUTPUT",
  { contentType = "", body }: CapturedMessage,
): object {
  const type = contentType.split(";")[0]?.trim().toLowerCase() ?? "";
  const encoding = header?.JsonContentTypes?.includes(type)
    ? "JSON"
    : header?.CsvContentTypes?.includes(type)
      ? "CSV"
      : "BASE64";
  const data = Buffer.from(body).toString(encoding === "BASE64" ? "base64" : "utf8");
  return { observedContentType: contentType, mode, data, encoding };
}
