// The page of an exporter: whatever it collects, and its own metrics, in the format the scraper asks for.

import { errorText, UserError } from '#base/errors.ts';
import type { MetricFamily } from '#model/family.ts';
import { render } from '#wire/exposition/write.ts';
import { type Route, text } from './http.ts';

export type ExporterPage = {
  readonly path: string;
  /** How many requests may collect at once; 0 for no limit. */
  readonly maxRequests: number;
  readonly own: () => readonly MetricFamily[];
  /** Throws a UserError when the query asks for what there is not. */
  readonly collect: (query: URLSearchParams) => Promise<readonly MetricFamily[]>;
};

export function exporterRoute(page: ExporterPage): Route {
  let running = 0;
  return {
    methods: ['GET'],
    pattern: page.path,
    async handler(request) {
      if (page.maxRequests > 0 && running >= page.maxRequests)
        return text(`Limit of concurrent requests reached (${page.maxRequests}), try again later.\n`, 503);
      running++;
      try {
        const collected = await page.collect(request.query);
        const families = [...collected, ...page.own()].sort((a, b) => (a.name < b.name ? -1 : 1));
        const { contentType, body } = render(families, String(request.headers['accept'] ?? ''));
        return { status: 200, headers: { 'content-type': contentType }, body };
      } catch (error) {
        if (error instanceof UserError)
          return text(`Couldn't create filtered metrics handler: ${errorText(error)}`, 400);
        throw error;
      } finally {
        running--;
      }
    },
  };
}
