import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AppendLog } from "../../src/feature-store/append-log";
import { Journal, type JournalEntry } from "../../src/feature-store/journal";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "acme-journal-"));
  jest.spyOn(process.stdout, "write").mockReturnValue(true);
});
afterEach(() => {
  jest.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

const entry = (id: string): JournalEntry => ({ values: { record_id: id }, deleted: false, invokedAt: 1 });
const idsOf = (entries: readonly JournalEntry[]): (string | undefined)[] =>
  entries.map(({ values }) => values.record_id);

test("what was appended is read back from the closed segments, in its order", async () => {
  const journal = new Journal(folder);
  await Promise.all(["a", "b", "c"].map((id) => journal.append(entry(id))));
  const [first] = await journal.close();
  await journal.append({ values: { record_id: "line\nbreak" }, deleted: true, invokedAt: 2 });
  const [again, second] = await journal.close();
  expect(again).toEqual(first);
  expect(idsOf(journal.read(first!))).toEqual(["a", "b", "c"]);
  expect(journal.read(second!)).toEqual([{ values: { record_id: "line\nbreak" }, deleted: true, invokedAt: 2 }]);
  expect(await journal.close()).toHaveLength(2);
});

test("a journal continues after a kill, with new names", async () => {
  const killed = new Journal(folder);
  await killed.append(entry("a"));
  const [segment] = await killed.close();
  writeFileSync(join(folder, "000000002.jsonl"), '[1,0,{"record_id":"b"}]\n');

  const next = new Journal(folder);
  await next.append(entry("c"));
  const segments = await next.close();
  expect(segments.flatMap((each) => idsOf(next.read(each)))).toEqual(["a", "b", "c"]);
  expect(segments[0]).toEqual(segment);
  expect(new Set(segments.map(({ number }) => number)).size).toBe(3);
});

test("half a last line is left out, and a damaged line in the middle is stored separately", () => {
  const file = join(folder, "000000001-1767225600000.jsonl");
  writeFileSync(file, '[1,0,{"record_id":"a"}]\n[1,0,{"rec\n[1,0,{"record_id":"b"}]\n[1,0,{"record_id":"c"}');
  const journal = new Journal(folder);
  expect(idsOf(journal.read(journal.segments()[0]!))).toEqual(["a", "b"]);
  expect(readFileSync(`${file}.unreadable`, "utf8")).toBe('[1,0,{"rec\n');
});

test("an append that can't be written fails, and the log takes the next one when it can", async () => {
  const missing = join(folder, "later");
  const log = new AppendLog(join(missing, "log.jsonl"));
  await expect(log.append("lost")).rejects.toMatchObject({ code: "ENOENT" });
  mkdirSync(missing);
  await log.append("kept");
  await log.close();
  expect(readFileSync(log.file, "utf8").split("\n").filter(Boolean)).toEqual(["kept"]);
  expect(log.lines).toBe(1);
});
