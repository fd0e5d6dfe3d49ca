// XOR chunks, bit for bit as Prometheus writes them: 16 bits number of samples, then per sample the delta of the time's delta
// and the value XORed with the one before. CHUNK_XOR_STARTS (ours) has a start time behind each value: a 0 bit if it
// is that of the sample before, else a 1 bit and 64 bits; the first sample has the 64 bits alone.

import { peekBits, takeBits } from './bits';
import { slabAlloc, slabRelease } from './slab';

// The state of an open chunk; the first bytes of its series' row. The last, not yet full word of the chunk is in it, so that
// appending rarely touches the chunk's own memory.
export const X_LAST_TIME: usize = 0; // i64
export const X_TIME_DELTA: usize = 8; // i64
export const X_LAST_VALUE: usize = 16; // bits of f64
export const X_WORD: usize = 24; // u64, bits from the last multiple of 64 on, left-aligned
export const X_BIT_LENGTH: usize = 32; // u32, of the chunk, header included
export const X_COUNT: usize = 36; // u16
export const X_LEADING: usize = 38; // u8, 255: none yet
export const X_TRAILING: usize = 39; // u8
export const X_PIECE: usize = 40; // u32, where full words go
export const X_FIRST: usize = 44; // u32, first piece
/** What a row has of it; a state that stands alone has the last start time behind. */
export const X_ROW_BYTES: usize = 48;
export const X_LAST_START: usize = 48; // i64
export const X_STATE_BYTES: usize = 56;

/**
 * Open chunks grow by pieces: a link to the next one and seven words; the first has three, for series with few samples. Nothing is
 * moved while they grow.
 */
const PIECE_BYTES: u32 = 64;
const PIECE_WORDS: u32 = 7;
const FIRST_BYTES: u32 = 32;
const FIRST_WORDS: u32 = 3;

// The sample being written: the chunk's last word and where it is.
let word: u64 = 0;
let at: u32 = 0;
let linear: usize = 0; // 0: into pieces
let owner: usize = 0;

// @ts-ignore: decorator
@inline
function put(value: u64, count: u32): void {
  const used = at & 63;
  const total = used + count;
  if (total < 64) word |= value << <u64>(64 - total);
  else {
    const over = total - 64;
    storeWord(word | (value >> <u64>over));
    word = over == 0 ? 0 : value << <u64>(64 - over);
  }
  at += count;
}

/** Stores the word that ends at or after `at`. */
function storeWord(full: u64): void {
  const index = at >> 6;
  if (linear) {
    store<u64>(linear + (<usize>index << 3), bswap<u64>(full));
    return;
  }
  const place = index < FIRST_WORDS ? index : (index - FIRST_WORDS) % PIECE_WORDS;
  let piece = <usize>load<u32>(owner, X_PIECE);
  if (place == 0) {
    const fresh = slabAlloc(index == 0 ? FIRST_BYTES : PIECE_BYTES);
    store<u32>(fresh, 0);
    if (index == 0) store<u32>(owner, <u32>fresh, X_FIRST);
    else store<u32>(piece, <u32>fresh);
    store<u32>(owner, <u32>fresh, X_PIECE);
    piece = fresh;
  }
  store<u64>(piece + 8 + (<usize>place << 3), bswap<u64>(full));
}

/**
 * Appends a sample to the chunk with this state: in pieces, or from `base` on with room for 40 bytes if that is not 0. `startAt`: where
 * the last start time is kept; 0 for a chunk without start times.
 */
export function xorAppend(base: usize, state: usize, time: i64, value: u64, start: i64, startAt: usize): void {
  const count = <u32>load<u16>(state, X_COUNT);
  at = load<u32>(state, X_BIT_LENGTH);
  word = load<u64>(state, X_WORD);
  linear = base;
  owner = state;
  if (count == 0) {
    at = 16;
    word = 0;
    putVarint(<u64>((time << 1) ^ (time >> 63)));
    put(value, 64);
    store<i64>(state, 0, X_TIME_DELTA);
    store<u8>(state, 0xff, X_LEADING);
    store<u8>(state, 0, X_TRAILING);
    if (startAt) put(<u64>start, 64);
  } else {
    const delta = time - load<i64>(state, X_LAST_TIME);
    if (count == 1) putVarint(<u64>delta);
    else putTime(delta - load<i64>(state, X_TIME_DELTA));
    store<i64>(state, delta, X_TIME_DELTA);
    putValue(state, value ^ load<u64>(state, X_LAST_VALUE));
    if (startAt) {
      if (start == load<i64>(startAt)) put(0, 1);
      else {
        put(1, 1);
        put(<u64>start, 64);
      }
    }
  }
  store<i64>(state, time, X_LAST_TIME);
  store<u64>(state, value, X_LAST_VALUE);
  if (startAt) store<i64>(startAt, start);
  store<u32>(state, at, X_BIT_LENGTH);
  store<u64>(state, word, X_WORD);
  store<u16>(state, <u16>(count + 1), X_COUNT);
}

function putVarint(value: u64): void {
  while (value >= 0x80) {
    put((value & 0x7f) | 0x80, 8);
    value >>= 7;
  }
  put(value, 8);
}

function putTime(change: i64): void {
  if (change == 0) {
    put(0, 1);
    return;
  }
  const bits = <u64>change;
  if (change >= -8191 && change <= 8192) put(0x8000 | (bits & 0x3fff), 16);
  else if (change >= -65535 && change <= 65536) put(0xc0000 | (bits & 0x1ffff), 20);
  else if (change >= -524287 && change <= 524288) put(0xe00000 | (bits & 0xfffff), 24);
  else {
    put(15, 4);
    put(bits, 64);
  }
}

function putValue(state: usize, change: u64): void {
  if (change == 0) {
    put(0, 1);
    return;
  }
  let leading = <u32>clz<u64>(change);
  const trailing = <u32>ctz<u64>(change);
  if (leading > 31) leading = 31;
  const oldLeading = <u32>load<u8>(state, X_LEADING);
  const oldTrailing = <u32>load<u8>(state, X_TRAILING);
  if (oldLeading != 0xff && leading >= oldLeading && trailing >= oldTrailing) {
    put(2, 2);
    put(change >> <u64>oldTrailing, 64 - oldLeading - oldTrailing);
    return;
  }
  store<u8>(state, <u8>leading, X_LEADING);
  store<u8>(state, <u8>trailing, X_TRAILING);
  const bits = 64 - leading - trailing;
  // 64 significant bits are written as 0, which cannot occur otherwise.
  put(<u64>(0x1800 | (leading << 6) | (bits & 63)), 13);
  put(change >> <u64>trailing, bits);
}

/** Bytes of the chunk with this state. */
// @ts-ignore: decorator
@inline
export function xorLength(state: usize): u32 {
  return (load<u32>(state, X_BIT_LENGTH) + 7) >> 3;
}

/** Completes a chunk that was written from `base` on: its last word and the number of samples. */
export function xorFinish(base: usize, state: usize): u32 {
  const bits = load<u32>(state, X_BIT_LENGTH);
  store<u64>(base + (<usize>(bits >> 6) << 3), bswap<u64>(load<u64>(state, X_WORD)));
  const count = <u32>load<u16>(state, X_COUNT);
  store<u16>(base, <u16>((count >> 8) | ((count & 0xff) << 8)));
  return xorLength(state);
}

/** Copies a chunk out of its pieces to `out`, which has room for 8 bytes more than its length. Returns the length. */
export function xorGather(state: usize, out: usize): u32 {
  let left = load<u32>(state, X_BIT_LENGTH) >> 6;
  let piece = <usize>load<u32>(state, X_FIRST);
  let to = out;
  let room = FIRST_WORDS;
  while (left > 0) {
    const words = min(left, room);
    room = PIECE_WORDS;
    for (let i: u32 = 0; i < words; i++) store<u64>(to + (<usize>i << 3), load<u64>(piece + 8 + (<usize>i << 3)));
    to += <usize>words << 3;
    left -= words;
    piece = <usize>load<u32>(piece);
  }
  return xorFinish(out, state);
}

/** Puts a whole chunk into pieces, for a state that `xorDecode` has left. */
export function xorScatter(chunk: usize, state: usize): void {
  linear = 0;
  owner = state;
  store<u32>(state, 0, X_PIECE);
  store<u32>(state, 0, X_FIRST);
  const words = load<u32>(state, X_BIT_LENGTH) >> 6;
  for (let i: u32 = 0; i < words; i++) {
    at = i << 6;
    storeWord(bswap<u64>(load<u64>(chunk + (<usize>i << 3))));
  }
}

/** Frees the pieces of a chunk. */
export function xorDrop(state: usize): void {
  if (load<u32>(state, X_BIT_LENGTH) >> 6) {
    let bytes = FIRST_BYTES;
    for (let piece = <usize>load<u32>(state, X_FIRST); piece; ) {
      const following = <usize>load<u32>(piece);
      slabRelease(piece, bytes);
      bytes = PIECE_BYTES;
      piece = following;
    }
  }
  store<u32>(state, 0, X_PIECE);
  store<u32>(state, 0, X_FIRST);
  store<u32>(state, 0, X_BIT_LENGTH);
  store<u64>(state, 0, X_WORD);
  store<u16>(state, 0, X_COUNT);
}

/**
 * Decodes a whole chunk of `bytes` bytes into doubles: times, values and, for CHUNK_XOR_STARTS (`starts` not 0), start times.
 * Returns the number of samples, or -1 if the chunk ends early. If `state` is not 0, leaves there what xorAppend needs to go on.
 */
export function xorDecode(chunk: usize, bytes: u32, times: usize, values: usize, starts: usize, state: usize): i32 {
  if (bytes < 2) return -1;
  const count = (<u32>load<u8>(chunk) << 8) | <u32>load<u8>(chunk, 1);
  const end = bytes << 3;
  let at: u32 = 16;
  let time: i64 = 0;
  let delta: i64 = 0;
  let value: u64 = 0;
  let start: i64 = 0;
  let leading: u32 = 0xff;
  let trailing: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    if (at >= end) return -1;
    if (i < 2) {
      let raw: u64 = 0;
      let shift: u64 = 0;
      let byte: u64;
      do {
        if (at + 8 > end || shift > 63) return -1;
        byte = takeBits(chunk, at, 8);
        at += 8;
        raw |= (byte & 0x7f) << shift;
        shift += 7;
      } while (byte & 0x80);
      if (i == 0) {
        time = <i64>(raw >> 1) ^ -<i64>(raw & 1);
        if (at + 64 > end) return -1;
        value = takeBits(chunk, at, 64);
        at += 64;
        if (starts) {
          if (at + 64 > end) return -1;
          start = <i64>takeBits(chunk, at, 64);
          at += 64;
          store<f64>(starts, <f64>start);
        }
        store<f64>(times, <f64>time);
        store<u64>(values, value);
        continue;
      }
      delta = <i64>raw;
    } else {
      const window = peekBits(chunk, at);
      if (<i64>window >= 0) at += 1;
      else if (!(window & 0x4000000000000000)) {
        delta += signed((window << 2) >> 50, 14);
        at += 16;
      } else if (!(window & 0x2000000000000000)) {
        delta += signed((window << 3) >> 47, 17);
        at += 20;
      } else if (!(window & 0x1000000000000000)) {
        delta += signed((window << 4) >> 44, 20);
        at += 24;
      } else {
        if (at + 68 > end) return -1;
        delta += <i64>takeBits(chunk, at + 4, 64);
        at += 68;
      }
      if (at > end) return -1;
    }
    time += delta;
    const window = peekBits(chunk, at);
    if (<i64>window >= 0) at += 1;
    else {
      if (!(window & 0x4000000000000000)) {
        if (leading == 0xff) return -1;
        at += 2;
      } else {
        leading = <u32>((window << 2) >> 59);
        const bits = <u32>((window << 7) >> 58);
        if (leading + bits > 64) return -1;
        trailing = bits == 0 ? 0 : 64 - leading - bits;
        if (bits == 0) leading = 0;
        at += 13;
      }
      const bits = 64 - leading - trailing;
      if (at + bits > end) return -1;
      value ^= takeBits(chunk, at, bits) << <u64>trailing;
      at += bits;
    }
    if (at > end) return -1;
    if (starts) {
      if (at + 1 > end) return -1;
      const changed = <i64>peekBits(chunk, at) < 0;
      at += 1;
      if (changed) {
        if (at + 64 > end) return -1;
        start = <i64>takeBits(chunk, at, 64);
        at += 64;
      }
      store<f64>(starts + (<usize>i << 3), <f64>start);
    }
    store<f64>(times + (<usize>i << 3), <f64>time);
    store<u64>(values + (<usize>i << 3), value);
  }
  if (state) {
    store<i64>(state, time, X_LAST_TIME);
    store<i64>(state, delta, X_TIME_DELTA);
    store<u64>(state, value, X_LAST_VALUE);
    store<i64>(state, start, X_LAST_START);
    store<u32>(state, at, X_BIT_LENGTH);
    store<u16>(state, <u16>count, X_COUNT);
    store<u8>(state, <u8>leading, X_LEADING);
    store<u8>(state, <u8>trailing, X_TRAILING);
    const used = at & 63;
    const last = used == 0 ? 0 : takeBits(chunk, at & ~63, used) << <u64>(64 - used);
    store<u64>(state, last, X_WORD);
  }
  return <i32>count;
}

/** A number of `bits` bits where the most negative pattern stands for the largest positive number. */
// @ts-ignore: decorator
@inline
function signed(raw: u64, bits: u64): i64 {
  return raw > <u64>1 << (bits - 1) ? <i64>raw - (<i64>1 << <i64>bits) : <i64>raw;
}
