// Start timestamps of OpenMetrics pages: `_created` series are taken off the page and become the start of the series they
// speak of. A first pass finds them, since they stand behind what they belong to.

import type { MetricType } from '#model/batch.ts';
import { keepLabels, type Labels, labelsKey, labelValue, METRIC_NAME } from '#model/labels.ts';
import type { EntryKind, EntryReader, PageExemplar } from './entries.ts';
import { TextReader } from './text.ts';

const SUFFIX = '_created';
const PARTS = /_(?:total|bucket|count|sum|created)$/;

export class CreatedReader implements EntryReader {
  readonly #inner = new TextReader('openmetrics');
  readonly #starts = new Map<string, number>();
  #start = 0;

  constructor(page: Uint8Array) {
    this.#inner.reset(page);
    for (let kind = this.#inner.next(); kind !== 'end'; kind = this.#inner.next()) {
      if (kind === 'series' && this.#isCreated()) {
        this.#starts.set(this.#owner(this.#inner.labels()), Math.trunc(this.#inner.value * 1000));
      }
    }
    this.#inner.reset(page);
  }

  get value(): number {
    return this.#inner.value;
  }
  get timestamp(): number {
    return this.#inner.timestamp;
  }
  get start(): number {
    return this.#start;
  }
  get histogram(): undefined {
    return undefined;
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
  key(): string {
    return this.#inner.key();
  }
  labels(): Labels {
    return this.#inner.labels();
  }
  get emptyNames(): readonly string[] {
    return this.#inner.emptyNames;
  }
  exemplars(): readonly PageExemplar[] {
    return this.#inner.exemplars();
  }

  next(): EntryKind {
    for (;;) {
      const kind = this.#inner.next();
      if (kind !== 'series') return kind;
      if (this.#isCreated()) continue;
      const hasStart = this.#starts.size > 0 && this.#canHaveStart();
      this.#start = hasStart ? (this.#starts.get(this.#owner(this.#inner.labels())) ?? 0) : 0;
      return kind;
    }
  }

  #canHaveStart(): boolean {
    const { familyType } = this.#inner;
    return familyType === 'counter' || familyType === 'summary' || familyType === 'histogram';
  }

  #isCreated(): boolean {
    return this.#canHaveStart() && labelValue(this.#inner.labels(), METRIC_NAME).endsWith(SUFFIX);
  }

  /** The metric that a series is part of: name without suffix, labels without bounds. */
  #owner(labels: Labels): string {
    const name = labelValue(labels, METRIC_NAME).replace(PARTS, '');
    return `${name}\xfe${labelsKey(keepLabels(labels, (l) => l !== METRIC_NAME && l !== 'le' && l !== 'quantile'))}`;
  }
}
