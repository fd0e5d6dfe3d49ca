// Bits in memory, most significant first, addressed by a bit position from a base address. Writing needs 9 writable bytes
// behind the position, reading 16 readable ones.

/** Writes the low `count` bits (1..64) of `value` at bit `at`; bits behind them in the touched bytes become 0. */
// @ts-ignore: decorator
@inline
export function putBits(base: usize, at: u32, value: u64, count: u32): void {
  const byte = base + <usize>(at >> 3);
  const used = at & 7;
  const kept = <u64>(<u32>load<u8>(byte) & ((0xff00 >> used) & 0xff));
  const aligned = value << <u64>(64 - count);
  store<u64>(byte, bswap<u64>((kept << 56) | (aligned >> <u64>used)));
  if (used + count > 64) store<u8>(byte + 8, <u8>((aligned << <u64>(64 - used)) >> 56));
}

/** At least 57 bits from position `at`, left-aligned. */
// @ts-ignore: decorator
@inline
export function peekBits(base: usize, at: u32): u64 {
  return bswap<u64>(load<u64>(base + <usize>(at >> 3))) << <u64>(at & 7);
}

/** `count` bits (1..64) from position `at`, right-aligned. */
// @ts-ignore: decorator
@inline
export function takeBits(base: usize, at: u32, count: u32): u64 {
  const byte = base + <usize>(at >> 3);
  const used = at & 7;
  let window = bswap<u64>(load<u64>(byte)) << <u64>used;
  if (used + count > 64) window |= <u64>load<u8>(byte + 8) >> <u64>(8 - used);
  return window >> <u64>(64 - count);
}
