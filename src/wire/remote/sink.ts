// What the decoders of sent-in requests tell, series by series, in the order of the request. Sample values come as the two
// halves of a double, because a stale marker does not survive everywhere as a number.

import type { Exemplar, Metadata, MetricType } from '#model/batch.ts';
import type { SentHistogram } from './histogram.ts';

export interface WriteSink {
  /** A series begins: flat pairs as sent, in any order, possibly with duplicates or empty values. */
  series(pairs: readonly string[]): void;
  /**
   * Asked by decoders that have labels as references into a table of symbols: true when the series is known by this hash and has
   * these labels, which saves building them. Otherwise `series` follows, and the hash is to be remembered with it.
   */
  knownSeries?(hash: number, refs: readonly number[], symbols: readonly string[]): boolean;
  sample(timestamp: number, start: number, low: number, high: number): void;
  histogram(histogram: SentHistogram): void;
  exemplar(exemplar: Exemplar): void;
  metadata(family: string, metadata: Metadata): void;
  /** Of one series, as remote write 2.0 has it. */
  seriesMetadata(metadata: Metadata): void;
  /** Part of the series begun, or the whole of it, makes no sense; the rest of the request goes on. */
  invalid(reason: string, samples: number): void;
}

/** As the enums of both remote write versions number them. */
export const METRIC_TYPES: readonly MetricType[] = [
  'unknown',
  'counter',
  'gauge',
  'histogram',
  'gaugehistogram',
  'summary',
  'info',
  'stateset',
];
