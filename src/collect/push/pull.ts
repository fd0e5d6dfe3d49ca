// What a reader gets. A group whose pull mode is clear or reset gives every series once to each reader that has a name, so that two
// scrapers lose nothing to each other and a stray look consumes nothing. Reading is a plan; it counts only when the page has been sent.

import { zeroOf } from './apply.ts';
import type { Group, PullMode, PushedMetric, PushState, Reader, Table } from './state.ts';

/** A reader that has not come for so long is forgotten: it no longer holds back what others have got. */
export const READER_TIMEOUT_MS = 10 * 60_000;
export const MAX_READERS = 64;

/** After so many missed intervals a pusher is down and its series are withheld. */
export const MISSED_INTERVALS = 3;

export const isLate = (group: Group, now: number): boolean =>
  group.options.intervalMs > 0 && now - group.pushedAt > group.options.intervalMs * MISSED_INTERVALS;

export const isExpired = (group: Group, now: number): boolean =>
  group.options.ttlMs > 0 && now - Math.max(group.pushedAt, group.failedAt) >= group.options.ttlMs;

/** The metrics of a stored family that a reader gets. `got` is the version it has, undefined for nameless readers. */
export function visible(
  metrics: readonly PushedMetric[],
  changed: readonly number[],
  pull: PullMode,
  got: number | undefined,
): readonly PushedMetric[] {
  if (pull === 'keep' || got === undefined) return metrics;
  if (pull === 'clear') return metrics.filter((_, i) => changed[i]! > got);
  return metrics.map((metric, i) => (changed[i]! > got ? metric : { ...metric, value: zeroOf(metric.value) }));
}

export const pullModeOf = (table: Table): PullMode =>
  table.pullFinish === 'clear' || table.pullFinish === 'reset' ? table.pullFinish : 'keep';

/** The key under which a reader's progress in a table stands; groups stand under their own keys. */
export const tableKey = (name: string): string => `\xfe${name}`;

/** What a reader has got once the page made from `state` has been sent. */
export function readerAfter(state: PushState, before: Reader | undefined, now: number): Reader {
  const got: Record<string, number> = {};
  for (const [key, group] of state.groups)
    if (group.options.pull !== 'keep')
      // A pusher that is late has been withheld: nothing of it was sent.
      got[key] = isLate(group, now) ? (before?.got[key] ?? 0) : group.version;
  for (const table of state.tables.values())
    if (pullModeOf(table) !== 'keep') got[tableKey(table.name)] = table.version;
  return { seenAt: now, got };
}

/** The version that every living reader has got; undefined while there is no reader. */
export function gotByAll(readers: ReadonlyMap<string, Reader>, key: string, now: number): number | undefined {
  let least: number | undefined;
  for (const reader of readers.values()) {
    if (now - reader.seenAt > READER_TIMEOUT_MS) continue;
    least = Math.min(least ?? Infinity, reader.got[key] ?? 0);
  }
  return least;
}
