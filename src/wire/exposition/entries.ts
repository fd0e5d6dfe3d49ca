// The contract of exposition parsers: a page is a sequence of entries. Scraping reads text through the kernel and only what
// the kernel has not seen before through these; protobuf and histogram conversion always come this way.

import type { MetricType } from '#model/batch.ts';
import type { Histogram } from '#model/histogram.ts';
import type { Labels } from '#model/labels.ts';

/** The page is wrong; the message is what the targets page shows. */
export class ExpositionError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ExpositionError';
  }
}

export type EntryKind = 'series' | 'histogram' | 'type' | 'help' | 'unit' | 'comment' | 'end';

export const NO_NAMES: readonly string[] = [];

/** An exemplar's timestamp is NaN where the page gives none. */
export type PageExemplar = { readonly labels: Labels; readonly value: number; readonly timestamp: number };

export interface EntryReader {
  /** Moves to the next entry; 'end' after the last. Throws an ExpositionError. */
  next(): EntryKind;
  /** What identifies this series within the target: equal keys have equal labels. */
  key(): string;
  /** With the metric name; sorted. Throws when a name comes twice. */
  labels(): Labels;
  /** Names that the series last asked for by `labels` has with an empty value: no labels, but honor_labels heeds them. */
  readonly emptyNames: readonly string[];
  readonly value: number;
  /** Milliseconds; NaN where the page gives none. */
  readonly timestamp: number;
  /** Start timestamp in milliseconds; 0 where unknown. */
  readonly start: number;
  readonly histogram: Histogram | undefined;
  exemplars(): readonly PageExemplar[];
  /** The family that 'type', 'help' and 'unit' speak of. */
  readonly familyName: string;
  readonly familyType: MetricType;
  /** Help or unit. */
  readonly familyText: string;
}
