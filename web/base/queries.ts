// The cache of answers: what retries, how long an answer is fresh. Client errors are never retried.

import { QueryClient } from '@tanstack/react-query';
import { ApiFailure } from './api.ts';

const RETRIES = 2;

export function createQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 5_000,
        refetchOnWindowFocus: false,
        networkMode: 'always',
        retry: (count, error) =>
          count < RETRIES && error instanceof ApiFailure && [0, 502, 503, 504].includes(error.status),
      },
      mutations: { networkMode: 'always' },
    },
  });
}
