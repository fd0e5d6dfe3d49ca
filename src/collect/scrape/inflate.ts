// Takes gzip off small pages in the kernel: zlib makes and throws away a stream of some 50 kB for each call, which costs the collector of
// garbage more than the work itself. What is not one plain gzip member as it should be is left to zlib, and so are its words.

import zlib from 'node:zlib';
import type { RawBuffers } from '#clients/http/reply.ts';
import type { LineScratch } from './lines.ts';
import { GrowingBlock, type Slab } from './slab.ts';

/** Inflated; beyond, zlib is faster even so. */
const MAX_BYTES = 256 * 1024;
/** The kernel reads and writes so far behind what it should. */
const SLACK_BYTES = 32;
const HEADER_BYTES = 10;
const TRAILER_BYTES = 8;
/** No stream of deflate holds more than this many times its size. */
const MAX_RATIO = 1032;

export class Inflater {
  readonly #slab: Slab;
  readonly #buffers: RawBuffers;
  readonly #kernel: LineScratch['kernel'];
  readonly #input: GrowingBlock;
  readonly #output: GrowingBlock;

  /** Uses the kernel of `scratch`: a second one in the same memory would begin with its constants as they are built. */
  constructor({ slab, kernel }: Pick<LineScratch, 'slab' | 'kernel'>, buffers: RawBuffers) {
    this.#slab = slab;
    this.#buffers = buffers;
    this.#kernel = kernel;
    this.#input = new GrowingBlock(slab, 16 * 1024);
    this.#output = new GrowingBlock(slab, 64 * 1024);
  }

  /** What is in a gzip file of one member, in a buffer that goes back to `buffers`; undefined when zlib has to look at it. */
  gunzip(body: Buffer): Buffer | undefined {
    const length = body.length - HEADER_BYTES - TRAILER_BYTES;
    // Magic, deflate, no name or comment.
    if (length <= 0 || body.readUInt32LE(0) !== 0x00088b1f) return undefined;
    const size = body.readUInt32LE(body.length - 4);
    if (size === 0 || size > MAX_BYTES || size > length * MAX_RATIO) return undefined;
    this.#input.grow(length + SLACK_BYTES);
    this.#output.grow(size + SLACK_BYTES);
    const { memory } = this.#slab;
    const { address } = this.#output;
    memory.u8.set(body.subarray(HEADER_BYTES, body.length - TRAILER_BYTES), this.#input.address);
    if (this.#kernel.inflate(this.#input.address, length, address, size) === 0) return undefined;
    const found = memory.u8.subarray(address, address + size);
    if (zlib.crc32(found) !== body.readUInt32LE(body.length - TRAILER_BYTES)) return undefined;
    const page = this.#buffers.acquire(size);
    page.set(found);
    return page.subarray(0, size);
  }
}
