// Label sets as records of bytes, as src/model/packed.ts describes them: made from the protobuf labels of a series. What is
// not plainly in order is left to the host.

const PRIME: u32 = 0x01000193;
export const BASIS: u32 = 0x811c9dc5;
/** `__name__` as a word, little end first. */
export const METRIC_NAME: u64 = 0x5f5f656d616e5f5f;
export const HEADER: usize = 12;

/** A series cannot be packed: the host has to look at its labels. */
export const UNPACKABLE: usize = 0;
/** There is no room for the record. */
export const NO_ROOM: usize = 1;

let cursor: usize = 0;

/** A length of up to 28 bits at `cursor`; beyond `end` or longer: 0xffffffff. */
// @ts-ignore: decorator
@inline
function lengthAt(end: usize): u32 {
  let value: u32 = 0;
  let shift: u32 = 0;
  while (cursor < end && shift < 28) {
    const byte = <u32>load<u8>(cursor++);
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return value;
    shift += 7;
  }
  return 0xffffffff;
}

/** Whether [from, end) is well-formed UTF-8. */
export function isUtf8(from: usize, end: usize): bool {
  while (from < end) {
    if (from + 8 <= end && (load<u64>(from) & 0x8080808080808080) == 0) {
      from += 8;
      continue;
    }
    const first = <u32>load<u8>(from);
    if (first < 0x80) {
      from++;
      continue;
    }
    if (first < 0xc2 || first > 0xf4) return false;
    const more: usize = first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    if (from + more >= end) return false;
    const second = <u32>load<u8>(from, 1);
    const low: u32 = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    const high: u32 = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (second < low || second > high) return false;
    for (let i: usize = 2; i <= more; i++) if ((<u32>load<u8>(from + i) & 0xc0) != 0x80) return false;
    from += more + 1;
  }
  return true;
}

/** Byte order; a prefix comes first. */
export function isBefore(a: usize, aLength: u32, b: usize, bLength: u32): bool {
  const order = memory.compare(a, b, <usize>min(aLength, bLength));
  return order != 0 ? order < 0 : aLength < bLength;
}

/**
 * Writes the run of protobuf labels in [from, end) as a record at `out`, which may take up to `limit`. Returns where the record
 * ends, or one of the codes above: names must be in order, nothing empty, everything UTF-8, and there must be a metric name.
 */
export function packLabels(from: usize, end: usize, out: usize, limit: usize): usize {
  let labels: u32 = 0;
  cursor = from;
  while (cursor < end) {
    cursor++;
    const size = lengthAt(end);
    if (size > <u32>(end - cursor)) return UNPACKABLE;
    cursor += <usize>size;
    labels++;
  }
  let lengths = out + HEADER;
  const begin = lengths + (<usize>labels << 3);
  if (begin + (end - from) + 16 > limit) return NO_ROOM;
  let text = begin;
  let hash = BASIS;
  let before: usize = 0;
  let beforeLength: u32 = 0;
  let isNamed = false;
  cursor = from;
  for (let i: u32 = 0; i < labels; i++) {
    cursor++;
    const size = lengthAt(end);
    const last = cursor + <usize>size;
    if (size < 2 || load<u8>(cursor++) != 0x0a) return UNPACKABLE;
    const nameLength = lengthAt(last);
    if (nameLength == 0 || nameLength >= <u32>(last - cursor)) return UNPACKABLE;
    const name = cursor;
    cursor += <usize>nameLength;
    if (load<u8>(cursor++) != 0x12) return UNPACKABLE;
    const valueLength = lengthAt(last);
    if (valueLength == 0 || valueLength != <u32>(last - cursor)) return UNPACKABLE;
    const value = cursor;
    cursor = last;
    if (i != 0 && !isBefore(before, beforeLength, name, nameLength)) return UNPACKABLE;
    if (!isUtf8(name, name + <usize>nameLength) || !isUtf8(value, last)) return UNPACKABLE;
    if (nameLength == 8 && load<u64>(name) == METRIC_NAME) isNamed = true;
    before = name;
    beforeLength = nameLength;
    store<u32>(lengths, nameLength);
    store<u32>(lengths, valueLength, 4);
    lengths += 8;
    hash = hashOn(hash, name, nameLength);
    hash = hashOn(hash, value, valueLength);
    memory.copy(text, name, <usize>nameLength);
    text += <usize>nameLength;
    memory.copy(text, value, <usize>valueLength);
    text += <usize>valueLength;
  }
  if (!isNamed) return UNPACKABLE;
  store<u32>(out, mix(hash));
  store<u32>(out, labels, 4);
  store<u32>(out, <u32>(text - begin), 8);
  return (text + 3) & ~3;
}

// @ts-ignore: decorator
@inline
export function hashOn(hash: u32, from: usize, length: u32): u32 {
  const end = from + <usize>length;
  for (; from < end; from++) hash = (hash ^ <u32>load<u8>(from)) * PRIME;
  return (hash ^ 0xff) * PRIME;
}

export function mix(hash: u32): u32 {
  hash ^= hash >> 16;
  hash *= 0x85ebca6b;
  hash ^= hash >> 13;
  hash *= 0xc2b2ae35;
  return hash ^ (hash >> 16);
}
