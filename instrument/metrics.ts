// What every framework's middleware reports: requests by method, route template and status, their duration and sizes, and how many are
// under way. The route is the template ("/users/:id"), never the path, so that the number of series stays bounded.

import { Counter, Gauge, Histogram, type Registry, register } from '@prometheus-io/client';

export type InstrumentOptions = {
  /** Where the metrics are registered; the client's default registry if not given. */
  readonly registry?: Registry;
  /** Prepended to every name, with an underscore. */
  readonly prefix?: string;
  /** Upper bounds of the duration histogram, seconds. */
  readonly durationBuckets?: readonly number[];
  /** Upper bounds of the size histograms, bytes. */
  readonly sizeBuckets?: readonly number[];
  /** Requests that are not counted, such as those of the scraper itself. */
  readonly ignore?: (method: string, path: string) => boolean;
};

/** Requests that matched no route share one value; an attacker's paths must not become series. */
export const UNMATCHED = '(unmatched)';
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

export type Finished = {
  /** The template; undefined when no route matched. */
  readonly route: string | undefined;
  readonly status: number;
  readonly requestBytes: number | undefined;
  readonly responseBytes: number | undefined;
};

export type HttpMetrics = {
  /** Marks the beginning of a request; the result marks its end, once. Undefined: the request is not counted. */
  begin(method: string, path: string): ((finished: Finished) => void) | undefined;
};

export function createHttpMetrics(options: InstrumentOptions = {}): HttpMetrics {
  const registers = [options.registry ?? register];
  const named = (name: string) => (options.prefix ? `${options.prefix}_${name}` : name);
  const labelNames = ['method', 'route', 'status'] as const;
  const requests = new Counter({
    name: named('http_requests_total'),
    help: 'Requests answered.',
    labelNames,
    registers,
  });
  const duration = new Histogram({
    name: named('http_request_duration_seconds'),
    help: 'Time from the request to the end of its answer.',
    labelNames,
    buckets: [...(options.durationBuckets ?? [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10])],
    registers,
  });
  const inFlight = new Gauge({ name: named('http_requests_in_flight'), help: 'Requests under way.', registers });
  const sizeBuckets = [...(options.sizeBuckets ?? [100, 1000, 10_000, 100_000, 1_000_000, 10_000_000])];
  const sizes = (direction: 'request' | 'response') =>
    new Histogram({
      name: named(`http_${direction}_size_bytes`),
      help: `Size of ${direction} bodies.`,
      labelNames: ['method', 'route'] as const,
      buckets: sizeBuckets,
      registers,
    });
  const [requestSize, responseSize] = [sizes('request'), sizes('response')];
  return {
    begin(rawMethod, path) {
      if (options.ignore?.(rawMethod, path)) return undefined;
      const method = METHODS.has(rawMethod) ? rawMethod : 'other';
      const started = process.hrtime.bigint();
      inFlight.inc();
      let isOpen = true;
      return ({ route = UNMATCHED, status, requestBytes, responseBytes }) => {
        if (!isOpen) return;
        isOpen = false;
        inFlight.dec();
        const labels = { method, route, status: String(status) };
        requests.inc(labels);
        duration.observe(labels, Number(process.hrtime.bigint() - started) / 1e9);
        if (requestBytes !== undefined) requestSize.observe({ method, route }, requestBytes);
        if (responseBytes !== undefined) responseSize.observe({ method, route }, responseBytes);
      };
    },
  };
}

/** Content-Length as a number; undefined when it is absent. */
export function lengthOf(header: string | string[] | number | undefined | null): number | undefined {
  const length = Number(Array.isArray(header) ? header[0] : (header ?? Number.NaN));
  return Number.isFinite(length) ? length : undefined;
}

/** What a client that went away before the answer counts as. */
export const CLIENT_CLOSED = 499;
