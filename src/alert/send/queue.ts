// Alerts on their way to one Alertmanager: a bounded queue and a loop that posts batches. When it is full the oldest give
// way: newer alerts say more, and the rules send the older ones again.

import type { Clock } from '#base/clock.ts';
import { errorText, OperatingError } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import { type HttpClient, USER_AGENT } from '#clients/http/client.ts';
import type { Alert } from '#model/alert.ts';
import { labelsToRecord } from '#model/labels.ts';
import { removeAlertmanager, type SendMetrics } from './metrics.ts';

export type QueueOptions = {
  readonly capacity: number;
  readonly batchSize: number;
  readonly timeoutMs: number;
  readonly client: HttpClient;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: SendMetrics;
};

const MAX_REPLY_BYTES = 1 << 20;

export class SendQueue {
  readonly url: string;
  readonly #options: QueueOptions;
  #waiting: Alert[] = [];
  #sending: Promise<void> | undefined;
  #stopped = false;

  constructor(url: string, options: QueueOptions) {
    this.url = url;
    this.#options = options;
    const { errors, sent, dropped, queueLength } = options.metrics;
    for (const vec of [errors, sent, dropped, queueLength]) vec.with(url);
  }

  add(alerts: readonly Alert[]): void {
    if (this.#stopped) return;
    const { capacity, logger, metrics } = this.#options;
    const surplus = this.#waiting.length + alerts.length - capacity;
    if (surplus > 0) {
      logger.warn('Alert notification queue full, dropping alerts', { alertmanager: this.url, count: surplus });
      metrics.dropped.with(this.url).add(surplus);
    }
    this.#waiting = [...this.#waiting, ...alerts].slice(-capacity);
    metrics.queueLength.with(this.url).set(this.#waiting.length);
    this.#sending ??= this.#loop().finally(() => {
      this.#sending = undefined;
    });
  }

  /** With `drain` everything that waits is still sent, a batch that fails is given up. */
  async stop(drain: boolean): Promise<void> {
    this.#stopped = true;
    const { logger, metrics } = this.#options;
    if (!drain && this.#waiting.length > 0) {
      const count = this.#waiting.length;
      logger.warn('Alert notification queue not drained on shutdown, dropping alerts', {
        alertmanager: this.url,
        count,
      });
      metrics.dropped.with(this.url).add(count);
      this.#waiting = [];
    }
    await this.#sending;
    removeAlertmanager(metrics, this.url);
  }

  async #loop(): Promise<void> {
    const { batchSize, metrics } = this.#options;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, batchSize);
      this.#waiting = this.#waiting.slice(batchSize);
      metrics.queueLength.with(this.url).set(this.#waiting.length);
      await this.#send(batch);
    }
  }

  async #send(batch: readonly Alert[]): Promise<void> {
    const { client, clock, logger, metrics, timeoutMs } = this.#options;
    const start = clock.monotonic();
    try {
      const reply = await client.call({
        url: this.url,
        method: 'POST',
        headers: { 'content-type': 'application/json', 'user-agent': USER_AGENT },
        body: JSON.stringify(batch.map(alertJson)),
        timeoutMs,
        maxBodyBytes: MAX_REPLY_BYTES,
      });
      if (reply.status < 200 || reply.status > 299) {
        throw new OperatingError('status', `bad response status ${reply.status} ${reply.statusText}`.trimEnd());
      }
      const seconds = (clock.monotonic() - start) / 1000;
      metrics.latency.with(this.url).observe(seconds);
      metrics.latencyHistogram.with(this.url).observe(seconds);
      metrics.sent.with(this.url).add(batch.length);
    } catch (error) {
      logger.error('Error sending alerts', { alertmanager: this.url, count: batch.length, err: errorText(error) });
      metrics.errors.with(this.url).add(batch.length);
      metrics.dropped.with(this.url).add(batch.length);
    }
  }
}

const alertJson = (alert: Alert) => ({
  labels: labelsToRecord(alert.labels),
  annotations: labelsToRecord(alert.annotations),
  startsAt: new Date(alert.startsAt).toISOString(),
  endsAt: new Date(alert.endsAt).toISOString(),
  generatorURL: alert.generatorUrl,
});
