// Time intervals for muting and activating routes: times of day, weekdays, days of the month, months, years, in a time zone.
// Every part that is given must contain the moment; a part that is not given contains all.

import { type Infer, list, map, object, optional, string, withDefault } from '#base/config/schema.ts';

/** Inclusive on both ends, except times of day, whose end is excluded. */
type Range = { readonly begin: number; readonly end: number };

const WEEKDAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];
const MONTHS = [
  'january',
  'february',
  'march',
  'april',
  'may',
  'june',
  'july',
  'august',
  'september',
  'october',
  'november',
  'december',
];

function parseTime(text: string): number {
  const match = /^((?:[01]\d|2[0-3]):[0-5]\d|24:00)$/.exec(text);
  if (!match) throw new Error(`couldn't parse timestamp ${text}, invalid format`);
  const [hours, minutes] = text.split(':').map(Number);
  return hours! * 60 + minutes!;
}

function rangeOf(text: string, parse: (part: string) => number): Range {
  const parts = text.toLowerCase().split(':');
  if (parts.length > 2 || parts.some((part) => part.trim() === ''))
    throw new Error(`expected one value or begin:end, got ${JSON.stringify(text)}`);
  const begin = parse(parts[0]!.trim());
  return { begin, end: parts[1] === undefined ? begin : parse(parts[1].trim()) };
}

const named = (names: readonly string[], what: string, first: number) => (part: string) => {
  const index = names.indexOf(part);
  if (index >= 0) return index + first;
  if (what === 'month' && /^\d+$/.test(part) && Number(part) >= 1 && Number(part) <= 12) return Number(part);
  throw new Error(`${part} is not a valid ${what}`);
};

function weekdayRange(text: string): Range {
  const range = rangeOf(text, named(WEEKDAYS, 'weekday', 0));
  if (range.begin > range.end) throw new Error('start day cannot be before end day');
  return range;
}

function monthRange(text: string): Range {
  const range = rangeOf(text, named(MONTHS, 'month', 1));
  if (range.begin > range.end) throw new Error('end month is before start month');
  return range;
}

function yearRange(text: string): Range {
  const range = rangeOf(text, (part) => {
    if (!/^\d+$/.test(part)) throw new Error(`${part} is not a valid year`);
    return Number(part);
  });
  if (range.begin > range.end) throw new Error('end year is before start year');
  return range;
}

/** Negative days count from the end of the month. */
function dayOfMonthRange(text: string): Range {
  const range = rangeOf(text, (part) => {
    if (!/^-?\d+$/.test(part)) throw new Error(`${part} is not a valid day of the month`);
    return Number(part);
  });
  for (const [name, day] of [
    ['start', range.begin],
    ['end', range.end],
  ] as const) {
    if (day === 0 || day < -31 || day > 31) throw new Error(`${day} is not a valid day of the month: out of range`);
    if (name === 'end' && range.begin < 0 && day > 0)
      throw new Error('end day must be negative if start day is negative');
  }
  if (range.begin > 0 === range.end > 0 && range.begin > range.end) throw new Error('end day must be after start day');
  if (range.begin > 0 && range.end < 0 && 31 + range.end + 1 < range.begin)
    throw new Error('end day must be after start day');
  return range;
}

function location(name: string): string {
  const zone = name === 'Local' ? Intl.DateTimeFormat().resolvedOptions().timeZone : name === '' ? 'UTC' : name;
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: zone });
  } catch {
    throw new Error(`unknown time zone ${name}`);
  }
  return zone;
}

export const timeIntervalSchema = object({
  times: optional(
    list(
      object(
        {
          start_time: map(string(), parseTime, 'a time such as 09:00'),
          end_time: map(string(), parseTime, 'a time such as 17:00'),
        },
        ({ start_time, end_time }, report) => {
          if (start_time >= end_time) report('end_time', 'start time cannot be equal or greater than end time');
        },
      ),
    ),
  ),
  weekdays: optional(list(map(string(), weekdayRange, "a weekday or a range such as 'monday:friday'"))),
  days_of_month: optional(list(map(string(), dayOfMonthRange, "a day or a range such as '1:5' or '-3:-1'"))),
  months: optional(list(map(string(), monthRange, "a month or a range such as 'may:august'"))),
  years: optional(list(map(string(), yearRange, "a year or a range such as '2020:2022'"))),
  location: withDefault(map(string(), location, 'a time zone such as Europe/Berlin'), 'UTC'),
});

export type TimeInterval = Infer<typeof timeIntervalSchema>;

export const namedIntervalsSchema = object({ name: string(), time_intervals: list(timeIntervalSchema) });

/** Whether the moment lies in the interval. */
export function containsTime(interval: TimeInterval, timeMs: number): boolean {
  const at = civilTime(timeMs, interval.location);
  if (interval.times && !interval.times.some((t) => at.minuteOfDay >= t.start_time && at.minuteOfDay < t.end_time))
    return false;
  if (interval.days_of_month && !interval.days_of_month.some((range) => containsDay(range, at.day, at.daysInMonth)))
    return false;
  const inside = (ranges: readonly Range[] | undefined, value: number) =>
    !ranges || ranges.some((r) => value >= r.begin && value <= r.end);
  return inside(interval.months, at.month) && inside(interval.weekdays, at.weekday) && inside(interval.years, at.year);
}

function containsDay(range: Range, day: number, daysInMonth: number): boolean {
  const begin = range.begin < 0 ? daysInMonth + range.begin + 1 : range.begin;
  const end = range.end < 0 ? daysInMonth + range.end + 1 : range.end;
  // A month may be too short for either end: a range wholly beyond it contains nothing.
  if (begin > daysInMonth) return false;
  return day >= Math.max(1, begin) && day <= Math.min(daysInMonth, end);
}

type CivilTime = {
  year: number;
  month: number;
  day: number;
  weekday: number;
  minuteOfDay: number;
  daysInMonth: number;
};

function civilTime(timeMs: number, zone: string): CivilTime {
  let shown: Date;
  if (zone === 'UTC') shown = new Date(timeMs);
  else {
    const parts: Record<string, number> = {};
    const format = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
    });
    for (const part of format.formatToParts(timeMs)) parts[part.type] = Number(part.value);
    shown = new Date(Date.UTC(parts['year']!, parts['month']! - 1, parts['day']!, parts['hour']!, parts['minute']!));
  }
  const year = shown.getUTCFullYear();
  const month = shown.getUTCMonth() + 1;
  return {
    year,
    month,
    day: shown.getUTCDate(),
    weekday: shown.getUTCDay(),
    minuteOfDay: shown.getUTCHours() * 60 + shown.getUTCMinutes(),
    daysInMonth: new Date(Date.UTC(year, month, 0)).getUTCDate(),
  };
}
