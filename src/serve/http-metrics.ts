// What the HTTP server counts about its requests, under the names that the program it stands for has for them.

import type { Registry } from '#model/registry.ts';

export type Answered = {
  /** The route's pattern. */
  readonly handler: string;
  readonly method: string;
  readonly code: number;
  readonly seconds: number;
  readonly sizeBytes: number;
};

export type HttpMetrics = (answered: Answered) => void;

/** Powers of ten from 100 bytes on. */
const sizeBounds = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => 100 * 10 ** i);

export function prometheusHttpMetrics(registry: Registry): HttpMetrics {
  const requests = registry.counterVec('prometheus_http_requests_total', 'Counter of HTTP requests.', [
    'handler',
    'code',
  ]);
  const durations = registry.histogramVec(
    'prometheus_http_request_duration_seconds',
    'Histogram of latencies for HTTP requests.',
    ['handler'],
    [0.1, 0.2, 0.4, 1, 3, 8, 20, 60, 120],
  );
  const sizes = registry.histogramVec(
    'prometheus_http_response_size_bytes',
    'Histogram of response size for HTTP requests.',
    ['handler'],
    sizeBounds(8),
  );
  return ({ handler, code, seconds, sizeBytes }) => {
    requests.with(handler, String(code)).add();
    durations.with(handler).observe(seconds);
    sizes.with(handler).observe(sizeBytes);
  };
}

export function alertmanagerHttpMetrics(registry: Registry): HttpMetrics {
  const durations = registry.histogramVec(
    'alertmanager_http_request_duration_seconds',
    'Histogram of latencies for HTTP requests.',
    ['handler', 'method', 'code'],
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  );
  const sizes = registry.histogramVec(
    'alertmanager_http_response_size_bytes',
    'Histogram of response size for HTTP requests.',
    ['handler', 'method'],
    sizeBounds(7),
  );
  return ({ handler, method, code, seconds, sizeBytes }) => {
    const shown = handler === '/api/v2/silence/:id' ? '/api/v2/silence/{silenceID}' : handler;
    durations.with(shown, method.toLowerCase(), String(code)).observe(seconds);
    sizes.with(shown, method.toLowerCase()).observe(sizeBytes);
  };
}
