// Reads a page in whatever format it comes, into rows, with the memory that fits the format. When a target changes its
// format, or its job the way labels are made, the series known before end unless they are written again.

import type { Metadata, SeriesRef } from '#model/batch.ts';
import { formatOfBody } from '#wire/exposition/formats.ts';
import { TextReader, withLastLinebreak } from '#wire/exposition/text.ts';
import { FamilyNotes } from './families.ts';
import type { Page } from './fetch.ts';
import type { Rows } from './rows.ts';
import type { JobSpec } from './spec.ts';
import { type ReadCounts, type ReadOptions, SeriesTable } from './table.ts';

export type PageResult = { readonly counts: ReadCounts; readonly families: Map<string, Metadata> };

export class PageReader {
  #table = new SeriesTable();
  #orphans = new Set<SeriesRef>();

  read(page: Page, job: JobSpec, rows: Rows, options: ReadOptions): PageResult {
    const format = formatOfBody(page.contentType, job.fallbackProtocol);
    const notes = new FamilyNotes();
    if (format === 'protobuf') throw new Error('received unsupported Content-Type "application/vnd.google.protobuf"');
    const reader = new TextReader(format);
    reader.reset(format === 'text' ? withLastLinebreak(page.body) : page.body);
    return { counts: this.#table.read(reader, rows, notes, options), families: notes.families };
  }

  /** What was known is not valid any more; series that are live end unless the next page has them. */
  replace(): void {
    for (const ref of this.#table.liveRefs()) this.#orphans.add(ref);
    this.#table = new SeriesTable();
  }

  settle(refs: Float64Array): void {
    this.#table.settle(refs);
  }

  abort(): void {
    this.#table.abort();
  }

  /** Series of the scrape before that the last page does not have. */
  missing(): number {
    return this.#table.missing() + this.#orphans.size;
  }

  markMissing(rows: Rows, timestamp: number): void {
    this.#table.markMissing(rows, timestamp);
    if (this.#orphans.size === 0) return;
    const present = this.#table.liveRefs();
    for (const ref of this.#orphans) if (!present.has(ref)) rows.pushStale(ref, timestamp);
    this.#orphans.clear();
  }

  markAll(rows: Rows, timestamp: number): void {
    this.#table.markAll(rows, timestamp);
    for (const ref of this.#orphans) rows.pushStale(ref, timestamp);
    this.#orphans.clear();
  }

  forget(refs: ReadonlySet<SeriesRef>): void {
    this.#table.forget(refs);
    for (const ref of refs) this.#orphans.delete(ref);
  }
}
