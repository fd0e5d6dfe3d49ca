// The program's own metrics, in the format that the scraper asks for.

import type { MetricFamily } from '#model/family.ts';
import { render } from '#wire/exposition/write.ts';
import type { Route } from './http.ts';

/** `families` gathers them from all threads. */
export function metricsRoute(
  families: () => Promise<readonly MetricFamily[]> | readonly MetricFamily[],
  pattern = '/metrics',
): Route {
  return {
    methods: ['GET'],
    pattern,
    handler: async (request) => {
      const accept = request.headers['accept'];
      const { contentType, body } = render(await families(), Array.isArray(accept) ? accept.join(',') : accept);
      return { status: 200, headers: { 'content-type': contentType }, body };
    },
  };
}
