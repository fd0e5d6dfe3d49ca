// The head's own metrics, under the names that Prometheus' dashboards and alerts know.

import type { Counter, Registry, Vec } from '#model/registry.ts';
import { LIMIT_NAMES, type LimitName } from './limits.ts';

export type HeadCounters = {
  readonly appended: { readonly float: Counter; readonly histogram: Counter };
  readonly outOfOrder: { readonly float: Counter; readonly histogram: Counter };
  readonly outOfBounds: { readonly float: Counter; readonly histogram: Counter };
  readonly tooOld: { readonly float: Counter; readonly histogram: Counter };
  readonly outOfOrderAppended: Counter;
  readonly duplicates: Counter;
  readonly tooFarInFuture: Counter;
  readonly invalid: Vec<Counter>;
  readonly created: Counter;
  readonly removed: Counter;
  readonly notFound: Counter;
  readonly chunksRemoved: Counter;
  readonly truncations: Counter;
  readonly limits: Readonly<Record<LimitName, Counter>>;
  readonly exemplars: Counter;
  readonly exemplarsOutOfOrder: Counter;
};

export function headCounters(registry: Registry): HeadCounters {
  const byType = (name: string, help: string) => {
    const vec = registry.counterVec(name, help, ['type']);
    return { float: vec.with('float'), histogram: vec.with('histogram') };
  };
  const limits = registry.counterVec('pharos_store_series_refused_total', 'Series refused because of a limit.', [
    'limit',
  ]);
  return {
    appended: byType('prometheus_tsdb_head_samples_appended_total', 'Total number of appended samples.'),
    outOfOrder: byType(
      'prometheus_tsdb_out_of_order_samples_total',
      'Samples refused because they are older than the newest of their series.',
    ),
    outOfBounds: byType(
      'prometheus_tsdb_out_of_bound_samples_total',
      'Samples refused because the head takes none of their time any more.',
    ),
    tooOld: byType(
      'prometheus_tsdb_too_old_samples_total',
      'Samples refused because they are older than the out-of-order window.',
    ),
    outOfOrderAppended: registry.counter(
      'prometheus_tsdb_head_out_of_order_samples_appended_total',
      'Out-of-order samples taken.',
    ),
    duplicates: registry.counter(
      'pharos_store_duplicate_samples_total',
      'Samples refused because their series has another value at their time.',
    ),
    tooFarInFuture: registry.counter(
      'pharos_store_too_far_in_future_samples_total',
      'Samples refused because their time is too far ahead of the clock.',
    ),
    invalid: registry.counterVec('pharos_store_invalid_series_total', 'Series refused because of what they are.', [
      'reason',
    ]),
    created: registry.counter('prometheus_tsdb_head_series_created_total', 'Series created in the head.'),
    removed: registry.counter('prometheus_tsdb_head_series_removed_total', 'Series removed from the head.'),
    notFound: registry.counter('prometheus_tsdb_head_series_not_found_total', 'Samples for refs that are unknown.'),
    chunksRemoved: registry.counter('prometheus_tsdb_head_chunks_removed_total', 'Chunks removed from the head.'),
    truncations: registry.counter('prometheus_tsdb_head_truncations_total', 'Truncations of the head.'),
    limits: Object.fromEntries(LIMIT_NAMES.map((name) => [name, limits.with(name)])) as Record<LimitName, Counter>,
    exemplars: registry.counter('prometheus_tsdb_exemplar_exemplars_appended_total', 'Exemplars taken.'),
    exemplarsOutOfOrder: registry.counter(
      'prometheus_tsdb_exemplar_out_of_order_exemplars_total',
      'Exemplars refused because they are older than the newest of their series.',
    ),
  };
}
