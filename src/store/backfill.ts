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
type Gathered = { readonly chunks: EncodedChunk[]; readonly open: SampleColumns };
type Stretch = Map<string, { readonly labels: Labels; readonly gathered: Gathered }>;

/** A series that samples are added to, and where its last one went. */
type Filling = { readonly labels: Labels; readonly key: string; start: number; gathered: Gathered | undefined };

export class Backfill {
  readonly #options: BackfillOptions;
  readonly #blockMs: number;
  /** By the start of the stretch, by series. */
  #stretches = new Map<number, Stretch>();
  readonly #filling = new Map<string, Filling>();
  #samples = 0;
  #written: BlockMeta[] = [];

  constructor(options: BackfillOptions) {
    this.#options = options;
    this.#blockMs = blockRanges(0, MIN_BLOCK_MS, options.maxBlockMs ?? MIN_BLOCK_MS).at(-1)!;
  }

  /** What `add` takes for a series. */
  series(labels: Labels): Filling {
    const key = labelsKey(labels);
    let filling = this.#filling.get(key);
    if (!filling) {
      filling = { labels, key, start: Number.NaN, gathered: undefined };
      this.#filling.set(key, filling);
    }
    return filling;
  }

  add(series: Filling, time: number, value: number): void {
    this.#room(series, time).push(time, value);
  }

  /** A series with its samples, as an evaluation gives them; values keep their bits. */
  addSeries(
    labels: Labels,
    timestamps: Float64Array,
    values: Float64Array,
    histograms?: ReadonlyMap<number, Histogram>,
  ): void {
    const series = this.series(labels);
    const words = new Uint32Array(values.buffer, values.byteOffset, values.length * 2);
    for (let i = 0; i < timestamps.length; i++) {
      const histogram = histograms?.get(i);
      const room = this.#room(series, timestamps[i]!);
      if (histogram) room.pushHistogram(timestamps[i]!, histogram);
      else room.pushBits(timestamps[i]!, words[i * 2 + 1]!, words[i * 2]!);
    }
  }

  #room(series: Filling, time: number): SampleColumns {
    if (++this.#samples > (this.#options.maxSamples ?? MAX_SAMPLES)) {
      this.#flush();
      this.#samples = 1;
    }
    if (!series.gathered || !(time >= series.start && time < series.start + this.#blockMs)) this.#turn(series, time);
    const { open, chunks } = series.gathered!;
    const goesBack = open.length > 0 && time <= open.timestamps[open.length - 1]!;
    if (goesBack || open.length >= SAMPLES_PER_CHUNK) {
      chunks.push(...encodeChunks(open));
      open.clear();
    }
    return open;
  }

  /** The series goes on in the stretch of this time. */
  #turn(series: Filling, time: number): void {
    series.start = Math.floor(time / this.#blockMs) * this.#blockMs;
    let stretch = this.#stretches.get(series.start);
    if (!stretch) {
      stretch = new Map();
      this.#stretches.set(series.start, stretch);
    }
    let entry = stretch.get(series.key);
    if (!entry) {
      entry = { labels: series.labels, gathered: { chunks: [], open: new SampleColumns(8) } };
      stretch.set(series.key, entry);
    }
    series.gathered = entry.gathered;
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
    for (const series of this.#filling.values()) series.gathered = undefined;
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
  const known = new Map<string, ReturnType<Backfill['series']>>();
  for (const { bytes, at } of piecesOf(options.disk, path)) {
    reader.reset(bytes);
    try {
      for (let kind = reader.next(); kind !== 'end'; kind = reader.next()) {
        if (kind !== 'series') continue;
        const key = reader.key();
        let series = known.get(key);
        if (!series) {
          const labels = reader.labels();
          series = backfill.series(extra.length > 0 ? labelsFrom([...pairsOf(labels), ...extra]) : labels);
          known.set(key, series);
        }
        if (Number.isNaN(reader.timestamp)) throw new ExpositionError(`expected timestamp for series ${key}, got none`);
        backfill.add(series, reader.timestamp, reader.value);
      }
    } catch (error) {
      if (!(error instanceof ExpositionError)) throw error;
      throw new UserError(error.message, path, { line: lineAt(options.disk, path, at + reader.entryStart), column: 1 });
    }
    options.onBytes?.(bytes.length);
  }
  return backfill.finish();
}

function* pairsOf(labels: Labels): Generator<[string, string]> {
  for (let i = 0; i < labels.length; i += 2) yield [labels[i]!, labels[i + 1]!];
}

/** The line that begins at a place in a file; lines are counted only for messages. */
function lineAt(disk: Disk, path: string, place: number): number {
  let line = 1;
  for (const { bytes, at, end } of piecesOf(disk, path)) {
    const until = Math.min(end, place) - at;
    for (let next = bytes.indexOf(10); next >= 0 && next < until; next = bytes.indexOf(10, next + 1)) line++;
    if (place < end) break;
  }
  return line;
}

/** The file in pieces, [at, end) of it, that end with a line, each closed as a page of its own; the last one must be closed in the file. */
function* piecesOf(
  disk: Disk,
  path: string,
): Generator<{ readonly bytes: Uint8Array; readonly at: number; readonly end: number }> {
  const file = disk.open(path, 'read');
  try {
    const size = file.size();
    for (let at = 0; at < size; ) {
      const bytes = new Uint8Array(Math.min(PIECE_BYTES, size - at) + END.length);
      const got = file.read(bytes.subarray(0, bytes.length - END.length), at);
      if (at + got >= size) {
        yield { bytes: bytes.subarray(0, got), at, end: size };
        return;
      }
      const end = bytes.lastIndexOf(10, got - 1) + 1;
      if (end === 0) throw new UserError(`a line is longer than ${PIECE_BYTES} bytes`, path);
      bytes.set(END, end);
      yield { bytes: bytes.subarray(0, end + END.length), at, end: at + end };
      at += end;
    }
  } finally {
    file.close();
  }
}
