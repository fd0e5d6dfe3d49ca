// Express: `app.use(instrumentExpress())` before the routes.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { createHttpMetrics, type InstrumentOptions } from './metrics.ts';
import { watch } from './node.ts';

/** The part of Express' request that tells the route. */
type ExpressRequest = IncomingMessage & { readonly baseUrl?: string; readonly route?: { readonly path?: unknown } };

export function instrumentExpress(options: InstrumentOptions = {}) {
  const metrics = createHttpMetrics(options);
  return (request: ExpressRequest, response: ServerResponse, next: () => void): void => {
    watch(metrics, request, response, () => {
      const path = request.route?.path;
      if (path === undefined) return undefined;
      return `${request.baseUrl ?? ''}${Array.isArray(path) ? path.join('|') : String(path)}` || '/';
    });
    next();
  };
}
