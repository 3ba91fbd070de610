import * as fc from "fast-check";
import { parseEventTime, partitionOf } from "../../src/feature-store/event-time";

test("every moment that JavaScript writes as ISO 8601 is read back to the millisecond", () => {
  const moments = fc.date({
    min: new Date("1000-01-01T00:00:00Z"),
    max: new Date("9999-12-31T23:59:59Z"),
    noInvalidDate: true,
  });
  fc.assert(
    fc.property(moments, (moment) => {
      expect(parseEventTime(moment.toISOString(), "String")).toBe(moment.getTime());
    }),
  );
});

test.each([
  ["2026-03-01T09:30:00Z", "2026-03-01T09:30:00.000Z"],
  ["2026-03-01T09:30:00.123456789Z", "2026-03-01T09:30:00.123Z"],
  ["2026-03-01T09:30:00+0530", "2026-03-01T04:00:00.000Z"],
  ["2026-03-01T00:30:00-01:00", "2026-03-01T01:30:00.000Z"],
  ["2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000Z"],
])("%s is %s", (text, moment) => {
  expect(parseEventTime(text, "String")).toBe(Date.parse(moment));
});

test.each([
  "",
  "now",
  "2026-03-01",
  "2026-03-01T09:30:00",
  "2026-3-1T9:30:00Z",
  "2026-02-29T00:00:00Z",
  "2026-13-01T00:00:00Z",
  "2026-03-01T24:00:00Z",
  "2026-03-01T09:60:00Z",
  "2026-03-01T09:30:00z",
  "1772357400",
  "2026-03-01T09:30:00Z\n",
])("'%s' is not a time", (text) => {
  expect(parseEventTime(text, "String")).toBeUndefined();
});

test("a number is seconds since 1970", () => {
  expect(parseEventTime("1772357400.5", "Fractional")).toBe(1772357400500);
  for (const text of ["", "-1", "1e9", "NaN", "2026-03-01T09:30:00Z", "99999999999999"]) {
    expect(parseEventTime(text, "Fractional")).toBeUndefined();
  }
});

test("a partition is the hour in UTC", () => {
  expect(partitionOf(Date.parse("2026-01-02T03:59:59Z"))).toEqual({
    values: ["2026", "01", "02", "03"],
    folder: "year=2026/month=01/day=02/hour=03",
  });
});
