// Reads a page in whatever format it comes, into rows, with the memory that fits the way it is read: text through the kernel,
// protobuf and what is converted through entry readers. When a target changes its format, or its job the way labels are made,
// the series known before end unless they are written again.

import type { Metadata, SeriesRef } from '#model/batch.ts';
import { CreatedReader } from '#wire/exposition/created.ts';
import type { EntryReader } from '#wire/exposition/entries.ts';
import { type Format, formatOfBody } from '#wire/exposition/formats.ts';
import { NhcbReader } from '#wire/exposition/nhcb.ts';
import { ProtobufReader } from '#wire/exposition/protobuf-read.ts';
import { TextReader, withLastLinebreak } from '#wire/exposition/text.ts';
import { TypedReader } from '#wire/exposition/typed.ts';
import { FamilyNotes } from './families.ts';
import type { Page } from './fetch.ts';
import { limitHistogram } from './histograms.ts';
import { type LineScratch, LineTable } from './lines.ts';
import type { Rows } from './rows.ts';
import type { JobSpec, TargetSpec } from './spec.ts';
import { type ReadCounts, type ReadOptions, type SeriesMemory, SeriesTable } from './table.ts';

/** `families` is undefined when they are as before. */
export type PageResult = { readonly counts: ReadCounts; readonly families: Map<string, Metadata> | undefined };

export class PageReader {
  readonly #scratch: LineScratch;
  #lines: LineTable | undefined;
  #entries: SeriesTable | undefined;
  #orphans = new Set<SeriesRef>();

  constructor(scratch: LineScratch) {
    this.#scratch = scratch;
  }

  read(page: Page, job: JobSpec, target: TargetSpec, rows: Rows, options: ReadOptions): PageResult {
    const format = formatOfBody(page.contentType, job.fallbackProtocol);
    const plain = entryReader(page.body, format, job, target);
    const reader = plain && job.typeAndUnitLabels ? new TypedReader(plain) : plain;
    if (!reader && format !== 'protobuf') {
      if (this.#entries) this.replace();
      this.#lines ??= new LineTable(this.#scratch);
      const { counts, families } = this.#lines.read(page.body, format, rows, options);
      return { counts, families: families?.families };
    }
    if (this.#lines) this.replace();
    this.#entries ??= new SeriesTable();
    const notes = new FamilyNotes();
    const from = rows.mark();
    const counts = this.#entries.read(reader!, rows, notes, options);
    for (const row of rows.histograms.slice(from.histogram)) row.value = limitHistogram(row.value, job.limits);
    if (!job.startTimestamps) rows.dropStarts(from);
    return { counts, families: notes.families };
  }

  /** What was known is not valid any more; series that are live end unless the next page has them. */
  replace(): void {
    for (const ref of this.#memory()?.liveRefs() ?? []) this.#orphans.add(ref);
    this.#lines?.clear();
    this.#lines = undefined;
    this.#entries = undefined;
  }

  /** Gives the memory back. */
  clear(): void {
    this.replace();
    this.#orphans.clear();
  }

  settle(refs: Float64Array): void {
    this.#memory()?.settle(refs);
  }

  abort(): void {
    this.#memory()?.abort();
  }

  /** Series of the scrape before that the last page does not have. */
  missing(): number {
    return (this.#memory()?.missing() ?? 0) + this.#orphans.size;
  }

  markMissing(rows: Rows, timestamp: number): void {
    this.#memory()?.markMissing(rows, timestamp);
    if (this.#orphans.size === 0) return;
    const present = this.#memory()?.liveRefs();
    for (const ref of this.#orphans) if (!present?.has(ref)) rows.pushStale(ref, timestamp);
    this.#orphans.clear();
  }

  markAll(rows: Rows, timestamp: number): void {
    this.#memory()?.markAll(rows, timestamp);
    for (const ref of this.#orphans) rows.pushStale(ref, timestamp);
    this.#orphans.clear();
  }

  forget(refs: ReadonlySet<SeriesRef>): void {
    this.#memory()?.forget(refs);
    for (const ref of refs) this.#orphans.delete(ref);
  }

  #memory(): SeriesMemory | undefined {
    return this.#lines ?? this.#entries;
  }
}

/** Undefined when the page is text that the kernel reads. */
function entryReader(body: Uint8Array, format: Format, job: JobSpec, target: TargetSpec): EntryReader | undefined {
  if (format === 'protobuf') {
    return new ProtobufReader(body, {
      nativeHistograms: target.nativeHistograms,
      alwaysClassic: target.alwaysClassicHistograms,
      convertClassic: target.convertClassicHistograms,
    });
  }
  const withStarts = format === 'openmetrics' && job.startTimestamps;
  if (!withStarts && !target.convertClassicHistograms && !job.typeAndUnitLabels) return undefined;
  let reader: EntryReader;
  if (withStarts) reader = new CreatedReader(body);
  else {
    const text = new TextReader(format);
    text.reset(format === 'text' ? withLastLinebreak(body) : body);
    reader = text;
  }
  return target.convertClassicHistograms ? new NhcbReader(reader, target.alwaysClassicHistograms) : reader;
}
