// The store's own metrics beside the head's counters: what there is, what the log does, whether anything is refused.

import type { Registry } from '#model/registry.ts';
import type { LogKeeper } from './keeper.ts';
import type { ShardStore } from './shard.ts';

export function storeMetrics(registry: Registry, store: ShardStore, keeper: LogKeeper): void {
  const { head } = store;
  const gauge = (name: string, help: string, value: () => number) =>
    registry.collected(name, help, 'gauge', () => [{ value: value() }]);
  const counter = (name: string, help: string, value: () => number) =>
    registry.collected(name, help, 'counter', () => [{ value: value() }]);
  gauge('prometheus_tsdb_head_series', 'Total number of series in the head block.', () => head.table.counts().series);
  gauge('prometheus_tsdb_head_chunks', 'Total number of chunks in the head block.', () => {
    const { closedChunks, openChunks } = head.table.counts();
    return closedChunks + openChunks + head.histograms.count;
  });
  counter('prometheus_tsdb_head_chunks_created_total', 'Total number of chunks created in the head', () => {
    return head.table.counts().chunksCreated;
  });
  counter('prometheus_tsdb_wal_corruptions_total', 'Damaged places found in the log.', () => keeper.report.damages);
  counter('prometheus_tsdb_wal_writes_failed_total', 'Writes of the log that failed.', () => keeper.failures);
  counter('prometheus_tsdb_checkpoint_creations_total', 'Checkpoints of the log.', () => keeper.checkpoints);
  counter('pharos_store_log_syncs_total', 'Times the log was synced to disk.', () => keeper.syncs);
  counter('pharos_store_log_lost_entries_total', 'Entries of the log whose series could not be read.', () => {
    return keeper.report.orphans;
  });
  gauge(
    'prometheus_tsdb_wal_segment_current',
    'Number of the segment that the log writes, added up over shards.',
    () => {
      return keeper.log.samples.sequence;
    },
  );
  gauge('prometheus_tsdb_wal_storage_size_bytes', 'Size of the log.', () => keeper.diskBytes);
  gauge(
    'prometheus_tsdb_data_replay_duration_seconds',
    'Time that loading the log took, added up over shards.',
    () => keeper.loadMs / 1000,
  );
  const time = (name: string, help: string, value: () => number) => {
    const known = (scale: number) => (Number.isFinite(value()) ? [{ value: value() / scale }] : []);
    registry.collected(name, `${help}, milliseconds.`, 'gauge', () => known(1));
    registry.collected(`${name}_seconds`, `${help}, seconds.`, 'gauge', () => known(1000));
  };
  const headTime = (pick: 'min' | 'max') => {
    const range = store.headRange;
    return range.min <= range.max ? range[pick] : Number.NaN;
  };
  time('prometheus_tsdb_head_min_time', 'First time in the head', () => headTime('min'));
  time('prometheus_tsdb_head_max_time', 'Last time in the head', () => headTime('max'));
  time('prometheus_tsdb_lowest_timestamp', 'First time that is stored', () => {
    const head = headTime('min');
    const blocks = store.blocks.range?.min ?? Number.NaN;
    return Number.isNaN(head) || blocks < head ? blocks : head;
  });
  gauge('pharos_store_head_bytes', 'Memory that series and chunks take.', () => head.table.counts().usedBytes);
  gauge('pharos_store_read_only', '1 while the log cannot be written and nothing is taken.', () =>
    store.isReadOnly ? 1 : 0,
  );
  gauge('prometheus_tsdb_exemplar_exemplars_in_storage', 'Exemplars in storage.', () => head.exemplars.count);
}
