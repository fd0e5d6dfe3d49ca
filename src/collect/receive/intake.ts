// Gathers what one request brings into a batch of columns, hands it to the store and reports what was refused. All receivers
// that work on labels as strings end here; series the store has forgotten meanwhile are sent again with their labels.

import {
  type Appender,
  type Exemplar,
  type Metadata,
  newSeries,
  type Rejection,
  type RejectReason,
  type SampleBatch,
} from '#model/batch.ts';
import type { Histogram } from '#model/histogram.ts';
import type { Labels } from '#model/labels.ts';
import type { KnownSeries, KnownSeriesTable } from './known-series.ts';
import { formatPairs } from './labels.ts';

export type Refusal = { readonly reason: RejectReason; readonly labels: Labels; readonly detail: string };

export type Outcome = {
  readonly samples: number;
  readonly histograms: number;
  readonly exemplars: number;
  readonly refusals: readonly Refusal[];
};

/** Samples further ahead of the clock are refused, by whatever way they come: they would make all others late. */
export const MAX_AHEAD_MS = 600_000;

const INITIAL_ROWS = 256;

export class Intake {
  readonly #known: KnownSeriesTable;
  #rows = 0;
  #series: KnownSeries[] = [];
  #refs = new Float64Array(INITIAL_ROWS);
  #timestamps = new Float64Array(INITIAL_ROWS);
  #values = new Float64Array(INITIAL_ROWS);
  #words = new Uint32Array(this.#values.buffer);
  #starts: Float64Array | undefined;
  #new: KnownSeries[] = [];
  #newIndex = new Map<KnownSeries, number>();
  #histograms: { series: KnownSeries; timestamp: number; start: number; value: Histogram }[] = [];
  #exemplars: { series: KnownSeries; exemplar: Exemplar }[] = [];
  #metadata = new Map<string, Metadata>();

  constructor(known: KnownSeriesTable) {
    this.#known = known;
  }

  /** How many points wait; receivers that stream flush by it. */
  get length(): number {
    return this.#rows + this.#histograms.length + this.#exemplars.length;
  }

  series(labels: Labels): KnownSeries {
    return this.#known.of(labels);
  }

  sample(series: KnownSeries, timestamp: number, value: number, start = 0): void {
    const row = this.#row(series, timestamp, start);
    this.#values[row] = value;
  }

  /** A sample by the halves of its value, which keeps the bits of a stale marker. */
  sampleWords(series: KnownSeries, timestamp: number, low: number, high: number, start = 0): void {
    const row = this.#row(series, timestamp, start);
    this.#words[row * 2] = low;
    this.#words[row * 2 + 1] = high;
  }

  histogram(series: KnownSeries, timestamp: number, value: Histogram, start = 0): void {
    this.#histograms.push({ series, timestamp, start, value });
  }

  exemplar(series: KnownSeries, exemplar: Exemplar): void {
    this.#exemplars.push({ series, exemplar });
  }

  metadata(family: string, metadata: Metadata): void {
    this.#metadata.set(family, metadata);
  }

  async send(appender: Appender): Promise<Outcome> {
    const result = await appender.append(this.#batch());
    this.#learn(result.refs);
    let rejections = result.rejections;
    if (rejections.some((r) => r.reason === 'unknownRef')) {
      rejections = await this.#sendAgain(appender, rejections);
    }
    const refused = { sample: 0, histogram: 0, exemplar: 0 };
    for (const rejection of rejections) refused[rejection.kind]++;
    return {
      samples: this.#rows - refused.sample,
      histograms: this.#histograms.length - refused.histogram,
      exemplars: this.#exemplars.length - refused.exemplar,
      refusals: rejections.map((r) => ({ reason: r.reason, labels: this.#labelsOf(r), detail: r.detail })),
    };
  }

  #row(series: KnownSeries, timestamp: number, start: number): number {
    if (this.#rows === this.#timestamps.length) this.#grow();
    const row = this.#rows++;
    this.#series.push(series);
    this.#timestamps[row] = timestamp;
    if (start !== 0) {
      this.#starts ??= new Float64Array(this.#timestamps.length);
      this.#starts[row] = start;
    }
    return row;
  }

  #grow(): void {
    const size = this.#timestamps.length * 2;
    const grown = (old: Float64Array) => {
      const next = new Float64Array(size);
      next.set(old);
      return next;
    };
    this.#refs = new Float64Array(size);
    this.#timestamps = grown(this.#timestamps);
    this.#values = grown(this.#values);
    this.#words = new Uint32Array(this.#values.buffer);
    if (this.#starts) this.#starts = grown(this.#starts);
  }

  #refOf(series: KnownSeries): number {
    if (!Number.isNaN(series.ref)) return series.ref;
    let index = this.#newIndex.get(series);
    if (index === undefined) {
      index = this.#new.length;
      this.#newIndex.set(series, index);
      this.#new.push(series);
    }
    return newSeries(index);
  }

  /** Copies: a batch may be given away to another thread. */
  #batch(): SampleBatch {
    const rows = this.#rows;
    this.#new = [];
    this.#newIndex = new Map();
    for (let i = 0; i < rows; i++) this.#refs[i] = this.#refOf(this.#series[i]!);
    const histograms = this.#histograms.map(({ series: s, timestamp, start, value }) => ({
      ref: this.#refOf(s),
      timestamp,
      ...(start !== 0 ? { start } : {}),
      value,
    }));
    const exemplars = this.#exemplars.map(({ series: s, exemplar }) => ({ ref: this.#refOf(s), exemplar }));
    return {
      refs: this.#refs.slice(0, rows),
      timestamps: this.#timestamps.slice(0, rows),
      values: this.#values.slice(0, rows),
      ...(this.#starts ? { starts: this.#starts.slice(0, rows) } : {}),
      series: this.#new.map((s) => s.labels),
      ...(histograms.length > 0 ? { histograms } : {}),
      ...(exemplars.length > 0 ? { exemplars } : {}),
      ...(this.#metadata.size > 0
        ? { metadata: [...this.#metadata].map(([family, metadata]) => ({ family, metadata })) }
        : {}),
    };
  }

  #learn(refs: Float64Array): void {
    this.#new.forEach((series, i) => {
      series.ref = refs[i]!;
    });
  }

  /** Rows whose series the store no longer had go once more, with labels. The result is in terms of the first batch. */
  async #sendAgain(appender: Appender, rejections: readonly Rejection[]): Promise<readonly Rejection[]> {
    const again = rejections.filter((r) => r.reason === 'unknownRef');
    const kept = rejections.filter((r) => r.reason !== 'unknownRef');
    for (const rejection of again) this.#seriesOf(rejection).ref = Number.NaN;
    this.#new = [];
    this.#newIndex = new Map();
    const rows = again.filter((r) => r.kind === 'sample');
    const histograms = again.filter((r) => r.kind === 'histogram');
    const exemplars = again.filter((r) => r.kind === 'exemplar');
    const source = this.#words;
    const values = new Float64Array(rows.length);
    const target = new Uint32Array(values.buffer);
    rows.forEach((r, i) => {
      target[i * 2] = source[r.index * 2]!;
      target[i * 2 + 1] = source[r.index * 2 + 1]!;
    });
    const refs = Float64Array.from(rows, (r) => this.#refOf(this.#series[r.index]!));
    const batch: SampleBatch = {
      refs,
      timestamps: Float64Array.from(rows, (r) => this.#timestamps[r.index]!),
      values,
      ...(this.#starts ? { starts: Float64Array.from(rows, (r) => this.#starts![r.index]!) } : {}),
      histograms: histograms.map((r) => {
        const { series, timestamp, start, value } = this.#histograms[r.index]!;
        return { ref: this.#refOf(series), timestamp, ...(start !== 0 ? { start } : {}), value };
      }),
      exemplars: exemplars.map((r) => {
        const { series, exemplar } = this.#exemplars[r.index]!;
        return { ref: this.#refOf(series), exemplar };
      }),
      series: this.#new.map((s) => s.labels),
    };
    const result = await appender.append(batch);
    this.#learn(result.refs);
    const origin = { sample: rows, histogram: histograms, exemplar: exemplars };
    return [...kept, ...result.rejections.map((r) => ({ ...r, index: origin[r.kind][r.index]!.index }))];
  }

  #seriesOf({ kind, index }: Rejection): KnownSeries {
    if (kind === 'sample') return this.#series[index]!;
    return kind === 'histogram' ? this.#histograms[index]!.series : this.#exemplars[index]!.series;
  }

  #labelsOf(rejection: Rejection): Labels {
    return this.#seriesOf(rejection).labels;
  }
}

/** Prometheus' words for each reason. */
const REASON_TEXT: Readonly<Record<RejectReason, string>> = {
  outOfOrder: 'out of order sample',
  outOfBounds: 'out of bounds',
  tooOld: 'too old sample',
  tooFarInFuture: 'out of bounds: timestamp is too far in the future',
  duplicate: 'duplicate sample for timestamp',
  unknownRef: 'series was dropped while the sample was on its way',
  invalidLabels: 'invalid labels',
  invalidHistogram: 'invalid histogram',
  exemplarOutOfOrder: 'out of order exemplar',
  seriesLimit: 'series limit reached',
  readOnly: 'storage is read-only',
};

export function refusalText({ reason, labels, detail }: Refusal): string {
  const text = REASON_TEXT[reason];
  const shown = detail === '' || detail === text ? text : detail.startsWith(text) ? detail : `${text}: ${detail}`;
  return `${shown} for series ${formatPairs(labels)}`;
}

const MAX_LINES = 20;

/** The body of an answer that reports refusals: a line each, the first ones only. */
export function refusalsText(lines: readonly string[]): string {
  const shown = lines.slice(0, MAX_LINES).join('\n');
  return lines.length > MAX_LINES ? `${shown}\n... and ${lines.length - MAX_LINES} more\n` : `${shown}\n`;
}
