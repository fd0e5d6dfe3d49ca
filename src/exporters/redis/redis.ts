// Redis under redis_exporter's names, over its own protocol (RESP) on a raw connection: INFO, CONFIG, SLOWLOG and LATENCY.

import net from 'node:net';
import tls from 'node:tls';
import type { Page } from '../page.ts';
import type { SourceKind } from '../source.ts';

type Reply = string | number | null | Reply[] | Error;

const MAX_REPLY_BYTES = 16 * 1024 * 1024;

/** Reads one reply; undefined when the bytes end before it does. Gives the position after it. */
export function readReply(bytes: Buffer, at = 0): { value: Reply; end: number } | undefined {
  const lineEnd = bytes.indexOf('\r\n', at);
  if (lineEnd < 0) return undefined;
  const line = bytes.toString('utf8', at + 1, lineEnd);
  const end = lineEnd + 2;
  switch (bytes[at]) {
    case 0x2b:
      return { value: line, end };
    case 0x2d:
      return { value: new Error(line), end };
    case 0x3a:
      return { value: Number(line), end };
    case 0x24: {
      const length = Number(line);
      if (length < 0) return { value: null, end };
      if (bytes.length < end + length + 2) return undefined;
      return { value: bytes.toString('utf8', end, end + length), end: end + length + 2 };
    }
    case 0x2a: {
      const items: Reply[] = [];
      let next = end;
      for (let i = 0; i < Number(line); i++) {
        const item = readReply(bytes, next);
        if (!item) return undefined;
        items.push(item.value);
        next = item.end;
      }
      return { value: items, end: next };
    }
    default:
      throw new Error(`unexpected byte ${bytes[at]} in a reply`);
  }
}

const encode = (words: readonly string[]) =>
  `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;

/** Sends all commands at once and gives their replies in order. */
function converse(
  url: URL,
  timeoutMs: number,
  commands: readonly (readonly string[])[],
  signal: AbortSignal,
): Promise<Reply[]> {
  return new Promise((resolve, reject) => {
    const port = Number(url.port || 6379);
    const host = url.hostname.replace(/^\[|\]$/g, '') || '127.0.0.1';
    const socket =
      url.protocol === 'rediss:' ? tls.connect({ host, port, servername: host }) : net.connect({ host, port });
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`no answer within ${timeoutMs} ms`)));
    signal.addEventListener('abort', () => socket.destroy(new Error('the scrape was cancelled')), { once: true });
    const replies: Reply[] = [];
    let buffer = Buffer.alloc(0);
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('the server closed the connection')));
    socket.on('data', (chunk) => {
      buffer = Buffer.concat([buffer, chunk]);
      if (buffer.length > MAX_REPLY_BYTES) socket.destroy(new Error('the reply is too large'));
      try {
        for (let reply = readReply(buffer); reply; reply = buffer.length > 0 ? readReply(buffer) : undefined) {
          replies.push(reply.value);
          buffer = buffer.subarray(reply.end);
        }
      } catch (error) {
        socket.destroy(error as Error);
      }
      if (replies.length === commands.length) {
        resolve(replies);
        socket.end();
      }
    });
    socket.write(commands.map(encode).join(''));
  });
}

export const redisKind: SourceKind = {
  up: 'redis_up',
  create(source) {
    return {
      close: async () => {},
      async read(page, signal) {
        const url = new URL(source.url);
        const password = decodeURIComponent(url.password);
        const user = decodeURIComponent(url.username);
        const login = password === '' ? [] : [user === '' ? ['AUTH', password] : ['AUTH', user, password]];
        const commands = [
          ...login,
          ['INFO', 'all'],
          ['CONFIG', 'GET', 'max*'],
          ['SLOWLOG', 'LEN'],
          ['LATENCY', 'LATEST'],
        ];
        const replies = await converse(url, source.timeoutMs, commands, signal);
        if (login.length > 0 && replies[0] instanceof Error) throw replies[0];
        const [info, config, slowlog, latency] = replies.slice(login.length);
        if (typeof info !== 'string') throw info instanceof Error ? info : new Error('INFO gave no text');
        addInfo(page, info);
        addConfig(page, config);
        if (typeof slowlog === 'number') page.gauge('redis_slowlog_length', 'Entries of the slow log.', slowlog);
        if (Array.isArray(latency)) addLatency(page, latency);
      },
    };
  },
};

/** INFO fields by redis_exporter's names; `counter` where they only grow. */
const FIELDS: Readonly<Record<string, readonly [metric: string, type: 'counter' | 'gauge']>> = {
  uptime_in_seconds: ['uptime_in_seconds', 'gauge'],
  process_id: ['process_id', 'gauge'],
  io_threads_active: ['io_threads_active', 'gauge'],
  connected_clients: ['connected_clients', 'gauge'],
  cluster_connections: ['cluster_connections', 'gauge'],
  maxclients: ['max_clients', 'gauge'],
  blocked_clients: ['blocked_clients', 'gauge'],
  tracking_clients: ['tracking_clients', 'gauge'],
  clients_in_timeout_table: ['clients_in_timeout_table', 'gauge'],
  client_recent_max_input_buffer: ['client_recent_max_input_buffer_bytes', 'gauge'],
  client_recent_max_output_buffer: ['client_recent_max_output_buffer_bytes', 'gauge'],
  used_memory: ['memory_used_bytes', 'gauge'],
  used_memory_rss: ['memory_used_rss_bytes', 'gauge'],
  used_memory_peak: ['memory_used_peak_bytes', 'gauge'],
  used_memory_overhead: ['memory_used_overhead_bytes', 'gauge'],
  used_memory_startup: ['memory_used_startup_bytes', 'gauge'],
  used_memory_dataset: ['memory_used_dataset_bytes', 'gauge'],
  used_memory_lua: ['memory_used_lua_bytes', 'gauge'],
  used_memory_scripts: ['memory_used_scripts_bytes', 'gauge'],
  maxmemory: ['memory_max_bytes', 'gauge'],
  mem_fragmentation_ratio: ['mem_fragmentation_ratio', 'gauge'],
  mem_fragmentation_bytes: ['mem_fragmentation_bytes', 'gauge'],
  mem_clients_normal: ['mem_clients_normal', 'gauge'],
  mem_clients_slaves: ['mem_clients_slaves', 'gauge'],
  allocator_active: ['allocator_active_bytes', 'gauge'],
  allocator_allocated: ['allocator_allocated_bytes', 'gauge'],
  allocator_resident: ['allocator_resident_bytes', 'gauge'],
  allocator_frag_ratio: ['allocator_frag_ratio', 'gauge'],
  lazyfree_pending_objects: ['lazyfree_pending_objects', 'gauge'],
  active_defrag_running: ['active_defrag_running', 'gauge'],
  loading: ['loading_dump_file', 'gauge'],
  rdb_changes_since_last_save: ['rdb_changes_since_last_save', 'gauge'],
  rdb_bgsave_in_progress: ['rdb_bgsave_in_progress', 'gauge'],
  rdb_last_save_time: ['rdb_last_save_timestamp_seconds', 'gauge'],
  rdb_last_bgsave_time_sec: ['rdb_last_bgsave_duration_sec', 'gauge'],
  rdb_current_bgsave_time_sec: ['rdb_current_bgsave_duration_sec', 'gauge'],
  rdb_saves: ['rdb_saves_total', 'counter'],
  aof_enabled: ['aof_enabled', 'gauge'],
  aof_rewrite_in_progress: ['aof_rewrite_in_progress', 'gauge'],
  aof_rewrite_scheduled: ['aof_rewrite_scheduled', 'gauge'],
  aof_last_rewrite_time_sec: ['aof_last_rewrite_duration_sec', 'gauge'],
  aof_current_size: ['aof_current_size_bytes', 'gauge'],
  aof_base_size: ['aof_base_size_bytes', 'gauge'],
  total_connections_received: ['connections_received_total', 'counter'],
  total_commands_processed: ['commands_processed_total', 'counter'],
  instantaneous_ops_per_sec: ['instantaneous_ops_per_sec', 'gauge'],
  instantaneous_input_kbps: ['instantaneous_input_kbps', 'gauge'],
  instantaneous_output_kbps: ['instantaneous_output_kbps', 'gauge'],
  total_net_input_bytes: ['net_input_bytes_total', 'counter'],
  total_net_output_bytes: ['net_output_bytes_total', 'counter'],
  rejected_connections: ['rejected_connections_total', 'counter'],
  sync_full: ['replica_resyncs_full', 'gauge'],
  sync_partial_ok: ['replica_partial_resync_accepted', 'gauge'],
  sync_partial_err: ['replica_partial_resync_denied', 'gauge'],
  expired_keys: ['expired_keys_total', 'counter'],
  expired_stale_perc: ['expired_stale_percentage', 'gauge'],
  expired_time_cap_reached_count: ['expired_time_cap_reached_total', 'counter'],
  expire_cycle_cpu_milliseconds: ['expire_cycle_cpu_time_ms_total', 'counter'],
  evicted_keys: ['evicted_keys_total', 'counter'],
  keyspace_hits: ['keyspace_hits_total', 'counter'],
  keyspace_misses: ['keyspace_misses_total', 'counter'],
  pubsub_channels: ['pubsub_channels', 'gauge'],
  pubsub_patterns: ['pubsub_patterns', 'gauge'],
  latest_fork_usec: ['latest_fork_usec', 'gauge'],
  migrate_cached_sockets: ['migrate_cached_sockets_total', 'counter'],
  total_reads_processed: ['total_reads_processed', 'counter'],
  total_writes_processed: ['total_writes_processed', 'counter'],
  total_error_replies: ['total_error_replies', 'counter'],
  unexpected_error_replies: ['unexpected_error_replies', 'counter'],
  dump_payload_sanitizations: ['dump_payload_sanitizations', 'counter'],
  connected_slaves: ['connected_slaves', 'gauge'],
  repl_backlog_size: ['replication_backlog_bytes', 'gauge'],
  repl_backlog_active: ['repl_backlog_is_active', 'gauge'],
  repl_backlog_first_byte_offset: ['repl_backlog_first_byte_offset', 'gauge'],
  repl_backlog_histlen: ['repl_backlog_history_bytes', 'gauge'],
  master_repl_offset: ['master_repl_offset', 'gauge'],
  second_repl_offset: ['second_repl_offset', 'gauge'],
  slave_expires_tracked_keys: ['slave_expires_tracked_keys', 'gauge'],
  slave_priority: ['slave_priority', 'gauge'],
  slave_repl_offset: ['slave_repl_offset', 'gauge'],
  master_last_io_seconds_ago: ['master_last_io_seconds_ago', 'gauge'],
  master_sync_in_progress: ['master_sync_in_progress', 'gauge'],
  used_cpu_sys: ['cpu_sys_seconds_total', 'counter'],
  used_cpu_user: ['cpu_user_seconds_total', 'counter'],
  used_cpu_sys_children: ['cpu_sys_children_seconds_total', 'counter'],
  used_cpu_user_children: ['cpu_user_children_seconds_total', 'counter'],
  used_cpu_sys_main_thread: ['cpu_sys_main_thread_seconds_total', 'counter'],
  used_cpu_user_main_thread: ['cpu_user_main_thread_seconds_total', 'counter'],
  cluster_enabled: ['cluster_enabled', 'gauge'],
  acl_access_denied_auth: ['acl_access_denied_auth_total', 'counter'],
  acl_access_denied_channel: ['acl_access_denied_channel_total', 'counter'],
  acl_access_denied_cmd: ['acl_access_denied_cmd_total', 'counter'],
  acl_access_denied_key: ['acl_access_denied_key_total', 'counter'],
  active_defrag_hits: ['defrag_hits', 'gauge'],
  active_defrag_key_hits: ['defrag_key_hits', 'gauge'],
  active_defrag_key_misses: ['defrag_key_misses', 'gauge'],
  active_defrag_misses: ['defrag_misses', 'gauge'],
  allocator_frag_bytes: ['allocator_frag_bytes', 'gauge'],
  allocator_muzzy: ['allocator_muzzy_bytes', 'gauge'],
  allocator_rss_bytes: ['allocator_rss_bytes', 'gauge'],
  allocator_rss_ratio: ['allocator_rss_ratio', 'gauge'],
  aof_buffer_length: ['aof_buffer_length', 'gauge'],
  aof_current_rewrite_time_sec: ['aof_current_rewrite_duration_sec', 'gauge'],
  aof_delayed_fsync: ['aof_delayed_fsync', 'gauge'],
  aof_last_cow_size: ['aof_last_cow_size_bytes', 'gauge'],
  aof_pending_bio_fsync: ['aof_pending_bio_fsync', 'gauge'],
  aof_pending_rewrite: ['aof_pending_rewrite', 'gauge'],
  aof_rewrite_buffer_length: ['aof_rewrite_buffer_length', 'gauge'],
  async_loading: ['async_loading', 'gauge'],
  cached_keys: ['cached_keys_total', 'counter'],
  client_biggest_input_buf: ['client_biggest_input_buf', 'gauge'],
  client_longest_output_list: ['client_longest_output_list', 'gauge'],
  client_output_buffer_limit_disconnections: ['client_output_buffer_limit_disconnections_total', 'counter'],
  client_query_buffer_limit_disconnections: ['client_query_buffer_limit_disconnections_total', 'counter'],
  cluster_stats_messages_received: ['cluster_messages_received_total', 'gauge'],
  cluster_stats_messages_sent: ['cluster_messages_sent_total', 'gauge'],
  current_client_thread: ['current_client_thread', 'gauge'],
  current_eviction_exceeded_time: ['current_eviction_exceeded_time_ms', 'gauge'],
  eventloop_cycles: ['eventloop_cycles_total', 'counter'],
  eventloop_duration_cmd_sum: ['eventloop_duration_cmd_sum_usec_total', 'counter'],
  eventloop_duration_sum: ['eventloop_duration_sum_usec_total', 'counter'],
  evicted_clients: ['evicted_clients_total', 'counter'],
  evicted_scripts: ['evicted_scripts_total', 'counter'],
  expired_subkeys: ['expired_subkeys_total', 'counter'],
  instantaneous_eventloop_cycles_per_sec: ['instantaneous_eventloop_cycles_per_sec', 'gauge'],
  instantaneous_eventloop_duration_usec: ['instantaneous_eventloop_duration_usec', 'gauge'],
  io_threaded_reads_processed: ['io_threaded_reads_processed', 'counter'],
  io_threaded_writes_processed: ['io_threaded_writes_processed', 'counter'],
  lazyfreed_objects: ['lazyfreed_objects', 'gauge'],
  long_lock_waits: ['long_lock_waits_total', 'gauge'],
  maxfragmentationmemory_desired_reservation: ['memory_max_fragmentation_reservation_desired_bytes', 'gauge'],
  maxfragmentationmemory_reservation: ['memory_max_fragmentation_reservation_bytes', 'gauge'],
  maxmemory_desired_reservation: ['memory_max_reservation_desired_bytes', 'gauge'],
  maxmemory_reservation: ['memory_max_reservation_bytes', 'gauge'],
  mem_aof_buffer: ['mem_aof_buffer_bytes', 'gauge'],
  mem_cluster_links: ['mem_cluster_links_bytes', 'gauge'],
  mem_not_counted_for_evict: ['mem_not_counted_for_eviction_bytes', 'gauge'],
  mem_overhead_db_hashtable_rehashing: ['mem_overhead_db_hashtable_rehashing_bytes', 'gauge'],
  mem_replication_backlog: ['mem_replication_backlog_bytes', 'gauge'],
  mem_total_replication_buffers: ['mem_total_replication_buffers_bytes', 'gauge'],
  module_fork_in_progress: ['module_fork_in_progress', 'gauge'],
  module_fork_last_cow_size: ['module_fork_last_cow_size', 'gauge'],
  number_of_cached_scripts: ['number_of_cached_scripts', 'gauge'],
  number_of_functions: ['number_of_functions', 'gauge'],
  number_of_libraries: ['number_of_libraries', 'gauge'],
  pubsub_clients: ['pubsub_clients', 'gauge'],
  pubsubshard_channels: ['pubsubshard_channels', 'gauge'],
  rdb_last_cow_size: ['rdb_last_cow_size_bytes', 'gauge'],
  rdb_last_load_keys_expired: ['rdb_last_load_expired_keys', 'gauge'],
  rdb_last_load_keys_loaded: ['rdb_last_load_loaded_keys', 'gauge'],
  reply_buffer_expands: ['reply_buffer_expands_total', 'counter'],
  reply_buffer_shrinks: ['reply_buffer_shrinks_total', 'counter'],
  server_threads: ['server_threads_total', 'gauge'],
  total_blocking_keys: ['total_blocking_keys', 'gauge'],
  total_blocking_keys_on_nokey: ['total_blocking_keys_on_nokey', 'gauge'],
  total_eviction_exceeded_time: ['eviction_exceeded_time_ms_total', 'counter'],
  total_net_repl_input_bytes: ['net_repl_input_bytes_total', 'counter'],
  total_net_repl_output_bytes: ['net_repl_output_bytes_total', 'counter'],
  total_watched_keys: ['total_watched_keys', 'gauge'],
  tracking_total_items: ['tracking_total_items', 'gauge'],
  tracking_total_keys: ['tracking_total_keys', 'gauge'],
  tracking_total_prefixes: ['tracking_total_prefixes', 'gauge'],
  used_active_time_main_thread: ['active_time_main_thread_seconds_total', 'counter'],
  used_memory_functions: ['memory_used_functions_bytes', 'gauge'],
  used_memory_scripts_eval: ['memory_used_scripts_eval_bytes', 'gauge'],
  used_memory_vm_eval: ['memory_used_vm_eval_bytes', 'gauge'],
  used_memory_vm_functions: ['memory_used_vm_functions_bytes', 'gauge'],
  used_memory_vm_total: ['memory_used_vm_total', 'gauge'],
  watching_clients: ['watching_clients', 'gauge'],
};

function addInfo(page: Page, info: string): void {
  const fields = new Map<string, string>();
  for (const line of info.split('\r\n')) {
    const at = line.indexOf(':');
    if (at <= 0 || line.startsWith('#')) continue;
    const [key, value] = [line.slice(0, at), line.slice(at + 1)];
    fields.set(key, value);
    const known = FIELDS[key];
    const number = Number(value);
    if (known && value !== '' && !Number.isNaN(number))
      page.add(known[1], `redis_${known[0]}`, `INFO field ${key}.`, number, []);
    addKeyed(page, key, value);
  }
  const text = (key: string) => fields.get(key) ?? '';
  page.gauge('redis_instance_info', 'What kind of server this is.', 1, [
    'maxmemory_policy',
    text('maxmemory_policy'),
    'os',
    text('os'),
    'process_id',
    text('process_id'),
    'redis_build_id',
    text('redis_build_id'),
    'redis_mode',
    text('redis_mode'),
    'redis_version',
    text('redis_version'),
    'role',
    text('role'),
    'run_id',
    text('run_id'),
    'tcp_port',
    text('tcp_port'),
  ]);
  const now = Number(text('server_time_usec')) / 1e6;
  if (now > 0)
    page.gauge('redis_start_time_seconds', 'When the server started.', now - Number(text('uptime_in_seconds')));
  for (const [key, metric] of [
    ['rdb_last_bgsave_status', 'rdb_last_bgsave_status'],
    ['aof_last_bgrewrite_status', 'aof_last_bgrewrite_status'],
    ['aof_last_write_status', 'aof_last_write_status'],
  ] as const)
    if (fields.has(key)) page.gauge(`redis_${metric}`, `1 if ${key} is ok.`, text(key) === 'ok' ? 1 : 0);
  if (text('role') === 'slave')
    page.gauge(
      'redis_master_link_up',
      'Whether the link to the master is up.',
      text('master_link_status') === 'up' ? 1 : 0,
      ['master_host', text('master_host'), 'master_port', text('master_port')],
    );
}

/** Fields with values of their own: "db0:keys=1,expires=0,avg_ttl=0", "cmdstat_get:calls=2,usec=5,...". */
function addKeyed(page: Page, key: string, value: string): void {
  const parts = new Map(value.split(',').map((part) => part.split('=') as [string, string]));
  const number = (name: string) => Number(parts.get(name) ?? 0);
  if (/^db\d+$/.test(key)) {
    const labels = ['db', key];
    page.gauge('redis_db_keys', 'Keys by database.', number('keys'), labels);
    page.gauge('redis_db_keys_expiring', 'Keys that expire, by database.', number('expires'), labels);
    page.gauge('redis_db_avg_ttl_seconds', 'Average time to live.', number('avg_ttl') / 1000, labels);
  } else if (key.startsWith('cmdstat_')) {
    const labels = ['cmd', key.slice('cmdstat_'.length)];
    page.counter('redis_commands_total', 'Calls by command.', number('calls'), labels);
    page.counter('redis_commands_duration_seconds_total', 'Time by command.', number('usec') / 1e6, labels);
    page.counter('redis_commands_failed_calls_total', 'Failed calls by command.', number('failed_calls'), labels);
    page.counter('redis_commands_rejected_calls_total', 'Rejected calls by command.', number('rejected_calls'), labels);
  } else if (key.startsWith('errorstat_'))
    page.counter('redis_errors_total', 'Errors by kind.', number('count'), ['err', key.slice('errorstat_'.length)]);
  else if (/^slave\d+$/.test(key)) {
    const labels = [
      'slave_ip',
      parts.get('ip') ?? '',
      'slave_port',
      parts.get('port') ?? '',
      'slave_state',
      parts.get('state') ?? '',
    ];
    page.gauge('redis_connected_slave_offset_bytes', 'Offset of a replica.', number('offset'), labels);
    page.gauge('redis_connected_slave_lag_seconds', 'Lag of a replica.', number('lag'), labels);
  }
}

function addConfig(page: Page, config: Reply | undefined): void {
  if (!Array.isArray(config)) return;
  for (let i = 0; i + 1 < config.length; i += 2) {
    const [key, value] = [String(config[i]), Number(config[i + 1])];
    if ((key === 'maxmemory' || key === 'maxclients') && !Number.isNaN(value))
      page.gauge(`redis_config_${key}`, `Configuration: ${key}.`, value);
  }
}

function addLatency(page: Page, latency: readonly Reply[]): void {
  for (const event of latency) {
    if (!Array.isArray(event)) continue;
    const labels = ['event_name', String(event[0])];
    page.gauge('redis_latency_spike_last', 'When the latest spike was.', Number(event[1]), labels);
    page.gauge(
      'redis_latency_spike_duration_seconds',
      'How long the latest spike was.',
      Number(event[2]) / 1000,
      labels,
    );
  }
}
