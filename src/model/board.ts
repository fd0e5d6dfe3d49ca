// What a shard writes down in shared memory for whoever keeps results of queries: the number of its last change, the earliest
// time that each of the latest ones touched, and when series last came or went. One thread writes, others read without a message.

/** A mark to ask again with, and what has happened since the mark that was asked with. */
export type Changes = {
  readonly mark: number;
  /** The earliest time of which samples came or went; Infinity for nothing. */
  readonly min: number;
  /** Whether series came or went. */
  readonly series: boolean;
};

/** Bounds of what the head of a store holds; min above max when it is empty. */
export type HeadBounds = { readonly min: number; readonly max: number };

/** Changes whose times are kept; a power of two. */
const KEPT = 256;
const [FIRST, MARK, SERIES_MARK, HEAD_MIN, HEAD_MAX, TIMES] = [0, 1, 2, 3, 4, 5];
const VERSION_BYTES = 8;
/** A writer is done within microseconds; who finds it at work for longer asks it instead. */
const MAX_TRIES = 50;

export class ChangeBoard {
  readonly memory: SharedArrayBuffer;
  /** Odd while something is being written. */
  readonly #version: Int32Array;
  readonly #fields: Float64Array;

  constructor(memory = new SharedArrayBuffer(VERSION_BYTES + (TIMES + KEPT) * 8)) {
    this.memory = memory;
    this.#version = new Int32Array(memory, 0, 1);
    this.#fields = new Float64Array(memory, VERSION_BYTES);
  }

  /** A new writer begins: marks below `first` are those of another one, which is gone. */
  begin(first: number): void {
    const fields = this.#fields;
    Atomics.add(this.#version, 0, 1);
    fields[FIRST] = first;
    fields[MARK] = first;
    fields[SERIES_MARK] = first;
    fields[HEAD_MIN] = Infinity;
    fields[HEAD_MAX] = -Infinity;
    Atomics.add(this.#version, 0, 1);
  }

  /** Change number `mark`, one above the last one. */
  publish(mark: number, min: number, series: boolean, head: HeadBounds): void {
    const fields = this.#fields;
    Atomics.add(this.#version, 0, 1);
    fields[MARK] = mark;
    fields[TIMES + (mark % KEPT)] = min;
    if (series) fields[SERIES_MARK] = mark;
    fields[HEAD_MIN] = head.min;
    fields[HEAD_MAX] = head.max;
    Atomics.add(this.#version, 0, 1);
  }

  /** The number of the last change. */
  get mark(): number {
    return this.#fields[MARK]!;
  }

  /** Whether series may have come or gone since a mark. */
  seriesChangedSince(mark: number): boolean {
    const version = Atomics.load(this.#version, 0);
    const fields = this.#fields;
    const same = mark >= fields[FIRST]! && mark <= fields[MARK]! && fields[SERIES_MARK]! <= mark;
    return !same || (version & 1) === 1 || Atomics.load(this.#version, 0) !== version;
  }

  /** What has changed since a mark; undefined if that is not known here. */
  since(mark: number): (Changes & { readonly head: HeadBounds }) | undefined {
    const fields = this.#fields;
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const version = Atomics.load(this.#version, 0);
      if (version & 1) continue;
      const last = fields[MARK]!;
      const isKnown = mark >= fields[FIRST]! && mark <= last && last - mark <= KEPT;
      let min = Infinity;
      for (let i = mark + 1; isKnown && i <= last; i++) min = Math.min(min, fields[TIMES + (i % KEPT)]!);
      const series = fields[SERIES_MARK]! > mark;
      const head = { min: fields[HEAD_MIN]!, max: fields[HEAD_MAX]! };
      if (Atomics.load(this.#version, 0) !== version) continue;
      if (last === 0) return undefined;
      if (mark < 0) return { mark: last, min: -Infinity, series: true, head };
      return isKnown ? { mark: last, min, series, head } : undefined;
    }
    return undefined;
  }
}
