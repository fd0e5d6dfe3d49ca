// Elasticsearch and OpenSearch under elasticsearch_exporter's names: cluster health and the statistics of every node.

import type { Page } from '../page.ts';
import { Parts } from '../parts.ts';
import { httpText, type SourceKind } from '../source.ts';
import { at, type Field, type Json } from './json.ts';
import { OPTIONAL } from './optional.ts';

/** Fields of /_cluster/health. */
const HEALTH = [
  'active_primary_shards',
  'active_shards',
  'delayed_unassigned_shards',
  'initializing_shards',
  'number_of_data_nodes',
  'number_of_in_flight_fetch',
  'number_of_nodes',
  'number_of_pending_tasks',
  'relocating_shards',
  'task_max_waiting_in_queue_millis',
  'unassigned_shards',
];

const NODE: readonly Field[] = [
  ['indices.docs.count', 'indices_docs', 'gauge'],
  ['indices.docs.deleted', 'indices_docs_deleted', 'gauge'],
  ['indices.store.size_in_bytes', 'indices_store_size_bytes', 'gauge'],
  ['indices.store.throttle_time_in_millis', 'indices_store_throttle_time_seconds_total', 'counter', 1000],
  ['indices.indexing.index_total', 'indices_indexing_index_total', 'counter'],
  ['indices.indexing.index_time_in_millis', 'indices_indexing_index_time_seconds_total', 'counter', 1000],
  ['indices.indexing.delete_total', 'indices_indexing_delete_total', 'counter'],
  ['indices.indexing.delete_time_in_millis', 'indices_indexing_delete_time_seconds_total', 'counter', 1000],
  ['indices.get.total', 'indices_get_total', 'counter'],
  ['indices.get.time_in_millis', 'indices_get_time_seconds', 'counter', 1000],
  ['indices.search.query_total', 'indices_search_query_total', 'counter'],
  ['indices.search.query_time_in_millis', 'indices_search_query_time_seconds', 'counter', 1000],
  ['indices.search.fetch_total', 'indices_search_fetch_total', 'counter'],
  ['indices.search.fetch_time_in_millis', 'indices_search_fetch_time_seconds', 'counter', 1000],
  ['indices.merges.total', 'indices_merges_total', 'counter'],
  ['indices.merges.total_time_in_millis', 'indices_merges_total_time_seconds_total', 'counter', 1000],
  ['indices.merges.total_size_in_bytes', 'indices_merges_total_size_bytes_total', 'counter'],
  ['indices.refresh.total', 'indices_refresh_total', 'counter'],
  ['indices.refresh.total_time_in_millis', 'indices_refresh_time_seconds_total', 'counter', 1000],
  ['indices.flush.total', 'indices_flush_total', 'counter'],
  ['indices.flush.total_time_in_millis', 'indices_flush_time_seconds', 'counter', 1000],
  ['indices.translog.operations', 'indices_translog_operations', 'counter'],
  ['indices.translog.size_in_bytes', 'indices_translog_size_in_bytes', 'gauge'],
  ['indices.segments.count', 'indices_segments_count', 'gauge'],
  ['indices.segments.memory_in_bytes', 'indices_segments_memory_bytes', 'gauge'],
  ['indices.fielddata.memory_size_in_bytes', 'indices_fielddata_memory_size_bytes', 'gauge'],
  ['indices.fielddata.evictions', 'indices_fielddata_evictions', 'counter'],
  ['indices.query_cache.memory_size_in_bytes', 'indices_query_cache_memory_size_bytes', 'gauge'],
  ['indices.query_cache.evictions', 'indices_query_cache_evictions', 'counter'],
  ['indices.completion.size_in_bytes', 'indices_completion_size_in_bytes', 'counter'],
  ['indices.filter_cache.memory_size_in_bytes', 'indices_filter_cache_memory_size_bytes', 'gauge'],
  ['indices.filter_cache.evictions', 'indices_filter_cache_evictions', 'counter'],
  ['indices.query_cache.total_count', 'indices_query_cache_total', 'counter'],
  ['indices.query_cache.cache_size', 'indices_query_cache_cache_size', 'gauge'],
  ['indices.query_cache.cache_count', 'indices_query_cache_cache_total', 'counter'],
  ['indices.query_cache.hit_count', 'indices_query_cache_count', 'counter'],
  ['indices.query_cache.miss_count', 'indices_query_miss_count', 'counter'],
  ['indices.request_cache.memory_size_in_bytes', 'indices_request_cache_memory_size_bytes', 'gauge'],
  ['indices.request_cache.evictions', 'indices_request_cache_evictions', 'counter'],
  ['indices.request_cache.hit_count', 'indices_request_cache_count', 'counter'],
  ['indices.request_cache.miss_count', 'indices_request_miss_count', 'counter'],
  ['indices.get.missing_time_in_millis', 'indices_get_missing_time_seconds', 'counter', 1000],
  ['indices.get.missing_total', 'indices_get_missing_total', 'counter'],
  ['indices.get.exists_time_in_millis', 'indices_get_exists_time_seconds', 'counter', 1000],
  ['indices.get.exists_total', 'indices_get_exists_total', 'counter'],
  ['indices.refresh.external_total', 'indices_refresh_external_total', 'counter'],
  ['indices.refresh.external_total_time_in_millis', 'indices_refresh_external_time_seconds_total', 'counter', 1000],
  ['indices.search.suggest_total', 'indices_search_suggest_total', 'counter'],
  ['indices.search.suggest_time_in_millis', 'indices_search_suggest_time_seconds', 'counter', 1000],
  ['indices.search.scroll_total', 'indices_search_scroll_total', 'counter'],
  ['indices.search.scroll_time_in_millis', 'indices_search_scroll_time_seconds', 'counter', 1000],
  ['indices.search.scroll_current', 'indices_search_scroll_current', 'gauge'],
  ['indices.segments.terms_memory_in_bytes', 'indices_segments_terms_memory_in_bytes', 'gauge'],
  ['indices.segments.index_writer_memory_in_bytes', 'indices_segments_index_writer_memory_in_bytes', 'gauge'],
  ['indices.segments.norms_memory_in_bytes', 'indices_segments_norms_memory_in_bytes', 'gauge'],
  ['indices.segments.stored_fields_memory_in_bytes', 'indices_segments_stored_fields_memory_in_bytes', 'gauge'],
  ['indices.segments.doc_values_memory_in_bytes', 'indices_segments_doc_values_memory_in_bytes', 'gauge'],
  ['indices.segments.fixed_bit_set_memory_in_bytes', 'indices_segments_fixed_bit_set_memory_in_bytes', 'gauge'],
  ['indices.segments.term_vectors_memory_in_bytes', 'indices_segments_term_vectors_memory_in_bytes', 'gauge'],
  ['indices.segments.points_memory_in_bytes', 'indices_segments_points_memory_in_bytes', 'gauge'],
  ['indices.segments.version_map_memory_in_bytes', 'indices_segments_version_map_memory_in_bytes', 'gauge'],
  ['indices.warmer.total', 'indices_warmer_total', 'counter'],
  ['indices.warmer.total_time_in_millis', 'indices_warmer_time_seconds_total', 'counter', 1000],
  ['indices.indexing.throttle_time_in_millis', 'indices_indexing_throttle_time_seconds_total', 'counter', 1000],
  ['indices.indexing.is_throttled', 'indices_indexing_is_throttled', 'gauge'],
  ['indices.merges.current', 'indices_merges_current', 'gauge'],
  ['indices.merges.current_size_in_bytes', 'indices_merges_current_size_in_bytes', 'gauge'],
  ['indices.merges.total_docs', 'indices_merges_docs_total', 'counter'],
  [
    'indices.merges.total_throttled_time_in_millis',
    'indices_merges_total_throttled_time_seconds_total',
    'counter',
    1000,
  ],
  ['os.mem.actual_free_in_bytes', 'os_mem_actual_free_bytes', 'gauge'],
  ['os.mem.actual_used_in_bytes', 'os_mem_actual_used_bytes', 'gauge'],
  ['process.cpu.total_in_millis', 'process_cpu_seconds_total', 'counter', 1000],
  ['process.mem.resident_in_bytes', 'process_mem_resident_size_bytes', 'gauge'],
  ['process.mem.share_in_bytes', 'process_mem_share_size_bytes', 'gauge'],
  ['process.mem.total_virtual_in_bytes', 'process_mem_virtual_size_bytes', 'gauge'],
  ['process.cpu.percent', 'process_cpu_percent', 'gauge'],
  ['process.open_file_descriptors', 'process_open_files_count', 'gauge'],
  ['process.max_file_descriptors', 'process_max_files_descriptors', 'gauge'],
  ['os.cpu.percent', 'os_cpu_percent', 'gauge'],
  ['os.cpu.load_average.1m', 'os_load1', 'gauge'],
  ['os.cpu.load_average.5m', 'os_load5', 'gauge'],
  ['os.cpu.load_average.15m', 'os_load15', 'gauge'],
  ['os.mem.free_in_bytes', 'os_mem_free_bytes', 'gauge'],
  ['os.mem.used_in_bytes', 'os_mem_used_bytes', 'gauge'],
  ['jvm.uptime_in_millis', 'jvm_uptime_seconds', 'gauge', 1000],
  ['transport.rx_count', 'transport_rx_packets_total', 'counter'],
  ['transport.rx_size_in_bytes', 'transport_rx_size_bytes_total', 'counter'],
  ['transport.tx_count', 'transport_tx_packets_total', 'counter'],
  ['transport.tx_size_in_bytes', 'transport_tx_size_bytes_total', 'counter'],
];

export const elasticsearchKind: SourceKind = {
  up: 'elasticsearch_up',
  optional: Object.keys(OPTIONAL).sort(),
  create: (source, environment) => ({
    close: async () => {},
    async read(page, signal) {
      const get = async (path: string) => JSON.parse(await httpText(source, path, environment, signal)) as Json;
      const health = await get('_cluster/health');
      addHealth(page, health);
      const cluster = String(health['cluster_name'] ?? '');
      const { nodes } = (await get('_nodes/stats')) as { nodes?: Record<string, Json> };
      for (const node of Object.values(nodes ?? {})) addNode(page, cluster, node);
      addVersion(page, await get(''));
      const parts = new Parts(environment.clock, environment.log.with({ source: source.name }), () => !signal.aborted);
      for (const name of source.collect ?? []) await parts.run(name, () => OPTIONAL[name]!(page, get, cluster));
      parts.addTo(page, 'elasticsearch_scrape_collector');
    },
  }),
};

function addVersion(page: Page, about: Json): void {
  const text = (path: string) => String(at(about, path) ?? '');
  page.gauge('elasticsearch_version', 'The version of the server.', 1, [
    'build_date',
    text('version.build_date'),
    'build_hash',
    text('version.build_hash'),
    'cluster',
    text('cluster_name'),
    'cluster_uuid',
    text('cluster_uuid'),
    'lucene_version',
    text('version.lucene_version'),
    'version',
    text('version.number'),
  ]);
}

function addHealth(page: Page, health: Json): void {
  const labels = ['cluster', String(health['cluster_name'] ?? '')];
  for (const field of HEALTH)
    if (typeof health[field] === 'number')
      page.gauge(`elasticsearch_cluster_health_${field}`, `Cluster health: ${field}.`, health[field], labels);
  for (const color of ['green', 'yellow', 'red'])
    page.gauge(
      'elasticsearch_cluster_health_status',
      'The colour of the cluster.',
      health['status'] === color ? 1 : 0,
      [...labels, 'color', color],
    );
}

function addNode(page: Page, cluster: string, node: Json): void {
  const roles = Array.isArray(node['roles']) ? (node['roles'] as string[]) : [];
  const role = (name: string) => String(roles.some((one) => one === name || one.startsWith(`${name}_`)));
  const labels = [
    'cluster',
    cluster,
    'es_client_node',
    String(node['http'] !== undefined),
    'es_data_node',
    role('data'),
    'es_ingest_node',
    role('ingest'),
    'es_master_node',
    role('master'),
    'host',
    String(node['host'] ?? ''),
    'name',
    String(node['name'] ?? ''),
  ];
  const one = (type: 'counter' | 'gauge', metric: string, value: unknown, own: readonly string[] = [], divisor = 1) => {
    const number = typeof value === 'boolean' ? Number(value) : value;
    if (typeof number !== 'number') return;
    const all: [string, string][] = [];
    for (let i = 0; i < labels.length; i += 2) all.push([labels[i]!, labels[i + 1]!]);
    for (let i = 0; i < own.length; i += 2) all.push([own[i]!, own[i + 1]!]);
    const sorted = all.sort((a, b) => (a[0] < b[0] ? -1 : 1)).flat();
    page.add(type, `elasticsearch_${metric}`, `Elasticsearch: ${metric}.`, number / divisor, sorted);
  };
  for (const [path, metric, type, divisor] of NODE) one(type, metric, at(node, path), [], divisor);
  for (const area of ['heap', 'non_heap']) {
    const label = ['area', area.replace('_', '-')];
    for (const kind of ['used', 'committed', 'max'])
      one('gauge', `jvm_memory_${kind}_bytes`, at(node, `jvm.mem.${area}_${kind}_in_bytes`), label);
  }
  for (const [gc, values] of Object.entries((at(node, 'jvm.gc.collectors') as Json | undefined) ?? {})) {
    one('counter', 'jvm_gc_collection_seconds_count', at(values, 'collection_count'), ['gc', gc]);
    one('counter', 'jvm_gc_collection_seconds_sum', at(values, 'collection_time_in_millis'), ['gc', gc], 1000);
  }
  for (const [breaker, values] of Object.entries((node['breakers'] as Json | undefined) ?? {})) {
    one('gauge', 'breakers_limit_size_bytes', at(values, 'limit_size_in_bytes'), ['breaker', breaker]);
    one('gauge', 'breakers_estimated_size_bytes', at(values, 'estimated_size_in_bytes'), ['breaker', breaker]);
    one('counter', 'breakers_tripped', at(values, 'tripped'), ['breaker', breaker]);
    one('counter', 'breakers_overhead', at(values, 'overhead'), ['breaker', breaker]);
  }
  for (const [type, values] of Object.entries((node['thread_pool'] as Json | undefined) ?? {}))
    for (const [key, metric, kind] of [
      ['completed', 'thread_pool_completed_count', 'counter'],
      ['rejected', 'thread_pool_rejected_count', 'counter'],
      ['active', 'thread_pool_active_count', 'gauge'],
      ['queue', 'thread_pool_queue_count', 'gauge'],
      ['threads', 'thread_pool_threads_count', 'gauge'],
      ['largest', 'thread_pool_largest_count', 'gauge'],
    ] as const)
      one(kind, metric, at(values, key), ['type', type]);
  for (const pool of ['young', 'survivor', 'old'])
    for (const kind of ['used', 'max', 'peak_used', 'peak_max'])
      one(
        kind === 'used' ? 'gauge' : 'counter',
        `jvm_memory_pool_${kind}_bytes`,
        at(node, `jvm.mem.pools.${pool}.${kind}_in_bytes`),
        ['pool', pool],
      );
  for (const type of ['direct', 'mapped'])
    one('gauge', 'jvm_buffer_pool_used_bytes', at(node, `jvm.buffer_pools.${type}.used_in_bytes`), ['type', type]);
  for (const [kind, values] of Object.entries((node['indexing_pressure'] as Json | undefined) ?? {})) {
    const own = ['cluster', cluster, 'host', String(node['host'] ?? ''), 'indexing_pressure', kind];
    for (const [metric, path] of [
      ['current_all_in_bytes', 'current.all_in_bytes'],
      ['limit_in_bytes', 'limit_in_bytes'],
    ] as const) {
      const value = at(values, path);
      if (typeof value === 'number')
        page.gauge(`elasticsearch_indexing_pressure_${metric}`, `Elasticsearch: ${metric}.`, value, [
          ...own,
          'name',
          String(node['name'] ?? ''),
        ]);
    }
  }
  const devices = at(node, 'fs.io_stats.devices');
  for (const device of Array.isArray(devices) ? (devices as Json[]) : [])
    for (const [key, metric] of [
      ['operations', 'operations_count'],
      ['read_operations', 'read_operations_count'],
      ['write_operations', 'write_operations_count'],
      ['read_kilobytes', 'read_size_kilobytes_sum'],
      ['write_kilobytes', 'write_size_kilobytes_sum'],
    ] as const)
      one('counter', `filesystem_io_stats_device_${metric}`, device[key], [
        'device',
        String(device['device_name'] ?? ''),
      ]);
  addRoles(page, cluster, node, roles);
  const disks = at(node, 'fs.data');
  for (const disk of Array.isArray(disks) ? (disks as Json[]) : []) {
    const own = ['mount', String(disk['mount'] ?? ''), 'path', String(disk['path'] ?? '')];
    one('gauge', 'filesystem_data_available_bytes', disk['available_in_bytes'], own);
    one('gauge', 'filesystem_data_free_bytes', disk['free_in_bytes'], own);
    one('gauge', 'filesystem_data_size_bytes', disk['total_in_bytes'], own);
  }
}

const ROLES =
  'client data data_cold data_content data_frozen data_hot data_warm ingest master ml remote_cluster_client transform'.split(
    ' ',
  );

function addRoles(page: Page, cluster: string, node: Json, roles: readonly string[]): void {
  for (const role of ROLES) {
    const has = role === 'client' ? node['http'] !== undefined : roles.includes(role);
    page.gauge('elasticsearch_nodes_roles', 'Roles of a node.', has ? 1 : 0, [
      'cluster',
      cluster,
      'host',
      String(node['host'] ?? ''),
      'name',
      String(node['name'] ?? ''),
      'role',
      role,
    ]);
  }
}
