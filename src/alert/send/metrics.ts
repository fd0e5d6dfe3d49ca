// The metrics of sending alerts, under Prometheus' names.

import type { Counter, Gauge, HistogramMetric, Registry, SummaryMetric, Vec } from '#model/registry.ts';

const LABELS = ['alertmanager'];

export type SendMetrics = {
  readonly latency: Vec<SummaryMetric>;
  readonly latencyHistogram: Vec<HistogramMetric>;
  readonly errors: Vec<Counter>;
  readonly sent: Vec<Counter>;
  readonly dropped: Vec<Counter>;
  readonly queueLength: Vec<Gauge>;
  readonly queueCapacity: Gauge;
};

export function sendMetrics(registry: Registry, discovered: () => number): SendMetrics {
  const prefix = 'prometheus_notifications';
  registry.collected(`${prefix}_alertmanagers_discovered`, 'Alertmanagers found and in use.', 'gauge', () => [
    { value: discovered() },
  ]);
  return {
    latency: registry.summaryVec(`${prefix}_latency_seconds`, 'Time that sending alerts takes.', LABELS),
    latencyHistogram: registry.histogramVec(
      `${prefix}_latency_histogram_seconds`,
      'Time that sending alerts takes, as a histogram.',
      LABELS,
      [0.01, 0.1, 1, 10],
    ),
    errors: registry.counterVec(`${prefix}_errors_total`, 'Alerts whose sending failed.', LABELS),
    sent: registry.counterVec(`${prefix}_sent_total`, 'Alerts sent.', LABELS),
    dropped: registry.counterVec(`${prefix}_dropped_total`, 'Alerts given up.', LABELS),
    queueLength: registry.gaugeVec(`${prefix}_queue_length`, 'Alerts that wait to be sent.', LABELS),
    queueCapacity: registry.gauge(`${prefix}_queue_capacity`, 'How many alerts may wait for each Alertmanager.'),
  };
}

export function removeAlertmanager(metrics: SendMetrics, url: string): void {
  const { latency, latencyHistogram, errors, sent, dropped, queueLength } = metrics;
  for (const vec of [latency, latencyHistogram, errors, sent, dropped, queueLength]) vec.remove(url);
}
