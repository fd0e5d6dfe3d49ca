// Copies of requests' bodies that are views of someone else's memory, in buffers that are used again: a body is needed once more
// only when something of it was refused.

/** Larger ones are not kept for reuse. */
const MAX_BYTES = 64 * 1024;
const MAX_BUFFERS = 16;

export class KeptBodies {
  readonly #free: Uint8Array[] = [];

  /** A copy that is valid until it is released. */
  keep(body: Uint8Array): Uint8Array {
    if (body.length > MAX_BYTES) return body.slice();
    const buffer = this.#free.pop() ?? new Uint8Array(MAX_BYTES);
    buffer.set(body);
    return buffer.subarray(0, body.length);
  }

  release(kept: Uint8Array): void {
    if (kept.buffer.byteLength !== MAX_BYTES || this.#free.length >= MAX_BUFFERS) return;
    this.#free.push(new Uint8Array(kept.buffer));
  }
}
