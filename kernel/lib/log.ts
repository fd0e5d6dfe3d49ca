// The bodies of log records, as docs/format/log.md describes them: samples, series and chunks, written and read back.
// Readers check every length against the end of the body and answer -1 rather than read beyond it.

import {
  addOooChunk,
  appendInOrder,
  appendOutOfOrder,
  C_BYTES,
  C_ENCODING,
  C_FLAGS,
  C_LENGTH,
  C_MAX,
  C_MIN,
  reopen,
  restoreChunk,
} from './head';
import {
  forgetStamps,
  isAlive,
  N_BYTES,
  N_LENGTH,
  P_BYTES,
  P_LENGTH,
  P_NAME,
  P_STAMP,
  R_ENCODING,
  R_LABEL_COUNT,
  R_LABELS,
  R_LOG_ID,
  rowOf,
  F_HAS_TIME,
  R_FLAGS,
  seriesCreate,
  seriesFind,
  seriesHash,
} from './table';
import { X_LAST_TIME } from './xor';

/** A sample takes at most this much of a record; the header too. */
export const LOG_SAMPLE_BYTES: u32 = 40;

// @ts-ignore: decorator
@inline
function zigzag(value: i64): u64 {
  return <u64>((value << 1) ^ (value >> 63));
}

// @ts-ignore: decorator
@inline
function unzigzag(value: u64): i64 {
  return <i64>(value >> 1) ^ -<i64>(value & 1);
}

// @ts-ignore: decorator
@inline
function putVarint(at: usize, value: u64): usize {
  while (value >= 0x80) {
    store<u8>(at, <u8>(value | 0x80));
    value >>= 7;
    at++;
  }
  store<u8>(at, <u8>value);
  return at + 1;
}

let cursor: usize = 0;
let limit: usize = 0;
let broken: bool = false;

// @ts-ignore: decorator
@inline
function takeVarint(): u64 {
  let value: u64 = 0;
  let shift: u64 = 0;
  while (cursor < limit && shift < 64) {
    const byte = <u64>load<u8>(cursor);
    cursor++;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return value;
    shift += 7;
  }
  broken = true;
  return 0;
}

// ---- samples ----

let sampleId: u32 = 0;
let sampleTime: i64 = 0;
let sampleStart: i64 = 0;
let sampleFlags: u32 = 0;
export const LOG_TIMES: u32 = 1; // every sample has its own time
export const LOG_STARTS: u32 = 2; // every sample has a start time

/** Begins a body at `out`; returns where its samples go. */
export function beginSamples(out: usize, flags: u32, time: i64): usize {
  sampleId = 0;
  sampleTime = time;
  sampleStart = time;
  sampleFlags = flags;
  store<u8>(out, <u8>flags);
  return putVarint(out + 1, zigzag(time));
}

/**
 * Writes one sample. Its first byte: bit 7 says that the series is not the one after the last (then a varint follows), bits 4-6
 * how the value is written (0: whole number, 1-3: so many decimals, 4: six decimals, 7: the bits), bits 0-3 in how many bytes.
 */
export function putSample(out: usize, id: u32, time: i64, value: u64, start: i64): usize {
  const v = reinterpret<f64>(value);
  let form: u64 = 7;
  let whole: u64 = value;
  if (isFinite(v) && value != 0x8000000000000000) {
    if (Math.abs(v) < 9007199254740992 && Math.floor(v) == v) {
      form = 0;
      whole = zigzag(<i64>v);
    } else {
      let power: f64 = 10;
      for (let decimals: u64 = 1; decimals <= 4; decimals++) {
        const scaled = nearest(v * power);
        if (Math.abs(scaled) < 140737488355328 && scaled / power == v) {
          form = decimals;
          whole = zigzag(<i64>scaled);
          break;
        }
        power *= decimals == 3 ? 1000 : 10;
      }
    }
  }
  const size: u64 = form == 7 ? 8 : (64 - clz<u64>(whole) + 7) >> 3;
  const head = out;
  out++;
  if (id != sampleId + 1) {
    out = putVarint(out, zigzag(<i64>id - <i64>sampleId));
    store<u8>(head, <u8>(0x80 | (form << 4) | size));
  } else store<u8>(head, <u8>((form << 4) | size));
  sampleId = id;
  if (sampleFlags & LOG_TIMES) {
    out = putVarint(out, zigzag(time - sampleTime));
    sampleTime = time;
  }
  if (sampleFlags & LOG_STARTS) {
    out = putVarint(out, zigzag(start - sampleStart));
    sampleStart = start;
  }
  store<u64>(out, whole);
  return out + <usize>size;
}

export let replayed: u32 = 0; // samples put back
export let skipped: u32 = 0; // already in a chunk
export let orphaned: u32 = 0; // of series whose record is lost, or of another shard

// What `replaySamples` does with samples that are not newer than their series: 0: pass over, they are in a chunk.
const LATE: u32 = 1; // all came out of order
const EITHER: u32 = 2; // out of order if they are older

/**
 * Puts the samples of a body back into the head, by `order`. `map` holds slot + 1 by log number. Returns 0, or -1 if the body is broken;
 * counts are left in `replayed`, `skipped` and `orphaned`.
 */
export function replaySamples(
  body: usize,
  bytes: u32,
  order: u32,
  map: usize,
  mapSize: u32,
  range: i64,
  times: usize,
  values: usize,
  starts: usize,
  state: usize,
): i32 {
  replayed = skipped = orphaned = 0;
  cursor = body;
  limit = body + <usize>bytes;
  broken = false;
  if (bytes == 0) return -1;
  const flags = <u32>load<u8>(cursor);
  cursor++;
  let time = unzigzag(takeVarint());
  let start = time;
  let id: u32 = 0;
  while (cursor < limit) {
    const head = <u32>load<u8>(cursor);
    cursor++;
    if (head & 0x80) id = <u32>(<i64>id + unzigzag(takeVarint()));
    else id++;
    if (flags & LOG_TIMES) time += unzigzag(takeVarint());
    if (flags & LOG_STARTS) start += unzigzag(takeVarint());
    const size = <usize>(head & 15);
    if (broken || size > 8 || cursor + size > limit) return -1;
    let whole: u64 = size == 0 ? 0 : load<u64>(cursor) & (<u64>0xffffffffffffffff >> <u64>(64 - (size << 3)));
    cursor += size;
    const form = (head >> 4) & 7;
    if (form != 7) {
      const scaled = <f64>unzigzag(whole);
      whole = reinterpret<u64>(
        form == 0 ? scaled : form == 1 ? scaled / 10 : form == 2 ? scaled / 100 : form == 3 ? scaled / 1000 : scaled / 1000000,
      );
    }
    const slot = id < mapSize ? load<u32>(map + (<usize>id << 2)) : 0;
    if (!slot) {
      orphaned++;
      continue;
    }
    const row = rowOf(slot - 1);
    if (!isAlive(row)) {
      orphaned++;
      continue;
    }
    const isOld = (load<u8>(row, R_FLAGS) & F_HAS_TIME) != 0 && load<i64>(row, X_LAST_TIME) >= time;
    if (order == LATE || (order == EITHER && isOld && load<i64>(row, X_LAST_TIME) != time)) {
      if (appendOutOfOrder(row, time, whole, 0)) replayed++;
      else skipped++;
    } else if (isOld) skipped++;
    else {
      if (!load<u8>(row, R_ENCODING)) reopen(row, times, values, starts, state, range);
      appendInOrder(row, time, whole, flags & LOG_STARTS ? start : 0, range, 0);
      replayed++;
    }
  }
  return 0;
}

// ---- series ----

let stamp: u32 = 0; // of the series record being written, up to 65,535
let definitions: u32 = 0;

export function beginSeries(): void {
  stamp++;
  if (stamp > 0xffff) {
    forgetStamps();
    stamp = 1;
  }
  definitions = 0;
}

/** How many bytes `putSeries` may need. */
export function seriesBytes(slot: u32): u32 {
  const row = rowOf(slot);
  const count = <u32>load<u16>(row, R_LABEL_COUNT);
  let total: u32 = 16;
  for (let i: u32 = 0; i < count; i++) {
    const pair = <usize>load<u32>(<usize>load<u32>(row, R_LABELS) + (<usize>i << 2));
    total += 16 + load<u32>(pair, P_LENGTH) + load<u32>(<usize>load<u32>(pair, P_NAME), N_LENGTH);
  }
  return total;
}

/** Writes a series: its number, how many labels, and each as the number of a pair of this record, or 0 and a new pair. */
export function putSeries(out: usize, slot: u32): usize {
  const row = rowOf(slot);
  const count = <u32>load<u16>(row, R_LABEL_COUNT);
  out = putVarint(out, load<u32>(row, R_LOG_ID));
  out = putVarint(out, count);
  for (let i: u32 = 0; i < count; i++) {
    const pair = <usize>load<u32>(<usize>load<u32>(row, R_LABELS) + (<usize>i << 2));
    const defined = load<u32>(pair, P_STAMP);
    if ((defined & 0xffff) == stamp) {
      out = putVarint(out, defined >> 16);
      continue;
    }
    definitions++;
    // At most 65,535 labels are in a record: `maxPairs` of putManySeries.
    store<u32>(pair, stamp | (definitions << 16), P_STAMP);
    out = putVarint(out, 0);
    const name = <usize>load<u32>(pair, P_NAME);
    out = putBytes(out, name + N_BYTES, load<u32>(name, N_LENGTH));
    out = putBytes(out, pair + P_BYTES, load<u32>(pair, P_LENGTH));
  }
  return out;
}

let seriesPut: u32 = 0;

/** How many of the slots `putManySeries` has written. */
export function seriesWritten(): u32 {
  return seriesPut;
}

/** Writes as many of `count` slots as fit into `room` bytes and `maxPairs` labels, at least one. Returns where they end. */
export function putManySeries(out: usize, slots: usize, count: u32, room: u32, maxPairs: u32): usize {
  const begin = out;
  let labels: u32 = 0;
  beginSeries();
  for (seriesPut = 0; seriesPut < count; seriesPut++) {
    const slot = load<u32>(slots + (<usize>seriesPut << 2));
    labels += <u32>load<u16>(rowOf(slot), R_LABEL_COUNT);
    if (seriesPut != 0 && (<u32>(out - begin) + seriesBytes(slot) > room || labels > maxPairs)) break;
    out = putSeries(out, slot);
  }
  return out;
}

function putBytes(out: usize, bytes: usize, length: u32): usize {
  out = putVarint(out, length);
  memory.copy(out, bytes, <usize>length);
  return out + <usize>length;
}

/** Begins reading a body of series. */
export function openSeries(body: usize, bytes: u32): void {
  cursor = body;
  limit = body + <usize>bytes;
  broken = false;
  definitions = 0;
}

/** Bytes that the series to be read next can at most need of `lengths` and `bytes` in `takeSeries`: all that is left. */
export function seriesLeft(): u32 {
  return <u32>(limit - cursor);
}

/**
 * Reads one series and finds or makes it. `pairs` collects where this record's pairs lie, 8 bytes each (name's address, two
 * lengths follow there). Returns its number in the log, 0 at the end, -1 if the body is broken; its slot + 1 is left in `takenSlot`
 * (0 if it belongs to another shard).
 */
export let takenSlot: u32 = 0;
export let takenNew: bool = false;

export function takeSeries(pairs: usize, maxPairs: u32, lengths: usize, bytes: usize, room: u32, shard: u32, shards: u32): i32 {
  if (cursor >= limit) return 0;
  const id = <u32>takeVarint();
  const count = <u32>takeVarint();
  if (broken || id == 0 || count > 65_536) return -1;
  let at = bytes;
  const end = bytes + <usize>room;
  for (let i: u32 = 0; i < count; i++) {
    const number = <u32>takeVarint();
    if (broken) return -1;
    let source: usize;
    if (number == 0) {
      if (definitions >= maxPairs) return -1;
      store<u32>(pairs + (<usize>definitions << 2), <u32>cursor);
      definitions++;
      source = cursor;
    } else {
      if (number > definitions) return -1;
      source = <usize>load<u32>(pairs + (<usize>(number - 1) << 2));
    }
    const resume = cursor;
    cursor = source;
    const nameLength = <u32>takeVarint();
    if (broken || cursor + <usize>nameLength > limit || at + <usize>nameLength > end) return -1;
    memory.copy(at, cursor, <usize>nameLength);
    at += <usize>nameLength;
    cursor += <usize>nameLength;
    const valueLength = <u32>takeVarint();
    if (broken || cursor + <usize>valueLength > limit || at + <usize>valueLength > end) return -1;
    memory.copy(at, cursor, <usize>valueLength);
    at += <usize>valueLength;
    cursor += <usize>valueLength;
    store<u32>(lengths + (<usize>i << 3), nameLength);
    store<u32>(lengths + (<usize>i << 3), valueLength, 4);
    if (number != 0) cursor = resume;
  }
  takenNew = false;
  let slot = seriesFind(lengths, bytes, count);
  if (seriesHash() % shards != shard) takenSlot = 0;
  else {
    if (slot < 0) {
      slot = seriesCreate(lengths, bytes, count);
      takenNew = true;
    }
    takenSlot = <u32>(slot + 1);
  }
  return <i32>id;
}

// ---- chunks ----

/** Writes a chunk: series, kind (encoding + 16 if out of order + 32 if still open), first time, span, length, bytes. */
export function putChunk(out: usize, id: u32, kind: u32, min: i64, max: i64, bytes: usize, length: u32): usize {
  out = putVarint(out, id);
  store<u8>(out, <u8>kind);
  out = putVarint(out + 1, zigzag(min));
  out = putVarint(out, <u64>(max - min));
  return putBytes(out, bytes, length);
}

export function putClosedChunk(out: usize, slot: u32, chunk: usize): usize {
  const kind = <u32>load<u8>(chunk, C_ENCODING) | (load<u8>(chunk, C_FLAGS) & 1 ? 16 : 0);
  const id = load<u32>(rowOf(slot), R_LOG_ID);
  return putChunk(out, id, kind, load<i64>(chunk, C_MIN), load<i64>(chunk, C_MAX), chunk + C_BYTES, load<u32>(chunk, C_LENGTH));
}

/** Puts the chunks of a body back. Returns how many, or -1 if the body is broken. */
export function replayChunks(body: usize, bytes: u32, map: usize, mapSize: u32): i32 {
  cursor = body;
  limit = body + <usize>bytes;
  broken = false;
  orphaned = 0;
  let count = 0;
  while (cursor < limit) {
    const id = <u32>takeVarint();
    if (cursor >= limit) return -1;
    const kind = <u32>load<u8>(cursor);
    cursor++;
    const min = unzigzag(takeVarint());
    const max = min + <i64>takeVarint();
    const length = <u32>takeVarint();
    if (broken || cursor + <usize>length > limit) return -1;
    const slot = id < mapSize ? load<u32>(map + (<usize>id << 2)) : 0;
    if (slot) {
      const row = rowOf(slot - 1);
      const encoding = <u8>(kind & 15);
      if (kind & 16) addOooChunk(row, cursor, length, encoding, min, max);
      else restoreChunk(row, cursor, length, encoding, min, max, (kind & 32) != 0);
      count++;
    } else orphaned++;
    cursor += <usize>length;
  }
  return count;
}
