// Limits of native histograms in a scrape: resolution is lowered until the buckets fit, or the scrape fails.

import { CUSTOM_BUCKETS_SCHEMA, type Histogram, MAX_SCHEMA, MIN_SCHEMA } from '#model/histogram.ts';
import { reduceResolution } from '../receive/resolution.ts';
import type { ScrapeLimits } from './spec.ts';

export class BucketLimitError extends Error {}

/** The histogram as it may be stored. Throws a BucketLimitError. */
export function limitHistogram(histogram: Histogram, limits: ScrapeLimits): Histogram {
  let limited = histogram;
  const finest = finestSchema(limits.histogramMinBucketFactor);
  if (limited.schema !== CUSTOM_BUCKETS_SCHEMA && limited.schema > finest) limited = reduceResolution(limited, finest);
  const limit = limits.histogramBuckets;
  while (limit > 0 && limited.positiveBuckets.length + limited.negativeBuckets.length > limit) {
    if (limited.schema === CUSTOM_BUCKETS_SCHEMA || limited.schema <= MIN_SCHEMA) {
      throw new BucketLimitError('histogram bucket limit exceeded');
    }
    limited = reduceResolution(limited, limited.schema - 1);
  }
  return limited;
}

/** The finest schema whose buckets grow by at least this factor. */
export function finestSchema(minBucketFactor: number): number {
  if (minBucketFactor <= 1) return MAX_SCHEMA;
  const schema = Math.floor(-Math.log2(Math.log2(minBucketFactor)));
  return Math.max(MIN_SCHEMA, Math.min(MAX_SCHEMA, schema));
}
