// Blocks of kernel memory of any size, given back and used again. Sizes are rounded up to four steps per doubling, so that
// at most a quarter is wasted, and a block that is free serves the next request of its size.

import { assert } from '#base/assert.ts';
import { KernelMemory } from '#base/kernel.ts';

const SMALLEST = 64;

export class Slab {
  readonly memory: KernelMemory;
  readonly #free = new Map<number, number[]>();
  /** Bytes in use, rounding included. */
  usedBytes = 0;

  constructor(memory = new KernelMemory()) {
    this.memory = memory;
  }

  /** What `allocate` really gives for this many bytes. */
  static roundedSize(bytes: number): number {
    if (bytes <= SMALLEST) return SMALLEST;
    const step = 2 ** (Math.floor(Math.log2(bytes - 1)) - 2);
    return Math.ceil(bytes / step) * step;
  }

  /** Not zeroed. 16 bytes behind it are readable. */
  allocate(bytes: number): number {
    const size = Slab.roundedSize(bytes);
    this.usedBytes += size;
    return this.#free.get(size)?.pop() ?? this.memory.region(size);
  }

  /** `bytes` as it was asked for. */
  release(address: number, bytes: number): void {
    assert(address > 0, 'release of no block');
    const size = Slab.roundedSize(bytes);
    this.usedBytes -= size;
    const free = this.#free.get(size);
    if (free) free.push(address);
    else this.#free.set(size, [address]);
  }
}

/** A block that grows and keeps its place in the program, not in memory. */
export class GrowingBlock {
  readonly #slab: Slab;
  address: number;
  bytes: number;

  constructor(slab: Slab, bytes: number) {
    this.#slab = slab;
    this.bytes = Slab.roundedSize(bytes);
    this.address = slab.allocate(this.bytes);
  }

  /** Room for at least `bytes`, the first `kept` of them as they were. */
  grow(bytes: number, kept = 0): void {
    if (bytes <= this.bytes) return;
    const size = Slab.roundedSize(Math.max(bytes, this.bytes * 2));
    const address = this.#slab.allocate(size);
    this.#slab.memory.u8.copyWithin(address, this.address, this.address + kept);
    this.#slab.release(this.address, this.bytes);
    this.address = address;
    this.bytes = size;
  }

  /** Gives back what an unusual moment took. */
  shrink(bytes: number): void {
    if (this.bytes <= bytes * 4) return;
    this.#slab.release(this.address, this.bytes);
    this.bytes = Slab.roundedSize(bytes);
    this.address = this.#slab.allocate(this.bytes);
  }
}
