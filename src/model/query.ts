// What goes out of a store. Above the shards a query is fragments and columns; inside a shard a fragment is worked out
// over series whose chunks lie in the shard's memory. PromQL knows neither heads nor blocks, stores know no PromQL.

import type { Exemplar, Metadata } from './batch.ts';
import type { HeadBounds } from './board.ts';
import type { Histogram } from './histogram.ts';
import type { Labels } from './labels.ts';
import type { Matcher } from './matcher.ts';

/** Evaluation times: start, start + step ... end, in milliseconds. An instant query has start = end. */
export type Grid = { readonly start: number; readonly end: number; readonly step: number };

export const gridLength = (grid: Grid): number =>
  grid.end < grid.start ? 0 : grid.step > 0 ? Math.floor((grid.end - grid.start) / grid.step) + 1 : 1;

/**
 * The unit of work that travels to shards and machines: select, take a window at each step, apply one function, and
 * optionally fold the series into groups.
 */
export type Fragment = {
  readonly matchers: readonly Matcher[];
  readonly grid: Grid;
  /** Subtracted from each step's time (PromQL `offset`), milliseconds. */
  readonly offset: number;
  /** When set, every step looks at this one time (PromQL `@`). */
  readonly at?: number;
  /** Window length; for `instant` selection the lookback. Windows are left-open, right-closed. */
  readonly window: number;
  /** 'instant' takes the last sample of the window; others are PromQL's names of range functions. */
  readonly func: string;
  /** One value per parameter, or one per parameter and step (parameter by parameter) where they change over time. */
  readonly args: readonly number[];
  /** Range selectors that also use samples up to `lookback` before (and, smoothed, behind) the window. */
  readonly extend?: { readonly mode: 'anchored' | 'smoothed'; readonly lookback: number };
  readonly aggregate?: {
    readonly op: string;
    readonly param?: number;
    readonly by: boolean;
    readonly labels: readonly string[];
  };
  /** The function drops names, and no two series can become the same by that: rows come without. */
  readonly bare?: boolean;
  /** With an aggregation over names that are dropped: whether series differ without them is to be found out, too. */
  readonly distinct?: boolean;
  /** Series do not count as asked for: nobody but the program itself wants to know. */
  readonly unnoticed?: boolean;
  /** Modes of the engine that change results, by feature-flag name. */
  readonly features?: readonly string[];
};

/** An info or a warning found while evaluating; the position is filled in by whoever knows the expression. */
export type Annotation = {
  readonly level: 'info' | 'warning';
  readonly code: string;
  readonly metric: string;
  readonly count: number;
};

export type FragmentStats = {
  readonly series: number;
  readonly samples: number;
  readonly bytes: number;
  readonly timeMs: number;
};

/**
 * Series x steps. `values[s * steps + t]` is meaningful where bit `s * steps + t` of `present` is set; a point that is a
 * histogram has its entry in `histograms` as well.
 */
export type Columns = {
  readonly labels: readonly Labels[];
  readonly steps: number;
  readonly values: Float64Array;
  readonly present: Uint8Array;
  readonly histograms?: ReadonlyMap<number, Histogram>;
  readonly annotations: readonly Annotation[];
  readonly stats: FragmentStats;
  /** For `bare`: a row lost more labels than the name. */
  readonly losesMore?: boolean;
  /** Of a shard, for `distinct`: a number for each series that has been aggregated, equal for equal labels. */
  readonly signatures?: Float64Array;
  /** For `distinct`: two series are the same without their names, or look like it. */
  readonly collides?: boolean;
  /** Of a shard: neither its head nor any block from the beginning of the fragment on has a series that matches. */
  readonly nothingMatches?: boolean;
  /**
   * For fragments with an aggregation, before they are merged: the first `rows` rows are groups. `counts` says how many samples
   * went into each of their points, `rests` what rounding took from a sum; the rows behind are still to be aggregated.
   */
  readonly partial?: { readonly rows: number; readonly counts: Float64Array; readonly rests: Float64Array };
};

export type QueryLimits = { readonly maxSamples: number; readonly maxSeries: number; readonly maxBytes: number };

/** Works out fragments: a shard, all shards of a process, or other machines. */
export interface FragmentSource {
  run(fragment: Fragment, limits: QueryLimits, signal: AbortSignal): Promise<Columns>;
  select(request: SelectRequest, limits: QueryLimits, signal: AbortSignal): Promise<readonly RawSeries[]>;
  labelNames(matchers: readonly (readonly Matcher[])[], range: TimeRange, limit: number): Promise<readonly string[]>;
  labelValues(
    name: string,
    matchers: readonly (readonly Matcher[])[],
    range: TimeRange,
    limit: number,
  ): Promise<readonly string[]>;
  series(matchers: readonly (readonly Matcher[])[], range: TimeRange, limit: number): Promise<readonly Labels[]>;
  exemplars(
    matchers: readonly (readonly Matcher[])[],
    range: TimeRange,
  ): Promise<readonly { labels: Labels; exemplars: readonly Exemplar[] }[]>;
  metadata(metric: string | undefined, limit: number): Promise<ReadonlyMap<string, readonly Metadata[]>>;
  /**
   * What has changed since an earlier answer was given (since ever without one): marks to ask with the next time, and the
   * earliest time of which samples came or went; Infinity if none did. Sources without it cannot have results cached.
   */
  changes?(since: readonly number[] | undefined): SourceChanges | Promise<SourceChanges>;
}

export type SourceChanges = {
  readonly marks: readonly number[];
  readonly min: number;
  /** Whether series came or went since. */
  readonly series: boolean;
  /** What every head of a store reaches over; undefined if that is not known. */
  readonly heads?: HeadBounds | undefined;
};

/** Both ends included, milliseconds. */
export type TimeRange = { readonly min: number; readonly max: number };

export type SelectRequest = {
  readonly matchers: readonly Matcher[];
  readonly range: TimeRange;
  readonly unnoticed?: boolean;
};

/** Decoded samples of one series, in time order, stale markers included. */
export type RawSeries = {
  readonly labels: Labels;
  readonly timestamps: Float64Array;
  readonly values: Float64Array;
  readonly starts?: Float64Array;
  readonly histograms?: ReadonlyMap<number, Histogram>;
};

/** Series that a query takes in beside those of the stores, and what could not be had. */
export type OtherSeries = { readonly series: readonly RawSeries[]; readonly annotations: readonly Annotation[] };

/** Chunk encodings, as Prometheus numbers them in block files. */
export const CHUNK_XOR = 1;
export const CHUNK_HISTOGRAM = 2;
export const CHUNK_FLOAT_HISTOGRAM = 3;
/** XOR chunk with start timestamps (ours, never written to Prometheus blocks). */
export const CHUNK_XOR_STARTS = 4;

/**
 * Chunks of one series in the shard's memory, in time order, possibly overlapping (then the later entry of equal times is
 * dropped). Encodings are the constants above; bytes are the chunk's data without length, encoding and checksum.
 * Deleted ranges are already cut out of what the store hands over, as `deleted` intervals to skip while decoding.
 */
export type SeriesChunks = {
  readonly labels: Labels;
  count: number;
  addresses: Uint32Array;
  lengths: Uint32Array;
  encodings: Uint8Array;
  minTimes: Float64Array;
  maxTimes: Float64Array;
  deleted: readonly TimeRange[];
};

/**
 * The series of a head by number, many at a time. Numbers stay the series' while `version` is the same, which may change between
 * two turns of the event loop only.
 */
export interface SeriesBook {
  readonly version: number;
  /** Of the series that match, ascending. */
  match(matchers: readonly Matcher[]): Uint32Array;
  /** Those numbers of an earlier version that are series which match now. */
  recheck(numbers: Uint32Array, matchers: readonly Matcher[]): Uint32Array;
  /** With the same label sets each time, unless many others were asked for. */
  name(number: number): SeriesName;
  /**
   * Writes down, for kernels (kernel/lib/series.ts), where the chunks of numbers[from, to) lie that touch a range, until the
   * next call or turn. `count`: how many of them, 0 if there is no room for even the first one's. Series count as asked for unless
   * `unnoticed`.
   */
  table(
    numbers: Uint32Array,
    from: number,
    to: number,
    range: TimeRange,
    unnoticed: boolean,
  ): { readonly address: number; readonly count: number };
  /** A series' chunks, whatever they are; undefined if none touches the range. Valid until `release`, which has to be called. */
  chunks(number: number, range: TimeRange): { readonly series: SeriesChunks; release(): void } | undefined;
  groups(by: boolean, labels: readonly string[]): SeriesGroups;
}

/** A series' labels, and what is left of them without those that say what the metric is. */
export type SeriesName = { readonly labels: Labels; readonly bare: Labels };

/** Groups of series, numbered from 0 as they are met. */
export interface SeriesGroups {
  /** Writes the group of each series of the last table into it. */
  assign(): void;
  readonly count: number;
  /** A series of a group. */
  memberOf(group: number): number;
  /** Gives memory back. */
  close(): void;
}

/** What a shard's store offers to what evaluates fragments in the same thread. */
export interface ShardSource {
  /** The memory in which chunk addresses are valid until the next call of the iterator. */
  readonly memory: WebAssembly.Memory;
  /** Series that match and have chunks in the range, in label order if `sorted`. They count as asked for unless `unnoticed`. */
  select(matchers: readonly Matcher[], range: TimeRange, sorted: boolean, unnoticed?: boolean): Iterable<SeriesChunks>;
  /** Undefined when a range is not in the head alone. */
  book?(range: TimeRange): SeriesBook | undefined;
  /** Whether any series may match whose samples are not all before `from`. */
  mayMatch?(matchers: readonly Matcher[], from: number): boolean;
}
