// The notification log: which alerts of a group a receiver was last told of. It decides whether there is anything new to
// say, and keeps doing so after a restart.

import { type QueryWatch, UNWATCHED } from '../kept-metrics.ts';

/** Kept small: hashes of alerts, not alerts. */
export type LogEntry = {
  readonly groupKey: string;
  /** `receiver/integration/index`. */
  readonly receiver: string;
  readonly timestamp: number;
  readonly firing: readonly string[];
  readonly resolved: readonly string[];
  readonly expiresAt: number;
  /** What an integration wants to find again: a message to edit, a thread. */
  readonly data?: Readonly<Record<string, string>>;
};

/** Where entries are kept: the journal on disk, or one shared by replicas. */
export interface LogTable {
  get(key: string): LogEntry | undefined;
  set(key: string, value: LogEntry): void;
  delete(key: string): void;
  values(): Iterable<LogEntry>;
}

export type NotifyReason =
  | 'first notification'
  | 'new alerts in group'
  | 'new resolved alerts'
  | 'all alerts resolved'
  | 'repeat interval elapsed';

export const logKey = (groupKey: string, receiver: string): string => `${groupKey}:${receiver}`;

/** Why the group is to be notified now, or undefined when the receiver knows everything already. */
export function reasonToNotify(
  entry: LogEntry | undefined,
  firing: ReadonlySet<string>,
  resolved: ReadonlySet<string>,
  sendResolved: boolean,
  repeatIntervalMs: number,
  now: number,
): NotifyReason | undefined {
  if (!entry) return firing.size > 0 ? 'first notification' : undefined;
  const known = new Set(entry.firing);
  if (![...firing].every((alert) => known.has(alert)))
    return known.size === 0 ? 'first notification' : 'new alerts in group';
  // Told even without send_resolved, so that the log forgets the firing alerts.
  if (firing.size === 0) return known.size > 0 ? 'all alerts resolved' : undefined;
  const knownResolved = new Set(entry.resolved);
  if (sendResolved && ![...resolved].every((alert) => knownResolved.has(alert))) return 'new resolved alerts';
  return entry.timestamp < now - repeatIntervalMs ? 'repeat interval elapsed' : undefined;
}

/** What the receiver does not know: alerts that fire or are resolved and were not when it was last told. */
export function changedSince(
  entry: LogEntry | undefined,
  firing: ReadonlySet<string>,
  resolved: ReadonlySet<string>,
): ReadonlySet<string> {
  const [knownFiring, knownResolved] = [new Set(entry?.firing), new Set(entry?.resolved)];
  return new Set([
    ...[...firing].filter((alert) => !knownFiring.has(alert)),
    ...[...resolved].filter((alert) => !knownResolved.has(alert)),
  ]);
}

export class NotificationLog {
  readonly #table: LogTable;
  readonly #retentionMs: number;

  readonly #watch: QueryWatch;

  constructor(table: LogTable, retentionMs: number, watch: QueryWatch = UNWATCHED) {
    this.#table = table;
    this.#retentionMs = retentionMs;
    this.#watch = watch;
  }

  find(groupKey: string, receiver: string): LogEntry | undefined {
    const began = this.#watch.begin();
    const entry = this.#table.get(logKey(groupKey, receiver));
    this.#watch.end(began, 1, 0);
    return entry;
  }

  /** The entry is kept for the retention, or longer if the repeat interval asks for it. */
  record(entry: Omit<LogEntry, 'expiresAt'>, repeatIntervalMs: number): void {
    const expiresAt = entry.timestamp + Math.max(this.#retentionMs, 2 * repeatIntervalMs);
    this.#table.set(logKey(entry.groupKey, entry.receiver), { ...entry, expiresAt });
  }

  collect(now: number): void {
    for (const entry of [...this.#table.values()]) {
      if (entry.expiresAt <= now) this.#table.delete(logKey(entry.groupKey, entry.receiver));
    }
  }
}
