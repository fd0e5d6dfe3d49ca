// Reads XOR chunks without start times, from beginning to end, for queries: what xorDecode of xor.ts does for all chunks, done
// with one look at the bits for most samples, and with several samples at once where a series does not change.

import { takeBits } from './bits';

/** In the result of `decode`, above the number of samples: a stale marker is among them. */
export const HAS_STALE: i32 = 1 << 30;
export const COUNT_BITS: i32 = HAS_STALE - 1;

const STALE: u64 = 0x7ff0000000000002;
/** How many bits of a 64-bit window are sure to be there, wherever in a byte it begins. */
const WINDOW_BITS: u32 = 57;

// @ts-ignore: decorator
@inline
function windowAt(chunk: usize, bit: u32): u64 {
  return bswap<u64>(load<u64>(chunk + <usize>(bit >> 3))) << <u64>(bit & 7);
}

/** A number of `bits` bits at the top of a window; its most negative pattern stands for the largest positive number. */
// @ts-ignore: decorator
@inline
function change(window: u64, bits: u64): f64 {
  const raw = window >> (64 - bits);
  const half: u64 = 1 << (bits - 1);
  return raw > half ? <f64>(<i64>raw - (<i64>1 << <i64>bits)) : <f64>raw;
}

/** Decodes into columns of doubles. Returns the number of samples, with HAS_STALE, or -1 if the chunk ends early. */
export function decode(chunk: usize, bytes: u32, times: usize, values: usize): i32 {
  if (bytes < 2) return -1;
  const count = (<u32>load<u8>(chunk) << 8) | <u32>load<u8>(chunk, 1);
  if (count == 0) return 0;
  const end = bytes << 3;
  let bit: u32 = 16;
  let time: f64 = 0;
  let delta: f64 = 0;
  let value: u64 = 0;
  let leading: u32 = 0xff;
  let trailing: u32 = 0;
  let flags = 0;
  for (let i: u32 = 0; i < count; ) {
    if (bit >= end) return -1;
    let window: u64;
    let used: u32 = 0;
    if (i < 2) {
      let raw: u64 = 0;
      let shift: u64 = 0;
      let byte: u64;
      do {
        if (bit + 8 > end || shift > 63) return -1;
        byte = takeBits(chunk, bit, 8);
        bit += 8;
        raw |= (byte & 0x7f) << shift;
        shift += 7;
      } while (byte & 0x80);
      if (i == 0) {
        if (bit + 64 > end) return -1;
        time = <f64>(<i64>(raw >> 1) ^ -<i64>(raw & 1));
        value = takeBits(chunk, bit, 64);
        bit += 64;
        if (value == STALE) flags = HAS_STALE;
        store<f64>(times, time);
        store<u64>(values, value);
        i = 1;
        continue;
      }
      delta = <f64>raw;
      window = windowAt(chunk, bit);
    } else {
      window = windowAt(chunk, bit);
      // Two zeros: the same value at the same distance. Often there are many of them.
      if (!(window >> 62)) {
        const pairs = min<u32>(min<u32>(<u32>clz<u64>(window | 0xff), WINDOW_BITS) >> 1, count - i);
        bit += pairs << 1;
        if (bit > end) return -1;
        for (const stop = i + pairs; i < stop; i++) {
          time += delta;
          store<f64>(times + (<usize>i << 3), time);
          store<u64>(values + (<usize>i << 3), value);
        }
        continue;
      }
      if (<i64>window >= 0) used = 1;
      else if (!(window & 0x4000000000000000)) {
        delta += change(window << 2, 14);
        used = 16;
      } else if (!(window & 0x2000000000000000)) {
        delta += change(window << 3, 17);
        used = 20;
      } else if (!(window & 0x1000000000000000)) {
        delta += change(window << 4, 20);
        used = 24;
      } else {
        if (bit + 68 > end) return -1;
        delta += <f64>(<i64>takeBits(chunk, bit + 4, 64));
        bit += 68;
        window = windowAt(chunk, bit);
      }
      window <<= <u64>used;
    }
    time += delta;
    if (<i64>window >= 0) bit += used + 1;
    else {
      let head: u32 = 2;
      if (!(window & 0x4000000000000000)) {
        if (leading == 0xff) return -1;
      } else {
        leading = <u32>((window << 2) >> 59);
        const bits = <u32>((window << 7) >> 58);
        if (leading + bits > 64) return -1;
        trailing = bits == 0 ? 0 : 64 - leading - bits;
        if (bits == 0) leading = 0;
        head = 13;
      }
      const bits = 64 - leading - trailing;
      bit += used + head;
      const changed =
        used + head + bits <= WINDOW_BITS ? (window << <u64>head) >> <u64>(64 - bits) : takeBits(chunk, bit, bits);
      value ^= changed << <u64>trailing;
      bit += bits;
      if (value == STALE) flags = HAS_STALE;
    }
    if (bit > end) return -1;
    store<f64>(times + (<usize>i << 3), time);
    store<u64>(values + (<usize>i << 3), value);
    i++;
  }
  return <i32>count | flags;
}
