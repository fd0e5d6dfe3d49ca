// Native histograms as values: exponential schemas -4..8 and custom buckets (schema -53). Bucket populations are
// absolute counts in Float64Arrays, for integer histograms too (exact up to 2^53); the chunk encodings turn them into deltas.

export const CUSTOM_BUCKETS_SCHEMA = -53;
export const MIN_SCHEMA = -4;
export const MAX_SCHEMA = 8;

/** A run of consecutive buckets: `offset` from the end of the run before (the first: from bucket index 0). */
export type Span = { readonly offset: number; readonly length: number };

export type CounterReset = 'unknown' | 'reset' | 'notReset' | 'gauge';

export type Histogram = {
  /** Whether the counts were sent as integers; decides the chunk encoding. */
  readonly integer: boolean;
  readonly schema: number;
  readonly zeroThreshold: number;
  readonly zeroCount: number;
  readonly count: number;
  /** NaN with the stale bits marks the end of the series; see `stale`. */
  readonly sum: number;
  readonly stale?: boolean;
  readonly positiveSpans: readonly Span[];
  readonly negativeSpans: readonly Span[];
  readonly positiveBuckets: Float64Array;
  readonly negativeBuckets: Float64Array;
  /** Upper bounds, only for custom buckets (the last one, +Inf, is left out). */
  readonly customValues?: Float64Array;
  readonly counterReset: CounterReset;
};
