// Collectors of mysqld_exporter that are off unless named, as a table: what is asked, which columns are labels, which are metrics.
// Names of columns are compared without case, because servers differ.

import type { Page } from '../page.ts';

export type Row = Readonly<Record<string, string | number | null>>;

type Value = {
  readonly column: string;
  readonly metric: string;
  readonly type: 'counter' | 'gauge';
  /** The column in the metric's unit: picoseconds are divided by 1e12. */
  readonly divisor?: number;
  /** A label that tells the columns of one metric apart. */
  readonly more?: readonly [name: string, value: string];
};
export type TableCollector = {
  readonly name: string;
  /** Asked first: 0 or OFF says that there is nothing to measure. */
  readonly when?: string;
  readonly sql: string;
  readonly labels: readonly (readonly [name: string, column: string])[];
  readonly values: readonly Value[];
};

const PICOSECONDS = 1e12;
const MAX_ROWS = 1000;
const OWN_SCHEMAS = "('mysql', 'performance_schema', 'information_schema', 'sys')";

const counter = (column: string, metric: string, divisor = 1): Value => ({ column, metric, type: 'counter', divisor });
const gauge = (column: string, metric: string): Value => ({ column, metric, type: 'gauge' });

/** Columns of table_io_waits_summary_*: a count and a time for each operation. */
const waits = (metric: string): Value[] =>
  ['fetch', 'insert', 'update', 'delete'].flatMap((operation): Value[] => {
    const more = ['operation', operation] as const;
    return [
      { ...counter(`count_${operation}`, `${metric}_total`), more },
      { ...counter(`sum_timer_${operation}`, `${metric}_seconds_total`, PICOSECONDS), more },
    ];
  });

const LOCKS =
  `read_normal read_with_shared_locks read_high_priority read_no_insert write_allow_write write_concurrent_insert
  write_low_priority write_normal`.split(/\s+/);
const locks = (kind: 'sql' | 'external', columns: readonly (readonly [column: string, operation: string])[]): Value[] =>
  columns.flatMap(([column, operation]): Value[] => {
    const more = ['operation', operation] as const;
    return [
      { ...counter(`count_${column}`, `mysql_perf_schema_${kind}_lock_waits_total`), more },
      { ...counter(`sum_timer_${column}`, `mysql_perf_schema_${kind}_lock_waits_seconds_total`, PICOSECONDS), more },
    ];
  });

/** What user_statistics and client_statistics count. */
const statistics = (of: string): Value[] =>
  [
    counter('total_connections', 'total_connections'),
    gauge('concurrent_connections', 'concurrent_connections'),
    counter('connected_time', 'connected_time_seconds_total'),
    counter('busy_time', 'busy_seconds_total'),
    counter('cpu_time', 'cpu_time_seconds_total'),
    counter('bytes_received', 'bytes_received_total'),
    counter('bytes_sent', 'bytes_sent_total'),
    counter('binlog_bytes_written', 'binlog_bytes_written_total'),
    counter('rows_read', 'rows_read_total'),
    counter('rows_sent', 'rows_sent_total'),
    counter('rows_deleted', 'rows_deleted_total'),
    counter('rows_inserted', 'rows_inserted_total'),
    counter('rows_fetched', 'rows_fetched_total'),
    counter('rows_updated', 'rows_updated_total'),
    counter('select_commands', 'select_commands_total'),
    counter('update_commands', 'update_commands_total'),
    counter('other_commands', 'other_commands_total'),
    counter('commit_transactions', 'commit_transactions_total'),
    counter('rollback_transactions', 'rollback_transactions_total'),
    counter('denied_connections', 'denied_connections_total'),
    counter('lost_connections', 'lost_connections_total'),
    counter('access_denied', 'access_denied_total'),
    counter('empty_queries', 'empty_queries_total'),
    counter('total_ssl_connections', 'total_ssl_connections_total'),
  ].map((value) => ({ ...value, metric: `mysql_info_schema_${of}_statistics_${value.metric}` }));

const USERSTAT = 'SELECT @@userstat';

export const TABLE_COLLECTORS: readonly TableCollector[] = [
  {
    name: 'auto_increment.columns',
    sql: `SELECT c.table_schema AS s, c.table_name AS t, c.column_name AS c, t.auto_increment AS value,
            pow(2, CASE c.data_type WHEN 'tinyint' THEN 7 WHEN 'smallint' THEN 15 WHEN 'mediumint' THEN 23 WHEN 'int' THEN 31
              WHEN 'bigint' THEN 63 END + (c.column_type LIKE '% unsigned')) - 1 AS most
          FROM information_schema.columns c
          JOIN information_schema.tables t ON BINARY c.table_schema = t.table_schema AND BINARY c.table_name = t.table_name
          WHERE c.extra = 'auto_increment' AND t.auto_increment IS NOT NULL LIMIT ${MAX_ROWS}`,
    labels: [
      ['column', 'c'],
      ['schema', 's'],
      ['table', 't'],
    ],
    values: [
      gauge('value', 'mysql_info_schema_auto_increment_column'),
      gauge('most', 'mysql_info_schema_auto_increment_column_max'),
    ],
  },
  {
    name: 'info_schema.clientstats',
    when: USERSTAT,
    sql: `SELECT * FROM information_schema.client_statistics LIMIT ${MAX_ROWS}`,
    labels: [['client', 'client']],
    values: statistics('client'),
  },
  {
    name: 'info_schema.userstats',
    when: USERSTAT,
    sql: `SELECT * FROM information_schema.user_statistics LIMIT ${MAX_ROWS}`,
    labels: [['user', 'user']],
    values: statistics('user'),
  },
  {
    name: 'info_schema.tablestats',
    when: USERSTAT,
    sql: `SELECT * FROM information_schema.table_statistics LIMIT ${MAX_ROWS}`,
    labels: [
      ['schema', 'table_schema'],
      ['table', 'table_name'],
    ],
    values: [
      counter('rows_read', 'mysql_info_schema_table_statistics_rows_read_total'),
      counter('rows_changed', 'mysql_info_schema_table_statistics_rows_changed_total'),
      counter('rows_changed_x_indexes', 'mysql_info_schema_table_statistics_rows_changed_x_indexes_total'),
    ],
  },
  {
    name: 'info_schema.schemastats',
    when: USERSTAT,
    sql: `SELECT table_schema, sum(rows_read) AS rows_read, sum(rows_changed) AS rows_changed,
            sum(rows_changed_x_indexes) AS rows_changed_x_indexes
          FROM information_schema.table_statistics GROUP BY table_schema LIMIT ${MAX_ROWS}`,
    labels: [['schema', 'table_schema']],
    values: [
      counter('rows_read', 'mysql_info_schema_schema_statistics_rows_read_total'),
      counter('rows_changed', 'mysql_info_schema_schema_statistics_rows_changed_total'),
      counter('rows_changed_x_indexes', 'mysql_info_schema_schema_statistics_rows_changed_x_indexes_total'),
    ],
  },
  {
    name: 'info_schema.innodb_tablespaces',
    sql: `SELECT space, name, coalesce(row_format, 'NONE') AS row_format, file_size, allocated_size, 1 AS space_info
          FROM information_schema.innodb_sys_tablespaces LIMIT ${MAX_ROWS}`,
    labels: [['tablespace_name', 'name']],
    values: [
      gauge('file_size', 'mysql_info_schema_innodb_tablespace_file_size_bytes'),
      gauge('allocated_size', 'mysql_info_schema_innodb_tablespace_allocated_size_bytes'),
    ],
  },
  {
    name: 'perf_schema.tableiowaits',
    sql: `SELECT * FROM performance_schema.table_io_waits_summary_by_table WHERE object_schema NOT IN ${OWN_SCHEMAS} LIMIT ${MAX_ROWS}`,
    labels: [
      ['name', 'object_name'],
      ['schema', 'object_schema'],
    ],
    values: waits('mysql_perf_schema_table_io_waits'),
  },
  {
    name: 'perf_schema.indexiowaits',
    sql: `SELECT w.*, coalesce(index_name, 'NONE') AS index_or_none FROM performance_schema.table_io_waits_summary_by_index_usage w
          WHERE object_schema NOT IN ${OWN_SCHEMAS} LIMIT ${MAX_ROWS}`,
    labels: [
      ['index', 'index_or_none'],
      ['name', 'object_name'],
      ['schema', 'object_schema'],
    ],
    values: waits('mysql_perf_schema_index_io_waits'),
  },
  {
    name: 'perf_schema.tablelocks',
    sql: `SELECT * FROM performance_schema.table_lock_waits_summary_by_table WHERE object_schema NOT IN ${OWN_SCHEMAS} LIMIT ${MAX_ROWS}`,
    labels: [
      ['name', 'object_name'],
      ['schema', 'object_schema'],
    ],
    values: [
      ...locks(
        'sql',
        LOCKS.map((name) => [name, name]),
      ),
      ...locks('external', [
        ['read_external', 'read'],
        ['write_external', 'write'],
      ]),
    ],
  },
  {
    name: 'perf_schema.eventsstatements',
    sql: `SELECT coalesce(schema_name, 'NONE') AS s, digest, left(digest_text, 120) AS text, d.*
          FROM performance_schema.events_statements_summary_by_digest d
          WHERE digest IS NOT NULL AND last_seen > date_sub(now(), INTERVAL 1 DAY)
          ORDER BY sum_timer_wait DESC LIMIT 250`,
    labels: [
      ['digest', 'digest'],
      ['digest_text', 'text'],
      ['schema', 's'],
    ],
    values: [
      counter('count_star', 'total'),
      counter('sum_timer_wait', 'seconds_total', PICOSECONDS),
      counter('sum_lock_time', 'lock_time_seconds_total', PICOSECONDS),
      counter('sum_errors', 'errors_total'),
      counter('sum_warnings', 'warnings_total'),
      counter('sum_rows_affected', 'rows_affected_total'),
      counter('sum_rows_sent', 'rows_sent_total'),
      counter('sum_rows_examined', 'rows_examined_total'),
      counter('sum_created_tmp_tables', 'tmp_tables_total'),
      counter('sum_created_tmp_disk_tables', 'tmp_disk_tables_total'),
      counter('sum_sort_merge_passes', 'sort_merge_passes_total'),
      counter('sum_sort_rows', 'sort_rows_total'),
      counter('sum_no_index_used', 'no_index_used_total'),
    ].map((value) => ({ ...value, metric: `mysql_perf_schema_events_statements_${value.metric}` })),
  },
  {
    name: 'perf_schema.eventswaits',
    sql: 'SELECT event_name, count_star, sum_timer_wait FROM performance_schema.events_waits_summary_global_by_event_name',
    labels: [['event_name', 'event_name']],
    values: [
      counter('count_star', 'mysql_perf_schema_events_waits_total'),
      counter('sum_timer_wait', 'mysql_perf_schema_events_waits_seconds_total', PICOSECONDS),
    ],
  },
  {
    name: 'perf_schema.file_events',
    sql: 'SELECT * FROM performance_schema.file_summary_by_event_name',
    labels: [['event_name', 'event_name']],
    values: ['read', 'write', 'misc'].flatMap((mode): Value[] => {
      const more = ['mode', mode] as const;
      return [
        { ...counter(`count_${mode}`, 'mysql_perf_schema_file_events_total'), more },
        { ...counter(`sum_timer_${mode}`, 'mysql_perf_schema_file_events_seconds_total', PICOSECONDS), more },
        { ...counter(`sum_number_of_bytes_${mode}`, 'mysql_perf_schema_file_events_bytes_total'), more },
      ];
    }),
  },
];

export const lowerKeys = (row: Row): Row =>
  Object.fromEntries(Object.entries(row).map(([name, value]) => [name.toLowerCase(), value]));

export function addTable(page: Page, { labels, values }: TableCollector, rows: readonly Row[]): void {
  for (const raw of rows) {
    const row = lowerKeys(raw);
    const own = labels.map(([name, column]) => [name, String(row[column] ?? '')] as const);
    for (const { column, metric, type, divisor = 1, more } of values) {
      const value = row[column];
      if (value === null || value === undefined) continue;
      const pairs = more === undefined ? own : [...own, more].sort(([a], [b]) => (a < b ? -1 : 1));
      page.add(type, metric, `Column ${column}.`, Number(value) / divisor, pairs.flat());
    }
  }
}
