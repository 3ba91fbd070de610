import { list, name, number, readEnvironment } from "../../handlers/shared/environment";
import { parseS3Uri, under } from "../../handlers/shared/s3-uri";

describe("the environment", () => {
  const shape = { TABLE: name, DAYS: number(1, 30), TYPES: list };

  test("is read with its types", () => {
    expect(readEnvironment(shape, { TABLE: "t", DAYS: "1.5", TYPES: "a, b,", OTHER: "x" })).toEqual({
      TABLE: "t",
      DAYS: 1.5,
      TYPES: ["a", "b"],
    });
  });

  test("is refused with every variable that is missing or wrong", () => {
    expect(() => readEnvironment(shape, { DAYS: "31", TYPES: "," })).toThrow(
      "The function's environment is incomplete: TABLE is not set; " +
        "DAYS: '31' is wrong: expected a number between 1 and 30; " +
        "TYPES: ',' is wrong: expected items separated by commas. Correct the stack that deploys it.",
    );
  });

  test.each(["", " 5", "5 days", "1e1", "NaN", "-1"])("does not accept '%s' as a number", (DAYS) => {
    expect(() => readEnvironment({ DAYS: number(0, 100) }, { DAYS })).toThrow(/DAYS/);
  });
});

describe("an S3 URI", () => {
  test("has a bucket and a key", () => {
    expect(parseS3Uri("s3://acme-data/runs/a b/c.json")).toEqual({ bucket: "acme-data", key: "runs/a b/c.json" });
  });

  test.each(["", "s3://", "s3://acme-data", "s3://acme-data/", "s3://A/key", "https://acme-data/key", "s3:///key"])(
    "is not '%s'",
    (uri) => {
      expect(() => parseS3Uri(uri)).toThrow(`'${uri}' is not an S3 URI such as s3://bucket/key`);
    },
  );

  test("is joined with one slash", () => {
    expect(["s3://b/p", "s3://b/p/", "s3://b/p//"].map((prefix) => under(prefix, "f"))).toEqual(
      Array(3).fill("s3://b/p/f"),
    );
  });
});
