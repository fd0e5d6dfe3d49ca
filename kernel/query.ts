// Entry of the query kernel: what src/query calls in its shard's memory. A series' chunks are decoded one behind the other
// into columns, then one function is worked out at every step of the grid. Results are bit for bit those of the plain path.

import { takeBits } from './lib/bits';
import { xorDecode } from './lib/xor';

export { xorDecode };

/** In the result of `decode`, above the number of samples: a stale marker is among them. */
const HAS_STALE: i32 = 1 << 30;
/** How many bits of a 64-bit window are sure to be there, wherever in a byte it begins. */
const WINDOW_BITS: u32 = 57;

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

// @ts-ignore: decorator
@inline
function windowAt(chunk: usize, bit: u32): u64 {
  return bswap<u64>(load<u64>(chunk + <usize>(bit >> 3))) << <u64>(bit & 7);
}

/** A number of `bits` bits at the top of a window; its most negative pattern stands for the largest positive number. */
// @ts-ignore: decorator
@inline
function change(window: u64, bits: u64): f64 {
  const raw = window >> (64 - bits);
  const half: u64 = 1 << (bits - 1);
  return raw > half ? <f64>(<i64>raw - (<i64>1 << <i64>bits)) : <f64>raw;
}

/** xorDecode for chunks without start times: one look at the bits gives time and value of most samples. */
export function decode(chunk: usize, bytes: u32, times: usize, values: usize): i32 {
  if (bytes < 2) return -1;
  const count = (<u32>load<u8>(chunk) << 8) | <u32>load<u8>(chunk, 1);
  const end = bytes << 3;
  let bit: u32 = 16;
  let time: f64 = 0;
  let delta: f64 = 0;
  let value: u64 = 0;
  let leading: u32 = 0xff;
  let trailing: u32 = 0;
  let flags = 0;
  for (let i: u32 = 0; i < count; i++) {
    if (bit >= end) return -1;
    let window: u64;
    let used: u32 = 0;
    if (i < 2) {
      let raw: u64 = 0;
      let shift: u64 = 0;
      let byte: u64;
      do {
        if (bit + 8 > end || shift > 63) return -1;
        byte = takeBits(chunk, bit, 8);
        bit += 8;
        raw |= (byte & 0x7f) << shift;
        shift += 7;
      } while (byte & 0x80);
      if (i == 0) {
        if (bit + 64 > end) return -1;
        time = <f64>(<i64>(raw >> 1) ^ -<i64>(raw & 1));
        value = takeBits(chunk, bit, 64);
        bit += 64;
        if (value == STALE) flags = HAS_STALE;
        store<f64>(times, time);
        store<u64>(values, value);
        continue;
      }
      delta = <f64>raw;
      window = windowAt(chunk, bit);
    } else {
      window = windowAt(chunk, bit);
      if (<i64>window >= 0) used = 1;
      else if (!(window & 0x4000000000000000)) {
        delta += change(window << 2, 14);
        used = 16;
      } else if (!(window & 0x2000000000000000)) {
        delta += change(window << 3, 17);
        used = 20;
      } else if (!(window & 0x1000000000000000)) {
        delta += change(window << 4, 20);
        used = 24;
      } else {
        if (bit + 68 > end) return -1;
        delta += <f64>(<i64>takeBits(chunk, bit + 4, 64));
        bit += 68;
        window = windowAt(chunk, bit);
      }
      window <<= <u64>used;
    }
    time += delta;
    if (<i64>window >= 0) bit += used + 1;
    else {
      let head: u32 = 2;
      if (!(window & 0x4000000000000000)) {
        if (leading == 0xff) return -1;
      } else {
        leading = <u32>((window << 2) >> 59);
        const bits = <u32>((window << 7) >> 58);
        if (leading + bits > 64) return -1;
        trailing = bits == 0 ? 0 : 64 - leading - bits;
        if (bits == 0) leading = 0;
        head = 13;
      }
      const bits = 64 - leading - trailing;
      bit += used + head;
      const changed =
        used + head + bits <= WINDOW_BITS ? (window << <u64>head) >> <u64>(64 - bits) : takeBits(chunk, bit, bits);
      value ^= changed << <u64>trailing;
      bit += bits;
      if (value == STALE) flags = HAS_STALE;
    }
    if (bit > end) return -1;
    store<f64>(times + (<usize>i << 3), time);
    store<u64>(values + (<usize>i << 3), value);
  }
  return <i32>count | flags;
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
