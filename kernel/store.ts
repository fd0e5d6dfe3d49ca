// Entry of the store's kernel: what src/store calls in its shard's memory. One call appends a whole batch; the other exports
// are small steps over rows, which the host drives in slices.

import {
  addChunk,
  addOooChunk,
  appendInOrder,
  appendOutOfOrder,
  C_BYTES,
  C_ENCODING,
  C_FLAGS,
  C_LENGTH,
  C_MAX,
  C_MIN,
  C_NEXT,
  chunkCount,
  chunksCreated,
  closedChunk,
  closeOpen,
  closeOutOfOrder,
  dropBefore,
  dropOutOfOrder,
  encodeOutOfOrder,
  headInit,
  IGNORED,
  isEmpty,
  judge,
  NEEDS_HOST,
  nextOooEpoch,
  oooEpoch,
  openCount,
  OUT_OF_BOUNDS,
  reopen,
  TAKEN,
  TAKEN_OOO,
  TOO_FAR,
  UNKNOWN_REF,
} from './lib/head';
import {
  beginSamples,
  beginSeries,
  LOG_STARTS,
  LOG_TIMES,
  openSeries,
  orphaned,
  putClosedChunk,
  putManySeries,
  putSample,
  putSeries,
  seriesWritten,
  replayChunks,
  replayed,
  replaySamples,
  seriesBytes,
  seriesLeft,
  skipped,
  takenNew,
  takenSlot,
  takeSeries,
  putChunk,
} from './lib/log';
import { resolvedNew, resolvedTo, resolveRecords } from './lib/resolve';
import { slabAlloc, slabExtend, slabFree, slabHeadBytes, slabInit, slabRelease, slabUsed } from './lib/slab';
import {
  F_HAS_TIME,
  F_HISTOGRAM,
  isAlive,
  compareSlots,
  mergeRuns,
  nameAfter,
  nameFind,
  nameCount,
  pairCount,
  pairFind,
  pairHash,
  pairOfLast,
  R_ENCODING,
  R_FIRST,
  R_FLAGS,
  R_GENERATION,
  R_LOG_ID,
  R_MIN_TIME,
  R_NEXT_AT,
  R_OOO_COUNT,
  R_OOO_FIRST,
  R_OOO_OPEN,
  R_OOO_SEGMENT,
  R_SEGMENT,
  rowCount,
  rowOf,
  seriesCount,
  seriesCreate,
  seriesFind,
  seriesHash,
  seriesRemove,
  setFlags,
  tableHeadBytes,
  tableInit,
} from './lib/table';
import { X_BIT_LENGTH, X_COUNT, X_LAST_TIME, X_STATE_BYTES, xorAppend, xorDecode, xorFinish, xorGather } from './lib/xor';

export {
  xorDecode,
  slabExtend,
  slabFree,
  slabHeadBytes,
  slabAlloc,
  slabRelease,
  tableHeadBytes,
  seriesFind,
  seriesHash,
  seriesCreate,
  seriesRemove,
  pairFind,
  pairHash,
  pairOfLast,
  nameAfter,
  nameFind,
  compareSlots,
  mergeRuns,
  rowOf,
  putManySeries,
  seriesWritten,
  resolveRecords,
  openSeries,
  seriesLeft,
  takeSeries,
  putClosedChunk,
  replayChunks,
  replaySamples,
  nextOooEpoch,
};

/** Encodes `count` samples at `chunk`, which has room for 40 bytes a sample. Returns the chunk's length in bytes. */
export function xorEncode(times: usize, values: usize, starts: usize, count: u32, chunk: usize, state: usize): u32 {
  memory.fill(state, 0, X_STATE_BYTES);
  for (let i: u32 = 0; i < count; i++) {
    const offset = <usize>i << 3;
    const start: i64 = starts ? <i64>load<f64>(starts + offset) : 0;
    xorAppend(chunk, state, <i64>load<f64>(times + offset), load<u64>(values + offset), start, starts != 0);
  }
  return xorFinish(chunk, state);
}

/** Where an open chunk is gathered; MAX_OPEN_BYTES. */
let openArea: usize = 0;

/** `area`: 64 bytes of state, 4 kB behind, and 8 kB for an open chunk; `hashes`: 4 bytes for each label that a series can have. */
export function init(freeLists: usize, arena: usize, arenaBytes: u32, directory: usize, hashes: usize, area: usize): void {
  openArea = area + 4096;
  slabInit(freeLists);
  slabExtend(arena, arenaBytes);
  tableInit(directory, hashes);
  headInit(area);
}

/** Counts, as doubles at `out`: series, slots, pairs, names, closed chunks, open chunks, chunks created, bytes in use. */
export function counts(out: usize): void {
  store<f64>(out, seriesCount);
  store<f64>(out, rowCount, 8);
  store<f64>(out, pairCount, 16);
  store<f64>(out, nameCount, 24);
  store<f64>(out, chunkCount, 32);
  store<f64>(out, openCount, 40);
  store<f64>(out, <f64>chunksCreated, 48);
  store<f64>(out, <f64>slabUsed, 56);
}

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
  const first = n ? load<f64>(times) : 0;
  let flags: u32 = starts ? LOG_STARTS : 0;
  for (let i: u32 = 1; i < n; i++) {
    if (load<f64>(times + (<usize>i << 3)) != first) {
      flags |= LOG_TIMES;
      break;
    }
  }
  let logAt: usize = 0;
  let oooAt: usize = 0;
  for (let i: u32 = 0; i < n; i++) {
    if ((i & (TOUCH_ROWS - 1)) == 0) touched ^= touchRows(refs, i, min(n, i + TOUCH_ROWS));
    const ref = load<f64>(refs + (<usize>i << 3));
    if (!(ref >= 0)) {
      if (ref < 0) rejected = refuse(rejects, rejected, i, UNKNOWN_REF);
      continue;
    }
    const whole = <u64>ref;
    const slot = <u32>whole;
    if (slot >= rowCount) {
      rejected = refuse(rejects, rejected, i, UNKNOWN_REF);
      continue;
    }
    const row = rowOf(slot);
    if (!isAlive(row) || <u32>load<u16>(row, R_GENERATION) != (<u32>(whole >> 32) & 0x7fff)) {
      rejected = refuse(rejects, rejected, i, UNKNOWN_REF);
      continue;
    }
    const stamp = load<f64>(times + (<usize>i << 3));
    if (!(Math.abs(stamp) <= 9007199254740991) || stamp != Math.floor(stamp)) {
      rejected = refuse(rejects, rejected, i, stamp > highest ? TOO_FAR : OUT_OF_BOUNDS);
      continue;
    }
    if (stamp > highest) {
      rejected = refuse(rejects, rejected, i, TOO_FAR);
      continue;
    }
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
    let id = load<u32>(row, R_LOG_ID);
    if (!id) {
      id = nextLogId++;
      store<u32>(row, id, R_LOG_ID);
      store<u32>(fresh + (<usize>freshCount << 2), slot);
      freshCount++;
    }
    const start: i64 = starts ? <i64>load<f64>(starts + (<usize>i << 3)) : 0;
    if (verdict == TAKEN) {
      appendInOrder(row, time, value, start, range, segment);
      taken++;
      if (!logAt) logAt = beginSamples(log, flags, time);
      logAt = putSample(logAt, id, time, value, start);
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

function refuse(rejects: usize, count: u32, index: u32, reason: u32): u32 {
  store<u32>(rejects + (<usize>count << 3), index);
  store<u32>(rejects + (<usize>count << 3), reason, 4);
  return count + 1;
}

/** The rule for one sample that the host appends itself (a histogram; `value` is not looked at for equal times). */
export function judgeHistogram(slot: u32, time: f64, limits: usize): u32 {
  const row = rowOf(slot);
  const minValid = <i64>load<f64>(limits);
  const t = <i64>time;
  if (t >= minValid) {
    if (!(load<u8>(row, R_FLAGS) & F_HAS_TIME) || t > load<i64>(row, X_LAST_TIME)) return TAKEN;
    // The host knows the last histogram and compares; after a float the same time is a duplicate.
    if (t == load<i64>(row, X_LAST_TIME)) return IGNORED;
  }
  const window = <i64>load<f64>(limits, 16);
  if (window > 0) return t >= <i64>load<f64>(limits, 8) - window ? TAKEN_OOO : 5;
  return t < minValid ? OUT_OF_BOUNDS : 3;
}

/** Marks that the host holds an open histogram chunk (2, 3) that began at `min`, or none (0); `last` is its last sample. */
export function setHistogram(slot: u32, encoding: u32, min: f64, last: f64, segment: u32): void {
  const row = rowOf(slot);
  store<u8>(row, <u8>encoding, R_ENCODING);
  store<u32>(row, 0, X_BIT_LENGTH);
  store<u16>(row, 0, X_COUNT);
  if (encoding == 0) {
    store<u32>(row, 0, R_SEGMENT);
    return;
  }
  store<i64>(row, <i64>min, R_MIN_TIME);
  store<i64>(row, <i64>last, X_LAST_TIME);
  if (!load<u32>(row, R_SEGMENT)) store<u32>(row, segment, R_SEGMENT);
  setFlags(row, F_HAS_TIME | F_HISTOGRAM, 0);
}

/** Gives a series a number in the log if it has none; whether it is new there. */
export function logIdOf(slot: u32): bool {
  const row = rowOf(slot);
  if (load<u32>(row, R_LOG_ID)) return false;
  store<u32>(row, nextLogId++, R_LOG_ID);
  return true;
}

export function addClosedChunk(slot: u32, bytes: usize, length: u32, encoding: u32, min: f64, max: f64, outOfOrder: bool): usize {
  const row = rowOf(slot);
  if (outOfOrder) return addOooChunk(row, bytes, length, <u8>encoding, <i64>min, <i64>max);
  return addChunk(row, bytes, length, <u8>encoding, <i64>min, <i64>max);
}

/** Closes the open float chunk, if there is one; returns it or 0. */
export function closeChunk(slot: u32): usize {
  const row = rowOf(slot);
  const encoding = load<u8>(row, R_ENCODING);
  if (encoding != 1 && encoding != 4) return 0;
  closeOpen(row);
  return closedChunk;
}

export function closeLate(slot: u32): usize {
  closeOutOfOrder(rowOf(slot));
  return closedChunk;
}

/**
 * Chunks of a series that touch [min, max], in order of their first sample, open ones included: (address, length, encoding, first,
 * last) as 4 + 4 + 8 + 8 + 8 bytes at `out`. The out-of-order buffer is encoded at `late` (1024 bytes). Returns how many, or
 * -1 if there are more than `room`.
 */
export function chunksOf(slot: u32, min: f64, max: f64, out: usize, room: u32, state: usize, late: usize): i32 {
  const row = rowOf(slot);
  let count: u32 = 0;
  for (let chunk = <usize>load<u32>(row, R_FIRST); chunk; chunk = <usize>load<u32>(chunk, C_NEXT)) {
    const from = <f64>load<i64>(chunk, C_MIN);
    const to = <f64>load<i64>(chunk, C_MAX);
    if (to < min || from > max) continue;
    if (count == room) return -1;
    entry(out, count++, chunk + C_BYTES, load<u32>(chunk, C_LENGTH), load<u8>(chunk, C_ENCODING), from, to);
  }
  const encoding = load<u8>(row, R_ENCODING);
  if (encoding == 1 || encoding == 4) {
    const from = <f64>load<i64>(row, R_MIN_TIME);
    const to = <f64>load<i64>(row, X_LAST_TIME);
    if (to >= min && from <= max) {
      if (count == room) return -1;
      entry(out, count++, openArea, xorGather(row, openArea), encoding, from, to);
    }
  }
  const inOrder = count;
  for (let chunk = <usize>load<u32>(row, R_OOO_FIRST); chunk; chunk = <usize>load<u32>(chunk, C_NEXT)) {
    const from = <f64>load<i64>(chunk, C_MIN);
    const to = <f64>load<i64>(chunk, C_MAX);
    if (to < min || from > max) continue;
    if (count == room) return -1;
    entry(out, count++, chunk + C_BYTES, load<u32>(chunk, C_LENGTH), load<u8>(chunk, C_ENCODING), from, to);
  }
  const buffered = <u32>load<u16>(row, R_OOO_COUNT);
  if (buffered) {
    const list = <usize>load<u32>(row, R_OOO_OPEN);
    const from = <f64>load<i64>(list);
    const to = <f64>load<i64>(list + (<usize>(buffered - 1) << 4));
    if (to >= min && from <= max) {
      if (count == room) return -1;
      entry(out, count++, late, encodeOutOfOrder(row, state, late), 1, from, to);
    }
  }
  // Few come out of order: insertion.
  for (let i = inOrder; i < count; i++) {
    for (let k = i; k > 0; k--) {
      const a = out + (<usize>(k - 1) << 5);
      const b = a + 32;
      if (load<f64>(a, 16) <= load<f64>(b, 16)) break;
      for (let w: usize = 0; w < 32; w += 8) {
        const kept = load<u64>(a + w);
        store<u64>(a + w, load<u64>(b + w));
        store<u64>(b + w, kept);
      }
    }
  }
  return <i32>count;
}

function entry(out: usize, index: u32, address: usize, length: u32, encoding: u8, from: f64, to: f64): void {
  const at = out + (<usize>index << 5);
  store<u32>(at, <u32>address);
  store<u32>(at, length, 4);
  store<u32>(at, encoding, 8);
  store<u32>(at, 0, 12);
  store<f64>(at, from, 16);
  store<f64>(at, to, 24);
}

/** Writes the open chunk (kind + 32) of a series as a log entry; returns the end, or `out` if there is none. */
export function putOpenChunk(out: usize, slot: u32): usize {
  const row = rowOf(slot);
  const encoding = <u32>load<u8>(row, R_ENCODING);
  if (encoding != 1 && encoding != 4) return out;
  return putChunk(
    out,
    load<u32>(row, R_LOG_ID),
    encoding | 32,
    load<i64>(row, R_MIN_TIME),
    load<i64>(row, X_LAST_TIME),
    openArea,
    xorGather(row, openArea),
  );
}

/** Writes a histogram chunk that the host encoded as a log entry. */
export function putHostChunk(out: usize, slot: u32, kind: u32, min: f64, max: f64, bytes: usize, length: u32): usize {
  return putChunk(out, load<u32>(rowOf(slot), R_LOG_ID), kind, <i64>min, <i64>max, bytes, length);
}

/**
 * Drops what is before `min` from rows [from, to) and, if `epoch` is not negative, out-of-order chunks up to it. Sets the bit of
 * each row that holds nothing any more in `dead`, if that is not 0.
 */
export function truncateRows(from: u32, to: u32, min: f64, epoch: i32, dead: usize): void {
  for (let slot = from; slot < to; slot++) {
    const row = rowOf(slot);
    if (!isAlive(row)) continue;
    dropBefore(row, <i64>min);
    if (epoch >= 0) dropOutOfOrder(row, <u32>epoch);
    if (dead && isEmpty(row)) {
      const word = dead + (<usize>(slot >> 5) << 2);
      store<u32>(word, load<u32>(word) | (<u32>1 << (slot & 31)));
    }
  }
}

/** The oldest sample segment that rows [from, to) still need, or 0xffffffff. */
export function oldestSegment(from: u32, to: u32): u32 {
  let oldest: u32 = 0xffffffff;
  for (let slot = from; slot < to; slot++) {
    const row = rowOf(slot);
    if (!isAlive(row)) continue;
    const open = load<u32>(row, R_SEGMENT);
    if (open && open < oldest) oldest = open;
    const late = load<u32>(row, R_OOO_SEGMENT);
    if (late && late < oldest) oldest = late;
  }
  return oldest;
}

/** Collects the slots in [from, to) that need a sample segment below `segment`; returns how many. */
export function pinnedRows(from: u32, to: u32, segment: u32, out: usize): u32 {
  let count: u32 = 0;
  for (let slot = from; slot < to; slot++) {
    const row = rowOf(slot);
    if (!isAlive(row)) continue;
    const open = load<u32>(row, R_SEGMENT);
    const late = load<u32>(row, R_OOO_SEGMENT);
    if (!(open && open < segment) && !(late && late < segment)) continue;
    store<u32>(out + (<usize>count << 2), slot);
    count++;
  }
  return count;
}

/** From now on the samples of the row's open chunk are needed from `segment` on only. */
export function movePin(slot: u32, segment: u32): void {
  const row = rowOf(slot);
  if (load<u8>(row, R_ENCODING)) store<u32>(row, segment, R_SEGMENT);
}

/** A new generation of the log begins: no series is in it yet. */
export function forgetLog(): void {
  nextLogId = 1;
  for (let slot: u32 = 0; slot < rowCount; slot++) {
    const row = rowOf(slot);
    store<u32>(row, 0, R_LOG_ID);
    store<u32>(row, 0, R_SEGMENT);
    store<u32>(row, 0, R_OOO_SEGMENT);
  }
}

/** Between two generations of the log: open chunks of rows [from, to) become closed ones that can be opened again. */
export function shelveRows(from: u32, to: u32): void {
  for (let slot = from; slot < to; slot++) {
    const row = rowOf(slot);
    const encoding = load<u8>(row, R_ENCODING);
    if (!isAlive(row) || (encoding != 1 && encoding != 4)) continue;
    closeOpen(row);
    store<u8>(closedChunk, 2, C_FLAGS);
  }
}

/** Opens again what was open when it was logged, in rows [from, to). */
export function reopenRows(from: u32, to: u32, times: usize, values: usize, starts: usize, state: usize, range: f64): void {
  for (let slot = from; slot < to; slot++) {
    const row = rowOf(slot);
    if (isAlive(row) && !load<u8>(row, R_ENCODING)) reopen(row, times, values, starts, state, <i64>range);
  }
}

/** Lowest and highest time of rows [from, to), as f64 at `out` (in-order) and `out` + 16 (out of order); unchanged if none. */
export function timesOf(from: u32, to: u32, out: usize): void {
  for (let slot = from; slot < to; slot++) {
    const row = rowOf(slot);
    if (!isAlive(row)) continue;
    const first = <usize>load<u32>(row, R_FIRST);
    if (first) bounds(out, load<i64>(first, C_MIN), load<i64>(row, X_LAST_TIME));
    else if (load<u8>(row, R_ENCODING)) bounds(out, load<i64>(row, R_MIN_TIME), load<i64>(row, X_LAST_TIME));
    for (let chunk = <usize>load<u32>(row, R_OOO_FIRST); chunk; chunk = <usize>load<u32>(chunk, C_NEXT))
      bounds(out + 16, load<i64>(chunk, C_MIN), load<i64>(chunk, C_MAX));
    const late = <u32>load<u16>(row, R_OOO_COUNT);
    const list = <usize>load<u32>(row, R_OOO_OPEN);
    if (late) bounds(out + 16, load<i64>(list), load<i64>(list + (<usize>(late - 1) << 4)));
  }
}

function bounds(out: usize, min: i64, max: i64): void {
  if (<f64>min < load<f64>(out)) store<f64>(out, <f64>min);
  if (<f64>max > load<f64>(out, 8)) store<f64>(out, <f64>max, 8);
}

export function replayedSamples(): u32 {
  return replayed;
}

export function skippedSamples(): u32 {
  return skipped;
}

export function orphanedEntries(): u32 {
  return orphaned;
}

export function takenSlotOf(): u32 {
  return takenSlot;
}

export function takenIsNew(): bool {
  return takenNew;
}

export function resolvedEnd(): usize {
  return resolvedTo;
}

export function resolvedMade(): u32 {
  return resolvedNew;
}

export function epochNow(): u32 {
  return oooEpoch;
}
