// Reads series of other servers through remote read. External labels of this server are asked for and taken off again, so
// that what both have is one series. Runs in a shard's thread: answers may be large.

import type { Clock } from '#base/clock.ts';
import type { Disk } from '#base/disk/disk.ts';
import { errorText, OperatingError } from '#base/errors.ts';
import { createHttpClient, type HttpClient, type HttpStream } from '#clients/http/client.ts';
import type { Histogram } from '#model/histogram.ts';
import { compareLabels, keepLabels, type Labels, labelsKey } from '#model/labels.ts';
import type { Matcher } from '#model/matcher.ts';
import type { QueryLimits, RawSeries, SelectRequest, TimeRange } from '#model/query.ts';
import type { Counter, Gauge, HistogramMetric, Registry, Vec } from '#model/registry.ts';
import { decodeChunkFrame, decodeReadResponse, encodeReadRequest, readFrames } from '#wire/remote/read.ts';
import { snappyDecode, snappyEncode } from '#wire/snappy.ts';
import { redacted } from '../send/address.ts';
import type { RemoteReadConfig } from './config.ts';

/** Samples of a chunk as they are stored, by the encoding's number in block files. */
export type ReadChunkDecoder = (encoding: number, bytes: Uint8Array) => ReadColumns;
type ReadColumns = {
  readonly length: number;
  readonly timestamps: Float64Array;
  readonly values: Float64Array;
  readonly histograms?: readonly (Histogram | undefined)[] | undefined;
};

export type RemoteReadersParts = {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly registry: Registry;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly decode: ReadChunkDecoder | undefined;
};

const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60];
const SHOWN_REPLY = 512;

type Running = { readonly config: RemoteReadConfig; readonly client: HttpClient };

export class RemoteReaders {
  readonly #parts: RemoteReadersParts;
  readonly #queries: Vec<Gauge>;
  readonly #total: Vec<Counter>;
  readonly #seconds: Vec<HistogramMetric>;
  #running = new Map<string, Running>();
  #externalLabels: Labels = [];

  constructor(parts: RemoteReadersParts) {
    this.#parts = parts;
    const name = (suffix: string) => `prometheus_remote_read_client_${suffix}`;
    const labels = ['remote_name', 'url'];
    const { registry } = parts;
    this.#queries = registry.gaugeVec(name('queries'), 'The number of in-flight remote read queries.', labels);
    this.#total = registry.counterVec(name('queries_total'), 'The total number of remote read queries.', [
      ...labels,
      'response_type',
      'code',
    ]);
    this.#seconds = registry.histogramVec(
      name('request_duration_seconds'),
      'Histogram of the latency for remote read requests. For streamed answers this is the time until they begin.',
      [...labels, 'response_type'],
      BUCKETS,
    );
  }

  /** Clients whose settings stay are kept, with their connections. */
  apply(configs: readonly RemoteReadConfig[], externalLabels: Labels): void {
    this.#externalLabels = externalLabels;
    const { clock, disk, environment } = this.#parts;
    const next = new Map<string, Running>();
    for (const config of configs) {
      const before = this.#running.get(config.name);
      const same = before && JSON.stringify(before.config) === JSON.stringify(config);
      next.set(
        config.name,
        same ? before : { config, client: createHttpClient(config.http, { clock, disk, environment }) },
      );
    }
    const old = this.#running;
    this.#running = next;
    for (const [name, { client }] of old) if (next.get(name)?.client !== client) client.close();
  }

  stop(): void {
    for (const { client } of this.#running.values()) client.close();
    this.#running.clear();
  }

  /** In label order, each label set once, samples in time order and within the range. */
  async read(name: string, request: SelectRequest, limits: QueryLimits, signal: AbortSignal): Promise<RawSeries[]> {
    const running = this.#running.get(name);
    if (!running) throw new OperatingError('remote_read', `there is no remote read by the name ${name} any more`);
    const { config } = running;
    const gauge = this.#queries.with(config.name, redacted(config.url));
    gauge.add(1);
    try {
      const { matchers, added } = this.#withExternal(config, request.matchers);
      const found = await this.#ask(running, { ...request, matchers }, limits, signal);
      const own = added.size === 0 ? found : found.map((one) => ({ ...one, labels: withoutNames(one.labels, added) }));
      return united(own);
    } finally {
      gauge.add(-1);
    }
  }

  /** Selectors that name a label themselves are not given the external one. */
  #withExternal(
    config: RemoteReadConfig,
    matchers: readonly Matcher[],
  ): { readonly matchers: readonly Matcher[]; readonly added: ReadonlySet<string> } {
    const added = new Set<string>();
    const all = [...matchers];
    const external = config.filterExternalLabels ? this.#externalLabels : [];
    for (let i = 0; i < external.length; i += 2) {
      if (matchers.some((matcher) => matcher.name === external[i])) continue;
      added.add(external[i]!);
      all.push({ type: '=', name: external[i]!, value: external[i + 1]! });
    }
    return { matchers: all, added };
  }

  async #ask(
    { config, client }: Running,
    { matchers, range }: SelectRequest,
    limits: QueryLimits,
    signal: AbortSignal,
  ): Promise<RawSeries[]> {
    const { clock } = this.#parts;
    const labels = [config.name, redacted(config.url)];
    const controller = new AbortController();
    const timer = clock.after(config.timeoutMs, () =>
      controller.abort(new OperatingError('timeout', `request timed out after ${config.timeoutMs} ms`)),
    );
    const both = AbortSignal.any([signal, controller.signal]);
    try {
      const began = clock.monotonic();
      const reply = await client.stream({
        url: config.url,
        method: 'POST',
        headers: {
          ...config.headers,
          'content-encoding': 'snappy',
          'content-type': 'application/x-protobuf',
          'accept-encoding': 'snappy',
          'x-prometheus-remote-read-version': '0.1.0',
        },
        body: snappyEncode(encodeReadRequest({ start: range.min, end: range.max, matchers })),
        timeoutMs: config.timeoutMs,
        maxBodyBytes: limits.maxBytes,
        signal: both,
      });
      const kind = kindOf(reply);
      this.#seconds.with(...labels, kind).observe((clock.monotonic() - began) / 1000);
      const count = (code: string) => this.#total.with(...labels, kind, code).add(1);
      if (Math.floor(reply.status / 100) !== 2) {
        count(String(reply.status));
        const said = Buffer.from(await gathered(reply, limits.maxBytes)).toString('utf8', 0, SHOWN_REPLY);
        throw new OperatingError(
          'remote_read',
          `remote server ${redacted(config.url)} returned http status ${reply.status}: ${said.trim()}`,
        );
      }
      try {
        const series = await this.#decode(reply, kind, config, range, limits);
        count(String(reply.status));
        return series;
      } catch (error) {
        count('aborted_stream');
        throw error;
      }
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      const problem = controller.signal.aborted ? controller.signal.reason : error;
      throw new OperatingError('remote_read', errorText(problem), { cause: problem });
    } finally {
      timer.cancel();
      controller.abort();
    }
  }

  async #decode(
    reply: HttpStream,
    kind: Kind,
    config: RemoteReadConfig,
    range: TimeRange,
    limits: QueryLimits,
  ): Promise<RawSeries[]> {
    if (kind === 'unsupported') {
      throw new OperatingError('remote_read', `unsupported content type: ${reply.headers.get('content-type') ?? ''}`);
    }
    if (kind === 'sampled') {
      const bytes = snappyDecode(await gathered(reply, limits.maxBytes), limits.maxBytes);
      return decodeReadResponse(bytes).map((series) => inRange(series, range));
    }
    const decode = this.#parts.decode;
    if (!decode) throw new OperatingError('remote_read', 'streamed chunks are not read in this role');
    const found = new Map<string, { readonly labels: Labels; readonly columns: ReadColumns[] }>();
    let samples = 0;
    for await (const message of readFrames(reply.body, config.maxFrameBytes)) {
      for (const { labels, chunks } of decodeChunkFrame(message)) {
        const key = labelsKey(labels);
        const series = found.get(key) ?? { labels, columns: [] };
        found.set(key, series);
        for (const { encoding, bytes } of chunks) {
          const columns = decode(encoding > 3 ? FILE_ENCODINGS + encoding : encoding, bytes);
          samples += columns.length;
          if (samples * 16 > limits.maxBytes) {
            throw new OperatingError('remote_read', `the answer holds more than ${limits.maxBytes} bytes of samples`);
          }
          series.columns.push(columns);
        }
      }
    }
    return [...found.values()].map(({ labels, columns }) => inRange(concatenated(labels, columns), range));
  }
}

/** What is added to encodings above 3, which mean something else in memory than in files and streams. */
const FILE_ENCODINGS = 64;

type Kind = 'sampled' | 'chunked' | 'unsupported';

function kindOf({ headers }: HttpStream): Kind {
  const type = headers.get('content-type') ?? '';
  if (/^application\/x-streamed-protobuf; ?proto=prometheus\.ChunkedReadResponse/.test(type)) return 'chunked';
  return type.startsWith('application/x-protobuf') ? 'sampled' : 'unsupported';
}

async function gathered(reply: HttpStream, maxBytes: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of reply.body) {
    size += part.length;
    if (size > maxBytes) throw new OperatingError('remote_read', `the answer is larger than ${maxBytes} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts, size);
}

function concatenated(labels: Labels, columns: readonly ReadColumns[]): RawSeries {
  const length = columns.reduce((sum, part) => sum + part.length, 0);
  const timestamps = new Float64Array(length);
  const values = new Float64Array(length);
  const histograms = new Map<number, Histogram>();
  let at = 0;
  for (const part of columns) {
    timestamps.set(part.timestamps.subarray(0, part.length), at);
    values.set(part.values.subarray(0, part.length), at);
    for (let i = 0; i < part.length; i++) {
      const histogram = part.histograms?.[i];
      if (histogram) histograms.set(at + i, histogram);
    }
    at += part.length;
  }
  return { labels, timestamps, values, ...(histograms.size > 0 ? { histograms } : {}) };
}

/** Chunks reach beyond the range that was asked for, and may overlap. */
function inRange(series: RawSeries, { min, max }: TimeRange): RawSeries {
  const { timestamps } = series;
  const rows: number[] = [];
  let isSorted = true;
  for (let i = 0; i < timestamps.length; i++) {
    if (timestamps[i]! < min || timestamps[i]! > max) continue;
    if (rows.length > 0 && timestamps[rows.at(-1)!]! >= timestamps[i]!) isSorted = false;
    rows.push(i);
  }
  if (isSorted && rows.length === timestamps.length) return series;
  if (!isSorted) rows.sort((a, b) => timestamps[a]! - timestamps[b]! || a - b);
  return picked(
    series,
    isSorted ? rows : rows.filter((row, i) => i === 0 || timestamps[row] !== timestamps[rows[i - 1]!]),
  );
}

function picked(series: RawSeries, rows: readonly number[]): RawSeries {
  const timestamps = new Float64Array(rows.length);
  const values = new Float64Array(rows.length);
  const histograms = new Map<number, Histogram>();
  rows.forEach((row, i) => {
    timestamps[i] = series.timestamps[row]!;
    // Copied as a block of bytes: a stale marker must keep its bits.
    values.set(series.values.subarray(row, row + 1), i);
    const histogram = series.histograms?.get(row);
    if (histogram) histograms.set(i, histogram);
  });
  return { labels: series.labels, timestamps, values, ...(histograms.size > 0 ? { histograms } : {}) };
}

const withoutNames = (labels: Labels, names: ReadonlySet<string>): Labels =>
  keepLabels(labels, (name) => !names.has(name));

/** Series that became the same when external labels were taken off are one. */
function united(series: readonly RawSeries[]): RawSeries[] {
  const sorted = series.filter(({ timestamps }) => timestamps.length > 0);
  sorted.sort((a, b) => compareLabels(a.labels, b.labels));
  const all: RawSeries[] = [];
  for (const one of sorted) {
    const before = all.at(-1);
    if (before && compareLabels(before.labels, one.labels) === 0) {
      all[all.length - 1] = inRange(concatenated(one.labels, [asColumns(before), asColumns(one)]), {
        min: -Infinity,
        max: Infinity,
      });
    } else all.push(one);
  }
  return all;
}

const asColumns = ({ timestamps, values, histograms }: RawSeries): ReadColumns => ({
  length: timestamps.length,
  timestamps,
  values,
  histograms: histograms && Array.from(timestamps, (_, i) => histograms.get(i)),
});
