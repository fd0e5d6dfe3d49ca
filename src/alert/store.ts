// The alerts that the alertmanager knows: merged as they come in, by label fingerprint, forgotten some time after they are
// resolved. Everything else (groups, inhibition, API) learns of changes through `subscribe`.

import type { Alert } from '#model/alert.ts';
import { type Labels, labelValue } from '#model/labels.ts';

export type KnownAlert = Alert & {
  readonly fingerprint: string;
  readonly updatedAt: number;
  /** The end was set by us because the sender gave none. */
  readonly timedOut: boolean;
};

const utf8 = new TextEncoder();

/** FNV-1a, 64 bits, over `name 0xff value 0xff`, as Prometheus prints fingerprints: 16 hexadecimal digits. */
export function fingerprint(labels: Labels): string {
  // Four 16-bit limbs, lowest first; the prime is 2^40 + 0x1b3.
  let a = 0x2325;
  let b = 0x8422;
  let c = 0x9ce4;
  let d = 0xcbf2;
  const step = (byte: number) => {
    a ^= byte;
    const a2 = a * 0x1b3;
    const b2 = b * 0x1b3 + (a2 >>> 16);
    const c2 = c * 0x1b3 + a * 0x100 + (b2 >>> 16);
    const d2 = d * 0x1b3 + b * 0x100 + Math.floor(c2 / 0x10000);
    a = a2 & 0xffff;
    b = b2 & 0xffff;
    c = c2 & 0xffff;
    d = d2 & 0xffff;
  };
  for (const text of labels) {
    for (const byte of utf8.encode(text)) step(byte);
    step(0xff);
  }
  return [d, c, b, a].map((limb) => limb.toString(16).padStart(4, '0')).join('');
}

export const isResolved = (alert: Alert, now: number): boolean => alert.endsAt !== 0 && alert.endsAt <= now;
export const alertName = (alert: Alert): string => labelValue(alert.labels, 'alertname');

/** What is known after both were seen: the younger wins, with the earliest start and the latest end that holds. */
export function mergeAlerts(first: KnownAlert, second: KnownAlert, now: number): KnownAlert {
  const [older, younger] = second.updatedAt < first.updatedAt ? [second, first] : [first, second];
  const startsAt = Math.min(older.startsAt, younger.startsAt);
  let { endsAt } = younger;
  if (isResolved(younger, now)) {
    if (isResolved(older, now) && older.endsAt > endsAt) endsAt = older.endsAt;
  } else if (older.endsAt > endsAt && !older.timedOut) endsAt = older.endsAt;
  return { ...younger, startsAt, endsAt };
}

/** `isNew`: nothing was known of it before. */
export type AlertListener = (alert: KnownAlert, isNew: boolean) => void;

export class AlertStore {
  readonly #alerts = new Map<string, KnownAlert>();
  readonly #listeners = new Set<AlertListener>();
  readonly #limitPerName: number;
  readonly #countByName = new Map<string, number>();

  /** `limitPerName`: how many alerts of one alertname are kept; 0 means no limit. */
  constructor(limitPerName: number) {
    this.#limitPerName = limitPerName;
  }

  get size(): number {
    return this.#alerts.size;
  }

  /** What is known from now on; undefined when the limit of its alertname refused a new alert. */
  put(
    incoming: Alert & { readonly updatedAt: number; readonly timedOut: boolean },
    now: number,
  ): KnownAlert | undefined {
    const key = fingerprint(incoming.labels);
    const alert: KnownAlert = { ...incoming, fingerprint: key };
    const known = this.#alerts.get(key);
    if (!known && this.#limitPerName > 0 && this.#countOf(alert) >= this.#limitPerName) return undefined;
    if (!known) this.#count(alert, 1);
    const overlaps =
      known &&
      ((alert.endsAt > known.startsAt && alert.endsAt < known.endsAt) ||
        (alert.startsAt > known.startsAt && alert.startsAt < known.endsAt));
    const merged = overlaps ? mergeAlerts(known, alert, now) : alert;
    this.#alerts.set(key, merged);
    for (const listener of this.#listeners) listener(merged, !known);
    return merged;
  }

  get(key: string): KnownAlert | undefined {
    return this.#alerts.get(key);
  }

  all(): Iterable<KnownAlert> {
    return this.#alerts.values();
  }

  /** Calls back for each alert that is known and each that comes; returns how to stop that. */
  subscribe(listener: AlertListener): () => void {
    for (const alert of this.#alerts.values()) listener(alert, false);
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Forgets what is resolved; returns it. */
  collect(now: number): readonly KnownAlert[] {
    const gone = [...this.#alerts.values()].filter((alert) => isResolved(alert, now));
    for (const alert of gone) {
      this.#alerts.delete(alert.fingerprint);
      this.#count(alert, -1);
    }
    return gone;
  }

  #countOf(alert: Alert): number {
    return this.#countByName.get(alertName(alert)) ?? 0;
  }

  #count(alert: Alert, change: number): void {
    const count = this.#countOf(alert) + change;
    if (count === 0) this.#countByName.delete(alertName(alert));
    else this.#countByName.set(alertName(alert), count);
  }
}
