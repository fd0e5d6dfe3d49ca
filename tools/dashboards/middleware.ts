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

const I = 'instance="$instance"';
const instanceOf = (metric: string) =>
  choose('instance', text('Instance', '实例'), `label_values(${metric}, instance)`);
const up = (metric: string) =>
  stat(text('Up', '状态'), `${metric}{${I}}`, 'none', {
    steps: badBelow(1),
    options: { spark: false },
    field: {
      mappings: [
        {
          kind: 'value',
          values: {
            '1': { text: text('Up', '正常'), color: 'green' },
            '0': { text: text('Down', '异常'), color: 'red' },
          },
        },
      ],
      color: { mode: 'thresholds' },
    },
  });
const r = (metric: string, more = '') => `rate(${metric}{${I}${more}}[$__rate_interval])`;

export const mysql: Definition = {
  uid: 'mysql',
  title: text('MySQL and MariaDB', 'MySQL 与 MariaDB'),
  tags: ['middleware', 'databases'],
  variables: [instanceOf('mysql_up')],
  panels: [
    up('mysql_up'),
    stat(text('Running for', '运行时间'), `mysql_global_status_uptime{${I}}`, 's', { options: { spark: false } }),
    stat(text('Queries', '查询'), r('mysql_global_status_queries'), 'ops'),
    stat(text('Connections', '连接'), `mysql_global_status_threads_connected{${I}}`, 'none'),
    gauge(
      text('Connections of the limit', '连接占上限'),
      `mysql_global_status_threads_connected{${I}} / mysql_global_variables_max_connections{${I}}`,
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
        [`mysql_global_status_threads_connected{${I}}`, 'connected'],
        [`mysql_global_status_threads_running{${I}}`, 'running'],
      ],
      'none',
    ),
    graph(
      text('Buffer pool', '缓冲池'),
      [
        [`mysql_global_status_buffer_pool_pages{${I}}`, '{{state}}'],
        [`mysql_global_status_innodb_buffer_pool_pages_total{${I}}`, 'total'],
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
    graph(
      text('Network', '网络'),
      [
        [r('mysql_global_status_bytes_received'), 'in'],
        [`-${r('mysql_global_status_bytes_sent')}`, 'out'],
      ],
      'binBps',
    ),
    stacked(
      text('Row operations', '行操作'),
      [[r('mysql_global_status_innodb_row_ops_total'), '{{operation}}']],
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
    graph(text('Replication delay', '复制延迟'), [[`mysql_slave_status_seconds_behind_master{${I}}`, 'seconds']], 's'),
  ],
};

export const postgres: Definition = {
  uid: 'postgresql',
  title: text('PostgreSQL', 'PostgreSQL'),
  tags: ['middleware', 'databases'],
  variables: [instanceOf('pg_up')],
  panels: [
    up('pg_up'),
    stat(text('Databases', '数据库数'), `count(pg_database_size_bytes{${I}})`, 'none', { options: { spark: false } }),
    stat(text('Size', '大小'), `sum(pg_database_size_bytes{${I}})`, 'bytes'),
    stat(text('Transactions', '事务'), `sum(${r('pg_stat_database_xact_commit')})`, 'ops'),
    gauge(
      text('Connections of the limit', '连接占上限'),
      `sum(pg_stat_activity_count{${I}}) / max(pg_settings_max_connections{${I}})`,
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
      [[`sum by (state) (pg_stat_activity_count{${I}})`, '{{state}}']],
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
    graph(text('Size by database', '各数据库大小'), [[`pg_database_size_bytes{${I}}`, '{{datname}}']], 'bytes'),
    graph(text('Locks', '锁'), [[`sum by (mode) (pg_locks_count{${I}})`, '{{mode}}']], 'none'),
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
      [[`max by (datname) (pg_stat_activity_max_tx_duration{${I}})`, '{{datname}}']],
      's',
    ),
    graph(
      text('Replication lag', '复制延迟'),
      [[`pg_replication_lag_seconds{${I}} or pg_replication_lag{${I}}`, 'lag']],
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
    stat(text('Running for', '运行时间'), `redis_uptime_in_seconds{${I}}`, 's', { options: { spark: false } }),
    stat(text('Clients', '客户端'), `redis_connected_clients{${I}}`, 'none'),
    stat(text('Memory', '内存'), `redis_memory_used_bytes{${I}}`, 'bytes'),
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
        [`redis_memory_used_bytes{${I}}`, 'used'],
        [`redis_memory_used_rss_bytes{${I}}`, 'resident'],
        [`redis_memory_max_bytes{${I}} > 0`, 'limit'],
      ],
      'bytes',
    ),
    graph(
      text('Keys', '键'),
      [
        [`sum by (db) (redis_db_keys{${I}})`, '{{db}}'],
        [`sum by (db) (redis_db_keys_expiring{${I}})`, '{{db}} expiring'],
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
    graph(
      text('Network', '网络'),
      [
        [r('redis_net_input_bytes_total'), 'in'],
        [`-${r('redis_net_output_bytes_total')}`, 'out'],
      ],
      'binBps',
    ),
  ],
};

export const haproxy: Definition = {
  uid: 'haproxy',
  title: text('HAProxy', 'HAProxy'),
  tags: ['middleware', 'traffic'],
  variables: [instanceOf('{__name__=~"haproxy_up|haproxy_process_uptime_seconds|haproxy_frontend_bytes_in_total"}')],
  panels: [
    stat(text('Sessions', '会话'), `sum(haproxy_frontend_current_sessions{${I}})`, 'none'),
    stat(text('Requests', '请求'), `sum(${r('haproxy_frontend_http_requests_total')})`, 'reqps'),
    stat(text('Servers down', '异常服务器'), `count(haproxy_server_up{${I}} == 0) or vector(0)`, 'none', {
      steps: [
        { value: null, color: 'green' },
        { value: 1, color: 'red' },
      ],
    }),
    stat(text('Queued', '排队'), `sum(haproxy_backend_current_queue{${I}})`, 'none', { steps: levels(1, 10) }),
    stat(text('In', '入流量'), `sum(${r('haproxy_frontend_bytes_in_total')})`, 'binBps'),
    stat(text('Out', '出流量'), `sum(${r('haproxy_frontend_bytes_out_total')})`, 'binBps'),
    stacked(
      text('Answers by code', '各状态码应答'),
      [[`sum by (code) (${r('haproxy_frontend_http_responses_total')})`, '{{code}}']],
      'reqps',
    ),
    graph(text('Sessions', '会话'), [[`haproxy_frontend_current_sessions{${I}}`, '{{frontend}}{{proxy}}']], 'none'),
    graph(
      text('Backends: sessions', '后端会话'),
      [[`haproxy_backend_current_sessions{${I}}`, '{{backend}}{{proxy}}']],
      'none',
    ),
    graph(
      text('Backends: answer time', '后端应答时间'),
      [
        [
          `haproxy_backend_response_time_average_seconds{${I}} or haproxy_backend_http_response_time_average_seconds{${I}}`,
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
    table(text('Servers', '服务器'), [`haproxy_server_up{${I}}`], 'none', {
      field: {
        mappings: [
          {
            kind: 'value',
            values: {
              '1': { text: text('Up', '正常'), color: 'green' },
              '0': { text: text('Down', '异常'), color: 'red' },
            },
          },
        ],
        cell: 'text',
      },
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
    stat(text('Active connections', '活动连接'), `nginx_connections_active{${I}}`, 'none'),
    stat(text('Refused', '被拒绝'), `${r('nginx_connections_accepted')} - ${r('nginx_connections_handled')}`, 'ops', {
      steps: levels(0.01, 1),
    }),
    graph(text('Requests', '请求'), [[r('nginx_http_requests_total'), 'requests']], 'reqps'),
    stacked(
      text('Connections', '连接'),
      [
        [`nginx_connections_reading{${I}}`, 'reading'],
        [`nginx_connections_writing{${I}}`, 'writing'],
        [`nginx_connections_waiting{${I}}`, 'waiting'],
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
    stat(text('Partitions', '分区数'), 'sum(kafka_topic_partitions{topic=~"$topic"})', 'none'),
    stat(
      text('Under-replicated', '副本不足'),
      'sum(kafka_topic_partition_under_replicated_partition{topic=~"$topic"})',
      'none',
      {
        steps: [
          { value: null, color: 'green' },
          { value: 1, color: 'red' },
        ],
      },
    ),
    stat(
      text('Messages', '消息'),
      'sum(rate(kafka_topic_partition_current_offset{topic=~"$topic"}[$__rate_interval]))',
      'mps',
    ),
    stat(text('Lag', '积压'), 'sum(kafka_consumergroup_lag{topic=~"$topic"})', 'short'),
    stacked(
      text('Messages in by topic', '各主题写入'),
      [['sum by (topic) (rate(kafka_topic_partition_current_offset{topic=~"$topic"}[$__rate_interval]))', '{{topic}}']],
      'mps',
    ),
    stacked(
      text('Messages consumed by group', '各消费组消费'),
      [
        [
          'sum by (consumergroup) (rate(kafka_consumergroup_current_offset{topic=~"$topic"}[$__rate_interval]))',
          '{{consumergroup}}',
        ],
      ],
      'mps',
    ),
    graph(
      text('Lag by group', '各消费组积压'),
      [['sum by (consumergroup, topic) (kafka_consumergroup_lag{topic=~"$topic"})', '{{consumergroup}} {{topic}}']],
      'short',
    ),
    top(
      text('Largest lag', '最大积压'),
      'topk(10, sum by (consumergroup, topic) (kafka_consumergroup_lag{topic=~"$topic"}))',
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
      'max(elasticsearch_cluster_health_status{cluster="$cluster",color="green"} == 1) * 2 or max(elasticsearch_cluster_health_status{cluster="$cluster",color="yellow"} == 1) or vector(0)',
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
    stat(text('Nodes', '节点'), 'elasticsearch_cluster_health_number_of_nodes{cluster="$cluster"}', 'none'),
    stat(
      text('Shards not assigned', '未分配分片'),
      'elasticsearch_cluster_health_unassigned_shards{cluster="$cluster"}',
      'none',
      { steps: levels(1, 10) },
    ),
    stat(text('Documents', '文档数'), 'sum(elasticsearch_indices_docs{cluster="$cluster"})', 'short'),
    stat(text('Size', '大小'), 'sum(elasticsearch_indices_store_size_bytes{cluster="$cluster"})', 'bytes'),
    stat(
      text('Tasks waiting', '等待任务'),
      'elasticsearch_cluster_health_number_of_pending_tasks{cluster="$cluster"}',
      'none',
    ),
    graph(
      text('Indexing', '写入'),
      [
        [
          'sum by (name) (rate(elasticsearch_indices_indexing_index_total{cluster="$cluster"}[$__rate_interval]))',
          '{{name}}',
        ],
      ],
      'ops',
    ),
    graph(
      text('Searching', '查询'),
      [
        [
          'sum by (name) (rate(elasticsearch_indices_search_query_total{cluster="$cluster"}[$__rate_interval]))',
          '{{name}}',
        ],
      ],
      'ops',
    ),
    graph(
      text('Time per search', '每次查询耗时'),
      [
        [
          'sum by (name) (rate(elasticsearch_indices_search_query_time_seconds{cluster="$cluster"}[$__rate_interval])) / sum by (name) (rate(elasticsearch_indices_search_query_total{cluster="$cluster"}[$__rate_interval]))',
          '{{name}}',
        ],
      ],
      's',
    ),
    graph(
      text('Heap', '堆内存'),
      [
        [
          'elasticsearch_jvm_memory_used_bytes{cluster="$cluster",area="heap"} / elasticsearch_jvm_memory_max_bytes{cluster="$cluster",area="heap"}',
          '{{name}}',
        ],
      ],
      'percentunit',
    ),
    graph(
      text('Garbage collection', '垃圾回收'),
      [['rate(elasticsearch_jvm_gc_collection_seconds_sum{cluster="$cluster"}[$__rate_interval])', '{{name}} {{gc}}']],
      'percentunit',
    ),
    graph(
      text('Disk free', '磁盘可用'),
      [
        [
          'elasticsearch_filesystem_data_available_bytes{cluster="$cluster"} / elasticsearch_filesystem_data_size_bytes{cluster="$cluster"}',
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
    stat(text('Queries running', '执行中的查询'), `ClickHouseMetrics_Query{${I}}`, 'none'),
    stat(text('Queries', '查询'), r('ClickHouseProfileEvents_Query'), 'ops'),
    stat(text('Failed', '失败'), r('ClickHouseProfileEvents_FailedQuery'), 'ops', { steps: levels(0.01, 1) }),
    stat(text('Memory', '内存'), `ClickHouseMetrics_MemoryTracking{${I}}`, 'bytes'),
    stat(
      text('Connections', '连接'),
      `ClickHouseMetrics_TCPConnection{${I}} + ClickHouseMetrics_HTTPConnection{${I}}`,
      'none',
    ),
    stat(text('Running for', '运行时间'), `ClickHouseAsyncMetrics_Uptime{${I}}`, 's', { options: { spark: false } }),
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
    graph(
      text('Bytes read and written', '读写字节'),
      [
        [r('ClickHouseProfileEvents_ReadCompressedBytes'), 'read'],
        [`-${r('ClickHouseProfileEvents_WriteBufferFromFileDescriptorWriteBytes')}`, 'written'],
      ],
      'binBps',
    ),
    graph(
      text('Merges', '合并'),
      [
        [`ClickHouseMetrics_Merge{${I}}`, 'merges'],
        [`ClickHouseMetrics_PartMutation{${I}}`, 'mutations'],
      ],
      'none',
    ),
    graph(
      text('Parts', '数据片段'),
      [[`ClickHouseAsyncMetrics_MaxPartCountForPartition{${I}}`, 'most in a partition']],
      'none',
    ),
    graph(
      text('Replication queue', '复制队列'),
      [[`ClickHouseAsyncMetrics_ReplicasMaxQueueSize{${I}}`, 'queue']],
      'none',
    ),
    pie(
      text('Threads', '线程'),
      `{__name__=~"ClickHouseMetrics_(Query|Background.*)Thread.*|ClickHouseMetrics_GlobalThread",${I}}`,
      '{{__name__}}',
      'none',
      { w: 12 },
    ),
  ],
};
