// One number from many: what legends, stat panels and the reduce transformation show of a series. Portable.

export type Values = ArrayLike<number | null | undefined>;

const each = (values: Values, use: (value: number, index: number) => void): void => {
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (value !== null && value !== undefined && !Number.isNaN(value)) use(value, i);
  }
};

function fold(values: Values, start: number, next: (sum: number, value: number) => number): number | null {
  let result = start;
  let any = false;
  each(values, (value) => {
    result = next(result, value);
    any = true;
  });
  return any ? result : null;
}

function present(values: Values): number[] {
  const found: number[] = [];
  each(values, (value) => found.push(value));
  return found;
}

const first = (values: Values): number | null => present(values)[0] ?? null;
const last = (values: Values): number | null => {
  for (let i = values.length - 1; i >= 0; i--) {
    const value = values[i];
    if (value !== null && value !== undefined && !Number.isNaN(value)) return value;
  }
  return null;
};
const min = (values: Values) => fold(values, Infinity, Math.min);
const max = (values: Values) => fold(values, -Infinity, Math.max);
const sum = (values: Values) => fold(values, 0, (total, value) => total + value);
const count = (values: Values): number => present(values).length;
const mean = (values: Values): number | null => {
  const total = sum(values);
  return total === null ? null : total / count(values);
};
const difference = (a: number | null, b: number | null): number | null => (a === null || b === null ? null : a - b);

function variance(values: Values): number | null {
  const average = mean(values);
  if (average === null) return null;
  return (fold(values, 0, (total, value) => total + (value - average) ** 2) ?? 0) / count(values);
}

export function quantile(values: Values, share: number): number | null {
  const sorted = present(values).sort((a, b) => a - b);
  if (sorted.length === 0) return null;
  const at = (sorted.length - 1) * share;
  const low = Math.floor(at);
  return sorted[low]! + ((sorted[low + 1] ?? sorted[low]!) - sorted[low]!) * (at - low);
}

/** Counts only what rises, as a counter that may start again from zero. */
function increase(values: Values): number | null {
  let before: number | undefined;
  return fold(values, 0, (total, value) => {
    const step = before === undefined ? 0 : value >= before ? value - before : value;
    before = value;
    return total + step;
  });
}

export const CALCULATIONS = {
  last: (values: Values): number | null => values[values.length - 1] ?? null,
  lastNotNull: last,
  first: (values: Values): number | null => values[0] ?? null,
  firstNotNull: first,
  min,
  max,
  mean,
  sum,
  count: (values: Values): number | null => count(values),
  median: (values: Values) => quantile(values, 0.5),
  range: (values: Values) => difference(max(values), min(values)),
  delta: increase,
  step: (values: Values): number | null => {
    const all = present(values);
    let least: number | null = null;
    for (let i = 1; i < all.length; i++) {
      const gap = all[i]! - all[i - 1]!;
      if (least === null || gap < least) least = gap;
    }
    return least;
  },
  diff: (values: Values) => difference(last(values), first(values)),
  diffperc: (values: Values): number | null => {
    const [from, to] = [first(values), last(values)];
    return from === null || to === null || from === 0 ? null : (to - from) / from;
  },
  logmin: (values: Values) => fold(values, Infinity, (least, value) => (value > 0 ? Math.min(least, value) : least)),
  allIsZero: (values: Values): number | null => (present(values).every((value) => value === 0) ? 1 : 0),
  allIsNull: (values: Values): number | null => (count(values) === 0 ? 1 : 0),
  changeCount: (values: Values): number | null => {
    const all = present(values);
    return all.reduce((changes, value, i) => changes + (i > 0 && value !== all[i - 1] ? 1 : 0), 0);
  },
  distinctCount: (values: Values): number | null => new Set(present(values)).size,
  stdDev: (values: Values): number | null => {
    const square = variance(values);
    return square === null ? null : Math.sqrt(square);
  },
  variance,
  p25: (values: Values) => quantile(values, 0.25),
  p50: (values: Values) => quantile(values, 0.5),
  p75: (values: Values) => quantile(values, 0.75),
  p90: (values: Values) => quantile(values, 0.9),
  p95: (values: Values) => quantile(values, 0.95),
  p99: (values: Values) => quantile(values, 0.99),
} as const satisfies Record<string, (values: Values) => number | null>;

export type Calculation = keyof typeof CALCULATIONS;

const OLD_NAMES: Readonly<Record<string, Calculation>> = {
  avg: 'mean',
  current: 'lastNotNull',
  total: 'sum',
  'last *': 'lastNotNull',
  'first *': 'firstNotNull',
};

/** The calculation of a name, old names of imported dashboards included; undefined when there is none. */
export function calculationOf(name: string | undefined): Calculation | undefined {
  if (name === undefined) return undefined;
  const known = OLD_NAMES[name] ?? name;
  return known in CALCULATIONS ? (known as Calculation) : undefined;
}

/** The least and the greatest; nothing is spread over arguments, so any number of values will do. */
export function extentOf(values: readonly number[]): { low: number; high: number } {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return { low, high };
}
