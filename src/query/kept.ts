// Things that may be forgotten, up to so many bytes: when there is no more room, what has not been used for longest goes.

export class Kept<Value extends { readonly bytes: number }> {
  readonly #maxBytes: number;
  /** The one used last is the last. */
  readonly #values = new Map<string, Value>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(key: string): Value | undefined {
    return this.#values.get(key);
  }

  /** Puts a value in the place of what was there, as the one used last. */
  set(key: string, value: Value): void {
    this.delete(key);
    this.#values.set(key, value);
    this.#bytes += value.bytes;
    for (const oldest of this.#values.keys()) {
      if (this.#bytes <= this.#maxBytes) break;
      this.delete(oldest);
    }
  }

  delete(key: string): void {
    this.#bytes -= this.#values.get(key)?.bytes ?? 0;
    this.#values.delete(key);
  }
}
