// The flags of the alertmanager: Alertmanager's, and those of sharing through etcd. Some of upstream's describe what is not here
// (gossip, Go's garbage collector); they are taken so that a command line can stay as it is, and using one is logged.

import type { FlagTable } from '#base/flags.ts';
import { LOG_FLAGS, SYSTEMD_FLAGS, webFlags } from './flags.ts';

/** What an alertmanager takes wherever it runs. */
export const ALERTMANAGER_DATA_FLAGS = {
  'data.retention': {
    kind: 'duration',
    default: 120 * 3_600_000,
    help: 'How long silences and the notification log are kept after their end.',
  },
  'data.maintenance-interval': {
    kind: 'duration',
    default: 15 * 60_000,
    help: 'How often expired silences and old log entries are dropped; every minute at least.',
  },
  'alerts.gc-interval': { kind: 'duration', default: 30 * 60_000, help: 'How often resolved alerts are dropped.' },
  'alerts.per-alertname-limit': {
    kind: 'integer',
    default: 0,
    help: 'How many alerts of one alertname are kept; 0: no limit.',
  },
  'silences.max-silences': {
    kind: 'integer',
    default: 0,
    help: 'How many silences may exist, expired ones included; 0: no limit.',
  },
  'silences.max-silence-size-bytes': { kind: 'integer', default: 0, help: 'How large a silence may be; 0: no limit.' },
  'log.silences': { kind: 'boolean', default: false, help: 'Log what becomes of silences.' },
  'enable-feature': {
    kind: 'texts',
    default: [],
    help: 'Features to switch on, separated by commas: alert-names-in-metrics, receiver-name-in-metrics, group-key-in-metrics, classic-mode, utf8-strict-mode, auto-gomemlimit, event-recorder. Can be repeated.',
  },
  'dispatch.start-delay': {
    kind: 'duration',
    default: 0,
    help: 'How long after the start nobody is notified, so that senders can repeat their alerts.',
  },
} as const satisfies FlagTable;

export const ALERTMANAGER_CLUSTER_FLAGS = {
  'cluster.etcd.endpoints': {
    kind: 'texts',
    default: [],
    help: 'etcd through which alertmanagers share silences, acknowledgements and the notification log. Can be repeated; without it this one is alone.',
  },
  'cluster.etcd.prefix': {
    kind: 'text',
    default: '/pharos/alertmanager',
    help: 'Below which keys in etcd the cluster lies.',
  },
  'cluster.label': { kind: 'text', default: '', help: 'Keeps clusters that share an etcd and a prefix apart.' },
  'cluster.peer-name': {
    kind: 'text',
    default: '',
    help: 'Name among the members; their order is the order of notifying. Defaults to host name and port.',
  },
  'cluster.peer-timeout': {
    kind: 'duration',
    default: 15_000,
    help: 'How long to wait for each member that notifies before this one.',
  },
  'cluster.settle-timeout': {
    kind: 'duration',
    default: 60_000,
    help: 'How long after the start notifications wait for what the other members know; not at all when etcd is away.',
  },
} as const satisfies FlagTable;

const unused = (why: string) => `Accepted so that command lines of Alertmanager can stay as they are; ${why}.`;
const GOSSIP = unused('members find each other through etcd, not by gossip');
const gossip = (value: number) => ({ kind: 'duration', default: value, help: GOSSIP }) as const;

/** Nothing obeys these. */
export const ALERTMANAGER_UNUSED_FLAGS = {
  'cluster.listen-address': { kind: 'text', default: '0.0.0.0:9094', help: GOSSIP },
  'cluster.advertise-address': { kind: 'text', default: '', help: GOSSIP },
  'cluster.peers-resolve-timeout': gossip(15_000),
  'cluster.gossip-interval': gossip(200),
  'cluster.pushpull-interval': gossip(60_000),
  'cluster.tcp-timeout': gossip(10_000),
  'cluster.probe-timeout': gossip(500),
  'cluster.probe-interval': gossip(1000),
  'cluster.reconnect-interval': gossip(10_000),
  'cluster.reconnect-timeout': gossip(6 * 3_600_000),
  'cluster.tls-config': { kind: 'text', default: '', help: GOSSIP },
  'cluster.allow-insecure-public-advertise-address-discovery': { kind: 'boolean', default: false, help: GOSSIP },
  'dispatch.maintenance-interval': {
    kind: 'duration',
    default: 30_000,
    help: unused('groups are removed when their last alert leaves'),
  },
  'web.ui-path': { kind: 'text', default: '', hidden: true, help: unused('the pages are part of the program') },
  'auto-gomemlimit.ratio': { kind: 'number', default: 0.9, help: unused('there is no memory limit of Go') },
} as const satisfies FlagTable;

export const ALERTMANAGER_FLAGS = {
  'config.file': { kind: 'text', default: 'alertmanager.yml', help: 'Configuration file.' },
  'storage.path': {
    kind: 'text',
    default: 'data/',
    help: 'Folder of silences, the notification log, alerts and their history.',
  },
  ...ALERTMANAGER_DATA_FLAGS,
  ...ALERTMANAGER_CLUSTER_FLAGS,
  'cluster.peer': {
    kind: 'texts',
    default: [],
    help: 'Refused without --cluster.etcd.endpoints: members share through etcd and do not gossip. Can be repeated.',
  },
  ...ALERTMANAGER_UNUSED_FLAGS,
  ...webFlags('0.0.0.0:9093'),
  'web.get-concurrency': {
    kind: 'integer',
    default: 0,
    help: 'How many GET requests are worked on at a time, others get 503; 0: 8, or as many as there are processors if that is more.',
  },
  'web.timeout': { kind: 'duration', default: 0, help: 'How long a request may take before it gets 503; 0: no limit.' },
  ...SYSTEMD_FLAGS,
  ...LOG_FLAGS,
} as const satisfies FlagTable;

/** Names of --enable-feature. */
export const ALERTMANAGER_FEATURES = [
  'alert-names-in-metrics',
  'receiver-name-in-metrics',
  'group-key-in-metrics',
  'classic-mode',
  'utf8-strict-mode',
  'auto-gomemlimit',
  'event-recorder',
] as const;
