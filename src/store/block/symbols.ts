// The symbol table of an index: sorted strings by number. Only every 32nd offset is in memory; strings are read as they are
// asked for and the recently used are kept, up to a limit.

import { compareText } from '#model/labels.ts';
import { be32At, corrupt } from './bytes.ts';
import type { PagedFile } from './files.ts';
import { FileScanner, PagedCursor } from './files.ts';
import { SAMPLING } from './index-format.ts';

const CACHED_STRINGS = 16_384;

export class SymbolTable {
  readonly #file: PagedFile;
  readonly #samples: Float64Array;
  readonly #end: number;
  readonly count: number;
  #young = new Map<number, string>();
  #old = new Map<number, string>();

  constructor(file: PagedFile, offset: number) {
    this.#file = file;
    const length = be32At(file.slice(offset, 4), 0);
    this.#end = offset + 4 + length;
    const scanner = new FileScanner(file.file, offset + 4, this.#end, file.name, true);
    this.count = scanner.be32();
    this.#samples = new Float64Array(Math.ceil(this.count / SAMPLING));
    for (let i = 0; i < this.count; i++) {
      if (i % SAMPLING === 0) this.#samples[i / SAMPLING] = scanner.position;
      scanner.skip(scanner.uvarint());
    }
    scanner.skip(scanner.left);
    if (scanner.crc !== be32At(file.slice(this.#end, 4), 0)) {
      throw corrupt(`${file.name}: the checksum of the symbol table does not match`);
    }
  }

  at(number: number): string {
    let text = this.#young.get(number);
    if (text !== undefined) return text;
    text = this.#old.get(number) ?? this.#read(number);
    if (this.#young.size >= CACHED_STRINGS) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(number, text);
    return text;
  }

  #read(number: number): string {
    if (!(number < this.count)) throw corrupt(`${this.#file.name}: symbol ${number} of ${this.count}`);
    const cursor = new PagedCursor(this.#file, this.#samples[Math.floor(number / SAMPLING)]!);
    for (let i = number % SAMPLING; i > 0; i--) cursor.skip(cursor.uvarint());
    return cursor.text();
  }

  /** The number of a string, if it is in the table. */
  find(text: string): number | undefined {
    let low = 0;
    let high = this.#samples.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (compareText(new PagedCursor(this.#file, this.#samples[middle]!).text(), text) <= 0) low = middle;
      else high = middle;
    }
    if (this.count === 0) return undefined;
    const cursor = new PagedCursor(this.#file, this.#samples[low]!);
    for (let number = low * SAMPLING; number < Math.min(this.count, (low + 1) * SAMPLING); number++) {
      const order = compareText(cursor.text(), text);
      if (order === 0) return number;
      if (order > 0) return undefined;
    }
    return undefined;
  }
}
