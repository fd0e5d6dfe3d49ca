// The windows in which a recurring silence mutes, as a person thinks of them (these weekdays, from ten at night to six), to
// and from Alertmanager's time intervals, which know no window over midnight.

export type TimeInterval = {
  readonly times?: readonly { readonly start_time: string; readonly end_time: string }[];
  readonly weekdays?: readonly string[];
  readonly days_of_month?: readonly string[];
  readonly months?: readonly string[];
  readonly years?: readonly string[];
  readonly location?: string;
};

export type Window = {
  /** 0 is Sunday; none means every day. */
  readonly weekdays: readonly number[];
  /** Both '' for the whole day; an end before the start lies on the next day. */
  readonly from: string;
  readonly to: string;
  /** Lists such as `1:5, -1`; '' for all. */
  readonly daysOfMonth: string;
  readonly months: string;
  readonly years: string;
  readonly zone: string;
};

export const WEEKDAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'] as const;
/** The week as it is read: Monday first. */
export const WEEK = [1, 2, 3, 4, 5, 6, 0] as const;
const MIDNIGHT = '24:00';

export const newWindow = (zone: string): Window => ({
  weekdays: [],
  from: '22:00',
  to: '06:00',
  daysOfMonth: '',
  months: '',
  years: '',
  zone,
});

const listOf = (text: string): string[] => text.split(/[\s,，、]+/).filter(Boolean);

export const isOverMidnight = ({ from, to }: Window): boolean => from !== '' && to !== '' && to <= from;

/** One interval, or two when the window runs over midnight. */
export function toIntervals(window: Window): TimeInterval[] {
  const common = {
    ...(window.daysOfMonth.trim() ? { days_of_month: listOf(window.daysOfMonth) } : {}),
    ...(window.months.trim() ? { months: listOf(window.months) } : {}),
    ...(window.years.trim() ? { years: listOf(window.years) } : {}),
    location: window.zone,
  };
  const onDays = (days: readonly number[]) =>
    days.length === 0 ? {} : { weekdays: WEEK.filter((day) => days.includes(day)).map((day) => WEEKDAYS[day]) };
  const between = (start_time: string, end_time: string) => ({ times: [{ start_time, end_time }] });
  if (window.from === '' || window.to === '') return [{ ...onDays(window.weekdays), ...common }];
  if (!isOverMidnight(window)) return [{ ...onDays(window.weekdays), ...between(window.from, window.to), ...common }];
  const evening = { ...onDays(window.weekdays), ...between(window.from, MIDNIGHT), ...common };
  if (window.to === '00:00') return [evening];
  const next = window.weekdays.map((day) => (day + 1) % 7);
  return [evening, { ...onDays(next), ...between('00:00', window.to), ...common }];
}

/** Weekday names and ranges of them, as numbers. */
function daysIn(names: readonly string[] | undefined): number[] {
  const days = (names ?? []).flatMap((one) => {
    const [begin = -1, end = begin] = one
      .split(':')
      .map((name) => WEEKDAYS.indexOf(name.trim().toLowerCase() as 'sunday'));
    return begin < 0 || end < begin ? [] : Array.from({ length: end - begin + 1 }, (_, i) => begin + i);
  });
  return [...new Set(days)].sort((a, b) => a - b);
}

const same = (a: readonly number[], b: readonly number[]) => a.length === b.length && a.every((one) => b.includes(one));

/** Windows of intervals; an evening and the early hours after it become one again. */
export function toWindows(intervals: readonly TimeInterval[]): Window[] {
  const windows = intervals.flatMap((interval): Window[] => {
    const common = {
      weekdays: daysIn(interval.weekdays),
      daysOfMonth: (interval.days_of_month ?? []).join(', '),
      months: (interval.months ?? []).join(', '),
      years: (interval.years ?? []).join(', '),
      zone: interval.location ?? 'UTC',
    };
    const times = interval.times ?? [];
    if (times.length === 0) return [{ ...common, from: '', to: '' }];
    return times.map(({ start_time, end_time }) => ({ ...common, from: start_time, to: end_time }));
  });
  const joined: Window[] = [];
  for (const window of windows) {
    const before = joined.at(-1);
    const continues =
      before?.to === MIDNIGHT &&
      window.from === '00:00' &&
      window.to <= before.from &&
      window.zone === before.zone &&
      window.daysOfMonth === before.daysOfMonth &&
      window.months === before.months &&
      window.years === before.years &&
      same(
        before.weekdays.map((day) => (day + 1) % 7),
        window.weekdays,
      );
    if (continues) joined[joined.length - 1] = { ...before, to: window.to };
    else joined.push(window);
  }
  return joined.map((window) => (window.to === MIDNIGHT ? { ...window, to: '00:00' } : window));
}
