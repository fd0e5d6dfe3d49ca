// MySQL and MariaDB under mysqld_exporter's names: global status, variables, replication, table sizes and processes; further collectors
// (collectors.ts, special.ts) where they are named.

import type { Connection } from 'mysql2/promise';
import type { Page } from '../page.ts';
import { Parts } from '../parts.ts';
import type { SourceKind } from '../source.ts';
import { addTable, lowerKeys, type Row, TABLE_COLLECTORS } from './collectors.ts';
import {
  type Ask,
  addBinaryLog,
  addInnodbMetrics,
  addInnodbStatus,
  addReplicaHosts,
  addResponseTimes,
  isSwitchedOn,
  unlessAbsent,
} from './special.ts';

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

type MysqlCollector = (page: Page, ask: Ask) => Promise<void>;

/** What is measured in any case, in order. */
const ALWAYS: Readonly<Record<string, MysqlCollector>> = {
  global_status: async (page, ask) => addStatus(page, await ask('SHOW GLOBAL STATUS')),
  global_variables: async (page, ask) => addVariables(page, await ask('SHOW GLOBAL VARIABLES')),
  slave_status: addReplication,
  'info_schema.tables': addTables,
  'info_schema.innodb_cmp': (page, ask) => addCompression(page, ask, 'innodb_cmp'),
  'info_schema.innodb_cmpmem': (page, ask) => addCompression(page, ask, 'innodb_cmpmem'),
  'info_schema.processlist': async (page, ask) => addProcesses(page, await ask('SHOW FULL PROCESSLIST')),
  'info_schema.query_response_time': addResponseTimes,
};

const OPTIONAL: Readonly<Record<string, MysqlCollector>> = {
  ...Object.fromEntries(
    TABLE_COLLECTORS.map((one): [string, MysqlCollector] => [
      one.name,
      async (page, ask) => {
        if (one.when === undefined || (await isSwitchedOn(ask, one.when))) addTable(page, one, await ask(one.sql));
      },
    ]),
  ),
  binlog_size: addBinaryLog,
  engine_innodb_status: addInnodbStatus,
  'info_schema.innodb_metrics': addInnodbMetrics,
  slave_hosts: addReplicaHosts,
};

export const mysqlKind: SourceKind = {
  up: 'mysql_up',
  optional: Object.keys(OPTIONAL).sort(),
  create(source, { clock, log }) {
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
          const ask: Ask = async (sql) => (await connection!.query(sql))[0] as Row[];
          const parts = new Parts(clock, log.with({ source: source.name }), () => connection !== undefined);
          const named = (source.collect ?? []).map((name) => [name, OPTIONAL[name]!] as const);
          for (const [name, collector] of [...Object.entries(ALWAYS), ...named])
            await parts.run(`collect.${name}`, () => collector(page, ask));
          parts.addTo(page, 'mysql_exporter_collector');
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
async function addReplication(page: Page, ask: Ask): Promise<void> {
  let rows: readonly Row[] | undefined;
  for (const sql of ['SHOW ALL SLAVES STATUS', 'SHOW REPLICA STATUS', 'SHOW SLAVE STATUS'])
    rows ??= await unlessAbsent(ask(sql));
  for (const row of rows ?? []) {
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

async function addTables(page: Page, ask: Ask): Promise<void> {
  const rows = await ask(
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
const COMPRESSION = {
  innodb_cmp: {
    labels: [['page_size', 'page_size']],
    columns: [
      ['compress_ops', 'compress_ops_total', 1],
      ['compress_ops_ok', 'compress_ops_ok_total', 1],
      ['compress_time', 'compress_time_seconds_total', 1],
      ['uncompress_ops', 'uncompress_ops_total', 1],
      ['uncompress_time', 'uncompress_time_seconds_total', 1],
    ],
  },
  innodb_cmpmem: {
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
} as const;
async function addCompression(page: Page, ask: Ask, table: keyof typeof COMPRESSION): Promise<void> {
  const { labels, columns } = COMPRESSION[table];
  for (const raw of (await unlessAbsent(ask(`SELECT * FROM information_schema.${table}`))) ?? []) {
    const row = lowerKeys(raw);
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
