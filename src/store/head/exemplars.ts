// Exemplars: a ring of fixed size over all series, as in Prometheus. Each series' newest is known, because only newer ones and
// not the same again are taken.

import type { Exemplar } from '#model/batch.ts';
import { type Labels, labelsKey } from '#model/labels.ts';
import type { TimeRange } from '#model/query.ts';

type Entry = { readonly key: string; readonly labels: Labels; readonly exemplar: Exemplar };

export class ExemplarRing {
  #size: number;
  #ring: Entry[] = [];
  #next = 0;
  readonly #newest = new Map<string, Exemplar>();

  constructor(size: number) {
    this.#size = size;
  }

  get count(): number {
    return this.#ring.length;
  }

  resize(size: number): void {
    if (size === this.#size) return;
    const entries = [...this.entries()].slice(-size || this.#ring.length);
    this.#size = size;
    this.#ring = size === 0 ? [] : entries;
    this.#next = this.#ring.length % Math.max(1, size);
    this.#newest.clear();
    for (const { key, exemplar } of this.#ring) this.#newest.set(key, exemplar);
  }

  add(labels: Labels, exemplar: Exemplar): 'added' | 'outOfOrder' | 'ignored' {
    if (this.#size === 0) return 'ignored';
    const key = labelsKey(labels);
    const newest = this.#newest.get(key);
    if (newest) {
      if (sameExemplar(newest, exemplar)) return 'ignored';
      if (exemplar.timestamp <= newest.timestamp) return 'outOfOrder';
    }
    const evicted = this.#ring[this.#next];
    if (evicted && this.#newest.get(evicted.key) === evicted.exemplar) this.#newest.delete(evicted.key);
    this.#ring[this.#next] = { key, labels, exemplar };
    this.#newest.set(key, exemplar);
    this.#next = (this.#next + 1) % this.#size;
    return 'added';
  }

  /** Oldest first. */
  *entries(): Iterable<Entry> {
    const full = this.#ring.length === this.#size;
    for (let i = 0; i < this.#ring.length; i++) yield this.#ring[((full ? this.#next : 0) + i) % this.#ring.length]!;
  }

  select(
    matches: (labels: Labels) => boolean,
    range: TimeRange,
  ): { readonly labels: Labels; readonly exemplars: readonly Exemplar[] }[] {
    const found = new Map<string, { labels: Labels; exemplars: Exemplar[] }>();
    for (const { key, labels, exemplar } of this.entries()) {
      if (exemplar.timestamp < range.min || exemplar.timestamp > range.max) continue;
      let entry = found.get(key);
      if (!entry) {
        if (!matches(labels)) continue;
        entry = { labels, exemplars: [] };
        found.set(key, entry);
      }
      entry.exemplars.push(exemplar);
    }
    return [...found.values()];
  }
}

function sameExemplar(a: Exemplar, b: Exemplar): boolean {
  return a.timestamp === b.timestamp && Object.is(a.value, b.value) && labelsKey(a.labels) === labelsKey(b.labels);
}
