// The page of an exporter: a limit on requests at a time, and what the query asks for and cannot have. What is on the page, and in
// which format, is the exporter's.

import { errorText, UserError } from '#base/errors.ts';
import type { RenderedPage } from '#wire/exposition/write.ts';
import { type Route, text } from './http.ts';

export type ExporterPage = {
  readonly path: string;
  /** How many requests may collect at once; 0 for no limit. */
  readonly maxRequests: number;
  /** Throws a UserError when the query asks for what there is not. */
  readonly render: (query: URLSearchParams, accept: string) => Promise<RenderedPage>;
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
        const { contentType, body } = await page.render(request.query, String(request.headers['accept'] ?? ''));
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
