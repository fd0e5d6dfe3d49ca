// The scraper's own metrics, named as Prometheus names them because public dashboards and alerts use those names.

import type { Counter, HistogramMetric, Registry, SummaryMetric, Vec } from '#model/registry.ts';

export type ScrapeMetrics = {
  readonly intervalLength: Vec<SummaryMetric>;
  readonly intervalLengthHistogram: Vec<HistogramMetric>;
  readonly scrapeDuration: HistogramMetric;
  readonly exceededBodySize: Counter;
  readonly exceededSamples: Counter;
  readonly exceededLabels: Counter;
  readonly exceededBuckets: Counter;
  readonly duplicates: Counter;
  readonly outOfOrder: Counter;
  readonly outOfBounds: Counter;
  readonly exemplarsOutOfOrder: Counter;
};

const INTERVAL_BOUNDS = [0.01, 0.1, 1, 10];
const DURATION_BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export function scrapeMetrics(registry: Registry): ScrapeMetrics {
  const counter = (name: string, help: string) => registry.counter(`prometheus_target_${name}_total`, help);
  return {
    intervalLength: registry.summaryVec(
      'prometheus_target_interval_length_seconds',
      'Actual intervals between scrapes.',
      ['interval'],
    ),
    intervalLengthHistogram: registry.histogramVec(
      'prometheus_target_interval_length_histogram_seconds',
      'Actual intervals between scrapes.',
      ['interval'],
      INTERVAL_BOUNDS,
    ),
    scrapeDuration: registry.histogram(
      'prometheus_target_scrape_duration_seconds',
      'Total duration of the scrape from start to commit completion in seconds.',
      DURATION_BOUNDS,
    ),
    exceededBodySize: counter(
      'scrapes_exceeded_body_size_limit',
      'Total number of scrapes that hit the body size limit',
    ),
    exceededSamples: counter(
      'scrapes_exceeded_sample_limit',
      'Total number of scrapes that hit the sample limit and were rejected.',
    ),
    exceededLabels: counter(
      'scrape_pool_exceeded_label_limits',
      'Total number of times scrape pools hit the label limits, during sync or config reload.',
    ),
    exceededBuckets: counter(
      'scrapes_exceeded_native_histogram_bucket_limit',
      'Total number of scrapes that hit the native histogram bucket limit and were rejected.',
    ),
    duplicates: counter(
      'scrapes_sample_duplicate_timestamp',
      'Total number of samples rejected due to duplicate timestamps but different values.',
    ),
    outOfOrder: counter(
      'scrapes_sample_out_of_order',
      'Total number of samples rejected due to not being out of the expected order.',
    ),
    outOfBounds: counter(
      'scrapes_sample_out_of_bounds',
      'Total number of samples rejected due to timestamp falling outside of the time bounds.',
    ),
    exemplarsOutOfOrder: counter(
      'scrapes_exemplar_out_of_order',
      'Total number of exemplar rejected due to not being out of the expected order.',
    ),
  };
}
