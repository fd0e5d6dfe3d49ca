// Remote write 1.0 in two steps: snappy's block is decoded, then the protobuf message is walked without building a label
// string. A series is found by a fingerprint of its label bytes in a hash table; its successor in the request
// before is tried first, so in steady state a sample costs one hash over bytes that are in the cache already. Anything
// unusual ends the walk with a code: src/wire/remote/write-v1.ts then does the same slowly and words the error.

import { NO_ROOM, packLabels, UNPACKABLE } from './lib/packed';

// An entry of the table, 28 bytes: fingerprint (96 bits of the 128), the store's ref (f64), successor (entry number + 1, 0 for none),
// bytes of the labels (0: too many to predict), the epoch in which it was used last.
const ENTRY_BYTES: usize = 28;
const AT_FINGER2: usize = 8;
const AT_REF: usize = 12;
const AT_NEXT: usize = 20;
const AT_LENGTH: usize = 24;
const AT_EPOCH: usize = 26;
const PAGE_SHIFT: u32 = 12;

const OK: i32 = 0;
const CORRUPT: i32 = -1;
const FULL: i32 = -2;
const PACKED_FULL: i32 = -3;

/** A row's or extra's entry number with this bit: the index of an unknown series. */
const UNKNOWN: u32 = 0x80000000;
/** Below a ref's number of the shard: slot and generation. */
const SHARD_SHIFT: u64 = 47;

/** Addresses of pages of 4096 entries each. */
let pages: usize = 0;
let buckets: usize = 0;
let bucketMask: u32 = 0;
let entryCount: u32 = 0;
let seed1: u64 = 0;
let seed2: u64 = 0;

// @ts-ignore: decorator
@inline
function entryAt(number: u32): usize {
  return <usize>load<u32>(pages + (<usize>(number >> PAGE_SHIFT) << 2)) + <usize>(number & ((<u32>1 << PAGE_SHIFT) - 1)) * ENTRY_BYTES;
}

/** Places the table; `bucketCount` is a power of two. The caller has zeroed the buckets. */
export function setTable(pagesAt: usize, bucketsAt: usize, bucketCount: u32, count: u32, s1: u64, s2: u64): void {
  pages = pagesAt;
  buckets = bucketsAt;
  bucketMask = bucketCount - 1;
  entryCount = count;
  seed1 = s1;
  seed2 = s2;
}

export function tableCount(): u32 {
  return entryCount;
}

/** Decodes a block in [from, end) to [to, to + size); the target has 16 bytes of slack behind it. 0, or a code below 0. */
export function unsnap(from: usize, end: usize, to: usize, size: u32): i32 {
  const base = to;
  const limit = to + <usize>size;
  while (from < end) {
    const tag = <u32>load<u8>(from++);
    let length: usize;
    if ((tag & 3) == 0) {
      length = (<usize>tag >> 2) + 1;
      if (length > 60) {
        const extra = length - 60;
        if (from + extra > end) return CORRUPT;
        let value: u32 = 0;
        for (let i: usize = 0; i < extra; i++) value |= <u32>load<u8>(from + i) << (<u32>i << 3);
        if (value == 0xffffffff) return CORRUPT;
        length = <usize>value + 1;
        from += extra;
      }
      if (length > end - from || length > limit - to) return CORRUPT;
      if (length <= 16 && end - from >= 16) v128.store(to, v128.load(from));
      else memory.copy(to, from, length);
      from += length;
      to += length;
      continue;
    }
    let distance: usize;
    if ((tag & 3) == 1) {
      if (from >= end) return CORRUPT;
      length = 4 + ((<usize>tag >> 2) & 7);
      distance = <usize>(((tag & 0xe0) << 3) | <u32>load<u8>(from));
      from += 1;
    } else if ((tag & 3) == 2) {
      if (from + 2 > end) return CORRUPT;
      length = (<usize>tag >> 2) + 1;
      distance = <usize>load<u16>(from);
      from += 2;
    } else {
      if (from + 4 > end) return CORRUPT;
      length = (<usize>tag >> 2) + 1;
      distance = <usize>load<u32>(from);
      from += 4;
    }
    if (distance == 0 || distance > to - base || length > limit - to) return CORRUPT;
    if (distance >= 16) {
      // Whole vectors may write up to 15 bytes too many; what follows overwrites them, and behind the end there is slack.
      const stop = to + length;
      let source = to - distance;
      for (; to < stop; to += 16, source += 16) v128.store(to, v128.load(source));
      to = stop;
    } else {
      const stop = to + length;
      for (; to < stop; to++) store<u8>(to, load<u8>(to - distance));
    }
  }
  return to == limit ? OK : CORRUPT;
}

let finger1: u64 = 0;
let finger2: u64 = 0;

/** Sets finger1 and finger2 for [from, from + length); reads up to 15 bytes behind it and masks them away. */
// @ts-ignore: decorator
@inline
function fingerprint(from: usize, length: u32): void {
  let a = seed1 ^ <u64>length;
  let b = seed2;
  let rest: i32 = <i32>length;
  while (rest >= 16) {
    const x = load<u64>(from);
    const y = load<u64>(from, 8);
    a = (a ^ x) * 0x9e3779b97f4a7c15 + rotl<u64>(y * 0xc2b2ae3d27d4eb4f, 31);
    b = (b ^ y) * 0x165667b19e3779f9 + rotl<u64>(x * 0xff51afd7ed558ccd, 29);
    a ^= a >> 32;
    b ^= b >> 32;
    from += 16;
    rest -= 16;
  }
  if (rest > 0) {
    let x = load<u64>(from);
    let y: u64 = 0;
    if (rest < 8) x &= ((<u64>1) << (<u64>rest << 3)) - 1;
    else if (rest > 8) y = load<u64>(from, 8) & (((<u64>1) << ((<u64>rest - 8) << 3)) - 1);
    a = (a ^ x) * 0x9e3779b97f4a7c15 + rotl<u64>(y * 0xc2b2ae3d27d4eb4f, 31);
    b = (b ^ y) * 0x165667b19e3779f9 + rotl<u64>(x * 0xff51afd7ed558ccd, 29);
  }
  a ^= a >> 29;
  b ^= b >> 31;
  a = (a + rotl<u64>(b, 17)) * 0xbf58476d1ce4e5b9;
  b = (b ^ rotl<u64>(a, 23)) * 0x94d049bb133111eb;
  finger1 = a ^ (a >> 32);
  finger2 = b ^ (b >> 29);
}

/** The entry with the current fingerprint, or -1. */
function find(): i32 {
  let slot = <u32>finger1 & bucketMask;
  let number = load<u32>(buckets + (<usize>slot << 2));
  while (number != 0) {
    const entry = entryAt(number - 1);
    if (load<u64>(entry) == finger1 && load<u32>(entry, AT_FINGER2) == <u32>finger2) return <i32>(number - 1);
    slot = (slot + 1) & bucketMask;
    number = load<u32>(buckets + (<usize>slot << 2));
  }
  return -1;
}

function place(number: u32, first: u64): void {
  let slot = <u32>first & bucketMask;
  while (load<u32>(buckets + (<usize>slot << 2)) != 0) slot = (slot + 1) & bucketMask;
  store<u32>(buckets + (<usize>slot << 2), number + 1);
}

/**
 * Enters `count` series whose fingerprints are in records as a walk leaves them at `unknown`, with the refs at `refs`; NaN is
 * passed over. One that is known gets the new ref. The caller has made sure there is room.
 */
export function learn(unknown: usize, refs: usize, count: u32, epoch: u32): void {
  for (let i: u32 = 0; i < count; i++) {
    const ref = load<f64>(refs + (<usize>i << 3));
    if (isNaN(ref)) continue;
    const record = unknown + (<usize>i << 5);
    finger1 = load<u64>(record);
    finger2 = load<u64>(record, 8);
    const known = find();
    if (known >= 0) {
      store<f64>(entryAt(known), ref, AT_REF);
      continue;
    }
    const length = load<u32>(record, 20);
    const number = entryCount++;
    const entry = entryAt(number);
    store<u64>(entry, finger1);
    store<u32>(entry, <u32>finger2, AT_FINGER2);
    store<f64>(entry, ref, AT_REF);
    store<u32>(entry, 0, AT_NEXT);
    store<u16>(entry, length < 0x10000 ? <u16>length : 0, AT_LENGTH);
    store<u16>(entry, <u16>epoch, AT_EPOCH);
    place(number, finger1);
  }
}

/** Forgets entries not used since `oldest` by moving the others together; the caller sets the table anew. */
export function keepSince(oldest: u32): u32 {
  let kept: u32 = 0;
  for (let i: u32 = 0; i < entryCount; i++) {
    const entry = entryAt(i);
    // Epochs wrap.
    if (<u16>(load<u16>(entry, AT_EPOCH) - <u16>oldest) >= 0x8000) continue;
    const to = entryAt(kept);
    if (to != entry) memory.copy(to, entry, ENTRY_BYTES);
    // Entry numbers have changed: successors are found again as requests come.
    store<u32>(to, 0, AT_NEXT);
    kept++;
  }
  return kept;
}

/** Enters all entries of the table that was set into its zeroed buckets. */
export function rehash(): void {
  for (let i: u32 = 0; i < entryCount; i++) place(i, load<u64>(entryAt(i)));
}

// Where the results of a walk go: columns of rows, and lists of what is left to do outside.
let rowRefs: usize = 0;
let rowTimes: usize = 0;
let rowValues: usize = 0;
let rowSeries: usize = 0;
let rowLimit: u32 = 0;
let unknownAt: usize = 0;
let unknownLimit: u32 = 0;
let extraAt: usize = 0;
let extraLimit: u32 = 0;
let rows: u32 = 0;
let unknowns: u32 = 0;
let extras: u32 = 0;
let packedAt: usize = 0;
let packedLimit: usize = 0;
let packedEnd: usize = 0;
let canPack: bool = false;
let newest: i64 = 0;
let epochNow: u32 = 0;

/**
 * `unknown`: records of 32 bytes: fingerprint (16), start and length of the labels, two words unused. `extra`: records of 16
 * bytes: kind (0: message of a series that has exemplars or histograms, 1: metadata), start, end, entry or unknown series.
 */
export function setResults(
  refs: usize,
  times: usize,
  values: usize,
  series: usize,
  maxRows: u32,
  unknown: usize,
  maxUnknown: u32,
  extra: usize,
  maxExtra: u32,
): void {
  rowRefs = refs;
  rowTimes = times;
  rowValues = values;
  rowSeries = series;
  rowLimit = maxRows;
  unknownAt = unknown;
  unknownLimit = maxUnknown;
  extraAt = extra;
  extraLimit = maxExtra;
}

/** Where records of unknown series go. */
export function setPacked(address: usize, bytes: u32): void {
  packedAt = address;
  packedLimit = address + <usize>bytes;
}

/** Bytes of those records; -1 if there is a series whose labels the host has to look at: then it makes them all. */
export function packedBytes(): i32 {
  return canPack ? <i32>(packedEnd - packedAt) : -1;
}
/** The highest time of a sample, -2^63 if there is none. */
export function newestTime(): f64 {
  return <f64>newest;
}
export function rowCount(): u32 {
  return rows;
}
export function unknownCount(): u32 {
  return unknowns;
}
export function extraCount(): u32 {
  return extras;
}
export function entryRef(number: u32): f64 {
  return load<f64>(entryAt(number), AT_REF);
}

/** Makes the entry of a row of the last walk one that is never found: the store no longer knows its ref. */
export function forget(row: u32): void {
  const number = load<u32>(rowSeries + (<usize>row << 2));
  if (number >= UNKNOWN) return;
  const entry = entryAt(number);
  store<u32>(entry, ~load<u32>(entry, AT_FINGER2), AT_FINGER2);
  store<u16>(entry, 0, AT_LENGTH);
  store<u16>(entry, <u16>(epochNow - 0x4000), AT_EPOCH);
}

let at: usize = 0;
let bad: bool = false;

/** The varint at `at`; sets `bad` when it runs over `end` or is too long. */
// @ts-ignore: decorator
@inline
function varint(end: usize): u64 {
  let value: u64 = 0;
  let shift: u64 = 0;
  while (at < end && shift < 70) {
    const byte = load<u8>(at++);
    value |= (<u64>(byte & 0x7f)) << shift;
    if (byte < 0x80) return value;
    shift += 7;
  }
  bad = true;
  return 0;
}

/** Steps over the value of a field of this tag. */
function skip(tag: u32, end: usize): void {
  const wire = tag & 7;
  if (wire == 0) varint(end);
  else if (wire == 1) at += 8;
  else if (wire == 2) {
    const length = varint(end);
    if (length > <u64>(end - at)) bad = true;
    else at += <usize>length;
  } else if (wire == 5) at += 4;
  else bad = true;
  if (at > end) bad = true;
}

/** Walks the message in [from, end). `epoch` marks the entries it uses. 0, or a code below 0. */
export function walk(from: usize, end: usize, epoch: u32): i32 {
  rows = 0;
  unknowns = 0;
  extras = 0;
  at = from;
  bad = false;
  packedEnd = packedAt;
  canPack = true;
  newest = i64.MIN_VALUE;
  epochNow = epoch;
  let previous: usize = 0;
  let guess: u32 = 0;
  while (at < end) {
    const tag = <u32>load<u8>(at++);
    if (tag != 0x0a) {
      if (tag != 0x1a) return CORRUPT;
      const length = varint(end);
      if (bad || length > <u64>(end - at)) return CORRUPT;
      if (!addExtra(1, at, at + <usize>length, 0)) return FULL;
      at += <usize>length;
      continue;
    }
    const length = varint(end);
    if (bad || length > <u64>(end - at)) return CORRUPT;
    const start = at;
    const stop = at + <usize>length;
    let labels: u32 = 0;
    let number: i32 = -1;
    if (guess != 0) {
      // The successor's labels have this length, then samples begin: only then the fingerprint can be its own.
      const entry = entryAt(guess - 1);
      const size = <u32>load<u16>(entry, AT_LENGTH);
      if (size != 0 && start + <usize>size < stop && load<u8>(start + <usize>size) == 0x12) {
        fingerprint(start, size);
        if (load<u64>(entry) == finger1 && load<u32>(entry, AT_FINGER2) == <u32>finger2) {
          number = <i32>(guess - 1);
          labels = size;
        }
      }
    }
    if (number < 0) {
      while (at < stop && load<u8>(at) == 0x0a) {
        at++;
        const size = varint(stop);
        if (bad || size > <u64>(stop - at)) return CORRUPT;
        at += <usize>size;
      }
      labels = <u32>(at - start);
      fingerprint(start, labels);
      number = find();
      if (previous != 0) store<u32>(previous, <u32>(number + 1), AT_NEXT);
    }
    at = start + <usize>labels;
    let ref: f64;
    let series: u32;
    if (number >= 0) {
      const entry = entryAt(number);
      previous = entry;
      guess = load<u32>(entry, AT_NEXT);
      store<u16>(entry, <u16>epoch, AT_EPOCH);
      ref = load<f64>(entry, AT_REF);
      series = <u32>number;
    } else {
      if (unknowns == unknownLimit) return FULL;
      const record = unknownAt + (<usize>unknowns << 5);
      store<u64>(record, finger1);
      store<u64>(record, finger2, 8);
      store<u32>(record, <u32>start, 16);
      store<u32>(record, labels, 20);
      if (canPack) {
        const end = packLabels(start, start + <usize>labels, packedEnd, packedLimit);
        if (end == NO_ROOM) return PACKED_FULL;
        if (end == UNPACKABLE) canPack = false;
        else packedEnd = end;
      }
      series = UNKNOWN | unknowns;
      ref = -<f64>(unknowns + 1);
      unknowns++;
      previous = 0;
      guess = 0;
    }
    let extra = false;
    while (at < stop) {
      const field = <u32>load<u8>(at++);
      if (field == 0x12) {
        const size = varint(stop);
        if (bad || size > <u64>(stop - at)) return CORRUPT;
        const sampleEnd = at + <usize>size;
        let value: u64 = 0;
        let time: i64 = 0;
        while (at < sampleEnd) {
          const inner = <u32>load<u8>(at++);
          if (inner == 0x09) {
            if (at + 8 > sampleEnd) return CORRUPT;
            value = load<u64>(at);
            at += 8;
          } else if (inner == 0x10) {
            time = <i64>varint(sampleEnd);
            if (bad) return CORRUPT;
          } else return CORRUPT;
        }
        if (rows == rowLimit) return FULL;
        if (time > newest) newest = time;
        const offset = <usize>rows << 3;
        store<f64>(rowRefs + offset, ref);
        store<f64>(rowTimes + offset, <f64>time);
        store<u64>(rowValues + offset, value);
        store<u32>(rowSeries + (<usize>rows << 2), series);
        rows++;
      } else if (field == 0x1a || field == 0x22) {
        extra = true;
        skip(field, stop);
        if (bad) return CORRUPT;
      } else {
        // Labels behind samples, or fields that nobody knows.
        return CORRUPT;
      }
    }
    if (extra && !addExtra(0, start, stop, series)) return FULL;
  }
  return OK;
}

function addExtra(kind: u32, start: usize, end: usize, series: u32): bool {
  if (extras == extraLimit) return false;
  const record = extraAt + (<usize>extras << 4);
  store<u32>(record, kind);
  store<u32>(record, <u32>start, 4);
  store<u32>(record, <u32>end, 8);
  store<u32>(record, series, 12);
  extras++;
  return true;
}

/**
 * Splits the rows of the last walk by the shard that their refs name. At `out`, shard by shard: refs, times, values, as many as
 * `counts` (u32 for each shard) says in the end. At `places` the shard of each row.
 */
export function spread(shards: u32, out: usize, counts: usize, places: usize): void {
  memory.fill(counts, 0, <usize>shards << 2);
  for (let i: u32 = 0; i < rows; i++) {
    const shard = <u32>(<u64>load<f64>(rowRefs + (<usize>i << 3)) >> SHARD_SHIFT);
    store<u8>(places + <usize>i, <u8>shard);
    const count = counts + (<usize>shard << 2);
    store<u32>(count, load<u32>(count) + 1);
  }
  let begin = out;
  for (let shard: u32 = 0; shard < shards; shard++) {
    const bytes = <usize>load<u32>(counts + (<usize>shard << 2)) << 3;
    let at = begin;
    for (let i: u32 = 0; i < rows; i++) {
      if (<u32>load<u8>(places + <usize>i) != shard) continue;
      const offset = <usize>i << 3;
      store<u64>(at, load<u64>(rowRefs + offset));
      store<u64>(at + bytes, load<u64>(rowTimes + offset));
      store<u64>(at + (bytes << 1), load<u64>(rowValues + offset));
      at += 8;
    }
    begin += bytes * 3;
  }
}
