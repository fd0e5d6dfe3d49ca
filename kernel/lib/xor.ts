// XOR chunks, bit for bit as Prometheus writes them: 16 bits number of samples, then per sample the delta of the time's delta
// and the value XORed with the one before. CHUNK_XOR_STARTS (ours) has a start time behind each value: a 0 bit if it
// is that of the sample before, else a 1 bit and 64 bits; the first sample has the 64 bits alone.

import { peekBits, putBits, takeBits } from './bits';

// Where an open chunk's state lies in the row of its series.
export const X_LAST_TIME: usize = 0; // i64
export const X_TIME_DELTA: usize = 8; // i64
export const X_LAST_VALUE: usize = 16; // bits of f64
export const X_LAST_START: usize = 24; // i64
export const X_BIT_LENGTH: usize = 32; // u32, of the chunk, header included
export const X_COUNT: usize = 36; // u16
export const X_LEADING: usize = 38; // u8, 255: none yet
export const X_TRAILING: usize = 39; // u8
export const X_STATE_BYTES: usize = 40;

/** No sample adds more: 4 + 64 bits of time, 13 + 64 of value, 65 of start; and what putBits may touch behind. */
export const XOR_SLACK_BYTES: u32 = 48;

/** Appends a sample to the chunk at `chunk`, whose state is at `state`; XOR_SLACK_BYTES must be free behind it. */
export function xorAppend(chunk: usize, state: usize, time: i64, value: u64, start: i64, withStart: bool): void {
  const count = <u32>load<u16>(state, X_COUNT);
  let at = load<u32>(state, X_BIT_LENGTH);
  if (count == 0) {
    at = 16;
    at = putVarint(chunk, at, <u64>((time << 1) ^ (time >> 63)));
    putBits(chunk, at, value, 64);
    at += 64;
    store<i64>(state, 0, X_TIME_DELTA);
    store<u8>(state, 0xff, X_LEADING);
    store<u8>(state, 0, X_TRAILING);
    if (withStart) {
      putBits(chunk, at, <u64>start, 64);
      at += 64;
    }
  } else {
    const delta = time - load<i64>(state, X_LAST_TIME);
    if (count == 1) at = putVarint(chunk, at, <u64>delta);
    else at = putTime(chunk, at, delta - load<i64>(state, X_TIME_DELTA));
    store<i64>(state, delta, X_TIME_DELTA);
    at = putValue(chunk, at, state, value ^ load<u64>(state, X_LAST_VALUE));
    if (withStart) {
      if (start == load<i64>(state, X_LAST_START)) {
        putBits(chunk, at, 0, 1);
        at += 1;
      } else {
        putBits(chunk, at, 1, 1);
        putBits(chunk, at + 1, <u64>start, 64);
        at += 65;
      }
    }
  }
  store<i64>(state, time, X_LAST_TIME);
  store<u64>(state, value, X_LAST_VALUE);
  store<i64>(state, start, X_LAST_START);
  store<u32>(state, at, X_BIT_LENGTH);
  store<u16>(state, <u16>(count + 1), X_COUNT);
  store<u16>(chunk, <u16>(((count + 1) >> 8) | (((count + 1) & 0xff) << 8)));
}

function putVarint(chunk: usize, at: u32, value: u64): u32 {
  while (value >= 0x80) {
    putBits(chunk, at, (value & 0x7f) | 0x80, 8);
    value >>= 7;
    at += 8;
  }
  putBits(chunk, at, value, 8);
  return at + 8;
}

function putTime(chunk: usize, at: u32, change: i64): u32 {
  if (change == 0) {
    putBits(chunk, at, 0, 1);
    return at + 1;
  }
  const bits = <u64>change;
  if (change >= -8191 && change <= 8192) {
    putBits(chunk, at, 0x8000 | (bits & 0x3fff), 16);
    return at + 16;
  }
  if (change >= -65535 && change <= 65536) {
    putBits(chunk, at, 0xc0000 | (bits & 0x1ffff), 20);
    return at + 20;
  }
  if (change >= -524287 && change <= 524288) {
    putBits(chunk, at, 0xe00000 | (bits & 0xfffff), 24);
    return at + 24;
  }
  putBits(chunk, at, 15, 4);
  putBits(chunk, at + 4, bits, 64);
  return at + 68;
}

function putValue(chunk: usize, at: u32, state: usize, change: u64): u32 {
  if (change == 0) {
    putBits(chunk, at, 0, 1);
    return at + 1;
  }
  let leading = <u32>clz<u64>(change);
  const trailing = <u32>ctz<u64>(change);
  if (leading > 31) leading = 31;
  const oldLeading = <u32>load<u8>(state, X_LEADING);
  const oldTrailing = <u32>load<u8>(state, X_TRAILING);
  if (oldLeading != 0xff && leading >= oldLeading && trailing >= oldTrailing) {
    const bits = 64 - oldLeading - oldTrailing;
    putBits(chunk, at, 2, 2);
    putBits(chunk, at + 2, change >> <u64>oldTrailing, bits);
    return at + 2 + bits;
  }
  store<u8>(state, <u8>leading, X_LEADING);
  store<u8>(state, <u8>trailing, X_TRAILING);
  const bits = 64 - leading - trailing;
  // 64 significant bits are written as 0, which cannot occur otherwise.
  putBits(chunk, at, <u64>(0x1800 | (leading << 6) | (bits & 63)), 13);
  putBits(chunk, at + 13, change >> <u64>trailing, bits);
  return at + 13 + bits;
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
  }
  return <i32>count;
}

/** A number of `bits` bits where the most negative pattern stands for the largest positive number. */
// @ts-ignore: decorator
@inline
function signed(raw: u64, bits: u64): i64 {
  return raw > <u64>1 << (bits - 1) ? <i64>raw - (<i64>1 << <i64>bits) : <i64>raw;
}
