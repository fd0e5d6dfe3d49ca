// Loads kernels: WASM modules compiled from kernel/*.ts, which share one memory per shard. Memory is handed out in
// regions that are never given back (rooms reuse their own); the first RESERVED_BYTES hold the kernels' constants.

import fs from 'node:fs';
import { assert } from './assert.ts';
import { OperatingError } from './errors.ts';

const PAGE_BYTES = 65_536;
/** Constants of all kernels lie below; see BASES in tools/build-kernels.ts. */
export const RESERVED_BYTES = 4 * PAGE_BYTES;
const MAX_PAGES = 65_536;

/** A memory of at most 4 GiB, private to one thread, and what has been handed out of it. */
export class KernelMemory {
  readonly memory = new WebAssembly.Memory({ initial: RESERVED_BYTES / PAGE_BYTES, maximum: MAX_PAGES });
  readonly #kernels = new Set<string>();
  #next = RESERVED_BYTES;
  #u8 = new Uint8Array(this.memory.buffer);
  #u32 = new Uint32Array(this.memory.buffer);
  #f64 = new Float64Array(this.memory.buffer);

  /** Bytes handed out so far. */
  get usedBytes(): number {
    return this.#next;
  }

  /** A zeroed region, 16-byte aligned, with 16 readable bytes behind it for SIMD tails. Grows the memory if needed. */
  region(bytes: number): number {
    const address = this.#next;
    this.#next = (address + bytes + 31) & ~15;
    if (this.#next < address || bytes < 0) throw outOfMemory(bytes);
    const missing = this.#next - this.memory.buffer.byteLength;
    if (missing > 0) {
      try {
        this.memory.grow(Math.ceil(missing / PAGE_BYTES));
      } catch (error) {
        this.#next = address;
        throw outOfMemory(bytes, error);
      }
    }
    return address;
  }

  /** A kernel can be there once only: a second one would write its constants over what the first has made of them. */
  claim(kernel: string): void {
    assert(!this.#kernels.has(kernel), `kernel ${kernel} is in this memory already`);
    this.#kernels.add(kernel);
  }

  // Views are made anew when growing has detached them; fetch them after every call that may grow the memory.
  get u8(): Uint8Array {
    if (this.#u8.buffer !== this.memory.buffer) this.#u8 = new Uint8Array(this.memory.buffer);
    return this.#u8;
  }
  get u32(): Uint32Array {
    if (this.#u32.buffer !== this.memory.buffer) this.#u32 = new Uint32Array(this.memory.buffer);
    return this.#u32;
  }
  get f64(): Float64Array {
    if (this.#f64.buffer !== this.memory.buffer) this.#f64 = new Float64Array(this.memory.buffer);
    return this.#f64;
  }
}

function outOfMemory(bytes: number, cause?: unknown): OperatingError {
  return new OperatingError('memory_full', `cannot reserve ${bytes} bytes: the shard's 4 GiB memory is full`, {
    cause,
  });
}

// Compiled code, not state: the same bytes always give the same module.
const modules = new Map<string, WebAssembly.Module>();

/** Instantiates kernel `name` on a memory. `E` names the exported functions; `calls` are what it calls outside. */
export function loadKernel<E>(
  name: string,
  memory: KernelMemory,
  calls: Readonly<Record<string, (argument: number) => void>> = {},
): E {
  let module = modules.get(name);
  if (!module) {
    const file = new URL(`../../build/kernel/${name}.wasm`, import.meta.url);
    assert(fs.existsSync(file), `kernel ${name} is not built; run "npm run setup"`);
    module = new WebAssembly.Module(fs.readFileSync(file));
    modules.set(name, module);
  }
  memory.claim(name);
  const instance = new WebAssembly.Instance(module, {
    env: {
      ...calls,
      memory: memory.memory,
      abort: () => {
        throw new Error(`BUG: kernel ${name} aborted`);
      },
    },
  });
  return instance.exports as E;
}
