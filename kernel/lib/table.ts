// The series of a shard: rows by slot, label pairs with their postings, names with their pairs, and the hash tables that
// find them. A pair and a name are known by their address; a series lists the addresses of its pairs in label order.

import { slabAlloc, slabRelease, slabRoom } from './slab';

// Row of a series. The first X_ROW_BYTES are the state of its open chunk; what every append needs comes first.
export const R_FLAGS: usize = 48; // u8
export const R_ENCODING: usize = 49; // u8, of the open chunk, 0: none open
export const R_LABEL_COUNT: usize = 50; // u16
export const R_LOG_ID: usize = 52; // u32, 0: not in the current generation of the log
export const R_MIN_TIME: usize = 56; // i64, first sample of the open chunk
export const R_NEXT_AT: usize = 64; // u32, when the open chunk ends at the latest, after its first sample
export const R_SEGMENT: usize = 68; // u32, sample segment with the open chunk's first sample, 0: none
export const R_GENERATION: usize = 72; // u16
export const R_FIRST: usize = 76; // u32, oldest closed chunk
export const R_LAST: usize = 80; // u32, newest closed chunk
export const R_HASH: usize = 84; // u32
export const R_HASH_NEXT: usize = 88; // u32, slot + 1; for a free row the next free slot + 1
export const R_LABELS: usize = 92; // u32, addresses of pairs
export const R_EXTRA: usize = 96; // u32, what few series have; 0: nothing of it
export const R_SELECTED: usize = 100; // u32, second of the last query that touched it, 0: never
export const R_BYTES: usize = 104;

// What series with start times or out-of-order samples have beside their row.
export const E_LAST_START: usize = 0; // i64, of the open chunk's last sample
export const E_OOO_COUNT: usize = 8; // u16
export const E_OOO_ROOM: usize = 10; // u16, entries
export const E_OOO_SEGMENT: usize = 12; // u32, as R_SEGMENT for the out-of-order buffer
export const E_OOO_FIRST: usize = 16; // u32, out-of-order chunks
export const E_OOO_OPEN: usize = 20; // u32, out-of-order buffer: (i64 time, u64 value) sorted by time
const E_BYTES: usize = 24;
/** Stands for the extra that a row has not; never written. */
const NO_EXTRA: usize = memory.data(24, 8);

export const F_ALIVE: u8 = 1;
export const F_HAS_TIME: u8 = 2; // last time is known
export const F_HAS_VALUE: u8 = 4; // last value is known
export const F_HISTOGRAM: u8 = 8; // the last sample was a histogram
export const F_DELETED: u8 = 16; // has deleted ranges (kept by the host)

const PAGE_SHIFT: u32 = 10;
const PAGE_ROWS: u32 = 1 << PAGE_SHIFT;
const MAX_PAGES: u32 = 32_768;

// Name: hash, next in bucket, first pair, number of pairs, length, bytes.
export const N_NEXT: usize = 4;
export const N_FIRST: usize = 8;
export const N_PAIRS: usize = 12;
export const N_LENGTH: usize = 16;
export const N_BYTES: usize = 20;

// Pair: what selects series by one label.
export const P_NEXT: usize = 4; // in bucket
export const P_NAME: usize = 8;
export const P_LENGTH: usize = 12; // of the value
export const P_POSTINGS: usize = 16; // address of slots; the slot itself if P_ROOM is 0
export const P_COUNT: usize = 20;
export const P_ROOM: usize = 24; // slots, and UNSORTED
export const P_SIBLING: usize = 28; // next pair of the same name
export const P_STAMP: usize = 32; // log record that defines it (low 16 bits) and its number in that record
export const P_CREATED: usize = 36; // series created with it so far
export const P_BYTES: usize = 40;
/** In P_ROOM: the postings are not in order. */
const UNSORTED: u32 = 0x80000000;

let pages: usize = 0;
export let rowCount: u32 = 0; // slots in use or free
export let seriesCount: u32 = 0;
export let pairCount: u32 = 0;
export let nameCount: u32 = 0;
let freeSlot: u32 = 0; // slot + 1
let firstGeneration: u16 = 0; // of a slot that was never used
let firstName: usize = 0;

// Bucket arrays (u32), sizes are powers of two.
let seriesBuckets: usize = 0;
let seriesMask: u32 = 0;
let pairBuckets: usize = 0;
let pairMask: u32 = 0;
let nameBuckets: usize = 0;
let nameMask: u32 = 0;
let hashes: usize = 0; // of the pairs of the label set looked up last
let lastHash: u32 = 0;

export function tableHeadBytes(): u32 {
  return MAX_PAGES * 4;
}

export function tableInit(directory: usize, pairHashes: usize): void {
  pages = directory;
  hashes = pairHashes;
  seriesMask = pairMask = 1023;
  nameMask = 63;
  seriesBuckets = buckets(seriesMask);
  pairBuckets = buckets(pairMask);
  nameBuckets = buckets(nameMask);
}

/** Runs differ in it, so that refs of an earlier one are known for what they are. */
export function setFirstGeneration(generation: u32): void {
  firstGeneration = <u16>(generation & 0x7fff);
}

function buckets(mask: u32): usize {
  const address = slabAlloc((mask + 1) << 2);
  memory.fill(address, 0, <usize>(mask + 1) << 2);
  return address;
}

// @ts-ignore: decorator
@inline
export function rowOf(slot: u32): usize {
  return <usize>load<u32>(pages + (<usize>(slot >> PAGE_SHIFT) << 2)) + <usize>(slot & (PAGE_ROWS - 1)) * R_BYTES;
}

/** What the row has beside it, for reading. */
// @ts-ignore: decorator
@inline
export function extraOf(row: usize): usize {
  const extra = <usize>load<u32>(row, R_EXTRA);
  return extra ? extra : NO_EXTRA;
}

/** The same for writing: made if there is none. */
export function ownExtra(row: usize): usize {
  let extra = <usize>load<u32>(row, R_EXTRA);
  if (extra) return extra;
  extra = slabAlloc(<u32>E_BYTES);
  memory.fill(extra, 0, E_BYTES);
  store<u32>(row, <u32>extra, R_EXTRA);
  return extra;
}

/** Gives back what a row no longer needs beside it. */
export function dropExtra(row: usize): void {
  const extra = <usize>load<u32>(row, R_EXTRA);
  if (!extra || load<u32>(extra, E_OOO_FIRST) || load<u32>(extra, E_OOO_OPEN)) return;
  slabRelease(extra, <u32>E_BYTES);
  store<u32>(row, 0, R_EXTRA);
}

// @ts-ignore: decorator
@inline
export function isAlive(row: usize): bool {
  return (load<u8>(row, R_FLAGS) & F_ALIVE) != 0;
}

// @ts-ignore: decorator
@inline
export function setFlags(row: usize, set: u8, clear: u8): void {
  store<u8>(row, (load<u8>(row, R_FLAGS) & ~clear) | set, R_FLAGS);
}

const PRIME: u32 = 0x01000193;
const BASIS: u32 = 0x811c9dc5;

function mix(hash: u32): u32 {
  hash ^= hash >> 16;
  hash *= 0x85ebca6b;
  hash ^= hash >> 13;
  hash *= 0xc2b2ae35;
  return hash ^ (hash >> 16);
}

/**
 * Finds the series of a label set: `count` pairs as 2 x count lengths (u32) at `lengths` and the bytes one after another at
 * `bytes`. Returns its slot, or -1. `seriesCreate` may follow with the same arguments.
 */
export function seriesFind(lengths: usize, bytes: usize, count: u32): i32 {
  let hash = BASIS;
  let at = bytes;
  for (let i: u32 = 0; i < count; i++) {
    let pair = BASIS;
    const names = at + <usize>load<u32>(lengths + (<usize>i << 3));
    for (; at < names; at++) {
      const byte = <u32>load<u8>(at);
      hash = (hash ^ byte) * PRIME;
      pair = (pair ^ byte) * PRIME;
    }
    hash = (hash ^ 0xff) * PRIME;
    pair = (pair ^ 0xff) * PRIME;
    const values = at + <usize>load<u32>(lengths + (<usize>i << 3), 4);
    for (; at < values; at++) {
      const byte = <u32>load<u8>(at);
      hash = (hash ^ byte) * PRIME;
      pair = (pair ^ byte) * PRIME;
    }
    hash = (hash ^ 0xff) * PRIME;
    store<u32>(hashes + (<usize>i << 2), mix(pair));
  }
  hash = mix(hash);
  lastHash = hash;
  for (let next = load<u32>(seriesBuckets + (<usize>(hash & seriesMask) << 2)); next; ) {
    const row = rowOf(next - 1);
    if (load<u32>(row, R_HASH) == hash && <u32>load<u16>(row, R_LABEL_COUNT) == count && sameLabels(row, lengths, bytes, count))
      return <i32>(next - 1);
    next = load<u32>(row, R_HASH_NEXT);
  }
  return -1;
}

export function seriesHash(): u32 {
  return lastHash;
}

function sameLabels(row: usize, lengths: usize, bytes: usize, count: u32): bool {
  let list = <usize>load<u32>(row, R_LABELS);
  for (let i: u32 = 0; i < count; i++) {
    const nameLength = load<u32>(lengths);
    const valueLength = load<u32>(lengths, 4);
    if (!isPair(<usize>load<u32>(list), bytes, nameLength, valueLength)) return false;
    bytes += <usize>(nameLength + valueLength);
    lengths += 8;
    list += 4;
  }
  return true;
}

// @ts-ignore: decorator
@inline
function isPair(pair: usize, bytes: usize, nameLength: u32, valueLength: u32): bool {
  const name = <usize>load<u32>(pair, P_NAME);
  return (
    load<u32>(pair, P_LENGTH) == valueLength &&
    load<u32>(name, N_LENGTH) == nameLength &&
    memory.compare(pair + P_BYTES, bytes + <usize>nameLength, <usize>valueLength) == 0 &&
    memory.compare(name + N_BYTES, bytes, <usize>nameLength) == 0
  );
}

/** The pair with these bytes (name, then value) and this hash; 0 if there is none. */
export function pairFind(bytes: usize, nameLength: u32, valueLength: u32, hash: u32): usize {
  for (let pair = <usize>load<u32>(pairBuckets + (<usize>(hash & pairMask) << 2)); pair; ) {
    if (load<u32>(pair) == hash && isPair(pair, bytes, nameLength, valueLength)) return pair;
    pair = <usize>load<u32>(pair, P_NEXT);
  }
  return 0;
}

/** The pair of the label set looked up last, if any series has it. */
export function pairOfLast(index: u32, bytes: usize, nameLength: u32, valueLength: u32): usize {
  return pairFind(bytes, nameLength, valueLength, load<u32>(hashes + (<usize>index << 2)));
}

export function pairHash(bytes: usize, nameLength: u32, valueLength: u32): u32 {
  let pair = BASIS;
  for (let i: u32 = 0; i < nameLength; i++) pair = (pair ^ <u32>load<u8>(bytes + <usize>i)) * PRIME;
  pair = (pair ^ 0xff) * PRIME;
  for (let i: u32 = nameLength; i < nameLength + valueLength; i++) pair = (pair ^ <u32>load<u8>(bytes + <usize>i)) * PRIME;
  return mix(pair);
}

export function nameFind(bytes: usize, length: u32): usize {
  let hash = BASIS;
  for (let i: u32 = 0; i < length; i++) hash = (hash ^ <u32>load<u8>(bytes + <usize>i)) * PRIME;
  hash = mix(hash);
  for (let name = <usize>load<u32>(nameBuckets + (<usize>(hash & nameMask) << 2)); name; ) {
    if (load<u32>(name) == hash && load<u32>(name, N_LENGTH) == length && memory.compare(name + N_BYTES, bytes, <usize>length) == 0)
      return name;
    name = <usize>load<u32>(name, N_NEXT);
  }
  return 0;
}

function nameIntern(bytes: usize, length: u32): usize {
  let name = nameFind(bytes, length);
  if (name) return name;
  let hash = BASIS;
  for (let i: u32 = 0; i < length; i++) hash = (hash ^ <u32>load<u8>(bytes + <usize>i)) * PRIME;
  hash = mix(hash);
  if (nameCount > nameMask) nameMask = grow(nameBuckets, nameMask, 0);
  name = slabAlloc(<u32>N_BYTES + length);
  store<u32>(name, hash);
  store<u32>(name, 0, N_FIRST);
  store<u32>(name, 0, N_PAIRS);
  store<u32>(name, length, N_LENGTH);
  memory.copy(name + N_BYTES, bytes, <usize>length);
  const bucket = nameBuckets + (<usize>(hash & nameMask) << 2);
  store<u32>(name, load<u32>(bucket), N_NEXT);
  store<u32>(bucket, <u32>name);
  nameCount++;
  return name;
}

function pairIntern(bytes: usize, nameLength: u32, valueLength: u32, hash: u32): usize {
  let pair = pairFind(bytes, nameLength, valueLength, hash);
  if (pair) return pair;
  if (pairCount > pairMask) pairMask = grow(pairBuckets, pairMask, 1);
  const name = nameIntern(bytes, nameLength);
  pair = slabAlloc(<u32>P_BYTES + valueLength);
  memory.fill(pair, 0, P_BYTES);
  store<u32>(pair, hash);
  store<u32>(pair, <u32>name, P_NAME);
  store<u32>(pair, valueLength, P_LENGTH);
  memory.copy(pair + P_BYTES, bytes + <usize>nameLength, <usize>valueLength);
  store<u32>(pair, load<u32>(name, N_FIRST), P_SIBLING);
  store<u32>(name, <u32>pair, N_FIRST);
  store<u32>(name, load<u32>(name, N_PAIRS) + 1, N_PAIRS);
  const bucket = pairBuckets + (<usize>(hash & pairMask) << 2);
  store<u32>(pair, load<u32>(bucket), P_NEXT);
  store<u32>(bucket, <u32>pair);
  pairCount++;
  return pair;
}

/** Makes every pair one that no log record defines: stamps begin anew. */
export function forgetStamps(): void {
  for (let i: u32 = 0; i <= pairMask; i++) {
    for (let pair = <usize>load<u32>(pairBuckets + (<usize>i << 2)); pair; pair = <usize>load<u32>(pair, P_NEXT)) store<u32>(pair, 0, P_STAMP);
  }
}

/** Doubles a bucket array; entries are names (0), pairs (1) or rows (2). Returns the new mask and sets the new array. */
function grow(old: usize, mask: u32, kind: u32): u32 {
  const wide = (mask << 1) | 1;
  const fresh = buckets(wide);
  for (let i: u32 = 0; i <= mask; i++) {
    let entry = load<u32>(old + (<usize>i << 2));
    while (entry) {
      const at = kind == 2 ? rowOf(entry - 1) : <usize>entry;
      const link: usize = at + (kind == 2 ? R_HASH_NEXT : 4);
      const hash = kind == 2 ? load<u32>(at, R_HASH) : load<u32>(at);
      const following = load<u32>(link);
      const bucket = fresh + (<usize>(hash & wide) << 2);
      store<u32>(link, load<u32>(bucket));
      store<u32>(bucket, entry);
      entry = following;
    }
  }
  slabRelease(old, (mask + 1) << 2);
  if (kind == 0) nameBuckets = fresh;
  else if (kind == 1) pairBuckets = fresh;
  else seriesBuckets = fresh;
  return wide;
}

/** Makes the series that `seriesFind` did not find. Returns its slot, or -1 if there is no slot left. */
export function seriesCreate(lengths: usize, bytes: usize, count: u32): i32 {
  let slot: u32;
  if (freeSlot) {
    slot = freeSlot - 1;
    freeSlot = load<u32>(rowOf(slot), R_HASH_NEXT);
  } else {
    slot = rowCount;
    const page = slot >> PAGE_SHIFT;
    if (page >= MAX_PAGES) return -1;
    if ((slot & (PAGE_ROWS - 1)) == 0) {
      const fresh = slabAlloc(PAGE_ROWS * <u32>R_BYTES);
      memory.fill(fresh, 0, <usize>PAGE_ROWS * R_BYTES);
      store<u32>(pages + (<usize>page << 2), <u32>fresh);
    }
    store<u16>(rowOf(slot), firstGeneration, R_GENERATION);
    rowCount++;
  }
  if (seriesCount > seriesMask) seriesMask = grow(seriesBuckets, seriesMask, 2);
  const row = rowOf(slot);
  const generation = <u32>load<u16>(row, R_GENERATION);
  memory.fill(row, 0, R_BYTES);
  const labels = slabAlloc(count == 0 ? 4 : count << 2);
  for (let i: u32 = 0; i < count; i++) {
    const nameLength = load<u32>(lengths + (<usize>i << 3));
    const valueLength = load<u32>(lengths + (<usize>i << 3), 4);
    const pair = pairIntern(bytes, nameLength, valueLength, load<u32>(hashes + (<usize>i << 2)));
    store<u32>(labels + (<usize>i << 2), <u32>pair);
    addPosting(pair, slot);
    store<u32>(pair, load<u32>(pair, P_CREATED) + 1, P_CREATED);
    bytes += <usize>(nameLength + valueLength);
  }
  store<u16>(row, <u16>generation, R_GENERATION);
  store<u8>(row, F_ALIVE, R_FLAGS);
  store<u32>(row, lastHash, R_HASH);
  store<u32>(row, <u32>labels, R_LABELS);
  store<u16>(row, <u16>count, R_LABEL_COUNT);
  const bucket = seriesBuckets + (<usize>(lastHash & seriesMask) << 2);
  store<u32>(row, load<u32>(bucket), R_HASH_NEXT);
  store<u32>(bucket, slot + 1);
  seriesCount++;
  return <i32>slot;
}

function addPosting(pair: usize, slot: u32): void {
  const count = load<u32>(pair, P_COUNT);
  const unsorted = load<u32>(pair, P_ROOM) & UNSORTED;
  const room = load<u32>(pair, P_ROOM) & ~UNSORTED;
  store<u32>(pair, count + 1, P_COUNT);
  if (count == 0) {
    if (room) store<u32>(<usize>load<u32>(pair, P_POSTINGS), slot);
    else store<u32>(pair, slot, P_POSTINGS);
    return;
  }
  let list = <usize>load<u32>(pair, P_POSTINGS);
  if (room == 0) {
    const only = <u32>list;
    list = slabAlloc(16);
    store<u32>(list, only);
    store<u32>(pair, <u32>list, P_POSTINGS);
    store<u32>(pair, 4, P_ROOM);
  } else if (count == room) {
    const wide = slabRoom((room + (room >> 2) + 4) << 2) >> 2;
    const fresh = slabAlloc(wide << 2);
    memory.copy(fresh, list, <usize>count << 2);
    slabRelease(list, room << 2);
    list = fresh;
    store<u32>(pair, <u32>list, P_POSTINGS);
    store<u32>(pair, wide | unsorted, P_ROOM);
  }
  const end = list + (<usize>count << 2);
  if (load<u32>(end - 4) > slot) store<u32>(pair, load<u32>(pair, P_ROOM) | UNSORTED, P_ROOM);
  store<u32>(end, slot);
}

// Removal in three steps, each in slices between which series come and go: rows die, lists forget them, their slots are used again.

/**
 * Ends the series of rows [from, to) that hold no chunk: they are not found any more and their refs are void. Sets their bits in
 * `dead` (one per slot); the slots are not used again before `reuseDead`. Returns how many there were.
 */
export function killEmpty(from: u32, to: u32, dead: usize): u32 {
  let killed: u32 = 0;
  for (let slot = from; slot < to; slot++) {
    const row = rowOf(slot);
    if (!isAlive(row) || !isEmpty(row)) continue;
    let link = seriesBuckets + (<usize>(load<u32>(row, R_HASH) & seriesMask) << 2);
    while (load<u32>(link) != slot + 1) link = rowOf(load<u32>(link) - 1) + R_HASH_NEXT;
    store<u32>(link, load<u32>(row, R_HASH_NEXT));
    const count = <u32>load<u16>(row, R_LABEL_COUNT);
    slabRelease(<usize>load<u32>(row, R_LABELS), count == 0 ? 4 : count << 2);
    store<u32>(row, 0, R_LABELS);
    store<u16>(row, 0, R_LABEL_COUNT);
    dropExtra(row);
    store<u8>(row, 0, R_FLAGS);
    store<u16>(row, <u16>((<u32>load<u16>(row, R_GENERATION) + 1) & 0x7fff), R_GENERATION);
    const word = dead + (<usize>(slot >> 5) << 2);
    store<u32>(word, load<u32>(word) | (<u32>1 << (slot & 31)));
    killed++;
  }
  seriesCount -= killed;
  return killed;
}

/** Whether the row holds no sample at all. */
export function isEmpty(row: usize): bool {
  if (load<u32>(row, R_FIRST) || load<u8>(row, R_ENCODING)) return false;
  const extra = extraOf(row);
  return !load<u32>(extra, E_OOO_FIRST) && !load<u16>(extra, E_OOO_COUNT);
}

let sweptNames: u32 = 0;
/** The last pair of the name being swept that stays; 0: none yet. */
let sweptPair: usize = 0;

/** Slots from here on were made after rows had died. */
let deadEnd: u32 = 0;

/**
 * Begins a sweep over the names there are, whose addresses it puts at `names`; `dead` has bits for `slots` slots. Names and slots that come
 * later have nothing that is dead.
 */
export function beginSweep(names: usize, slots: u32): void {
  deadEnd = slots;
  sweptNames = 0;
  sweptPair = 0;
  for (let name = nameAfter(0); name; name = nameAfter(name)) {
    store<u32>(names, <u32>name);
    names += 4;
  }
}

/**
 * Takes dead slots out of the lists of `count` names at `names`, and frees pairs and names that have no series left; about
 * `budget` entries in one call. Returns whether there is more to do.
 */
export function sweep(names: usize, count: u32, dead: usize, budget: u32): bool {
  let done: u32 = 0;
  for (; sweptNames < count; sweptNames++) {
    const name = <usize>load<u32>(names + (<usize>sweptNames << 2));
    // New pairs come before the first: a sweep that goes on behind one that stays meets every old one.
    let link = sweptPair ? sweptPair + P_SIBLING : name + N_FIRST;
    while (load<u32>(link)) {
      if (done >= budget) return true;
      const pair = <usize>load<u32>(link);
      done += 1 + (load<u32>(pair, P_COUNT) >> 2);
      if (sweepPostings(pair, dead)) {
        sweptPair = pair;
        link = pair + P_SIBLING;
      } else {
        store<u32>(link, load<u32>(pair, P_SIBLING));
        freePair(name, pair);
      }
    }
    sweptPair = 0;
    if (load<u32>(name, N_PAIRS) == 0) freeName(name);
  }
  return false;
}

/** Lets the dead slots of [from, to) be used again, the lowest first if ranges come from the last to the first. */
export function reuseDead(from: u32, to: u32, dead: usize): void {
  for (let slot = to; slot > from; slot--) {
    if (!isDead(dead, slot - 1)) continue;
    store<u32>(rowOf(slot - 1), freeSlot, R_HASH_NEXT);
    freeSlot = slot;
  }
}

// @ts-ignore: decorator
@inline
function isDead(dead: usize, slot: u32): bool {
  return slot < deadEnd && (load<u32>(dead + (<usize>(slot >> 5) << 2)) & (<u32>1 << (slot & 31))) != 0;
}

function freePair(name: usize, pair: usize): void {
  let bucket = pairBuckets + (<usize>(load<u32>(pair) & pairMask) << 2);
  while (load<u32>(bucket) != <u32>pair) bucket = <usize>load<u32>(bucket) + P_NEXT;
  store<u32>(bucket, load<u32>(pair, P_NEXT));
  const room = load<u32>(pair, P_ROOM) & ~UNSORTED;
  if (room) slabRelease(<usize>load<u32>(pair, P_POSTINGS), room << 2);
  slabRelease(pair, <u32>P_BYTES + load<u32>(pair, P_LENGTH));
  store<u32>(name, load<u32>(name, N_PAIRS) - 1, N_PAIRS);
  pairCount--;
}

function freeName(name: usize): void {
  let link = nameBuckets + (<usize>(load<u32>(name) & nameMask) << 2);
  while (load<u32>(link) != <u32>name) link = <usize>load<u32>(link) + N_NEXT;
  store<u32>(link, load<u32>(name, N_NEXT));
  slabRelease(name, <u32>N_BYTES + load<u32>(name, N_LENGTH));
  nameCount--;
}

function sweepPostings(pair: usize, dead: usize): u32 {
  const count = load<u32>(pair, P_COUNT);
  const unsorted = load<u32>(pair, P_ROOM) & UNSORTED;
  const room = load<u32>(pair, P_ROOM) & ~UNSORTED;
  if (room == 0) {
    if (isDead(dead, load<u32>(pair, P_POSTINGS))) return 0;
    return count;
  }
  const list = <usize>load<u32>(pair, P_POSTINGS);
  let kept: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const slot = load<u32>(list + (<usize>i << 2));
    if (isDead(dead, slot)) continue;
    store<u32>(list + (<usize>kept << 2), slot);
    kept++;
  }
  store<u32>(pair, kept, P_COUNT);
  if (kept > 0 && kept < count && slabRoom(kept << 2) < slabRoom(room << 2)) {
    const fresh = slabAlloc(kept << 2);
    memory.copy(fresh, list, <usize>kept << 2);
    slabRelease(list, room << 2);
    store<u32>(pair, <u32>fresh, P_POSTINGS);
    store<u32>(pair, (slabRoom(kept << 2) >> 2) | unsorted, P_ROOM);
  }
  return kept;
}

/** The name after `name` in no particular order; 0 begins and ends. */
export function nameAfter(name: usize): usize {
  let bucket: u32 = 0;
  if (name) {
    const following = load<u32>(name, N_NEXT);
    if (following) return <usize>following;
    bucket = (load<u32>(name) & nameMask) + 1;
  }
  for (; bucket <= nameMask; bucket++) {
    const first = load<u32>(nameBuckets + (<usize>bucket << 2));
    if (first) return <usize>first;
  }
  return 0;
}

function comparePairs(a: usize, b: usize): i32 {
  const nameA = <usize>load<u32>(a, P_NAME);
  const nameB = <usize>load<u32>(b, P_NAME);
  if (nameA != nameB) return compareBytes(nameA + N_BYTES, load<u32>(nameA, N_LENGTH), nameB + N_BYTES, load<u32>(nameB, N_LENGTH));
  return compareBytes(a + P_BYTES, load<u32>(a, P_LENGTH), b + P_BYTES, load<u32>(b, P_LENGTH));
}

function compareBytes(a: usize, aLength: u32, b: usize, bLength: u32): i32 {
  const order = memory.compare(a, b, <usize>min(aLength, bLength));
  return order != 0 ? order : <i32>aLength - <i32>bLength;
}

function compareRows(a: usize, b: usize): i32 {
  const countA = <u32>load<u16>(a, R_LABEL_COUNT);
  const countB = <u32>load<u16>(b, R_LABEL_COUNT);
  const listA = <usize>load<u32>(a, R_LABELS);
  const listB = <usize>load<u32>(b, R_LABELS);
  const shared = min(countA, countB);
  for (let i: u32 = 0; i < shared; i++) {
    const x = load<u32>(listA + (<usize>i << 2));
    const y = load<u32>(listB + (<usize>i << 2));
    if (x != y) return comparePairs(<usize>x, <usize>y);
  }
  return <i32>countA - <i32>countB;
}

/** Order of two series by their labels. */
export function compareSlots(a: u32, b: u32): i32 {
  return compareRows(rowOf(a), rowOf(b));
}

/** One pass of a merge sort of slots: merges neighbouring runs of `run` entries from `from` into `to`. */
export function mergeRuns(from: usize, to: usize, count: u32, run: u32): void {
  for (let start: u32 = 0; start < count; start += run << 1) {
    let a = start;
    const aEnd = min(start + run, count);
    let b = aEnd;
    const bEnd = min(start + (run << 1), count);
    let out = to + (<usize>start << 2);
    while (a < aEnd && b < bEnd) {
      const x = load<u32>(from + (<usize>a << 2));
      const y = load<u32>(from + (<usize>b << 2));
      const order = compareRows(rowOf(x), rowOf(y));
      if (order <= 0) a++;
      else b++;
      store<u32>(out, order <= 0 ? x : y);
      out += 4;
    }
    if (a < aEnd) memory.copy(out, from + (<usize>a << 2), <usize>(aEnd - a) << 2);
    if (b < bEnd) memory.copy(out, from + (<usize>b << 2), <usize>(bEnd - b) << 2);
  }
}
