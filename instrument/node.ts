// For plain node:http, and the part that Express and Koa share: a request is over when its answer is finished or its client is gone.

import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { CLIENT_CLOSED, createHttpMetrics, type HttpMetrics, type InstrumentOptions, lengthOf } from './metrics.ts';

/** Watches one request; the route is asked for at its end, when the framework knows it. */
export function watch(
  metrics: HttpMetrics,
  request: IncomingMessage,
  response: ServerResponse,
  route: () => string | undefined,
): void {
  const path = (request.url ?? '/').split('?')[0]!;
  const end = metrics.begin(request.method ?? 'GET', path);
  if (!end) return;
  const done = (isFinished: boolean) =>
    end({
      route: route(),
      status: isFinished ? response.statusCode : CLIENT_CLOSED,
      requestBytes: lengthOf(request.headers['content-length']),
      responseBytes: lengthOf(response.getHeader('content-length')),
    });
  response.once('finish', () => done(true));
  response.once('close', () => done(response.writableFinished));
}

/**
 * Wraps a listener. node:http knows no routes: `routeOf` names the template of a request, undefined for what no route
 * serves.
 */
export function instrumentListener(
  listener: RequestListener,
  routeOf: (request: IncomingMessage) => string | undefined,
  options: InstrumentOptions = {},
): RequestListener {
  const metrics = createHttpMetrics(options);
  return (request, response) => {
    watch(metrics, request, response, () => routeOf(request));
    listener(request, response);
  };
}
