import type { DataCaptureConfig } from "@aws-sdk/client-sagemaker";
import type { ObjectStorage } from "../src/containers/object-storage";
import { DataCapture, type Invocation } from "../src/monitoring/data-capture";
import type { Validated } from "../src/protocol/operations";

const invocation: Invocation = {
  endpointName: "watched",
  variantName: "champion",
  request: { contentType: "application/json; charset=utf-8", body: Buffer.from('{"instances": []}') },
  answer: { contentType: "application/json", body: Buffer.from("{}") },
};
const config = (InitialSamplingPercentage: number, changes: object = {}): Validated<DataCaptureConfig> => ({
  EnableCapture: true,
  InitialSamplingPercentage,
  DestinationS3Uri: "s3://bucket/data-capture/",
  CaptureOptions: [{ CaptureMode: "Input" }],
  CaptureContentTypeHeader: { JsonContentTypes: ["application/json"] },
  ...changes,
});

let written: { readonly uri: string; readonly text: string }[];
let fails: boolean;
let capture: DataCapture;
let storage: ObjectStorage;
beforeEach(() => {
  written = [];
  fails = false;
  const uploadText = (text: string, uri: string): Promise<void> => {
    if (fails) {
      return Promise.reject(new Error("S3 is down"));
    }
    written.push({ uri, text });
    return Promise.resolve();
  };
  storage = { uploadText } as unknown as ObjectStorage;
  capture = new DataCapture();
});
afterEach(() => capture.close());

const lines = (): string[] => written.flatMap(({ text }) => text.trim().split("\n"));

test("a type is identified by its name, whatever its parameters; only the configured data are captured", async () => {
  capture.record(config(100), storage, invocation);
  await capture.flush();
  const [{ captureData }] = lines().map((line) => JSON.parse(line) as { captureData: object }) as [
    { captureData: object },
  ];
  expect(captureData).toEqual({
    endpointInput: {
      observedContentType: "application/json; charset=utf-8",
      mode: "INPUT",
      data: '{"instances": []}',
      encoding: "JSON",
    },
  });
});

test("a sample has about the configured size", async () => {
  for (let count = 0; count < 4_000; count += 1) {
    capture.record(config(25), storage, invocation);
  }
  await capture.flush();
  expect(lines().length).toBeGreaterThan(800);
  expect(lines().length).toBeLessThan(1_200);
});

test.each([
  ["no configuration", undefined],
  ["capture that is turned off", config(100, { EnableCapture: false })],
  ["a sample of nothing", config(0)],
])("%s captures nothing", async (_, settings) => {
  capture.record(settings, storage, invocation);
  await capture.flush();
  expect(written).toEqual([]);
});

test("data that S3 refuses wait in their order, and are written once", async () => {
  fails = true;
  capture.record(config(100), storage, invocation);
  await capture.flush();
  capture.record(config(100), storage, { ...invocation, variantName: "other" });
  capture.record(config(100), storage, invocation);
  await capture.flush();
  expect(written).toEqual([]);
  fails = false;
  await capture.flush();
  await capture.flush();
  expect(lines()).toHaveLength(3);
  expect(written.map(({ uri }) => uri.split("/")[5]).sort()).toEqual(["champion", "other"]);
});
