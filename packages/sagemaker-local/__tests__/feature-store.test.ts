import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type CreateFeatureGroupCommandInput, SageMaker } from "@aws-sdk/client-sagemaker";
import { SageMakerFeatureStoreRuntime } from "@aws-sdk/client-sagemaker-featurestore-runtime";
import { parquetReadObjects } from "./support/parquet";
import { account, bucket, clientOptions, eventually, Platform, region, role } from "./support/service";

let platform: Platform;
beforeAll(async () => {
  platform = await Platform.start();
}, 180_000);
afterAll(() => platform.stop(), 60_000);
jest.setTimeout(180_000);

const definitions: CreateFeatureGroupCommandInput["FeatureDefinitions"] = [
  { FeatureName: "record_id", FeatureType: "String" },
  { FeatureName: "surveyed_at", FeatureType: "String" },
  { FeatureName: "length", FeatureType: "Fractional" },
  { FeatureName: "rings", FeatureType: "Integral" },
];

async function createGroup(name: string, changes: Partial<CreateFeatureGroupCommandInput> = {}): Promise<void> {
  await platform.sagemaker.createFeatureGroup({
    FeatureGroupName: name,
    RecordIdentifierFeatureName: "record_id",
    EventTimeFeatureName: "surveyed_at",
    FeatureDefinitions: definitions,
    OfflineStoreConfig: { S3StorageConfig: { S3Uri: `s3://${bucket}/feature-store/` } },
    RoleArn: role,
    ...changes,
  });
  await eventually(`the feature group ${name}`, async () => (await statusOf(name)) !== "Creating");
}

const statusOf = async (name: string): Promise<string | undefined> =>
  (await platform.sagemaker.describeFeatureGroup({ FeatureGroupName: name })).FeatureGroupStatus;

type Values = Record<string, string | undefined>;
const toRecord = (values: Values): { FeatureName: string; ValueAsString: string | undefined }[] =>
  Object.entries(values).map(([FeatureName, ValueAsString]) => ({ FeatureName, ValueAsString }));
const animal = (id: string, changes: Values = {}): Values => ({
  record_id: id,
  surveyed_at: "2026-03-01T09:30:00Z",
  length: "91.5",
  rings: "9",
  ...changes,
});
const put = (group: string, values: Values): Promise<unknown> =>
  platform.records.putRecord({ FeatureGroupName: group, Record: toRecord(values) });

async function countOf(group: string): Promise<{ rows: number; records: number }> {
  const { database, table } = await platform.catalogOf(group);
  const [row] = await platform.query(
    database,
    `SELECT count(*) AS all_rows, count(DISTINCT record_id) AS records FROM "${table}"`,
  );
  return { rows: Number(row?.all_rows), records: Number(row?.records) };
}

describe("the offline store", () => {
  test("a record that was put is found by Athena in its table, with the columns that SageMaker adds", async () => {
    await createGroup("seen");
    await put("seen", animal("a1", { length: "91.25", rings: "9223372036854775807" }));
    await put("seen", { record_id: "a2", surveyed_at: "2026-03-01T10:00:00.500+01:00" });

    const { database, table } = await platform.catalogOf("seen");
    const rows = await eventually("two rows", async () => {
      const found = await platform.query(database, `SELECT * FROM "${table}" ORDER BY record_id`);
      return found.length === 2 && found;
    });
    expect(rows[0]).toMatchObject({
      record_id: "a1",
      surveyed_at: "2026-03-01T09:30:00Z",
      length: "91.25",
      rings: "9223372036854775807",
      is_deleted: "false",
      year: "2026",
      month: "03",
      day: "01",
      hour: "09",
    });
    expect(rows[0]?.write_time).toMatch(/^\d{4}-\d{2}-\d{2} \d{2}:\d{2}/);
    expect(rows[0]?.api_invocation_time).toMatch(/^\d{4}-\d{2}-\d{2} \d{2}:\d{2}/);
    // 10:00 in a zone one hour ahead is 9 o'clock in UTC; values that were not given are null.
    expect(rows[1]).toMatchObject({ record_id: "a2", hour: "09", length: undefined, rings: undefined });
  });

  test("objects lie where SageMaker puts them, and partitions are registered in Glue", async () => {
    await createGroup("laid-out");
    const { OfflineStoreConfig, CreationTime } = await platform.sagemaker.describeFeatureGroup({
      FeatureGroupName: "laid-out",
    });
    const seconds = Math.floor((CreationTime?.getTime() ?? 0) / 1000);
    const folder = `feature-store/${account}/sagemaker/${region}/offline-store/laid-out-${seconds}/data`;
    expect(OfflineStoreConfig?.S3StorageConfig?.ResolvedOutputS3Uri).toBe(`s3://${bucket}/${folder}`);
    expect(OfflineStoreConfig?.DataCatalogConfig).toEqual({
      Catalog: "AwsDataCatalog",
      Database: "sagemaker_featurestore",
      TableName: `laid_out_${seconds}`,
    });

    await put("laid-out", animal("b1", { surveyed_at: "2025-12-31T23:59:59Z" }));
    await put("laid-out", animal("b2", { surveyed_at: "2026-01-01T00:00:00Z" }));
    const keys = await eventually("two objects", async () => {
      const found = await platform.keys(folder);
      return found.length === 2 && found;
    });
    expect(keys[0]).toMatch(/\/data\/year=2025\/month=12\/day=31\/hour=23\/\d{8}T\d{6}Z_[0-9a-f]{16}\.parquet$/);
    expect(keys[1]).toMatch(/\/data\/year=2026\/month=01\/day=01\/hour=00\/\d{8}T\d{6}Z_[0-9a-f]{16}\.parquet$/);
    const table = { DatabaseName: "sagemaker_featurestore", TableName: `laid_out_${seconds}` };
    const partitions = await eventually("two partitions", async () => {
      const { Partitions } = await platform.glue.getPartitions(table);
      return Partitions?.length === 2 && Partitions;
    });
    expect(partitions.map(({ Values }) => Values?.join("-")).sort()).toEqual(["2025-12-31-23", "2026-01-01-00"]);

    const [row] = parquetReadObjects(await platform.bytes(keys[0] ?? ""));
    expect(row).toMatchObject({ record_id: "b1", length: 91.5, rings: 9n, is_deleted: false });
  });

  test("a feature that was added is a column of the table, and older records have no value for it", async () => {
    await createGroup("growing");
    await put("growing", animal("c1"));
    await eventually("the first record", async () => (await countOf("growing")).rows === 1);
    await platform.sagemaker.updateFeatureGroup({
      FeatureGroupName: "growing",
      FeatureAdditions: [{ FeatureName: "weight", FeatureType: "Fractional" }],
    });
    await put("growing", animal("c2", { weight: "1.5" }));
    await eventually("the second record", async () => (await countOf("growing")).rows === 2);
    const { database, table } = await platform.catalogOf("growing");
    expect(await platform.query(database, `SELECT weight FROM "${table}" ORDER BY record_id`)).toEqual([
      { weight: undefined },
      { weight: "1.5" },
    ]);
    const { Table } = await platform.glue.getTable({ DatabaseName: database, Name: table });
    expect(Table?.StorageDescriptor?.Columns?.map(({ Name }) => Name)).toContain("weight");
  });

  test("a deleted record leaves a mark with its identifier and nothing else", async () => {
    await createGroup("marked");
    await put("marked", animal("d1"));
    await platform.records.deleteRecord({
      FeatureGroupName: "marked",
      RecordIdentifierValueAsString: "d1",
      EventTime: "2026-03-02T00:00:00Z",
    });
    await eventually("both rows", async () => (await countOf("marked")).rows === 2);
    const { database, table } = await platform.catalogOf("marked");
    const [last] = await platform.query(database, `SELECT * FROM "${table}" ORDER BY surveyed_at DESC LIMIT 1`);
    expect(last).toMatchObject({ record_id: "d1", is_deleted: "true", length: undefined, rings: undefined });
  });
});

describe("a kill at any time", () => {
  test("every record that was answered with 200 is in the offline store once, although the service was killed twice", async () => {
    await createGroup("killed");
    const answered = new Set<string>();
    let next = 0;
    let putting = true;
    const writer = async (): Promise<void> => {
      while (putting) {
        const id = `k${next++}`;
        await put("killed", animal(id)).then(
          () => answered.add(id),
          () => undefined, // The service was just killed: the client knows that it must put the record again.
        );
      }
    };
    const writers = Array.from({ length: 16 }, writer);
    for (let kill = 1; kill <= 2; kill += 1) {
      const before = answered.size;
      await eventually("some hundred records", async () => Promise.resolve(answered.size > before + 300));
      await platform.killAndRestart();
    }
    await eventually("records after the last kill", async () => Promise.resolve(answered.size > 700));
    putting = false;
    await Promise.all(writers);

    const { database, table } = await platform.catalogOf("killed");
    const journal = journalOf("killed");
    await eventually("an empty journal", async () => Promise.resolve(readdirSync(journal).length === 0));
    const counted = await countOf("killed");
    expect(counted.rows).toBeGreaterThanOrEqual(answered.size);
    // The SDK repeats a put whose answer the kill swallowed; such a record may stand there twice, as on AWS.
    expect(counted.rows - counted.records).toBeLessThanOrEqual(32);
    const missing = [...answered];
    const found = new Set<string>();
    for (let page = 0; page * 900 < counted.records; page += 1) {
      const rows = await platform.query(
        database,
        `SELECT DISTINCT record_id FROM "${table}" ORDER BY record_id LIMIT 900 OFFSET ${page * 900}`,
      );
      for (const { record_id } of rows) {
        found.add(record_id ?? "");
      }
    }
    expect(missing.filter((id) => !found.has(id))).toEqual([]);
  });

  test("moving a segment of the journal again, as after a kill before its removal, doubles nothing", async () => {
    await createGroup("repeated");
    const journal = journalOf("repeated");
    // A segment that is closed but still there is what a kill between writing and removing leaves behind.
    const segment = join(journal, "000000007-1767225600000.jsonl");
    const lines = ["e1", "e2"].map((id) => JSON.stringify([1767225600000, 0, animal(id)]));
    for (let run = 1; run <= 2; run += 1) {
      await platform.service.stop("SIGKILL");
      writeFileSync(segment, `${lines.join("\n")}\n[1767225600000,0,{"record_id":"ha`);
      await platform.service.start();
      await eventually("the segment to be moved", async () => Promise.resolve(!existsSync(segment)));
    }
    expect(await countOf("repeated")).toEqual({ rows: 2, records: 2 });
    expect(platform.service.output).toContain("its last line is incomplete");
  });

  test("the records of an online store survive a kill", async () => {
    await createGroup("online-killed", { OnlineStoreConfig: { EnableOnlineStore: true } });
    await put("online-killed", animal("f1", { rings: "11" }));
    await platform.killAndRestart();
    const { Record } = await platform.records.getRecord({
      FeatureGroupName: "online-killed",
      RecordIdentifierValueAsString: "f1",
    });
    expect(Record).toContainEqual({ FeatureName: "rings", ValueAsString: "11" });
  });
});

describe("an emulator that does not run", () => {
  test("does not stop records: they wait in the journal, also through a kill of the service, and the group says why", async () => {
    const alone = await Platform.start();
    try {
      await alone.sagemaker.createFeatureGroup({
        FeatureGroupName: "waiting",
        RecordIdentifierFeatureName: "record_id",
        EventTimeFeatureName: "surveyed_at",
        FeatureDefinitions: definitions,
        OfflineStoreConfig: { S3StorageConfig: { S3Uri: `s3://${bucket}/feature-store/` } },
        RoleArn: role,
      });
      const direct = new SageMakerFeatureStoreRuntime(clientOptions(alone.service.url));
      const control = new SageMaker(clientOptions(alone.service.url));
      const describeGroup = () => control.describeFeatureGroup({ FeatureGroupName: "waiting" });
      await eventually("the group", async () => (await describeGroup()).FeatureGroupStatus === "Created");
      await alone.emulator.stop();
      await direct.putRecord({ FeatureGroupName: "waiting", Record: toRecord(animal("w1")) });
      await alone.killAndRestart();
      const status = await eventually(
        "the reason",
        async () => {
          const { OfflineStoreStatus } = await describeGroup();
          return OfflineStoreStatus?.Status === "Blocked" && OfflineStoreStatus;
        },
        90,
      );
      expect(status.BlockedReason).toContain("ECONNREFUSED");
      const records = join(alone.folder, "state", "records");
      const journal = join(records, readdirSync(records)[0] ?? "", "journal");
      const segments = readdirSync(journal).map((name) => readFileSync(join(journal, name), "utf8"));
      expect(segments.join("")).toContain('"record_id":"w1"');
    } finally {
      await alone.stop();
    }
  });
});

const journalOf = (group: string): string => {
  const records = join(platform.folder, "state", "records");
  return join(records, readdirSync(records).find((name) => name.startsWith(`${group}-`)) ?? "", "journal");
};

describe("records that are refused", () => {
  beforeAll(() => createGroup("strict"));

  test.each([
    [
      "an unknown feature",
      animal("x", { colour: "green" }),
      /\[colour\] is not defined .* \[record_id, surveyed_at, length, rings\]/,
    ],
    ["no identifier", animal("x", { record_id: undefined }), /\[record_id\], the record identifier .* has no value/],
    ["an empty identifier", animal(""), /\[record_id\].* has no value/],
    ["no event time", animal("x", { surveyed_at: undefined }), /\[surveyed_at\], the event time .* has no value/],
    ["text for a number", animal("x", { length: "long" }), /\[long\] of feature \[length\] .* a finite number/],
    ["an infinite number", animal("x", { length: "1e999" }), /a finite number/],
    ["NaN", animal("x", { length: "NaN" }), /a finite number/],
    ["a fraction of a ring", animal("x", { rings: "9.5" }), /\[9.5\] of feature \[rings\] .* a whole number/],
    ["more than 64 bits", animal("x", { rings: "9223372036854775808" }), /a whole number of 64 bits/],
    ["a date without a time", animal("x", { surveyed_at: "2026-03-01" }), /EventTime \[2026-03-01\] .* ISO 8601/],
    ["a day that does not exist", animal("x", { surveyed_at: "2026-02-30T00:00:00Z" }), /EventTime .* ISO 8601/],
    ["a time without a zone", animal("x", { surveyed_at: "2026-03-01T00:00:00" }), /EventTime .* ISO 8601/],
  ])("%s", async (_, record, message) => {
    await expect(put("strict", record)).rejects.toMatchObject({
      name: "ValidationError",
      message: expect.stringMatching(message),
    });
  });

  test("a feature that is given twice", async () => {
    const twice = [...toRecord(animal("x")), { FeatureName: "rings", ValueAsString: "10" }];
    await expect(platform.records.putRecord({ FeatureGroupName: "strict", Record: twice })).rejects.toMatchObject({
      name: "ValidationError",
      message: expect.stringContaining("[rings] is given more than once"),
    });
  });

  test("a group that does not exist", async () => {
    await expect(put("nowhere", animal("x"))).rejects.toMatchObject({
      name: "ResourceNotFound",
      message: expect.stringContaining("can't find a FeatureGroup with name nowhere"),
    });
  });

  test("of many records in one request, the good ones are kept and the bad ones named", async () => {
    await createGroup("batched");
    const { Errors } = await platform.records.batchWriteRecord({
      Entries: ["g1", "g2", "bad"].map((id) => ({
        FeatureGroupName: "batched",
        Record: toRecord(animal(id, id === "bad" ? { rings: "many" } : {})) as never,
      })),
    });
    expect(Errors?.map(({ ErrorCode, ErrorMessage }) => [ErrorCode, ErrorMessage])).toEqual([
      ["ValidationError", expect.stringContaining("[many] of feature [rings]")],
    ]);
    await eventually("two records", async () => (await countOf("batched")).rows === 2);
  });
});

describe("the online store", () => {
  beforeAll(() =>
    createGroup("online", { OnlineStoreConfig: { EnableOnlineStore: true }, OfflineStoreConfig: undefined }),
  );
  const get = (id: string, FeatureNames?: string[]): Promise<Values> =>
    platform.records
      .getRecord({ FeatureGroupName: "online", RecordIdentifierValueAsString: id, FeatureNames })
      .then(({ Record }) => Object.fromEntries((Record ?? []).map((each) => [each.FeatureName, each.ValueAsString])));

  test("the version with the latest event time is answered, whatever the order of arrival", async () => {
    await put("online", animal("h1", { surveyed_at: "2026-03-02T00:00:00Z", rings: "12" }));
    await put("online", animal("h1", { surveyed_at: "2026-03-01T00:00:00Z", rings: "11" }));
    expect(await get("h1")).toMatchObject({ rings: "12" });
    expect(await get("h1", ["rings"])).toEqual({ rings: "12" });
    expect(await get("never-put")).toEqual({});
  });

  test("a deleted record is no longer answered, and an older version does not bring it back", async () => {
    await put("online", animal("h2"));
    await platform.records.deleteRecord({
      FeatureGroupName: "online",
      RecordIdentifierValueAsString: "h2",
      EventTime: "2026-04-01T00:00:00Z",
    });
    await put("online", animal("h2"));
    expect(await get("h2")).toEqual({});
    const list = { FeatureGroupName: "online", IncludeSoftDeletedRecords: false };
    expect((await platform.records.listRecords(list)).RecordIdentifiers).not.toContain("h2");
  });

  test("a batch answers existing records and says what is wrong with the rest", async () => {
    await put("online", animal("h3"));
    const { Records, Errors } = await platform.records.batchGetRecord({
      Identifiers: [
        { FeatureGroupName: "online", RecordIdentifiersValueAsString: ["h3", "never-put"] },
        { FeatureGroupName: "nowhere", RecordIdentifiersValueAsString: ["h3"] },
      ],
    });
    expect(Records?.map(({ RecordIdentifierValueAsString }) => RecordIdentifierValueAsString)).toEqual(["h3"]);
    expect(Errors?.map(({ ErrorCode }) => ErrorCode)).toEqual(["ResourceNotFound"]);
  });

  test("a group without an online store can't be read record by record", async () => {
    await createGroup("offline-only");
    await expect(
      platform.records.getRecord({ FeatureGroupName: "offline-only", RecordIdentifierValueAsString: "a" }),
    ).rejects.toMatchObject({ name: "ValidationError", message: expect.stringContaining("has no online store") });
  });
});

describe("feature groups", () => {
  test("a group whose bucket does not exist fails, and says so", async () => {
    await createGroup("homeless", { OfflineStoreConfig: { S3StorageConfig: { S3Uri: "s3://acme-no-such-bucket/x" } } });
    const described = await platform.sagemaker.describeFeatureGroup({ FeatureGroupName: "homeless" });
    expect(described).toMatchObject({
      FeatureGroupStatus: "CreateFailed",
      FailureReason: expect.stringContaining("'acme-no-such-bucket'"),
    });
  });

  test.each<[string, Partial<CreateFeatureGroupCommandInput>, RegExp]>([
    [
      "an identifier that is not a feature",
      { RecordIdentifierFeatureName: "id" },
      /RecordIdentifierFeatureName \[id\] is not among/,
    ],
    [
      "an event time that is a whole number",
      { EventTimeFeatureName: "rings" },
      /has the type Integral: expected String or Fractional/,
    ],
    ["no store at all", { OfflineStoreConfig: undefined }, /OnlineStoreConfig .* OfflineStoreConfig/],
    ["no role", { RoleArn: undefined }, /RoleArn is required/],
    [
      "a reserved name",
      { FeatureDefinitions: [...definitions, { FeatureName: "write_time", FeatureType: "String" }] },
      /\[write_time\] is reserved/,
    ],
    [
      "a name that differs in its case alone",
      { FeatureDefinitions: [...definitions, { FeatureName: "Rings", FeatureType: "String" }] },
      /\[Rings\] is defined more than once/,
    ],
  ])("%s is refused", async (_, changes, message) => {
    await expect(createGroup("refused", changes)).rejects.toMatchObject({
      name: "ValidationException",
      message: expect.stringMatching(message),
    });
  });

  test("a name is used once", async () => {
    await createGroup("single");
    await expect(createGroup("single")).rejects.toMatchObject({ name: "ResourceInUse" });
  });

  test("deleting a group keeps what is in its offline store, and a group of the same name starts empty", async () => {
    await createGroup("again");
    await put("again", animal("i1"));
    const before = await platform.catalogOf("again");
    await platform.sagemaker.deleteFeatureGroup({ FeatureGroupName: "again" });
    await eventually("the group to be gone", async () =>
      statusOf("again").then(
        () => false,
        (error: unknown) => (error as Error).name === "ResourceNotFound",
      ),
    );
    expect(await platform.query(before.database, `SELECT record_id FROM "${before.table}"`)).toEqual([
      { record_id: "i1" },
    ]);
    // The table's name carries the second of its group's creation.
    await new Promise((resolve) => setTimeout(resolve, 1100));
    await createGroup("again");
    expect((await countOf("again")).rows).toBe(0);
  });

  test("a feature's description and parameters are kept", async () => {
    await createGroup("described");
    const feature = { FeatureGroupName: "described", FeatureName: "rings" };
    await platform.sagemaker.updateFeatureMetadata({
      ...feature,
      Description: "Rings of the shell",
      ParameterAdditions: [{ Key: "unit", Value: "count" }],
    });
    await platform.killAndRestart();
    expect(await platform.sagemaker.describeFeatureMetadata(feature)).toMatchObject({
      FeatureType: "Integral",
      Description: "Rings of the shell",
      Parameters: [{ Key: "unit", Value: "count" }],
    });
  });
});
