// The administration of storage over HTTP, in Prometheus' shapes: deleting series, cleaning tombstones, snapshots; and what
// blocks there are.

import { errorText } from '#base/errors.ts';
import type { Matcher } from '#model/matcher.ts';
import type { TimeRange } from '#model/query.ts';
import { parseSelector } from '#query/parse/parser.ts';
import { parseFloat64 } from '#wire/exposition/number.ts';
import { ApiError, type HttpRequest, type HttpResponse, type Route, success } from './http.ts';

export type AdminOptions = {
  /** --web.enable-admin-api */
  readonly enabled: boolean;
  readonly delete: (matchers: readonly (readonly Matcher[])[], range: TimeRange) => Promise<void>;
  readonly cleanTombstones: () => Promise<void>;
  /** The name of the folder that was made. */
  readonly snapshot: (skipHead: boolean) => Promise<string>;
  readonly blocks: () => Promise<readonly object[]>;
};

const EVER: TimeRange = { min: -(2 ** 52), max: 2 ** 52 };
const NO_CONTENT: HttpResponse = { status: 204 };

export function adminRoutes(options: AdminOptions): Route[] {
  const route = (pattern: string, action: (request: HttpRequest) => Promise<HttpResponse>): Route => ({
    methods: ['POST', 'PUT'],
    pattern: `/api/v1/admin/tsdb/${pattern}`,
    role: 'admin',
    handler: async (request) => {
      if (!options.enabled) throw new ApiError('unavailable', 'admin APIs disabled');
      return action(request);
    },
  });
  return [
    route('delete_series', async ({ query }) => {
      const selectors = query.getAll('match[]');
      if (selectors.length === 0) throw new ApiError('bad_data', 'no match[] parameter provided');
      const range = { min: timeOf(query, 'start', EVER.min), max: timeOf(query, 'end', EVER.max) };
      const matchers = selectors.map((selector) => {
        try {
          return parseSelector(selector);
        } catch (error) {
          throw new ApiError('bad_data', `invalid parameter "match[]": ${errorText(error)}`);
        }
      });
      await options.delete(matchers, range);
      return NO_CONTENT;
    }),
    route('clean_tombstones', async () => {
      await options.cleanTombstones();
      return NO_CONTENT;
    }),
    route('snapshot', async ({ query }) => success({ name: await options.snapshot(booleanOf(query, 'skip_head')) })),
    {
      methods: ['GET'],
      pattern: '/api/v1/status/tsdb/blocks',
      handler: async () => success({ blocks: await options.blocks() }),
    },
  ];
}

/** Seconds since the epoch or RFC 3339, as milliseconds. */
function timeOf(query: URLSearchParams, name: string, otherwise: number): number {
  const text = query.get(name);
  if (text === null || text === '') return otherwise;
  const seconds = parseFloat64(text);
  const ms =
    seconds !== undefined ? Math.round(seconds * 1000) : /^\d{4}-\d\d-\d\dT/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms)) {
    const cause = `cannot parse ${JSON.stringify(text)} to a valid timestamp`;
    throw new ApiError('bad_data', `invalid parameter ${JSON.stringify(name)}: ${cause}`);
  }
  return Math.min(EVER.max, Math.max(EVER.min, ms));
}

/** As Go reads booleans. */
function booleanOf(query: URLSearchParams, name: string): boolean {
  const text = query.get(name) ?? '';
  if (text === '' || /^(0|f|F|false|FALSE|False)$/.test(text)) return false;
  if (/^(1|t|T|true|TRUE|True)$/.test(text)) return true;
  const cause = `unable to parse boolean: strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`;
  throw new ApiError('bad_data', `invalid parameter ${JSON.stringify(name)}: ${cause}`);
}
