// Randomness as an argument. `systemRandom` for production; `seeded(seed)` gives a reproducible stream for tests,
// simulations and benches (xorshift128 seeded by splitmix32).

import { randomBytes } from 'node:crypto';

export interface Random {
  /** A number in [0, 1). */
  next(): number;
  /** A whole number in [0, limit). */
  below(limit: number): number;
  bytes(length: number): Uint8Array;
}

export const systemRandom: Random = {
  next: () => Math.random(),
  below: (limit) => Math.floor(Math.random() * limit),
  bytes: (length) => new Uint8Array(randomBytes(length)),
};

export function seeded(seed: number): Random {
  let mix = seed >>> 0;
  const splitmix = () => {
    mix = (mix + 0x9e3779b9) >>> 0;
    let z = mix;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return (z ^ (z >>> 16)) >>> 0;
  };
  let [x, y, z, w] = [splitmix(), splitmix(), splitmix(), splitmix() | 1];
  const word = () => {
    const t = x ^ (x << 11);
    x = y;
    y = z;
    z = w;
    w = w ^ (w >>> 19) ^ t ^ (t >>> 8);
    return w >>> 0;
  };
  return {
    next: () => word() / 2 ** 32,
    below: (limit) => Math.floor((word() / 2 ** 32) * limit),
    bytes: (length) => Uint8Array.from({ length }, () => word() & 0xff),
  };
}
