const isoTime = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?(?:Z|([+-])(\d{2}):?(\d{2}))$/;
const unixTime = /^\d+(?:\.\d+)?$/;
const latestSecond = 253_402_300_799; // 9999-12-31T23:59:59Z: later years don't fit a partition's four digits.

/**
 * The moment of an event time in milliseconds since 1970, or undefined when it is not an event time. A feature of type
 * String holds ISO 8601 with seconds and a time zone, one of type Fractional the seconds since 1970.
 */
export function parseEventTime(text: string, type: "String" | "Fractional" | "Integral"): number | undefined {
  if (type !== "String") {
    const seconds = unixTime.test(text) ? Number(text) : NaN;
    return seconds <= latestSecond ? Math.floor(seconds * 1000) : undefined;
  }
  const match = isoTime.exec(text);
  if (match === null) {
    return undefined;
  }
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const time = new Date(0);
  time.setUTCFullYear(year, month - 1, day);
  time.setUTCHours(hour, minute, second, Math.floor(Number(`0.${match[7] ?? "0"}`) * 1000));
  // A date that does not exist, such as 30 February, would roll over to another day.
  const exists =
    time.getUTCDate() === day && time.getUTCMonth() === month - 1 && hour < 24 && minute < 60 && second < 60;
  if (!exists) {
    return undefined;
  }
  const offset = (Number(match[9] ?? 0) * 60 + Number(match[10] ?? 0)) * (match[8] === "-" ? -1 : 1);
  return time.getTime() - offset * 60_000;
}

/** The offline store's folder for a moment, in UTC: `year=2026/month=03/day=01/hour=09`. */
export function partitionOf(time: number): { readonly values: readonly string[]; readonly folder: string } {
  const iso = new Date(time).toISOString();
  const values = [iso.slice(0, 4), iso.slice(5, 7), iso.slice(8, 10), iso.slice(11, 13)];
  return { values, folder: values.map((value, index) => `${partitionKeys[index] ?? ""}=${value}`).join("/") };
}

/** The columns by which the offline store's table is partitioned. */
export const partitionKeys: readonly string[] = ["year", "month", "day", "hour"];
