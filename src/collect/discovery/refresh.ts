// A provider that asks again and again: the first time at once, then at an interval; a failure is counted and logged and
// what was found before stays.

import { sleep } from '#base/clock.ts';
import { errorText } from '#base/errors.ts';
import type { Discoverer, TargetGroup } from '#model/target.ts';
import type { DiscoveryContext } from './provider.ts';

export type Refresh = {
  readonly mechanism: string;
  readonly intervalMs: number;
  /** All groups there are now. */
  readonly refresh: (signal: AbortSignal) => Promise<readonly TargetGroup[]>;
  readonly close?: () => void;
};

export function refreshing(options: Refresh, context: DiscoveryContext): Discoverer {
  const { mechanism, intervalMs, refresh } = options;
  const { clock, log, metrics, name } = context;
  const once = async (signal: AbortSignal): Promise<readonly TargetGroup[] | undefined> => {
    const started = clock.monotonic();
    try {
      return await refresh(signal);
    } catch (error) {
      if (signal.aborted) return undefined;
      metrics.refreshFailures.with(mechanism, name).add();
      log.error('Unable to refresh target groups', { discovery: mechanism, config: name, err: errorText(error) });
      return undefined;
    } finally {
      const seconds = (clock.monotonic() - started) / 1000;
      metrics.refreshDuration.with(mechanism, name).observe(seconds);
      metrics.refreshDurationHistogram.with(mechanism, name).observe(seconds);
    }
  };
  return {
    async run(update, signal) {
      let sources = new Set<string>();
      metrics.refreshFailures.with(mechanism, name);
      while (!signal.aborted) {
        const groups = await once(signal);
        if (signal.aborted) break;
        if (groups) {
          const now = new Set(groups.map((group) => group.source));
          const gone = [...sources].filter((source) => !now.has(source)).map(emptyGroup);
          sources = now;
          update([...groups, ...gone]);
        }
        await sleep(clock, intervalMs, signal).catch(() => {});
      }
      options.close?.();
    },
  };
}

export const emptyGroup = (source: string): TargetGroup => ({ source, targets: [], labels: {} });
