// The flags of the push gateway: Pushgateway's, and those of what upstream's gateway lacks.

import type { FlagTable } from '#base/flags.ts';
import { ABSENT_MODES, MERGE_MODES, PULL_MODES } from '#collect/push/state.ts';
import { LIFECYCLE_FLAGS, LOG_FLAGS, SYSTEMD_FLAGS, webFlags } from './flags.ts';

/** What a gateway takes wherever it runs. */
export const PUSH_FLAGS = {
  'persistence.file': {
    kind: 'text',
    default: '',
    help: 'File to persist metrics. If empty, metrics are only kept in memory.',
  },
  'persistence.interval': {
    kind: 'duration',
    default: 300_000,
    help: 'The minimum interval at which to write out the persistence file.',
  },
  'push.disable-consistency-check': {
    kind: 'boolean',
    default: false,
    help: 'Do not check consistency of pushed metrics. DANGEROUS.',
  },
  'push.enable-utf8-names': {
    kind: 'boolean',
    default: false,
    help: 'Allow UTF-8 characters in metric and label names.',
  },
  'push.max-body-size': {
    kind: 'size',
    default: 64 * 1024 * 1024,
    help: 'Largest push accepted, after decompression.',
  },
  'push.merge': {
    kind: 'text',
    default: 'replace',
    values: MERGE_MODES,
    help: 'What a push does to series that are there: replace as upstream, merge series by series, or add counters and histograms.',
  },
  'push.absent': {
    kind: 'text',
    default: '',
    values: ['', ...ABSENT_MODES],
    help: 'What becomes of series that are not pushed again. Default: clear when replacing, keep otherwise.',
  },
  'push.pull': {
    kind: 'text',
    default: 'keep',
    values: PULL_MODES,
    help: 'What a reader gets after it has got a series once: the same again, nothing (clear), or 0 (reset).',
  },
  'push.ttl': { kind: 'duration', default: 0, help: 'Groups not pushed to for so long are deleted; 0: never.' },
  'push.interval': {
    kind: 'duration',
    default: 0,
    help: 'How often pushers push. push_up turns 0 and the series end when three pushes are missing; 0: no liveness.',
  },
  'push.etcd.endpoints': {
    kind: 'texts',
    help: 'etcd through which several gateways share one state: http://host:2379. Can be repeated.',
    placeholder: 'URL',
  },
  'push.etcd.prefix': { kind: 'text', default: '/pharos/push', help: 'Where the shared state lies in etcd.' },
} as const satisfies FlagTable;

export const PUSHGATEWAY_FLAGS = {
  ...webFlags(':9091'),
  'web.telemetry-path': { kind: 'text', default: '/metrics', help: 'Path under which to expose metrics.' },
  'web.enable-admin-api': {
    kind: 'boolean',
    default: false,
    help: 'Enable API endpoints for admin control actions.',
  },
  ...PUSH_FLAGS,
  'web.local-assets': {
    kind: 'text',
    default: '',
    hidden: true,
    help: 'Accepted as Pushgateway of Debian has it; the pages are part of the program.',
  },
  ...SYSTEMD_FLAGS,
  ...LIFECYCLE_FLAGS,
  ...LOG_FLAGS,
} as const satisfies FlagTable;
