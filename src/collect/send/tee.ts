// Stands before a shard's store when something is to be sent on: what the store takes goes to every outlet's disk queue
// before it is acknowledged. The tee learns series as the store does; a series that it does not know, because the store
// met it before the tee was there, it asks for with `unknownRef`.

import {
  type Appender,
  type AppendResult,
  type Rejection,
  type SampleBatch,
  type SeriesRef,
  slotOfRef,
  withLabelSets,
} from '#model/batch.ts';
import type { Outlet, TeeSeries } from './outlet.ts';

/** Series that brought nothing during a whole generation are forgotten; they are asked for when they come back. */
const APPENDS_PER_GENERATION = 100_000;

export class Tee implements Appender {
  readonly #store: Appender;
  #outlets: readonly Outlet[] = [];
  #series: (TeeSeries | undefined)[] = [];
  #used = new Set<number>();
  #appends = 0;
  /** Points that came in while there was an outlet. */
  readonly taken = { samples: 0, histograms: 0, exemplars: 0 };

  constructor(store: Appender) {
    this.#store = store;
  }

  /** Replaces the outlets; all views that series have of them start anew. */
  setOutlets(outlets: readonly Outlet[]): void {
    this.#outlets = outlets;
    this.#series = [];
    this.#used = new Set();
  }

  get readsAtOnce(): boolean {
    return this.#outlets.length === 0 && this.#store.readsAtOnce === true;
  }

  async append(taken: SampleBatch): Promise<AppendResult> {
    if (this.#outlets.length === 0) return this.#store.append(taken);
    const batch = withLabelSets(taken);
    const unknown = this.#unknownRows(batch);
    const known = unknown.length > 0 ? withoutRows(batch, unknown) : undefined;
    const kept = known?.batch ?? batch;
    const outlets = this.#outlets;
    const result = await this.#store.append(kept);
    this.#learn(kept, result);
    if (outlets === this.#outlets) this.#send(kept, result);
    return known ? { ...result, rejections: [...known.mapBack(result.rejections), ...unknown] } : result;
  }

  #find(ref: SeriesRef): TeeSeries | undefined {
    const series = this.#series[slotOfRef(ref)];
    return series?.ref === ref ? series : undefined;
  }

  #unknownRows(batch: SampleBatch): Rejection[] {
    const unknown: Rejection[] = [];
    const look = (kind: Rejection['kind'], index: number, ref: SeriesRef) => {
      if (ref >= 0 && !this.#find(ref)) unknown.push({ kind, index, reason: 'unknownRef', detail: '' });
    };
    const { refs } = batch;
    for (let i = 0; i < refs.length; i++) look('sample', i, refs[i]!);
    batch.histograms?.forEach(({ ref }, i) => {
      look('histogram', i, ref);
    });
    batch.exemplars?.forEach(({ ref }, i) => {
      look('exemplar', i, ref);
    });
    return unknown;
  }

  #learn(batch: SampleBatch, result: AppendResult): void {
    batch.series.forEach((labels, i) => {
      const ref = result.refs[i]!;
      if (Number.isNaN(ref) || this.#find(ref)) return;
      this.#series[slotOfRef(ref)] = { ref, labels, outlets: [] };
    });
  }

  #send(batch: SampleBatch, result: AppendResult): void {
    const refOf = (ref: SeriesRef) => (ref < 0 ? result.refs[-ref - 1]! : ref);
    const seriesOf = (ref: SeriesRef) => this.#find(refOf(ref));
    const samples: (TeeSeries | undefined)[] = new Array(batch.refs.length);
    for (let i = 0; i < samples.length; i++) samples[i] = seriesOf(batch.refs[i]!);
    const histograms = (batch.histograms ?? []).map(({ ref }) => seriesOf(ref));
    const exemplars = (batch.exemplars ?? []).map(({ ref }) => seriesOf(ref));
    const columns = { sample: samples, histogram: histograms, exemplar: exemplars };
    for (const { kind, index } of result.rejections) columns[kind][index] = undefined;
    this.taken.samples += samples.length;
    this.taken.histograms += histograms.length;
    this.taken.exemplars += exemplars.length;
    this.#age(samples, histograms);
    this.#outlets.forEach((outlet, index) => {
      outlet.append(index, batch, samples, histograms, exemplars);
    });
  }

  #age(samples: readonly (TeeSeries | undefined)[], histograms: readonly (TeeSeries | undefined)[]): void {
    // Every 16th append marks what it uses: enough to tell series that live from those that ended.
    if (this.#appends++ % 16 === 0) {
      for (const series of samples) if (series) this.#used.add(slotOfRef(series.ref));
      for (const series of histograms) if (series) this.#used.add(slotOfRef(series.ref));
    }
    if (this.#appends < APPENDS_PER_GENERATION) return;
    this.#appends = 0;
    for (let slot = 0; slot < this.#series.length; slot++) if (!this.#used.has(slot)) this.#series[slot] = undefined;
    this.#used = new Set();
  }
}

/** The batch without rejected rows, and how rejections of the rest read in terms of the whole. */
export function withoutRows(
  batch: SampleBatch,
  rejected: readonly Rejection[],
): { readonly batch: SampleBatch; readonly mapBack: (rejections: readonly Rejection[]) => Rejection[] } {
  const gone = { sample: new Set<number>(), histogram: new Set<number>(), exemplar: new Set<number>() };
  for (const { kind, index } of rejected) gone[kind].add(index);
  const keep = (kind: Rejection['kind'], length: number) =>
    Array.from({ length }, (_, i) => i).filter((i) => !gone[kind].has(i));
  const rows = keep('sample', batch.refs.length);
  const histograms = keep('histogram', batch.histograms?.length ?? 0);
  const exemplars = keep('exemplar', batch.exemplars?.length ?? 0);
  const source = new Uint32Array(batch.values.buffer, batch.values.byteOffset, batch.values.length * 2);
  const values = new Float64Array(rows.length);
  const words = new Uint32Array(values.buffer);
  rows.forEach((row, i) => {
    words[i * 2] = source[row * 2]!;
    words[i * 2 + 1] = source[row * 2 + 1]!;
  });
  const { starts } = batch;
  const kept: SampleBatch = {
    ...batch,
    refs: Float64Array.from(rows, (i) => batch.refs[i]!),
    timestamps: Float64Array.from(rows, (i) => batch.timestamps[i]!),
    values,
    ...(starts ? { starts: Float64Array.from(rows, (i) => starts[i]!) } : {}),
    ...(batch.histograms ? { histograms: histograms.map((i) => batch.histograms![i]!) } : {}),
    ...(batch.exemplars ? { exemplars: exemplars.map((i) => batch.exemplars![i]!) } : {}),
  };
  const origin = { sample: rows, histogram: histograms, exemplar: exemplars };
  return { batch: kept, mapBack: (list) => list.map((r) => ({ ...r, index: origin[r.kind][r.index]! })) };
}
