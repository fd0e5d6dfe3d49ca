// What is known about metric families: type, help and unit, as the last sender said. Kept small: a family is forgotten with
// the least recently changed ones when there are too many.

import type { Metadata } from '#model/batch.ts';

const MAX_FAMILIES = 50_000;

export class MetadataTable {
  readonly #families = new Map<string, Metadata>();

  /** Whether that was news. */
  set(family: string, metadata: Metadata): boolean {
    const known = this.#families.get(family);
    if (known && known.type === metadata.type && known.help === metadata.help && known.unit === metadata.unit)
      return false;
    this.#families.delete(family);
    this.#families.set(family, { type: metadata.type, help: metadata.help, unit: metadata.unit });
    if (this.#families.size > MAX_FAMILIES) {
      for (const oldest of this.#families.keys()) {
        this.#families.delete(oldest);
        break;
      }
    }
    return true;
  }

  get(family: string): Metadata | undefined {
    return this.#families.get(family);
  }

  entries(): Iterable<[string, Metadata]> {
    return this.#families;
  }
}
