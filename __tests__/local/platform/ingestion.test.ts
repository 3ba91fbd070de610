import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import type { Clients } from "../../../local/platform/clients";
import { type Instance, openInstance, root, shown } from "../../../local/platform/instance";
import {
  describeRejection,
  findSurvey,
  ingest,
  listRejected,
  makeSurvey,
  SurveyRefused,
  tellMeanwhile,
} from "../../../local/platform/ingestion";
import type { IngestResult } from "../../../survey/ingest-result";

let folder: string;
let instance: Instance;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "survey-"));
  instance = openInstance(join(folder, "platform"));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function file(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const uciLine = "M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15,15";

describe("SURVEY", () => {
  test("is found as it was typed: absolute or from the checkout on", () => {
    expect(findSurvey(file("a.csv", ""))).toBe(join(folder, "a.csv"));
    expect(findSurvey("survey/features.json")).toBe(join(root, "survey/features.json"));
  });

  test.each([
    ["nowhere.csv", /^SURVEY: there is no file .*nowhere\.csv; expected a survey file/],
    ["a.csv/b.csv", /^SURVEY: there is no file /],
    ["~nobody.csv", /^SURVEY: there is no file .*~nobody\.csv/],
    ["folder", /^SURVEY: .*folder is not a plain file/],
  ])("%s is refused with its path and what was expected", (name, reason) => {
    file("a.csv", "");
    mkdirSync(join(folder, "folder"));
    expect(() => findSurvey(join(folder, name))).toThrow(SurveyRefused);
    expect(() => findSurvey(join(folder, name))).toThrow(reason);
  });

  test("that is not a survey is refused before anything is deployed, with what to do", async () => {
    const semicolons = file("semicolons.csv", `${uciLine.replaceAll(",", ";").replaceAll(".", ",")}\n`);
    await expect(makeSurvey(instance, semicolons)).rejects.toThrow(
      /semicolons\.csv is not a survey: the columns seem to be separated by semicolons: export the survey with commas/,
    );
    const unreadable = file("unreadable.data", `${uciLine.replace("0.455", "long")}\n`);
    await expect(makeSurvey(instance, unreadable)).rejects.toThrow(
      /unreadable\.data is not a survey: no line can be read; line 1: length: 'long' is not a number/,
    );
    await expect(makeSurvey(instance, semicolons)).rejects.toBeInstanceOf(SurveyRefused);
  });

  test("two files of one name don't get into one another's way", async () => {
    mkdirSync(join(folder, "other"));
    const [one, other] = [
      await makeSurvey(instance, file("abalone.data", `${uciLine}\n`)),
      await makeSurvey(instance, file("other/abalone.data", `${uciLine.replace("M", "F")}\n`)),
    ];
    expect(readFileSync(one.path, "utf8")).toContain(",M,91,");
    expect(readFileSync(other.path, "utf8")).toContain(",F,91,");
  });
});

/** AWS as `ingest` meets it: a bucket, and a function that answers with these results, one a call. */
function playedAws(results: readonly Partial<IngestResult>[], lists: Readonly<Record<string, unknown>>): Clients {
  const calls = [...results];
  const whole = { complete: true, rows: { read: 0, accepted: 0, rejected: 0 }, problems: [] };
  return {
    ssm: { getParameter: ({ Name }: { Name: string }) => Promise.resolve({ Parameter: { Value: Name } }) },
    s3: {
      headObject: () => Promise.resolve({}),
      getObject: ({ Key }: { Key: string }) =>
        Promise.resolve({ Body: { transformToString: () => Promise.resolve(JSON.stringify(lists[Key])) } }),
    },
    lambda: {
      invoke: () => Promise.resolve({ Payload: Buffer.from(JSON.stringify({ ...whole, ...calls.shift() })) }),
    },
  } as unknown as Clients;
}

describe("the list of rejected rows", () => {
  test("has those that could not be read and those that ingestion refused, by the lines of the user's file", async () => {
    const lines = [uciLine, "M,0.1", "", uciLine.replace("0.095", "0"), "\u0000", uciLine.replace("M", "X")];
    const path = file("abalone.data", lines.join("\n"));
    const survey = await makeSurvey(instance, path);
    const tooLow = {
      line: 5,
      recordId: "uci-1",
      field: "height",
      value: "0",
      reason: "height: '0' is not between 1 and",
    };
    const noSex = { line: 7, recordId: "uci-2", field: "sex", value: "X", reason: "sex: 'X' is not one of F, M, I" };
    const ingestion = await ingest(
      playedAws(
        [
          { complete: false, rows: { read: 2, accepted: 1, rejected: 1 }, rejectedUri: "s3://bucket/list-1" },
          { rows: { read: 1, accepted: 0, rejected: 1 }, rejectedUri: "s3://bucket/list-2" },
        ],
        { "list-1": { rejected: [tooLow] }, "list-2": { rejected: [noSex] } },
      ),
      survey,
      () => undefined,
    );
    const list = ingestion.rejection!.list;
    expect(readFileSync(list, "utf8").trimEnd().split("\n").slice(1)).toEqual([
      `${path}:2: expected 9 columns, found 2`,
      `${path}:4: ${tooLow.reason}`,
      `${path}:5: expected 9 columns, found 1`,
      `${path}:6: ${noSex.reason}`,
    ]);
    expect(ingestion).toMatchObject({ read: 5, accepted: 1, rejected: 4, rejection: { first: { line: 2 } } });
    const told = describeRejection(survey.origin.name, ingestion);
    expect(told).toContain(
      `4 of the 5 rows were rejected, the first in line 2 of ${path}: expected 9 columns, found 2`,
    );
    expect(told).toContain(list);
  });

  test("is also printed when nothing is left to ingest", async () => {
    const survey = await makeSurvey(instance, file("abalone.data", `${uciLine.replace("M", "X")}\n`));
    const aws = playedAws([{ rows: { read: 1, accepted: 0, rejected: 1 }, rejectedUri: "s3://bucket/list" }], {
      list: { rejected: [{ line: 2, reason: "sex: 'X' is not one of F, M, I" }] },
    });
    await expect(ingest(aws, survey, () => undefined)).rejects.toThrow(
      /No row of the survey was accepted\. 1 of the 1 rows was rejected, the first in line 1 of .*abalone\.data: sex: [^]*rejected\.txt/,
    );
  });

  test("does not exist when nothing was rejected", async () => {
    const survey = await makeSurvey(instance, file("abalone.data", `${uciLine}\n`));
    expect(listRejected(survey, [])).toBeUndefined();
    const ingestion = await ingest(
      playedAws([{ rows: { read: 1, accepted: 1, rejected: 0 } }], {}),
      survey,
      () => undefined,
    );
    expect(ingestion).toEqual({ read: 1, accepted: 1, rejected: 0 });
    expect(describeRejection("abalone.data", ingestion)).toBe("");
  });
});

describe("a long piece of work", () => {
  test("is reported regularly until its end, whatever happens to the output", async () => {
    let told = 0;
    const work = (async () => {
      while (told < 3) {
        await sleep(1);
      }
      return "done";
    })();
    const tell = (): Promise<void> => {
      told += 1;
      return Promise.reject(new Error("no answer"));
    };
    expect(await tellMeanwhile(work, tell, 1)).toBe("done");
    expect(told).toBeGreaterThanOrEqual(3);
  });

  test("fails as it fails", async () => {
    await expect(tellMeanwhile(Promise.reject(new Error("broken")), () => Promise.resolve(), 1)).rejects.toThrow(
      "broken",
    );
  });
});

test("a path inside of the checkout is shown from there on, any other one whole", () => {
  expect(shown(join(root, ".local/logs"))).toBe(".local/logs");
  expect(shown("/elsewhere/logs")).toBe("/elsewhere/logs");
  expect(shown(root)).toBe(root);
});
