import { execFileSync } from "node:child_process";
import { resolve } from "node:path";
import fc from "fast-check";
import { accepts, features, label, surveyColumns } from "../../survey/feature-contract";
import {
  parseEventTime,
  readSurvey,
  SurveyFileError,
  surveyHeader,
  surveyLine,
  type SurveyRecord,
  type SurveyRow,
} from "../../survey/survey-file";

const root = resolve(__dirname, "../..");
const now = new Date("2026-06-01T12:00:00Z");
const good: SurveyRecord = {
  record_id: "a-1",
  surveyed_at: "2026-03-01T09:30:00Z",
  ...Object.fromEntries(features.map(({ name, example }) => [name, example])),
  rings: 15,
};
const line = (changes: Readonly<Record<string, string | number>> = {}): string => surveyLine({ ...good, ...changes });
const file = (...lines: string[]): string => `${[surveyHeader, ...lines].join("\n")}\n`;

async function read(...chunks: (string | Uint8Array)[]): Promise<SurveyRow[]> {
  const rows: SurveyRow[] = [];
  for await (const row of readSurvey(chunks, { now })) {
    rows.push(row);
  }
  return rows;
}
const recordsOf = (rows: readonly SurveyRow[]): SurveyRecord[] =>
  rows.flatMap((row) => ("record" in row ? [row.record] : []));
const problemsOf = async (...chunks: (string | Uint8Array)[]): Promise<string[]> =>
  (await read(...chunks)).flatMap((row) => ("problem" in row ? [`${row.line}: ${row.problem.reason}`] : []));

test("a good row is a record with numbers for measures, and knows its place in the file", async () => {
  expect(await read(file(line()))).toEqual([
    { line: 2, offset: surveyHeader.length + 1, end: surveyHeader.length + line().length + 2, record: good },
  ]);
});

describe("what spreadsheets and editors do to a file changes no record", () => {
  const reordered = [...surveyColumns].reverse();
  const plain = file(line(), line({ record_id: "a-2" }));
  test.each<[string, string]>([
    ["CRLF", plain.replaceAll("\n", "\r\n")],
    ["a byte order mark", `\uFEFF${plain}`],
    ["trailing blank lines", `${plain}\n\r\n  \n`],
    ["blank lines above and between", `\n${plain.replaceAll("\n", "\n\n")}`],
    ["emptied rows of a spreadsheet", `${plain}${",".repeat(10)}\n`],
    ["no line end after the last row", plain.trimEnd()],
    ["quotes around every field", plain.replace(/[^,\n]+/g, '"$&"')],
    ["blanks around fields", plain.replaceAll(",", " , ")],
    [
      "other order of columns",
      [
        reordered.join(","),
        ...["a-1", "a-2"].map((record_id) => reordered.map((name) => ({ ...good, record_id })[name]).join(",")),
      ].join("\n"),
    ],
    [
      "columns that the contract doesn't know",
      plain
        .trim()
        .split("\n")
        .map((text, index) => (index === 0 ? `site,${text},surveyor` : `"Bay, north",${text},Ann`))
        .join("\n"),
    ],
  ])("%s", async (_name, text) => {
    expect(recordsOf(await read(text))).toEqual([good, { ...good, record_id: "a-2" }]);
    expect(await problemsOf(text)).toEqual([]);
  });
});

describe("a file that is not a survey is refused as a whole, with the reason", () => {
  test.each<[string, string | Uint8Array, RegExp]>([
    ["empty", "", /^the file is empty$/],
    ["blank", "\n \n", /^the file is empty$/],
    ["a header alone", `${surveyHeader}\n`, /^the file has a header but no rows$/],
    [
      "a missing column",
      file(line()).replace("height,", "depth,"),
      /^the header lacks the column height; expected record_id,/,
    ],
    ["two missing columns", "a,b\n1,2\n", /^the header lacks the columns record_id, .*, rings; expected/],
    [
      "semicolons",
      file(line()).replaceAll(",", ";"),
      /the columns seem to be separated by semicolons: export .* commas/,
    ],
    ["tabs", file(line()).replaceAll(",", "\t"), /separated by tabs/],
    [
      "quoted names and semicolons",
      `${surveyHeader.replace(/[^,]+/g, '"$&"').replaceAll(",", ";")}\n"a";"b"\n`,
      /separated by semicolons/,
    ],
    [
      "UCI's columns with semicolons and decimal commas",
      "M;0,455;0,365;0,095;0,514;0,2245;0,101;0,15;15\n",
      /semicolons/,
    ],
    [
      "a column twice",
      file(line()).replace("diameter", "length,diameter"),
      /^the header names the column length twice$/,
    ],
    ["an open quote in the header", `"${file(line())}`, /^the header has a quote that is not closed$/],
    [
      "a spreadsheet's own format",
      Buffer.from("PK\u0003\u0004\0\0rest\n"),
      /is binary: export the survey as CSV in UTF-8/,
    ],
    ["UTF-16", Buffer.from(`\uFEFF${file(line())}`, "utf16le"), /is not UTF-8 text: export/],
    ["one endless line", "x".repeat(100_000), /is longer than 65536 bytes/],
  ])("%s", async (_name, content, message) => {
    await expect(read(content)).rejects.toThrow(SurveyFileError);
    await expect(read(content)).rejects.toThrow(message);
  });
});

describe("a bad row is rejected with a readable reason, and its neighbours are kept", () => {
  test.each<[string, string]>([
    [line({ height: -3 }), "height: '-3' is not between 1 and 100 mm"],
    [line({ height: 0 }), "height: '0' is not between 1 and 100 mm"],
    [line({ length: 1e9 }), "length: '1000000000' is not between 10 and 250 mm"],
    [line({ length: "1e999" }), "length: '1e999' is not between 10 and 250 mm"],
    [line({ diameter: "abc" }), "diameter: 'abc' is not a number"],
    [line({ diameter: "NaN" }), "diameter: 'NaN' is not a number"],
    [line({ diameter: "-Infinity" }), "diameter: '-Infinity' is not a number"],
    [line({ diameter: '"73,5"' }), "diameter: '73,5' is not a number"],
    [line({ shell_weight: "" }), "shell_weight: is empty, expected between 0.1 and 1000 g"],
    [line({ sex: "X" }), "sex: 'X' is not one of F, M, I"],
    [line({ sex: "m" }), "sex: 'm' is not one of F, M, I"],
    [line({ sex: "__proto__" }), "sex: '__proto__' is not one of F, M, I"],
    [line({ rings: 9.5 }), "rings: '9.5' is not a whole number between 1 and 60 rings"],
    [line({ rings: 0 }), "rings: '0' is not a whole number between 1 and 60 rings"],
    [line({ record_id: "" }), "record_id: is empty (1 to 64 letters, digits, hyphens, underscores, dots or colons)"],
    [
      line({ record_id: "../../x" }),
      "record_id: '../../x' is not an identifier (1 to 64 letters, digits, hyphens, underscores, dots or colons)",
    ],
    [line({ surveyed_at: "" }), "surveyed_at: is empty, expected an ISO 8601 time in UTC such as 2026-03-01T09:30:00Z"],
    [
      line({ surveyed_at: "2026-03-01" }),
      "surveyed_at: '2026-03-01' is not an ISO 8601 time in UTC such as 2026-03-01T09:30:00Z",
    ],
    [
      line({ surveyed_at: "2026-02-30T00:00:00Z" }),
      "surveyed_at: '2026-02-30T00:00:00Z' is not a date and time of the calendar",
    ],
    [line({ surveyed_at: "2126-03-01T09:30:00Z" }), "surveyed_at: '2126-03-01T09:30:00Z' is in the future"],
    [line({ height: -3, sex: "X" }), "sex: 'X' is not one of F, M, I; height: '-3' is not between 1 and 100 mm"],
    [`${line()},1`, `expected ${surveyColumns.length} columns, found ${surveyColumns.length + 1}`],
    ["a-1,2026", `expected ${surveyColumns.length} columns, found 2`],
    [`"${line()}`, "a quote is not closed, or is followed by text"],
    [line({ sex: '"M"x' }), "a quote is not closed, or is followed by text"],
    [`a-3${"x".repeat(70_000)}`, "the line is longer than 65536 bytes"],
  ])("%.60s", async (row, reason) => {
    const rows = await read(file(line({ record_id: "before" }), row, line({ record_id: "after" })));
    expect(recordsOf(rows).map(({ record_id }) => record_id)).toEqual(["before", "after"]);
    expect(await problemsOf(file(line({ record_id: "before" }), row, line({ record_id: "after" })))).toEqual([
      `3: ${reason}`,
    ]);
  });

  test("with animal, column and value, so that a program can group them", async () => {
    const [row] = await read(file(line({ height: -3, diameter: "x".repeat(100) })));
    expect(row).toMatchObject({
      problem: { line: 2, recordId: "a-1", field: "diameter", value: `${"x".repeat(39)}…` },
    });
  });

  test("bytes that are not UTF-8", async () => {
    const bytes = Buffer.concat([
      Buffer.from(file(line())),
      Buffer.from([0xe9, 0x0a]),
      Buffer.from(line({ record_id: "a-2" })),
    ]);
    expect(recordsOf(await read(bytes))).toHaveLength(2);
    expect(await problemsOf(bytes)).toEqual(["3: the line is not UTF-8 text"]);
  });

  test("a last line that was cut off", async () => {
    expect(await problemsOf(file(line()), "a-2,2026-03-01T09:30:00Z,M,91,73")).toEqual([
      `3: expected ${surveyColumns.length} columns, found 5; the file seems to be cut off here`,
    ]);
  });
});

describe("an animal appears once at a time", () => {
  test("an identical row is a duplicate, however its numbers are written", async () => {
    expect(await problemsOf(file(line(), line(), line({ length: "91.0" })))).toEqual([
      "3: duplicate of line 2",
      "4: duplicate of line 2",
    ]);
  });

  test("among thousands of others, whose places in memory have moved", async () => {
    const many = Array.from({ length: 5_000 }, (_, index) => line({ record_id: `a-${index}` }));
    expect(await problemsOf(file(...many, ...many))).toEqual(
      many.map((_, index) => `${5_002 + index}: duplicate of line ${index + 2}`),
    );
  });

  test("in a file of half a million rows too, of which little more than their number is kept", () => {
    const script = String.raw`
      const { readSurvey, surveyHeader } = require("./survey/survey-file");
      function* rows() {
        yield surveyHeader + "\n";
        for (let row = 0; row < 500000; row += 1) {
          yield "an-animal-with-a-long-name-" + row + "${line({ record_id: "" })}\n";
        }
      }
      (async () => {
        let count = 0;
        for await (const row of readSurvey(rows(), { now: new Date() })) count += "record" in row ? 1 : 0;
        console.log(count);
      })();`;
    const flags = ["--max-old-space-size=64", "--import", "tsx", "--input-type=commonjs", "--eval", script];
    expect(execFileSync(process.execPath, flags, { cwd: root, encoding: "utf8" })).toBe("500000\n");
  });

  test("another event time is another version, and stays", async () => {
    const rows = await read(file(line(), line({ surveyed_at: "2026-04-01T09:30:00Z", rings: 16 })));
    expect(recordsOf(rows)).toHaveLength(2);
  });

  test("other values at the same time are a conflict", async () => {
    const rows = await read(
      file(line(), line({ rings: 16 }), line({ surveyed_at: "2026-03-01T09:30:00.000Z", sex: "F" })),
    );
    expect(recordsOf(rows)).toEqual([good]);
    expect(rows[1]).toMatchObject({
      problem: {
        line: 3,
        recordId: "a-1",
        field: "record_id",
        value: "a-1",
        reason: "record_id: conflicts with line 2, which has other values for the same animal and time",
      },
    });
    expect(rows[2]).toMatchObject({ problem: { line: 4 } });
  });

  test("a rejected row does not prevent its correction", async () => {
    const rows = await read(file(line({ height: 900 }), line()));
    expect(recordsOf(rows)).toEqual([good]);
  });
});

describe("an event time", () => {
  test.each([
    ["2026-03-01T09:30:00Z", "2026-03-01T09:30:00Z"],
    ["2026-03-01T09:30:00.000Z", "2026-03-01T09:30:00Z"],
    ["2024-02-29T23:59:59Z", "2024-02-29T23:59:59Z"],
    ["1995-12-01T00:00:00Z", "1995-12-01T00:00:00Z"],
    ["1900-01-01T00:00:00Z", "1900-01-01T00:00:00Z"],
    // A clock that is a little ahead of ours: a day at most.
    ["2026-06-02T12:00:00Z", "2026-06-02T12:00:00Z"],
  ])("%s is stored as %s", (text, time) => {
    expect(parseEventTime(text, now)).toEqual({ time });
  });

  test.each([
    ["2026-03-01 09:30:00Z", /ISO 8601/],
    ["2026-03-01T09:30:00", /ISO 8601/],
    ["2026-03-01T09:30:00+01:00", /ISO 8601/],
    ["2026-03-01T09:30Z", /ISO 8601/],
    ["01.03.2026", /ISO 8601/],
    ["1772357400", /ISO 8601/],
    ["2026-03-01T09:30:00.500Z", /fraction/],
    ["2026-13-01T00:00:00Z", /calendar/],
    ["2023-02-29T00:00:00Z", /calendar/],
    ["2026-03-01T24:00:00Z", /calendar/],
    ["2026-03-01T23:59:60Z", /calendar/],
    ["0026-03-01T09:30:00Z", /before the year 1900/],
    ["1899-12-31T23:59:59Z", /before the year 1900/],
    ["2026-06-02T12:00:01Z", /future/],
  ])("%s is refused", (text, fault) => {
    expect(parseEventTime(text, now)).toEqual({ fault: expect.stringMatching(fault) });
  });
});

describe("for any survey", () => {
  const record: fc.Arbitrary<SurveyRecord> = fc
    .record({
      record_id: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$/),
      surveyed_at: fc
        .date({ min: new Date("1900-01-01T00:00:00Z"), max: now, noInvalidDate: true })
        .map((date) => `${date.toISOString().slice(0, 19)}Z`),
      ...Object.fromEntries(
        [...features, label].map((column) => [
          column.name,
          column.type === "category"
            ? fc.constantFrom(...Object.keys(column.categories))
            : column.type === "integer"
              ? fc.integer({ min: column.minimum, max: column.maximum })
              : fc.double({ min: column.minimum, max: column.maximum, noNaN: true }),
        ]),
      ),
    })
    .filter((candidate) =>
      features.every((feature) => accepts(feature, candidate[feature.name as keyof typeof candidate])),
    );
  const surveyArbitrary = fc.uniqueArray(record, { minLength: 1, selector: ({ record_id }) => record_id });

  test("what is written is read, row by row, and the bytes of the rows join without a gap", async () => {
    await fc.assert(
      fc.asyncProperty(
        surveyArbitrary,
        fc.constantFrom("\n", "\r\n"),
        fc.boolean(),
        async (records, lineEnd, endsWithLineEnd) => {
          const text = [surveyHeader, ...records.map(surveyLine)].join(lineEnd) + (endsWithLineEnd ? lineEnd : "");
          const rows = await read(text);
          expect(recordsOf(rows)).toEqual(records);
          expect(rows.slice(1).map(({ offset }) => offset)).toEqual(rows.slice(0, -1).map(({ end }) => end));
          expect(rows.at(-1)?.end).toBe(Buffer.byteLength(text));
        },
      ),
    );
  });

  test("a file that is cut anywhere loses the row in which it is cut, and no other", async () => {
    await fc.assert(
      fc.asyncProperty(surveyArbitrary, fc.nat(), async (records, place) => {
        const text = file(...records.map(surveyLine));
        const least = surveyHeader.length + 2;
        const kept = text.slice(0, least + (place % (text.length - least)));
        const whole = kept.split("\n").length - 2;
        const found = recordsOf(await read(kept)).map(surveyLine);
        expect(found.slice(0, whole)).toEqual(records.slice(0, whole).map(surveyLine));
        expect(found.length).toBeLessThanOrEqual(whole + 1);
      }),
    );
  });

  test("whatever follows the header, each line is accepted or rejected with a reason, once, and nothing is thrown", async () => {
    const nonsense = fc.oneof(
      fc.string({ unit: "binary" }),
      fc
        .array(fc.oneof(fc.string(), fc.double().map(String), fc.constantFrom("M", "", "NaN", '"')), {
          minLength: 11,
          maxLength: 11,
        })
        .map((fields) => fields.join(",")),
      record.map(surveyLine),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(nonsense, { minLength: 1 }), async (lines) => {
        const text = file(line({ record_id: "first" }), ...lines);
        const rows = await read(text);
        expect(new Set(rows.map((row) => row.line)).size).toBe(rows.length);
        for (const row of rows) {
          if ("problem" in row) {
            expect(row.problem.reason).not.toBe("");
          } else {
            expect([...features, label].every((column) => accepts(column, row.record[column.name]))).toBe(true);
          }
        }
        const filled = text.split("\n").filter((candidate) => /[^\s,"]/.test(candidate));
        expect(rows.length).toBeGreaterThanOrEqual(filled.length - 1);
      }),
    );
  });
});
