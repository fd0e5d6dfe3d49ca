// Bits in memory, most significant first, addressed by a bit position from a base address. Sixteen bytes behind the position
// must be readable.

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
