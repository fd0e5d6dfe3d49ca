// What the head holds, under /api/v1/status: Prometheus' statistics and, beside them, what churns, what no query reads, and what
// limits have refused; and how far the log has been read.

import type { Cardinality, Ranked } from '#store/head/cardinality.ts';
import { ApiError, type HttpRequest, type Route, success } from './http.ts';

export type TsdbOptions = {
  readonly cardinality: (limit: number) => Promise<Cardinality>;
  readonly replay: () => Promise<readonly { readonly doneBytes: number; readonly totalBytes: number }[]>;
};

const DEFAULT_LIMIT = 10;
const MAX_LIMIT = 10_000;
/** What Prometheus says of an empty head: the ends of int64. */
const EMPTY_MIN_TIME = '9223372036854775807';
const EMPTY_MAX_TIME = '-9223372036854775808';

export function tsdbRoutes(options: TsdbOptions): Route[] {
  return [
    {
      methods: ['GET'],
      pattern: '/api/v1/status/tsdb',
      handler: async (request) => {
        const found = await options.cardinality(limitOf(request));
        const response = success({
          headStats: {
            numSeries: found.numSeries,
            numLabelPairs: found.numLabelPairs,
            chunkCount: found.chunkCount,
            minTime: found.minTime,
            maxTime: found.maxTime,
            memoryBytes: found.memoryBytes,
          },
          seriesCountByMetricName: ranked(found.seriesCountByMetricName),
          labelValueCountByLabelName: ranked(found.labelValueCountByLabelName),
          memoryInBytesByLabelName: ranked(found.memoryInBytesByLabelName),
          seriesCountByLabelValuePair: ranked(found.seriesCountByLabelValuePair),
          churnByMetricName: ranked(found.churnByMetricName),
          unusedByMetricName: ranked(found.unusedByMetricName),
          refusals: found.refusals,
        });
        return found.minTime <= found.maxTime ? response : { ...response, body: emptyTimes(String(response.body)) };
      },
    },
    {
      methods: ['GET'],
      pattern: '/api/v1/status/walreplay',
      handler: async () => {
        const parts = await options.replay();
        const sum = (of: 'doneBytes' | 'totalBytes') => parts.reduce((total, part) => total + part[of], 0);
        return success({ min: 0, max: sum('totalBytes'), current: sum('doneBytes') });
      },
    },
  ];
}

const ranked = (list: readonly Ranked[]) => list.map(({ name, value }) => ({ name, value }));

/** The ends of int64 are no doubles, so they are put into the text. */
function emptyTimes(body: string): string {
  return body
    .replace(/"minTime":[^,}]+/, `"minTime":${EMPTY_MIN_TIME}`)
    .replace(/"maxTime":[^,}]+/, `"maxTime":${EMPTY_MAX_TIME}`);
}

function limitOf({ query }: HttpRequest): number {
  const text = query.get('limit');
  if (text === null || text === '') return DEFAULT_LIMIT;
  const limit = Number(text);
  if (!Number.isInteger(limit) || limit < 1) throw new ApiError('bad_data', 'limit must be a positive number');
  if (limit > MAX_LIMIT) throw new ApiError('bad_data', `limit must not exceed ${MAX_LIMIT}`);
  return limit;
}
