// A batch into the head and into the bodies of log records, in one call; and into the log alone, while the head is still
// being read from it.

import {
  appendInOrder,
  appendOutOfOrder,
  closedChunk,
  IGNORED,
  judge,
  NEEDS_HOST,
  OUT_OF_BOUNDS,
  TAKEN,
  TOO_FAR,
  UNKNOWN_REF,
} from './head';
import { beginSamples, LOG_STARTS, LOG_TIMES, putSample } from './log';
import { isAlive, R_ENCODING, R_GENERATION, R_LOG_ID, R_NEXT_AT, rowCount, rowOf } from './table';

// What `append` answers: numbers of entries (u32) and times (f64).
const O_TAKEN: usize = 0;
const O_REJECTED: usize = 4; // (row, reason)
const O_CLOSED: usize = 8; // (slot, chunk)
const O_FRESH: usize = 12; // slots that got a number in the log
const O_LOG: usize = 16; // bytes
const O_OOO_LOG: usize = 20; // bytes
const O_OOO_TAKEN: usize = 24;
const O_IGNORED: usize = 28;
const O_MIN: usize = 32;
const O_MAX: usize = 40;
const O_OOO_CHUNKS: usize = 48;

let nextLogId: u32 = 1;

export function setNextLogId(id: u32): void {
  nextLogId = id;
}

const TOUCH_ROWS: u32 = 16;
let touched: u64 = 0;

/** Reads a word of each of the next rows, all at once: their cache misses overlap instead of following each other. */
function touchRows(refs: usize, from: u32, to: u32): u64 {
  let all: u64 = 0;
  for (let i = from; i < to; i++) {
    const slot = <u32>(<u64>load<f64>(refs + (<usize>i << 3)));
    if (slot < rowCount) {
      const row = rowOf(slot);
      all ^= load<u64>(row) ^ load<u64>(row, R_NEXT_AT);
    }
  }
  return all;
}

/**
 * Appends rows 0..n of three columns. A ref that is NaN is passed over. `limits` points to f64: lowest valid time, head's
 * highest time, out-of-order window, highest time allowed, chunk range. Writes refusals, closed chunks, series that are new in the log, and
 * the bodies of log records; all times must be whole numbers or are refused.
 */
export function append(
  n: u32,
  refs: usize,
  times: usize,
  values: usize,
  starts: usize,
  limits: usize,
  segment: u32,
  out: usize,
  rejects: usize,
  closed: usize,
  fresh: usize,
  log: usize,
  oooLog: usize,
  late: usize,
): void {
  const minValid = <i64>load<f64>(limits);
  const headMax = <i64>load<f64>(limits, 8);
  const window = <i64>load<f64>(limits, 16);
  const highest = load<f64>(limits, 24);
  const range = <i64>load<f64>(limits, 32);
  let taken: u32 = 0;
  let oooTaken: u32 = 0;
  let ignored: u32 = 0;
  let rejected: u32 = 0;
  let closedCount: u32 = 0;
  let oooChunks: u32 = 0;
  let freshCount: u32 = 0;
  let lateCount: u32 = 0;
  let lowest = i64.MAX_VALUE;
  let newest = i64.MIN_VALUE;
  const flags = recordFlags(n, times, starts);
  let logAt: usize = 0;
  let oooAt: usize = 0;
  for (let i: u32 = 0; i < n; i++) {
    if ((i & (TOUCH_ROWS - 1)) == 0) touched ^= touchRows(refs, i, min(n, i + TOUCH_ROWS));
    const ref = load<f64>(refs + (<usize>i << 3));
    if (isNaN(ref)) continue;
    const stamp = load<f64>(times + (<usize>i << 3));
    const problem = rowProblem(ref, stamp, highest);
    if (problem) {
      rejected = refuse(rejects, rejected, i, problem);
      continue;
    }
    const slot = <u32>(<u64>ref);
    const row = rowOf(slot);
    const time = <i64>stamp;
    const value = load<u64>(values + (<usize>i << 3));
    const verdict = judge(row, time, value, headMax, minValid, window);
    if (verdict > IGNORED) {
      rejected = refuse(rejects, rejected, i, verdict);
      continue;
    }
    if (verdict == IGNORED) {
      ignored++;
      continue;
    }
    const encoding = load<u8>(row, R_ENCODING);
    if (encoding == 2 || encoding == 3) {
      if (verdict == TAKEN) {
        rejected = refuse(rejects, rejected, i, NEEDS_HOST);
        continue;
      }
    }
    freshCount = numberInLog(row, slot, fresh, freshCount);
    const start: i64 = starts ? <i64>load<f64>(starts + (<usize>i << 3)) : 0;
    if (verdict == TAKEN) {
      appendInOrder(row, time, value, start, range, segment);
      taken++;
      if (!logAt) logAt = beginSamples(log, flags, time);
      logAt = putSample(logAt, load<u32>(row, R_LOG_ID), time, value, start);
    } else {
      store<u32>(late + (<usize>lateCount << 2), i);
      lateCount++;
      continue;
    }
    if (time < lowest) lowest = time;
    if (time > newest) newest = time;
    if (closedChunk) {
      store<u32>(closed + (<usize>closedCount << 3), slot);
      store<u32>(closed + (<usize>closedCount << 3), <u32>closedChunk, 4);
      closedCount++;
    }
  }
  // What is out of order goes into a record of its own.
  for (let k: u32 = 0; k < lateCount; k++) {
    const i = load<u32>(late + (<usize>k << 2));
    const slot = <u32>(<u64>load<f64>(refs + (<usize>i << 3)));
    const row = rowOf(slot);
    const time = <i64>load<f64>(times + (<usize>i << 3));
    const value = load<u64>(values + (<usize>i << 3));
    if (!appendOutOfOrder(row, time, value, segment)) {
      ignored++;
      continue;
    }
    oooTaken++;
    if (!oooAt) oooAt = beginSamples(oooLog, LOG_TIMES, time);
    oooAt = putSample(oooAt, load<u32>(row, R_LOG_ID), time, value, 0);
    if (time < lowest) lowest = time;
    if (time > newest) newest = time;
    if (closedChunk) {
      store<u32>(closed + (<usize>closedCount << 3), slot);
      store<u32>(closed + (<usize>closedCount << 3), <u32>closedChunk, 4);
      closedCount++;
      oooChunks++;
    }
  }
  store<u32>(out, taken, O_TAKEN);
  store<u32>(out, rejected, O_REJECTED);
  store<u32>(out, closedCount, O_CLOSED);
  store<u32>(out, freshCount, O_FRESH);
  store<u32>(out, logAt ? <u32>(logAt - log) : 0, O_LOG);
  store<u32>(out, oooAt ? <u32>(oooAt - oooLog) : 0, O_OOO_LOG);
  store<u32>(out, oooTaken, O_OOO_TAKEN);
  store<u32>(out, ignored, O_IGNORED);
  store<f64>(out, <f64>lowest, O_MIN);
  store<f64>(out, <f64>newest, O_MAX);
  store<u32>(out, oooChunks, O_OOO_CHUNKS);
}

/** Why the sample of a ref at a time cannot be taken whatever the series holds; 0 if it may be. */
// @ts-ignore: decorator
@inline
function rowProblem(ref: f64, stamp: f64, highest: f64): u32 {
  if (ref < 0) return UNKNOWN_REF;
  const whole = <u64>ref;
  const slot = <u32>whole;
  if (slot >= rowCount) return UNKNOWN_REF;
  const row = rowOf(slot);
  if (!isAlive(row) || <u32>load<u16>(row, R_GENERATION) != (<u32>(whole >> 32) & 0x7fff)) return UNKNOWN_REF;
  if (!(Math.abs(stamp) <= 9007199254740991) || stamp != Math.floor(stamp)) return stamp > highest ? TOO_FAR : OUT_OF_BOUNDS;
  return stamp > highest ? TOO_FAR : 0;
}

/** Gives a series a number in the log if it has none, and notes it then; returns how many are noted. */
// @ts-ignore: decorator
@inline
function numberInLog(row: usize, slot: u32, fresh: usize, freshCount: u32): u32 {
  if (load<u32>(row, R_LOG_ID)) return freshCount;
  store<u32>(row, nextLogId++, R_LOG_ID);
  store<u32>(fresh + (<usize>freshCount << 2), slot);
  return freshCount + 1;
}

function recordFlags(n: u32, times: usize, starts: usize): u32 {
  const flags: u32 = starts ? LOG_STARTS : 0;
  const first = n ? load<f64>(times) : 0;
  for (let i: u32 = 1; i < n; i++) if (load<f64>(times + (<usize>i << 3)) != first) return flags | LOG_TIMES;
  return flags;
}

/** Writes rows 0..n to the body of a log record without looking at what the series hold. Answers as `append` does. */
export function logRows(
  n: u32,
  refs: usize,
  times: usize,
  values: usize,
  starts: usize,
  lowest: f64,
  highest: f64,
  out: usize,
  rejects: usize,
  fresh: usize,
  log: usize,
): void {
  let taken: u32 = 0;
  let rejected: u32 = 0;
  let freshCount: u32 = 0;
  let logAt: usize = 0;
  const flags = recordFlags(n, times, starts);
  for (let i: u32 = 0; i < n; i++) {
    const ref = load<f64>(refs + (<usize>i << 3));
    if (isNaN(ref)) continue;
    const stamp = load<f64>(times + (<usize>i << 3));
    const problem = rowProblem(ref, stamp, highest);
    if (problem || stamp < lowest) {
      rejected = refuse(rejects, rejected, i, problem ? problem : OUT_OF_BOUNDS);
      continue;
    }
    const slot = <u32>(<u64>ref);
    const row = rowOf(slot);
    freshCount = numberInLog(row, slot, fresh, freshCount);
    const time = <i64>stamp;
    if (!logAt) logAt = beginSamples(log, flags, time);
    const start: i64 = starts ? <i64>load<f64>(starts + (<usize>i << 3)) : 0;
    logAt = putSample(logAt, load<u32>(row, R_LOG_ID), time, load<u64>(values + (<usize>i << 3)), start);
    taken++;
  }
  store<u32>(out, taken, O_TAKEN);
  store<u32>(out, rejected, O_REJECTED);
  store<u32>(out, freshCount, O_FRESH);
  store<u32>(out, logAt ? <u32>(logAt - log) : 0, O_LOG);
}

function refuse(rejects: usize, count: u32, index: u32, reason: u32): u32 {
  store<u32>(rejects + (<usize>count << 3), index);
  store<u32>(rejects + (<usize>count << 3), reason, 4);
  return count + 1;
}

/** Gives a series a number in the log if it has none; whether it is new there. */
export function logIdOf(slot: u32): bool {
  const row = rowOf(slot);
  if (load<u32>(row, R_LOG_ID)) return false;
  store<u32>(row, nextLogId++, R_LOG_ID);
  return true;
}
