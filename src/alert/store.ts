// The alerts that the alertmanager knows: merged as they come in, by label fingerprint, forgotten some time after they are
// resolved. Everything else (groups, inhibition, API) learns of changes through `subscribe`.

import type { Alert } from '#model/alert.ts';
import { equalLabels, type Labels, labelValue } from '#model/labels.ts';

export type KnownAlert = Alert & {
  readonly fingerprint: string;
  readonly updatedAt: number;
  /** The end was set by us because the sender gave none. */
  readonly timedOut: boolean;
};

/** FNV-1a, 64 bits, over `name 0xff value 0xff`, as Prometheus prints fingerprints: 16 hexadecimal digits. */
export function fingerprint(labels: Labels): string {
  // Four 16-bit limbs, lowest first; the prime is 2^40 + 0x1b3.
  let a = 0x2325;
  let b = 0x8422;
  let c = 0x9ce4;
  let d = 0xcbf2;
  for (const text of labels) {
    // Bytes are only made where a character is not one.
    const bytes = isAscii(text) ? undefined : Buffer.from(text);
    const length = bytes ? bytes.length : text.length;
    for (let i = 0; i <= length; i++) {
      a ^= i === length ? 0xff : bytes ? bytes[i]! : text.charCodeAt(i);
      const a2 = a * 0x1b3;
      const b2 = b * 0x1b3 + (a2 >>> 16);
      const c2 = c * 0x1b3 + a * 0x100 + (b2 >>> 16);
      d = (d * 0x1b3 + b * 0x100 + (c2 >>> 16)) & 0xffff;
      a = a2 & 0xffff;
      b = b2 & 0xffff;
      c = c2 & 0xffff;
    }
  }
  return [d, c, b, a].map((limb) => limb.toString(16).padStart(4, '0')).join('');
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
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

/** Senders say the same again and again: what is equal is kept once, so that a repetition leaves next to nothing behind. */
function repeated(known: KnownAlert, incoming: Incoming): KnownAlert {
  const { labels, annotations, generatorUrl } = known;
  return {
    ...incoming,
    labels: equalLabels(labels, incoming.labels) ? labels : incoming.labels,
    annotations: equalLabels(annotations, incoming.annotations) ? annotations : incoming.annotations,
    generatorUrl: generatorUrl === incoming.generatorUrl ? generatorUrl : incoming.generatorUrl,
    fingerprint: known.fingerprint,
  };
}

/** `isNew`: nothing was known of it before. */
export type AlertListener = (alert: KnownAlert, isNew: boolean) => void;

type Incoming = Omit<KnownAlert, 'fingerprint'>;

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
  put(incoming: Incoming, now: number): KnownAlert | undefined {
    const key = fingerprint(incoming.labels);
    const known = this.#alerts.get(key);
    const alert = known ? repeated(known, incoming) : { ...incoming, fingerprint: key };
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
