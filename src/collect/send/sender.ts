// The loop that empties one disk queue into one remote: takes a window of records, deals it out to lanes, sends the lanes
// side by side, and moves the queue's position on when all of the window is through. Recoverable errors are tried
// again for ever with growing pauses; what the remote refuses for good is dropped and counted.

import { type Clock, sleep } from '#base/clock.ts';
import { errorText } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import type { HttpClient } from '#clients/http/client.ts';
import { type OpenSpan, type Tracer, traceParentOf } from '#clients/otlp/tracer.ts';
import type { Metadata } from '#model/batch.ts';
import { describeWriteV2 } from '#wire/remote/describe.ts';
import { WriteV1Encoder } from '#wire/remote/write-v1.ts';
import { SnappyEncoder, snappyDecode } from '#wire/snappy.ts';
import { redacted } from './address.ts';
import { type Batch, BatchMaker, type Counts } from './batches.ts';
import type { RemoteConfig } from './config.ts';
import type { RemoteCounters } from './metrics.ts';
import type { Outlet } from './outlet.ts';
import type { Cursor, DiskQueue } from './queue.ts';
import { type QueuedBatch, type QueuedSeries, readRecord } from './record.ts';

export type SenderParts = {
  readonly config: RemoteConfig;
  readonly client: HttpClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly counters: RemoteCounters;
  readonly tracer: Tracer | undefined;
};

const SAVE_EVERY_MS = 5000;
const MAX_REPLY_BYTES = 64 * 1024;
const MAX_REQUEST_BYTES = 2 ** 30;
const MAX_FAMILIES = 100_000;
const SHOWN_REPLY = 512;

export class Sender {
  readonly #parts: SenderParts;
  readonly #queue: DiskQueue;
  readonly #stop = new AbortController();
  readonly #snappy = new SnappyEncoder();
  readonly #metadata = new Map<string, Metadata>();
  readonly #maker: BatchMaker;
  #series = new Map<number, QueuedSeries>();
  #segment = -1;
  #cursor: Cursor;
  #wake: (() => void) | undefined;
  #running: Promise<void> | undefined;
  #draining = false;
  #savedAt = 0;
  #metadataVersion = 0;
  #metadataAt = 0;
  #firstPendingAt = 0;
  #lostCounted = 0;

  constructor(parts: SenderParts, queue: DiskQueue) {
    this.#parts = parts;
    this.#queue = queue;
    this.#cursor = queue.start;
    this.#maker = new BatchMaker(parts.config.version);
    const { counters, config } = parts;
    counters.shardsMax.set(config.queue.maxShards);
    counters.shardsMin.set(config.queue.minShards);
    counters.capacity.set(config.queue.capacity);
    counters.maxPerSend.set(config.queue.maxPerSend);
    counters.shards.set(config.queue.minShards);
    counters.shardsDesired.set(config.queue.minShards);
  }

  start(): void {
    this.#running = this.#run().catch((error) => {
      if (!this.#stop.signal.aborted) this.#parts.log.error('remote write stopped', { err: error });
    });
  }

  /** Something was appended to the queue. */
  wake(): void {
    if (this.#firstPendingAt === 0) this.#firstPendingAt = this.#parts.clock.monotonic();
    if (this.#queue.pendingPoints >= this.#parts.config.queue.maxPerSend) this.#wake?.();
  }

  /** Sends what is queued until the deadline, then ends; what is left stays on disk. */
  async stop(flushMs: number): Promise<void> {
    this.#draining = true;
    this.#wake?.();
    const deadline = this.#parts.clock.after(flushMs, () => this.#stop.abort(new Error('stopped')));
    const aborted = new Promise<void>((resolve) => {
      this.#stop.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    // A request that hangs is not waited for.
    await Promise.race([this.#running, aborted]);
    deadline.cancel();
    this.#stop.abort(new Error('stopped'));
    await this.#queue.close();
  }

  /** Takes what the outlet counted over into the metrics; called before they are read. */
  report(outlet: Outlet): void {
    const { counters } = this.#parts;
    counters.pending.set(this.#queue.pendingPoints);
    counters.readSegment.set(this.#cursor.segment);
    counters.diskBytes.set(this.#queue.bytes);
    counters.highest.set(outlet.highestTimestamp / 1000);
    for (const kind of ['samples', 'histograms', 'exemplars'] as const) {
      if (outlet.dropped[kind] > 0) counters.dropped(kind, 'dropped_series').add(outlet.dropped[kind]);
      outlet.dropped[kind] = 0;
    }
    if (this.#queue.lostPoints > this.#lostCounted) {
      counters.dropped('samples', 'queue_full').add(this.#queue.lostPoints - this.#lostCounted);
      this.#lostCounted = this.#queue.lostPoints;
    }
  }

  async #run(): Promise<void> {
    this.#rewind();
    for (;;) {
      if (this.#stop.signal.aborted) return;
      await this.#sendMetadata();
      const lanes = this.#lanes();
      const taken = this.#take(lanes * this.#parts.config.queue.maxPerSend);
      if (taken.records.length === 0) {
        if (this.#draining) return;
        await this.#pause();
        continue;
      }
      await this.#send(taken.records, lanes);
      // Nothing of the window is counted as taken when the process is told to stop half-way.
      if (this.#stop.signal.aborted) return;
      this.#cursor = taken.next;
      this.#queue.commit(taken.next, taken.points);
      this.#firstPendingAt = this.#queue.pendingPoints > 0 ? this.#parts.clock.monotonic() : 0;
      this.#saveNowAndThen();
      if (!this.#draining && this.#queue.pendingPoints < this.#parts.config.queue.maxPerSend) await this.#pause();
    }
  }

  /** Reads the names of series that the segment gave before the position. */
  #rewind(): void {
    this.#segment = this.#cursor.segment;
    this.#series = new Map();
    for (const bytes of this.#queue.before(this.#cursor)) readRecord(bytes, this.#series, true);
  }

  /** As many lanes as the backlog fills, within the configured bounds. */
  #lanes(): number {
    const { maxPerSend, minShards, maxShards } = this.#parts.config.queue;
    const desired = Math.ceil(this.#queue.pendingPoints / maxPerSend);
    const lanes = Math.min(Math.max(desired, minShards), maxShards);
    this.#parts.counters.shardsDesired.set(Math.max(desired, minShards));
    this.#parts.counters.shards.set(lanes);
    return lanes;
  }

  /** Records of one segment, whose numbers of series mean the same. */
  #take(wanted: number): { readonly records: QueuedBatch[]; readonly next: Cursor; readonly points: number } {
    const records: QueuedBatch[] = [];
    let cursor = this.#cursor;
    let points = 0;
    while (points < wanted) {
      const found = this.#queue.read(cursor);
      if (!found) break;
      if (found.at.segment !== this.#segment) {
        if (records.length > 0) break;
        this.#segment = found.at.segment;
        this.#series = new Map();
      }
      const record = readRecord(found.bytes, this.#series);
      for (const { family, metadata } of record.metadata) {
        const known = this.#metadata.get(family);
        if (!known && this.#metadata.size >= MAX_FAMILIES) continue;
        if (!known || !sameMetadata(known, metadata)) this.#metadataVersion++;
        this.#metadata.set(family, metadata);
      }
      records.push(record);
      points += found.points;
      cursor = found.next;
    }
    return { records, next: cursor, points };
  }

  /** Until enough is queued for a request, or the oldest of it has waited long enough. */
  async #pause(): Promise<void> {
    const { clock, config } = this.#parts;
    const waited = this.#firstPendingAt === 0 ? 0 : clock.monotonic() - this.#firstPendingAt;
    const left = Math.max(0, config.queue.deadlineMs - waited);
    if (left === 0) return;
    await new Promise<void>((resolve) => {
      const timer = clock.after(left, resolve);
      this.#wake = () => {
        timer.cancel();
        resolve();
      };
      this.#stop.signal.addEventListener('abort', () => this.#wake?.(), { once: true });
    });
    this.#wake = undefined;
    this.#saveNowAndThen();
  }

  #saveNowAndThen(): void {
    const now = this.#parts.clock.monotonic();
    if (now - this.#savedAt < SAVE_EVERY_MS) return;
    this.#savedAt = now;
    this.#queue.save();
  }

  async #send(records: readonly QueuedBatch[], lanes: number): Promise<void> {
    const { config, clock, counters } = this.#parts;
    const { lanes: work, dropped } = this.#maker.make({ records, series: this.#series }, lanes, {
      maxPoints: config.queue.maxPerSend,
      oldest: config.queue.ageLimitMs > 0 ? clock.now() - config.queue.ageLimitMs : 0,
      metadata: this.#metadata,
      metadataVersion: this.#metadataVersion,
    });
    for (const kind of ['samples', 'histograms', 'exemplars'] as const) {
      if (dropped.tooOld[kind] > 0) counters.dropped(kind, 'too_old').add(dropped.tooOld[kind]);
    }
    if (dropped.unsupported > 0) counters.dropped('histograms', 'nhcb_in_rw1_not_supported').add(dropped.unsupported);
    await Promise.all(
      work.map(async (batches) => {
        for (const batch of batches) {
          if (this.#stop.signal.aborted) return;
          await this.#sendBatch(batch);
        }
      }),
    );
  }

  async #sendBatch(batch: Batch): Promise<void> {
    const { counters } = this.#parts;
    const { body } = batch;
    const outcome = await this.#deliver(body, () => {
      addCounts(counters.retried, batch.counts);
      this.#logFailed(batch);
    });
    if (outcome === 'refused') this.#logFailed(batch);
    if (outcome === 'stopped') return;
    if (outcome === 'refused') addCounts(counters.failed, batch.counts);
    else {
      counters.bytes.add(body.length);
      counters.highestSent.set(Math.max(counters.highestSent.value, batch.highestTime / 1000));
    }
    addCounts(counters.sent, batch.counts);
  }

  /** With section `failed_request_logging`: what was in a request of version 2.0 that the remote did not take. */
  #logFailed({ body, counts }: Batch): void {
    const { config, log } = this.#parts;
    if (!config.logFailedRequests || config.version !== 2) return;
    log.debug('failed remote write request', {
      remote: config.name,
      ...counts,
      request: describeWriteV2(snappyDecode(body, MAX_REQUEST_BYTES)),
    });
  }

  /** Delivers one request, trying again as long as there is hope. */
  async #deliver(body: Uint8Array, onRetry: () => void): Promise<'sent' | 'refused' | 'stopped'> {
    const { config, clock, log, counters } = this.#parts;
    let backoff = config.queue.minBackoffMs;
    for (let attempt = 0; ; attempt++) {
      const began = clock.monotonic();
      const span = this.#parts.tracer?.begin('Remote Send Batch', 'client');
      const reply = await this.#post(body, attempt, span);
      counters.duration.observe((clock.monotonic() - began) / 1000);
      if (span) {
        const attributes = {
          remote_name: config.name,
          remote_url: redacted(config.url),
          request_size: body.length,
          attempt,
        };
        span.end(attributes, reply.outcome === 'sent' ? '' : reply.error);
      }
      if (reply.outcome === 'sent') return 'sent';
      if (reply.outcome === 'refused') {
        log.error('non-recoverable error', { remote: config.name, url: redacted(config.url), err: reply.error });
        return 'refused';
      }
      onRetry();
      if (this.#draining) {
        // On disk it is safe: an end is not held up by a remote that does not answer.
        this.#stop.abort(new Error('stopped'));
        return 'stopped';
      }
      const wait = Math.max(backoff, reply.retryAfterMs);
      log.warn('Failed to send batch, retrying', { remote: config.name, url: redacted(config.url), err: reply.error });
      try {
        await sleep(clock, wait, this.#stop.signal);
      } catch {
        return 'stopped';
      }
      backoff = Math.min(backoff * 2, config.queue.maxBackoffMs);
    }
  }

  async #post(body: Uint8Array, attempt: number, span: OpenSpan | undefined): Promise<Reply> {
    const { config, client, clock } = this.#parts;
    try {
      const reply = await client.call({
        url: config.url,
        method: 'POST',
        headers: {
          ...config.headers,
          'content-encoding': 'snappy',
          'content-type':
            config.version === 1
              ? 'application/x-protobuf'
              : 'application/x-protobuf;proto=io.prometheus.write.v2.Request',
          'x-prometheus-remote-write-version': config.version === 1 ? '0.1.0' : '2.0.0',
          ...(attempt > 0 ? { 'retry-attempt': String(attempt) } : {}),
          ...(span ? { traceparent: traceParentOf(span) } : {}),
        },
        body,
        timeoutMs: config.timeoutMs,
        maxBodyBytes: MAX_REPLY_BYTES,
      });
      if (reply.status >= 200 && reply.status < 300) return { outcome: 'sent' };
      const text = reply.body.subarray(0, SHOWN_REPLY).toString('utf8').trim();
      const error = `server returned HTTP status ${reply.status} ${reply.statusText}: ${text}`;
      const recoverable = reply.status >= 500 || (reply.status === 429 && config.queue.retryOnTooManyRequests);
      if (!recoverable) return { outcome: 'refused', error };
      return { outcome: 'again', error, retryAfterMs: retryAfter(reply.headers.get('retry-after'), clock.now()) };
    } catch (error) {
      // Whatever kept the request from an answer may pass.
      return { outcome: 'again', error: errorText(error), retryAfterMs: 0 };
    }
  }

  /** Version 1.0 sends metadata by itself now and then; 2.0 has it in every series. */
  async #sendMetadata(): Promise<void> {
    const { config, clock, counters } = this.#parts;
    if (!config.metadata.send || config.version !== 1 || this.#metadata.size === 0) return;
    if (this.#metadataAt !== 0 && clock.monotonic() - this.#metadataAt < config.metadata.intervalMs) return;
    this.#metadataAt = clock.monotonic();
    const entries = [...this.#metadata];
    for (let i = 0; i < entries.length; i += config.metadata.maxPerSend) {
      const encoder = new WriteV1Encoder();
      const part = entries.slice(i, i + config.metadata.maxPerSend);
      for (const [family, metadata] of part) encoder.metadata(family, metadata);
      const body = this.#snappy.encode(encoder.finish()).slice();
      const outcome = await this.#deliver(body, () => counters.retried.metadata.add(part.length));
      if (outcome === 'stopped') return;
      if (outcome === 'refused') counters.failed.metadata.add(part.length);
      else counters.metadataBytes.add(body.length);
      counters.sent.metadata.add(part.length);
    }
  }
}

const sameMetadata = (a: Metadata, b: Metadata): boolean => a.type === b.type && a.help === b.help && a.unit === b.unit;

type Reply =
  | { readonly outcome: 'sent' }
  | { readonly outcome: 'refused'; readonly error: string }
  | { readonly outcome: 'again'; readonly error: string; readonly retryAfterMs: number };

function addCounts(target: Readonly<Record<keyof Counts, { add(amount: number): void }>>, counts: Counts): void {
  for (const kind of ['samples', 'histograms', 'exemplars'] as const)
    if (counts[kind] > 0) target[kind].add(counts[kind]);
}

/** Seconds, or a date. */
function retryAfter(text: string | undefined, now: number): number {
  if (text === undefined) return 0;
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? 0 : Math.max(0, date - now);
}
