// Flags of Prometheus beside those that rooms obey: some that only a whole program can obey, some that describe what is not
// here. The latter are taken, so that a command line can stay as it is, and using one is logged with the reason.

import type { FlagTable } from '#base/flags.ts';

/** A flag that nothing obeys, and why that is no loss. */
type Unused = { readonly flag: FlagTable[string]; readonly why: string };

const LOG = 'the log of samples has segments and a compression of its own';
const AGENT_LOG = 'an agent keeps samples in the queues of its remotes, not in a log of series';

const hidden = (flag: Omit<Extract<FlagTable[string], { kind: 'text' }>, 'help'>, why: string): Unused => ({
  flag: { ...flag, hidden: true, help: `Accepted as Prometheus has it: ${why}.` },
  why,
});
const shown = <F extends { readonly kind: string }>(flag: F, why: string): Unused => ({
  flag: { ...flag, help: `Accepted as Prometheus has it: ${why}.` } as unknown as FlagTable[string],
  why,
});
const secret = <F extends { readonly kind: string }>(flag: F, why: string): Unused =>
  shown({ ...flag, hidden: true }, why);
const toggle = (value: boolean) => ({ kind: 'boolean', default: value }) as const;
const COMPRESSIONS = { kind: 'text', default: 'snappy', values: ['snappy', 'zstd'] } as const;

const BOTH: Readonly<Record<string, Unused>> = {
  'auto-gomaxprocs': shown(
    toggle(true),
    'the processors that the process may use are always counted; see --storage.shards',
  ),
  'auto-gomemlimit.refresh-interval': shown({ kind: 'duration', default: 0 }, 'the limit is read once, at the start'),
  'web.local-assets': hidden({ kind: 'text', default: '' }, 'the pages are part of the program'),
  'scrape.adjust-timestamps': secret(toggle(true), 'timestamps of scrapes are always aligned to their schedule'),
  'scrape.timestamp-tolerance': secret(
    { kind: 'duration', default: 2 },
    'timestamps of scrapes are aligned within 2ms',
  ),
  'scrape.discovery-reload-interval': secret(
    { kind: 'duration', default: 5000 },
    'discovered targets are taken over as they come',
  ),
};

const SERVER: Readonly<Record<string, Unused>> = {
  'storage.tsdb.head-chunks-write-queue-size': shown(
    { kind: 'integer', default: 0 },
    'chunks of the head need no queue to be written',
  ),
  'storage.tsdb.wal-compression': secret(toggle(true), LOG),
  'storage.tsdb.wal-compression-type': secret(COMPRESSIONS, LOG),
  'storage.tsdb.wal-segment-size': secret({ kind: 'size', default: 0 }, LOG),
  'storage.tsdb.max-block-chunk-segment-size': secret({ kind: 'size', default: 0 }, 'segments of blocks have 512MB'),
  'storage.tsdb.samples-per-chunk': secret({ kind: 'integer', default: 120 }, 'chunks have 120 samples'),
  'storage.tsdb.block-reload-interval': secret(
    { kind: 'duration', default: 60_000 },
    'blocks are looked at every minute',
  ),
  'storage.tsdb.use-lockfile': secret(toggle(false), 'see --storage.tsdb.no-lockfile'),
  'storage.tsdb.allow-overlapping-blocks': secret(toggle(true), 'blocks may always overlap'),
  'alertmanager.timeout': hidden({ kind: 'text', default: '' }, 'the timeout is a setting of each Alertmanager'),
};

const AGENT: Readonly<Record<string, Unused>> = {
  'storage.agent.wal-compression': shown(toggle(true), AGENT_LOG),
  'storage.agent.wal-compression-type': secret(COMPRESSIONS, AGENT_LOG),
  'storage.agent.wal-segment-size': secret({ kind: 'size', default: 0 }, AGENT_LOG),
  'storage.agent.wal-truncate-frequency': secret({ kind: 'duration', default: 2 * 3_600_000 }, AGENT_LOG),
  'storage.agent.retention.min-time': shown(
    { kind: 'duration', default: 300_000 },
    'samples leave their queue as soon as every remote has them',
  ),
  'storage.agent.retention.max-time': shown(
    { kind: 'duration', default: 4 * 3_600_000 },
    'samples wait for their remote as long as its queue has room; see queue_config',
  ),
  'storage.agent.checkpoint-from-in-memory-series': shown(toggle(false), AGENT_LOG),
  'storage.agent.checkpoint-batch-size': shown({ kind: 'integer', default: 1000, min: 1 }, AGENT_LOG),
  'storage.agent.use-lockfile': secret(toggle(false), 'see --storage.agent.no-lockfile'),
};

const flagsOf = (unused: Readonly<Record<string, Unused>>): FlagTable =>
  Object.fromEntries(Object.entries(unused).map(([name, { flag }]) => [name, flag]));

export const UNUSED_COMMON_FLAGS: FlagTable = flagsOf(BOTH);
export const UNUSED_SERVER_FLAGS: FlagTable = flagsOf(SERVER);
export const UNUSED_AGENT_FLAGS: FlagTable = flagsOf(AGENT);

const WHY: ReadonlyMap<string, string> = new Map(
  [BOTH, SERVER, AGENT].flatMap((table) => Object.entries(table).map(([name, { why }]) => [name, why])),
);

/** One line of the log for each flag given that makes no difference. */
export function unusedNotes(given: ReadonlySet<string>): { readonly flag: string; readonly why: string }[] {
  return [...given].flatMap((flag) => {
    const why = WHY.get(flag);
    return why === undefined ? [] : [{ flag, why }];
  });
}

/** Flags of earlier releases that cannot be obeyed, and what to write instead. */
export const GONE_FLAGS: Readonly<Record<string, string>> = {
  'storage.local.path':
    'a data folder of Prometheus 1 cannot be read; give --storage.tsdb.path a folder of Prometheus 2 or 3',
  'alertmanager.url': 'write alerting.alertmanagers in the configuration file instead',
  'storage.remote.flush-timeout': 'give --storage.remote.flush-deadline instead',
};
