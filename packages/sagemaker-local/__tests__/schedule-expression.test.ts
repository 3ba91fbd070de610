import { everySeconds, offsetFrom, parseScheduleExpression } from "../src/monitoring/schedule-expression";

const at = (time: string): Date => new Date(`2026-03-01T${time}Z`);

test.each([
  ["cron(0 * ? * * *)", "10:20:00", "2026-03-01T11:00:00", "2026-03-01T10:00:00"],
  ["cron(0 * ? * * *)", "11:00:00", "2026-03-01T12:00:00", "2026-03-01T10:00:00"],
  ["cron(0 3 ? * * *)", "10:20:00", "2026-03-02T03:00:00", "2026-03-01T03:00:00"],
  ["cron(0 3 ? * * *)", "03:00:00", "2026-03-02T03:00:00", "2026-02-28T03:00:00"],
  ["cron(0 17/1 ? * * *)", "10:20:00", "2026-03-01T17:00:00", "2026-02-28T23:00:00"],
  ["cron(0 12/6 ? * * *)", "12:00:01", "2026-03-01T18:00:00", "2026-03-01T12:00:00"],
])("%s at %s: next %s, before %s", (expression, now, next, previous) => {
  const timetable = parseScheduleExpression(expression);
  expect(timetable.next(at(now))).toEqual(new Date(`${next}Z`));
  expect(timetable.previous(at(now))).toEqual(new Date(`${previous}Z`));
});

test("a period ends where the next begins", () => {
  for (const timetable of [everySeconds(60), everySeconds(7), parseScheduleExpression("cron(0 * ? * * *)")]) {
    const first = timetable.next(at("10:20:31.5"));
    const second = timetable.next(first);
    expect(timetable.previous(second)).toEqual(first);
    expect(second.getTime()).toBeGreaterThan(first.getTime());
  }
});

test.each([
  "",
  "NOW",
  "rate(1 hour)",
  "cron(5 * ? * * *)",
  "cron(0 24 ? * * *)",
  "cron(0 1/0 ? * * *)",
  "cron(0 1/25 ? * * *)",
  "cron(0 * * * ? *)",
])("%j is refused, with what SageMaker accepts", (expression) => {
  expect(() => parseScheduleExpression(expression)).toThrow("cron(0 * ? * * *) for each hour");
});

test("offsets are hours and days before a moment", () => {
  expect(offsetFrom(at("10:00:00"), "-PT1H")).toEqual(at("09:00:00"));
  expect(offsetFrom(at("10:00:00"), "-PT0H")).toEqual(at("10:00:00"));
  expect(offsetFrom(at("10:00:00"), "-P1DT2H")).toEqual(new Date("2026-02-28T08:00:00Z"));
  expect(() => offsetFrom(at("10:00:00"), "1 hour")).toThrow("expected, for example, -PT1H");
});
