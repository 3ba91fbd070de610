import { validationException } from "../protocol/errors";

const hour = 3_600_000;

/** When a monitoring schedule runs. */
export interface Timetable {
  /** The first time after `moment`. */
  next(moment: Date): Date;
  /** The last time before `moment`: the end of the period that a run at `moment` covers. */
  previous(moment: Date): Date;
}

/** Every so many seconds, counted from 1970: for schedules shorter than SageMaker's. */
export function everySeconds(seconds: number): Timetable {
  const period = seconds * 1000;
  return {
    next: (moment) => new Date((Math.floor(moment.getTime() / period) + 1) * period),
    previous: (moment) => new Date((Math.ceil(moment.getTime() / period) - 1) * period),
  };
}

/**
 * The times of a schedule expression that SageMaker accepts: each hour, each day at an hour, or every N hours from an
 * hour on (SageMaker Developer Guide, "The cron expression for monitoring schedule").
 * @throws ServiceError when it is none of these
 */
export function parseScheduleExpression(expression: string): Timetable {
  const match = /^cron\(0 (?:(\*)|(\d{1,2})(?:\/(\d{1,2}))?) \? \* \* \*\)$/.exec(expression);
  const first = Number(match?.[2] ?? 0);
  const every = match?.[1] === "*" ? 1 : Number(match?.[3] ?? 24);
  if (match === null || first > 23 || every < 1 || every > 24) {
    throw validationException(
      `The schedule expression '${expression}' is not one that SageMaker accepts: expected NOW, cron(0 * ? * * *) for each hour, ` +
        "cron(0 [0-23] ? * * *) for each day, or cron(0 [0-23]/[1-24] ? * * *).",
    );
  }
  const isDue = (time: number): boolean => {
    const hours = new Date(time).getUTCHours();
    return hours >= first && (hours - first) % every === 0;
  };
  const search = (from: number, step: number): Date => {
    let time = from;
    while (!isDue(time)) {
      time += step;
    }
    return new Date(time);
  };
  return {
    next: (moment) => search((Math.floor(moment.getTime() / hour) + 1) * hour, hour),
    previous: (moment) => search((Math.ceil(moment.getTime() / hour) - 1) * hour, -hour),
  };
}

/**
 * Adds an offset such as `-PT1H` to a moment (API reference, ScheduleConfig: DataAnalysisStartTime).
 * @throws ServiceError when the text is not an offset
 */
export function offsetFrom(moment: Date, offset: string): Date {
  const match = /^-P(?:(\d+)D)?(?:T(?:(\d+)H)?)?$/.exec(offset);
  if (match === null) {
    throw validationException(`'${offset}' is not an offset: expected, for example, -PT1H or -P1D.`);
  }
  return new Date(moment.getTime() - (Number(match[1] ?? 0) * 24 + Number(match[2] ?? 0)) * hour);
}
