// What Redis tells beside plain fields: latencies by command, the slow log, the state of a cluster, the masters of a sentinel.

import type { Page } from '../page.ts';
import type { Reply } from './redis.ts';

/** "a=1,b=2" by name. */
export const keyed = (value: string): ReadonlyMap<string, string> =>
  new Map(
    value.split(',').map((part) => {
      const at = part.indexOf('=');
      return [part.slice(0, at), part.slice(at + 1)] as const;
    }),
  );

/** latency_percentiles_usec_get:p50=1.003,p99=2.007,p99.9=3.007 */
export function addPercentiles(page: Page, fields: ReadonlyMap<string, string>): void {
  const prefix = 'latency_percentiles_usec_';
  for (const [key, value] of fields) {
    if (!key.startsWith(prefix)) continue;
    const cmd = key.slice(prefix.length);
    const calls = keyed(fields.get(`cmdstat_${cmd}`) ?? '');
    const quantiles = [...keyed(value)].map(
      ([name, number]) => [Number((Number(name.slice(1)) / 100).toPrecision(8)), Number(number)] as const,
    );
    const [sum, count] = [Number(calls.get('usec') ?? 0), Number(calls.get('calls') ?? 0)];
    page.summary('redis_latency_percentiles_usec', 'Latencies by command.', quantiles, sum, count, ['cmd', cmd]);
  }
}

/** Pairs of a reply that is a list of names and values. */
function pairs(reply: Reply | undefined): Map<string, Reply> {
  const found = new Map<string, Reply>();
  if (Array.isArray(reply)) for (let i = 0; i + 1 < reply.length; i += 2) found.set(String(reply[i]), reply[i + 1]!);
  return found;
}

/** Of Redis 7: for each command its calls and a cumulative histogram in powers of two of microseconds. */
export function addLatencies(page: Page, reply: Reply | undefined): void {
  for (const [cmd, about] of pairs(reply)) {
    const parts = pairs(about);
    const buckets = [...pairs(parts.get('histogram_usec'))].map(
      ([bound, count]) => [Number(bound), Number(count)] as const,
    );
    const calls = Number(parts.get('calls') ?? 0);
    // The sum is not told.
    page.histogram('redis_commands_latencies_usec', 'Latencies by command.', buckets, 0, calls, ['cmd', cmd]);
  }
}

export function addSlowLog(page: Page, count: Reply | undefined, newest: Reply | undefined): void {
  if (typeof count === 'number') page.gauge('redis_slowlog_length', 'Entries of the slow log.', count);
  const [entry] = Array.isArray(newest) ? newest : [];
  const [id, , micros] = Array.isArray(entry) ? entry : [];
  page.gauge('redis_slowlog_last_id', 'Number of the newest entry of the slow log.', Number(id ?? 0));
  const seconds = Number(micros ?? 0) / 1e6;
  page.gauge('redis_last_slow_execution_duration_seconds', 'How long the newest entry of the slow log took.', seconds);
}

export function addClusterInfo(page: Page, reply: Reply | undefined): void {
  if (typeof reply !== 'string') return;
  for (const line of reply.split('\r\n')) {
    const [key = '', value = ''] = line.split(':');
    if (key === 'cluster_state')
      page.gauge('redis_cluster_state', 'Whether the cluster is ok.', value === 'ok' ? 1 : 0);
    else if (/^cluster_(slots_\w+|known_nodes|size|current_epoch|my_epoch)$/.test(key))
      page.gauge(`redis_${key}`, `CLUSTER INFO field ${key}.`, Number(value));
  }
}

const SENTINEL_FIELDS = ['masters', 'tilt', 'running_scripts', 'scripts_queue_length', 'simulate_failure_flags'];

/** master0:name=mymaster,status=ok,address=10.0.0.1:6379,slaves=1,sentinels=3 */
export function addSentinel(page: Page, fields: ReadonlyMap<string, string>): void {
  for (const name of SENTINEL_FIELDS) {
    const value = fields.get(`sentinel_${name}`);
    if (value !== undefined) page.gauge(`redis_sentinel_${name}`, `INFO field sentinel_${name}.`, Number(value));
  }
  for (const [key, value] of fields) {
    if (!/^master\d+$/.test(key)) continue;
    const about = keyed(value);
    const labels = ['master_address', about.get('address') ?? '', 'master_name', about.get('name') ?? ''];
    const status = about.get('status') ?? '';
    page.gauge('redis_sentinel_master_status', 'Whether a master is ok.', status === 'ok' ? 1 : 0, [
      ...labels,
      'master_status',
      status,
    ]);
    for (const what of ['slaves', 'sentinels'])
      page.gauge(
        `redis_sentinel_master_${what}`,
        `How many ${what} a master has.`,
        Number(about.get(what) ?? 0),
        labels,
      );
  }
}
