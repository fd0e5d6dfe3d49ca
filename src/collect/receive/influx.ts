// The write APIs of InfluxDB 1 and 2: points become samples named measurement_field.

import { list, object, type Schema, string, withDefault } from '#base/config/schema.ts';
import { METRIC_NAME } from '#model/labels.ts';
import { type InfluxPoint, PRECISIONS, parseInflux } from '#wire/influx/line.ts';
import { relabelConfigs } from '../relabel/config.ts';
import { compileRules, type Relabel } from '../relabel/relabel.ts';
import { type Answer, answer, type Received, type Receiver } from './exchange.ts';
import type { FeedParts } from './feed.ts';
import { Intake, MAX_AHEAD_MS } from './intake.ts';
import { KnownSeriesTable } from './known-series.ts';
import { seriesLabels } from './labels.ts';
import { labelNameFrom, metricNameFrom } from './names.ts';
import { answerFor } from './remote-write.ts';

export const influxSection = object({
  /** Between measurement and field. */
  separator: withDefault(string(), '_'),
  /** Fields of these names are called by the measurement alone. */
  bare_fields: withDefault(list(string()), ['value']),
  /** Label for the database or bucket of the request; empty: none. */
  database_label: withDefault(string(), ''),
  relabel_configs: relabelConfigs,
});
export type InfluxSection = typeof influxSection extends Schema<infer T> ? T : never;

const MAX_KNOWN_SERIES = 200_000;
const MAX_TOLD = 10;

export class InfluxReceiver implements Receiver {
  readonly #parts: FeedParts;
  readonly #known = new KnownSeriesTable(MAX_KNOWN_SERIES);
  readonly #section: InfluxSection;
  readonly #relabel: Relabel;
  readonly #bare: ReadonlySet<string>;

  constructor(parts: FeedParts, section: InfluxSection) {
    this.#parts = parts;
    this.#section = section;
    this.#relabel = compileRules(section.relabel_configs);
    this.#bare = new Set(section.bare_fields);
  }

  async receive(request: Received): Promise<Answer> {
    const isV2 = request.path === '/api/v2/write';
    const query = new URLSearchParams(request.query);
    const unit = query.get('precision') ?? 'ns';
    const precision = Object.hasOwn(PRECISIONS, unit) ? PRECISIONS[unit] : undefined;
    if (!precision) return fault(isV2, 400, `invalid precision ${JSON.stringify(unit)}`);
    const database = query.get(isV2 ? 'bucket' : 'db') ?? '';
    const nowMs = this.#parts.clock.now();
    const intake = new Intake(this.#known);
    const problems: string[] = [];
    let bad = 0;
    const wrong = (reason: string) => {
      bad++;
      if (problems.length < MAX_TOLD) problems.push(reason);
    };
    parseInflux(
      Buffer.from(request.body).toString('utf8'),
      precision,
      (point) => this.#take(point, database, nowMs, intake, wrong),
      (_, reason) => wrong(reason),
    );
    const { metrics } = this.#parts;
    const count = intake.length;
    const outcome = await intake.send(this.#parts.appender);
    metrics.samples.with('influx').add(count - outcome.refusals.length);
    metrics.refused.with('influx').add(outcome.refusals.length);
    metrics.invalid.with('influx').add(bad);
    if (bad === 0 && outcome.refusals.length === 0) return answer(204);
    const refused = answerFor(outcome.refusals, problems);
    return fault(
      isV2,
      refused.status,
      `partial write: ${refused.body.trim()} dropped=${bad + outcome.refusals.length}`,
    );
  }

  #take(point: InfluxPoint, database: string, nowMs: number, intake: Intake, wrong: (reason: string) => void): void {
    const time = point.time ?? nowMs;
    if (time > nowMs + MAX_AHEAD_MS) {
      wrong(`out of bounds: timestamp is too far in the future for ${point.measurement}`);
      return;
    }
    const shared: string[] = [];
    for (let i = 0; i < point.tags.length; i += 2) shared.push(labelNameFrom(point.tags[i]!), point.tags[i + 1]!);
    const { database_label: label, separator } = this.#section;
    if (label !== '' && database !== '') shared.push(label, database);
    for (const { name, value } of point.fields) {
      const full = this.#bare.has(name) ? point.measurement : `${point.measurement}${separator}${name}`;
      const checked = seriesLabels([METRIC_NAME, metricNameFrom(full), ...shared]);
      if (checked.error !== '') {
        wrong(checked.error);
        continue;
      }
      const labels = this.#relabel(checked.labels);
      if (labels && labels.length > 0) intake.sample(intake.series(labels), time, value);
    }
  }
}

/** Each version words faults its own way. */
function fault(isV2: boolean, status: number, message: string): Answer {
  const body = isV2 ? { code: status === 400 ? 'invalid' : 'unavailable', message } : { error: message };
  return {
    status,
    headers: {
      'content-type': 'application/json',
      ...(isV2 ? {} : { 'x-influxdb-error': message.split('\n')[0]!.replace(/[^\x20-\x7e]/g, '?') }),
    },
    body: JSON.stringify(body),
  };
}
