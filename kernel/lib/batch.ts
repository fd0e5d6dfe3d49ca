// Many series of the head at once, for queries: where their chunks lie, and which of them are of one group. A series that has
// anything but floats in order is only marked, and read by itself.

import { C_BYTES, C_ENCODING, C_LENGTH, C_MAX, C_MIN, C_NEXT, ENCODING_STARTS, ENCODING_XOR } from './head';
import { CHUNK_BYTES, S_BYTES, S_CHUNKS, S_COUNT, S_GROUP, S_PLAIN } from './series';
import {
  E_OOO_COUNT,
  E_OOO_FIRST,
  extraOf,
  isAlive,
  P_NAME,
  R_ENCODING,
  R_FIRST,
  R_LABEL_COUNT,
  R_LABELS,
  R_MIN_TIME,
  R_SELECTED,
  rowOf,
} from './table';
import { X_LAST_TIME, xorGather, xorLength } from './xor';

/** What may be read or written behind an open chunk. */
const SPILL_BYTES: u32 = 24;

/**
 * Chunks of series that touch [min, max]: an entry of `table` for each slot, their chunks at `chunks`, open ones gathered at `open`; that they were asked for in this second, unless it is 0.
 * Returns how many slots fitted in; none if even the first did not.
 */
export function chunksOfMany(
  slots: usize,
  count: u32,
  min: f64,
  max: f64,
  second: u32,
  table: usize,
  chunks: usize,
  chunkRoom: u32,
  open: usize,
  openRoom: u32,
): u32 {
  const first = <i64>min;
  const last = <i64>max;
  const chunksEnd = chunks + <usize>chunkRoom * CHUNK_BYTES;
  const openEnd = open + <usize>openRoom;
  for (let i: u32 = 0; i < count; i++) {
    const row = rowOf(load<u32>(slots + (<usize>i << 2)));
    const entry = table + <usize>i * S_BYTES;
    const start = chunks;
    let plain: u32 = 0;
    if (isAlive(row)) {
      if (second) store<u32>(row, second, R_SELECTED);
      const extra = extraOf(row);
      if (load<u32>(extra, E_OOO_FIRST) || load<u16>(extra, E_OOO_COUNT)) plain = 1;
      for (let chunk = <usize>load<u32>(row, R_FIRST); chunk; chunk = <usize>load<u32>(chunk, C_NEXT)) {
        if (load<i64>(chunk, C_MAX) < first || load<i64>(chunk, C_MIN) > last) continue;
        const encoding = load<u8>(chunk, C_ENCODING);
        if (encoding != ENCODING_XOR && encoding != ENCODING_STARTS) plain = 1;
        if (chunks == chunksEnd) return i;
        place(chunks, chunk + C_BYTES, load<u32>(chunk, C_LENGTH), encoding);
        chunks += CHUNK_BYTES;
      }
      const encoding = load<u8>(row, R_ENCODING);
      if (encoding != 0 && load<i64>(row, X_LAST_TIME) >= first && load<i64>(row, R_MIN_TIME) <= last) {
        if (encoding != ENCODING_XOR && encoding != ENCODING_STARTS) plain = 1;
        else {
          const room = (xorLength(row) + SPILL_BYTES) & ~7;
          if (chunks == chunksEnd || open + <usize>room > openEnd) return i;
          place(chunks, open, xorGather(row, open), encoding);
          chunks += CHUNK_BYTES;
          open += <usize>room;
        }
      }
    }
    store<u32>(entry, <u32>start, S_CHUNKS);
    store<u32>(entry, <u32>((chunks - start) / CHUNK_BYTES), S_COUNT);
    store<u32>(entry, plain, S_PLAIN);
    store<u32>(entry, 0, S_GROUP);
  }
  return count;
}

// @ts-ignore: decorator
@inline
function place(at: usize, address: usize, length: u32, encoding: u32): void {
  store<u32>(at, <u32>address);
  store<u32>(at, length, 4);
  store<u32>(at, encoding, 8);
  store<u32>(at, 0, 12);
}

// Groups found so far: buckets hold a group's number + 1; for each group a slot that is in it, and a hash.
const G_BUCKETS: usize = 0; // u32, address
const G_MASK: usize = 4; // u32
const G_SLOTS: usize = 8; // u32, address
const G_HASHES: usize = 12; // u32, address
const G_COUNT: usize = 16; // u32
const G_ROOM: usize = 20; // u32

/**
 * Numbers the groups of series by the pairs whose names are among `names` (addresses), or, `without`, are not. A number for each slot
 * at `out`, `stride` bytes apart. Returns how many slots are done: fewer if there is no room for another group.
 */
export function groupSlots(
  groups: usize,
  slots: usize,
  count: u32,
  names: usize,
  nameCount: u32,
  without: bool,
  out: usize,
  stride: u32,
): u32 {
  const buckets = <usize>load<u32>(groups, G_BUCKETS);
  const mask = load<u32>(groups, G_MASK);
  const ofGroups = <usize>load<u32>(groups, G_SLOTS);
  const hashes = <usize>load<u32>(groups, G_HASHES);
  for (let i: u32 = 0; i < count; i++) {
    const slot = load<u32>(slots + (<usize>i << 2));
    const row = rowOf(slot);
    const list = <usize>load<u32>(row, R_LABELS);
    const end = list + (<usize>load<u16>(row, R_LABEL_COUNT) << 2);
    let hash: u32 = 0x811c9dc5;
    for (let at = list; at < end; at += 4) {
      const pair = load<u32>(at);
      if (isListed(pair, names, nameCount) != without) hash = (hash ^ (pair >> 4)) * 0x9e3779b1;
    }
    hash ^= hash >> 15;
    let bucket = hash & mask;
    let group: u32 = 0;
    for (;;) {
      group = load<u32>(buckets + (<usize>bucket << 2));
      if (group == 0) break;
      const before = <usize>(group - 1) << 2;
      if (load<u32>(hashes + before) == hash && isSame(row, rowOf(load<u32>(ofGroups + before)), names, nameCount, without))
        break;
      bucket = (bucket + 1) & mask;
    }
    if (group == 0) {
      const number = load<u32>(groups, G_COUNT);
      if (number == load<u32>(groups, G_ROOM)) return i;
      store<u32>(groups, number + 1, G_COUNT);
      store<u32>(ofGroups + (<usize>number << 2), slot);
      store<u32>(hashes + (<usize>number << 2), hash);
      group = number + 1;
      store<u32>(buckets + (<usize>bucket << 2), group);
    }
    store<u32>(out + <usize>i * <usize>stride, group - 1);
  }
  return count;
}

/** Puts the groups that there are into new buckets. */
export function regroup(groups: usize): void {
  const buckets = <usize>load<u32>(groups, G_BUCKETS);
  const mask = load<u32>(groups, G_MASK);
  const hashes = <usize>load<u32>(groups, G_HASHES);
  memory.fill(buckets, 0, <usize>(mask + 1) << 2);
  const count = load<u32>(groups, G_COUNT);
  for (let group: u32 = 0; group < count; group++) {
    let bucket = load<u32>(hashes + (<usize>group << 2)) & mask;
    while (load<u32>(buckets + (<usize>bucket << 2))) bucket = (bucket + 1) & mask;
    store<u32>(buckets + (<usize>bucket << 2), group + 1);
  }
}

// @ts-ignore: decorator
@inline
function isListed(pair: u32, names: usize, count: u32): bool {
  const name = load<u32>(<usize>pair, P_NAME);
  for (let i: u32 = 0; i < count; i++) if (load<u32>(names + (<usize>i << 2)) == name) return true;
  return false;
}

/** The next pair from `at` on that is part of the group's labels; 0 at the end. */
// @ts-ignore: decorator
@inline
function nextOf(at: usize, end: usize, names: usize, count: u32, without: bool): usize {
  while (at < end && isListed(load<u32>(at), names, count) == without) at += 4;
  return at;
}

function isSame(a: usize, b: usize, names: usize, count: u32, without: bool): bool {
  let x = <usize>load<u32>(a, R_LABELS);
  let y = <usize>load<u32>(b, R_LABELS);
  const xEnd = x + (<usize>load<u16>(a, R_LABEL_COUNT) << 2);
  const yEnd = y + (<usize>load<u16>(b, R_LABEL_COUNT) << 2);
  while (true) {
    x = nextOf(x, xEnd, names, count, without);
    y = nextOf(y, yEnd, names, count, without);
    if (x == xEnd || y == yEnd) return x == xEnd && y == yEnd;
    if (load<u32>(x) != load<u32>(y)) return false;
    x += 4;
    y += 4;
  }
}
