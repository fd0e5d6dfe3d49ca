// Writes events to all outputs of the configuration. Recording never holds up what it records: an output that fails or
// cannot follow loses events, which is counted.

import { type Clock, sleep, type Timer } from '#base/clock.ts';
import type { Disk, DiskFile } from '#base/disk/disk.ts';
import { errorText } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import { createHttpClient, type HttpClient } from '#clients/http/client.ts';
import type { Counter, Registry, Vec } from '#model/registry.ts';
import { tlsOptions } from '../notify/tls.ts';
import type { EventOutputs, WebhookOutputConfig } from './config.ts';
import { type AlertEvent, type EventType, encodeEvent } from './events.ts';
import { KafkaOutput } from './kafka.ts';

export type RecorderParts = {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly logger: Logger;
  readonly registry: Registry;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The host, as events name it. */
  readonly instance: string;
  readonly clusterPosition: () => number;
  readonly stdout: (line: string) => void;
};

type Output = {
  readonly name: string;
  /** Throws when it did not work. */
  write(line: string): void;
  close(): Promise<void>;
};

export class EventRecorder {
  readonly #parts: RecorderParts;
  readonly #recorded: Vec<Counter>;
  readonly #bytes: Vec<Counter>;
  readonly #lost: Vec<Counter>;
  readonly #kafkaFailures: Vec<Counter>;
  #outputs: readonly Output[] = [];
  #shown = '';

  constructor(parts: RecorderParts) {
    this.#parts = parts;
    const { registry } = parts;
    this.#recorded = registry.counterVec(
      'alertmanager_events_recorded_total',
      'The total number of events recorded by the event recorder.',
      ['event_type', 'output', 'result'],
    );
    this.#bytes = registry.counterVec(
      'alertmanager_event_recorder_bytes_written_total',
      'The total number of bytes written to the event recorder.',
      ['event_type', 'output'],
    );
    this.#lost = registry.counterVec(
      'alertmanager_event_output_drops_total',
      'The total number of events dropped by an output due to a full local buffer.',
      ['output'],
    );
    this.#kafkaFailures = registry.counterVec(
      'alertmanager_event_kafka_produce_errors_total',
      'The total number of Kafka produce attempts that failed.',
      ['output', 'error_type'],
    );
    // Events are written as they happen: none waits before its output, and all can be written as JSON.
    registry.counterVec(
      'alertmanager_events_dropped_total',
      'Events dropped before they reached an output: none, nothing waits there.',
      ['event_type'],
    );
    registry.counterVec('alertmanager_event_serialize_errors_total', 'Events that could not be serialized: none.', [
      'event_type',
    ]);
    registry.gauge('alertmanager_event_recorder_queue_length', 'Events that wait before they reach an output: none.');
  }

  /** Outputs stay as they are when nothing about them changes. */
  apply(config: EventOutputs): void {
    const shown = JSON.stringify(config);
    if (shown === this.#shown) return;
    this.#shown = shown;
    void this.#closeAll();
    this.#outputs = [
      ...config.files.map((path) => new FileOutput(path, this.#parts.disk)),
      ...config.webhooks.map((webhook) => {
        const name = `webhook:${URL.parse(webhook.url)?.origin ?? ''}`;
        return new WebhookOutput(name, webhook, this.#parts, this.#lost.with(name));
      }),
      ...config.kafkas.map(({ tls, ...settings }) => {
        const name = `kafka:${[...settings.brokers].sort().join(',')}/${settings.topic}`;
        const { clock, logger, instance, disk } = this.#parts;
        const parts = { clock, logger, instance, lost: this.#lost.with(name), failures: this.#kafkaFailures };
        return new KafkaOutput({ ...settings, tls: tls && (() => tlsOptions(tls, disk)) }, parts);
      }),
      ...Array.from({ length: config.stdouts }, () => ({
        name: 'stdout',
        write: (line: string) => this.#parts.stdout(`${line}\n`),
        close: async () => {},
      })),
    ];
  }

  record(event: AlertEvent): void {
    if (this.#outputs.length === 0) return;
    const { clock, instance, clusterPosition, logger } = this.#parts;
    const line = encodeEvent(event, clock.now(), instance, clusterPosition());
    for (const output of this.#outputs) {
      const { type }: { readonly type: EventType } = event;
      try {
        output.write(line);
        this.#recorded.with(type, output.name, 'success').add();
        this.#bytes.with(type, output.name).add(Buffer.byteLength(line) + 1);
      } catch (error) {
        this.#recorded.with(type, output.name, 'error').add();
        logger.error('cannot write an event', { type, output: output.name, err: errorText(error) });
      }
    }
  }

  /** What waits is still sent, once. */
  async close(): Promise<void> {
    await this.#closeAll();
  }

  async #closeAll(): Promise<void> {
    const outputs = this.#outputs;
    this.#outputs = [];
    await Promise.all(outputs.map((output) => output.close()));
  }
}

/** Lines of a file, which may be moved away at any time: a new one is begun then. */
class FileOutput implements Output {
  readonly name: string;
  readonly #path: string;
  readonly #disk: Disk;
  #file: DiskFile | undefined;

  constructor(path: string, disk: Disk) {
    this.name = `file:${path}`;
    this.#path = path;
    this.#disk = disk;
  }

  write(line: string): void {
    if (this.#file && !this.#disk.exists(this.#path)) {
      this.#file.close();
      this.#file = undefined;
    }
    this.#file ??= this.#disk.open(this.#path, 'append');
    this.#file.write(Buffer.from(`${line}\n`));
  }

  async close(): Promise<void> {
    this.#file?.close();
    this.#file = undefined;
  }
}

const MAX_WAITING = 1024;
const MAX_BACKOFF_MS = 30_000;

class WebhookOutput implements Output {
  readonly name: string;
  readonly #config: WebhookOutputConfig;
  readonly #parts: RecorderParts;
  readonly #lost: Counter;
  readonly #http: HttpClient;
  readonly #sending = new Set<Promise<void>>();
  readonly #closing = new AbortController();
  #waiting: string[] = [];
  #pause: Timer | undefined;

  constructor(name: string, config: WebhookOutputConfig, parts: RecorderParts, lost: Counter) {
    this.name = name;
    this.#config = config;
    this.#parts = parts;
    this.#lost = lost;
    this.#http = createHttpClient(config.http, parts);
  }

  write(line: string): void {
    if (this.#waiting.length >= MAX_WAITING) {
      this.#lost.add();
      throw new Error('too many events wait to be sent');
    }
    this.#waiting.push(line);
    this.#go();
  }

  async close(): Promise<void> {
    this.#pause?.cancel();
    this.#closing.abort(new Error('closing'));
    this.#go();
    while (this.#sending.size > 0) await Promise.all(this.#sending);
    this.#http.close();
  }

  #go(): void {
    const { batch, workers } = this.#config;
    while (this.#waiting.length > 0 && this.#sending.size < workers) {
      if (batch && !this.#closing.signal.aborted && !isFull(this.#waiting, batch)) {
        this.#goLater(batch.flushIntervalMs);
        return;
      }
      this.#send();
    }
  }

  /** An incomplete batch waits for more. */
  #goLater(delayMs: number): void {
    this.#pause ??= this.#parts.clock.after(delayMs, () => {
      this.#pause = undefined;
      if (this.#waiting.length > 0 && this.#sending.size < this.#config.workers) this.#send();
    });
  }

  #send(): void {
    const sent = this.#deliver(this.#take()).finally(() => {
      this.#sending.delete(sent);
      this.#go();
    });
    this.#sending.add(sent);
  }

  #take(): string {
    const { batch } = this.#config;
    if (!batch) return this.#waiting.shift()!;
    const lines: string[] = [];
    let size = 0;
    while (this.#waiting.length > 0 && lines.length < batch.maxEvents) {
      size += this.#waiting[0]!.length;
      if (lines.length > 0 && size > batch.maxBytes) break;
      lines.push(this.#waiting.shift()!);
    }
    return `[${lines.join(',')}]`;
  }

  async #deliver(body: string): Promise<void> {
    const { url, timeoutMs, maxAttempts, backoffMs } = this.#config;
    let why = '';
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      try {
        const headers = { 'content-type': 'application/json' };
        const { status } = await this.#http.call({
          url,
          method: 'POST',
          headers,
          body,
          timeoutMs,
          maxBodyBytes: 65_536,
        });
        if (status >= 200 && status < 300) return;
        why = `unexpected status code ${status}`;
      } catch (error) {
        why = errorText(error);
      }
      const last = attempt === maxAttempts - 1 || this.#closing.signal.aborted;
      if (last) break;
      const pauseMs = Math.min(MAX_BACKOFF_MS, backoffMs * 2 ** attempt);
      await sleep(this.#parts.clock, pauseMs, this.#closing.signal).catch(() => {});
    }
    this.#lost.add();
    this.#parts.logger.error('cannot send an event', { output: this.name, err: why });
  }
}

const isFull = (waiting: readonly string[], batch: NonNullable<WebhookOutputConfig['batch']>): boolean =>
  waiting.length >= batch.maxEvents || waiting.reduce((sum, line) => sum + line.length, 0) >= batch.maxBytes;
