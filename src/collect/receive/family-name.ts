// The family that a series belongs to, for metadata that is sent with series: `http_requests_bucket` of a histogram is
// described under `http_requests`.

import type { MetricType } from '#model/batch.ts';

const SUFFIXES: Partial<Record<MetricType, readonly string[]>> = {
  histogram: ['_bucket', '_count', '_sum'],
  gaugehistogram: ['_bucket', '_gcount', '_gsum', '_count', '_sum'],
  summary: ['_count', '_sum'],
};

export function familyName(metric: string, type: MetricType): string {
  const suffix = SUFFIXES[type]?.find((ending) => metric.endsWith(ending));
  return suffix ? metric.slice(0, -suffix.length) : metric;
}
