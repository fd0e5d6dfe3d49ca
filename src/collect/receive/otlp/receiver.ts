// The receiver of OTLP metrics over HTTP, protobuf or JSON. What cannot be translated is answered with the reasons; everything
// else of the request is stored.

import type { Clock } from '#base/clock.ts';
import { errorCode, errorText } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import type { Appender, Exemplar } from '#model/batch.ts';
import type { Labels } from '#model/labels.ts';
import type { Counter, Vec } from '#model/registry.ts';
import { decodeOtlpJson } from '#wire/otlp/json.ts';
import type { ResourceMetrics } from '#wire/otlp/model.ts';
import { decodeOtlpProtobuf } from '#wire/otlp/protobuf.ts';
import { type Answer, answer, type Received, type Receiver } from '../exchange.ts';
import { Intake, MAX_AHEAD_MS, type Refusal } from '../intake.ts';
import { type KnownSeries, KnownSeriesTable } from '../known-series.ts';
import { sortedLabels } from '../labels.ts';
import { answerFor, type ReceiverParts } from '../remote-write.ts';
import { convertOtlp, type OtlpSettings } from './convert.ts';
import { DeltaToCumulative } from './delta.ts';

export type OtlpOptions = {
  /** What the configuration says now. */
  readonly settings: () => OtlpSettings;
  /** Feature otlp-deltatocumulative. */
  readonly convertDelta: boolean;
};

const MAX_KNOWN_SERIES = 200_000;

export class OtlpReceiver implements Receiver {
  readonly #options: OtlpOptions;
  readonly #appender: Appender;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #known = new KnownSeriesTable(MAX_KNOWN_SERIES);
  readonly #delta = new DeltaToCumulative();
  readonly #warnings: Vec<Counter>;
  readonly #outOfOrderExemplars: Counter;

  constructor(parts: ReceiverParts, options: OtlpOptions) {
    this.#options = options;
    this.#appender = parts.appender;
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#warnings = parts.registry.counterVec(
      'prometheus_api_otlp_translation_warnings_total',
      'The total number of warnings produced while translating OTLP metrics to the Prometheus model, by category.',
      ['category'],
    );
    this.#outOfOrderExemplars = parts.registry.counter(
      'prometheus_api_otlp_out_of_order_exemplars_total',
      'The total number of received OTLP exemplars which were rejected because they were out of order.',
    );
  }

  async receive(request: Received): Promise<Answer> {
    const type = (request.headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase();
    if (type !== 'application/x-protobuf' && type !== 'application/json') {
      return answer(
        400,
        `unsupported content type: ${request.headers['content-type'] ?? ''}, supported: [application/json, application/x-protobuf]\n`,
      );
    }
    let resources: readonly ResourceMetrics[];
    try {
      resources =
        type === 'application/json'
          ? decodeOtlpJson(Buffer.from(request.body).toString('utf8'))
          : decodeOtlpProtobuf(request.body);
    } catch (error) {
      const code = errorCode(error);
      if (code === 'protobuf_corrupt' || code === 'otlp_json') return answer(400, `${errorText(error)}\n`);
      throw error;
    }
    return this.#store(resources);
  }

  async #store(resources: readonly ResourceMetrics[]): Promise<Answer> {
    const nowMs = this.#clock.now();
    const cumulative = this.#options.convertDelta ? this.#delta.convert(resources, nowMs) : resources;
    const intake = new Intake(this.#known);
    const problems: string[] = [];
    const refusals: Refusal[] = [];
    const accept = (labels: Labels, timestamp: number): KnownSeries | undefined => {
      const checked = sortedLabels(labels);
      if (checked.error !== '') problems.push(checked.error);
      else if (timestamp > nowMs + MAX_AHEAD_MS) refusals.push({ reason: 'tooFarInFuture', labels, detail: '' });
      else return intake.series(checked.labels);
      return undefined;
    };
    const exemplify = (series: KnownSeries, exemplars: readonly Exemplar[], timestamp: number) => {
      for (const exemplar of exemplars) {
        const { labels, error } = sortedLabels(exemplar.labels);
        if (error === '') intake.exemplar(series, { ...exemplar, labels, timestamp: exemplar.timestamp || timestamp });
      }
    };
    convertOtlp(cumulative, this.#options.settings(), {
      sample: (labels, timestamp, value, start, exemplars) => {
        const series = accept(labels, timestamp);
        if (!series) return;
        intake.sample(series, timestamp, value, start);
        exemplify(series, exemplars, timestamp);
      },
      stale: (labels, timestamp, low, high) => {
        const series = accept(labels, timestamp);
        if (series) intake.sampleWords(series, timestamp, low, high);
      },
      histogram: (labels, timestamp, value, start, exemplars) => {
        const series = accept(labels, timestamp);
        if (!series) return;
        intake.histogram(series, timestamp, value, start);
        exemplify(series, exemplars, timestamp);
      },
      metadata: (family, metadata) => intake.metadata(family, metadata),
      problem: (message) => void problems.push(message),
      warning: (category, message) => {
        this.#warnings.with(category).add();
        this.#log.warn('Warnings translating OTLP metrics to Prometheus write request', { warning: message });
      },
    });
    const outcome = await intake.send(this.#appender);
    const late = outcome.refusals.filter(({ reason }) => reason === 'exemplarOutOfOrder').length;
    this.#outOfOrderExemplars.add(late);
    refusals.push(...outcome.refusals.filter(({ reason }) => reason !== 'exemplarOutOfOrder'));
    return refusals.length + problems.length === 0 ? answer(200) : answerFor(refusals, problems);
  }
}
