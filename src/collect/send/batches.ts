// From queued records to compressed requests: a window of records is dealt out to lanes, each lane becomes requests of at most
// so many points. Lanes send side by side, so all records of a window that share a series are in one lane: samples of a
// series arrive in their order. Records whose series came before in the same order fill templates.

import { crc32c } from '#base/crc32c.ts';
import type { Metadata } from '#model/batch.ts';
import { CUSTOM_BUCKETS_SCHEMA } from '#model/histogram.ts';
import { SymbolTable } from '#wire/remote/symbols.ts';
import { SnappyEncoder } from '#wire/snappy.ts';
import { type Batch, type BatchOptions, type ExemplarOf, type Maker, V1Maker, V2Maker } from './makers.ts';
import type { QueuedBatch, QueuedSeries, SeriesGroup } from './record.ts';
import { fitsTemplate, type TemplatePart, templateParts, templatePartsV2 } from './template.ts';

export type WriteVersion = 1 | 2;
export type { Batch, Counts } from './makers.ts';

export type Dropped = { tooOld: { samples: number; histograms: number; exemplars: number }; unsupported: number };

/** Records of one segment, and the series that it has named. */
export type Window = { readonly records: readonly QueuedBatch[]; readonly series: ReadonlyMap<number, QueuedSeries> };

export type WindowOptions = {
  readonly maxPoints: number;
  /** Points before this time are left out; 0: none. */
  readonly oldest: number;
  /** Metadata by family, for version 2.0; `metadataVersion` is another one when something of it has changed. */
  readonly metadata: ReadonlyMap<string, Metadata>;
  readonly metadataVersion: number;
};

type Template = {
  readonly idBytes: Uint8Array;
  readonly maxPoints: number;
  readonly metadataVersion: number;
  readonly oneTime: boolean;
  readonly parts: readonly TemplatePart[];
  readonly group: SeriesGroup;
};

/** What templates of a sender may take; beyond it records are encoded one by one. */
const TEMPLATE_BYTES = 64 * 2 ** 20;
const SEEN = 100_000;
/** What is kept of records to know their groups again. */
const SHAPE_BYTES = 4 * 2 ** 20;
/** So many records that bring series of different groups together: what comes in has no shape that could be used. */
const LOOSE_AFTER = 64;

export class BatchMaker {
  readonly #version: WriteVersion;
  readonly #symbols = new SymbolTable();
  readonly #snappy = new SnappyEncoder();
  readonly #makers: Maker[] = [];
  #table: ReadonlyMap<number, QueuedSeries> | undefined;
  #templates = new Map<number, Template>();
  #templateBytes = 0;
  #seen = new Set<number>();
  #shapes = new Map<number, { readonly idBytes: Uint8Array; readonly group: SeriesGroup }>();
  #shapeBytes = 0;
  #groups = 0;
  #joins = 0;

  constructor(version: WriteVersion) {
    this.#version = version;
  }

  /** Requests of each lane, in the order in which they have to be sent. */
  make(
    { records, series }: Window,
    lanes: number,
    options: WindowOptions,
  ): { readonly lanes: Batch[][]; readonly dropped: Dropped } {
    if (series !== this.#table) this.#begin(series);
    const makers = this.#makersFor(lanes, options);
    const dropped: Dropped = { tooOld: { samples: 0, histograms: 0, exemplars: 0 }, unsupported: 0 };
    const templates = records.map((record) => this.#templateOf(record, series, options));
    // Groups first: a later record may join those of earlier ones.
    const groups =
      lanes === 1 ? [] : records.map((record, i) => templates[i]?.group ?? this.#knownGroup(record, series));
    const byRecord = lanes > 1 && this.#joins < LOOSE_AFTER;
    records.forEach((record, i) => {
      const template = templates[i];
      const lane = byRecord ? makers[rootOf(groups[i]!).number % lanes]! : undefined;
      if (template && (lane || lanes === 1)) {
        const times = record.time === undefined ? record.columns().times : Float64Array.of(record.time);
        for (const part of template.parts) (lane ?? makers[0]!).part(part, record.valueBytes, times, template.oneTime);
      } else this.#each(record, series, lane ? [lane] : makers, options, dropped);
    });
    return { lanes: makers.map((maker) => maker.finish()), dropped };
  }

  #makersFor(lanes: number, options: WindowOptions): readonly Maker[] {
    const all: BatchOptions = { ...options, symbols: this.#symbols, snappy: this.#snappy };
    while (this.#makers.length < lanes) this.#makers.push(this.#version === 1 ? new V1Maker(all) : new V2Maker(all));
    const makers = this.#makers.slice(0, lanes);
    for (const maker of makers) maker.begin(all);
    return makers;
  }

  #begin(series: ReadonlyMap<number, QueuedSeries>): void {
    this.#table = series;
    this.#templates = new Map();
    this.#templateBytes = 0;
    this.#seen = new Set();
    this.#shapes = new Map();
    this.#shapeBytes = 0;
    this.#joins = 0;
    this.#symbols.clear();
  }

  /** The second time that the same series come in the same order it is worth while. */
  #templateOf(
    record: QueuedBatch,
    series: ReadonlyMap<number, QueuedSeries>,
    { oldest, maxPoints, metadata, metadataVersion: version }: WindowOptions,
  ): Template | undefined {
    const isPlain = record.rows > 0 && record.histograms.length === 0 && record.exemplars.length === 0;
    if (!isPlain || oldest > 0) return undefined;
    // Of version 2.0 a template is at least one request, and start times are a part of it.
    if (this.#version === 2 && (record.hasStarts || record.rows * 2 < maxPoints)) return undefined;
    const metadataVersion = this.#version === 2 ? version : 0;
    const times = record.time === undefined ? record.columns().times : undefined;
    if (times ? !times.every(fitsTemplate) : !fitsTemplate(record.time!)) return undefined;
    const oneTime = record.time !== undefined;
    const key = crc32c(record.idBytes) * 2 + (oneTime ? 1 : 0);
    let known = this.#templates.get(key);
    if (known && known.metadataVersion !== metadataVersion) {
      this.#templates.delete(key);
      this.#templateBytes -= bytesOf(known.parts);
      known = undefined;
    }
    if (known) return known.maxPoints === maxPoints && sameBytes(known.idBytes, record.idBytes) ? known : undefined;
    if (!this.#seen.has(key)) {
      if (this.#seen.size >= SEEN) this.#seen.clear();
      this.#seen.add(key);
      return undefined;
    }
    if (this.#templateBytes > TEMPLATE_BYTES) return undefined;
    const rows = Array.from(record.columns().ids, (id) => series.get(id));
    if (rows.includes(undefined)) return undefined;
    const named = rows as QueuedSeries[];
    const parts =
      this.#version === 1
        ? templateParts(named, maxPoints, oneTime)
        : templatePartsV2(named, maxPoints, oneTime, this.#symbols, metadata);
    this.#templateBytes += bytesOf(parts);
    const group = this.#groupOf(record, series);
    const made = { idBytes: record.idBytes.slice(), maxPoints, metadataVersion, oneTime, parts, group };
    this.#templates.set(key, made);
    return made;
  }

  /** Records that bring the same series again are not looked through again. */
  #knownGroup(record: QueuedBatch, series: ReadonlyMap<number, QueuedSeries>): SeriesGroup {
    if (record.histograms.length > 0) return this.#groupOf(record, series);
    const key = crc32c(record.idBytes);
    const known = this.#shapes.get(key);
    if (known && sameBytes(known.idBytes, record.idBytes)) return known.group;
    const group = this.#groupOf(record, series);
    if (!known && this.#shapeBytes < SHAPE_BYTES) {
      this.#shapes.set(key, { idBytes: record.idBytes.slice(), group });
      this.#shapeBytes += record.idBytes.length;
    }
    return group;
  }

  #groupOf(record: QueuedBatch, series: ReadonlyMap<number, QueuedSeries>): SeriesGroup {
    let group: SeriesGroup | undefined;
    const alone: QueuedSeries[] = [];
    const take = (id: number) => {
      const one = series.get(id);
      if (!one) return;
      if (!one.group) {
        alone.push(one);
        return;
      }
      const root = rootOf(one.group);
      if (group && group !== root) {
        root.joined = group;
        this.#joins++;
      } else group = root;
    };
    for (const id of record.columns().ids) take(id);
    for (const { id } of record.histograms) take(id);
    const found = group ?? { number: this.#groups++, joined: undefined };
    for (const one of alone) one.group = found;
    return found;
  }

  /** Encodes a record point by point: all by one maker, or each series by that of its lane. */
  #each(
    record: QueuedBatch,
    series: ReadonlyMap<number, QueuedSeries>,
    makers: readonly Maker[],
    { oldest }: WindowOptions,
    dropped: Dropped,
  ): void {
    const exemplars = exemplarsById(record, oldest, dropped);
    const { ids, times, starts, words } = record.columns();
    for (let i = 0; i < record.rows; i++) {
      const id = ids[i]!;
      const one = series.get(id);
      const time = times[i]!;
      if (!one) continue;
      if (time < oldest) dropped.tooOld.samples++;
      else {
        const start = starts ? starts[i]! : 0;
        const maker = makers[laneOf(one, makers.length)]!;
        maker.sample(one, time, start, words[i * 2]!, words[i * 2 + 1]!, take(exemplars, id));
      }
    }
    for (const { id, histogram } of record.histograms) {
      const one = series.get(id);
      if (!one) continue;
      if (histogram.timestamp < oldest) dropped.tooOld.histograms++;
      else if (this.#version === 1 && histogram.value.schema === CUSTOM_BUCKETS_SCHEMA) dropped.unsupported++;
      else makers[laneOf(one, makers.length)]!.histogram(one, histogram, take(exemplars, id));
    }
  }
}

const bytesOf = (parts: readonly TemplatePart[]): number =>
  parts.reduce((sum, { elements, holes }) => sum + elements.length + holes.length * 4, 0);

function rootOf(group: SeriesGroup): SeriesGroup {
  let root = group;
  while (root.joined) root = root.joined;
  return root;
}

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

/** Exemplars travel with the first sample or histogram of their series: alone they would be no valid series. */
function exemplarsById(record: QueuedBatch, oldest: number, dropped: Dropped): Map<number, ExemplarOf[]> {
  const byId = new Map<number, ExemplarOf[]>();
  for (const { id, exemplar } of record.exemplars) {
    if (exemplar.timestamp < oldest) dropped.tooOld.exemplars++;
    else byId.set(id, [...(byId.get(id) ?? []), exemplar]);
  }
  return byId;
}

const NONE: readonly ExemplarOf[] = [];

function take(exemplars: Map<number, ExemplarOf[]>, id: number): readonly ExemplarOf[] {
  const found = exemplars.size > 0 ? exemplars.get(id) : undefined;
  if (!found) return NONE;
  exemplars.delete(id);
  return found;
}

function laneOf(series: QueuedSeries, lanes: number): number {
  if (lanes === 1) return 0;
  if (series.hash === 0) series.hash = crc32c(series.encoded) || 1;
  return series.hash % lanes;
}
