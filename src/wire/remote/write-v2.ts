// Remote write 2.0: io.prometheus.write.v2.Request, in which all strings are references into one table of symbols.

import type { Metadata } from '#model/batch.ts';
import { type Labels, NO_LABELS } from '#model/labels.ts';
import { BYTES, FIXED64, ProtoReader, ProtoWriter, tagOf, VARINT } from '../protobuf.ts';
import { readHistogram, type SentHistogram, writeHistogram } from './histogram.ts';
import { METRIC_TYPES, type WriteSink } from './sink.ts';
import { SymbolTable } from './symbols.ts';

const PACKED_REFS = tagOf(1, BYTES);

export function decodeWriteV2(bytes: Uint8Array, sink: WriteSink): void {
  const symbols: string[] = [];
  const series: number[] = [];
  const reader = new ProtoReader(bytes);
  // Symbols come first by custom, not by rule: series are only noted until the table is whole.
  while (reader.more()) {
    const tag = reader.tag();
    if (tag >>> 3 === 4) symbols.push(reader.string());
    else if (tag >>> 3 === 5) {
      const { start, end } = reader.span();
      series.push(start, end);
    } else reader.skip(tag);
  }
  const hashes = symbols.map(hashSymbol);
  for (let i = 0; i < series.length; i += 2) {
    reader.pos = series[i]!;
    reader.limit = series[i + 1]!;
    readSeries(reader, symbols, hashes, sink);
  }
}

/** Of a symbol's text; labels are hashed by combining those of their symbols. */
function hashSymbol(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash;
}

/** 53 bits of the references' symbols, in their order. */
function hashRefs(refs: readonly number[], hashes: readonly number[]): number {
  let a = 0x9e3779b9;
  let b = 0x85ebca6b;
  for (let i = 0; i < refs.length; i++) {
    const hash = hashes[refs[i]!] ?? 0;
    a = Math.imul(a ^ hash, 0x01000193);
    b = Math.imul(b + hash, 0xc2b2ae35) ^ (b >>> 15);
  }
  return (a >>> 0) * 0x200000 + (b >>> 11);
}

type Exemplar = { readonly refs: readonly number[]; readonly value: number; readonly timestamp: number };

function readSeries(reader: ProtoReader, symbols: readonly string[], hashes: readonly number[], sink: WriteSink): void {
  const refs: number[] = [];
  const times: number[] = [];
  const words: number[] = [];
  const histograms: SentHistogram[] = [];
  const exemplars: Exemplar[] = [];
  let type = 0;
  let help = 0;
  let unit = 0;
  const pair = new Uint32Array(2);
  while (reader.more()) {
    const tag = reader.tag();
    if (tag === PACKED_REFS) {
      const outer = reader.open();
      while (reader.more()) refs.push(reader.uint32());
      reader.close(outer);
      continue;
    }
    if (tag >>> 3 === 1) {
      refs.push(reader.uint32());
      continue;
    }
    if (tag >>> 3 > 5) {
      reader.skip(tag);
      continue;
    }
    const outer = reader.open();
    switch (tag >>> 3) {
      case 2: {
        let timestamp = 0;
        let start = 0;
        pair.fill(0);
        while (reader.more()) {
          const inner = reader.tag();
          if (inner >>> 3 === 1) reader.words(pair, 0);
          else if (inner >>> 3 === 2) timestamp = reader.int64();
          else if (inner >>> 3 === 3) start = reader.int64();
          else reader.skip(inner);
        }
        times.push(timestamp, start);
        words.push(pair[0]!, pair[1]!);
        break;
      }
      case 3:
        histograms.push(readHistogram(reader));
        break;
      case 4:
        exemplars.push(readExemplar(reader));
        break;
      case 5:
        while (reader.more()) {
          const inner = reader.tag();
          if (inner >>> 3 === 1) type = reader.int32();
          else if (inner >>> 3 === 3) help = reader.uint32();
          else if (inner >>> 3 === 4) unit = reader.uint32();
          else reader.skip(inner);
        }
        break;
    }
    reader.close(outer);
  }
  const points = histograms.length + times.length / 2;
  const isKnown = sink.knownSeries?.(hashRefs(refs, hashes), refs, symbols) ?? false;
  const labels = isKnown ? NO_LABELS : resolve(refs, symbols);
  if (typeof labels === 'string') {
    sink.invalid(`parsing labels for series ${formatRefs(refs)}: ${labels}`, points);
    return;
  }
  if (help >= symbols.length || unit >= symbols.length) {
    const worst = help >= symbols.length ? help : unit;
    if (worst !== 0) {
      sink.invalid(
        `parsing metadata for series ${formatRefs(refs)}: metadata ref ${worst} is outside of the ${symbols.length} symbols`,
        0,
      );
      return;
    }
  }
  if (!isKnown) sink.series(labels);
  const metadata: Metadata = {
    type: METRIC_TYPES[type] ?? 'unknown',
    help: symbols[help] ?? '',
    unit: symbols[unit] ?? '',
  };
  if (type !== 0 || metadata.help !== '' || metadata.unit !== '') sink.seriesMetadata(metadata);
  for (let i = 0; i < times.length; i += 2) sink.sample(times[i]!, times[i + 1]!, words[i]!, words[i + 1]!);
  for (const histogram of histograms) sink.histogram(histogram);
  for (const exemplar of exemplars) {
    const exemplarLabels = resolve(exemplar.refs, symbols);
    if (typeof exemplarLabels === 'string') sink.invalid(`parsing exemplar: ${exemplarLabels}`, 0);
    else sink.exemplar({ labels: exemplarLabels, value: exemplar.value, timestamp: exemplar.timestamp });
  }
  if (points === 0) sink.invalid('TimeSeries must contain at least one sample or histogram', 0);
}

const formatRefs = (refs: readonly number[]): string =>
  `[${refs.slice(0, 32).join(' ')}${refs.length > 32 ? ' ...' : ''}]`;

/** Flat pairs, or what is wrong with the references. */
function resolve(refs: readonly number[], symbols: readonly string[]): string[] | string {
  if (refs.length % 2 !== 0) return `invalid labelRefs length ${refs.length}`;
  const pairs: string[] = [];
  for (const ref of refs) {
    const text = symbols[ref];
    if (text === undefined) return `labelRef ${ref} is outside of the ${symbols.length} symbols`;
    pairs.push(text);
  }
  return pairs;
}

function readExemplar(reader: ProtoReader): Exemplar {
  const refs: number[] = [];
  let value = 0;
  let timestamp = 0;
  while (reader.more()) {
    const tag = reader.tag();
    if (tag >>> 3 === 1) reader.repeated(tag, () => refs.push(reader.uint32()));
    else if (tag >>> 3 === 2) value = reader.double();
    else if (tag >>> 3 === 3) timestamp = reader.int64();
    else reader.skip(tag);
  }
  return { refs, value, timestamp };
}

/** Builds requests of version 2.0. Within a series the calls come in the order samples, histograms, exemplars, metadata. */
export class WriteV2Encoder {
  readonly #writer = new ProtoWriter(64 * 1024);
  readonly #head = new ProtoWriter(16 * 1024);
  readonly #symbols: SymbolTable;
  /** By number of the symbol, side by side: the turn in which it was written last, and its reference then. */
  #places = new Uint32Array(512);
  #turn = 0;
  #count = 0;
  #open = -1;

  /** Encoders with a table of their callers take labels as its numbers. */
  constructor(symbols = new SymbolTable()) {
    this.#symbols = symbols;
    this.reset();
  }

  reset(): void {
    this.#writer.reset();
    this.#head.reset();
    this.#turn++;
    this.#count = 0;
    this.#ref(0);
    this.#open = -1;
  }

  series(labels: Labels): void {
    this.knownSeries(this.#symbols.numbersOf(labels));
  }

  /** A series by the numbers of its labels' texts. */
  knownSeries(symbols: Uint32Array): void {
    this.#close();
    this.#open = this.#writer.begin(5);
    this.#writeRefs(symbols);
  }

  sample(timestamp: number, start: number, low: number, high: number): void {
    const at = this.#writer.begin(2);
    this.#writer.words(1, low, high);
    this.#writer.varint(2, timestamp);
    this.#writer.varint(3, start);
    this.#writer.end(at);
  }

  /**
   * A sample that ends its series and is filled in later: `time` stands for its time. Answers where its value begins among the series,
   * which come `headBytes` behind the beginning of the request.
   */
  sampleToFill(time: Uint8Array): number {
    const writer = this.#writer;
    const at = writer.begin(2);
    writer.tag(1, FIXED64);
    writer.rawDouble(0);
    writer.tag(2, VARINT);
    writer.raw(time);
    writer.end(at);
    this.#close();
    return writer.pos - 8 - 1 - time.length;
  }

  /** What the symbols take that have been referred to. */
  get headBytes(): number {
    return this.#head.pos;
  }

  histogram(histogram: SentHistogram): void {
    const at = this.#writer.begin(3);
    writeHistogram(this.#writer, histogram);
    this.#writer.end(at);
  }

  exemplar(labels: Labels, value: number, timestamp: number): void {
    const at = this.#writer.begin(4);
    this.#writeRefs(this.#symbols.numbersOf(labels));
    this.#writer.double(2, value);
    this.#writer.varint(3, timestamp);
    this.#writer.end(at);
  }

  metadata(metadata: Metadata): void {
    const at = this.#writer.begin(5);
    this.#writer.varint(1, METRIC_TYPES.indexOf(metadata.type));
    this.#writer.varint(3, this.#ref(this.#symbols.numberOf(metadata.help)));
    this.#writer.varint(4, this.#ref(this.#symbols.numberOf(metadata.unit)));
    this.#writer.end(at);
  }

  finish(): Uint8Array {
    this.#close();
    this.#head.raw(this.#writer.finish());
    return this.#head.finish();
  }

  #writeRefs(symbols: Uint32Array): void {
    if (symbols.length === 0) return;
    const writer = this.#writer;
    const at = writer.begin(1);
    writer.reserve(symbols.length * 5);
    for (let i = 0; i < symbols.length; i++) {
      let ref = this.#ref(symbols[i]!);
      for (; ref > 0x7f; ref >>>= 7) writer.bytes[writer.pos++] = (ref & 0x7f) | 0x80;
      writer.bytes[writer.pos++] = ref;
    }
    writer.end(at);
  }

  #ref(symbol: number): number {
    const at = symbol * 2;
    if (at >= this.#places.length) this.#grow(at);
    if (this.#places[at] === this.#turn) return this.#places[at + 1]!;
    this.#head.text(4, this.#symbols.texts[symbol]!);
    const ref = this.#count++;
    this.#places[at] = this.#turn;
    this.#places[at + 1] = ref;
    return ref;
  }

  #grow(at: number): void {
    const places = new Uint32Array(Math.max(at + 2, this.#places.length * 2));
    places.set(this.#places);
    this.#places = places;
  }

  #close(): void {
    if (this.#open >= 0) this.#writer.end(this.#open);
    this.#open = -1;
  }
}
