/**
 * Runs what is written in TypeScript under the feature contract of the checkout in which this file lies, and writes
 * what it found as JSON: `probe.ts SURVEY OUTPUT PORT`, with the port of a model that is served. `NEW_MEASURE` names
 * the measure that the contract has in addition.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { convertSurvey } from "../../../survey/convert";
import { camelCase, measures } from "../../../survey/feature-contract";
import { featureValues, readSurvey, type SurveyRecord } from "../../../survey/survey-file";
import { websiteFiles } from "../../../web/build";
import { examples } from "../../../web/examples";
import { openApiDocument } from "../../../web/openapi";

const [survey = "", output = "", port = ""] = process.argv.slice(2);
const newMeasure = process.env.NEW_MEASURE ?? "";
const newField = camelCase(newMeasure);

/** What became of a survey: how many rows were accepted, or why it is not one. */
async function ingest(text: string): Promise<{ accepted: SurveyRecord[]; problem?: string }> {
  const accepted: SurveyRecord[] = [];
  try {
    for await (const row of readSurvey([text], { now: new Date() })) {
      if ("record" in row) {
        accepted.push(row.record);
      }
    }
    return { accepted };
  } catch (error) {
    return { accepted, problem: (error as Error).message };
  }
}

/** A survey of one UCI row, converted; or why it can't be. */
async function convertUci(): Promise<string> {
  try {
    const { content } = await convertSurvey(["M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15,15\n"], {
      report: () => undefined,
    });
    const chunks: Uint8Array[] = [];
    for await (const chunk of content) {
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString();
  } catch (error) {
    return (error as Error).message;
  }
}

/** Sends animals to the handler of the API, which asks the served model as it asks an endpoint. */
async function predict(animals: readonly object[]): Promise<unknown[]> {
  const endpoint = createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) {
        chunks.push(chunk as Buffer);
      }
      const answer = await fetch(`http://127.0.0.1:${port}/invocations`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: Buffer.concat(chunks),
      });
      response.writeHead(answer.status, { "content-type": "application/json" }).end(await answer.text());
    })();
  });
  await new Promise<void>((listening) => endpoint.listen(0, "127.0.0.1", listening));
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: `http://127.0.0.1:${(endpoint.address() as AddressInfo).port}`,
    AWS_REGION: "eu-west-1",
    AWS_ACCESS_KEY_ID: "123456789012",
    AWS_SECRET_ACCESS_KEY: "test",
    ENDPOINT_NAME: "trial",
    POWERTOOLS_METRICS_NAMESPACE: "trial",
    POWERTOOLS_SERVICE_NAME: "predict",
    POWERTOOLS_TRACE_ENABLED: "false",
    LOG_LEVEL: "SILENT",
  });
  const { handler } = await import("../../../handlers/predict");
  const answers: unknown[] = [];
  for (const animal of animals) {
    const event = {
      version: "2.0",
      rawPath: "/api/predict",
      headers: { "content-type": "application/json" },
      requestContext: { stage: "$default", http: { method: "POST", path: "/api/predict" } },
      isBase64Encoded: false,
      body: JSON.stringify(animal),
    };
    const context = { functionName: "predict", awsRequestId: "1", getRemainingTimeInMillis: () => 60_000 };
    const { statusCode, body } = (await handler(event as never, context as never)) as {
      readonly statusCode: number;
      readonly body: string;
    };
    answers.push({ status: statusCode, ...(JSON.parse(body) as object) });
  }
  endpoint.close();
  return answers;
}

async function main(): Promise<object> {
  const text = readFileSync(survey, "utf8");
  const lines = text
    .trim()
    .split("\n")
    .map((line) => line.split(","));
  const column = lines[0]?.indexOf(newMeasure) ?? -1;
  const without = lines.map((line) => line.toSpliced(column, 1).join(",")).join("\n");
  const uci = await convertUci();
  const whole = await ingest(text);
  const incomplete = Object.fromEntries(Object.entries(examples.grown).filter(([name]) => name !== newField));
  const pages = websiteFiles();
  const page = String(pages.get("index.html"));
  return {
    measures: measures.map(({ name }) => name),
    read: whole.accepted.length,
    measured: whole.accepted.filter(({ [newMeasure]: value }) => value !== undefined).length,
    stored: whole.accepted.map((record) => featureValues(record).map(({ FeatureName }) => FeatureName)),
    without: await ingest(without).then(({ accepted, problem }) => ({ accepted: accepted.length, problem })),
    uci,
    uciRows: await ingest(uci).then(({ accepted }) => accepted.length),
    field: new RegExp(`<label for="${newField}">.*?</label>\\s*<div class="measure"><input[^>]*>`, "s").exec(page)?.[0],
    examples: [...page.matchAll(/data-values="([^"]*)"/g)].map(([, values]) => values),
    description: /<meta name="description" content="([^"]*)"/.exec(page)?.[1],
    guide: String(pages.get("how-to-measure.html")).replace(/\s+/g, " "),
    schema: (openApiDocument() as { components: { schemas: { Animal: object } } }).components.schemas.Animal,
    answers: await predict([examples.grown, incomplete, { ...examples.grown, [newField]: "1" }]),
  };
}

main().then(
  (found) => {
    writeFileSync(output, JSON.stringify(found));
  },
  (error: unknown) => {
    console.error(error);
    process.exitCode = 1;
  },
);
