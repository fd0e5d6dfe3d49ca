// Koa: `app.use(instrumentKoa())` before the router. Routers (@koa/router and its kin) leave the template in `ctx._matchedRoute` or
// `ctx.routerPath`; without one, set `ctx.state.route`.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { createHttpMetrics, type InstrumentOptions } from './metrics.ts';
import { watch } from './node.ts';

type KoaContext = {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly state: Record<string, unknown>;
  readonly _matchedRoute?: unknown;
  readonly routerPath?: unknown;
};

export function instrumentKoa(options: InstrumentOptions = {}) {
  const metrics = createHttpMetrics(options);
  return async (context: KoaContext, next: () => Promise<unknown>): Promise<void> => {
    watch(metrics, context.req, context.res, () => {
      const route = context.state['route'] ?? context._matchedRoute ?? context.routerPath;
      return route === undefined ? undefined : String(route);
    });
    await next();
  };
}
