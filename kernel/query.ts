// Entry of the query kernel: what src/query calls in its shard's memory. A series' chunks are decoded one behind the other
// into columns, then one function is worked out at every step of the grid. Results are bit for bit those of the plain path.

import { xorDecode } from './lib/xor';

export { xorDecode };

// Functions, as src/query/shard/kernel.ts numbers them.
const INSTANT = 0;
const TIMESTAMP = 1;
const RATE = 2;
const INCREASE = 3;
const DELTA = 4;
const IRATE = 5;
const IDELTA = 6;
const SUM = 7;
const AVG = 8;
const MIN = 9;
const MAX = 10;
const COUNT = 11;
const LAST = 12;
const FIRST = 13;
const PRESENT = 14;
const CHANGES = 15;
const RESETS = 16;

const STALE: u64 = 0x7ff0000000000002;

// @ts-ignore: decorator
@inline
function at(column: usize, i: i32): f64 {
  return load<f64>(column + (<usize>i << 3));
}

/** Takes stale markers out of the columns. Returns how many samples are left. */
export function dropStale(times: usize, values: usize, count: i32): i32 {
  let kept = 0;
  for (let i = 0; i < count; i++) {
    const bits = load<u64>(values + (<usize>i << 3));
    if (bits == STALE) continue;
    if (kept != i) {
      store<u64>(values + (<usize>kept << 3), bits);
      store<f64>(times + (<usize>kept << 3), at(times, i));
    }
    kept++;
  }
  return kept;
}

/** The newest sample within `window` before each step, or its time. Stale markers end a series. */
export function instant(
  func: i32,
  times: usize,
  values: usize,
  count: i32,
  start: f64,
  step: f64,
  steps: i32,
  window: f64,
  out: usize,
  kinds: usize,
): i32 {
  let next = 0;
  let found = 0;
  let time = start;
  for (let i = 0; i < steps; i++) {
    time = start + <f64>i * step;
    while (next < count && at(times, next) <= time) next++;
    const last = next - 1;
    if (last < 0 || at(times, last) <= time - window || load<u64>(values + (<usize>last << 3)) == STALE) {
      store<u8>(kinds + <usize>i, 0);
      continue;
    }
    store<u8>(kinds + <usize>i, 1);
    store<f64>(out + (<usize>i << 3), func == TIMESTAMP ? at(times, last) / 1000 : at(values, last));
    found++;
  }
  return found;
}

/** Counts falls up to each sample, so that windows without any need not be walked. */
export function countFalls(values: usize, count: i32, falls: usize): void {
  let total = 0;
  let previous = count > 0 ? at(values, 0) : 0;
  for (let i = 0; i < count; i++) {
    const value = at(values, i);
    if (value < previous) total++;
    previous = value;
    store<i32>(falls + (<usize>i << 2), total);
  }
}

/** One function over the window (t - window, t] of each step, t = start + i * step. */
export function windows(
  func: i32,
  times: usize,
  values: usize,
  count: i32,
  falls: usize,
  start: f64,
  step: f64,
  steps: i32,
  window: f64,
  out: usize,
  kinds: usize,
): i32 {
  let from = 0;
  let to = 0;
  let found = 0;
  for (let i = 0; i < steps; i++) {
    const end = start + <f64>i * step;
    const begin = end - window;
    while (to < count && at(times, to) <= end) to++;
    while (from < to && at(times, from) <= begin) from++;
    store<u8>(kinds + <usize>i, 0);
    if (from == to) continue;
    const target = out + (<usize>i << 3);
    if (!one(func, times, values, falls, from, to, begin, end, window, target)) continue;
    store<u8>(kinds + <usize>i, 1);
    found++;
  }
  return found;
}

function one(
  func: i32,
  times: usize,
  values: usize,
  falls: usize,
  from: i32,
  to: i32,
  begin: f64,
  end: f64,
  window: f64,
  target: usize,
): bool {
  switch (func) {
    case RATE:
    case INCREASE:
    case DELTA:
      if (to - from < 2) return false;
      store<f64>(target, rate(func, times, values, falls, from, to, begin, end, window));
      return true;
    case IRATE:
    case IDELTA: {
      if (to - from < 2) return false;
      const seconds = (at(times, to - 1) - at(times, to - 2)) / 1000;
      if (seconds == 0) return false;
      const last = at(values, to - 1);
      const previous = at(values, to - 2);
      const change = func == IRATE && last < previous ? last : last - previous;
      store<f64>(target, func == IRATE ? change / seconds : change);
      return true;
    }
    case SUM:
      store<f64>(target, sum(values, from, to));
      return true;
    case AVG:
      store<f64>(target, mean(values, from, to));
      return true;
    case MIN: {
      let best = at(values, from);
      for (let i = from + 1; i < to; i++) {
        const value = at(values, i);
        if (value < best || isNaN(best)) best = value;
      }
      store<f64>(target, best);
      return true;
    }
    case MAX: {
      let best = at(values, from);
      for (let i = from + 1; i < to; i++) {
        const value = at(values, i);
        if (value > best || isNaN(best)) best = value;
      }
      store<f64>(target, best);
      return true;
    }
    case COUNT:
      store<f64>(target, <f64>(to - from));
      return true;
    case LAST:
      store<f64>(target, at(values, to - 1));
      return true;
    case FIRST:
      store<f64>(target, at(values, from));
      return true;
    case PRESENT:
      store<f64>(target, 1);
      return true;
    case CHANGES: {
      let changes = 0;
      let previous = at(values, from);
      for (let i = from + 1; i < to; i++) {
        const value = at(values, i);
        if (value != previous && !(isNaN(value) && isNaN(previous))) changes++;
        previous = value;
      }
      store<f64>(target, <f64>changes);
      return true;
    }
    case RESETS:
      store<f64>(target, <f64>(load<i32>(falls + (<usize>(to - 1) << 2)) - load<i32>(falls + (<usize>from << 2))));
      return true;
    default:
      return false;
  }
}

// @ts-ignore: decorator
@inline
function kahan(total: f64, value: f64, compensation: f64): f64 {
  const next = total + value;
  if (next == Infinity || next == -Infinity) return 0;
  return abs(total) >= abs(value) ? compensation + (total - next + value) : compensation + (value - next + total);
}

function sum(values: usize, from: i32, to: i32): f64 {
  let total: f64 = 0;
  let compensation: f64 = 0;
  for (let i = from; i < to; i++) {
    const value = at(values, i);
    compensation = kahan(total, value, compensation);
    total += value;
  }
  return total == Infinity || total == -Infinity ? total : total + compensation;
}

function mean(values: usize, from: i32, to: i32): f64 {
  let total = at(values, from);
  let compensation: f64 = 0;
  let average: f64 = 0;
  let running = false;
  for (let i = from + 1; i < to; i++) {
    const value = at(values, i);
    const count = <f64>(i - from + 1);
    if (!running) {
      const next = total + value;
      if (next != Infinity && next != -Infinity) {
        compensation = kahan(total, value, compensation);
        total = next;
        continue;
      }
      running = true;
      average = total / (count - 1);
      compensation /= count - 1;
    }
    const weight = (count - 1) / count;
    const scaled = weight * average;
    compensation = kahan(scaled, value / count, weight * compensation);
    average = scaled + value / count;
  }
  const count = <f64>(to - from);
  return running ? average + compensation : total / count + compensation / count;
}

function rate(
  func: i32,
  times: usize,
  values: usize,
  falls: usize,
  from: i32,
  to: i32,
  begin: f64,
  end: f64,
  window: f64,
): f64 {
  const counter = func != DELTA;
  const firstValue = at(values, from);
  let change = at(values, to - 1) - firstValue;
  if (counter && load<i32>(falls + (<usize>(to - 1) << 2)) != load<i32>(falls + (<usize>from << 2))) {
    let previous = firstValue;
    for (let i = from + 1; i < to; i++) {
      const value = at(values, i);
      if (value < previous) change += previous;
      previous = value;
    }
  }
  const first = at(times, from);
  const last = at(times, to - 1);
  let toStart = (first - begin) / 1000;
  let toEnd = (end - last) / 1000;
  const sampled = (last - first) / 1000;
  const average = sampled / <f64>(to - from - 1);
  const threshold = average * 1.1;
  if (toStart >= threshold) toStart = average / 2;
  if (counter && change > 0 && firstValue >= 0) {
    const toZero = sampled * (firstValue / change);
    if (toZero < toStart) toStart = toZero;
  }
  if (toEnd >= threshold) toEnd = average / 2;
  let factor: f64 = sampled == 0 ? 1 : (sampled + toStart + toEnd) / sampled;
  if (func == RATE) factor /= window / 1000;
  return change * factor;
}
