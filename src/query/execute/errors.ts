// The errors that a query can end with while it runs. Their codes tell the API which status to answer; the texts are
// those of Prometheus.

import { OperatingError } from '#base/errors.ts';

export type QueryErrorCode =
  | 'query_execution'
  | 'query_too_many_samples'
  | 'query_too_many_series'
  | 'query_too_many_bytes'
  | 'query_timeout'
  | 'query_canceled'
  | 'query_queue_full';

export class QueryError extends OperatingError {
  constructor(code: QueryErrorCode, message: string, options?: ErrorOptions) {
    super(code, message, options);
    this.name = 'QueryError';
  }
}

export const executionError = (message: string): QueryError => new QueryError('query_execution', message);

export const SAME_LABELSET = (): QueryError => executionError('vector cannot contain metrics with the same labelset');

export const tooManySamples = (limit: number): QueryError =>
  new QueryError(
    'query_too_many_samples',
    `query processing would load too many samples into memory in query execution (limit ${limit})`,
  );

export const tooManySeries = (limit: number): QueryError =>
  new QueryError('query_too_many_series', `query selects too many series (limit ${limit})`);

export const tooManyBytes = (limit: number): QueryError =>
  new QueryError('query_too_many_bytes', `query needs too much memory (limit ${limit} bytes)`);
