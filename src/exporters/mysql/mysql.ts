// MySQL and MariaDB under mysqld_exporter's names: global status, variables, replication, table sizes and processes.

import type { Connection } from 'mysql2/promise';
import { errorCode } from '#base/errors.ts';
import type { Page } from '../page.ts';
import type { SourceKind } from '../source.ts';

type Row = Record<string, string | number | null>;

/** Prefixes of status variables that become one family with a label. */
const GROUPS: readonly (readonly [prefix: string, metric: string, label: string, type: 'counter' | 'gauge'])[] = [
  ['com_', 'mysql_global_status_commands_total', 'command', 'counter'],
  ['handler_', 'mysql_global_status_handlers_total', 'handler', 'counter'],
  ['connection_errors_', 'mysql_global_status_connection_errors_total', 'error', 'counter'],
  ['innodb_rows_', 'mysql_global_status_innodb_row_ops_total', 'operation', 'counter'],
  ['performance_schema_', 'mysql_global_status_performance_schema_lost_total', 'instrumentation', 'counter'],
];
const PAGES = 'innodb_buffer_pool_pages_';
const PAGE_STATES = new Set(['data', 'free', 'misc', 'old', 'total', 'dirty']);

export const mysqlKind: SourceKind = {
  up: 'mysql_up',
  create(source) {
    let connection: Connection | undefined;
    const connect = async () => {
      const url = new URL(source.url);
      const { default: mysql } = await import('mysql2/promise');
      const opened = await mysql.createConnection({
        host: url.hostname || 'localhost',
        port: Number(url.port || 3306),
        user: decodeURIComponent(url.username),
        password: decodeURIComponent(url.password),
        ...(url.searchParams.has('socket') ? { socketPath: url.searchParams.get('socket')! } : {}),
        connectTimeout: source.timeoutMs,
        supportBigNumbers: true,
        bigNumberStrings: true,
        dateStrings: true,
      });
      opened.on('error', () => {
        connection = undefined;
      });
      return opened;
    };
    const close = async () => {
      connection?.destroy();
      connection = undefined;
    };
    return {
      close,
      async read(page, signal) {
        signal.addEventListener('abort', () => void close(), { once: true });
        try {
          connection ??= await connect();
          const query = async (sql: string) => (await connection!.query(sql))[0] as Row[];
          addStatus(page, await query('SHOW GLOBAL STATUS'));
          addVariables(page, await query('SHOW GLOBAL VARIABLES'));
          await addReplication(page, query);
          await addTables(page, query);
          await addCompression(page, query);
          addProcesses(page, await query('SHOW FULL PROCESSLIST'));
        } catch (error) {
          await close();
          throw error;
        }
      },
    };
  },
};

function numberOf(text: string): number | undefined {
  if (/^-?\d+(\.\d+)?$/.test(text)) return Number(text);
  switch (text.toUpperCase()) {
    case 'ON':
    case 'YES':
    case 'PRIMARY':
    case 'CONNECTED':
      return 1;
    case 'OFF':
    case 'NO':
    case 'NON-PRIMARY':
    case 'DISCONNECTED':
    case 'DISABLED':
      return 0;
    default:
      return undefined;
  }
}

function addStatus(page: Page, rows: readonly Row[]): void {
  for (const row of rows) {
    const name = String(row['Variable_name']).toLowerCase();
    const value = numberOf(String(row['Value']));
    if (value === undefined) continue;
    const group = GROUPS.find(([prefix]) => name.startsWith(prefix));
    if (group) page.add(group[3], group[1], 'Status by kind.', value, [group[2], name.slice(group[0].length)]);
    else if (name.startsWith(PAGES)) {
      const rest = name.slice(PAGES.length);
      if (rest === 'dirty')
        page.gauge('mysql_global_status_buffer_pool_dirty_pages', 'Dirty pages of the buffer pool.', value);
      if (rest === 'total')
        page.gauge('mysql_global_status_buffer_pool_pages_total', 'Pages of the buffer pool.', value);
      else if (PAGE_STATES.has(rest) && rest !== 'dirty')
        page.gauge('mysql_global_status_buffer_pool_pages', 'Pages of the buffer pool by state.', value, [
          'state',
          rest,
        ]);
      else if (rest !== 'dirty')
        page.counter('mysql_global_status_buffer_pool_page_changes_total', 'Page changes.', value, ['operation', rest]);
    } else
      page.untyped(`mysql_global_status_${name.replace(/[^a-z0-9_]/g, '_')}`, `SHOW GLOBAL STATUS: ${name}.`, value);
  }
}

function addVariables(page: Page, rows: readonly Row[]): void {
  const texts = new Map<string, string>();
  for (const row of rows) {
    const name = String(row['Variable_name']).toLowerCase();
    const text = String(row['Value']);
    texts.set(name, text);
    const value = numberOf(text);
    if (value !== undefined)
      page.gauge(
        `mysql_global_variables_${name.replace(/[^a-z0-9_]/g, '_')}`,
        `SHOW GLOBAL VARIABLES: ${name}.`,
        value,
      );
  }
  page.gauge('mysql_version_info', 'The version of the server.', 1, [
    'innodb_version',
    texts.get('innodb_version') ?? '',
    'version',
    texts.get('version') ?? '',
    'version_comment',
    texts.get('version_comment') ?? '',
  ]);
}

/** Named SHOW REPLICA STATUS or SHOW SLAVE STATUS by age, all channels; needs a privilege that may be missing. */
async function addReplication(page: Page, query: (sql: string) => Promise<Row[]>): Promise<void> {
  let rows: Row[] = [];
  for (const sql of ['SHOW ALL SLAVES STATUS', 'SHOW REPLICA STATUS', 'SHOW SLAVE STATUS']) {
    try {
      rows = await query(sql);
      break;
    } catch {
      // Another dialect, or not allowed: the next wording tells.
    }
  }
  for (const row of rows) {
    const text = (...names: string[]) => String(names.map((name) => row[name]).find((value) => value != null) ?? '');
    const labels = [
      'channel_name',
      text('Channel_Name'),
      'connection_name',
      text('Connection_name'),
      'master_host',
      text('Master_Host', 'Source_Host'),
      'master_uuid',
      text('Master_UUID', 'Source_UUID'),
    ];
    for (const [key, raw] of Object.entries(row)) {
      const value = raw === null ? undefined : numberOf(String(raw));
      if (value !== undefined)
        page.untyped(
          `mysql_slave_status_${key.toLowerCase().replace(/[^a-z0-9_]/g, '_')}`,
          `Replication: ${key}.`,
          value,
          labels,
        );
    }
  }
}

const MAX_TABLES = 1000;

async function addTables(page: Page, query: (sql: string) => Promise<Row[]>): Promise<void> {
  const rows = await query(
    `SELECT TABLE_SCHEMA AS s, TABLE_NAME AS t, ENGINE AS e, TABLE_ROWS AS r, DATA_LENGTH AS d, INDEX_LENGTH AS i, DATA_FREE AS f
     FROM information_schema.tables
     WHERE TABLE_TYPE = 'BASE TABLE' AND TABLE_SCHEMA NOT IN ('mysql', 'performance_schema', 'information_schema', 'sys')
     ORDER BY DATA_LENGTH DESC LIMIT ${MAX_TABLES}`,
  );
  for (const row of rows) {
    const labels = ['schema', String(row['s']), 'table', String(row['t'])];
    page.gauge('mysql_info_schema_table_rows', 'Rows of a table, as estimated.', Number(row['r'] ?? 0), labels);
    for (const [component, key] of [
      ['data_length', 'd'],
      ['index_length', 'i'],
      ['data_free', 'f'],
    ] as const)
      page.gauge('mysql_info_schema_table_size', 'Size of a table by component.', Number(row[key] ?? 0), [
        'component',
        component,
        ...labels,
      ]);
  }
}

/** Columns of information_schema's tables about compressed pages; times are in seconds and milliseconds. */
const COMPRESSION = [
  {
    table: 'innodb_cmp',
    labels: [['page_size', 'page_size']],
    columns: [
      ['compress_ops', 'compress_ops_total', 1],
      ['compress_ops_ok', 'compress_ops_ok_total', 1],
      ['compress_time', 'compress_time_seconds_total', 1],
      ['uncompress_ops', 'uncompress_ops_total', 1],
      ['uncompress_time', 'uncompress_time_seconds_total', 1],
    ],
  },
  {
    table: 'innodb_cmpmem',
    labels: [
      ['buffer_pool', 'buffer_pool_instance'],
      ['page_size', 'page_size'],
    ],
    columns: [
      ['pages_used', 'pages_used_total', 1],
      ['pages_free', 'pages_free_total', 1],
      ['relocation_ops', 'relocation_ops_total', 1],
      ['relocation_time', 'relocation_time_seconds_total', 1000],
    ],
  },
] as const;
/** The table is not there, or not for this user. */
const NOT_FOR_US = new Set(['ER_UNKNOWN_TABLE', 'ER_NO_SUCH_TABLE', 'ER_SPECIFIC_ACCESS_DENIED_ERROR']);

async function addCompression(page: Page, query: (sql: string) => Promise<Row[]>): Promise<void> {
  for (const { table, labels, columns } of COMPRESSION) {
    let rows: Row[];
    try {
      rows = await query(`SELECT * FROM information_schema.${table}`);
    } catch (error) {
      if (NOT_FOR_US.has(errorCode(error) ?? '')) continue;
      throw error;
    }
    for (const raw of rows) {
      const row = Object.fromEntries(Object.entries(raw).map(([name, value]) => [name.toLowerCase(), value]));
      const own = labels.flatMap(([name, column]) => [name, String(row[column] ?? '')]);
      for (const [column, metric, divisor] of columns)
        page.counter(
          `mysql_info_schema_${table}_${metric}`,
          `Compressed pages: ${column}.`,
          Number(row[column] ?? 0) / divisor,
          own,
        );
    }
  }
}

function addProcesses(page: Page, rows: readonly Row[]): void {
  const counts = new Map<string, { labels: string[]; threads: number; seconds: number }>();
  for (const row of rows) {
    const command = String(row['Command'] ?? '')
      .toLowerCase()
      .replaceAll(' ', '_');
    const state = String(row['State'] ?? '')
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '_');
    const key = `${command}\xff${state}`;
    const count = counts.get(key) ?? { labels: ['command', command, 'state', state], threads: 0, seconds: 0 };
    count.threads++;
    count.seconds += Number(row['Time'] ?? 0);
    counts.set(key, count);
  }
  for (const { labels, threads, seconds } of counts.values()) {
    page.gauge('mysql_info_schema_processlist_threads', 'Threads by command and state.', threads, labels);
    page.gauge('mysql_info_schema_processlist_seconds', 'Seconds they have been so.', seconds, labels);
  }
}
