// Reads an index file without loading it: the table of contents and every 32nd entry of the tables are in memory, all else
// is fetched by page when asked for. A reference is a series entry's offset divided by 16; references sort as labels do.

import { crc32c } from '#base/crc32c.ts';
import type { Disk } from '#base/disk/disk.ts';
import { compareText, type Labels } from '#model/labels.ts';
import type { TimeRange } from '#model/query.ts';
import { ByteReader, be32At, corrupt } from './bytes.ts';
import { FileScanner, type PageCache, PagedCursor, PagedFile } from './files.ts';
import {
  type ChunkPlace,
  INDEX_FILE,
  INDEX_HEADER_BYTES,
  INDEX_MAGIC,
  INDEX_VERSION,
  type IndexToc,
  SAMPLING,
  SERIES_ALIGNMENT,
  TOC_BYTES,
} from './index-format.ts';
import { SymbolTable } from './symbols.ts';

/** The entries of one label name in the postings table. */
type NameEntries = { count: number; samples: number[] };
type PostingsEntry = { readonly value: string; readonly offset: number };

/** How much of a series entry is read at first: most are shorter. */
const SERIES_GUESS_BYTES = 512;

export class IndexReader {
  readonly #file: PagedFile;
  readonly toc: IndexToc;
  readonly symbols: SymbolTable;
  readonly #names = new Map<string, NameEntries>();
  #allOffset = 0;

  constructor(disk: Disk, folder: string, cache: PageCache) {
    const path = `${folder}/${INDEX_FILE}`;
    this.#file = new PagedFile(disk.open(path, 'read'), path, cache);
    try {
      this.toc = this.#readToc();
      this.symbols = new SymbolTable(this.#file, this.toc.symbols);
      this.#readNames();
    } catch (error) {
      this.#file.close();
      throw error;
    }
  }

  get sizeBytes(): number {
    return this.#file.size;
  }

  close(): void {
    this.#file.close();
  }

  #readToc(): IndexToc {
    const { size, name } = this.#file;
    if (size < INDEX_HEADER_BYTES + TOC_BYTES) throw corrupt(`${name}: it has only ${size} bytes`);
    const head = this.#file.slice(0, INDEX_HEADER_BYTES);
    if (be32At(head, 0) !== INDEX_MAGIC) throw corrupt(`${name}: it does not begin as an index`);
    if (head[4] !== INDEX_VERSION) throw corrupt(`${name}: format version ${head[4]}, only ${INDEX_VERSION} is known`);
    const bytes = this.#file.slice(size - TOC_BYTES, TOC_BYTES);
    if (crc32c(bytes, 0, TOC_BYTES - 4) !== be32At(bytes, TOC_BYTES - 4)) {
      throw corrupt(`${name}: the checksum of the table of contents does not match`);
    }
    const reader = new ByteReader(bytes);
    return {
      symbols: reader.be64(),
      series: reader.be64(),
      labelIndex: reader.be64(),
      labelIndexTable: reader.be64(),
      postings: reader.be64(),
      postingsTable: reader.be64(),
    };
  }

  #readNames(): void {
    const start = this.toc.postingsTable;
    const end = start + 4 + be32At(this.#file.slice(start, 4), 0);
    const scanner = new FileScanner(this.#file.file, start + 4, end, this.#file.name, true);
    const count = scanner.be32();
    let entries: NameEntries | undefined;
    let name = new Uint8Array(0);
    for (let i = 0; i < count; i++) {
      const at = scanner.position;
      if (scanner.uvarint() !== 2) throw corrupt(`${this.#file.name} at ${at}: no postings entry of two strings`);
      const bytes = scanner.take(scanner.uvarint());
      if (!entries || !equalBytes(bytes, name)) {
        name = bytes.slice();
        entries = { count: 0, samples: [] };
        this.#names.set(new TextDecoder().decode(name), entries);
      }
      if (entries.count++ % SAMPLING === 0) entries.samples.push(at);
      scanner.skip(scanner.uvarint());
      const offset = scanner.uvarint();
      if (name.length === 0) this.#allOffset = offset;
    }
    scanner.skip(scanner.left);
    if (scanner.crc !== be32At(this.#file.slice(end, 4), 0)) {
      throw corrupt(`${this.#file.name}: the checksum of the postings table does not match`);
    }
    this.#names.delete('');
  }

  /** In order. */
  get labelNames(): string[] {
    return [...this.#names.keys()];
  }

  /** How many values a label has. */
  valueCount(name: string): number {
    return this.#names.get(name)?.count ?? 0;
  }

  #readEntry(cursor: PagedCursor): PostingsEntry {
    cursor.uvarint();
    cursor.skip(cursor.uvarint());
    return { value: cursor.text(), offset: cursor.uvarint() };
  }

  /** Values of a label in order, from the first that is not before `from`. */
  *values(name: string, from = ''): Generator<PostingsEntry> {
    const entries = this.#names.get(name);
    if (!entries) return;
    const sample = this.#sampleBefore(entries, from);
    const cursor = new PagedCursor(this.#file, entries.samples[sample]!);
    for (let i = sample * SAMPLING; i < entries.count; i++) {
      const entry = this.#readEntry(cursor);
      if (from === '' || compareText(entry.value, from) >= 0) yield entry;
    }
  }

  /** The last sampled entry that is not after a value, or the first. */
  #sampleBefore(entries: NameEntries, value: string): number {
    let low = 0;
    let high = entries.samples.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      const entry = this.#readEntry(new PagedCursor(this.#file, entries.samples[middle]!));
      if (compareText(entry.value, value) <= 0) low = middle;
      else high = middle;
    }
    return low;
  }

  /** Where the postings of a label pair lie; undefined when no series has it. */
  find(name: string, value: string): number | undefined {
    for (const entry of this.values(name, value)) return entry.value === value ? entry.offset : undefined;
    return undefined;
  }

  get allPostings(): Uint32Array {
    return this.postingsAt(this.#allOffset);
  }

  /** How many series the list at an offset has. */
  postingsCount(offset: number): number {
    return be32At(this.#file.slice(offset + 4, 4), 0);
  }

  /** The n-th of all series. */
  refAt(position: number): number {
    return be32At(this.#file.slice(this.#allOffset + 8 + position * 4, 4), 0);
  }

  get seriesCount(): number {
    return this.postingsCount(this.#allOffset);
  }

  /** References of series, ascending. */
  postingsAt(offset: number): Uint32Array {
    const length = be32At(this.#file.slice(offset, 4), 0);
    const bytes = this.#file.slice(offset + 4, length + 4);
    if (bytes.length < length + 4 || crc32c(bytes, 0, length) !== be32At(bytes, length)) {
      throw corrupt(`${this.#file.name} at ${offset}: the checksum of the postings does not match`);
    }
    const count = be32At(bytes, 0);
    if (length < 4 + count * 4) throw corrupt(`${this.#file.name} at ${offset}: ${count} postings in ${length} bytes`);
    const refs = new Uint32Array(count);
    for (let i = 0, at = 4; i < count; i++, at += 4) refs[i] = be32At(bytes, at);
    return refs;
  }

  #seriesBody(ref: number): ByteReader {
    const offset = ref * SERIES_ALIGNMENT;
    let bytes = this.#file.slice(offset, SERIES_GUESS_BYTES);
    const reader = new ByteReader(bytes);
    const length = reader.uvarint();
    const start = reader.at;
    if (start + length + 4 > bytes.length) bytes = this.#file.slice(offset, start + length + 4);
    const end = start + length;
    if (end + 4 > bytes.length || crc32c(bytes, start, end) !== be32At(bytes, end)) {
      throw corrupt(`${this.#file.name} at ${offset}: the checksum of the series does not match`);
    }
    return new ByteReader(bytes, start, end);
  }

  labels(ref: number): Labels {
    const reader = this.#seriesBody(ref);
    return this.#readLabels(reader);
  }

  #readLabels(reader: ByteReader): Labels {
    const count = reader.uvarint();
    const labels: string[] = [];
    for (let i = 0; i < count * 2; i++) labels.push(this.symbols.at(reader.uvarint()));
    return labels;
  }

  /** Chunks of a series that touch a range. */
  chunks(ref: number, range: TimeRange): ChunkPlace[] {
    const reader = this.#seriesBody(ref);
    for (let rest = reader.uvarint() * 2; rest > 0; rest--) reader.uvarint();
    return readPlaces(reader, range);
  }

  series(ref: number, range: TimeRange): { labels: Labels; chunks: ChunkPlace[] } {
    const reader = this.#seriesBody(ref);
    return { labels: this.#readLabels(reader), chunks: readPlaces(reader, range) };
  }
}

function readPlaces(reader: ByteReader, range: TimeRange): ChunkPlace[] {
  const places: ChunkPlace[] = [];
  let ref = 0;
  let maxTime = 0;
  for (let i = 0, count = reader.uvarint(); i < count; i++) {
    const minTime = i === 0 ? reader.varint() : maxTime + reader.uvarint();
    maxTime = minTime + reader.uvarint();
    ref = i === 0 ? reader.uvarint() : ref + reader.varint();
    if (minTime > range.max) break;
    if (maxTime >= range.min) places.push({ ref, minTime, maxTime });
  }
  return places;
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
