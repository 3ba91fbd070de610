import fc from "fast-check";
import { type Line, LineSplitter, longestLine, parseDecimal, quote, readLines, splitFields } from "../../survey/lines";

async function linesOf(...chunks: (string | Uint8Array)[]): Promise<Line[]> {
  const lines: Line[] = [];
  for await (const line of readLines(chunks)) {
    lines.push(line);
  }
  return lines;
}

/** Cuts bytes at the given places, wherever in a character or line end they fall. */
function cut(bytes: Buffer, places: readonly number[]): Uint8Array[] {
  const sorted = [0, ...places.map((place) => place % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return sorted.slice(1).map((end, index) => bytes.subarray(sorted[index], end));
}

test("each line has its number, its text and the bytes that it takes", async () => {
  expect(await linesOf("ä,b\r\nc\n\nd")).toEqual([
    { number: 1, offset: 0, end: 6, text: "ä,b", terminated: true },
    { number: 2, offset: 6, end: 8, text: "c", terminated: true },
    { number: 3, offset: 8, end: 9, text: "", terminated: true },
    { number: 4, offset: 9, end: 10, text: "d", terminated: false },
  ]);
});

test("a byte order mark is dropped from the first line alone, and counts as bytes", async () => {
  const [first, second] = await linesOf("\uFEFFa\n\uFEFFb\n");
  expect(first).toMatchObject({ text: "a", end: 5 });
  expect(second).toMatchObject({ text: "\uFEFFb" });
});

test("how a file is cut into chunks changes nothing", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.string({ unit: fc.constantFrom("a", "é", "\n", "\r\n", ",", '"', "😀", "\uFEFF") })),
      fc.array(fc.nat()),
      async (parts, places) => {
        const bytes = Buffer.from(parts.join(""));
        const lines = await linesOf(...cut(bytes, places));
        expect(lines).toEqual(await linesOf(bytes));
        expect(lines.map(({ offset, end }) => bytes.subarray(offset, end).toString()).join("")).toBe(bytes.toString());
      },
    ),
  );
});

test("a producer may use a chunk's memory again", () => {
  const splitter = new LineSplitter();
  const memory = Buffer.from("first half, ");
  expect([...splitter.push(memory)]).toEqual([]);
  memory.fill("x");
  expect([...splitter.push(Buffer.from("second\n"))][0]?.text).toBe("first half, second");
});

test("bytes that are not UTF-8 affect only their own line", async () => {
  const lines = await linesOf(Buffer.concat([Buffer.from("a\n"), Buffer.from([0xff, 0xfe, 0x0a]), Buffer.from("b\n")]));
  expect(lines.map(({ text, fault }) => text ?? fault)).toEqual(["a", "is not UTF-8 text", "b"]);
});

test("a line without an end is not kept in memory, and the next line is read again", async () => {
  const piece = "x".repeat(50_000);
  const lines = await linesOf(piece, piece, piece, "\nb\n");
  expect(lines[0]).toEqual({
    number: 1,
    offset: 0,
    end: 150_001,
    fault: `is longer than ${longestLine} bytes`,
    terminated: true,
  });
  expect(lines[1]).toMatchObject({ number: 2, text: "b" });
  expect(await linesOf("y".repeat(longestLine), "\n")).toMatchObject([{ text: "y".repeat(longestLine) }]);
});

test.each<[string, string[] | undefined]>([
  ["a,b", ["a", "b"]],
  [" a ,\tb\t", ["a", "b"]],
  ['"a","b"', ["a", "b"]],
  ['"a,b" , "c ""quoted"""', ["a,b", 'c "quoted"']],
  ['"",', ["", ""]],
  [",,", ["", "", ""]],
  ['"a', undefined],
  ['"a" b,c', undefined],
  ['a"b,c', undefined],
])("%s has the fields %j", (line, fields) => {
  expect(splitFields(line)).toEqual(fields);
});

test("fields survive being quoted", () => {
  const field = fc.string().map((text) => text.replace(/\s/g, ""));
  fc.assert(
    fc.property(fc.array(field, { minLength: 1 }), (fields) => {
      const line = fields.map((text) => `"${text.replaceAll('"', '""')}"`).join(",");
      expect(splitFields(line)).toEqual(fields.map((text) => text.trim()));
    }),
  );
});

test("a malicious line is refused quickly", () => {
  expect(splitFields(`${'"",'.repeat(20_000)}"`)).toBeUndefined();
  expect(splitFields(`"${" ".repeat(60_000)}`)).toBeUndefined();
  expect(splitFields(`${" ".repeat(60_000)}"x`)).toBeUndefined();
});

test.each([
  ["12", 12],
  ["+1.5", 1.5],
  [".5", 0.5],
  ["5.", 5],
  ["-3", -3],
  ["1e3", 1000],
  ["1E-2", 0.01],
])("%s is the number %d", (text, value) => {
  expect(parseDecimal(text)).toBe(value);
});

test.each(["", " ", "NaN", "Infinity", "-Infinity", "0x10", "1_000", "1,5", "12 mm", "--1", "1e", ".", "١٢", "null"])(
  "'%s' is not a number",
  (text) => {
    expect(parseDecimal(text)).toBeUndefined();
  },
);

test("a value is shown short and without control characters", () => {
  expect(quote("abc")).toBe("'abc'");
  expect(quote("a\u001b[31m\n")).toBe("'a\uFFFD[31m\uFFFD'");
  expect(quote("x".repeat(1000))).toBe(`'${"x".repeat(39)}…'`);
});
