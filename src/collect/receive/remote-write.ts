// The receiver of remote write 1.0 and 2.0. Ordinary 1.0 requests go through the kernel (predicted.ts); 2.0 and whatever is
// unusual go through the reference decoders. What the store refuses is answered as 400 with Prometheus' words, and
// everything else of the request is kept.

import type { Clock } from '#base/clock.ts';
import { errorCode, errorText } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import type { Random } from '#base/random.ts';
import type { Appender, Exemplar, Metadata, Rejection, SampleBatch, SplitAppender } from '#model/batch.ts';
import type { Histogram } from '#model/histogram.ts';
import { type Labels, labelValue, METRIC_NAME, withLabel } from '#model/labels.ts';
import { type PackedSeries, packSeries } from '#model/packed.ts';
import type { Counter, Registry } from '#model/registry.ts';
import type { SentHistogram } from '#wire/remote/histogram.ts';
import type { WriteSink } from '#wire/remote/sink.ts';
import { decodeExtrasV1, decodeLabelsV1, decodeMetadataV1, decodeWriteV1 } from '#wire/remote/write-v1.ts';
import { decodeWriteV2 } from '#wire/remote/write-v2.ts';
import { snappyDecode } from '#wire/snappy.ts';
import { type Answer, answer, type Received, type Receiver } from './exchange.ts';
import { familyName } from './family-name.ts';
import { Intake, MAX_AHEAD_MS, type Outcome, type Refusal, refusalsText, refusalText } from './intake.ts';
import { KeptBodies } from './kept-bodies.ts';
import { type KnownSeries, KnownSeriesTable } from './known-series.ts';
import { formatPairs, seriesLabels, sortedLabels } from './labels.ts';
import { PredictedWrite, type Walked } from './predicted.ts';
import { reduceToStored } from './resolution.ts';

export const WRITE_V1 = 'prometheus.WriteRequest';
export const WRITE_V2 = 'io.prometheus.write.v2.Request';
export type WriteMessage = typeof WRITE_V1 | typeof WRITE_V2;

export type RemoteWriteOptions = {
  /** Flag --web.remote-write-receiver.accepted-protobuf-messages. */
  readonly accepted: readonly WriteMessage[];
  /** Decoded size of a request. */
  readonly maxBytes: number;
  /** Feature type-and-unit-labels: metadata of 2.0 becomes labels __type__ and __unit__. */
  readonly typeAndUnitLabels: boolean;
  /** Series remembered for 2.0 and unusual requests, in each of two generations. */
  readonly maxKnownSeries: number;
};

export const REMOTE_WRITE_DEFAULTS: RemoteWriteOptions = {
  accepted: [WRITE_V1, WRITE_V2],
  maxBytes: 32 * 1024 * 1024,
  typeAndUnitLabels: false,
  maxKnownSeries: 200_000,
};

export type ReceiverParts = {
  readonly appender: Appender;
  readonly clock: Clock;
  readonly random: Random;
  readonly registry: Registry;
  readonly log: Logger;
};

export class RemoteWriteReceiver implements Receiver {
  readonly #options: RemoteWriteOptions;
  readonly #appender: Appender;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #predicted: PredictedWrite;
  readonly #known: KnownSeriesTable;
  readonly #invalidLabels: Counter;
  /** The appender, if it takes rows that are split already. */
  readonly #splitter: SplitAppender | undefined;
  readonly #bodies = new KeptBodies();

  constructor(parts: ReceiverParts, options: RemoteWriteOptions = REMOTE_WRITE_DEFAULTS) {
    this.#options = options;
    this.#appender = parts.appender;
    this.#splitter = 'appendSplit' in parts.appender ? (parts.appender as SplitAppender) : undefined;
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#predicted = new PredictedWrite(parts.random);
    this.#known = new KnownSeriesTable(options.maxKnownSeries);
    this.#invalidLabels = parts.registry.counter(
      'prometheus_api_remote_write_invalid_labels_samples_total',
      'The total number of received remote write samples and histogram samples which were rejected due to invalid labels.',
    );
  }

  async receive(request: Received): Promise<Answer> {
    const message = messageOf(request.headers['content-type'] ?? '');
    if (typeof message !== 'string') return answer(415, `${message.error}\n`);
    if (!this.#options.accepted.includes(message)) {
      const accepted = this.#options.accepted.join(', ');
      return answer(415, `${message} protobuf message is not accepted by this server; only accepts ${accepted}\n`);
    }
    const encoding = request.headers['content-encoding'] ?? '';
    if (encoding !== '' && encoding !== 'snappy') {
      return answer(
        415,
        `${encoding} encoding (compression) is not accepted by this server; only snappy is acceptable\n`,
      );
    }
    return this.#take(message, request.body);
  }

  /** An ordinary request of version 1.0, in snappy. The body is copied. */
  async write(body: Uint8Array): Promise<Answer> {
    if (!this.#options.accepted.includes(WRITE_V1)) return this.receive(ordinary(body.slice()));
    const kept = this.#bodies.keep(body);
    try {
      return await this.#take(WRITE_V1, kept);
    } finally {
      this.#bodies.release(kept);
    }
  }

  async #take(message: WriteMessage, body: Uint8Array): Promise<Answer> {
    try {
      return message === WRITE_V1 ? await this.#version1(body) : await this.#version2(body);
    } catch (error) {
      const code = errorCode(error);
      if (code === 'snappy_corrupt' || code === 'protobuf_corrupt' || code === 'too_large') {
        return answer(400, `${errorText(error)}\n`);
      }
      this.#log.error('cannot store a remote write request', { error });
      return answer(500, `${errorText(error)}\n`);
    }
  }

  async #version1(body: Uint8Array): Promise<Answer> {
    const nowMs = this.#clock.now();
    const predicted = this.#predicted;
    if (!predicted.run(body, this.#options.maxBytes, nowMs)) return this.#unusual(body, nowMs);
    const splitter = this.#splitter;
    const split = splitter && predicted.split(splitter.shards, nowMs + MAX_AHEAD_MS);
    if (splitter && split) {
      const { rejections } = await splitter.appendSplit(split);
      return rejections.length === 0 ? WRITTEN : this.#reconsider(body, rejections, nowMs);
    }
    const walked = predicted.collect();
    const made = batchOf(walked, nowMs + MAX_AHEAD_MS);
    if (!made) return this.#unusual(body, nowMs);
    const result = await this.#appender.append(made);
    predicted.learn(walked.unknown, result.refs, nowMs);
    return result.rejections.length === 0 ? WRITTEN : this.#reconsider(body, result.rejections, nowMs);
  }

  async #unusual(body: Uint8Array, nowMs: number): Promise<Answer> {
    const collector = this.#collector(nowMs);
    decodeWriteV1(snappyDecode(body, this.#options.maxBytes), collector);
    return this.#answerV1(collector, await collector.intake.send(this.#appender));
  }

  /**
   * The labels of refused rows are found by decoding the request again. Rows of series that the store has dropped go there
   * once more; the others are reported.
   */
  async #reconsider(body: Uint8Array, rejections: readonly Rejection[], nowMs: number): Promise<Answer> {
    const dropped = rejections.filter((r) => r.kind === 'sample' && r.reason === 'unknownRef').map((r) => r.index);
    if (dropped.length > 0) this.#predicted.forget(body, dropped, this.#options.maxBytes, nowMs);
    const collector = this.#collector(nowMs);
    const picker = new RowPicker(rejections, collector, nowMs + MAX_AHEAD_MS);
    decodeWriteV1(snappyDecode(body, this.#options.maxBytes), picker);
    const outcome: Outcome =
      collector.intake.length > 0
        ? await collector.intake.send(this.#appender)
        : { samples: 0, histograms: 0, exemplars: 0, refusals: [] };
    return this.#answerV1(collector, { ...outcome, refusals: [...picker.refusals, ...outcome.refusals] });
  }

  #collector(nowMs: number): Collector {
    return new Collector(this.#known, nowMs + MAX_AHEAD_MS, this.#options.typeAndUnitLabels);
  }

  /** Version 1.0 passes over series with invalid labels and over exemplars; it fails for refused samples and histograms. */
  #answerV1(collector: Collector, outcome: Outcome): Answer {
    this.#invalidLabels.add(collector.invalidSamples);
    if (collector.problems.length > 0) {
      this.#log.warn('remote write: invalid series', {
        first: collector.problems[0],
        count: collector.problems.length,
      });
    }
    return answerFor(
      [...collector.refusals, ...outcome.refusals].filter(({ reason }) => reason !== 'exemplarOutOfOrder'),
      [],
    );
  }

  async #version2(body: Uint8Array): Promise<Answer> {
    const collector = this.#collector(this.#clock.now());
    decodeWriteV2(
      this.#predicted.decode(body, this.#options.maxBytes) ?? snappyDecode(body, this.#options.maxBytes),
      collector,
    );
    const outcome = await collector.intake.send(this.#appender);
    this.#invalidLabels.add(collector.invalidSamples);
    const told = answerFor([...collector.refusals, ...outcome.refusals], collector.problems);
    const written = {
      'x-prometheus-remote-write-samples-written': String(outcome.samples),
      'x-prometheus-remote-write-histograms-written': String(outcome.histograms),
      'x-prometheus-remote-write-exemplars-written': String(outcome.exemplars),
    };
    return { ...told, headers: { ...told.headers, ...written } };
  }
}

const WRITTEN = answer(204);

/** A request whose headers said what they say ordinarily. */
const ordinary = (body: Uint8Array): Received => ({
  path: '/api/v1/write',
  query: '',
  headers: { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' },
  body,
});

/** Whether a request can be handed on as one of version 1.0 in snappy, without its headers. */
export const isOrdinaryWrite = ({ path, headers }: Pick<Received, 'path' | 'headers'>): boolean =>
  path === '/api/v1/write' &&
  headers['content-encoding'] === 'snappy' &&
  headers['content-type'] === 'application/x-protobuf';

/** Which message a request holds by its content type, as remote write's specification has it. */
function messageOf(contentType: string): WriteMessage | { readonly error: string } {
  const [media = '', ...parameters] = contentType.trim().split(';');
  if (media.trim() !== '' && media.trim() !== 'application/x-protobuf') {
    return { error: `expected application/x-protobuf as the first (media) part, got ${contentType} content-type` };
  }
  for (const parameter of parameters) {
    const [name = '', value, ...more] = parameter.split('=');
    if (value === undefined || more.length > 0) {
      return {
        error: `as per https://www.rfc-editor.org/rfc/rfc9110#parameter expected parameters to be key-values, got ${parameter} in ${contentType} content-type`,
      };
    }
    if (name.trim() !== 'proto') continue;
    if (value === WRITE_V1 || value === WRITE_V2) return value;
    return {
      error: `got ${contentType} content type; unknown type for remote write protobuf message ${value}, supported: ${WRITE_V1}, ${WRITE_V2}`,
    };
  }
  return WRITE_V1;
}

/** 400 for what will never be accepted; 503 when the store takes nothing now, so that the sender keeps it. */
export function answerFor(refusals: readonly Refusal[], problems: readonly string[]): Answer {
  if (refusals.length + problems.length === 0) return answer(204);
  const status = refusals.some(({ reason }) => reason === 'readOnly') ? 503 : 400;
  return answer(status, refusalsText([...problems, ...refusals.map(refusalText)]));
}

/** Columns from what the kernel found; undefined when something in it must be refused before the store sees it. */
function batchOf(walked: Walked, maxTime: number): SampleBatch | undefined {
  const { refs, timestamps, values, unknown } = walked;
  if (walked.newest > maxTime) return undefined;
  const packed = unknown.count > 0 ? (walked.packed ?? packUnknown(walked)) : NONE_UNKNOWN;
  if (!packed) return undefined;
  const extras = walked.extras.length > 0 ? extrasOf(walked, maxTime) : {};
  return extras && { refs, timestamps, values, series: [], ...(packed.count > 0 ? { packed } : {}), ...extras };
}

const NONE_UNKNOWN: PackedSeries = { count: 0, bytes: new Uint8Array(0) };

/** Labels that are not simply in order; undefined when some are invalid. */
function packUnknown({ body, unknown: { count, records } }: Walked): PackedSeries | undefined {
  const words = new Uint32Array(records.buffer);
  const series: Labels[] = [];
  for (let i = 0; i < count; i++) {
    const start = words[i * 8 + 4]!;
    const { labels, error } = seriesLabels(decodeLabelsV1(body, start, start + words[i * 8 + 5]!));
    if (error !== '') return undefined;
    series.push(labels);
  }
  return packSeries(series);
}

type Extras = Pick<SampleBatch, 'histograms' | 'exemplars' | 'metadata'>;

/** What the kernel left: messages with exemplars and histograms, and metadata. */
function extrasOf(walked: Walked, maxTime: number): Extras | undefined {
  const histograms: { ref: number; timestamp: number; value: Histogram }[] = [];
  const exemplars: { ref: number; exemplar: Exemplar }[] = [];
  const metadata: { family: string; metadata: Metadata }[] = [];
  let ref = 0;
  let late = false;
  const sink: WriteSink = {
    series() {},
    sample() {},
    seriesMetadata() {},
    invalid() {},
    histogram({ timestamp, value }) {
      late ||= timestamp > maxTime;
      histograms.push({ ref, timestamp, value: reduceToStored(value) });
    },
    exemplar(exemplar) {
      const { labels, error } = sortedLabels(exemplar.labels);
      if (error === '' && exemplar.timestamp <= maxTime) exemplars.push({ ref, exemplar: { ...exemplar, labels } });
    },
    metadata: (family, value) => void metadata.push({ family, metadata: value }),
  };
  for (const extra of walked.extras) {
    ref = extra.ref;
    if (extra.kind === 'series') decodeExtrasV1(walked.body, extra.start, extra.end, sink);
    else decodeMetadataV1(walked.body, extra.start, extra.end, sink);
  }
  return late ? undefined : { histograms, exemplars, metadata };
}

/** Takes what a decoder tells into an intake, refusing what Prometheus' receiver refuses. */
class Collector implements WriteSink {
  readonly intake: Intake;
  readonly refusals: Refusal[] = [];
  readonly problems: string[] = [];
  invalidSamples = 0;
  readonly #maxTime: number;
  readonly #typeAndUnit: boolean;
  #pairs: readonly string[] = [];
  #series: KnownSeries | undefined;
  readonly #known: KnownSeriesTable;
  #hash = Number.NaN;

  constructor(known: KnownSeriesTable, maxTime: number, typeAndUnit: boolean) {
    this.intake = new Intake(known);
    this.#known = known;
    this.#maxTime = maxTime;
    this.#typeAndUnit = typeAndUnit;
  }

  series(pairs: readonly string[]): void {
    this.#pairs = pairs;
    const { labels, error } = seriesLabels(pairs);
    this.#series = error === '' ? this.intake.series(labels) : undefined;
    if (error !== '') this.problems.push(error);
    else if (!Number.isNaN(this.#hash)) this.#known.remember(this.#hash, this.#series!);
    this.#hash = Number.NaN;
  }

  knownSeries(hash: number, refs: readonly number[], symbols: readonly string[]): boolean {
    const known = this.#known.byHash(hash);
    if (known && known.labels.length === refs.length) {
      let i = 0;
      while (i < refs.length && symbols[refs[i]!] === known.labels[i]) i++;
      if (i === refs.length) {
        this.#series = known;
        this.#pairs = known.labels;
        return true;
      }
    }
    this.#hash = hash;
    return false;
  }

  seriesMetadata(metadata: Metadata): void {
    if (this.#typeAndUnit && this.#series) {
      const typed = withLabel(this.#series.labels, '__type__', metadata.type === 'unknown' ? '' : metadata.type);
      this.#series = this.intake.series(withLabel(typed, '__unit__', metadata.unit));
    }
    const name = this.#series && labelValue(this.#series.labels, METRIC_NAME);
    if (name) this.intake.metadata(familyName(name, metadata.type), metadata);
  }

  sample(timestamp: number, start: number, low: number, high: number): void {
    const series = this.#accept(timestamp);
    if (series) this.intake.sampleWords(series, timestamp, low, high, start);
  }

  histogram({ timestamp, start, value }: SentHistogram): void {
    const series = this.#accept(timestamp);
    if (series) this.intake.histogram(series, timestamp, reduceToStored(value), start);
  }

  exemplar(exemplar: Exemplar): void {
    const { labels, error } = sortedLabels(exemplar.labels);
    if (this.#series && error === '' && exemplar.timestamp <= this.#maxTime) {
      this.intake.exemplar(this.#series, { ...exemplar, labels });
    }
  }

  metadata(family: string, metadata: Metadata): void {
    this.intake.metadata(family, metadata);
  }

  invalid(reason: string, samples: number): void {
    this.invalidSamples += samples;
    this.problems.push(
      this.#pairs.length > 0 && samples === 0 ? `${reason} for series ${formatPairs(this.#pairs)}` : reason,
    );
  }

  #accept(timestamp: number): KnownSeries | undefined {
    if (!this.#series) this.invalidSamples++;
    else if (timestamp > this.#maxTime) {
      this.refusals.push({ reason: 'tooFarInFuture', labels: this.#series.labels, detail: '' });
    } else return this.#series;
    return undefined;
  }
}

/** Walks a request again for the rows that were refused: those of dropped series go on, the others are noted. */
class RowPicker implements WriteSink {
  readonly refusals: Refusal[] = [];
  readonly #rejected = new Map<string, Rejection>();
  readonly #target: Collector;
  #pairs: readonly string[] = [];
  #begun = false;
  #samples = 0;
  #histograms = 0;
  #exemplars = 0;
  readonly #maxTime: number;

  constructor(rejections: readonly Rejection[], target: Collector, maxTime: number) {
    this.#maxTime = maxTime;
    for (const rejection of rejections) this.#rejected.set(`${rejection.kind} ${rejection.index}`, rejection);
    this.#target = target;
  }

  series(pairs: readonly string[]): void {
    this.#pairs = pairs;
    this.#begun = false;
  }

  sample(timestamp: number, start: number, low: number, high: number): void {
    if (this.#again('sample', this.#samples++)) this.#target.sample(timestamp, start, low, high);
  }

  histogram(histogram: SentHistogram): void {
    if (this.#again('histogram', this.#histograms++)) this.#target.histogram(histogram);
  }

  exemplar(exemplar: Exemplar): void {
    // Counted as `extrasOf` counts them: those that were not sent have no row.
    if (sortedLabels(exemplar.labels).error !== '' || exemplar.timestamp > this.#maxTime) return;
    if (this.#again('exemplar', this.#exemplars++)) this.#target.exemplar(exemplar);
  }

  metadata(): void {}
  seriesMetadata(): void {}
  invalid(): void {}

  /** Whether the row is to be sent once more. */
  #again(kind: Rejection['kind'], index: number): boolean {
    const rejection = this.#rejected.get(`${kind} ${index}`);
    if (!rejection) return false;
    if (rejection.reason !== 'unknownRef') {
      this.refusals.push({
        reason: rejection.reason,
        labels: seriesLabels(this.#pairs).labels,
        detail: rejection.detail,
      });
      return false;
    }
    if (!this.#begun) this.#target.series(this.#pairs);
    this.#begun = true;
    return true;
  }
}
