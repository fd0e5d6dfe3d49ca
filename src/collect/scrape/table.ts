// What a target remembers of the series on its page: text of the series -> number in the store, and which of them were
// there in the last scrape, so that those that are gone get a stale marker. This table takes any entry reader; the one for
// text formats in kernel memory (lines.ts) keeps to the same contract and is tested against it.

import type { SeriesRef } from '#model/batch.ts';
import type { Labels } from '#model/labels.ts';
import type { EntryReader } from '#wire/exposition/entries.ts';
import type { FamilyNotes } from './families.ts';
import type { Rows } from './rows.ts';

export type ReadOptions = {
  readonly timestamp: number;
  readonly honorTimestamps: boolean;
  readonly trackTimestampsStaleness: boolean;
  /** Samples beyond are out of bounds. */
  readonly maxTimestamp: number;
  /** Exposed labels to stored labels; undefined drops the series. Throws to fail the whole scrape. */
  /** `emptyNames`: what the page has with an empty value. */
  readonly admit: (labels: Labels, emptyNames?: readonly string[]) => Labels | undefined;
  /** Set when `admit` does nothing but join these to labels that have other names. */
  readonly plainLabels?: Labels;
};

export type ReadCounts = {
  /** Samples on the page. */
  scraped: number;
  /** Left after relabeling. */
  added: number;
  seriesAdded: number;
  duplicates: number;
  outOfBounds: number;
};

export const noCounts = (): ReadCounts => ({ scraped: 0, added: 0, seriesAdded: 0, duplicates: 0, outOfBounds: 0 });

/** The contract of both tables. */
export interface SeriesMemory {
  /** Numbers given by the store to the new series of the last read. NaN: refused. */
  settle(refs: Float64Array): void;
  /** The last read failed: series first seen in it are forgotten. */
  abort(): void;
  /** How many series of the scrape before are missing from the last read. */
  missing(): number;
  /** Adds stale markers for the missing and forgets them. */
  markMissing(rows: Rows, timestamp: number): void;
  /** Adds stale markers for everything, because the scrape failed or the target is gone; keeps what is known. */
  markAll(rows: Rows, timestamp: number): void;
  /** The store does not know these numbers any more. */
  forget(refs: ReadonlySet<SeriesRef>): void;
  /** Numbers of the series that are present now; for a table that takes this one's place. */
  liveRefs(): Set<SeriesRef>;
}

type Slot = { ref: SeriesRef; seen: number; live: boolean; readonly dropped: boolean };

export class SeriesTable implements SeriesMemory {
  readonly #slots = new Map<string, Slot>();
  #fresh: { readonly key: string; readonly slot: Slot }[] = [];
  /** Live series of the scrape before that the last page does not have. */
  readonly #gone = new Set<SeriesRef>();
  #iteration = 0;

  get size(): number {
    return this.#slots.size;
  }

  read(reader: EntryReader, rows: Rows, families: FamilyNotes, options: ReadOptions): ReadCounts {
    const counts = noCounts();
    this.#iteration++;
    this.#fresh = [];
    for (;;) {
      const kind = reader.next();
      switch (kind) {
        case 'end':
          this.#dropUnseen();
          return counts;
        case 'comment':
          continue;
        case 'type':
          families.type(reader.familyName, reader.familyType);
          continue;
        case 'help':
          families.help(reader.familyName, reader.familyText);
          continue;
        case 'unit':
          families.unit(reader.familyName, reader.familyText);
          continue;
        default:
          counts.scraped++;
          this.#sample(kind, reader, rows, options, counts);
      }
    }
  }

  settle(refs: Float64Array): void {
    for (const { key, slot } of this.#fresh) {
      const ref = refs[-slot.ref - 1]!;
      if (Number.isNaN(ref)) this.#slots.delete(key);
      else slot.ref = ref;
    }
    this.#fresh = [];
  }

  abort(): void {
    for (const { key } of this.#fresh) this.#slots.delete(key);
    this.#fresh = [];
  }

  missing(): number {
    return this.#gone.size;
  }

  markMissing(rows: Rows, timestamp: number): void {
    if (this.#gone.size === 0) return;
    // One series may be written in several ways: it is missing only if none of them is there.
    for (const ref of this.#live()) this.#gone.delete(ref);
    for (const ref of this.#gone) rows.pushStale(ref, timestamp);
    this.#gone.clear();
  }

  markAll(rows: Rows, timestamp: number): void {
    for (const ref of this.liveRefs()) rows.pushStale(ref, timestamp);
    for (const slot of this.#slots.values()) slot.live = false;
    this.#gone.clear();
  }

  forget(refs: ReadonlySet<SeriesRef>): void {
    for (const [key, slot] of this.#slots) if (!slot.dropped && refs.has(slot.ref)) this.#slots.delete(key);
    for (const ref of refs) this.#gone.delete(ref);
  }

  liveRefs(): Set<SeriesRef> {
    return new Set([...this.#gone, ...this.#live()]);
  }

  *#live(): Iterable<SeriesRef> {
    for (const slot of this.#slots.values()) if (slot.live) yield slot.ref;
  }

  /** Forgets what the page that was read to its end does not have. */
  #dropUnseen(): void {
    this.#gone.clear();
    for (const [key, slot] of this.#slots) {
      if (slot.seen === this.#iteration) continue;
      if (slot.live) this.#gone.add(slot.ref);
      this.#slots.delete(key);
    }
  }

  #sample(
    kind: 'series' | 'histogram',
    reader: EntryReader,
    rows: Rows,
    options: ReadOptions,
    counts: ReadCounts,
  ): void {
    const key = reader.key();
    let slot = this.#slots.get(key);
    if (slot?.dropped) {
      slot.seen = this.#iteration;
      return;
    }
    if (!slot) {
      const exposed = reader.labels();
      const labels = options.admit(exposed, reader.emptyNames);
      slot = {
        ref: labels ? rows.addSeries(labels) : 0,
        seen: labels ? -1 : this.#iteration,
        live: false,
        dropped: labels === undefined,
      };
      this.#slots.set(key, slot);
      if (!labels) return;
      this.#fresh.push({ key, slot });
      counts.seriesAdded++;
    }
    counts.added++;
    const isOwn = options.honorTimestamps && !Number.isNaN(reader.timestamp);
    const timestamp = isOwn ? reader.timestamp : options.timestamp;
    if (slot.seen === this.#iteration && !isOwn) {
      counts.duplicates++;
      return;
    }
    slot.seen = this.#iteration;
    slot.live = !isOwn || options.trackTimestampsStaleness;
    if (timestamp > options.maxTimestamp) {
      counts.outOfBounds++;
      return;
    }
    if (kind === 'series') rows.push(slot.ref, timestamp, reader.value, reader.start);
    else {
      const start = reader.start === 0 ? {} : { start: reader.start };
      rows.histograms.push({ ref: slot.ref, timestamp, ...start, value: reader.histogram! });
    }
    for (const exemplar of reader.exemplars()) {
      const hasTime = !Number.isNaN(exemplar.timestamp);
      // A native histogram's exemplars are of use only with their own time.
      if (!hasTime && kind === 'histogram') continue;
      rows.exemplars.push({
        ref: slot.ref,
        exemplar: {
          labels: exemplar.labels,
          value: exemplar.value,
          timestamp: hasTime ? exemplar.timestamp : timestamp,
        },
      });
    }
  }
}
