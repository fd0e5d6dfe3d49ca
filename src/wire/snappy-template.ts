// Snappy blocks that are compressed once and filled in many times: some stretches of the data are holes, which always lie in
// literals and which no copy refers to, so that their bytes can be changed in the compressed form.

export type SnappyTemplate = {
  /** Elements without the length in front, so that several can stand behind each other. */
  readonly elements: Uint8Array;
  /** Where each hole begins in them. */
  readonly holes: Uint32Array;
  /** Where changing bytes stand in literals, and which of them that is: pairs. */
  readonly changing: Uint32Array;
};

const TABLE_BITS = 14;
const HASH = 0x1e35a7bd;
const MAX_DISTANCE = 65_535;
/** A literal is ended behind a hole rather than grow much beyond this. */
const LITERAL_BYTES = 60_000;

/**
 * `changing` are places of bytes that change together with their like: they may be copied from each other but from nothing else,
 * which their values have to see to.
 */
export function snappyTemplate(
  bytes: Uint8Array,
  holes: Uint32Array,
  holeBytes: number,
  changing: Uint32Array = new Uint32Array(0),
): SnappyTemplate {
  const writer = new Elements(bytes, holes, changing);
  const places = new Int32Array(1 << TABLE_BITS).fill(-1);
  /** How far what begins at a place goes without a hole. */
  const ends = new Int32Array(1 << TABLE_BITS);
  let from = 0;
  for (let k = 0; k <= holes.length; k++) {
    const end = k < holes.length ? holes[k]! : bytes.length;
    while (from + 4 <= end) {
      const word = load32(bytes, from);
      const slot = Math.imul(word, HASH) >>> (32 - TABLE_BITS);
      const candidate = places[slot]!;
      const candidateEnd = ends[slot]!;
      places[slot] = from;
      ends[slot] = end;
      const isMatch =
        candidate >= 0 &&
        from - candidate <= MAX_DISTANCE &&
        candidate + 4 <= candidateEnd &&
        load32(bytes, candidate) === word;
      if (!isMatch) {
        from++;
        continue;
      }
      const most = Math.min(end - from, candidateEnd - candidate);
      let length = 4;
      while (length < most && bytes[candidate + length] === bytes[from + length]) length++;
      writer.literalTo(from);
      writer.copy(from - candidate, length);
      from += length;
    }
    if (k === holes.length) break;
    from = end + holeBytes;
    if (from - writer.done > LITERAL_BYTES) writer.literalTo(from);
  }
  return writer.finish();
}

class Elements {
  readonly #bytes: Uint8Array;
  readonly #holes: Uint32Array;
  readonly #placed: Uint32Array;
  #out: Uint8Array;
  #at = 0;
  #hole = 0;
  /** Up to here the data is in the elements. */
  done = 0;

  readonly #changing: Uint32Array;
  readonly #changes: number[] = [];
  #change = 0;

  constructor(bytes: Uint8Array, holes: Uint32Array, changing: Uint32Array) {
    this.#bytes = bytes;
    this.#holes = holes;
    this.#changing = changing;
    this.#placed = new Uint32Array(holes.length);
    this.#out = new Uint8Array(64 + bytes.length + Math.floor(bytes.length / 6));
  }

  literalTo(end: number): void {
    const length = end - this.done;
    if (length === 0) return;
    const out = this.#out;
    const n = length - 1;
    if (n < 60) out[this.#at++] = n << 2;
    else if (n < 256) {
      out[this.#at++] = 60 << 2;
      out[this.#at++] = n;
    } else {
      const size = n < 65_536 ? 2 : 3;
      out[this.#at++] = (59 + size) << 2;
      for (let i = 0; i < size; i++) out[this.#at++] = (n >>> (8 * i)) & 0xff;
    }
    out.set(this.#bytes.subarray(this.done, end), this.#at);
    while (this.#hole < this.#holes.length && this.#holes[this.#hole]! < end) {
      this.#placed[this.#hole] = this.#at + this.#holes[this.#hole]! - this.done;
      this.#hole++;
    }
    for (; this.#change < this.#changing.length && this.#changing[this.#change]! < end; this.#change++) {
      this.#changes.push(this.#at + this.#changing[this.#change]! - this.done, this.#change);
    }
    this.#at += length;
    this.done = end;
  }

  copy(distance: number, length: number): void {
    const out = this.#out;
    this.done += length;
    while (this.#change < this.#changing.length && this.#changing[this.#change]! < this.done) this.#change++;
    while (length > 0) {
      // Never leave a rest below four bytes.
      const part = length > 67 ? 64 : length > 64 ? 60 : length;
      if (part <= 11 && distance < 2048) {
        out[this.#at++] = 1 | ((part - 4) << 2) | ((distance >>> 8) << 5);
        out[this.#at++] = distance & 0xff;
      } else {
        out[this.#at++] = 2 | ((part - 1) << 2);
        out[this.#at++] = distance & 0xff;
        out[this.#at++] = distance >>> 8;
      }
      length -= part;
    }
  }

  finish(): SnappyTemplate {
    this.literalTo(this.#bytes.length);
    return {
      elements: this.#out.slice(0, this.#at),
      holes: this.#placed,
      changing: Uint32Array.from(this.#changes),
    };
  }
}

const load32 = (bytes: Uint8Array, at: number): number =>
  bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
