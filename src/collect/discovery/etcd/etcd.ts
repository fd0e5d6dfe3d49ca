// Targets that agents write into etcd: every key below a prefix holds target groups as JSON, one group or a list of them.
// Keys are watched; a key that goes away, by a lease that ran out or otherwise, takes its targets with it.

import { sleep } from '#base/clock.ts';
import { duration, list, map, object, optional, secret, string, withDefault } from '#base/config/schema.ts';
import { errorText } from '#base/errors.ts';
import { EtcdClient, type EtcdEntry, type EtcdEvent } from '#clients/etcd/etcd.ts';
import type { Discoverer, TargetGroup } from '#model/target.ts';
import { parseJsonGroups } from '../groups.ts';
import { type DiscoveryContext, provider } from '../provider.ts';
import { emptyGroup } from '../refresh.ts';

export type EtcdConfig = {
  readonly endpoints: readonly string[];
  readonly prefix: string;
  readonly timeoutMs: number;
  readonly username: string | undefined;
  readonly password: string | undefined;
};

const RETRY_MS = 5000;

export const etcdProvider = provider<EtcdConfig>({
  key: 'etcd_sd_configs',
  schema: () =>
    map(
      object(
        {
          endpoints: list(string()),
          prefix: withDefault(string(), ''),
          timeout: withDefault(duration(), 10_000),
          username: optional(string()),
          password: optional(secret()),
        },
        (value, report) => {
          if (value.endpoints.length === 0)
            report('endpoints', 'at least one endpoint such as http://localhost:2379 is needed');
          for (const endpoint of value.endpoints) {
            if (!/^https?:\/\/[^/]+\/?$/.test(endpoint))
              report('endpoints', `${JSON.stringify(endpoint)} is not http://host:port`);
          }
          if (value.prefix === '') report('prefix', 'a key prefix is needed');
        },
      ),
      (value) => ({
        endpoints: value.endpoints,
        prefix: value.prefix,
        timeoutMs: value.timeout,
        username: value.username,
        password: value.password,
      }),
    ),
  create: (config, context) => createEtcdDiscoverer(config, context),
});

function createEtcdDiscoverer(config: EtcdConfig, context: DiscoveryContext): Discoverer {
  const { clock, log, metrics, name } = context;
  /** Sources told for each key. */
  const told = new Map<string, readonly string[]>();
  const groupsOf = ({ key, value }: EtcdEntry): TargetGroup[] => {
    const trimmed = value.trim();
    return parseJsonGroups(trimmed.startsWith('{') ? `[${trimmed}]` : trimmed, key, { __meta_etcd_key: key });
  };
  const change = (entry: EtcdEntry, isGone: boolean): TargetGroup[] => {
    const before = told.get(entry.key) ?? [];
    let groups: TargetGroup[] = [];
    if (!isGone) {
      try {
        groups = groupsOf(entry);
      } catch (error) {
        // What is there now cannot be read: what was there before stays.
        metrics.refreshFailures.with('etcd', name).add();
        log.error('Cannot read target groups', { key: entry.key, err: errorText(error) });
        return [];
      }
    }
    const sources = groups.map(({ source }) => source);
    if (isGone) told.delete(entry.key);
    else told.set(entry.key, sources);
    return [...groups, ...before.filter((source) => !sources.includes(source)).map(emptyGroup)];
  };
  return {
    async run(update, signal) {
      const { endpoints, timeoutMs, username, password, prefix } = config;
      const client = new EtcdClient(
        { endpoints, timeoutMs, ...(username ? { username } : {}), ...(password ? { password } : {}) },
        clock,
      );
      const failed = (error: unknown) => {
        metrics.refreshFailures.with('etcd', name).add();
        log.error('etcd discovery failed', { prefix, err: errorText(error) });
      };
      /** The whole content of the prefix. */
      const reset = (entries: readonly EtcdEntry[]) => {
        const keys = new Set(entries.map(({ key }) => key));
        const gone = [...told.keys()].filter((key) => !keys.has(key));
        update([
          ...entries.flatMap((entry) => change(entry, false)),
          ...gone.flatMap((key) => change({ key, value: '', revision: 0 }, true)),
        ]);
      };
      while (!signal.aborted) {
        try {
          const { entries, revision } = await client.list(prefix);
          reset(entries);
          const changed = (events: readonly EtcdEvent[]) =>
            update(events.flatMap(({ kind, entry }) => change(entry, kind === 'delete')));
          await client.watch(prefix, revision, changed, reset, failed, signal);
        } catch (error) {
          if (signal.aborted) break;
          failed(error);
          await sleep(clock, RETRY_MS, signal).catch(() => {});
        }
      }
      await client.close();
    },
  };
}
