// Type, help and unit of the metric families on a target's page. Thousands of targets run the same exporter, so equal sets
// are kept once per worker.

import type { Metadata, MetricType } from '#model/batch.ts';

export type Families = ReadonlyMap<string, Metadata>;

const NO_FAMILIES: Families = new Map();

/** Gathers what one page says. */
export class FamilyNotes {
  readonly families = new Map<string, Metadata>();

  type(name: string, type: MetricType): void {
    this.#note(name, { type });
  }
  help(name: string, help: string): void {
    this.#note(name, { help });
  }
  unit(name: string, unit: string): void {
    this.#note(name, { unit });
  }

  #note(name: string, what: Partial<Metadata>): void {
    const before = this.families.get(name) ?? { type: 'unknown', help: '', unit: '' };
    this.families.set(name, { ...before, ...what });
  }
}

/** Equal sets of families become one object, for as long as somebody holds it. */
export class FamilyPool {
  readonly #sets = new Map<string, WeakRef<Map<string, Metadata>>>();
  readonly #gone = new FinalizationRegistry<string>((key) => {
    if (this.#sets.get(key)?.deref() === undefined) this.#sets.delete(key);
  });

  share(families: Map<string, Metadata>): Families {
    if (families.size === 0) return NO_FAMILIES;
    const key = JSON.stringify([...families]);
    const known = this.#sets.get(key)?.deref();
    if (known) return known;
    this.#sets.set(key, new WeakRef(families));
    this.#gone.register(families, key);
    return families;
  }
}

/** What `now` has that `before` had not, or had otherwise. */
export function changedFamilies(before: Families, now: Families): { family: string; metadata: Metadata }[] {
  if (before === now) return [];
  const changed: { family: string; metadata: Metadata }[] = [];
  for (const [family, metadata] of now) {
    const old = before.get(family);
    if (!old || old.type !== metadata.type || old.help !== metadata.help || old.unit !== metadata.unit) {
      changed.push({ family, metadata });
    }
  }
  return changed;
}

export function familiesSizeBytes(families: Families): number {
  let bytes = 0;
  for (const metadata of families.values()) bytes += metadata.help.length + metadata.unit.length + metadata.type.length;
  return bytes;
}
