// Hono: `app.use(instrumentHono())` before the routes. The template is that of the last handler that matched; middleware mounted on
// wildcards is no route.

import { createHttpMetrics, type InstrumentOptions, lengthOf } from './metrics.ts';

type HonoContext = {
  readonly req: {
    readonly method: string;
    readonly path: string;
    header(name: string): string | undefined;
    readonly matchedRoutes?: readonly { readonly path: string; readonly method: string }[];
  };
  readonly res: { readonly status: number; readonly headers: { get(name: string): string | null } };
};

export function instrumentHono(options: InstrumentOptions = {}) {
  const metrics = createHttpMetrics(options);
  return async (context: HonoContext, next: () => Promise<void>): Promise<void> => {
    const end = metrics.begin(context.req.method, context.req.path);
    try {
      await next();
    } finally {
      end?.({
        route: routeOf(context),
        status: context.res.status,
        requestBytes: lengthOf(context.req.header('content-length')),
        responseBytes: lengthOf(context.res.headers.get('content-length')),
      });
    }
  };
}

function routeOf(context: HonoContext): string | undefined {
  const routes = context.req.matchedRoutes ?? [];
  // Handlers have a method of their own; middleware is mounted for ALL.
  return (
    routes.findLast((route) => route.method !== 'ALL')?.path ??
    routes.findLast((route) => !route.path.endsWith('*'))?.path
  );
}
