// Dashboards of middleware, by the metric names of the well-known exporters.

import {
  badBelow,
  choose,
  type Definition,
  gauge,
  graph,
  levels,
  pie,
  stacked,
  stat,
  table,
  text,
  top,
} from './build.ts';

/** Metrics of what a variable of the dashboard has chosen: as they are, and as rates. */
const chosenBy = (matcher: string) => ({
  at: (metric: string, more = '') => `${metric}{${matcher}${more}}`,
  rate: (metric: string, more = '') => `rate(${metric}{${matcher}${more}}[$__rate_interval])`,
});
const { at, rate: r } = chosenBy('instance="$instance"');
const ofTopic = chosenBy('topic=~"$topic"');
const ofCluster = chosenBy('cluster="$cluster"');

const instanceOf = (metric: string) =>
  choose('instance', text('Instance', '实例'), `label_values(${metric}, instance)`);

/** What 1 and 0 mean. */
const UP_OR_DOWN = [
  {
    kind: 'value' as const,
    values: {
      '1': { text: text('Up', '正常'), color: 'green' },
      '0': { text: text('Down', '异常'), color: 'red' },
    },
  },
];
/** Green until there is one. */
const NONE_IS_GOOD = [
  { value: null, color: 'green' },
  { value: 1, color: 'red' },
];

const up = (metric: string) =>
  stat(text('Up', '状态'), at(metric), 'none', {
    steps: badBelow(1),
    options: { spark: false },
    field: { mappings: UP_OR_DOWN, color: { mode: 'thresholds' } },
  });
const runningFor = (metric: string) =>
  stat(text('Running for', '运行时间'), at(metric), 's', { options: { spark: false } });
/** Both directions, one below the axis. */
const traffic = (title: ReturnType<typeof text>, input: readonly [string, string], output: readonly [string, string]) =>
  graph(
    title,
    [
      [r(input[0]), input[1]],
      [`-${r(output[0])}`, output[1]],
    ],
    'binBps',
  );
const network = (received: string, sent: string) => traffic(text('Network', '网络'), [received, 'in'], [sent, 'out']);

export const mysql: Definition = {
  uid: 'mysql',
  title: text('MySQL and MariaDB', 'MySQL 与 MariaDB'),
  tags: ['middleware', 'databases'],
  variables: [instanceOf('mysql_up')],
  panels: [
    up('mysql_up'),
    runningFor('mysql_global_status_uptime'),
    stat(text('Queries', '查询'), r('mysql_global_status_queries'), 'ops'),
    stat(text('Connections', '连接'), at('mysql_global_status_threads_connected'), 'none'),
    gauge(
      text('Connections of the limit', '连接占上限'),
      `${at('mysql_global_status_threads_connected')} / ${at('mysql_global_variables_max_connections')}`,
      'percentunit',
      { h: 4 },
    ),
    stat(text('Slow queries', '慢查询'), r('mysql_global_status_slow_queries'), 'ops', { steps: levels(0.1, 1) }),
    stacked(
      text('Commands', '命令'),
      [[`topk(10, ${r('mysql_global_status_commands_total')} > 0)`, '{{command}}']],
      'ops',
    ),
    graph(
      text('Threads', '线程'),
      [
        [at('mysql_global_status_threads_connected'), 'connected'],
        [at('mysql_global_status_threads_running'), 'running'],
      ],
      'none',
    ),
    graph(
      text('Buffer pool', '缓冲池'),
      [
        [at('mysql_global_status_buffer_pool_pages'), '{{state}}'],
        [
          `${at('mysql_global_variables_innodb_buffer_pool_size')} / ${at('mysql_global_status_innodb_page_size')}`,
          'total',
        ],
      ],
      'short',
    ),
    graph(
      text('Reads that missed the buffer pool', '缓冲池未命中'),
      [
        [
          `${r('mysql_global_status_innodb_buffer_pool_reads')} / ${r('mysql_global_status_innodb_buffer_pool_read_requests')}`,
          'misses',
        ],
      ],
      'percentunit',
    ),
    network('mysql_global_status_bytes_received', 'mysql_global_status_bytes_sent'),
    stacked(
      text('Row operations', '行操作'),
      // MariaDB counts them by handler only.
      [
        [
          `${r('mysql_global_status_innodb_row_ops_total')} or label_replace(${r('mysql_global_status_handlers_total', ',handler=~"delete|read_.*|update|write"')}, "operation", "$1", "handler", "(.*)")`,
          '{{operation}}',
        ],
      ],
      'ops',
    ),
    graph(
      text('Locks waited for', '锁等待'),
      [
        [r('mysql_global_status_innodb_row_lock_waits'), 'row locks'],
        [r('mysql_global_status_table_locks_waited'), 'table locks'],
      ],
      'ops',
    ),
    graph(text('Replication delay', '复制延迟'), [[at('mysql_slave_status_seconds_behind_master'), 'seconds']], 's'),
  ],
};

export const postgres: Definition = {
  uid: 'postgresql',
  title: text('PostgreSQL', 'PostgreSQL'),
  tags: ['middleware', 'databases'],
  variables: [instanceOf('pg_up')],
  panels: [
    up('pg_up'),
    stat(text('Databases', '数据库数'), `count(${at('pg_database_size_bytes')})`, 'none', {
      options: { spark: false },
    }),
    stat(text('Size', '大小'), `sum(${at('pg_database_size_bytes')})`, 'bytes'),
    stat(text('Transactions', '事务'), `sum(${r('pg_stat_database_xact_commit')})`, 'ops'),
    gauge(
      text('Connections of the limit', '连接占上限'),
      `sum(${at('pg_stat_activity_count')}) / max(${at('pg_settings_max_connections')})`,
      'percentunit',
      { h: 4 },
    ),
    stat(
      text('Cache hits', '缓存命中'),
      `sum(${r('pg_stat_database_blks_hit')}) / (sum(${r('pg_stat_database_blks_hit')}) + sum(${r('pg_stat_database_blks_read')}))`,
      'percentunit',
      {
        steps: [
          { value: null, color: 'red' },
          { value: 0.9, color: 'orange' },
          { value: 0.98, color: 'green' },
        ],
      },
    ),
    stacked(
      text('Connections by state', '各状态连接'),
      [[`sum by (state) (${at('pg_stat_activity_count')})`, '{{state}}']],
      'none',
    ),
    graph(
      text('Transactions', '事务'),
      [
        [`sum by (datname) (${r('pg_stat_database_xact_commit')})`, '{{datname}} committed'],
        [`sum by (datname) (${r('pg_stat_database_xact_rollback')})`, '{{datname}} rolled back'],
      ],
      'ops',
    ),
    graph(
      text('Rows', '行'),
      [
        [`sum(${r('pg_stat_database_tup_fetched')})`, 'fetched'],
        [`sum(${r('pg_stat_database_tup_inserted')})`, 'inserted'],
        [`sum(${r('pg_stat_database_tup_updated')})`, 'updated'],
        [`sum(${r('pg_stat_database_tup_deleted')})`, 'deleted'],
      ],
      'ops',
    ),
    graph(text('Size by database', '各数据库大小'), [[at('pg_database_size_bytes'), '{{datname}}']], 'bytes'),
    graph(text('Locks', '锁'), [[`sum by (mode) (${at('pg_locks_count')})`, '{{mode}}']], 'none'),
    graph(
      text('Deadlocks and conflicts', '死锁与冲突'),
      [
        [`sum(${r('pg_stat_database_deadlocks')})`, 'deadlocks'],
        [`sum(${r('pg_stat_database_conflicts')})`, 'conflicts'],
      ],
      'ops',
    ),
    graph(
      text('Longest transaction', '最长事务'),
      [[`max by (datname) (${at('pg_stat_activity_max_tx_duration')})`, '{{datname}}']],
      's',
    ),
    graph(
      text('Replication lag', '复制延迟'),
      [[`${at('pg_replication_lag_seconds')} or ${at('pg_replication_lag')}`, 'lag']],
      's',
    ),
  ],
};

export const redis: Definition = {
  uid: 'redis',
  title: text('Redis', 'Redis'),
  tags: ['middleware', 'databases'],
  variables: [instanceOf('redis_up')],
  panels: [
    up('redis_up'),
    runningFor('redis_uptime_in_seconds'),
    stat(text('Clients', '客户端'), at('redis_connected_clients'), 'none'),
    stat(text('Memory', '内存'), at('redis_memory_used_bytes'), 'bytes'),
    stat(text('Commands', '命令'), `sum(${r('redis_commands_processed_total')})`, 'ops'),
    stat(
      text('Hits', '命中率'),
      `${r('redis_keyspace_hits_total')} / (${r('redis_keyspace_hits_total')} + ${r('redis_keyspace_misses_total')})`,
      'percentunit',
    ),
    stacked(text('Commands', '命令'), [[`topk(10, sum by (cmd) (${r('redis_commands_total')}))`, '{{cmd}}']], 'ops'),
    graph(
      text('Time per command', '每条命令耗时'),
      [
        [
          `topk(10, sum by (cmd) (${r('redis_commands_duration_seconds_total')}) / sum by (cmd) (${r('redis_commands_total')}))`,
          '{{cmd}}',
        ],
      ],
      's',
    ),
    graph(
      text('Memory', '内存'),
      [
        [at('redis_memory_used_bytes'), 'used'],
        [at('redis_memory_used_rss_bytes'), 'resident'],
        [`${at('redis_memory_max_bytes')} > 0`, 'limit'],
      ],
      'bytes',
    ),
    graph(
      text('Keys', '键'),
      [
        [`sum by (db) (${at('redis_db_keys')})`, '{{db}}'],
        [`sum by (db) (${at('redis_db_keys_expiring')})`, '{{db}} expiring'],
      ],
      'short',
    ),
    graph(
      text('Expired and evicted', '过期与淘汰'),
      [
        [r('redis_expired_keys_total'), 'expired'],
        [r('redis_evicted_keys_total'), 'evicted'],
      ],
      'ops',
    ),
    network('redis_net_input_bytes_total', 'redis_net_output_bytes_total'),
  ],
};

export const haproxy: Definition = {
  uid: 'haproxy',
  title: text('HAProxy', 'HAProxy'),
  tags: ['middleware', 'traffic'],
  variables: [instanceOf('{__name__=~"haproxy_up|haproxy_process_uptime_seconds|haproxy_frontend_bytes_in_total"}')],
  panels: [
    stat(text('Sessions', '会话'), `sum(${at('haproxy_frontend_current_sessions')})`, 'none'),
    stat(text('Requests', '请求'), `sum(${r('haproxy_frontend_http_requests_total')})`, 'reqps'),
    stat(text('Servers down', '异常服务器'), `count(${at('haproxy_server_up')} == 0) or vector(0)`, 'none', {
      steps: NONE_IS_GOOD,
    }),
    stat(text('Queued', '排队'), `sum(${at('haproxy_backend_current_queue')})`, 'none', { steps: levels(1, 10) }),
    stat(text('In', '入流量'), `sum(${r('haproxy_frontend_bytes_in_total')})`, 'binBps'),
    stat(text('Out', '出流量'), `sum(${r('haproxy_frontend_bytes_out_total')})`, 'binBps'),
    stacked(
      text('Answers by code', '各状态码应答'),
      [[`sum by (code) (${r('haproxy_frontend_http_responses_total')})`, '{{code}}']],
      'reqps',
    ),
    graph(text('Sessions', '会话'), [[at('haproxy_frontend_current_sessions'), '{{frontend}}{{proxy}}']], 'none'),
    graph(
      text('Backends: sessions', '后端会话'),
      [[at('haproxy_backend_current_sessions'), '{{backend}}{{proxy}}']],
      'none',
    ),
    graph(
      text('Backends: answer time', '后端应答时间'),
      [
        [
          `${at('haproxy_backend_response_time_average_seconds')} or ${at('haproxy_backend_http_response_time_average_seconds')}`,
          '{{backend}}{{proxy}}',
        ],
      ],
      's',
    ),
    graph(
      text('Errors', '错误'),
      [
        [
          `sum by (backend, proxy) (${r('haproxy_backend_connection_errors_total')})`,
          '{{backend}}{{proxy}} connection',
        ],
        [`sum by (backend, proxy) (${r('haproxy_backend_response_errors_total')})`, '{{backend}}{{proxy}} response'],
      ],
      'ops',
    ),
    table(text('Servers', '服务器'), [at('haproxy_server_up')], 'none', {
      field: { mappings: UP_OR_DOWN, cell: 'text' },
    }),
  ],
};

export const nginx: Definition = {
  uid: 'nginx',
  title: text('nginx', 'nginx'),
  tags: ['middleware', 'traffic'],
  variables: [instanceOf('nginx_up')],
  panels: [
    up('nginx_up'),
    stat(text('Requests', '请求'), r('nginx_http_requests_total'), 'reqps'),
    stat(text('Active connections', '活动连接'), at('nginx_connections_active'), 'none'),
    stat(text('Refused', '被拒绝'), `${r('nginx_connections_accepted')} - ${r('nginx_connections_handled')}`, 'ops', {
      steps: levels(0.01, 1),
    }),
    graph(text('Requests', '请求'), [[r('nginx_http_requests_total'), 'requests']], 'reqps'),
    stacked(
      text('Connections', '连接'),
      [
        [at('nginx_connections_reading'), 'reading'],
        [at('nginx_connections_writing'), 'writing'],
        [at('nginx_connections_waiting'), 'waiting'],
      ],
      'none',
    ),
    graph(
      text('Accepted and handled', '接受与处理'),
      [
        [r('nginx_connections_accepted'), 'accepted'],
        [r('nginx_connections_handled'), 'handled'],
      ],
      'ops',
    ),
  ],
};

export const kafka: Definition = {
  uid: 'kafka',
  title: text('Kafka', 'Kafka'),
  tags: ['middleware'],
  variables: [
    choose('topic', text('Topic', '主题'), 'label_values(kafka_topic_partitions, topic)', {
      multi: true,
      all: true,
      allValue: '.*',
    }),
  ],
  panels: [
    stat(text('Brokers', '代理数'), 'max(kafka_brokers)', 'none'),
    stat(text('Topics', '主题数'), 'count(kafka_topic_partitions)', 'none'),
    stat(text('Partitions', '分区数'), `sum(${ofTopic.at('kafka_topic_partitions')})`, 'none'),
    stat(
      text('Under-replicated', '副本不足'),
      `sum(${ofTopic.at('kafka_topic_partition_under_replicated_partition')})`,
      'none',
      {
        steps: NONE_IS_GOOD,
      },
    ),
    stat(text('Messages', '消息'), `sum(${ofTopic.rate('kafka_topic_partition_current_offset')})`, 'mps'),
    stat(text('Lag', '积压'), `sum(${ofTopic.at('kafka_consumergroup_lag')})`, 'short'),
    stacked(
      text('Messages in by topic', '各主题写入'),
      [[`sum by (topic) (${ofTopic.rate('kafka_topic_partition_current_offset')})`, '{{topic}}']],
      'mps',
    ),
    stacked(
      text('Messages consumed by group', '各消费组消费'),
      [[`sum by (consumergroup) (${ofTopic.rate('kafka_consumergroup_current_offset')})`, '{{consumergroup}}']],
      'mps',
    ),
    graph(
      text('Lag by group', '各消费组积压'),
      [[`sum by (consumergroup, topic) (${ofTopic.at('kafka_consumergroup_lag')})`, '{{consumergroup}} {{topic}}']],
      'short',
    ),
    top(
      text('Largest lag', '最大积压'),
      `topk(10, sum by (consumergroup, topic) (${ofTopic.at('kafka_consumergroup_lag')}))`,
      '{{consumergroup}} {{topic}}',
      'short',
      { w: 12 },
    ),
  ],
};

export const elasticsearch: Definition = {
  uid: 'elasticsearch',
  title: text('Elasticsearch', 'Elasticsearch'),
  tags: ['middleware', 'databases'],
  variables: [choose('cluster', text('Cluster', '集群'), 'label_values(elasticsearch_cluster_health_status, cluster)')],
  panels: [
    stat(
      text('Health', '健康'),
      `max(${ofCluster.at('elasticsearch_cluster_health_status', ',color="green"')} == 1) * 2 or max(${ofCluster.at('elasticsearch_cluster_health_status', ',color="yellow"')} == 1) or vector(0)`,
      'none',
      {
        options: { spark: false },
        steps: [
          { value: null, color: 'red' },
          { value: 1, color: 'yellow' },
          { value: 2, color: 'green' },
        ],
        field: {
          color: { mode: 'thresholds' },
          mappings: [
            {
              kind: 'value',
              values: {
                '0': { text: text('Red', '红'), color: 'red' },
                '1': { text: text('Yellow', '黄'), color: 'yellow' },
                '2': { text: text('Green', '绿'), color: 'green' },
              },
            },
          ],
        },
      },
    ),
    stat(text('Nodes', '节点'), ofCluster.at('elasticsearch_cluster_health_number_of_nodes'), 'none'),
    stat(
      text('Shards not assigned', '未分配分片'),
      ofCluster.at('elasticsearch_cluster_health_unassigned_shards'),
      'none',
      { steps: levels(1, 10) },
    ),
    stat(text('Documents', '文档数'), `sum(${ofCluster.at('elasticsearch_indices_docs')})`, 'short'),
    stat(text('Size', '大小'), `sum(${ofCluster.at('elasticsearch_indices_store_size_bytes')})`, 'bytes'),
    stat(
      text('Tasks waiting', '等待任务'),
      ofCluster.at('elasticsearch_cluster_health_number_of_pending_tasks'),
      'none',
    ),
    graph(
      text('Indexing', '写入'),
      [[`sum by (name) (${ofCluster.rate('elasticsearch_indices_indexing_index_total')})`, '{{name}}']],
      'ops',
    ),
    graph(
      text('Searching', '查询'),
      [[`sum by (name) (${ofCluster.rate('elasticsearch_indices_search_query_total')})`, '{{name}}']],
      'ops',
    ),
    graph(
      text('Time per search', '每次查询耗时'),
      [
        [
          `sum by (name) (${ofCluster.rate('elasticsearch_indices_search_query_time_seconds')}) / sum by (name) (${ofCluster.rate('elasticsearch_indices_search_query_total')})`,
          '{{name}}',
        ],
      ],
      's',
    ),
    graph(
      text('Heap', '堆内存'),
      [
        [
          `${ofCluster.at('elasticsearch_jvm_memory_used_bytes', ',area="heap"')} / ${ofCluster.at('elasticsearch_jvm_memory_max_bytes', ',area="heap"')}`,
          '{{name}}',
        ],
      ],
      'percentunit',
    ),
    graph(
      text('Garbage collection', '垃圾回收'),
      [[ofCluster.rate('elasticsearch_jvm_gc_collection_seconds_sum'), '{{name}} {{gc}}']],
      'percentunit',
    ),
    graph(
      text('Disk free', '磁盘可用'),
      [
        [
          `${ofCluster.at('elasticsearch_filesystem_data_available_bytes')} / ${ofCluster.at('elasticsearch_filesystem_data_size_bytes')}`,
          '{{name}}',
        ],
      ],
      'percentunit',
    ),
  ],
};

export const clickhouse: Definition = {
  uid: 'clickhouse',
  title: text('ClickHouse', 'ClickHouse'),
  tags: ['middleware', 'databases'],
  variables: [instanceOf('ClickHouseMetrics_Query')],
  panels: [
    stat(text('Queries running', '执行中的查询'), at('ClickHouseMetrics_Query'), 'none'),
    stat(text('Queries', '查询'), r('ClickHouseProfileEvents_Query'), 'ops'),
    stat(text('Failed', '失败'), r('ClickHouseProfileEvents_FailedQuery'), 'ops', { steps: levels(0.01, 1) }),
    stat(text('Memory', '内存'), at('ClickHouseMetrics_MemoryTracking'), 'bytes'),
    stat(
      text('Connections', '连接'),
      `${at('ClickHouseMetrics_TCPConnection')} + ${at('ClickHouseMetrics_HTTPConnection')}`,
      'none',
    ),
    runningFor('ClickHouseAsyncMetrics_Uptime'),
    graph(
      text('Queries', '查询'),
      [
        [r('ClickHouseProfileEvents_SelectQuery'), 'select'],
        [r('ClickHouseProfileEvents_InsertQuery'), 'insert'],
        [r('ClickHouseProfileEvents_FailedQuery'), 'failed'],
      ],
      'ops',
    ),
    graph(text('Rows inserted', '写入行数'), [[r('ClickHouseProfileEvents_InsertedRows'), 'rows']], 'rowsps'),
    traffic(
      text('Bytes read and written', '读写字节'),
      ['ClickHouseProfileEvents_ReadCompressedBytes', 'read'],
      ['ClickHouseProfileEvents_WriteBufferFromFileDescriptorWriteBytes', 'written'],
    ),
    graph(
      text('Merges', '合并'),
      [
        [at('ClickHouseMetrics_Merge'), 'merges'],
        [at('ClickHouseMetrics_PartMutation'), 'mutations'],
      ],
      'none',
    ),
    graph(
      text('Parts', '数据片段'),
      [[at('ClickHouseAsyncMetrics_MaxPartCountForPartition'), 'most in a partition']],
      'none',
    ),
    graph(
      text('Replication queue', '复制队列'),
      [[at('ClickHouseAsyncMetrics_ReplicasMaxQueueSize'), 'queue']],
      'none',
    ),
    pie(
      text('Threads', '线程'),
      at('', ',__name__=~"ClickHouseMetrics_(Query|Background.*)Thread.*|ClickHouseMetrics_GlobalThread"'),
      '{{__name__}}',
      'none',
      { w: 12 },
    ),
  ],
};
