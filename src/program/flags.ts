// Flags that roles share, in groups, by their Prometheus names. A flag stands here only if something obeys it; those that
// Prometheus has and that mean nothing here stand in prometheus-flags.ts.

import { UserError } from '#base/errors.ts';
import type { FlagTable, FlagValues } from '#base/flags.ts';
import { LOG_FORMATS, LOG_LEVELS } from '#base/log.ts';
import type { ScrapeFeatures } from '#collect/config.ts';
import { featureHelp } from './features.ts';
import { UNUSED_AGENT_FLAGS, UNUSED_COMMON_FLAGS, UNUSED_SERVER_FLAGS } from './prometheus-flags.ts';

export const LOG_FLAGS = {
  'log.level': {
    kind: 'text',
    default: 'info',
    values: LOG_LEVELS,
    help: 'Only log messages with the given severity or above.',
  },
  'log.format': { kind: 'text', default: 'logfmt', values: LOG_FORMATS, help: 'Output format of log messages.' },
} as const satisfies FlagTable;

export const webFlags = <const A extends string>(address: A) =>
  ({
    'web.listen-address': {
      kind: 'texts',
      default: [address],
      help: 'Address to listen on for pages, API and own metrics. Can be repeated.',
    },
    'web.config.file': {
      kind: 'text',
      default: '',
      help: 'File with TLS, client certificates, basic auth and headers; read again when it changes.',
    },
    'web.read-timeout': {
      kind: 'duration',
      default: 300_000,
      help: 'How long reading a request may take; idle connections are closed after as long.',
    },
    'web.max-connections': {
      kind: 'integer',
      default: 512,
      min: 1,
      help: 'How many connections may be open at a time.',
    },
    'web.external-url': {
      kind: 'text',
      default: '',
      help: 'URL under which this server is reachable from outside, for links. Its path becomes the prefix of all routes.',
    },
    'web.route-prefix': {
      kind: 'text',
      default: '',
      help: 'Prefix of all routes. Defaults to the path of --web.external-url.',
    },
    'web.cors.origin': {
      kind: 'text',
      default: '.*',
      help: 'Regular expression of origins that browsers may call from; anchored at both ends.',
    },
    'web.max-body-size': {
      kind: 'size',
      default: 128 * 1024 * 1024,
      help: 'Largest request body accepted, after decompression.',
    },
  }) as const satisfies FlagTable;

/** What a Prometheus has on its pages, whether server or agent. */
export const PAGE_FLAGS = {
  'web.page-title': {
    kind: 'text',
    default: 'Pharos',
    help: "Title of the pages, in the browser's tab.",
  },
  'web.user-assets': { kind: 'text', default: '', help: 'Folder of files that are served below /user.' },
  'web.max-notifications-subscribers': {
    kind: 'integer',
    default: 16,
    min: 0,
    help: 'How many may listen to notifications at a time; more are turned away.',
  },
} as const satisfies FlagTable;

export const CONSOLE_FLAGS = {
  'web.console.templates': {
    kind: 'text',
    default: 'consoles',
    help: 'Folder of console templates, which are served below /consoles.',
  },
  'web.console.libraries': {
    kind: 'text',
    default: 'console_libraries',
    help: 'Folder of the templates (*.lib) that consoles may call.',
  },
} as const satisfies FlagTable;

export const CONFIG_FLAGS = {
  'config.auto-reload': {
    kind: 'boolean',
    default: false,
    help: 'Read the configuration again when it, its rule files or its files of scrape jobs have changed.',
  },
  'config.auto-reload-interval': {
    kind: 'duration',
    default: 30_000,
    help: 'How often --config.auto-reload looks; every second at most.',
  },
} as const satisfies FlagTable;

export const MODE_FLAGS = {
  agent: {
    kind: 'boolean',
    default: false,
    help: 'Run as an agent: collect, send on, store nothing else. The same as the role agent.',
  },
} as const satisfies FlagTable;

export const MEMORY_FLAGS = {
  'auto-gomemlimit': {
    kind: 'boolean',
    default: true,
    help: 'Limit the memory of series by that of the container or machine, unless storage.limits.memory is set.',
  },
  'auto-gomemlimit.ratio': {
    kind: 'number',
    default: 0.9,
    min: 0,
    help: 'Share of that memory that the process is to keep below; series have seven ninths of it.',
  },
} as const satisfies FlagTable;

/** Of exporters and the push gateway, where Prometheus itself has none. */
export const SYSTEMD_FLAGS = {
  'web.systemd-socket': {
    kind: 'boolean',
    default: false,
    help: 'Refused: give --web.listen-address instead of a socket of systemd.',
  },
} as const satisfies FlagTable;

/** Throws when a socket of systemd is asked for: the runtime cannot listen on one that is open already. */
export function refuseSystemdSocket(flags: { readonly 'web.systemd-socket': boolean }): void {
  if (!flags['web.systemd-socket']) return;
  throw new UserError('cannot take a socket from systemd: give --web.listen-address instead of --web.systemd-socket');
}

export const LIFECYCLE_FLAGS = {
  'web.enable-lifecycle': { kind: 'boolean', default: false, help: 'Allow reload and shutdown by HTTP request.' },
} as const satisfies FlagTable;

export const RECEIVER_FLAGS = {
  'web.enable-remote-write-receiver': {
    kind: 'boolean',
    default: false,
    help: 'Accept samples by remote write at /api/v1/write.',
  },
  'web.remote-write-receiver.accepted-protobuf-messages': {
    kind: 'texts',
    default: ['prometheus.WriteRequest', 'io.prometheus.write.v2.Request'],
    help: 'Which messages remote write may bring. Can be repeated.',
  },
  'web.enable-otlp-receiver': {
    kind: 'boolean',
    default: false,
    help: 'Accept OTLP metrics at /api/v1/otlp/v1/metrics.',
  },
} as const satisfies FlagTable;

export const REMOTE_FLAGS = {
  'storage.remote.flush-deadline': {
    kind: 'duration',
    default: 60_000,
    help: 'How long samples are still sent on when stopping or reloading; what is left stays on disk.',
  },
  'storage.remote.read-sample-limit': {
    kind: 'integer',
    default: 50_000_000,
    min: 0,
    help: 'How many samples one remote read may give as samples; 0: no limit. Streamed chunks are not limited.',
  },
  'storage.remote.read-concurrent-limit': {
    kind: 'integer',
    default: 10,
    min: 0,
    help: 'How many remote reads are worked on at a time; 0: no limit.',
  },
  'storage.remote.read-max-bytes-in-frame': {
    kind: 'integer',
    default: 1024 * 1024,
    min: 1,
    help: 'How large a frame of streamed chunks may become.',
  },
} as const satisfies FlagTable;

export const ADMIN_FLAGS = {
  'web.enable-admin-api': {
    kind: 'boolean',
    default: false,
    help: 'Allow deleting series, cleaning tombstones and snapshots by HTTP request.',
  },
} as const satisfies FlagTable;

export const STORAGE_FLAGS = {
  'storage.tsdb.path': { kind: 'text', default: 'data/', help: 'Folder of the time series database.' },
  'storage.tsdb.retention.time': {
    kind: 'duration',
    help: 'How long samples are kept; 15d if neither this nor a size is given. The configuration file goes before it.',
  },
  'storage.tsdb.no-lockfile': {
    kind: 'boolean',
    default: false,
    help: 'Do not keep other servers from the same folder by a lock file.',
  },
  'storage.tsdb.retention.size': { kind: 'size', help: 'How many bytes blocks and log may take; 0: no limit.' },
  'storage.tsdb.retention': {
    kind: 'duration',
    help: 'Older name of --storage.tsdb.retention.time, which goes before it.',
    hidden: true,
  },
  'storage.tsdb.delay-compact-file.path': {
    kind: 'text',
    default: '',
    help: 'JSON file that lists the blocks that were uploaded; others wait with their first compaction.',
  },
  'storage.tsdb.allow-overlapping-compaction': {
    kind: 'boolean',
    default: true,
    help: 'Merge blocks that overlap; otherwise they are left to another program.',
    hidden: true,
  },
  'storage.tsdb.delayed-compaction.max-percent': {
    kind: 'integer',
    default: 10,
    min: 0,
    help: 'How long --enable-feature=delayed-compaction may wait, in percent of a block.',
    hidden: true,
  },
  'storage.tsdb.min-block-duration': {
    kind: 'duration',
    default: 2 * 3_600_000,
    help: 'Length of the blocks that are cut from memory. For testing.',
    hidden: true,
  },
  'storage.tsdb.max-block-duration': {
    kind: 'duration',
    help: 'Length that compacted blocks may have; a tenth of the retention if not given. For testing.',
    hidden: true,
  },
  'storage.shards': {
    kind: 'integer',
    default: 0,
    min: 0,
    help: 'How many threads share the series; 0: one for each core.',
  },
} as const satisfies FlagTable;

export const VIEW_FLAGS = {
  'view.dashboards': {
    kind: 'texts',
    default: [],
    help: 'Folder with dashboards (JSON of Pharos or Grafana) that are shown but not changed. Can be repeated.',
  },
} as const satisfies FlagTable;

export const QUERY_FLAGS = {
  'query.lookback-delta': {
    kind: 'duration',
    default: 300_000,
    help: 'How far back an instant selector looks for a sample.',
  },
  'query.timeout': { kind: 'duration', default: 120_000, help: 'How long a query may take.' },
  'query.max-concurrency': { kind: 'integer', default: 20, min: 1, help: 'How many queries run at a time.' },
  'query.max-queued': {
    kind: 'integer',
    default: 200,
    min: 0,
    help: 'How many queries may wait for their turn; more are turned away.',
  },
  'query.max-samples': {
    kind: 'integer',
    default: 50_000_000,
    min: 1,
    help: 'How many samples a query may hold in memory.',
  },
  'query.max-series': { kind: 'integer', default: 5_000_000, min: 1, help: 'How many series a query may select.' },
  'query.cache-size': {
    kind: 'size',
    default: 2 ** 27,
    help: 'How much memory the results of earlier range queries may take; 0 keeps none.',
  },
  'query.max-bytes': { kind: 'size', default: 2 ** 31, help: 'How much memory one result within a query may take.' },
  'enable-feature': { kind: 'texts', help: featureHelp('server') },
} as const satisfies FlagTable;

export const SEARCH_FLAGS = {
  'web.search.max-limit': {
    kind: 'integer',
    default: 10_000,
    min: 0,
    help: 'Largest limit that a search may ask for, with --enable-feature=search-api; 0: no limit.',
  },
} as const satisfies FlagTable;

export const RULE_FLAGS = {
  'rules.alert.for-outage-tolerance': {
    kind: 'duration',
    default: 3_600_000,
    help: 'How long an outage may be for pending alerts to go on after it.',
  },
  'rules.alert.for-grace-period': {
    kind: 'duration',
    default: 600_000,
    help: 'How long a restored pending alert waits at least; alerts with a shorter "for" are not restored.',
  },
  'rules.alert.resend-delay': {
    kind: 'duration',
    default: 60_000,
    help: 'How long to wait before an alert is sent again.',
  },
  'rules.max-concurrent-evals': {
    kind: 'integer',
    default: 4,
    min: 1,
    help: 'How many independent rules are evaluated side by side, over all groups.',
  },
  'rules.shipped': {
    kind: 'boolean',
    default: false,
    help: 'Evaluate the shipped rules about everything whose metrics are there.',
  },
  'rules.shipped.docs-url': {
    kind: 'text',
    default: '',
    help: 'Where the runbooks of shipped alerts are linked to, such as https://wiki/pharos; /docs of this server by default.',
  },
  'alertmanager.notification-queue-capacity': {
    kind: 'integer',
    default: 10_000,
    min: 1,
    help: 'How many alerts may wait for each Alertmanager.',
  },
  'alertmanager.notification-batch-size': {
    kind: 'integer',
    default: 256,
    min: 1,
    help: 'How many alerts are sent in one request.',
  },
  'alertmanager.drain-notification-queue-on-shutdown': {
    kind: 'boolean',
    default: true,
    help: 'Send what waits before ending.',
  },
} as const satisfies FlagTable;

/** Features that change what scrapes bring. */
export function scrapeFeatures(flags: { readonly 'enable-feature': readonly string[] }): ScrapeFeatures {
  const features = featuresOf(flags);
  return {
    startTimestamps: ['created-timestamp-zero-ingestion', 'st-storage'].some((name) => features.has(name)),
    extraScrapeMetrics: features.has('extra-scrape-metrics'),
    typeAndUnitLabels: features.has('type-and-unit-labels'),
  };
}

export const COMMON_FLAGS = {
  ...CONFIG_FLAGS,
  ...webFlags('0.0.0.0:9090'),
  ...PAGE_FLAGS,
  ...CONSOLE_FLAGS,
  ...MEMORY_FLAGS,
  ...LIFECYCLE_FLAGS,
  ...RECEIVER_FLAGS,
  ...REMOTE_FLAGS,
  ...ADMIN_FLAGS,
  ...QUERY_FLAGS,
  ...STORAGE_FLAGS,
  ...VIEW_FLAGS,
  ...SEARCH_FLAGS,
  ...RULE_FLAGS,
  ...LOG_FLAGS,
  ...(UNUSED_COMMON_FLAGS as Readonly<Record<never, never>>),
  ...(UNUSED_SERVER_FLAGS as Readonly<Record<never, never>>),
} as const;

export const SERVER_FLAGS = {
  'config.file': { kind: 'text', default: 'prometheus.yml', help: 'Configuration file.' },
  ...MODE_FLAGS,
  ...COMMON_FLAGS,
} as const satisfies FlagTable;

/** As Prometheus' agent mode: no store, no queries, no rules. */
export const AGENT_FLAGS = {
  'config.file': { kind: 'text', default: 'prometheus.yml', help: 'Configuration file.' },
  ...MODE_FLAGS,
  'storage.agent.path': {
    kind: 'text',
    default: 'data-agent/',
    help: 'Folder of the queues in which samples wait for their remotes.',
  },
  'storage.agent.no-lockfile': {
    kind: 'boolean',
    default: false,
    help: 'Do not keep other agents from the same folder by a lock file.',
  },
  'storage.agent.series-retention': {
    kind: 'duration',
    default: 2 * 3_600_000,
    help: 'How long series are remembered that bring nothing.',
  },
  'storage.remote.flush-deadline': REMOTE_FLAGS['storage.remote.flush-deadline'],
  'storage.shards': STORAGE_FLAGS['storage.shards'],
  'enable-feature': { kind: 'texts', help: featureHelp('agent') },
  ...CONFIG_FLAGS,
  ...webFlags('0.0.0.0:9090'),
  ...PAGE_FLAGS,
  ...CONSOLE_FLAGS,
  ...MEMORY_FLAGS,
  ...LIFECYCLE_FLAGS,
  ...RECEIVER_FLAGS,
  ...LOG_FLAGS,
  ...(UNUSED_COMMON_FLAGS as Readonly<Record<never, never>>),
  ...(UNUSED_AGENT_FLAGS as Readonly<Record<never, never>>),
} as const satisfies FlagTable;

export type AgentFlags = FlagValues<typeof AGENT_FLAGS>;
export type ServerFlags = FlagValues<typeof SERVER_FLAGS>;
export type WebFlags = FlagValues<ReturnType<typeof webFlags<string>>>;

/** Names of --enable-feature, which takes lists and can be repeated. */
export const featuresOf = (flags: { readonly 'enable-feature': readonly string[] }): ReadonlySet<string> =>
  new Set(
    flags['enable-feature']
      .flatMap((text) => text.split(','))
      .map((name) => name.trim())
      .filter((name) => name !== ''),
  );
