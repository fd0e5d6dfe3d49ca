// Fastify: `instrumentFastify(app)` before the routes are declared. Its hooks know the route's template and when an answer was sent or
// its client went away.

import { CLIENT_CLOSED, createHttpMetrics, type Finished, type InstrumentOptions, lengthOf } from './metrics.ts';

type Request = {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly routeOptions: { readonly url?: string | undefined };
  readonly is404: boolean;
};
type Reply = { readonly statusCode: number; getHeader(name: string): string | string[] | number | undefined };
type Hook = (request: Request, reply: Reply, done: () => void) => void;
/** The part of Fastify that is used. */
type Fastify = {
  addHook(name: 'onRequest', hook: Hook): unknown;
  addHook(name: 'onResponse', hook: Hook): unknown;
  addHook(name: 'onRequestAbort', hook: (request: Request, done: () => void) => void): unknown;
};

export function instrumentFastify(app: Fastify, options: InstrumentOptions = {}): void {
  const metrics = createHttpMetrics(options);
  const open = new WeakMap<object, (finished: Finished) => void>();
  const finish = (request: Request, status: number, responseBytes: number | undefined) =>
    open.get(request)?.({
      route: request.is404 ? undefined : request.routeOptions.url,
      status,
      requestBytes: lengthOf(request.headers['content-length']),
      responseBytes,
    });
  app.addHook('onRequest', (request: Request, _: Reply, done: () => void) => {
    const end = metrics.begin(request.method, request.url.split('?')[0]!);
    if (end) open.set(request, end);
    done();
  });
  app.addHook('onResponse', (request: Request, reply: Reply, done: () => void) => {
    finish(request, reply.statusCode, lengthOf(reply.getHeader('content-length')));
    done();
  });
  app.addHook('onRequestAbort', (request: Request, done: () => void) => {
    finish(request, CLIENT_CLOSED, undefined);
    done();
  });
}
