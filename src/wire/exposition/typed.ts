// Feature type-and-unit-labels: what a page says of a family becomes labels of its series, __type__ and __unit__. Labels of
// these names that a page gives itself are replaced by what it says of the family, or removed.

import type { MetricType } from '#model/batch.ts';
import type { Histogram } from '#model/histogram.ts';
import { keepLabels, type Labels, labelValue, METRIC_NAME, withLabel } from '#model/labels.ts';
import type { EntryKind, EntryReader, PageExemplar } from './entries.ts';

const TYPE_LABEL = '__type__';
const UNIT_LABEL = '__unit__';
const SUFFIXES = /^_(?:total|bucket|count|sum|created|info|gcount|gsum)$/;

export class TypedReader implements EntryReader {
  readonly #inner: EntryReader;
  #family = '';
  #type: MetricType = 'unknown';
  #unit = '';

  constructor(inner: EntryReader) {
    this.#inner = inner;
  }

  next(): EntryKind {
    const kind = this.#inner.next();
    if (kind === 'type') {
      this.#about(this.#inner.familyName);
      this.#type = this.#inner.familyType;
    } else if (kind === 'unit') {
      this.#about(this.#inner.familyName);
      this.#unit = this.#inner.familyText;
    }
    return kind;
  }

  labels(): Labels {
    const labels = keepLabels(this.#inner.labels(), (name) => name !== TYPE_LABEL && name !== UNIT_LABEL);
    const name = labelValue(labels, METRIC_NAME);
    if (!name.startsWith(this.#family)) return labels;
    const rest = name.slice(this.#family.length);
    if (rest !== '' && !SUFFIXES.test(rest)) return labels;
    const typed = this.#type === 'unknown' ? labels : withLabel(labels, TYPE_LABEL, this.#type);
    return this.#unit === '' ? typed : withLabel(typed, UNIT_LABEL, this.#unit);
  }

  #about(family: string): void {
    if (family === this.#family) return;
    this.#family = family;
    this.#type = 'unknown';
    this.#unit = '';
  }

  key(): string {
    return this.#inner.key();
  }
  get emptyNames(): readonly string[] {
    return this.#inner.emptyNames;
  }
  get value(): number {
    return this.#inner.value;
  }
  get timestamp(): number {
    return this.#inner.timestamp;
  }
  get start(): number {
    return this.#inner.start;
  }
  get histogram(): Histogram | undefined {
    return this.#inner.histogram;
  }
  exemplars(): readonly PageExemplar[] {
    return this.#inner.exemplars();
  }
  get familyName(): string {
    return this.#inner.familyName;
  }
  get familyType(): MetricType {
    return this.#inner.familyType;
  }
  get familyText(): string {
    return this.#inner.familyText;
  }
}
