import { createHash } from "node:crypto";
import { surveyColumns } from "../../survey/feature-contract";
import { surveyHeader, surveyLine, type SurveyRecord } from "../../survey/survey-file";
import { simulate } from "../../survey/simulator";
import {
  type AwsAnswer,
  type AwsRequest,
  type AwsServer,
  awsError,
  type Json,
  s3Error,
  startAws,
} from "./support/aws-server";
import { type Call, collectOutput, loadHandler } from "./support/lambda";

const bucket = "acme-test-data";
const group = "acme-test-abalone";
const output = collectOutput();
let aws: AwsServer;
let ingest: Call;
/** What S3 and the feature store hold. */
let objects: Map<string, Buffer>;
let records: SurveyRecord[];
/** Stands in for the feature store's answer to a whole batch, if it refuses it. */
let answerBatch: () => AwsAnswer | undefined | Promise<AwsAnswer | undefined>;
/** The error code with which a record of a batch is refused, if it is. */
let refusal: (record: Record<string, string>) => string | undefined;

const etagOf = (content: Buffer): string => `"${createHash("md5").update(content).digest("hex")}"`;

function respondAsS3({ method, path, headers, body }: AwsRequest): AwsAnswer {
  if (method === "PUT") {
    objects.set(path, Buffer.from(body));
    return { headers: { etag: etagOf(Buffer.from(body)) } };
  }
  const content = objects.get(path);
  if (!content) {
    return s3Error(404, "NoSuchKey");
  }
  if (headers["if-match"] !== undefined && headers["if-match"] !== etagOf(content)) {
    return s3Error(412, "PreconditionFailed");
  }
  return { headers: { etag: etagOf(content), "content-length": String(content.length) }, body: content };
}

async function respondAsFeatureStore({ json }: AwsRequest): Promise<AwsAnswer> {
  const entries = json.Entries as {
    FeatureGroupName: string;
    Record: Record<"FeatureName" | "ValueAsString", string>[];
  }[];
  expect(entries.length).toBeLessThanOrEqual(25);
  const answer = await answerBatch();
  if (answer !== undefined) {
    return answer;
  }
  const errors: Json[] = [];
  const unprocessed: Json[] = [];
  for (const entry of entries) {
    expect(entry.FeatureGroupName).toBe(group);
    const record = Object.fromEntries(
      entry.Record.map(({ FeatureName, ValueAsString }) => [FeatureName, ValueAsString]),
    );
    const code = refusal(record);
    if (code === undefined) {
      records.push(record);
    } else if (code === "unprocessed") {
      unprocessed.push(entry);
    } else {
      errors.push({ Entry: entry, ErrorCode: code, ErrorMessage: "Feature rings is not in the group" });
    }
  }
  return { body: { Errors: errors, UnprocessedEntries: unprocessed } };
}

beforeAll(async () => {
  aws = await startAws();
  ingest = loadHandler("ingest-survey", { DATA_BUCKET: bucket, FEATURE_GROUP: group }, aws);
});
afterAll(() => aws.close());
beforeEach(() => {
  objects = new Map();
  records = [];
  answerBatch = () => undefined;
  refusal = () => undefined;
  aws.requests.length = 0;
  aws.respond = async (request) => {
    return request.path === "/BatchWriteRecord" ? await respondAsFeatureStore(request) : respondAsS3(request);
  };
  output.clear();
});

const upload = (key: string, content: string | Buffer): string => {
  objects.set(`/${bucket}/${key}`, Buffer.from(content));
  return etagOf(Buffer.from(content));
};
const animals = (rows: number): SurveyRecord[] => [...simulate({ rows, seed: 7 })];
const survey = (...lines: string[]): string => `${[surveyHeader, ...lines].join("\n")}\n`;
const asText = (record: SurveyRecord): Record<string, string> =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, String(value)]));
const byIdentifier = (list: readonly SurveyRecord[]): SurveyRecord[] =>
  list.map(asText).sort((a, b) => String(a.record_id).localeCompare(String(b.record_id)));
const rejectedFile = (uri: string): Json => JSON.parse(objects.get(uri.replace("s3:/", ""))?.toString() ?? "null");

test("every good row is put once, with all its columns", async () => {
  const etag = upload("surveys/a.csv", survey(...animals(300).map(surveyLine)));
  expect(await ingest({ key: "surveys/a.csv" })).toEqual({
    key: "surveys/a.csv",
    etag,
    complete: true,
    rows: { read: 300, accepted: 300, rejected: 0 },
    problems: [],
  });
  expect(byIdentifier(records)).toEqual(byIdentifier(animals(300)));
  expect([...objects.keys()]).toEqual([`/${bucket}/surveys/a.csv`]);
  expect(output.lines()).toContainEqual(expect.objectContaining({ RowsAccepted: 300, RowsRejected: 0 }));
});

test("bad rows are listed with reasons in S3, good ones are kept, and a repetition changes nothing", async () => {
  const [one, two] = animals(2);
  const bad = { ...one, record_id: "bad-1", height: -3 };
  const etag = upload(
    "surveys/2026/b.csv",
    `\uFEFF${survey(surveyLine(one!), surveyLine(bad), surveyLine(one!), surveyLine(two!)).replaceAll("\n", "\r\n")}x,y`,
  );
  const result = await ingest({ key: "surveys/2026/b.csv", bucket, etag });
  const problems = [
    { line: 3, recordId: "bad-1", field: "height", value: "-3", reason: "height: '-3' is not between 1 and 100 mm" },
    { line: 4, recordId: "sim-7-1", reason: "duplicate of line 2" },
    {
      line: 6,
      recordId: "x",
      reason: `expected ${surveyColumns.length} columns, found 2; the file seems to be cut off here`,
    },
  ];
  const rejectedUri = `s3://${bucket}/surveys/rejected/2026/b.csv/${etag.replaceAll('"', "")}.json`;
  expect(result).toEqual({
    key: "surveys/2026/b.csv",
    etag,
    complete: true,
    rows: { read: 5, accepted: 2, rejected: 3 },
    rejectedUri,
    problems,
  });
  expect(rejectedFile(rejectedUri)).toEqual({ survey: `s3://${bucket}/surveys/2026/b.csv`, etag, rejected: problems });
  expect(await ingest({ key: "surveys/2026/b.csv" })).toEqual(result);
  expect(objects.size).toBe(2);
});

test("the answer names the first twenty problems, the list in S3 all of them", async () => {
  upload("surveys/c.csv", survey(...Array.from({ length: 50 }, (_, index) => `bad-${index}`)));
  const { problems, rows, rejectedUri } = await ingest({ key: "surveys/c.csv" });
  expect(rows).toEqual({ read: 50, accepted: 0, rejected: 50 });
  expect(problems).toHaveLength(20);
  expect(rejectedFile(rejectedUri).rejected).toHaveLength(50);
});

test.each<[string, string | Buffer, RegExp]>([
  ["empty", "", /^the file is empty$/],
  ["a header alone", `${surveyHeader}\n`, /no rows/],
  ["other columns", "a,b\n1,2\n", /lacks the columns/],
  ["no text", Buffer.from([0xff, 0xd8, 0xff, 0x0a, 0x00]), /not UTF-8/],
])("a file that is not a survey (%s) is refused as a whole", async (_name, content, fileProblem) => {
  const etag = upload("surveys/d.csv", content);
  expect(await ingest({ key: "surveys/d.csv" })).toEqual({
    key: "surveys/d.csv",
    etag,
    complete: true,
    rows: { read: 0, accepted: 0, rejected: 0 },
    problems: [],
    fileProblem: expect.stringMatching(fileProblem),
  });
  expect(records).toEqual([]);
  expect(output.lines()).toContainEqual(expect.objectContaining({ SurveyRefused: 1 }));
});

test("a file of more rows than the function can remember is refused before one of them is put", async () => {
  const content = survey(...animals(3).map(surveyLine));
  const respond = aws.respond;
  aws.respond = (request) =>
    request.path.endsWith("large.csv") && request.method === "GET"
      ? { headers: { etag: '"1"', "content-length": "536870913" }, body: content, breakAfterBody: true }
      : respond(request);
  const result = await ingest({ key: "surveys/large.csv" });
  aws.respond = respond;
  expect(result).toMatchObject({
    complete: true,
    rows: { read: 0 },
    fileProblem:
      "it has 536870913 bytes, and more than 536870912 can't be checked: split it into files of fewer rows, each with the header",
  });
  expect(records).toEqual([]);
});

describe("a survey that takes longer than one call", () => {
  /** A clock that leaves a call time for so many looks at it, and then says that the deadline is near. */
  const looks = (count: number): { getRemainingTimeInMillis: () => number } => {
    let left = count;
    return { getRemainingTimeInMillis: () => (left-- > 0 ? 900_000 : 20_000) };
  };

  test("is continued at the next line, with nothing lost, doubled or miscounted", async () => {
    const lines = animals(200).map(surveyLine);
    // A bad row, and a duplicate of a row that an earlier call has put.
    lines.splice(150, 0, "bad-1,x", lines[3]!);
    upload("surveys/e.csv", survey(...lines));
    const results: Json[] = [];
    let next: { etag?: string; offset?: number } = {};
    do {
      const result = await ingest({ key: "surveys/e.csv", ...next }, looks(60));
      results.push(result);
      next = { etag: result.etag, offset: result.nextOffset };
    } while (next.offset !== undefined && results.length < 20);

    expect(results.map(({ complete }) => complete)).toEqual([false, false, false, true]);
    const total = (count: string): number => results.reduce<number>((sum, { rows }) => sum + Number(rows[count]), 0);
    expect({ read: total("read"), accepted: total("accepted"), rejected: total("rejected") }).toEqual({
      read: 202,
      accepted: 200,
      rejected: 2,
    });
    expect(byIdentifier(records)).toEqual(byIdentifier(animals(200)));
    const text = survey(...lines);
    for (const { nextOffset } of results.slice(0, -1)) {
      expect(text[nextOffset - 1]).toBe("\n");
    }
    const [rejecting] = results.filter(({ rejectedUri }) => rejectedUri !== undefined);
    expect(rejecting.problems).toEqual([
      { line: 152, recordId: "bad-1", reason: `expected ${surveyColumns.length} columns, found 2` },
      { line: 153, recordId: "sim-7-4", reason: "duplicate of line 5" },
    ]);
    expect(rejecting.rejectedUri).toMatch(/\/surveys\/rejected\/e\.csv\/[0-9a-f]{32}-\d+\.json$/);
  });

  test("can be put in ranges that begin and end anywhere: each row once, each rejected row with its line", async () => {
    const lines = animals(6).map(surveyLine);
    lines.splice(4, 0, "bad-1,x", lines[1]!);
    // A byte order mark, CRLF, and no line end at the end.
    const text = `\uFEFF${survey(...lines)}`.trimEnd().replaceAll("\n", "\r\n");
    upload("surveys/ranges.csv", text);
    const size = Buffer.byteLength(text);
    for (let cut = 1; cut < size; cut += 7) {
      records.length = 0;
      const { etag, ...head } = await ingest({ key: "surveys/ranges.csv", offset: 0, until: cut });
      const tail = await ingest({ key: "surveys/ranges.csv", etag, offset: cut, until: size });
      expect([cut, head.complete, tail.complete]).toEqual([cut, true, true]);
      expect([cut, Number(head.rows.read) + Number(tail.rows.read), records.length]).toEqual([cut, 8, 6]);
      expect(byIdentifier(records)).toEqual(byIdentifier(animals(6)));
      expect([...head.problems, ...tail.problems].map(({ line, reason }: Json) => [line, reason])).toEqual([
        [6, `expected ${surveyColumns.length} columns, found 2`],
        [7, "duplicate of line 3"],
      ]);
    }
  });

  test("in a range that takes longer than one call is continued within the range", async () => {
    const text = survey(...animals(200).map(surveyLine));
    upload("surveys/long-range.csv", text);
    const until = text.indexOf("\n", text.length / 2);
    const results: Json[] = [];
    let offset: number | undefined = 0;
    while (offset !== undefined && results.length < 20) {
      results.push(await ingest({ key: "surveys/long-range.csv", offset, until }, looks(40)));
      offset = results.at(-1)!.nextOffset as number | undefined;
    }
    expect(results.length).toBeGreaterThan(1);
    const before = text.slice(0, until).split("\n").length - 1;
    expect(byIdentifier(records)).toEqual(byIdentifier(animals(200).slice(0, before)));
    expect(records).toHaveLength(before);
  });

  test("makes progress even when a call has hardly any time", async () => {
    upload("surveys/f.csv", survey(...animals(3).map(surveyLine)));
    let offset = 0;
    for (let calls = 1; calls <= 3; calls += 1) {
      const result = await ingest({ key: "surveys/f.csv", offset }, { getRemainingTimeInMillis: () => -1 });
      expect(result.rows.read).toBeGreaterThan(0);
      offset = result.nextOffset ?? Infinity;
      if (result.complete) {
        break;
      }
    }
    expect(offset).toBe(Infinity);
    expect(byIdentifier(records)).toEqual(byIdentifier(animals(3)));
  });

  test("is complete when it is continued at its end", async () => {
    const content = survey(...animals(3).map(surveyLine));
    upload("surveys/g.csv", content);
    expect(await ingest({ key: "surveys/g.csv", offset: content.length })).toMatchObject({
      complete: true,
      rows: { read: 0 },
    });
  });

  test("many bad rows end a call before they fill the memory", async () => {
    upload("surveys/h.csv", survey(...Array.from({ length: 50_010 }, () => "x")));
    const first = await ingest({ key: "surveys/h.csv" });
    expect(first).toMatchObject({ complete: false, rows: { read: 50_000, rejected: 50_000 } });
    expect(await ingest({ key: "surveys/h.csv", etag: first.etag, offset: first.nextOffset })).toMatchObject({
      complete: true,
      rows: { read: 10, rejected: 10 },
    });
  });
});

describe("a survey that changes while it is read", () => {
  test("is not continued with other content", async () => {
    const etag = upload("surveys/i.csv", survey(...animals(3).map(surveyLine)));
    upload("surveys/i.csv", survey(...animals(2).map(surveyLine)));
    await expect(ingest({ key: "surveys/i.csv", etag, offset: 200 })).rejects.toMatchObject({
      name: "SurveyChanged",
      message: `s3://${bucket}/surveys/i.csv was replaced since it was first read (ETag ${etag}): start again without an offset`,
    });
    expect(records).toEqual([]);
  });

  test("a connection that breaks in the middle is an error, and the repetition finishes the survey", async () => {
    const content = Buffer.from(survey(...animals(400).map(surveyLine)));
    upload("surveys/k.csv", content);
    const respond = aws.respond;
    aws.respond = (request) =>
      request.path.endsWith("k.csv") && request.method === "GET"
        ? {
            headers: { etag: etagOf(content), "content-length": String(content.length) },
            body: content.subarray(0, 5000),
            breakAfterBody: true,
          }
        : respond(request);
    await expect(ingest({ key: "surveys/k.csv" })).rejects.toThrow();
    aws.respond = respond;
    expect(await ingest({ key: "surveys/k.csv" })).toMatchObject({ complete: true, rows: { accepted: 400 } });
    expect(new Set(records.map(({ record_id }) => record_id)).size).toBe(400);
  });

  test("is said to be missing when it is", async () => {
    await expect(ingest({ key: "surveys/none.csv" })).rejects.toMatchObject({
      name: "SurveyNotFound",
      message: `There is no object s3://${bucket}/surveys/none.csv`,
    });
  });
});

describe("a feature store that refuses", () => {
  test("a batch for a moment is asked again, and no record is lost", async () => {
    const failures: AwsAnswer[] = [
      awsError(429, "ThrottlingException"),
      awsError(503, "ServiceUnavailable"),
      awsError(500, "InternalFailure"),
      "break",
    ];
    answerBatch = () => failures.pop();
    upload("surveys/l.csv", survey(...animals(20).map(surveyLine)));
    expect(await ingest({ key: "surveys/l.csv" })).toMatchObject({ complete: true, rows: { accepted: 20 } });
    expect(byIdentifier(records)).toEqual(byIdentifier(animals(20)));
  });

  test("a batch for good is an error that names its first record", async () => {
    answerBatch = () => awsError(403, "AccessForbidden", "no right to put");
    upload("surveys/l.csv", survey(...animals(3).map(surveyLine)));
    await expect(ingest({ key: "surveys/l.csv" })).rejects.toMatchObject({
      name: "RecordNotStored",
      message: expect.stringMatching(/^The record sim-7-1 \(line 2 of .* AccessForbidden: no right to put\. Repeat/),
    });
  });

  test("some records of a batch for a moment is asked again for these alone", async () => {
    const refused = new Map([
      ["sim-7-3", "ThrottlingException"],
      ["sim-7-5", "InternalFailure"],
      ["sim-7-8", "unprocessed"],
    ]);
    refusal = ({ record_id = "" }) => {
      const code = refused.get(record_id);
      refused.delete(record_id);
      return code;
    };
    upload("surveys/p.csv", survey(...animals(20).map(surveyLine)));
    expect(await ingest({ key: "surveys/p.csv" })).toMatchObject({ complete: true, rows: { accepted: 20 } });
    expect(byIdentifier(records)).toEqual(byIdentifier(animals(20)));
    const batches = aws.requests.filter(({ path }) => path === "/BatchWriteRecord");
    expect(batches.map(({ json }) => json.Entries.length)).toEqual([20, 3]);
  });

  test("records that it does not name as they were sent is asked again for the whole batch", async () => {
    const respond = aws.respond;
    let asked = 0;
    aws.respond = (request) => {
      const Entry = { FeatureGroupName: group, Record: [] };
      const refused = request.path === "/BatchWriteRecord" && (asked += 1) === 1;
      return refused ? { body: { Errors: [], UnprocessedEntries: [Entry] } } : respond(request);
    };
    upload("surveys/q.csv", survey(...animals(5).map(surveyLine)));
    expect(await ingest({ key: "surveys/q.csv" })).toMatchObject({ complete: true, rows: { accepted: 5 } });
    expect(byIdentifier(records)).toEqual(byIdentifier(animals(5)));
  });

  test("one record for good is an error that names it, and nothing counts as accepted", async () => {
    const refused = new Map([
      ["sim-7-11", "ThrottlingException"],
      ["sim-7-12", "ValidationError"],
    ]);
    refusal = ({ record_id = "" }) => refused.get(record_id);
    upload("surveys/m.csv", survey(...animals(2000).map(surveyLine)));
    await expect(ingest({ key: "surveys/m.csv" })).rejects.toMatchObject({
      name: "RecordNotStored",
      message:
        "The record sim-7-12 (line 13 of surveys/m.csv) could not be stored in acme-test-abalone: " +
        "ValidationError: Feature rings is not in the group. Repeat the call: storing again is safe",
    });
    expect(output.text()).not.toContain("RowsAccepted");
    // The other rows are not tried to the end once the call has failed.
    expect(records.length).toBeLessThan(1000);
    refusal = () => undefined;
    expect(await ingest({ key: "surveys/m.csv" })).toMatchObject({ complete: true, rows: { accepted: 2000 } });
  });

  test("is not asked by more than 8 at a time", async () => {
    let running = 0;
    let most = 0;
    answerBatch = async () => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setTimeout(resolve, 5));
      running -= 1;
      return undefined;
    };
    upload("surveys/n.csv", survey(...animals(1000).map(surveyLine)));
    await ingest({ key: "surveys/n.csv" });
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(8);
    expect(records).toHaveLength(1000);
  });
});

test.each<[unknown, RegExp]>([
  [{}, /key: /],
  [{ key: "" }, /key: /],
  [{ key: "surveys/rejected/a.csv/1.json" }, /key: is a list of rejected rows, not a survey/],
  [{ key: "surveys/a.csv", offset: -1 }, /offset: /],
  [{ key: "surveys/a.csv", offset: 1.5 }, /offset: /],
  [{ key: "surveys/a.csv", until: 0 }, /until: /],
  [{ key: "surveys/a.csv", offset: 5, until: 5 }, /until: expected a byte behind offset/],
  [{ key: 1 }, /key: /],
  [{ key: "surveys/\ud800.csv" }, /key: is not well-formed Unicode text/],
  [{ key: "surveys/a.csv", bucket: "\ud800" }, /bucket: is not well-formed/],
  [{ key: "surveys/a.csv", etag: "\ud800" }, /etag: is not well-formed/],
  ["surveys/a.csv", /the event: /],
])("the event %j is refused", async (event, message) => {
  await expect(ingest(event)).rejects.toMatchObject({ name: "InvalidEvent", message: expect.stringMatching(message) });
  expect(aws.requests).toEqual([]);
});
