// Discovery's own metrics, named as Prometheus names them.

import type { Counter, Gauge, HistogramMetric, Registry, SummaryMetric, Vec } from '#model/registry.ts';

export type DiscoveryMetrics = {
  readonly refreshFailures: Vec<Counter>;
  readonly refreshDuration: Vec<SummaryMetric>;
  readonly refreshDurationHistogram: Vec<HistogramMetric>;
  readonly discoveredTargets: Vec<Gauge>;
  readonly receivedUpdates: Vec<Counter>;
  readonly sentUpdates: Vec<Counter>;
  readonly failedConfigs: Vec<Gauge>;
  readonly fileReadErrors: Counter;
  readonly fileTimestamps: Vec<Gauge>;
  readonly httpFailures: Counter;
  readonly dnsLookups: Counter;
  readonly dnsFailures: Counter;
  readonly kubernetesEvents: Vec<Counter>;
  readonly kubernetesFailures: Counter;
  readonly consulFailures: Counter;
  readonly consulDuration: Vec<SummaryMetric>;
};

const BOUNDS = [0.01, 0.1, 1, 10];

export function discoveryMetrics(registry: Registry): DiscoveryMetrics {
  return {
    refreshFailures: registry.counterVec(
      'prometheus_sd_refresh_failures_total',
      'Number of refresh failures for the given SD mechanism.',
      ['mechanism', 'config'],
    ),
    refreshDuration: registry.summaryVec(
      'prometheus_sd_refresh_duration_seconds',
      'The duration of a refresh in seconds for the given SD mechanism.',
      ['mechanism', 'config'],
    ),
    refreshDurationHistogram: registry.histogramVec(
      'prometheus_sd_refresh_duration_histogram_seconds',
      'The duration of a refresh for the given SD mechanism.',
      ['mechanism', 'config'],
      BOUNDS,
    ),
    discoveredTargets: registry.gaugeVec('prometheus_sd_discovered_targets', 'Current number of discovered targets.', [
      'name',
      'config',
    ]),
    receivedUpdates: registry.counterVec(
      'prometheus_sd_received_updates_total',
      'Total number of update events received from the SD providers.',
      ['name'],
    ),
    sentUpdates: registry.counterVec(
      'prometheus_sd_updates_total',
      'Total number of update events sent to the SD consumers.',
      ['name'],
    ),
    failedConfigs: registry.gaugeVec(
      'prometheus_sd_failed_configs',
      'Current number of service discovery configurations that failed to load.',
      ['name'],
    ),
    fileReadErrors: registry.counter('prometheus_sd_file_read_errors_total', 'The number of File-SD read errors.'),
    fileTimestamps: registry.gaugeVec(
      'prometheus_sd_file_mtime_seconds',
      'Timestamp (mtime) of files read by FileSD. Timestamp is set at read time.',
      ['filename'],
    ),
    httpFailures: registry.counter(
      'prometheus_sd_http_failures_total',
      'Number of HTTP service discovery refresh failures.',
    ),
    dnsLookups: registry.counter('prometheus_sd_dns_lookups_total', 'The number of DNS-SD lookups.'),
    dnsFailures: registry.counter('prometheus_sd_dns_lookup_failures_total', 'The number of DNS-SD lookup failures.'),
    kubernetesEvents: registry.counterVec(
      'prometheus_sd_kubernetes_events_total',
      'The number of Kubernetes events handled.',
      ['role', 'event'],
    ),
    kubernetesFailures: registry.counter(
      'prometheus_sd_kubernetes_failures_total',
      'The number of failed WATCH/LIST requests.',
    ),
    consulFailures: registry.counter(
      'prometheus_sd_consul_rpc_failures_total',
      'The number of Consul RPC call failures.',
    ),
    consulDuration: registry.summaryVec(
      'prometheus_sd_consul_rpc_duration_seconds',
      'The duration of a Consul RPC call in seconds.',
      ['endpoint', 'call'],
    ),
  };
}
