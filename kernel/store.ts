// Entry of the store's kernel: what src/store calls in its shard's memory. One call appends a whole batch; the other exports
// are small steps over rows, which the host drives in slices.

import {
  addChunk,
  addOooChunk,
  C_BYTES,
  C_ENCODING,
  C_LENGTH,
  C_MAX,
  C_MIN,
  C_NEXT,
  chunkCount,
  chunksCreated,
  closedChunk,
  closeOpen,
  closeOutOfOrder,
  encodeOutOfOrder,
  headInit,
  IGNORED,
  nextOooEpoch,
  oooEpoch,
  openCount,
  OUT_OF_BOUNDS,
  TAKEN,
  TAKEN_OOO,
} from './lib/head';
import {
  openSeries,
  orphaned,
  putClosedChunk,
  putManySeries,
  seriesWritten,
  replayChunks,
  replayed,
  replaySamples,
  seriesLeft,
  skipped,
  takenNew,
  takenSlot,
  takeSeries,
  putChunk,
} from './lib/log';
import { append, logIdOf, logRows, setNextLogId } from './lib/append';
import { chunksOfMany, groupSlots, regroup } from './lib/batch';
import { resolvedNew, resolvedTo, resolveRecords } from './lib/resolve';
import {
  forgetLog,
  movePin,
  oldestSegment,
  pinnedRows,
  reopenRows,
  shelveRows,
  timesOf,
  truncateRows,
} from './lib/rows';
import { slabAlloc, slabExtend, slabFree, slabHeadBytes, slabInit, slabRelease, slabUsed } from './lib/slab';
import {
  E_OOO_COUNT,
  E_OOO_FIRST,
  E_OOO_OPEN,
  extraOf,
  F_HAS_TIME,
  F_HISTOGRAM,
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
  R_LOG_ID,
  R_MIN_TIME,
  R_SEGMENT,
  rowCount,
  rowOf,
  seriesCount,
  seriesCreate,
  setFirstGeneration,
  seriesFind,
  seriesHash,
  killEmpty,
  beginSweep,
  sweep,
  reuseDead,
  setFlags,
  tableHeadBytes,
  tableInit,
} from './lib/table';
import {
  X_BIT_LENGTH,
  X_COUNT,
  X_LAST_START,
  X_LAST_TIME,
  X_STATE_BYTES,
  xorAppend,
  xorDecode,
  xorFinish,
  xorGather,
} from './lib/xor';

export {
  append,
  chunksOfMany,
  groupSlots,
  regroup,
  logIdOf,
  logRows,
  setNextLogId,
  forgetLog,
  movePin,
  oldestSegment,
  pinnedRows,
  reopenRows,
  shelveRows,
  timesOf,
  truncateRows,
  xorDecode,
  slabExtend,
  slabFree,
  slabHeadBytes,
  slabAlloc,
  slabRelease,
  tableHeadBytes,
  setFirstGeneration,
  seriesFind,
  seriesHash,
  seriesCreate,
  killEmpty,
  beginSweep,
  sweep,
  reuseDead,
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
    xorAppend(chunk, state, <i64>load<f64>(times + offset), load<u64>(values + offset), start, starts ? state + X_LAST_START : 0);
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
 * last) as 4 + 4 + 8 + 8 + 8 bytes at `out`; with `onlyLate` closed ones that came out of order. The out-of-order buffer is encoded at `late` (1024 bytes). Returns how many, or
 * -1 if there are more than `room`.
 */
export function chunksOf(
  slot: u32,
  min: f64,
  max: f64,
  out: usize,
  room: u32,
  state: usize,
  late: usize,
  onlyLate: bool,
): i32 {
  const row = rowOf(slot);
  let count: u32 = 0;
  let first = <usize>load<u32>(row, R_FIRST);
  if (onlyLate) first = 0;
  for (let chunk = first; chunk; chunk = <usize>load<u32>(chunk, C_NEXT)) {
    const from = <f64>load<i64>(chunk, C_MIN);
    const to = <f64>load<i64>(chunk, C_MAX);
    if (to < min || from > max) continue;
    if (count == room) return -1;
    entry(out, count++, chunk + C_BYTES, load<u32>(chunk, C_LENGTH), load<u8>(chunk, C_ENCODING), from, to);
  }
  const encoding = load<u8>(row, R_ENCODING);
  if (!onlyLate && (encoding == 1 || encoding == 4)) {
    const from = <f64>load<i64>(row, R_MIN_TIME);
    const to = <f64>load<i64>(row, X_LAST_TIME);
    if (to >= min && from <= max) {
      if (count == room) return -1;
      entry(out, count++, openArea, xorGather(row, openArea), encoding, from, to);
    }
  }
  const inOrder = count;
  const extra = extraOf(row);
  for (let chunk = <usize>load<u32>(extra, E_OOO_FIRST); chunk; chunk = <usize>load<u32>(chunk, C_NEXT)) {
    const from = <f64>load<i64>(chunk, C_MIN);
    const to = <f64>load<i64>(chunk, C_MAX);
    if (to < min || from > max) continue;
    if (count == room) return -1;
    entry(out, count++, chunk + C_BYTES, load<u32>(chunk, C_LENGTH), load<u8>(chunk, C_ENCODING), from, to);
  }
  const buffered = <u32>load<u16>(extra, E_OOO_COUNT);
  if (buffered && !onlyLate) {
    const list = <usize>load<u32>(extra, E_OOO_OPEN);
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
