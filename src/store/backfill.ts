// Makes blocks out of samples that were never in a head: files with history, recording rules over the past. Samples may come
// in any order; a stretch of time may come in several instalments, whose blocks are merged at the end.

import type { Disk } from '#base/disk/disk.ts';
import { UserError } from '#base/errors.ts';
import type { Random } from '#base/random.ts';
import type { Histogram } from '#model/histogram.ts';
import { compareLabels, type Labels, labelsFrom, labelsKey } from '#model/labels.ts';
import { ExpositionError } from '#wire/exposition/entries.ts';
import { TextReader } from '#wire/exposition/text.ts';
import type { BlockMeta } from './block/meta.ts';
import { newUlid } from './block/ulid.ts';
import { type BlockSeries, writeBlock } from './block/writer.ts';
import type { EncodedChunk } from './chunks.ts';
import { encodeChunks, SAMPLES_PER_CHUNK } from './codec/chunk.ts';
import { SampleColumns } from './codec/samples.ts';
import { compact, removeBlocks } from './compact/compact.ts';
import { blockRanges, MIN_BLOCK_MS, planCompaction } from './compact/plan.ts';
import { mergeSeries } from './compact/series.ts';

export type BackfillOptions = {
  readonly disk: Disk;
  /** Where the blocks go. */
  readonly folder: string;
  readonly random: Random;
  readonly nowMs: number;
  /** The longest block; rounded down to a length that compaction knows. */
  readonly maxBlockMs?: number;
  /** Samples that are held at most before they are written. */
  readonly maxSamples?: number;
  /** Told of every piece of a file that has been read. */
  readonly onBytes?: (count: number) => void;
};

const MAX_SAMPLES = 20_000_000;

/** Samples of one series within one stretch of time. */
type Gathered = { readonly chunks: EncodedChunk[]; open: SampleColumns };

export class Backfill {
  readonly #options: BackfillOptions;
  readonly #blockMs: number;
  /** By the start of the stretch, by series. */
  #stretches = new Map<number, Map<string, { readonly labels: Labels; readonly gathered: Gathered }>>();
  #samples = 0;
  #written: BlockMeta[] = [];

  constructor(options: BackfillOptions) {
    this.#options = options;
    this.#blockMs = blockRanges(0, MIN_BLOCK_MS, options.maxBlockMs ?? MIN_BLOCK_MS).at(-1)!;
  }

  add(labels: Labels, time: number, value: number): void {
    this.#room(labels, time).push(time, value);
  }

  /** A series with its samples, as an evaluation gives them; values keep their bits. */
  addSeries(
    labels: Labels,
    timestamps: Float64Array,
    values: Float64Array,
    histograms?: ReadonlyMap<number, Histogram>,
  ): void {
    const words = new Uint32Array(values.buffer, values.byteOffset, values.length * 2);
    for (let i = 0; i < timestamps.length; i++) {
      const histogram = histograms?.get(i);
      const room = this.#room(labels, timestamps[i]!);
      if (histogram) room.pushHistogram(timestamps[i]!, histogram);
      else room.pushBits(timestamps[i]!, words[i * 2 + 1]!, words[i * 2]!);
    }
  }

  #room(labels: Labels, time: number): SampleColumns {
    if (++this.#samples > (this.#options.maxSamples ?? MAX_SAMPLES)) {
      this.#flush();
      this.#samples = 1;
    }
    const start = Math.floor(time / this.#blockMs) * this.#blockMs;
    let stretch = this.#stretches.get(start);
    if (!stretch) {
      stretch = new Map();
      this.#stretches.set(start, stretch);
    }
    const key = labelsKey(labels);
    let series = stretch.get(key);
    if (!series) {
      series = { labels, gathered: { chunks: [], open: new SampleColumns(8) } };
      stretch.set(key, series);
    }
    const { gathered } = series;
    const { open } = gathered;
    const goesBack = open.length > 0 && time <= open.timestamps[open.length - 1]!;
    if (goesBack || open.length >= SAMPLES_PER_CHUNK) {
      gathered.chunks.push(...encodeChunks(open));
      open.clear();
    }
    return open;
  }

  #flush(): void {
    const { disk, folder, nowMs, random } = this.#options;
    for (const [start, stretch] of [...this.#stretches].sort(([a], [b]) => a - b)) {
      const range = { min: start, max: start + this.#blockMs - 1 };
      const series: BlockSeries[] = [...stretch.values()]
        .sort((a, b) => compareLabels(a.labels, b.labels))
        .map(({ labels, gathered: { chunks, open } }) => {
          const all = [...chunks, ...encodeChunks(open)];
          return { labels, chunks: mergeSeries([{ labels, chunks: all, deleted: [] }], range) };
        });
      const times = series.flatMap(({ chunks }) => [chunks[0]!.minTime, chunks.at(-1)!.maxTime]);
      const [minTime, maxTime] = times.reduce(([a, b], t) => [Math.min(a, t), Math.max(b, t)], [Infinity, -Infinity]);
      const ulid = newUlid(nowMs, random);
      const compaction = { level: 1, sources: [ulid] };
      const meta: BlockMeta = { ulid, minTime, maxTime: maxTime + 1, stats: {}, compaction, version: 1 };
      const block = writeBlock(disk, folder, meta, series);
      if (block) this.#written.push(block);
    }
    this.#stretches = new Map();
  }

  /** Writes what is left and merges blocks that overlap each other. Returns the blocks, in order of time. */
  finish(): readonly BlockMeta[] {
    this.#flush();
    const { disk, folder, nowMs, random } = this.#options;
    for (;;) {
      const plan = planCompaction(folder, this.#written, [this.#blockMs], newUlid(nowMs, random));
      if (plan?.reason !== 'overlap') break;
      const { block, obsolete } = compact(plan, disk);
      removeBlocks(disk, folder, obsolete);
      this.#written = this.#written.filter(({ ulid }) => !obsolete.includes(ulid));
      if (block) this.#written.push(block);
    }
    return this.#written.sort((a, b) => a.minTime - b.minTime);
  }
}

const PIECE_BYTES = 16 * 1024 * 1024;
const END = new TextEncoder().encode('# EOF\n');

/** Reads an OpenMetrics file, of any size, into blocks. Every sample needs a timestamp. */
export function backfillOpenMetrics(
  path: string,
  options: BackfillOptions,
  extraLabels: Readonly<Record<string, string>> = {},
): readonly BlockMeta[] {
  const backfill = new Backfill(options);
  const reader = new TextReader('openmetrics');
  const extra = Object.entries(extraLabels);
  const known = new Map<string, Labels>();
  let line = 1;
  for (const { bytes, lines } of piecesOf(options.disk, path)) {
    reader.reset(bytes);
    try {
      for (let kind = reader.next(); kind !== 'end'; kind = reader.next()) {
        if (kind !== 'series') continue;
        const key = reader.key();
        let labels = known.get(key);
        if (!labels) {
          labels = reader.labels();
          if (extra.length > 0) labels = labelsFrom([...pairsOf(labels), ...extra]);
          known.set(key, labels);
        }
        if (Number.isNaN(reader.timestamp)) throw new ExpositionError(`expected timestamp for series ${key}, got none`);
        backfill.add(labels, reader.timestamp, reader.value);
      }
    } catch (error) {
      if (!(error instanceof ExpositionError)) throw error;
      const before = bytes.subarray(0, reader.entryStart);
      throw new UserError(error.message, path, { line: line + countLines(before), column: 1 });
    }
    line += lines;
    options.onBytes?.(bytes.length);
  }
  return backfill.finish();
}

function* pairsOf(labels: Labels): Generator<[string, string]> {
  for (let i = 0; i < labels.length; i += 2) yield [labels[i]!, labels[i + 1]!];
}

function countLines(bytes: Uint8Array): number {
  let count = 0;
  for (const byte of bytes) if (byte === 10) count++;
  return count;
}

/** The file in pieces that end with a line, each closed as a page of its own; the last one must be closed in the file. */
function* piecesOf(disk: Disk, path: string): Generator<{ bytes: Uint8Array; lines: number }> {
  const file = disk.open(path, 'read');
  try {
    const size = file.size();
    for (let at = 0; at < size; ) {
      const bytes = new Uint8Array(Math.min(PIECE_BYTES, size - at) + END.length);
      const got = file.read(bytes.subarray(0, bytes.length - END.length), at);
      if (at + got >= size) {
        yield { bytes: bytes.subarray(0, got), lines: 0 };
        return;
      }
      const end = bytes.lastIndexOf(10, got - 1) + 1;
      if (end === 0) throw new UserError(`a line is longer than ${PIECE_BYTES} bytes`, path);
      bytes.set(END, end);
      yield { bytes: bytes.subarray(0, end + END.length), lines: countLines(bytes.subarray(0, end)) };
      at += end;
    }
  } finally {
    file.close();
  }
}
