// Writes an index file in one pass over the series. Symbols come first in the file but are known last, so series wait in a
// scratch file beside it with provisional numbers; `finish` then writes symbols, series, postings and tables in order.
// Memory grows with the distinct label pairs and four bytes per series, never with samples.

import { assert } from '#base/assert.ts';
import { crc32c } from '#base/crc32c.ts';
import type { Disk } from '#base/disk/disk.ts';
import { compareLabels, compareText, hashLabels, type Labels } from '#model/labels.ts';
import { ByteWriter, putBe32 } from './bytes.ts';
import { FileScanner, FileWriter } from './files.ts';
import { encodeHashes } from './hashes.ts';
import {
  type ChunkPlace,
  INDEX_FILE,
  INDEX_MAGIC,
  INDEX_VERSION,
  type IndexToc,
  SERIES_ALIGNMENT,
  SHARDS_FILE,
} from './index-format.ts';

/** Postings are gathered for as many label pairs at a time as fit into this many references. */
const POSTINGS_BATCH = 8 * 1024 * 1024;

class Uint32List {
  values = new Uint32Array(1024);
  length = 0;
  push(value: number): void {
    if (this.length === this.values.length) {
      const grown = new Uint32Array(this.length * 2);
      grown.set(this.values);
      this.values = grown;
    }
    this.values[this.length++] = value;
  }
}

export class IndexWriter {
  readonly #disk: Disk;
  readonly #folder: string;
  readonly #scratch: FileWriter;
  readonly #scratchPath: string;
  readonly #entry = new ByteWriter(1024);
  readonly #chunks = new ByteWriter(1024);
  /** By label name, by value: the provisional number of the pair. */
  readonly #pairs = new Map<string, Map<string, number>>();
  readonly #pairUses = new Uint32List();
  readonly #hashes = new Uint32List();
  #previous: Labels = [];
  #previousPairs: number[] = [];

  constructor(disk: Disk, folder: string) {
    this.#disk = disk;
    this.#folder = folder;
    this.#scratchPath = `${folder}/${INDEX_FILE}.series`;
    this.#scratch = new FileWriter(disk, this.#scratchPath);
  }

  get series(): number {
    return this.#hashes.length;
  }

  /** Series come in label order, their chunks in order of time. */
  add(labels: Labels, chunks: readonly ChunkPlace[]): void {
    assert(
      this.series === 0 || compareLabels(this.#previous, labels) < 0,
      `series out of order: ${labels.join(' ')} after ${this.#previous.join(' ')}`,
    );
    assert(chunks.length > 0, 'a series without chunks');
    this.#hashes.push(hashLabels(labels));
    const entry = this.#entry;
    entry.reset();
    entry.uvarint(labels.length / 2);
    const pairs: number[] = [];
    for (let i = 0; i < labels.length; i += 2) {
      const same = labels[i] === this.#previous[i] && labels[i + 1] === this.#previous[i + 1];
      const pair = same ? this.#previousPairs[i / 2]! : this.#pair(labels[i]!, labels[i + 1]!);
      this.#pairUses.values[pair]!++;
      pairs.push(pair);
      entry.uvarint(pair);
    }
    this.#previous = labels;
    this.#previousPairs = pairs;
    this.#encodeChunks(chunks);
    entry.uvarint(this.#chunks.length);
    entry.raw(this.#chunks.view());
    this.#scratch.write(entry.view());
  }

  #encodeChunks(chunks: readonly ChunkPlace[]): void {
    const out = this.#chunks;
    out.reset();
    out.uvarint(chunks.length);
    let before: ChunkPlace | undefined;
    for (const chunk of chunks) {
      assert(chunk.minTime <= chunk.maxTime, `chunk from ${chunk.minTime} to ${chunk.maxTime}`);
      if (!before) {
        out.varint(chunk.minTime);
        out.uvarint(chunk.maxTime - chunk.minTime);
        out.uvarint(chunk.ref);
      } else {
        assert(chunk.minTime > before.maxTime, `chunk at ${chunk.minTime} overlaps one until ${before.maxTime}`);
        out.uvarint(chunk.minTime - before.maxTime);
        out.uvarint(chunk.maxTime - chunk.minTime);
        out.varint(chunk.ref - before.ref);
      }
      before = chunk;
    }
  }

  #pair(name: string, value: string): number {
    let values = this.#pairs.get(name);
    if (!values) {
      values = new Map();
      this.#pairs.set(name, values);
    }
    let pair = values.get(value);
    if (pair === undefined) {
      pair = this.#pairUses.length;
      values.set(value, pair);
      this.#pairUses.push(0);
    }
    return pair;
  }

  abandon(): void {
    this.#scratch.abandon();
  }

  /** Writes the index and the hashes of its series; both are durable when this returns. */
  finish(): void {
    this.#scratch.finishUnsynced();
    const file = new FileWriter(this.#disk, `${this.#folder}/${INDEX_FILE}`);
    const head = new ByteWriter(8);
    head.be32(INDEX_MAGIC);
    head.u8(INDEX_VERSION);
    file.write(head.view());

    const symbolsAt = file.position;
    const symbols = this.#writeSymbols(file);
    file.pad(SERIES_ALIGNMENT);
    const seriesAt = file.position;
    const { pairs, symbolOfName, symbolOfValue } = this.#numberPairs(symbols);
    const refs = this.#writeSeries(file, symbolOfName, symbolOfValue);
    const labelIndexAt = file.position;
    file.pad(4);
    const postingsAt = file.position;
    this.#writePostings(file, refs, pairs);
    const tableAt = file.position;
    this.#writePostingsTable(file, refs.length, pairs, postingsAt);
    writeToc(file, {
      symbols: symbolsAt,
      series: seriesAt,
      labelIndex: labelIndexAt,
      labelIndexTable: tableAt,
      postings: postingsAt,
      postingsTable: tableAt,
    });
    file.finish();
    this.#disk.remove(this.#scratchPath);
    this.#writeHashes();
  }

  /** The number of every symbol. */
  #writeSymbols(file: FileWriter): Map<string, number> {
    const distinct = new Set<string>();
    for (const [name, values] of this.#pairs) {
      distinct.add(name);
      for (const value of values.keys()) distinct.add(value);
    }
    const sorted = [...distinct].sort(compareText);
    const out = new ByteWriter(256);
    let bytes = 4;
    for (const symbol of sorted) {
      out.reset();
      out.text(symbol);
      bytes += out.length;
    }
    out.reset();
    out.be32(bytes);
    file.write(out.view());
    file.startChecksum();
    out.reset();
    out.be32(sorted.length);
    file.write(out.view());
    const numbers = new Map<string, number>();
    for (const symbol of sorted) {
      out.reset();
      out.text(symbol);
      file.write(out.view());
      numbers.set(symbol, numbers.size);
    }
    file.writeChecksum();
    return numbers;
  }

  /** Pairs in order of name and value, and the symbols of each by its provisional number. */
  #numberPairs(symbols: ReadonlyMap<string, number>) {
    const symbolOfName = new Uint32Array(this.#pairUses.length);
    const symbolOfValue = new Uint32Array(this.#pairUses.length);
    const pairs: { name: string; value: string; pair: number }[] = [];
    for (const name of [...this.#pairs.keys()].sort(compareText)) {
      const values = this.#pairs.get(name)!;
      for (const value of [...values.keys()].sort(compareText)) {
        const pair = values.get(value)!;
        symbolOfName[pair] = symbols.get(name)!;
        symbolOfValue[pair] = symbols.get(value)!;
        pairs.push({ name, value, pair });
      }
    }
    return { pairs, symbolOfName, symbolOfValue };
  }

  *#scan(): Generator<FileScanner> {
    const file = this.#disk.open(this.#scratchPath, 'read');
    try {
      const scanner = new FileScanner(file, 0, file.size(), this.#scratchPath);
      for (let i = 0; i < this.series; i++) yield scanner;
    } finally {
      file.close();
    }
  }

  /** The reference of every series. */
  #writeSeries(file: FileWriter, symbolOfName: Uint32Array, symbolOfValue: Uint32Array): Uint32Array {
    const refs = new Uint32Array(this.series);
    const body = new ByteWriter(1024);
    const head = new ByteWriter(16);
    let index = 0;
    for (const scanner of this.#scan()) {
      body.reset();
      const labels = scanner.uvarint();
      body.uvarint(labels);
      for (let i = 0; i < labels; i++) {
        const pair = scanner.uvarint();
        body.uvarint(symbolOfName[pair]!);
        body.uvarint(symbolOfValue[pair]!);
      }
      body.raw(scanner.take(scanner.uvarint()));
      file.pad(SERIES_ALIGNMENT);
      refs[index++] = file.position / SERIES_ALIGNMENT;
      head.reset();
      head.uvarint(body.length);
      file.write(head.view());
      const length = body.length;
      body.be32(crc32c(body.bytes, 0, length));
      file.write(body.view());
    }
    return refs;
  }

  #writePostings(file: FileWriter, refs: Uint32Array, pairs: readonly { pair: number }[]): void {
    writePostingsList(file, refs, 0, refs.length);
    const uses = this.#pairUses.values;
    for (let start = 0; start < pairs.length; ) {
      let end = start;
      let total = 0;
      while (end < pairs.length && (end === start || total + uses[pairs[end]!.pair]! <= POSTINGS_BATCH)) {
        total += uses[pairs[end++]!.pair]!;
      }
      const gathered = this.#gather(refs, pairs.slice(start, end), total);
      let at = 0;
      for (let i = start; i < end; i++) {
        const count = uses[pairs[i]!.pair]!;
        writePostingsList(file, gathered, at, at + count);
        at += count;
      }
      start = end;
    }
  }

  /** References of the series that have the pairs, pair after pair. */
  #gather(refs: Uint32Array, pairs: readonly { pair: number }[], total: number): Uint32Array {
    const uses = this.#pairUses.values;
    /** Where the next reference of a pair goes, plus one; 0 for pairs that are not gathered now. */
    const next = new Uint32Array(this.#pairUses.length);
    let at = 0;
    for (const { pair } of pairs) {
      next[pair] = at + 1;
      at += uses[pair]!;
    }
    assert(at === total, `${at} postings, not ${total}`);
    const gathered = new Uint32Array(total);
    let index = 0;
    for (const scanner of this.#scan()) {
      const ref = refs[index++]!;
      const labels = scanner.uvarint();
      for (let i = 0; i < labels; i++) {
        const pair = scanner.uvarint();
        const slot = next[pair]!;
        if (slot === 0) continue;
        gathered[slot - 1] = ref;
        next[pair] = slot + 1;
      }
      scanner.skip(scanner.uvarint());
    }
    return gathered;
  }

  #writePostingsTable(
    file: FileWriter,
    series: number,
    pairs: readonly { name: string; value: string; pair: number }[],
    postingsAt: number,
  ): void {
    const uses = this.#pairUses.values;
    const out = new ByteWriter(256);
    // Twice over the same entries: once for the section's length, once to write it.
    let bytes = 0;
    for (const writing of [false, true]) {
      if (writing) {
        out.reset();
        out.be32(bytes + 4);
        file.write(out.view());
        file.startChecksum();
        out.reset();
        out.be32(pairs.length + 1);
        file.write(out.view());
      }
      let offset = postingsAt;
      for (let i = -1; i < pairs.length; i++) {
        const entry = pairs[i];
        out.reset();
        out.uvarint(2);
        out.text(entry?.name ?? '');
        out.text(entry?.value ?? '');
        out.uvarint(offset);
        if (writing) file.write(out.view());
        else bytes += out.length;
        offset += postingsBytes(entry ? uses[entry.pair]! : series);
      }
    }
    file.writeChecksum();
  }

  #writeHashes(): void {
    const file = new FileWriter(this.#disk, `${this.#folder}/${SHARDS_FILE}`);
    file.write(encodeHashes(this.#hashes.values, this.series));
    file.finish();
  }
}

/** Length, count, references, checksum: always a multiple of four. */
const postingsBytes = (count: number): number => 4 + 4 + count * 4 + 4;

function writePostingsList(file: FileWriter, refs: Uint32Array, start: number, end: number): void {
  const bytes = new Uint8Array(postingsBytes(end - start));
  putBe32(bytes, 0, bytes.length - 8);
  putBe32(bytes, 4, end - start);
  let at = 8;
  for (let i = start; i < end; i++, at += 4) putBe32(bytes, at, refs[i]!);
  putBe32(bytes, at, crc32c(bytes, 4, at));
  file.write(bytes);
}

function writeToc(file: FileWriter, toc: IndexToc): void {
  const out = new ByteWriter(64);
  out.be64(toc.symbols);
  out.be64(toc.series);
  out.be64(toc.labelIndex);
  out.be64(toc.labelIndexTable);
  out.be64(toc.postings);
  out.be64(toc.postingsTable);
  file.startChecksum();
  file.write(out.view());
  file.writeChecksum();
}
