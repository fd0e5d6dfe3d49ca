// Entry of the store's kernel: what src/store calls in its shard's memory.

import { X_STATE_BYTES, XOR_SLACK_BYTES, xorAppend, xorDecode } from './lib/xor';

export { xorDecode };

/**
 * Encodes `count` samples as one chunk at `chunk`, which has room for 40 bytes a sample. `state` is X_STATE_BYTES of scratch.
 * Returns the chunk's length in bytes.
 */
export function xorEncode(times: usize, values: usize, starts: usize, count: u32, chunk: usize, state: usize): u32 {
  memory.fill(state, 0, X_STATE_BYTES);
  store<u16>(chunk, 0);
  for (let i: u32 = 0; i < count; i++) {
    const offset = <usize>i << 3;
    const start: i64 = starts ? <i64>load<f64>(starts + offset) : 0;
    xorAppend(chunk, state, <i64>load<f64>(times + offset), load<u64>(values + offset), start, starts != 0);
  }
  return (load<u32>(state, 32) + 7) >> 3;
}

export function xorStateBytes(): u32 {
  return <u32>X_STATE_BYTES;
}

export function xorSlackBytes(): u32 {
  return XOR_SLACK_BYTES;
}
