// Limits that Alertmanager's flags put on requests: how many GETs are worked on at a time, how long one may take.

import os from 'node:os';
import { type Clock, sleep } from '#base/clock.ts';
import type { Registry } from '#model/registry.ts';
import { type Handler, type Route, text } from './http.ts';

export type RequestLimits = {
  /** 0: 8, or as many as there are processors if that is more. */
  readonly concurrency: number;
  /** 0: no limit. */
  readonly timeoutMs: number;
};

export function limitRoutes(
  routes: readonly Route[],
  { concurrency, timeoutMs }: RequestLimits,
  clock: Clock,
  registry: Registry,
): Route[] {
  const limit = concurrency > 0 ? concurrency : Math.max(8, os.availableParallelism());
  const inFlight = registry.gaugeVec(
    'alertmanager_http_requests_in_flight',
    'Current number of HTTP requests being processed.',
    ['method'],
  );
  const exceeded = registry.counterVec(
    'alertmanager_http_concurrency_limit_exceeded_total',
    'Total number of times an HTTP request failed because the concurrency limit was reached.',
    ['method'],
  );
  const [current, refused] = [inFlight.with('get'), exceeded.with('get')];
  const counted =
    (handler: Handler): Handler =>
    async (request) => {
      if (request.method !== 'GET') return handler(request);
      if (current.value >= limit) {
        refused.add();
        return text(`Limit of concurrent GET requests reached (${limit}), try again later.\n`, 503);
      }
      current.add();
      try {
        return await handler(request);
      } finally {
        current.add(-1);
      }
    };
  const timed =
    (handler: Handler): Handler =>
    async (request) => {
      const done = new AbortController();
      const late = sleep(clock, timeoutMs, done.signal).then(
        () => text(`Exceeded configured timeout of ${timeoutMs / 1000}s.\n`, 503),
        () => text('', 503),
      );
      try {
        return await Promise.race([handler(request), late]);
      } finally {
        done.abort();
      }
    };
  return routes.map((route) => {
    const handler = counted(route.handler);
    return { ...route, handler: timeoutMs > 0 ? timed(handler) : handler };
  });
}
