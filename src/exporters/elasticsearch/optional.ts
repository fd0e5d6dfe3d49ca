// Collectors of elasticsearch_exporter that are off unless named: indices, shards, snapshots, settings, life cycles, data streams,
// tasks, the health report. Each asks one or two paths; a table says what of an answer becomes which metric.

import type { Page } from '../page.ts';
import { at, type Field, type Json } from './json.ts';

export type Get = (path: string) => Promise<unknown>;
type Collect = (page: Page, get: Get, cluster: string) => Promise<void>;

/** Below `primaries` and `total` of an index, as `elasticsearch_indices_<metric>` with primary and total in the name. */
const INDEX_BOTH: readonly (readonly [path: string, primary: string, total: string])[] = [
  ['docs.count', 'docs_primary', 'docs_total'],
  ['docs.deleted', 'deleted_docs_primary', 'deleted_docs_total'],
  ['store.size_in_bytes', 'store_size_bytes_primary', 'store_size_bytes_total'],
  ['segments.count', 'segment_count_primary', 'segment_count_total'],
  ['segments.memory_in_bytes', 'segment_memory_bytes_primary', 'segment_memory_bytes_total'],
  ['segments.terms_memory_in_bytes', 'segment_terms_memory_primary', 'segment_terms_memory_total'],
  [
    'segments.stored_fields_memory_in_bytes',
    'segment_fields_memory_bytes_primary',
    'segment_fields_memory_bytes_total',
  ],
  [
    'segments.term_vectors_memory_in_bytes',
    'segment_term_vectors_memory_primary_bytes',
    'segment_term_vectors_memory_total_bytes',
  ],
  ...['norms', 'points', 'doc_values', 'index_writer', 'version_map'].map(
    (kind) =>
      [
        `segments.${kind}_memory_in_bytes`,
        `segment_${kind}_memory_bytes_primary`,
        `segment_${kind}_memory_bytes_total`,
      ] as const,
  ),
  [
    'segments.fixed_bit_set_memory_in_bytes',
    'segment_fixed_bit_set_memory_bytes_primary',
    'segment_fixed_bit_set_memory_bytes_total',
  ],
  ['completion.size_in_bytes', 'completion_bytes_primary', 'completion_bytes_total'],
];

/** Below `total` of an index, as `elasticsearch_index_stats_<metric>`. */
const INDEX_STATS: readonly Field[] = [
  ['search.query_time_in_millis', 'search_query_time_seconds_total', 'counter', 1000],
  ['search.query_current', 'active_queries', 'gauge'],
  ['search.query_total', 'search_query_total', 'counter'],
  ['search.fetch_time_in_millis', 'search_fetch_time_seconds_total', 'counter', 1000],
  ['search.fetch_total', 'search_fetch_total', 'counter'],
  ['search.scroll_time_in_millis', 'search_scroll_time_seconds_total', 'counter', 1000],
  ['search.scroll_current', 'search_scroll_current', 'gauge'],
  ['search.scroll_total', 'search_scroll_total', 'counter'],
  ['search.suggest_time_in_millis', 'search_suggest_time_seconds_total', 'counter', 1000],
  ['search.suggest_total', 'search_suggest_total', 'counter'],
  ['indexing.index_time_in_millis', 'indexing_index_time_seconds_total', 'counter', 1000],
  ['indexing.index_current', 'index_current', 'gauge'],
  ['indexing.index_total', 'indexing_index_total', 'counter'],
  ['indexing.index_failed', 'indexing_index_failed_total', 'counter'],
  ['indexing.delete_time_in_millis', 'indexing_delete_time_seconds_total', 'counter', 1000],
  ['indexing.delete_current', 'indexing_delete_current', 'gauge'],
  ['indexing.delete_total', 'indexing_delete_total', 'counter'],
  ['indexing.noop_update_total', 'indexing_noop_update_total', 'counter'],
  ['indexing.throttle_time_in_millis', 'indexing_throttle_time_seconds_total', 'counter', 1000],
  ['indexing.is_throttled', 'indexing_is_throttled', 'gauge'],
  ['indexing.write_load', 'indexing_write_load', 'gauge'],
  ['get.time_in_millis', 'get_time_seconds_total', 'counter', 1000],
  ['get.total', 'get_total', 'counter'],
  ['merges.total_time_in_millis', 'merge_time_seconds_total', 'counter', 1000],
  ['merges.total', 'merge_total', 'counter'],
  ['merges.total_throttled_time_in_millis', 'merge_throttle_time_seconds_total', 'counter', 1000],
  ['merges.total_stopped_time_in_millis', 'merge_stopped_time_seconds_total', 'counter', 1000],
  ['merges.total_auto_throttle_in_bytes', 'merge_auto_throttle_bytes_total', 'counter'],
  ['refresh.total_time_in_millis', 'refresh_time_seconds_total', 'counter', 1000],
  ['refresh.total', 'refresh_total', 'counter'],
  ['refresh.external_total_time_in_millis', 'refresh_external_time_seconds_total', 'counter', 1000],
  ['refresh.external_total', 'refresh_external_total', 'counter'],
  ['flush.total_time_in_millis', 'flush_time_seconds_total', 'counter', 1000],
  ['flush.total', 'flush_total', 'counter'],
  ['warmer.total_time_in_millis', 'warmer_time_seconds_total', 'counter', 1000],
  ['warmer.total', 'warmer_total', 'counter'],
  ['query_cache.memory_size_in_bytes', 'query_cache_memory_bytes_total', 'counter'],
  ['query_cache.cache_size', 'query_cache_size', 'gauge'],
  ['query_cache.hit_count', 'query_cache_hits_total', 'counter'],
  ['query_cache.miss_count', 'query_cache_misses_total', 'counter'],
  ['query_cache.cache_count', 'query_cache_caches_total', 'counter'],
  ['query_cache.evictions', 'query_cache_evictions_total', 'counter'],
  ['request_cache.memory_size_in_bytes', 'request_cache_memory_bytes_total', 'counter'],
  ['request_cache.hit_count', 'request_cache_hits_total', 'counter'],
  ['request_cache.miss_count', 'request_cache_misses_total', 'counter'],
  ['request_cache.evictions', 'request_cache_evictions_total', 'counter'],
  ['fielddata.memory_size_in_bytes', 'fielddata_memory_bytes_total', 'counter'],
  ['fielddata.evictions', 'fielddata_evictions_total', 'counter'],
];

export function addFields(
  page: Page,
  prefix: string,
  fields: readonly Field[],
  value: unknown,
  labels: readonly string[],
): void {
  for (const [path, metric, type, divisor = 1] of fields) {
    const number = Number(at(value, path) ?? Number.NaN);
    if (!Number.isNaN(number)) page.add(type, `elasticsearch_${prefix}${metric}`, `${path}.`, number / divisor, labels);
  }
}

const entries = (value: unknown): [string, Json][] => Object.entries((value ?? {}) as Record<string, Json>);
const list = (value: unknown): readonly Json[] => (Array.isArray(value) ? value : []);

const indices: Collect = async (page, get, cluster) => {
  for (const [index, about] of entries(at(await get('_all/_stats'), 'indices'))) {
    const labels = ['cluster', cluster, 'index', index];
    for (const [path, primary, total] of INDEX_BOTH)
      for (const [part, metric] of [
        ['primaries', primary],
        ['total', total],
      ] as const)
        addFields(page, 'indices_', [[`${part}.${path}`, metric, 'gauge']], about, labels);
    addFields(page, 'index_stats_', INDEX_STATS, about['total'], labels);
  }
  for (const [index, about] of entries(await get('_alias')))
    for (const [alias] of entries(about['aliases']))
      page.gauge('elasticsearch_indices_aliases', 'An alias of an index.', 1, [
        'alias',
        alias,
        'cluster',
        cluster,
        'index',
        index,
      ]);
};

const SHARD_FIELDS: readonly Field[] = [
  ['docs.count', 'docs', 'gauge'],
  ['docs.deleted', 'docs_deleted', 'gauge'],
  ['store.size_in_bytes', 'store_size_in_bytes', 'gauge'],
];

const shards: Collect = async (page, get, cluster) => {
  for (const [index, about] of entries(at(await get('_all/_stats?level=shards'), 'indices')))
    for (const [shard, copies] of entries(about['shards']))
      for (const copy of list(copies)) {
        const labels = ['cluster', cluster, 'index', index, 'node', String(at(copy, 'routing.node') ?? '')];
        labels.push('primary', String(at(copy, 'routing.primary') ?? ''), 'shard', shard);
        addFields(page, 'indices_shards_', SHARD_FIELDS, copy, labels);
      }
  const counts = new Map<string, number>();
  for (const { node, state } of list(await get('_cat/shards?format=json')))
    if (state === 'STARTED') counts.set(String(node), (counts.get(String(node)) ?? 0) + 1);
  for (const [node, count] of counts)
    page.gauge('elasticsearch_node_shards_total', 'Shards of a node.', count, ['cluster', cluster, 'node', node]);
};

const LAST_SNAPSHOT: readonly Field[] = [
  ['start_time_in_millis', 'snapshot_start_time_timestamp', 'gauge', 1000],
  ['end_time_in_millis', 'snapshot_end_time_timestamp', 'gauge', 1000],
  ['indices.length', 'snapshot_number_of_indices', 'gauge'],
  ['failures.length', 'snapshot_number_of_failures', 'gauge'],
  ['shards.total', 'snapshot_total_shards', 'gauge'],
  ['shards.failed', 'snapshot_failed_shards', 'gauge'],
  ['shards.successful', 'snapshot_successful_shards', 'gauge'],
];

const snapshots: Collect = async (page, get) => {
  for (const [repository] of entries(await get('_snapshot'))) {
    const all = list(at(await get(`_snapshot/${encodeURIComponent(repository)}/_all`), 'snapshots'));
    const labels = ['repository', repository];
    const seconds = (one: Json | undefined) => Math.floor(Number(one?.['start_time_in_millis'] ?? 0) / 1000);
    const good = all.findLast(({ state }) => state === 'SUCCESS');
    const prefix = 'elasticsearch_snapshot_stats';
    page.gauge(`${prefix}_number_of_snapshots`, 'Snapshots of a repository.', all.length, labels);
    page.gauge(`${prefix}_oldest_snapshot_timestamp`, 'When the oldest began.', seconds(all[0]), labels);
    page.gauge(
      `${prefix}_latest_snapshot_timestamp_seconds`,
      'When the latest that succeeded began.',
      seconds(good),
      labels,
    );
    const last = all.at(-1);
    if (last)
      addFields(page, 'snapshot_stats_', LAST_SNAPSHOT, last, [
        ...labels,
        'state',
        String(last['state'] ?? ''),
        'version',
        String(last['version'] ?? ''),
      ]);
  }
};

const ALLOCATION: Readonly<Record<string, number>> = { all: 0, primaries: 1, new_primaries: 2, none: 3 };
const BYTES: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1024,
  mb: 1024 ** 2,
  gb: 1024 ** 3,
  tb: 1024 ** 4,
  pb: 1024 ** 5,
};

/** What is set for now counts before what is set for good, and that before what is built in. */
const clustersettings: Collect = async (page, get) => {
  const answer = await get('_cluster/settings?include_defaults=true&flat_settings=true');
  const setting = (name: string) =>
    ['transient', 'persistent', 'defaults']
      .map((part) => (at(answer, part) as Json | undefined)?.[name])
      .find((value) => value !== undefined);
  const prefix = 'elasticsearch_clustersettings';
  const enabled = ALLOCATION[String(setting('cluster.routing.allocation.enable'))];
  if (enabled !== undefined)
    page.gauge(`${prefix}_stats_shard_allocation_enabled`, 'Which shards may be allocated: 0 all to 3 none.', enabled);
  const most = Number(setting('cluster.max_shards_per_node') ?? Number.NaN);
  if (!Number.isNaN(most)) page.gauge(`${prefix}_stats_max_shards_per_node`, 'Most shards of a node.', most);
  const disk = 'cluster.routing.allocation.disk';
  const threshold = setting(`${disk}.threshold_enabled`);
  if (threshold !== undefined)
    page.gauge(
      `${prefix}_allocation_threshold_enabled`,
      'Whether disks limit allocation.',
      Number(String(threshold) === 'true'),
    );
  for (const level of ['flood_stage', 'high', 'low']) {
    const text = String(setting(`${disk}.watermark.${level}`) ?? '');
    const metric = `${prefix}_allocation_watermark_${level}`;
    const bytes = /^(\d+(?:\.\d+)?)([kmgtp]?b)$/i.exec(text);
    const ratio = /^(\d+(?:\.\d+)?)%$/.exec(text)?.[1];
    if (ratio !== undefined) page.gauge(`${metric}_ratio`, 'Share of a disk.', Number(ratio) / 100);
    else if (bytes)
      page.gauge(`${metric}_bytes`, 'Bytes of a disk.', Number(bytes[1]) * BYTES[bytes[2]!.toLowerCase()]!);
    else if (/^0?\.\d+$/.test(text)) page.gauge(`${metric}_ratio`, 'Share of a disk.', Number(text));
  }
};

const OPERATION_MODES = ['RUNNING', 'STOPPING', 'STOPPED'];
const addMode = (page: Page, metric: string, mode: unknown) => {
  for (const one of OPERATION_MODES)
    page.gauge(metric, 'How it operates.', mode === one ? 1 : 0, ['operation_mode', one]);
};

const SLM_TOTALS: readonly Field[] = [
  ['retention_runs', 'retention_runs_total', 'counter'],
  ['retention_failed', 'retention_failed_total', 'counter'],
  ['retention_timed_out', 'retention_timed_out_total', 'counter'],
  ['retention_deletion_time_millis', 'retention_deletion_time_seconds', 'gauge', 1000],
  ['total_snapshots_taken', 'total_snapshots_taken_total', 'counter'],
  ['total_snapshots_failed', 'total_snapshots_failed_total', 'counter'],
  ['total_snapshots_deleted', 'total_snapshots_deleted_total', 'counter'],
  ['total_snapshot_deletion_failures', 'total_snapshot_deletion_failures_total', 'counter'],
];
const SLM_POLICY: readonly Field[] = [
  ['snapshots_taken', 'snapshots_taken_total', 'counter'],
  ['snapshots_failed', 'snapshots_failed_total', 'counter'],
  ['snapshots_deleted', 'snapshots_deleted_total', 'counter'],
  ['snapshot_deletion_failures', 'snapshot_deletion_failures_total', 'counter'],
];

const slm: Collect = async (page, get) => {
  addMode(page, 'elasticsearch_slm_stats_operation_mode', at(await get('_slm/status'), 'operation_mode'));
  const stats = await get('_slm/stats');
  addFields(page, 'slm_stats_', SLM_TOTALS, stats, []);
  for (const policy of list(at(stats, 'policy_stats')))
    addFields(page, 'slm_stats_', SLM_POLICY, policy, ['policy', String(policy['policy'])]);
};

const ilm: Collect = async (page, get) => {
  addMode(page, 'elasticsearch_ilm_status', at(await get('_ilm/status'), 'operation_mode'));
  for (const [index, about] of entries(at(await get('_all/_ilm/explain'), 'indices'))) {
    const text = (name: string) => String(about[name] ?? '');
    const labels = ['action', text('action'), 'index', index, 'phase', text('phase'), 'step', text('step')];
    page.gauge(
      'elasticsearch_ilm_index_status',
      'Whether a life cycle is managed.',
      about['managed'] === true ? 1 : 0,
      labels,
    );
  }
};

const dataStream: Collect = async (page, get) => {
  const fields: readonly Field[] = [
    ['backing_indices', 'backing_indices_total', 'counter'],
    ['store_size_bytes', 'store_size_bytes', 'counter'],
  ];
  for (const stream of list(at(await get('_data_stream/*/_stats'), 'data_streams')))
    addFields(page, 'data_stream_', fields, stream, ['data_stream', String(stream['data_stream'])]);
};

const tasks: Collect = async (page, get) => {
  const counts = new Map<string, number>();
  for (const { action } of list(at(await get('_tasks?group_by=none'), 'tasks')))
    counts.set(String(action), (counts.get(String(action)) ?? 0) + 1);
  for (const [action, count] of counts)
    page.gauge('elasticsearch_task_stats_action', 'Tasks by action.', count, ['action', action]);
};

const SETTINGS: readonly Field[] = [
  ['settings.index.mapping.total_fields.limit', 'total_fields', 'gauge'],
  ['settings.index.number_of_replicas', 'replicas', 'gauge'],
  ['settings.index.number_of_shards', 'shards', 'gauge'],
  ['settings.index.creation_date', 'creation_timestamp_seconds', 'gauge', 1000],
];
const DEFAULT_FIELDS = 1000;

const indicesSettings: Collect = async (page, get) => {
  let readOnly = 0;
  for (const [index, about] of entries(await get('_all/_settings'))) {
    const labels = ['index', index];
    if (String(at(about, 'settings.index.blocks.read_only')) === 'true') readOnly++;
    if (at(about, 'settings.index.mapping.total_fields.limit') === undefined)
      page.gauge('elasticsearch_indices_settings_total_fields', 'Limit of fields.', DEFAULT_FIELDS, labels);
    addFields(page, 'indices_settings_', SETTINGS, about, labels);
  }
  page.gauge('elasticsearch_indices_settings_stats_read_only_indices', 'Indices that are read-only.', readOnly);
};

const HEALTH_FIELDS: readonly Field[] = [
  ['repository_integrity.details.total_repositories', 'total_repositories', 'gauge'],
  ['shards_capacity.details.data.max_shards_in_cluster', 'max_shards_in_cluster_data', 'gauge'],
  ['shards_capacity.details.frozen.max_shards_in_cluster', 'max_shards_in_cluster_frozen', 'gauge'],
  ...['restarting', 'creating', 'initializing', 'unassigned', 'started'].flatMap((state): Field[] =>
    ['replicas', 'primaries'].map((kind) => [
      `shards_availability.details.${state}_${kind}`,
      `${state}_${kind}`,
      'gauge',
    ]),
  ),
  ['slm.details.policies', 'slm_policies', 'gauge'],
  ['ilm.details.policies', 'ilm_policies', 'gauge'],
  ['ilm.details.stagnating_indices', 'ilm_stagnating_indices', 'gauge'],
];
/** Indicators and their metrics; one is misspelt where the name comes from. */
const INDICATORS: readonly (readonly [name: string, metric: string])[] = [
  ['master_is_stable', 'master_is_stable_status'],
  ['repository_integrity', 'repository_integrity_status'],
  ['disk', 'disk_status'],
  ['shards_capacity', 'shards_capacity_status'],
  ['shards_availability', 'shards_availabilty_status'],
  ['data_stream_lifecycle', 'data_stream_lifecycle_status'],
  ['slm', 'slm_status'],
  ['ilm', 'ilm_status'],
];

const healthReport: Collect = async (page, get, cluster) => {
  const report = await get('_health_report');
  addFields(page, 'health_report_', HEALTH_FIELDS, at(report, 'indicators'), ['cluster', cluster]);
  const status = (metric: string, value: unknown) => {
    for (const color of ['green', 'yellow', 'red'])
      page.gauge(`elasticsearch_health_report_${metric}`, 'Health by colour.', value === color ? 1 : 0, [
        'cluster',
        cluster,
        'color',
        color,
      ]);
  };
  status('status', at(report, 'status'));
  for (const [name, metric] of INDICATORS) {
    const value = at(report, `indicators.${name}.status`);
    if (value !== undefined) status(metric, value);
  }
};

export const OPTIONAL: Readonly<Record<string, Collect>> = {
  clustersettings,
  data_stream: dataStream,
  'health-report': healthReport,
  ilm,
  indices,
  indices_settings: indicesSettings,
  shards,
  slm,
  snapshots,
  tasks,
};
