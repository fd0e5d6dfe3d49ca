// Reads a page in whatever format it comes, into rows, with the memory that fits the format. When a target changes its
// format, or its job the way labels are made, the series known before end unless they are written again.

import type { Metadata, SeriesRef } from '#model/batch.ts';
import { formatOfBody } from '#wire/exposition/formats.ts';
import type { Page } from './fetch.ts';
import { type LineScratch, LineTable } from './lines.ts';
import type { Rows } from './rows.ts';
import type { JobSpec } from './spec.ts';
import type { ReadCounts, ReadOptions } from './table.ts';

/** `families` is undefined when they are as before. */
export type PageResult = { readonly counts: ReadCounts; readonly families: Map<string, Metadata> | undefined };

export class PageReader {
  readonly #lines: LineTable;
  #orphans = new Set<SeriesRef>();

  constructor(scratch: LineScratch) {
    this.#lines = new LineTable(scratch);
  }

  read(page: Page, job: JobSpec, rows: Rows, options: ReadOptions): PageResult {
    const format = formatOfBody(page.contentType, job.fallbackProtocol);
    if (format === 'protobuf') throw new Error('received unsupported Content-Type "application/vnd.google.protobuf"');
    const { counts, families } = this.#lines.read(page.body, format, rows, options);
    return { counts, families: families?.families };
  }

  /** What was known is not valid any more; series that are live end unless the next page has them. */
  replace(): void {
    for (const ref of this.#lines.liveRefs()) this.#orphans.add(ref);
    this.#lines.clear();
  }

  /** Gives the memory back. */
  clear(): void {
    this.#lines.clear();
    this.#orphans.clear();
  }

  settle(refs: Float64Array): void {
    this.#lines.settle(refs);
  }

  abort(): void {
    this.#lines.abort();
  }

  /** Series of the scrape before that the last page does not have. */
  missing(): number {
    return this.#lines.missing() + this.#orphans.size;
  }

  markMissing(rows: Rows, timestamp: number): void {
    this.#lines.markMissing(rows, timestamp);
    if (this.#orphans.size === 0) return;
    const present = this.#lines.liveRefs();
    for (const ref of this.#orphans) if (!present.has(ref)) rows.pushStale(ref, timestamp);
    this.#orphans.clear();
  }

  markAll(rows: Rows, timestamp: number): void {
    this.#lines.markAll(rows, timestamp);
    for (const ref of this.#orphans) rows.pushStale(ref, timestamp);
    this.#orphans.clear();
  }

  forget(refs: ReadonlySet<SeriesRef>): void {
    this.#lines.forget(refs);
    for (const ref of refs) this.#orphans.delete(ref);
  }
}
