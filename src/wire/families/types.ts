// Families as a page declares them: histograms and summaries are one value each, not the series they are written as.

import type { Histogram } from '#model/histogram.ts';
import type { Labels } from '#model/labels.ts';

export type FamilyType = 'counter' | 'gauge' | 'untyped' | 'summary' | 'histogram' | 'gaugehistogram';

export type ParsedValue =
  | { readonly kind: 'number'; readonly number: number }
  | {
      readonly kind: 'summary';
      readonly count: number;
      readonly sum: number;
      readonly quantiles: readonly (readonly [quantile: number, value: number])[];
    }
  | {
      readonly kind: 'histogram';
      readonly count: number;
      readonly sum: number;
      readonly buckets: readonly (readonly [bound: number, count: number])[];
      readonly native?: Histogram;
    };

export type ParsedMetric = { readonly labels: Labels; readonly value: ParsedValue };

export type ParsedFamily = {
  readonly name: string;
  readonly type: FamilyType;
  readonly help: string;
  readonly metrics: readonly ParsedMetric[];
};
