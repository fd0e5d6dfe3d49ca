// Deflate streams (RFC 1951) of known size into memory, in one go. What is damaged, or not exactly as long as it was said to be,
// is refused: the host then asks zlib, which says what is wrong.

const MAX_BITS: u32 = 15;
const LITERAL_ROOT: u32 = 10;
const DISTANCE_ROOT: u32 = 8;
/** Entries of a root table and of all tables behind it; more than any complete code of these roots needs. */
const TABLE_ENTRIES: u32 = 2048;

// An entry: bits of its whole code (0: no such code), extra bits or bits of the table behind, flags, and the literal, base or
// place of the table behind.
const EXTRA_SHIFT: u32 = 8;
const LITERAL: u32 = 1 << 13;
const BEHIND: u32 = 1 << 14;
const END: u32 = 1 << 15;
const VALUE_SHIFT: u32 = 16;

const LITERALS: usize = memory.data(8192);
const DISTANCES: usize = memory.data(8192);
/** Code lengths of all symbols of a block; how many codes there are of each length; the next code of each; longest by prefix. */
const LENGTHS: usize = memory.data(320);
const COUNTS: usize = memory.data(64);
const NEXT: usize = memory.data(64);
const LONGEST: usize = memory.data(1024);
/** Base and extra bits of the symbols 257.. and of the distances, for `entryOf`. */
const LENGTH_BASES: usize = memory.data<u16>([
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
]);
const LENGTH_EXTRAS: usize = memory.data<u8>([
  0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
]);
const DISTANCE_BASES: usize = memory.data<u16>([
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193,
  12289, 16385, 24577,
]);
const DISTANCE_EXTRAS: usize = memory.data<u8>([
  0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
]);
/** In which order the lengths of the code of code lengths come. */
const ORDER: usize = memory.data<u8>([16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]);

const OF_LITERALS = 0;
const OF_DISTANCES = 1;
const OF_LENGTHS = 2;

let source: usize = 0;
let sourceEnd: usize = 0;
let bits: u64 = 0;
let held: u32 = 0;

/** At least 56 bits, or all that are left. What lies above the held bits is what the next byte will be again. */
// @ts-ignore: decorator
@inline
function refill(): void {
  if (source + 8 <= sourceEnd) {
    bits |= load<u64>(source) << <u64>held;
    source += <usize>((63 - held) >> 3);
    held |= 56;
  } else {
    while (held <= 56 && source < sourceEnd) {
      bits |= <u64>load<u8>(source++) << <u64>held;
      held += 8;
    }
  }
}

// @ts-ignore: decorator
@inline
function drop(count: u32): void {
  bits >>= <u64>count;
  held -= count;
}

function reversed(code: u32, length: u32): u32 {
  let out: u32 = 0;
  for (let i: u32 = 0; i < length; i++) {
    out = (out << 1) | (code & 1);
    code >>= 1;
  }
  return out;
}

/** The entry of a symbol, without its bits; 0 for symbols that must not occur. */
function entryOf(kind: i32, symbol: u32): u32 {
  if (kind == OF_LENGTHS) return (symbol << VALUE_SHIFT) | LITERAL;
  if (kind == OF_DISTANCES) {
    if (symbol > 29) return 0;
    const base = <u32>load<u16>(DISTANCE_BASES + (<usize>symbol << 1));
    return (base << VALUE_SHIFT) | (<u32>load<u8>(DISTANCE_EXTRAS + <usize>symbol) << EXTRA_SHIFT);
  }
  if (symbol < 256) return (symbol << VALUE_SHIFT) | LITERAL;
  if (symbol == 256) return END;
  if (symbol > 285) return 0;
  const base = <u32>load<u16>(LENGTH_BASES + (<usize>(symbol - 257) << 1));
  return (base << VALUE_SHIFT) | (<u32>load<u8>(LENGTH_EXTRAS + <usize>(symbol - 257)) << EXTRA_SHIFT);
}

/** Builds the tables of a code from the lengths of its symbols. False: there is no such code. */
function build(table: usize, lengths: usize, symbols: u32, root: u32, kind: i32): bool {
  memory.fill(COUNTS, 0, 64);
  for (let i: u32 = 0; i < symbols; i++) {
    const count = COUNTS + (<usize>load<u8>(lengths + <usize>i) << 2);
    store<u32>(count, load<u32>(count) + 1);
  }
  let left: i32 = 1;
  let code: u32 = 0;
  let longest: u32 = 0;
  store<u32>(COUNTS, 0);
  for (let length: u32 = 1; length <= MAX_BITS; length++) {
    const count = load<u32>(COUNTS + (<usize>length << 2));
    left = (left << 1) - <i32>count;
    if (left < 0) return false;
    code = (code + load<u32>(COUNTS + (<usize>(length - 1) << 2))) << 1;
    store<u32>(NEXT + (<usize>length << 2), code);
    if (count) longest = length;
  }
  // Only a code of one symbol, or of none where distances need not occur, may be incomplete.
  if (left > 0 && (longest > 1 || (longest == 0 && kind != OF_DISTANCES))) return false;
  const size: u32 = 1 << root;
  const mask = size - 1;
  memory.fill(table, 0, <usize>size << 2);
  memory.fill(LONGEST, 0, <usize>size);
  let used = size;
  // Twice over all codes: first how long those of each prefix are, then where they go.
  for (let pass = longest > root ? 0 : 1; pass < 2; pass++) {
      for (let length: u32 = 1; length <= MAX_BITS; length++) {
        if (load<u32>(COUNTS + (<usize>length << 2)) == 0) continue;
        let next = load<u32>(NEXT + (<usize>length << 2));
        for (let symbol: u32 = 0; symbol < symbols; symbol++) {
          if (<u32>load<u8>(lengths + <usize>symbol) != length) continue;
          const place = reversed(next++, length);
          const prefix = <usize>(place & mask);
          if (pass == 0) {
            if (length > root) store<u8>(LONGEST + prefix, <u8>length);
            continue;
          }
          const entry = entryOf(kind, symbol);
          const filled = entry == 0 ? 0 : entry | length;
          if (length <= root) {
            for (let at = place; at < size; at += 1 << length) store<u32>(table + (<usize>at << 2), filled);
            continue;
          }
          const behindBits = <u32>load<u8>(LONGEST + prefix) - root;
          let pointer = load<u32>(table + (prefix << 2));
          if (pointer == 0) {
            if (used + (1 << behindBits) > TABLE_ENTRIES) return false;
            pointer = (used << VALUE_SHIFT) | BEHIND | (behindBits << EXTRA_SHIFT) | root;
            store<u32>(table + (prefix << 2), pointer);
            memory.fill(table + (<usize>used << 2), 0, <usize>4 << behindBits);
            used += 1 << behindBits;
          }
          const behind = table + (<usize>(pointer >> VALUE_SHIFT) << 2);
          for (let at = place >> root; at < <u32>(1 << behindBits); at += 1 << (length - root)) {
            store<u32>(behind + (<usize>at << 2), filled);
          }
        }
      }
  }
  return true;
}

/** The entry that the next bits stand for. */
// @ts-ignore: decorator
@inline
function look(table: usize, root: u32): u32 {
  let entry = load<u32>(table + (<usize>(<u32>bits & ((1 << root) - 1)) << 2));
  if (entry & BEHIND) {
    const mask: u32 = (1 << ((entry >> EXTRA_SHIFT) & 15)) - 1;
    entry = load<u32>(table + (<usize>((entry >> VALUE_SHIFT) + (<u32>(bits >> <u64>root) & mask)) << 2));
  }
  return entry;
}

function fixedCodes(): bool {
  memory.fill(LENGTHS, 8, 144);
  memory.fill(LENGTHS + 144, 9, 112);
  memory.fill(LENGTHS + 256, 7, 24);
  memory.fill(LENGTHS + 280, 8, 8);
  if (!build(LITERALS, LENGTHS, 288, LITERAL_ROOT, OF_LITERALS)) return false;
  memory.fill(LENGTHS, 5, 32);
  return build(DISTANCES, LENGTHS, 32, DISTANCE_ROOT, OF_DISTANCES);
}

function dynamicCodes(): bool {
  refill();
  if (held < 14) return false;
  const literals = (<u32>bits & 31) + 257;
  const distances = ((<u32>bits >> 5) & 31) + 1;
  const lengths = ((<u32>bits >> 10) & 15) + 4;
  drop(14);
  if (literals > 286 || distances > 30) return false;
  memory.fill(LENGTHS, 0, 19);
  for (let i: u32 = 0; i < lengths; i++) {
    refill();
    if (held < 3) return false;
    store<u8>(LENGTHS + <usize>load<u8>(ORDER + <usize>i), <u8>(<u32>bits & 7));
    drop(3);
  }
  if (!build(LITERALS, LENGTHS, 19, 7, OF_LENGTHS)) return false;
  const all = literals + distances;
  let at: u32 = 0;
  while (at < all) {
    refill();
    const entry = look(LITERALS, 7);
    const used = entry & 0xff;
    if (used == 0 || used > held) return false;
    drop(used);
    const symbol = entry >> VALUE_SHIFT;
    if (symbol < 16) {
      store<u8>(LENGTHS + <usize>at, <u8>symbol);
      at++;
      continue;
    }
    const extra: u32 = symbol == 16 ? 2 : symbol == 17 ? 3 : 7;
    if (held < extra || (symbol == 16 && at == 0)) return false;
    const times = (<u32>bits & ((1 << extra) - 1)) + (symbol == 18 ? 11 : 3);
    drop(extra);
    if (at + times > all) return false;
    memory.fill(LENGTHS + <usize>at, symbol == 16 ? load<u8>(LENGTHS + <usize>(at - 1)) : 0, <usize>times);
    at += times;
  }
  // A block must be able to end.
  if (load<u8>(LENGTHS + 256) == 0) return false;
  return (
    build(LITERALS, LENGTHS, literals, LITERAL_ROOT, OF_LITERALS) &&
    build(DISTANCES, LENGTHS + <usize>literals, distances, DISTANCE_ROOT, OF_DISTANCES)
  );
}

/**
 * Inflates `length` bytes at `from` into exactly `size` bytes at `to`. There must be 32 bytes of room behind both. Answers
 * whether the stream was whole, as long as both were said to be, and well formed.
 */
export function inflate(from: usize, length: u32, to: usize, size: u32): bool {
  source = from;
  sourceEnd = from + <usize>length;
  bits = 0;
  held = 0;
  let out = to;
  const outEnd = to + <usize>size;
  let isLast = false;
  while (!isLast) {
    refill();
    if (held < 3) return false;
    isLast = (<u32>bits & 1) != 0;
    const kind = (<u32>bits >> 1) & 3;
    drop(3);
    if (kind == 0) {
      drop(held & 7);
      // Whole bytes that are held go back.
      source -= <usize>(held >> 3);
      bits = 0;
      held = 0;
      if (source + 4 > sourceEnd) return false;
      const bytes = <u32>load<u16>(source);
      if ((bytes ^ 0xffff) != <u32>load<u16>(source, 2)) return false;
      source += 4;
      if (source + <usize>bytes > sourceEnd || out + <usize>bytes > outEnd) return false;
      memory.copy(out, source, <usize>bytes);
      source += <usize>bytes;
      out += <usize>bytes;
      continue;
    }
    if (kind == 3) return false;
    if (!(kind == 1 ? fixedCodes() : dynamicCodes())) return false;
    const end = block(to, out, outEnd);
    if (end == 0) return false;
    out = end;
  }
  return out == outEnd && source - <usize>(held >> 3) == sourceEnd;
}

/** The symbols of a block; where the output then ends, or 0. */
function block(to: usize, from: usize, outEnd: usize): usize {
  let out = from;
  while (true) {
    refill();
    const entry = look(LITERALS, LITERAL_ROOT);
    const used = entry & 0xff;
    if (used == 0 || used > held) return 0;
    drop(used);
    if (entry & LITERAL) {
      if (out >= outEnd) return 0;
      store<u8>(out++, <u8>(entry >> VALUE_SHIFT));
      continue;
    }
    if (entry & END) return out;
    const extra = (entry >> EXTRA_SHIFT) & 15;
    if (extra > held) return 0;
    const length = (entry >> VALUE_SHIFT) + (<u32>bits & ((1 << extra) - 1));
    drop(extra);
    const place = look(DISTANCES, DISTANCE_ROOT);
    const placeUsed = place & 0xff;
    const placeExtra = (place >> EXTRA_SHIFT) & 15;
    if (placeUsed == 0 || placeUsed + placeExtra > held) return 0;
    drop(placeUsed);
    const distance = (place >> VALUE_SHIFT) + (<u32>bits & ((1 << placeExtra) - 1));
    drop(placeExtra);
    if (<usize>distance > out - to || out + <usize>length > outEnd) return 0;
    copy(out, distance, length);
    out += <usize>length;
  }
}

/** Repeats `length` bytes from `distance` before; up to 16 bytes behind may be overwritten. */
// @ts-ignore: decorator
@inline
function copy(out: usize, distance: u32, length: u32): void {
  let from = out - <usize>distance;
  const end = out + <usize>length;
  if (distance >= 16) {
    do {
      v128.store(out, v128.load(from));
      out += 16;
      from += 16;
    } while (out < end);
  } else if (distance >= 8) {
    do {
      store<u64>(out, load<u64>(from));
      out += 8;
      from += 8;
    } while (out < end);
  } else if (distance == 1) memory.fill(out, load<u8>(from), <usize>length);
  else while (out < end) store<u8>(out++, load<u8>(from++));
}
