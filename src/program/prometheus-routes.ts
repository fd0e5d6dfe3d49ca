// The routes of Prometheus that show the whole program rather than a room: consoles, search, own metrics as JSON, profiles;
// and which features there are.

import { ruleEngine } from '#alert/rules/engine.ts';
import { PROMETHEUS_FUNCTIONS } from '#alert/template/prometheus.ts';
import type { Clock } from '#base/clock.ts';
import type { Disk } from '#base/disk/disk.ts';
import type { MetricFamily } from '#model/family.ts';
import type { Labels } from '#model/labels.ts';
import { consoleRoutes } from '#serve/consoles.ts';
import { debugRoutes } from '#serve/debug.ts';
import type { Route } from '#serve/http.ts';
import { SEARCH_ALGORITHMS, searchRoutes } from '#serve/search.ts';
import { selfMetricsRoute } from '#serve/self-metrics.ts';
import { userAssetRoutes } from '#serve/user-assets.ts';
import { featuresOf, type ServerFlags } from './flags.ts';
import type { Querying } from './querying.ts';

export type PrometheusRoutes = {
  readonly flags: ServerFlags;
  readonly querying: Querying;
  readonly externalUrl: string;
  readonly externalLabels: () => Labels;
  readonly families: () => Promise<readonly MetricFamily[]>;
  readonly ready: () => boolean;
  readonly disk: Disk;
  readonly clock: Clock;
};

export function prometheusRoutes(parts: PrometheusRoutes): Route[] {
  const { flags, querying, disk, clock, ready } = parts;
  const engine = ruleEngine(querying.engine, querying.source);
  return [
    ...userAssetRoutes(flags['web.user-assets'], disk),
    ...consoleRoutes({
      templates: flags['web.console.templates'],
      libraries: flags['web.console.libraries'],
      query: (expression, timeMs) => engine.evaluate(expression, timeMs, { file: '', group: 'consoles', rule: '' }),
      externalUrl: parts.externalUrl,
      externalLabels: parts.externalLabels,
      ...{ disk, clock, ready },
    }),
    ...searchRoutes({
      enabled: featuresOf(flags).has('search-api'),
      maxLimit: flags['web.search.max-limit'],
      source: querying.source,
      ...{ clock, ready },
    }),
    selfMetricsRoute(parts.families),
    ...debugRoutes(clock),
  ];
}

type Features = Readonly<Record<string, Readonly<Record<string, boolean>>>>;

/** Beside those of the query language. */
export function serverFeatures(flags: ServerFlags): Features {
  const given = featuresOf(flags);
  const has = (name: string) => given.has(name);
  const all = (names: Iterable<string>, value = true) => Object.fromEntries(Array.from(names, (name) => [name, value]));
  return {
    api: {
      admin: flags['web.enable-admin-api'],
      lifecycle: flags['web.enable-lifecycle'],
      otlp_write_receiver: flags['web.enable-otlp-receiver'],
      remote_write_receiver: flags['web.enable-remote-write-receiver'],
      search: has('search-api'),
      ...all(SEARCH_ALGORITHMS.map((name) => `search_fuzz_alg_${name}`)),
      ...all(['exclude_alerts', 'label_values_match', 'query_stats', 'query_warnings']),
      ...all(['time_range_labels', 'time_range_series']),
    },
    otlp_receiver: {
      delta_conversion: has('otlp-deltatocumulative'),
      native_delta_ingestion: has('otlp-native-delta-ingestion'),
    },
    prometheus: {
      agent_mode: false,
      auto_reload_config: flags['config.auto-reload'] || has('auto-reload-config'),
      server_mode: true,
    },
    promql: {
      delayed_name_removal: has('promql-delayed-name-removal'),
      ...all(['per_query_lookback_delta', 'per_step_stats']),
      type_and_unit_labels: has('type-and-unit-labels'),
    },
    rules: all(['concurrent_rule_eval', 'keep_firing_for', 'query_offset']),
    scrape: {
      extra_scrape_metrics: true,
      type_and_unit_labels: has('type-and-unit-labels'),
    },
    templating_functions: all(Object.keys(PROMETHEUS_FUNCTIONS)),
    tsdb: {
      delayed_compaction: has('delayed-compaction'),
      ...all(['exemplar_storage', 'native_histograms', 'xor2_encoding']),
      st_storage: has('st-storage') || has('created-timestamp-zero-ingestion'),
    },
    ui: { ui_v2: false, ui_v3: true },
  };
}
