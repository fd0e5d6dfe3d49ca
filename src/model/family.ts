// Metric families as they are exposed: what exporters and the program's own metrics produce and what exposition writers
// print.

import type { Exemplar, MetricType } from './batch.ts';
import type { Histogram } from './histogram.ts';
import type { Labels } from './labels.ts';

/** One exposed value. `suffix` is what follows the family's name: '', '_bucket', '_sum', '_count', '_total' ... */
export type FamilySample = {
  readonly suffix: string;
  readonly labels: Labels;
  readonly value: number;
  readonly timestamp?: number;
  readonly exemplar?: Exemplar;
  readonly histogram?: Histogram;
};

export type MetricFamily = {
  readonly name: string;
  readonly type: MetricType;
  readonly help: string;
  readonly unit?: string;
  readonly samples: readonly FamilySample[];
};

/** A family whose samples may be made while it is written: a large page never has them all at once. */
export type WrittenFamily = Omit<MetricFamily, 'samples'> & { readonly samples: Iterable<FamilySample> };

/** The order of a page. */
export const familiesByName = <F extends WrittenFamily>(families: readonly F[]): F[] =>
  [...families].sort((a, b) => (a.name < b.name ? -1 : 1));
