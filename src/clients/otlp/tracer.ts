// Makes spans and sends them on in batches. Whether a trace is kept is decided where it begins, from its number, so that
// all programs along it agree; one that came in with a request follows the decision made there.

import { AsyncLocalStorage } from 'node:async_hooks';
import { type Clock, every, type Timer } from '#base/clock.ts';
import type { Disk } from '#base/disk/disk.ts';
import { errorCode, errorText } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import type { Random } from '#base/random.ts';
import type { TracingConfig } from './config.ts';
import type { SpanExporter } from './exporter.ts';
import { type Attributes, encodeSpans, type FinishedSpan, type SpanContext, type SpanKind } from './spans.ts';

export type TracerParts = {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly random: Random;
  readonly log: Logger;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** What is told about this process with every batch. */
  readonly resource: Attributes;
  readonly version: string;
};

const MAX_QUEUED = 2048;
const BATCH = 512;
const SEND_EVERY_MS = 5000;

export type OpenSpan = {
  readonly context: SpanContext;
  end(attributes: Attributes, error?: string): void;
};

export class Tracer {
  readonly #parts: TracerParts;
  readonly #inside = new AsyncLocalStorage<SpanContext>();
  #config: TracingConfig | undefined;
  #shown = '';
  #exporter: Promise<SpanExporter> | undefined;
  #queue: FinishedSpan[] = [];
  #timer: Timer | undefined;
  #sending: Promise<void> | undefined;
  #lost = 0;

  constructor(parts: TracerParts) {
    this.#parts = parts;
  }

  get isOn(): boolean {
    return this.#config !== undefined;
  }

  /** Nothing happens when the configuration is the one that runs. */
  async apply(config: TracingConfig | undefined): Promise<void> {
    const shown = JSON.stringify(config ?? null);
    if (shown === this.#shown) return;
    this.#shown = shown;
    await this.stop();
    if (!config) return;
    const { clock, disk, environment } = this.#parts;
    this.#config = config;
    this.#exporter = import('./exporter.ts').then(({ createExporter }) =>
      createExporter(config, { clock, disk, environment }),
    );
    this.#timer = every(clock, SEND_EVERY_MS, () => this.flush());
  }

  /** Sends what waits, once. */
  async stop(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#config) await this.flush();
    this.#config = undefined;
    this.#queue = [];
    const exporter = this.#exporter;
    this.#exporter = undefined;
    await exporter?.then((one) => one.close()).catch(() => {});
  }

  /** A span that begins now; undefined when its trace is not kept. The header is that of W3C's trace context. */
  begin(name: string, kind: SpanKind, header?: string): OpenSpan | undefined {
    if (!this.#config) return undefined;
    const parent = parseTraceParent(header) ?? this.#inside.getStore();
    const context = this.#child(parent);
    if (!context.isSampled) return undefined;
    const start = this.#parts.clock.now();
    const began = this.#parts.clock.monotonic();
    return {
      context,
      end: (attributes, error = '') => {
        const end = start + this.#parts.clock.monotonic() - began;
        this.#add({ context, parentSpanId: parent?.spanId ?? '', name, kind, start, end, attributes, error });
      },
    };
  }

  /** A span that has ended just now. */
  record(name: string, kind: SpanKind, tookMs: number, attributes: Attributes, error = ''): void {
    if (!this.#config) return;
    const parent = this.#inside.getStore();
    const context = this.#child(parent);
    if (!context.isSampled) return;
    const end = this.#parts.clock.now();
    this.#add({ context, parentSpanId: parent?.spanId ?? '', name, kind, start: end - tookMs, end, attributes, error });
  }

  /** Spans that begin in `body`, and in what it waits for, are children of this one. */
  within<T>(span: OpenSpan, body: () => T): T {
    return this.#inside.run(span.context, body);
  }

  #child(parent: SpanContext | undefined): SpanContext {
    const { random } = this.#parts;
    const spanId = hex(random.bytes(8));
    if (parent) return { traceId: parent.traceId, spanId, isSampled: parent.isSampled };
    const id = random.bytes(16);
    return { traceId: hex(id), spanId, isSampled: isKept(id, this.#config!.fraction) };
  }

  #add(span: FinishedSpan): void {
    if (this.#queue.length >= MAX_QUEUED) {
      this.#lost++;
      return;
    }
    this.#queue.push(span);
    if (this.#queue.length >= BATCH && !this.#sending) void this.flush();
  }

  /** Sends what waits now. */
  flush(): Promise<void> {
    this.#sending ??= this.#send().finally(() => {
      this.#sending = undefined;
    });
    return this.#sending;
  }

  async #send(): Promise<void> {
    const { log, resource, version } = this.#parts;
    if (this.#lost > 0) log.warn('spans are given up: too many wait to be sent', { spans: this.#lost });
    this.#lost = 0;
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, BATCH);
      try {
        await (await this.#exporter)?.send(encodeSpans(batch, resource, version));
      } catch (error) {
        const again = errorCode(error) === 'again' && this.#queue.length + batch.length <= MAX_QUEUED;
        log.warn('cannot send spans', { spans: batch.length, again, err: errorText(error) });
        if (again) this.#queue.unshift(...batch);
        return;
      }
    }
  }
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** As other programs decide it: by the lower 63 bits of the trace's number. */
function isKept(id: Uint8Array, fraction: number): boolean {
  const view = new DataView(id.buffer, id.byteOffset);
  return Number(view.getBigUint64(8) >> 1n) < fraction * 2 ** 63;
}

/** The header by which who is asked hears of the span. */
export const traceParentOf = ({ context: { traceId, spanId } }: OpenSpan): string => `00-${traceId}-${spanId}-01`;

function parseTraceParent(header: string | undefined): SpanContext | undefined {
  const match = /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})/.exec(header ?? '');
  if (!match || /^0+$/.test(match[1]!) || /^0+$/.test(match[2]!)) return undefined;
  return { traceId: match[1]!, spanId: match[2]!, isSampled: (Number.parseInt(match[3]!, 16) & 1) === 1 };
}
