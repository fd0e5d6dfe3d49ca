// Exposition pages against what a target's last page held. A slot per line: hash and length of the series text, the series'
// number. The next line is compared with the next slot by hashing as many bytes as that slot has; only on a miss is the line
// measured and looked up. Lines that this cannot judge are returned to the host, which goes on behind them.

import { numberEnd, numberValue, readNumber } from './float';
import { packLine } from './fresh';
import { NO_ROOM, UNPACKABLE } from './packed';

// A slot's fields; 32 bytes.
const S_HASH: usize = 0;
const S_REF: usize = 8;
const S_LENGTH: usize = 16;
const S_SEEN: usize = 20;
const S_FLAGS: usize = 24;
/** Hash of the text of the exemplar that was read last; 0: none. */
const S_EXEMPLAR: usize = 28;
const SLOT_SHIFT: usize = 5;

/** A comment: the whole line with its line break, no sample. */
const COMMENT: u32 = 1;
const DROPPED: u32 = 2;
/** Present in the last scrape and ended by a stale marker when missing in the next. */
const LIVE: u32 = 4;
/** A TYPE comment. */
const TYPE: u32 = 8;

const HONOR: u32 = 1;
const TRACK: u32 = 2;
const OPENMETRICS: u32 = 4;

const END = 0;
const LINE = 1;
const NEEDS_INDEX = 2;
const FULL = 3;
/** There is no room for another slot, or for its entry in the index. */
const TABLE_FULL = 4;
/** There is no room for the labels of another series. */
const LABELS_FULL = 5;

// The state of a scan that the host looks at between calls; u32 each.
const STATE: usize = memory.data(96);
const AT: usize = 0;
const CURSOR: usize = 4;
const ROW: usize = 8;
const VISITED: usize = 12;
const TYPE_AT: usize = 16;
const SCRAPED: usize = 20;
const ADDED: usize = 24;
const DUPLICATES: usize = 28;
const OUT_OF_BOUNDS: usize = 32;
/** Slots of the table; more than the host said when there were new series. */
const COUNT: usize = 36;
/** Label sets of new series, and where the next goes. */
const SERIES: usize = 40;
const LABELS_AT: usize = 44;
// What the host says of new series: whether they are taken here at all, slots that there is room for, where label sets must end, the TYPE
// comment that the next word is for, and how the family writes its bounds.
const TAKES_NEW: usize = 48;
const CAPACITY: usize = 52;
const LABELS_END: usize = 56;
const BOUNDS_AT: usize = 60;
const BOUNDS: usize = 64;
const UNKNOWN_BOUNDS: u32 = 4;

export function stateAddress(): usize {
  return STATE;
}

const KEY0: u64 = 0x9e3779b97f4a7c15;
const KEY1: u64 = 0xc2b2ae3d27d4eb4f;
const STEP0: u64 = 0x165667b19e3779f9;
const STEP1: u64 = 0x27d4eb2f165667c5;

/** 64 bits of `length` bytes. Reads up to 15 bytes behind them. */
export function hash(at: usize, length: u32): u64 {
  let sum = i64x2.splat(<i64>length);
  let key = i64x2(KEY0, KEY1);
  const step = i64x2(STEP0, STEP1);
  let p = at;
  const last = at + <usize>length;
  while (p + 16 <= last) {
    sum = mixed(sum, v128.load(p), key);
    key = i64x2.add(key, step);
    p += 16;
  }
  const rest = <i32>(last - p);
  if (rest > 0) {
    // Bytes behind the end become zeros.
    const index = v128.load(RAMP);
    const mask = i8x16.lt_s(index, i8x16.splat(<i8>rest));
    sum = mixed(sum, v128.and(v128.load(p), mask), key);
  }
  return <u64>i64x2.extract_lane(sum, 0) + rotl<u64>(<u64>i64x2.extract_lane(sum, 1), 29);
}

/** Where a hash belongs in an index: its low bits alone are not mixed well enough. */
// @ts-ignore: decorator
@inline
function placeOf(h: u64, mask: u32): u32 {
  return <u32>((h * 0x9fb21c651e98df25) >> 32) & mask;
}

const RAMP: usize = memory.data<u8>([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);

// @ts-ignore: decorator
@inline
function mixed(sum: v128, data: v128, key: v128): v128 {
  const keyed = v128.xor(data, key);
  // Low half times high half, of both lanes.
  const lows = i32x4.shuffle(keyed, keyed, 0, 2, 0, 2);
  const highs = i32x4.shuffle(keyed, keyed, 1, 3, 1, 3);
  const product = i64x2.extmul_low_i32x4_u(lows, highs);
  // The data itself goes in as well, halves swapped: a zero factor must not swallow it.
  return i64x2.add(i64x2.add(sum, product), i8x16.shuffle(data, data, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
}

// @ts-ignore: decorator
@inline
function isBlank(c: u32, openMetrics: bool): bool {
  return c == 32 || (!openMetrics && c == 9);
}

/** Length of the series text of a line, or of a whole comment; 0 when it is neither. */
function extent(at: usize, end: usize): u32 {
  let p = at;
  let c = <u32>load<u8>(p);
  if (c == 35) {
    while (p < end && load<u8>(p) != 10) p++;
    return p < end ? <u32>(p + 1 - at) : 0;
  }
  while (p < end && c != 123 && c != 32 && c != 9 && c != 10) c = <u32>load<u8>(++p);
  if (p >= end || c == 10) return 0;
  if (c != 123) return <u32>(p - at);
  p++;
  while (p < end) {
    c = <u32>load<u8>(p++);
    if (c == 125) return <u32>(p - at);
    if (c == 10) return 0;
    if (c != 34) continue;
    while (p < end) {
      c = <u32>load<u8>(p++);
      if (c == 34) break;
      if (c == 92) p++;
    }
  }
  return 0;
}

/** Number of the slot plus one; 0 when there is none. */
export function find(at: usize, length: u32, table: usize, index: usize, mask: u32): u32 {
  const wanted = hash(at, length);
  let place = placeOf(wanted, mask);
  while (true) {
    const entry = load<u32>(index + (<usize>place << 2));
    if (entry == 0) return 0;
    const slot = table + (<usize>(entry - 1) << SLOT_SHIFT);
    if (load<u64>(slot, S_HASH) == wanted && load<u32>(slot, S_LENGTH) == length) return entry;
    place = (place + 1) & mask;
  }
}

/** Enters slots [from, count) into an index of `mask + 1` zeroed places. */
export function enter(table: usize, from: u32, count: u32, index: usize, mask: u32): void {
  for (let i = from; i < count; i++) {
    const slot = table + (<usize>i << SLOT_SHIFT);
    if (load<u32>(slot, S_LENGTH) == 0) continue;
    let place = placeOf(load<u64>(slot, S_HASH), mask);
    while (load<u32>(index + (<usize>place << 2)) != 0) place = (place + 1) & mask;
    store<u32>(index + (<usize>place << 2), i + 1);
  }
}

/** Fills a new slot. */
export function put(table: usize, slot: u32, at: usize, length: u32, ref: f64, seen: u32, flags: u32): void {
  const address = table + (<usize>slot << SLOT_SHIFT);
  store<u64>(address, hash(at, length), S_HASH);
  store<f64>(address, ref, S_REF);
  store<u32>(address, length, S_LENGTH);
  store<u32>(address, seen, S_SEEN);
  store<u32>(address, flags, S_FLAGS);
  store<u32>(address, 0, S_EXEMPLAR);
}

/** The exemplar's text, from the blank before its "#", up to the end of the line. */
// @ts-ignore: decorator
@inline
function exemplarHash(at: usize, lineEnd: usize): u32 {
  const h = hash(at, <u32>(lineEnd - at));
  return <u32>(h ^ (h >> 32)) | 1;
}

// @ts-ignore: decorator
@inline
function lineEndOf(at: usize, end: usize): usize {
  while (at < end && load<u8>(at) != 10) at++;
  return at;
}

/** The host has read the exemplar behind the series text that ends at `at`: it need not be read again while it is the same. */
export function keepExemplar(table: usize, slot: u32, at: usize, end: usize): void {
  const lineEnd = lineEndOf(at, end);
  let p = at;
  while (p < lineEnd && load<u8>(p) != 35) p++;
  if (p < lineEnd) store<u32>(table + (<usize>slot << SLOT_SHIFT), exemplarHash(p - 1, lineEnd), S_EXEMPLAR);
}

/** Copies the visited slots, in the order of the page, to a new table. */
export function arrange(from: usize, to: usize, visits: usize, visited: u32): void {
  for (let i: u32 = 0; i < visited; i++) {
    const slot = load<u32>(visits + (<usize>i << 2));
    memory.copy(to + (<usize>i << SLOT_SHIFT), from + (<usize>slot << SLOT_SHIFT), 32);
  }
}

/** Whether the slots were visited in their order. */
export function isOrdered(visits: usize, visited: u32): bool {
  for (let i: u32 = 0; i < visited; i++) if (load<u32>(visits + (<usize>i << 2)) != i) return false;
  return true;
}

/** Refs of the series that were live and have not been seen; returns how many. */
export function unseen(table: usize, count: u32, iteration: u32, refs: usize): u32 {
  let found: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const slot = table + (<usize>i << SLOT_SHIFT);
    if ((load<u32>(slot, S_FLAGS) & LIVE) != 0 && load<u32>(slot, S_SEEN) != iteration) {
      store<f64>(refs + (<usize>found << 3), load<f64>(slot, S_REF));
      found++;
    }
  }
  return found;
}

export function scan(
  end: usize,
  table: usize,
  count: u32,
  index: usize,
  mask: u32,
  iteration: u32,
  options: u32,
  defaultTimestamp: f64,
  maxTimestamp: f64,
  refs: usize,
  timestamps: usize,
  values: usize,
  capacity: u32,
  visits: usize,
): i32 {
  let at = <usize>load<u32>(STATE, AT);
  let cursor = load<u32>(STATE, CURSOR);
  let row = load<u32>(STATE, ROW);
  let visited = load<u32>(STATE, VISITED);
  let typeAt = load<u32>(STATE, TYPE_AT);
  let scraped = load<u32>(STATE, SCRAPED);
  let added = load<u32>(STATE, ADDED);
  const takesNew = load<u32>(STATE, TAKES_NEW) != 0;
  let code = END;
  const openMetrics = (options & OPENMETRICS) != 0;
  const honor = (options & HONOR) != 0;
  while (at < end) {
    if (row >= capacity) {
      code = FULL;
      break;
    }
    let slot: usize = 0;
    let length: u32 = 0;
    let isNew = false;
    if (cursor < count) {
      const expected = table + (<usize>cursor << SLOT_SHIFT);
      length = load<u32>(expected, S_LENGTH);
      if (at + length <= end && hash(at, length) == load<u64>(expected, S_HASH)) {
        if ((load<u32>(expected, S_FLAGS) & COMMENT) != 0 || isBlank(<u32>load<u8>(at + length), openMetrics)) slot = expected;
      }
    }
    if (slot == 0) {
      if (load<u8>(at) == 10 && !openMetrics) {
        at++;
        continue;
      }
      if (index == 0) {
        code = NEEDS_INDEX;
        break;
      }
      length = extent(at, end);
      const entry = length == 0 ? 0 : find(at, length, table, index, mask);
      if (load<u8>(at) != 35 && !isBlank(<u32>load<u8>(at + length), openMetrics)) {
        code = LINE;
        break;
      }
      if (entry != 0) {
        cursor = entry - 1;
        slot = table + (<usize>cursor << SLOT_SHIFT);
      } else if (length == 0 || !takesNew || load<u8>(at) == 35) {
        code = LINE;
        break;
      } else if (count >= load<u32>(STATE, CAPACITY) || (count + 1) * 2 > mask + 1) {
        code = TABLE_FULL;
        break;
      } else isNew = true;
    }
    const flags = isNew ? 0 : load<u32>(slot, S_FLAGS);
    if ((flags & COMMENT) != 0) {
      if ((flags & TYPE) != 0) typeAt = <u32>at;
      if (load<u32>(slot, S_SEEN) != iteration) {
        store<u32>(slot, iteration, S_SEEN);
        store<u32>(visits + (<usize>visited << 2), cursor);
        visited++;
      }
      at += length;
      cursor++;
      continue;
    }
    let p = at + length;
    if (openMetrics) p++;
    else while (isBlank(<u32>load<u8>(p), false)) p++;
    if (!readNumber(p)) {
      code = LINE;
      break;
    }
    const value = numberValue;
    p = numberEnd;
    let hasTime = false;
    let timestamp = defaultTimestamp;
    if (load<u8>(p) != 10) {
      if (openMetrics) {
        if (load<u16>(p) != 0x2320) {
          if (load<u8>(p) != 32 || !readNumber(p + 1) || numberValue - numberValue != 0) {
            code = LINE;
            break;
          }
          hasTime = true;
          timestamp = trunc(numberValue * 1000);
          p = numberEnd;
        }
        // An exemplar that is as it was is known to the store.
        if (load<u16>(p) == 0x2320 && !isNew) {
          const lineEnd = lineEndOf(p, end);
          if (load<u32>(slot, S_EXEMPLAR) == exemplarHash(p, lineEnd)) p = lineEnd;
        }
      } else {
        while (isBlank(<u32>load<u8>(p), false)) p++;
        const digits = p;
        let time: u64 = 0;
        let c = <u32>load<u8>(p);
        while (c - 48 < 10 && p - digits < 16) {
          time = time * 10 + <u64>(c - 48);
          c = <u32>load<u8>(++p);
        }
        if (p > digits) {
          if (p == numberEnd || time > 9007199254740991) {
            code = LINE;
            break;
          }
          hasTime = true;
          timestamp = <f64>time;
        }
        while (isBlank(<u32>load<u8>(p), false)) p++;
      }
      if (load<u8>(p) != 10) {
        code = LINE;
        break;
      }
    }
    if (p >= end) {
      code = LINE;
      break;
    }
    if (isNew) {
      const out = <usize>load<u32>(STATE, LABELS_AT);
      const bounds = load<u32>(STATE, BOUNDS_AT) == typeAt ? load<u32>(STATE, BOUNDS) : UNKNOWN_BOUNDS;
      const next = packLine(at, length, bounds, out, <usize>load<u32>(STATE, LABELS_END));
      if (next == UNPACKABLE || next == NO_ROOM) {
        code = next == NO_ROOM ? LABELS_FULL : LINE;
        break;
      }
      const series = load<u32>(STATE, SERIES) + 1;
      store<u32>(STATE, <u32>next, LABELS_AT);
      store<u32>(STATE, series, SERIES);
      slot = table + (<usize>count << SLOT_SHIFT);
      put(table, count, at, length, -(<f64>series), iteration, 0);
      enter(table, count, count + 1, index, mask);
      store<u32>(visits + (<usize>visited << 2), count);
      visited++;
      count++;
    }
    at = p + 1;
    scraped++;
    const again = !isNew && load<u32>(slot, S_SEEN) == iteration;
    if (!isNew) {
      if (!again) {
        store<u32>(slot, iteration, S_SEEN);
        store<u32>(visits + (<usize>visited << 2), cursor);
        visited++;
      }
      cursor++;
    }
    if ((flags & DROPPED) != 0) continue;
    added++;
    const own = hasTime && honor;
    if (!own) timestamp = defaultTimestamp;
    if (again && !own) {
      store<u32>(STATE, load<u32>(STATE, DUPLICATES) + 1, DUPLICATES);
      continue;
    }
    const live: u32 = !own || (options & TRACK) != 0 ? LIVE : 0;
    if ((flags & LIVE) != live) store<u32>(slot, (flags & ~LIVE) | live, S_FLAGS);
    if (timestamp > maxTimestamp) {
      store<u32>(STATE, load<u32>(STATE, OUT_OF_BOUNDS) + 1, OUT_OF_BOUNDS);
      continue;
    }
    store<f64>(refs + (<usize>row << 3), load<f64>(slot, S_REF));
    store<f64>(timestamps + (<usize>row << 3), timestamp);
    store<f64>(values + (<usize>row << 3), value);
    row++;
  }
  store<u32>(STATE, <u32>at, AT);
  store<u32>(STATE, cursor, CURSOR);
  store<u32>(STATE, row, ROW);
  store<u32>(STATE, visited, VISITED);
  store<u32>(STATE, typeAt, TYPE_AT);
  store<u32>(STATE, scraped, SCRAPED);
  store<u32>(STATE, added, ADDED);
  store<u32>(STATE, count, COUNT);
  return code;
}
