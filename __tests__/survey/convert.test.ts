import { createReadStream, existsSync } from "node:fs";
import { convertSurvey } from "../../survey/convert";
import { features } from "../../survey/feature-contract";
import type { Source } from "../../survey/lines";
import { readSurvey, type RowProblem, type SurveyRecord, surveyHeader, surveyLine } from "../../survey/survey-file";

const first = "M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15,15";
const second = "F,0.53,0.42,0.135,0.677,0.2565,0.1415,0.21,9";

async function load(
  source: Source,
): Promise<{ form: string; linesBefore: number; text: string; problems: RowProblem[] }> {
  const problems: RowProblem[] = [];
  const { form, linesBefore, content } = await convertSurvey(source, { report: (problem) => problems.push(problem) });
  const chunks: Uint8Array[] = [];
  for await (const chunk of content) {
    chunks.push(chunk);
  }
  return { form, linesBefore, text: Buffer.concat(chunks).toString(), problems };
}

async function recordsOf(text: string): Promise<SurveyRecord[]> {
  const records: SurveyRecord[] = [];
  for await (const row of readSurvey([text], { now: new Date("2026-06-01T00:00:00Z") })) {
    if ("record" in row) {
      records.push(row.record);
    }
  }
  return records;
}

describe("UCI's form", () => {
  test("becomes a survey file in mm and g, without the noise of floating point", async () => {
    const { form, text, problems } = await load([`${first}\n`]);
    expect(form).toBe("uci");
    expect(problems).toEqual([]);
    // The contract's example is this animal.
    const measured = features.filter(({ uci }) => uci !== null).map(({ name, example }) => [name, example]);
    const record = {
      record_id: "uci-6c4653df1f9c3fae",
      surveyed_at: "1995-12-01T00:00:00Z",
      ...Object.fromEntries(measured),
      rings: 15,
    };
    expect(text).toBe(`${surveyHeader}\n${surveyLine(record)}\n`);
  });

  test("gives an animal the same identifier in every file, wherever it stands and however its numbers are written", async () => {
    const whole = await recordsOf((await load([`${first}\n${second}\n`])).text);
    const part = await recordsOf((await load([`${second.replace("0.53,", "0.5300, ")}\r\n`])).text);
    expect(part).toEqual([whole[1]]);
  });

  test("keeps animals with equal values apart", async () => {
    const { text } = await load([`${first}\n${first}\n${second}\n${first}\n`]);
    const identifiers = (await recordsOf(text)).map(({ record_id }) => record_id);
    expect(identifiers).toEqual([
      "uci-6c4653df1f9c3fae",
      "uci-6c4653df1f9c3fae-2",
      expect.stringMatching(/^uci-[0-9a-f]{16}$/),
      "uci-6c4653df1f9c3fae-3",
    ]);
  });

  test("reports each line that cannot be read, with its number, and keeps the others", async () => {
    const bad = [first.replace("0.455", "long"), "M,0.1", `"${first}`, "", "\u0000", `I${"x".repeat(70_000)}`];
    const { text, problems } = await load([[first, ...bad, second].join("\n")]);
    expect(problems).toEqual([
      { line: 2, reason: "length: 'long' is not a number" },
      { line: 3, reason: "expected 9 columns, found 2" },
      { line: 4, reason: "a quote is not closed, or is followed by text" },
      { line: 6, reason: "expected 9 columns, found 1" },
      { line: 7, reason: "the line is longer than 65536 bytes" },
    ]);
    expect(await recordsOf(text)).toHaveLength(2);
  });

  test("reports rejected rows by the line of the user's file, whatever was left out above it", async () => {
    const tooLow = first.replace("0.095", "0");
    const lines = [first, "", "M,0.1", tooLow, "\u0000", second, "  ", tooLow];
    const { text, linesBefore } = await load([lines.join("\r\n")]);
    const rejected: number[] = [];
    for await (const row of readSurvey([text], { now: new Date("2026-06-01T00:00:00Z") })) {
      if ("problem" in row) {
        rejected.push(row.line - linesBefore);
      }
    }
    expect(rejected).toEqual([4, 8]);
    expect(lines[rejected[0]! - 1]).toBe(tooLow);
  });

  test("leaves it to ingestion to judge ranges, so that such rows are listed with the rejected ones", async () => {
    const { text, problems } = await load([`${first.replace("0.095", "0")}\n${first.replace("M", "X")}\n`]);
    expect(problems).toEqual([]);
    expect(text).toContain(",X,91,");
    expect(await recordsOf(text)).toEqual([]);
  });

  test("is recognised with a byte order mark, blank lines, CRLF and quotes", async () => {
    for (const text of [
      `\uFEFF${first}`,
      `\n\n${first}\n`,
      `${first}\r\n`,
      `"M"${first.slice(1)}\n`,
      first.replace("M", "X"),
    ]) {
      expect((await load([text])).form).toBe("uci");
    }
  });
});

describe("every other file", () => {
  test.each([
    ["a survey file", `${surveyHeader}\na,b\n`],
    ["an empty file", ""],
    ["something else", "<html>\n"],
    ["blank lines", "\n\n"],
    ["one endless line", "x".repeat(100_000)],
  ])("%s passes byte by byte", async (_name, text) => {
    expect(await load([text])).toEqual({ form: "survey", linesBefore: 0, text, problems: [] });
    const pieces = text.slice(0, 200).match(/[^]/g) ?? [];
    expect((await load(pieces)).text).toBe(text.slice(0, 200));
  });

  test("its source is closed when its reader stops", async () => {
    let closed = false;
    const source = (async function* () {
      await Promise.resolve();
      try {
        for (;;) {
          yield `${surveyHeader}\n`;
        }
      } finally {
        closed = true;
      }
    })();
    const { content } = await convertSurvey(source, { report: () => undefined });
    for await (const chunk of content) {
      if (chunk.length > 0) {
        break;
      }
    }
    expect(closed).toBe(true);
  });
});

const realSurvey = process.env.SURVEY_DATA;
(realSurvey !== undefined && existsSync(realSurvey) ? test : test.skip)("UCI's own file loads whole", async () => {
  const { form, text, problems } = await load(createReadStream(realSurvey ?? ""));
  expect([form, problems]).toEqual(["uci", []]);
  expect((await recordsOf(text)).length).toBeGreaterThan(3000);
});
