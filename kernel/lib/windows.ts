// Functions over windows of a series' columns: (t - window, t] at every step t of a grid. Results are bit for bit those of the
// plain path: windows that slide are worked out anew wherever the order of additions would show.

// Functions, as src/query/shard/kernel.ts numbers them.
export const INSTANT = 0;
export const TIMESTAMP = 1;
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

/** The newest sample within `window` before each step, or its time. Stale markers end a series. Returns at how many steps. */
export function instants(
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
  for (let i = 0; i < steps; i++) {
    const time = start + <f64>i * step;
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

/**
 * One function at each step t = start + i * step, over samples without stale markers. `work` has room for a number (i32) per sample.
 * Returns at how many steps there is a result.
 */
export function windows(
  func: i32,
  times: usize,
  values: usize,
  count: i32,
  work: usize,
  start: f64,
  step: f64,
  steps: i32,
  window: f64,
  out: usize,
  kinds: usize,
): i32 {
  if (func == RATE || func == INCREASE || func == DELTA) {
    return rates(func, times, values, count, work, start, step, steps, window, out, kinds);
  }
  if (func == MIN || func == MAX) {
    return extremes(func == MAX, times, values, count, work, start, step, steps, window, out, kinds);
  }
  if (func == RESETS) countFalls(values, count, work);
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
    if (!one(func, times, values, work, from, to, target)) continue;
    store<u8>(kinds + <usize>i, 1);
    found++;
  }
  return found;
}

function one(func: i32, times: usize, values: usize, falls: usize, from: i32, to: i32, target: usize): bool {
  switch (func) {
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
export function kahan(total: f64, value: f64, compensation: f64): f64 {
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

/** Counts falls up to each sample, so that windows without any need not be walked. */
function countFalls(values: usize, count: i32, falls: usize): void {
  let total = 0;
  let previous = count > 0 ? at(values, 0) : 0;
  for (let i = 0; i < count; i++) {
    const value = at(values, i);
    if (value < previous) total++;
    previous = value;
    store<i32>(falls + (<usize>i << 2), total);
  }
}

function hasFalls(values: usize, count: i32): bool {
  let i = 1;
  let seen = v128.splat<u64>(0);
  for (; i + 1 < count; i += 2) {
    const place = values + (<usize>i << 3);
    seen = v128.or(seen, f64x2.lt(v128.load(place), v128.load(place - 8)));
  }
  if (v128.any_true(seen)) return true;
  return i < count && at(values, i) < at(values, i - 1);
}

/** rate, increase and delta: two steps at a time, since divisions take the time. */
function rates(
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
  const counter = func != DELTA;
  const falling = counter && hasFalls(values, count);
  if (falling) countFalls(values, count, falls);
  const perSecond: f64 = func == RATE ? window / 1000 : 1;
  let from = 0;
  let to = 0;
  let found = 0;
  let waits = false;
  let target: usize = 0;
  let first = f64x2.splat(0);
  let last = first;
  let value = first;
  let change = first;
  let gaps = first;
  let ends = first;
  for (let i = 0; i < steps; i++) {
    const end = start + <f64>i * step;
    const begin = end - window;
    while (to < count && at(times, to) <= end) to++;
    while (from < to && at(times, from) <= begin) from++;
    if (to - from < 2) {
      store<u8>(kinds + <usize>i, 0);
      continue;
    }
    store<u8>(kinds + <usize>i, 1);
    found++;
    const lowest = at(values, from);
    let rise = at(values, to - 1) - lowest;
    if (falling && load<i32>(falls + (<usize>(to - 1) << 2)) != load<i32>(falls + (<usize>from << 2))) {
      rise = riseWithFalls(values, from, to);
    }
    if (!waits) {
      first = f64x2.splat(at(times, from));
      last = f64x2.splat(at(times, to - 1));
      value = f64x2.splat(lowest);
      change = f64x2.splat(rise);
      gaps = f64x2.splat(<f64>(to - from - 1));
      ends = f64x2.splat(end);
      target = out + (<usize>i << 3);
      waits = true;
      continue;
    }
    const rated = extrapolate(
      f64x2.replace_lane(first, 1, at(times, from)),
      f64x2.replace_lane(last, 1, at(times, to - 1)),
      f64x2.replace_lane(value, 1, lowest),
      f64x2.replace_lane(change, 1, rise),
      f64x2.replace_lane(gaps, 1, <f64>(to - from - 1)),
      f64x2.replace_lane(ends, 1, end),
      window,
      perSecond,
      counter,
    );
    store<f64>(target, f64x2.extract_lane(rated, 0));
    store<f64>(out + (<usize>i << 3), f64x2.extract_lane(rated, 1));
    waits = false;
  }
  if (waits) {
    const rated = extrapolate(first, last, value, change, gaps, ends, window, perSecond, counter);
    store<f64>(target, f64x2.extract_lane(rated, 0));
  }
  return found;
}

/** What a counter had before each of its falls is added to its change. */
function riseWithFalls(values: usize, from: i32, to: i32): f64 {
  let rise = at(values, to - 1) - at(values, from);
  let previous = at(values, from);
  for (let i = from + 1; i < to; i++) {
    const value = at(values, i);
    if (value < previous) rise += previous;
    previous = value;
  }
  return rise;
}

// @ts-ignore: decorator
@inline
function extrapolate(
  first: v128,
  last: v128,
  value: v128,
  change: v128,
  gaps: v128,
  ends: v128,
  window: f64,
  perSecond: f64,
  counter: bool,
): v128 {
  const thousand = f64x2.splat(1000);
  const none = f64x2.splat(0);
  let toStart = f64x2.div(f64x2.sub(first, f64x2.sub(ends, f64x2.splat(window))), thousand);
  let toEnd = f64x2.div(f64x2.sub(ends, last), thousand);
  const sampled = f64x2.div(f64x2.sub(last, first), thousand);
  const average = f64x2.div(sampled, gaps);
  const threshold = f64x2.mul(average, f64x2.splat(1.1));
  const half = f64x2.mul(average, f64x2.splat(0.5));
  toStart = v128.bitselect(half, toStart, f64x2.ge(toStart, threshold));
  if (counter) {
    const toZero = f64x2.mul(sampled, f64x2.div(value, change));
    const rises = v128.and(f64x2.gt(change, none), f64x2.ge(value, none));
    toStart = v128.bitselect(toZero, toStart, v128.and(rises, f64x2.lt(toZero, toStart)));
  }
  toEnd = v128.bitselect(half, toEnd, f64x2.ge(toEnd, threshold));
  const reach = f64x2.add(f64x2.add(sampled, toStart), toEnd);
  let factor = v128.bitselect(f64x2.splat(1), f64x2.div(reach, sampled), f64x2.eq(sampled, none));
  if (perSecond != 1) factor = f64x2.div(factor, f64x2.splat(perSecond));
  return f64x2.mul(change, factor);
}

/**
 * The largest or smallest value of each window. `queue` holds samples that may still become it, the best first; NaN is worse than
 * any number, and of equal values the first counts.
 */
function extremes(
  largest: bool,
  times: usize,
  values: usize,
  count: i32,
  queue: usize,
  start: f64,
  step: f64,
  steps: i32,
  window: f64,
  out: usize,
  kinds: usize,
): i32 {
  let to = 0;
  let head = 0;
  let tail = 0;
  let found = 0;
  for (let i = 0; i < steps; i++) {
    const end = start + <f64>i * step;
    const begin = end - window;
    for (; to < count && at(times, to) <= end; to++) {
      const value = at(values, to);
      if (!isNaN(value)) {
        while (tail > head) {
          const last = at(values, load<i32>(queue + (<usize>(tail - 1) << 2)));
          if (largest ? last >= value : last <= value) break;
          tail--;
        }
      }
      store<i32>(queue + (<usize>tail << 2), to);
      tail++;
    }
    while (head < tail && at(times, load<i32>(queue + (<usize>head << 2))) <= begin) head++;
    if (head == tail) {
      store<u8>(kinds + <usize>i, 0);
      continue;
    }
    store<u8>(kinds + <usize>i, 1);
    store<f64>(out + (<usize>i << 3), at(values, load<i32>(queue + (<usize>head << 2))));
    found++;
  }
  return found;
}
