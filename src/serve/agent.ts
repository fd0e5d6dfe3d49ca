// What an agent says to questions that need a store.

import { failure, type Route } from './http.ts';

const READ = ['alertmanagers', 'alerts', 'label/:name/values', 'rules', 'status/tsdb', 'status/tsdb/blocks'];
const ASKED = ['format_query', 'labels', 'parse_query', 'query', 'query_exemplars', 'query_range', 'series'];
const SEARCHED = ['search/label_names', 'search/label_values', 'search/metric_names'];
const CHANGED = ['admin/tsdb/clean_tombstones', 'admin/tsdb/delete_series', 'admin/tsdb/snapshot'];

export function unavailableRoutes(): Route[] {
  const routes = (methods: readonly string[], names: readonly string[]) =>
    names.map(
      (name): Route => ({
        methods,
        pattern: `/api/v1/${name}`,
        handler: () => failure('execution', 'unavailable with Prometheus Agent'),
      }),
    );
  return [
    ...routes(['GET'], READ),
    ...routes(['GET', 'POST'], [...ASKED, ...SEARCHED]),
    ...routes(['POST', 'PUT'], CHANGED),
  ];
}
