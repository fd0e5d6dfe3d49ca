// Memory for the columns of batches that is used again and again: shared with other threads, so that handing a batch over moves
// and allocates nothing, and outside of what the collector of garbage counts. A batch in it is its store's until `append` settles.

import type { SampleBatch } from './batch.ts';

/** Smaller columns cost less as ordinary arrays. */
const SMALLEST_BYTES = 16 * 1024;
/** What waits to be used again. */
const MAX_KEPT_BYTES = 16 * 1024 * 1024;

export class ColumnBuffers {
  readonly #free = new Map<number, SharedArrayBuffer[]>();
  /** What has been handed out and not come back: nothing else is taken back, and nothing twice. */
  readonly #out = new WeakSet<ArrayBufferLike>();
  #keptBytes = 0;

  /** At least so many numbers; what is in them is of no meaning unless there are few. */
  take(length: number): Float64Array {
    const bytes = length * 8;
    if (bytes < SMALLEST_BYTES) return new Float64Array(length);
    const size = 2 ** Math.ceil(Math.log2(bytes));
    let buffer = this.#free.get(size)?.pop();
    if (buffer) this.#keptBytes -= size;
    else buffer = new SharedArrayBuffer(size);
    this.#out.add(buffer);
    return new Float64Array(buffer, 0, length);
  }

  /** Nobody looks at this batch any more. */
  giveBack({ refs: { buffer } }: Pick<SampleBatch, 'refs'>): void {
    if (!(buffer instanceof SharedArrayBuffer) || !this.#out.delete(buffer)) return;
    const size = buffer.byteLength;
    if (this.#keptBytes + size > MAX_KEPT_BYTES) return;
    this.#keptBytes += size;
    const free = this.#free.get(size);
    if (free) free.push(buffer);
    else this.#free.set(size, [buffer]);
  }
}
