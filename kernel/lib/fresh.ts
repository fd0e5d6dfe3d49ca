// Series seen for the first time, straight from a line of an exposition page to a record of bytes (packed.ts): the line's labels and
// the target's, sorted. Only what is plainly in order is taken; escapes, empty values, names in quotes, labels that the target has
// as well and unusual bounds are left to the host.

import { BASIS, HEADER, hashOn, isBefore, isUtf8, METRIC_NAME, mix, NO_ROOM, UNPACKABLE } from './packed';

/** What bounds of the family are written as floats: as in src/collect/scrape/lines.ts. */
const LE: u32 = 1;
const QUANTILE: u32 = 2;
const UNKNOWN: u32 = 4;

const MAX_LABELS: u32 = 64;
// A label: name, length of the name, value, length of the value; u32 each. The highest bit of the last says that ".0" follows.
const LABELS: usize = memory.data(64 * 16);
const NAME = memory.data<u8>([95, 95, 110, 97, 109, 101, 95, 95]);
const WHOLE: u32 = 0x80000000;

let target: usize = 0;
let targetCount: u32 = 0;

/** The target's labels at `address`: for each the lengths of name and value, a word each, and their text. */
export function setTarget(address: usize, count: u32): void {
  target = address;
  targetCount = count;
}

// @ts-ignore: decorator
@inline
function isNameByte(c: u32, isFirst: bool): bool {
  return (c | 32) - 97 < 26 || c == 95 || (!isFirst && c - 48 < 10);
}

/** How a bound is written as a float: 0 that is for the host to say, 1 as it is, 2 with ".0" behind it. */
function boundOf(from: usize, length: u32): u32 {
  if (length == 4 && load<u32>(from) == 0x666e492b) return 1;
  if (length == 0 || length > 12) return 0;
  const end = from + <usize>length;
  let whole: u32 = 0;
  let p = from;
  while (p < end && <u32>load<u8>(p) - 48 < 10) {
    p++;
    whole++;
  }
  // Longer ones are written with an exponent.
  if (whole == 0 || whole > 6 || (whole > 1 && load<u8>(from) == 48)) return 0;
  if (p == end) return 2;
  if (load<u8>(p++) != 46 || p == end || load<u8>(end - 1) == 48) return 0;
  const fraction = p;
  let zeros: u32 = 0;
  let isLeading = whole == 1 && load<u8>(from) == 48;
  for (; p < end; p++) {
    const c = <u32>load<u8>(p);
    if (c - 48 >= 10) return 0;
    if (isLeading) {
      if (c == 48) zeros++;
      else isLeading = false;
    }
  }
  return zeros > 3 || fraction == end ? 0 : 1;
}

function addLabel(count: u32, name: usize, nameLength: u32, value: usize, valueLength: u32): bool {
  // Sorted as they come; two of one name are for the host.
  let at = LABELS + (<usize>count << 4);
  while (at > LABELS) {
    const before = at - 16;
    const other = <usize>load<u32>(before);
    const otherLength = load<u32>(before, 4);
    if (isBefore(other, otherLength, name, nameLength)) break;
    if (otherLength == nameLength && memory.compare(other, name, <usize>nameLength) == 0) return false;
    v128.store(at, v128.load(before));
    at = before;
  }
  store<u32>(at, <u32>name);
  store<u32>(at, nameLength, 4);
  store<u32>(at, <u32>value, 8);
  store<u32>(at, valueLength, 12);
  return true;
}

/** The series text of `length` bytes as a record at `out`: where the record ends, or a code of packed.ts. */
export function packLine(at: usize, length: u32, bounds: u32, out: usize, limit: usize): usize {
  const end = at + <usize>length;
  let p = at;
  while (p < end && (isNameByte(<u32>load<u8>(p), p == at) || load<u8>(p) == 58)) p++;
  if (p == at) return UNPACKABLE;
  let count: u32 = 1;
  addLabel(0, NAME, 8, at, <u32>(p - at));
  if (p < end) {
    if (load<u8>(p++) != 123) return UNPACKABLE;
    while (load<u8>(p) != 125) {
      const name = p;
      while (p < end && isNameByte(<u32>load<u8>(p), p == name)) p++;
      const nameLength = <u32>(p - name);
      if (nameLength == 0 || load<u16>(p) != 0x223d) return UNPACKABLE;
      if (nameLength == 8 && load<u64>(name) == METRIC_NAME) return UNPACKABLE;
      p += 2;
      const value = p;
      let c = <u32>load<u8>(p);
      let high: u32 = 0;
      while (c != 34) {
        if (c == 92 || c < 32 || p >= end) return UNPACKABLE;
        high |= c;
        c = <u32>load<u8>(++p);
      }
      let valueLength = <u32>(p - value);
      if (valueLength == 0 || (high >= 128 && !isUtf8(value, p))) return UNPACKABLE;
      p++;
      const isLe = nameLength == 2 && load<u16>(name) == 0x656c;
      if (isLe || (nameLength == 8 && load<u64>(name) == 0x656c69746e617571)) {
        if ((bounds & UNKNOWN) != 0) return UNPACKABLE;
        if ((bounds & (isLe ? LE : QUANTILE)) != 0) {
          const bound = boundOf(value, valueLength);
          if (bound == 0) return UNPACKABLE;
          if (bound == 2) valueLength |= WHOLE;
        }
      }
      if (count >= MAX_LABELS || !addLabel(count, name, nameLength, value, valueLength)) return UNPACKABLE;
      count++;
      if (load<u8>(p) == 44) p++;
      else if (load<u8>(p) != 125) return UNPACKABLE;
    }
    if (p + 1 != end) return UNPACKABLE;
  }
  let from = target;
  for (let i: u32 = 0; i < targetCount; i++) {
    const nameLength = load<u32>(from);
    const valueLength = load<u32>(from, 4);
    const name = from + 8;
    if (count >= MAX_LABELS || !addLabel(count, name, nameLength, name + <usize>nameLength, valueLength)) return UNPACKABLE;
    count++;
    from = (name + <usize>nameLength + <usize>valueLength + 3) & ~3;
  }
  return write(count, out, limit);
}

function write(count: u32, out: usize, limit: usize): usize {
  let bytes: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const label = LABELS + (<usize>i << 4);
    const valueLength = load<u32>(label, 12);
    bytes += load<u32>(label, 4) + (valueLength & ~WHOLE) + (valueLength & WHOLE ? 2 : 0);
  }
  let lengths = out + HEADER;
  const begin = lengths + (<usize>count << 3);
  if (begin + <usize>bytes + 16 > limit) return NO_ROOM;
  // The same record is the same bytes, whatever was there before.
  store<u32>((begin + <usize>bytes) & ~3, 0);
  let text = begin;
  let hash = BASIS;
  for (let i: u32 = 0; i < count; i++) {
    const label = LABELS + (<usize>i << 4);
    const nameLength = load<u32>(label, 4);
    let valueLength = load<u32>(label, 12);
    const isWhole = (valueLength & WHOLE) != 0;
    valueLength &= ~WHOLE;
    memory.copy(text, <usize>load<u32>(label), <usize>nameLength);
    hash = hashOn(hash, text, nameLength);
    text += <usize>nameLength;
    memory.copy(text, <usize>load<u32>(label, 8), <usize>valueLength);
    if (isWhole) {
      store<u16>(text + <usize>valueLength, 0x302e);
      valueLength += 2;
    }
    hash = hashOn(hash, text, valueLength);
    text += <usize>valueLength;
    store<u32>(lengths, nameLength);
    store<u32>(lengths, valueLength, 4);
    lengths += 8;
  }
  store<u32>(out, mix(hash));
  store<u32>(out, count, 4);
  store<u32>(out, bytes, 8);
  return (text + 3) & ~3;
}
