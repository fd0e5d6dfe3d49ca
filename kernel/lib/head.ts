// Samples into rows: the rules of what is taken, the open chunk, closed chunks, and the buffer of what came out of order.

import { slabAlloc, slabRelease } from './slab';
import {
  E_LAST_START,
  E_OOO_COUNT,
  E_OOO_FIRST,
  E_OOO_OPEN,
  E_OOO_ROOM,
  E_OOO_SEGMENT,
  extraOf,
  ownExtra,
  F_HAS_TIME,
  F_HAS_VALUE,
  F_HISTOGRAM,
  R_ENCODING,
  R_FIRST,
  R_FLAGS,
  R_LAST,
  R_MIN_TIME,
  R_NEXT_AT,
  R_EXTRA,
  R_SEGMENT,
  setFlags,
} from './table';
import {
  X_COUNT,
  X_LAST_TIME,
  X_LAST_START,
  X_LAST_VALUE,
  X_ROW_BYTES,
  X_STATE_BYTES,
  xorDrop,
  xorFinish,
  xorGather,
  xorLength,
  xorScatter,
  xorAppend,
  xorDecode,
} from './xor';

// Closed chunk.
export const C_NEXT: usize = 0; // u32
export const C_LENGTH: usize = 4; // u32
export const C_MIN: usize = 8; // i64
export const C_MAX: usize = 16; // i64
export const C_ENCODING: usize = 24; // u8
export const C_FLAGS: usize = 25; // u8, 1: out of order, 2: was open when logged
export const C_EPOCH: usize = 26; // u16, of out-of-order chunks
export const C_BYTES: usize = 28;

export const ENCODING_XOR: u8 = 1;
export const ENCODING_STARTS: u8 = 4;
const SAMPLES: u32 = 120;
const MAX_BYTES: u32 = 1024 - 19;
const OOO_ROOM: u32 = 32;
const SPILL_BYTES: u32 = 8;

/** Outcomes of a sample; those above TAKEN are reasons of refusal. */
export const TAKEN: u32 = 0;
export const TAKEN_OOO: u32 = 1;
export const IGNORED: u32 = 2; // exact duplicate
export const OUT_OF_ORDER: u32 = 3;
export const OUT_OF_BOUNDS: u32 = 4;
export const TOO_OLD: u32 = 5;
export const TOO_FAR: u32 = 6;
export const DUPLICATE: u32 = 7;
export const UNKNOWN_REF: u32 = 8;
export const NEEDS_HOST: u32 = 9; // the open chunk is a histogram's

export let chunkCount: u32 = 0; // closed chunks
export let openCount: u32 = 0; // open chunks
export let chunksCreated: u64 = 0;
export let oooEpoch: u32 = 0;
/** The chunk that the last call closed; 0: none. */
export let closedChunk: usize = 0;
let scratch: usize = 0; // for out-of-order encoding: times, values, state, chunk

export function headInit(area: usize): void {
  scratch = area;
}

export function nextOooEpoch(): u32 {
  oooEpoch++;
  return oooEpoch - 1;
}

// @ts-ignore: decorator
@inline
function rangeEnd(time: i64, range: i64): i64 {
  return (time / range) * range + range;
}

/** Prometheus' rules for one sample, in order or not; appends nothing. */
// @ts-ignore: decorator
@inline
export function judge(row: usize, time: i64, value: u64, headMax: i64, minValid: i64, window: i64): u32 {
  const flags = load<u8>(row, R_FLAGS);
  if (time >= minValid) {
    if (!(flags & F_HAS_TIME)) return TAKEN;
    const last = load<i64>(row, X_LAST_TIME);
    if (time > last) return TAKEN;
    if (time == last) {
      if (flags & F_HISTOGRAM) return DUPLICATE;
      return flags & F_HAS_VALUE && load<u64>(row, X_LAST_VALUE) != value ? DUPLICATE : IGNORED;
    }
  }
  if (window > 0) return time >= headMax - window ? TAKEN_OOO : TOO_OLD;
  return time < minValid ? OUT_OF_BOUNDS : OUT_OF_ORDER;
}

/** Appends an in-order sample; sets `closedChunk` when that closed a chunk. */
export function appendInOrder(row: usize, time: i64, value: u64, start: i64, range: i64, segment: u32): void {
  closedChunk = 0;
  let encoding = load<u8>(row, R_ENCODING);
  let count = <u32>load<u16>(row, X_COUNT);
  if (encoding != 0) {
    const length = xorLength(row);
    let nextAt = load<i64>(row, R_MIN_TIME) + <i64>load<u32>(row, R_NEXT_AT);
    if (count == SAMPLES / 4) {
      nextAt = chunkEnd(load<i64>(row, R_MIN_TIME), load<i64>(row, X_LAST_TIME), nextAt);
      setNextAt(row, nextAt);
    }
    if (time >= nextAt || count >= SAMPLES * 2 || length > MAX_BYTES || (start != 0 && encoding == ENCODING_XOR)) {
      closeOpen(row);
      encoding = 0;
    }
  }
  if (encoding == 0) {
    encoding = start != 0 ? ENCODING_STARTS : ENCODING_XOR;
    store<u8>(row, encoding, R_ENCODING);
    store<u16>(row, 0, X_COUNT);
    store<i64>(row, time, R_MIN_TIME);
    setNextAt(row, rangeEnd(time, range));
    store<u32>(row, segment, R_SEGMENT);
    openCount++;
    chunksCreated++;
  } else if (load<u32>(row, R_SEGMENT) == 0) store<u32>(row, segment, R_SEGMENT);
  xorAppend(0, row, time, value, start, encoding == ENCODING_STARTS ? ownExtra(row) + E_LAST_START : 0);
  setFlags(row, F_HAS_TIME | F_HAS_VALUE, F_HISTOGRAM);
}

/** Behind R_MIN_TIME; a range of more than 49 days is cut there. */
// @ts-ignore: decorator
@inline
function setNextAt(row: usize, nextAt: i64): void {
  store<u32>(row, <u32>min<i64>(nextAt - load<i64>(row, R_MIN_TIME), 0xffffffff), R_NEXT_AT);
}

function chunkEnd(start: i64, last: i64, limit: i64): i64 {
  const n = <f64>(limit - start) / (<f64>(last - start + 1) * 4);
  if (n <= 1) return limit;
  return <i64>(<f64>start + <f64>(limit - start) / Math.floor(n));
}

/** Turns the open chunk into a closed one, in `closedChunk`. */
export function closeOpen(row: usize): void {
  const length = xorLength(row);
  const last = load<i64>(row, X_LAST_TIME);
  const chunk = makeChunk(length, load<u8>(row, R_ENCODING), load<i64>(row, R_MIN_TIME), last);
  xorGather(row, chunk + C_BYTES);
  linkChunk(row, chunk);
  closedChunk = chunk;
  xorDrop(row);
  openCount--;
  store<u8>(row, 0, R_ENCODING);
  store<u32>(row, 0, R_SEGMENT);
}

/** Links a closed chunk behind the others of the series. */
export function addChunk(row: usize, bytes: usize, length: u32, encoding: u8, min: i64, max: i64): usize {
  const chunk = newChunk(bytes, length, encoding, min, max);
  linkChunk(row, chunk);
  return chunk;
}

function linkChunk(row: usize, chunk: usize): void {
  const last = <usize>load<u32>(row, R_LAST);
  if (last) store<u32>(last, <u32>chunk, C_NEXT);
  else store<u32>(row, <u32>chunk, R_FIRST);
  store<u32>(row, <u32>chunk, R_LAST);
}

/** A chunk whose bytes are still to be written; eight behind them may be touched. */
function makeChunk(length: u32, encoding: u8, min: i64, max: i64): usize {
  const chunk = slabAlloc(<u32>C_BYTES + length + SPILL_BYTES);
  store<u32>(chunk, 0, C_NEXT);
  store<u32>(chunk, length, C_LENGTH);
  store<i64>(chunk, min, C_MIN);
  store<i64>(chunk, max, C_MAX);
  store<u8>(chunk, encoding, C_ENCODING);
  store<u8>(chunk, 0, C_FLAGS);
  store<u16>(chunk, 0, C_EPOCH);
  chunkCount++;
  return chunk;
}

function newChunk(bytes: usize, length: u32, encoding: u8, min: i64, max: i64): usize {
  const chunk = makeChunk(length, encoding, min, max);
  memory.copy(chunk + C_BYTES, bytes, <usize>length);
  return chunk;
}

function freeChunk(chunk: usize): void {
  slabRelease(chunk, <u32>C_BYTES + load<u32>(chunk, C_LENGTH) + SPILL_BYTES);
  chunkCount--;
}

export function addOooChunk(row: usize, bytes: usize, length: u32, encoding: u8, min: i64, max: i64): usize {
  const chunk = newChunk(bytes, length, encoding, min, max);
  store<u8>(chunk, 1, C_FLAGS);
  store<u16>(chunk, <u16>oooEpoch, C_EPOCH);
  const extra = ownExtra(row);
  store<u32>(chunk, load<u32>(extra, E_OOO_FIRST), C_NEXT);
  store<u32>(extra, <u32>chunk, E_OOO_FIRST);
  return chunk;
}

/** Puts a sample into the out-of-order buffer; false if its time is there already. Sets `closedChunk` when the buffer was full. */
export function appendOutOfOrder(row: usize, time: i64, value: u64, segment: u32): bool {
  closedChunk = 0;
  const extra = ownExtra(row);
  let count = <u32>load<u16>(extra, E_OOO_COUNT);
  let list = <usize>load<u32>(extra, E_OOO_OPEN);
  let at = count;
  while (at > 0 && load<i64>(list + (<usize>(at - 1) << 4)) > time) at--;
  if (at > 0 && load<i64>(list + (<usize>(at - 1) << 4)) == time) return false;
  if (count == OOO_ROOM) {
    closeOutOfOrder(row);
    count = 0;
    at = 0;
    list = 0;
  }
  const room = <u32>load<u16>(extra, E_OOO_ROOM);
  if (count == 0 && !load<u32>(extra, E_OOO_SEGMENT)) store<u32>(extra, segment, E_OOO_SEGMENT);
  list = <usize>load<u32>(extra, E_OOO_OPEN);
  if (count == room || list == 0) {
    const wide: u32 = room == 0 ? 4 : room << 1;
    const fresh = slabAlloc(wide << 4);
    if (list) {
      memory.copy(fresh, list, <usize>count << 4);
      slabRelease(list, room << 4);
    }
    list = fresh;
    store<u32>(extra, <u32>list, E_OOO_OPEN);
    store<u16>(extra, <u16>wide, E_OOO_ROOM);
  }
  const place = list + (<usize>at << 4);
  memory.copy(place + 16, place, <usize>(count - at) << 4);
  store<i64>(place, time);
  store<u64>(place, value, 8);
  store<u16>(extra, <u16>(count + 1), E_OOO_COUNT);
  return true;
}

/** Encodes the out-of-order buffer at `chunk`; returns its length. */
export function encodeOutOfOrder(row: usize, state: usize, chunk: usize): u32 {
  const extra = extraOf(row);
  const count = <u32>load<u16>(extra, E_OOO_COUNT);
  const list = <usize>load<u32>(extra, E_OOO_OPEN);
  memory.fill(state, 0, X_STATE_BYTES);
  for (let i: u32 = 0; i < count; i++) {
    const entry = list + (<usize>i << 4);
    xorAppend(chunk, state, load<i64>(entry), load<u64>(entry, 8), 0, 0);
  }
  return xorFinish(chunk, state);
}

/** Turns the out-of-order buffer into a chunk, in `closedChunk`. */
export function closeOutOfOrder(row: usize): void {
  const extra = extraOf(row);
  const count = <u32>load<u16>(extra, E_OOO_COUNT);
  const room = <u32>load<u16>(extra, E_OOO_ROOM);
  const list = <usize>load<u32>(extra, E_OOO_OPEN);
  closedChunk = 0;
  if (count) {
    const length = encodeOutOfOrder(row, scratch, scratch + 64);
    closedChunk = addOooChunk(
      row,
      scratch + 64,
      length,
      ENCODING_XOR,
      load<i64>(list),
      load<i64>(list + (<usize>(count - 1) << 4)),
    );
    chunksCreated++;
  }
  if (!load<u32>(row, R_EXTRA)) return;
  if (room) slabRelease(list, room << 4);
  store<u32>(extra, 0, E_OOO_OPEN);
  store<u16>(extra, 0, E_OOO_COUNT);
  store<u16>(extra, 0, E_OOO_ROOM);
  store<u32>(extra, 0, E_OOO_SEGMENT);
}

/** Drops chunks whose samples are all before `min`; the open one too. */
export function dropBefore(row: usize, min: i64): void {
  let chunk = <usize>load<u32>(row, R_FIRST);
  while (chunk && load<i64>(chunk, C_MAX) < min) {
    const following = <usize>load<u32>(chunk, C_NEXT);
    freeChunk(chunk);
    chunk = following;
  }
  store<u32>(row, <u32>chunk, R_FIRST);
  if (!chunk) store<u32>(row, 0, R_LAST);
  const encoding = load<u8>(row, R_ENCODING);
  if (encoding != 2 && encoding != 3 && load<u8>(row, R_FLAGS) & F_HAS_TIME && load<i64>(row, X_LAST_TIME) < min) {
    if (encoding != 0) {
      store<u8>(row, 0, R_ENCODING);
      store<u32>(row, 0, R_SEGMENT);
      openCount--;
      xorDrop(row);
    }
  }
}

/** Drops out-of-order chunks of epochs up to `epoch`. */
export function dropOutOfOrder(row: usize, epoch: u32): void {
  if (!load<u32>(row, R_EXTRA)) return;
  let link = extraOf(row) + E_OOO_FIRST;
  while (load<u32>(link)) {
    const chunk = <usize>load<u32>(link);
    // Epochs wrap; what is at most half way around behind counts as before.
    if (<u16>(<u16>epoch - load<u16>(chunk, C_EPOCH)) < 0x8000) {
      store<u32>(link, load<u32>(chunk, C_NEXT));
      freeChunk(chunk);
    } else link = chunk + C_NEXT;
  }
}

/** Links a chunk that comes from the log. Chunks that are there already (same first sample) are replaced if the new one is longer. */
export function restoreChunk(row: usize, bytes: usize, length: u32, encoding: u8, min: i64, max: i64, partial: bool): void {
  let link = row + R_FIRST;
  let before: usize = 0;
  while (load<u32>(link) && load<i64>(<usize>load<u32>(link), C_MIN) < min) {
    before = <usize>load<u32>(link);
    link = before + C_NEXT;
  }
  const found = <usize>load<u32>(link);
  let following = found;
  if (found && load<i64>(found, C_MIN) == min) {
    if (load<i64>(found, C_MAX) >= max) return;
    following = <usize>load<u32>(found, C_NEXT);
    freeChunk(found);
  }
  const chunk = newChunk(bytes, length, encoding, min, max);
  if (partial) store<u8>(chunk, 2, C_FLAGS);
  store<u32>(chunk, <u32>following, C_NEXT);
  store<u32>(link, <u32>chunk);
  if (!following) store<u32>(row, <u32>chunk, R_LAST);
  if (!(load<u8>(row, R_FLAGS) & F_HAS_TIME) || load<i64>(row, X_LAST_TIME) < max) {
    store<i64>(row, max, X_LAST_TIME);
    const histogram = encoding == 2 || encoding == 3;
    setFlags(row, F_HAS_TIME | (histogram ? F_HISTOGRAM : 0), F_HAS_VALUE | (histogram ? 0 : F_HISTOGRAM));
  }
}

/**
 * Makes the newest chunk of a restored row its open one again if it was one, so that appending goes on in it. Returns false for
 * histograms and for chunks that cannot be decoded.
 */
export function reopen(row: usize, times: usize, values: usize, starts: usize, state: usize, range: i64): bool {
  const chunk = <usize>load<u32>(row, R_LAST);
  if (!chunk || load<u8>(row, R_ENCODING) || !(load<u8>(chunk, C_FLAGS) & 2)) return false;
  const encoding = load<u8>(chunk, C_ENCODING);
  if (encoding != ENCODING_XOR && encoding != ENCODING_STARTS) return false;
  const length = load<u32>(chunk, C_LENGTH);
  if (xorDecode(chunk + C_BYTES, length, times, values, encoding == ENCODING_STARTS ? starts : 0, state) <= 0) return false;
  if (load<i64>(chunk, C_MAX) != load<i64>(state, X_LAST_TIME)) return false;
  memory.copy(row, state, X_ROW_BYTES);
  if (encoding == ENCODING_STARTS) store<i64>(ownExtra(row), load<i64>(state, X_LAST_START), E_LAST_START);
  const min = load<i64>(chunk, C_MIN);
  store<i64>(row, min, R_MIN_TIME);
  const count = <u32>load<u16>(row, X_COUNT);
  let nextAt = rangeEnd(min, range);
  if (count > SAMPLES / 4) {
    nextAt = chunkEnd(min, <i64>load<f64>(times + (<usize>(SAMPLES / 4 - 1) << 3)), nextAt);
  }
  setNextAt(row, nextAt);
  store<u8>(row, encoding, R_ENCODING);
  xorScatter(chunk + C_BYTES, row);
  let link = row + R_FIRST;
  let before: usize = 0;
  while (<usize>load<u32>(link) != chunk) {
    before = <usize>load<u32>(link);
    link = before + C_NEXT;
  }
  store<u32>(link, 0);
  store<u32>(row, <u32>before, R_LAST);
  freeChunk(chunk);
  setFlags(row, F_HAS_TIME | F_HAS_VALUE, F_HISTOGRAM);
  openCount++;
  return true;
}
