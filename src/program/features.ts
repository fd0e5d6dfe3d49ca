// The names of --enable-feature, every one that Prometheus has or had: which are obeyed, which are always on here, which make
// no difference and why. What is switched on is logged once at the start, and an unknown name is a warning, as there.

import type { Logger } from '#base/log.ts';

export type Mode = 'server' | 'agent';

type Feature =
  /** Obeyed when given; by both modes or one. */
  | { readonly kind: 'obeyed'; readonly modes: readonly Mode[]; readonly says: string }
  | { readonly kind: 'always'; readonly says: string }
  | { readonly kind: 'different'; readonly says: string };

const BOTH = ['server', 'agent'] as const;
const SERVER = ['server'] as const;
const obeyed = (modes: readonly Mode[], says: string): Feature => ({ kind: 'obeyed', modes, says });
const always = (says: string): Feature => ({ kind: 'always', says });
const different = (says: string): Feature => ({ kind: 'different', says });

export const PROMETHEUS_FEATURES: Readonly<Record<string, Feature>> = {
  'auto-reload-config': obeyed(
    BOTH,
    'the configuration is read again when it changes; --config.auto-reload does the same',
  ),
  'created-timestamp-zero-ingestion': obeyed(
    BOTH,
    'start timestamps are read and kept with the samples; no zeros are written, use-start-timestamps makes queries look at them',
  ),
  'delayed-compaction': obeyed(SERVER, 'blocks are cut with a random delay'),
  'extra-scrape-metrics': obeyed(BOTH, 'scrape_timeout_seconds and the like are stored; see extra_scrape_metrics'),
  'otlp-deltatocumulative': obeyed(BOTH, 'deltas of OTLP are made cumulative'),
  'otlp-native-delta-ingestion': obeyed(BOTH, 'deltas of OTLP are stored as they come'),
  'promql-binop-fill-modifiers': obeyed(SERVER, 'queries may say fill, fill_left and fill_right'),
  'promql-delayed-name-removal': obeyed(SERVER, 'names of metrics are removed at the end of queries'),
  'promql-experimental-functions': obeyed(SERVER, 'queries may call experimental functions'),
  'promql-extended-range-selectors': obeyed(SERVER, 'queries may say anchored and smoothed'),
  'search-api': obeyed(SERVER, 'names and values can be searched at /api/v1/search'),
  'st-storage': obeyed(BOTH, 'start timestamps are read and kept with the samples'),
  'type-and-unit-labels': obeyed(BOTH, 'series get the labels __type__ and __unit__'),
  'use-start-timestamps': obeyed(SERVER, 'queries look at start timestamps'),

  'concurrent-rule-eval': always('independent rules are evaluated side by side; see --rules.max-concurrent-evals'),
  'exemplar-storage': always('exemplars are stored; see storage.exemplars'),
  'expand-external-labels': always('environment variables in external_labels are expanded'),
  'fast-startup': always('starting does not wait for old samples to be decoded'),
  'memory-snapshot-on-shutdown': always('starting reads checkpoints of the head and what came after them'),
  'metadata-wal-records': always('metadata is logged and sent by remote write 2.0'),
  'new-service-discovery-manager': always('there is no other'),
  'no-default-scrape-port': always('addresses stay as discovered, no port is added'),
  'ooo-native-histograms': always('late native histograms are taken'),
  'promql-at-modifier': always('queries may say @'),
  'promql-duration-expr': always('durations may be expressions'),
  'promql-negative-offset': always('offsets may be negative'),
  'promql-per-step-stats': always('stats=all gives the samples of each step'),
  'utf8-names': always('names may be UTF-8; see metric_name_validation_scheme'),

  agent: different('give --agent instead'),
  'auto-gomaxprocs': different('the processors that the process may use are always counted'),
  'auto-gomemlimit': different(
    'memory of series is always limited; see --auto-gomemlimit.ratio and storage.limits.memory',
  ),
  'histograms-st-encoding': different('histograms are written in the encodings that every version reads'),
  'native-histograms': different('set scrape_native_histograms in the configuration instead'),
  'old-ui': different('the pages are the same; their old addresses lead to them'),
  'otlp-write-receiver': different('give --web.enable-otlp-receiver instead'),
  'remote-write-receiver': different('give --web.enable-remote-write-receiver instead'),
  'st-synthesis': different('start timestamps are those that targets give'),
  'use-uncached-io': different('blocks are written through the page cache'),
  'xor2-encoding': different('chunks are written in the encoding that every version reads'),
};

/** For --help. */
export function featureHelp(mode: Mode): string {
  const names = Object.entries(PROMETHEUS_FEATURES).flatMap(([name, feature]) =>
    feature.kind === 'obeyed' && feature.modes.includes(mode) ? [name] : [],
  );
  return `Features to switch on, separated by commas: ${names.join(', ')}. Prometheus' other names are taken, and the log says what they mean. Can be repeated.`;
}

/** Says what each name that was given does here. */
export function logFeatures(given: ReadonlySet<string>, mode: Mode, logger: Logger): void {
  for (const name of given) {
    const feature = Object.hasOwn(PROMETHEUS_FEATURES, name) ? PROMETHEUS_FEATURES[name] : undefined;
    if (!feature) logger.warn('Unknown option for --enable-feature', { option: name });
    else if (feature.kind === 'always') logger.info('feature is always on', { feature: name, so: feature.says });
    else if (feature.kind === 'different')
      logger.warn('feature has no effect here', { feature: name, so: feature.says });
    else if (!feature.modes.includes(mode)) {
      logger.warn('feature has no effect in this mode', { feature: name, mode });
    } else logger.info('feature is on', { feature: name, so: feature.says });
  }
}
