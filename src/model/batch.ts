// What goes into a store: columns of samples of one scrape or one request. This is the contract of everything that
// appends (scrape, receive, rules, backfill) with everything that takes samples (head, fan-out over shards, remote write, agent).

import type { Histogram } from './histogram.ts';
import type { Labels } from './labels.ts';
import { type PackedSeries, unpackSeries } from './packed.ts';

/**
 * A store's number for a series: slot (32 bits), generation of the slot (15 bits), shard (6 bits), from low to high. The
 * generation makes a number recognisable that a cache kept after its series was gone; the shard lets a batch be split without a
 * look-up. Numbers are valid within one run only.
 */
export type SeriesRef = number;

const SLOTS = 2 ** 32;
const GENERATIONS = 2 ** 15;
export const MAX_SHARDS = 64;

export const seriesRef = (shard: number, generation: number, slot: number): SeriesRef =>
  (shard * GENERATIONS + (generation % GENERATIONS)) * SLOTS + slot;
export const slotOfRef = (ref: SeriesRef): number => ref % SLOTS;
export const generationOfRef = (ref: SeriesRef): number => Math.floor(ref / SLOTS) % GENERATIONS;
export const shardOfRef = (ref: SeriesRef): number => Math.floor(ref / (SLOTS * GENERATIONS));

/** In `SampleBatch.refs`: not known yet, labels in `SampleBatch.series[-ref - 1]`. */
export const newSeries = (index: number): SeriesRef => -index - 1;

export type Exemplar = { readonly labels: Labels; readonly value: number; readonly timestamp: number };

export type MetricType =
  | 'counter'
  | 'gauge'
  | 'histogram'
  | 'gaugehistogram'
  | 'summary'
  | 'info'
  | 'stateset'
  | 'unknown';
export type Metadata = { readonly type: MetricType; readonly help: string; readonly unit: string };

/** Row i is (refs[i], timestamps[i], values[i]); rows of one series are in time order. Times are milliseconds. */
export type SampleBatch = {
  readonly refs: Float64Array;
  readonly timestamps: Float64Array;
  readonly values: Float64Array;
  /** Start timestamps (created times), when the source gives them; 0 where unknown. */
  readonly starts?: Float64Array;
  /** Labels of the series that the sender has no ref for; referred to by `newSeries(index)`. */
  readonly series: readonly Labels[];
  /** The same as bytes; then `series` is empty. `labelSetsOf` reads both. */
  readonly packed?: PackedSeries;
  readonly histograms?: readonly {
    readonly ref: SeriesRef;
    readonly timestamp: number;
    readonly start?: number;
    readonly value: Histogram;
  }[];
  readonly exemplars?: readonly { readonly ref: SeriesRef; readonly exemplar: Exemplar }[];
  /** By metric family name. */
  readonly metadata?: readonly { readonly family: string; readonly metadata: Metadata }[];
};

/** How many label sets a batch brings. */
export const newSeriesCount = (batch: SampleBatch): number => batch.packed?.count ?? batch.series.length;

/** The label sets that refs below 0 refer to. */
export const labelSetsOf = (batch: SampleBatch): readonly Labels[] =>
  batch.packed ? unpackSeries(batch.packed) : batch.series;

/** The batch with its label sets as strings, for who works on them. */
export function withLabelSets(batch: SampleBatch): SampleBatch {
  if (!batch.packed) return batch;
  const { packed, ...rest } = batch;
  return { ...rest, series: unpackSeries(packed) };
}

/** Why a sample was not stored; the names of Prometheus' counters and messages. */
export type RejectReason =
  | 'outOfOrder'
  | 'outOfBounds'
  | 'tooOld'
  | 'tooFarInFuture'
  | 'duplicate'
  | 'unknownRef'
  | 'invalidLabels'
  | 'invalidHistogram'
  | 'exemplarOutOfOrder'
  | 'seriesLimit'
  | 'readOnly';

export type Rejection = {
  /** Row of the samples, or index into histograms or exemplars. */
  readonly kind: 'sample' | 'histogram' | 'exemplar';
  readonly index: number;
  readonly reason: RejectReason;
  readonly detail: string;
};

export type AppendResult = {
  /** For each entry of `series`: its ref from now on, or NaN if it was refused. */
  readonly refs: Float64Array;
  readonly rejections: readonly Rejection[];
  /** How many series were created. */
  readonly created: number;
};

/**
 * Takes batches. When the promise resolves, everything not rejected is in the log and will survive the death of the process.
 * A rejection `unknownRef` asks the sender to send the row again with its labels. The columns are not looked at any more once the promise
 * is settled, so that the sender may fill them again.
 */
export interface Appender {
  append(batch: SampleBatch): Promise<AppendResult>;
  /** Whether `append`, called now, has read the columns when it returns: then they may be views of memory that is used again. */
  readonly readsAtOnce?: boolean;
}

/**
 * Rows of series that have refs, split by their shard: that of row i is shardOf[i]. A part's bytes are its refs, times and values,
 * one column after the other, 8 bytes each; they may be a view that is valid during the call only.
 */
export type SplitRows = {
  readonly shardOf: Uint8Array;
  readonly parts: readonly { readonly shard: number; readonly bytes: Uint8Array }[];
};

/** An appender in front of several shards, for who can split rows in less time than it. */
export interface SplitAppender extends Appender {
  readonly shards: number;
  appendSplit(split: SplitRows): Promise<AppendResult>;
}

/** What an append answers that brought no label sets and of which nothing was refused. */
export const ALL_TAKEN: AppendResult = { refs: new Float64Array(0), rejections: [], created: 0 };
