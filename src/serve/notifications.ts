// What the server has to tell about itself right now (starting, stopping, a configuration that failed) under
// /api/v1/notifications, and as events while it happens under /api/v1/notifications/live.

import { PassThrough } from 'node:stream';
import type { Clock } from '#base/clock.ts';
import type { Registry } from '#model/registry.ts';
import { type Route, success } from './http.ts';

export const NOTICE = {
  reloadFailed: 'Configuration reload has failed.',
  starting: 'Prometheus is starting and replaying the write-ahead log (WAL).',
  stopping: 'Prometheus is shutting down and gracefully stopping all operations.',
} as const;

type Notice = { readonly text: string; readonly date: string; readonly active: boolean };

/** A listener that does not read loses events above this. */
const MAX_BEHIND_BYTES = 64 * 1024;

export class Notices {
  readonly #clock: Clock;
  readonly #maxListeners: number;
  readonly #active = new Map<string, Notice>();
  readonly #listeners = new Set<PassThrough>();
  readonly #sent;
  readonly #dropped;

  constructor(clock: Clock, registry: Registry, maxListeners: number) {
    this.#clock = clock;
    this.#maxListeners = maxListeners;
    registry.collected(
      'prometheus_api_notification_active_subscribers',
      'The current number of active notification subscribers.',
      'gauge',
      () => [{ value: this.#listeners.size }],
    );
    this.#sent = registry.counter(
      'prometheus_api_notification_updates_sent_total',
      'Total number of notification updates sent.',
    );
    this.#dropped = registry.counter(
      'prometheus_api_notification_updates_dropped_total',
      'Total number of notification updates dropped.',
    );
  }

  add(text: string): void {
    const notice = { text, date: new Date(this.#clock.now()).toISOString(), active: true };
    this.#active.set(text, notice);
    this.#tell(notice);
  }

  delete(text: string): void {
    const notice = this.#active.get(text);
    if (!notice) return;
    this.#active.delete(text);
    this.#tell({ ...notice, active: false });
  }

  /** Ends what listeners hear, so that the web server can stop. */
  stop(): void {
    for (const listener of this.#listeners) listener.end();
    this.#listeners.clear();
  }

  get routes(): Route[] {
    return [
      { methods: ['GET'], pattern: '/api/v1/notifications', handler: () => success([...this.#active.values()]) },
      {
        methods: ['GET'],
        pattern: '/api/v1/notifications/live',
        handler: ({ signal }) => {
          if (this.#listeners.size >= this.#maxListeners) return { status: 204 };
          return {
            status: 200,
            headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' },
            body: this.#listen(signal),
          };
        },
      },
    ];
  }

  #listen(signal: AbortSignal): PassThrough {
    const listener = new PassThrough({ highWaterMark: MAX_BEHIND_BYTES });
    // Something must be sent for the headers to go out.
    listener.write(':\n\n');
    for (const notice of this.#active.values()) listener.write(eventOf(notice));
    this.#listeners.add(listener);
    const forget = () => {
      this.#listeners.delete(listener);
      listener.destroy();
    };
    listener.once('close', forget);
    signal.addEventListener('abort', forget, { once: true });
    return listener;
  }

  #tell(notice: Notice): void {
    for (const listener of this.#listeners) {
      this.#sent.add();
      if (listener.writableNeedDrain) this.#dropped.add();
      else listener.write(eventOf(notice));
    }
  }
}

const eventOf = (notice: Notice): string => `data: ${JSON.stringify(notice)}\n\n`;
