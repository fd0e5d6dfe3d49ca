// Collectors of mysqld_exporter whose answers are more than a table: histograms of response times, the binary log, InnoDB's own
// report and counters, hosts of replicas.

import { errorCode } from '#base/errors.ts';
import type { Page } from '../page.ts';
import { lowerKeys, type Row } from './collectors.ts';

export type Ask = (sql: string) => Promise<readonly Row[]>;

/** Things that this server, or this user, does not have. */
const ABSENT = new Set([
  'ER_UNKNOWN_TABLE',
  'ER_NO_SUCH_TABLE',
  'ER_SPECIFIC_ACCESS_DENIED_ERROR',
  'ER_UNKNOWN_SYSTEM_VARIABLE',
  'ER_PARSE_ERROR',
]);

/** The rows, or undefined where there is no such thing. */
export async function unlessAbsent(answer: Promise<readonly Row[]>): Promise<readonly Row[] | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (ABSENT.has(errorCode(error) ?? '')) return undefined;
    throw error;
  }
}

/** Whether a variable that switches something on says so. */
export async function isSwitchedOn(ask: Ask, sql: string): Promise<boolean> {
  const [row] = (await unlessAbsent(ask(sql))) ?? [];
  const value = row === undefined ? 0 : Object.values(row)[0];
  return value !== null && !['0', 'OFF'].includes(String(value));
}

const RESPONSE_TIMES = [
  ['QUERY_RESPONSE_TIME', 'query'],
  ['QUERY_RESPONSE_TIME_READ', 'read_query'],
  ['QUERY_RESPONSE_TIME_WRITE', 'write_query'],
] as const;

/** A plug-in of MariaDB and Percona Server; its last row counts what was too long for any bucket. */
export async function addResponseTimes(page: Page, ask: Ask): Promise<void> {
  if (!(await isSwitchedOn(ask, 'SELECT @@query_response_time_stats'))) return;
  for (const [table, kind] of RESPONSE_TIMES) {
    const rows = await unlessAbsent(
      ask(`SELECT TIME AS t, COUNT AS c, TOTAL AS total FROM information_schema.${table}`),
    );
    if (!rows || rows.length === 0) continue;
    const buckets: [number, number][] = [];
    let [count, sum] = [0, 0];
    for (const row of rows) {
      count += Number(row['c']);
      sum += Number.parseFloat(String(row['total'])) || 0;
      const bound = Number.parseFloat(String(row['t']));
      if (bound > 0) buckets.push([bound, count]);
    }
    const name = `mysql_info_schema_${kind}_response_time_seconds`;
    page.histogram(name, 'Queries by how long they took.', buckets, sum, count);
  }
}

export async function addBinaryLog(page: Page, ask: Ask): Promise<void> {
  if (!(await isSwitchedOn(ask, 'SELECT @@log_bin'))) return;
  const files = (await ask('SHOW BINARY LOGS')).map(lowerKeys);
  const bytes = files.reduce((sum, file) => sum + Number(file['file_size'] ?? 0), 0);
  page.gauge('mysql_binlog_size_bytes', 'Size of all files of the binary log.', bytes);
  page.gauge('mysql_binlog_files', 'Files of the binary log.', files.length);
  const number = Number(/\.(\d+)$/.exec(String(files.at(-1)?.['log_name'] ?? ''))?.[1] ?? Number.NaN);
  if (!Number.isNaN(number))
    page.gauge('mysql_binlog_file_number', 'Number of the last file of the binary log.', number);
}

export async function addInnodbStatus(page: Page, ask: Ask): Promise<void> {
  const [row] = await ask('SHOW ENGINE INNODB STATUS');
  const report = String(row?.['Status'] ?? '');
  const add = (metric: string, help: string, pattern: RegExp) => {
    const found = pattern.exec(report)?.[1];
    if (found !== undefined) page.gauge(`mysql_engine_innodb_${metric}`, help, Number(found));
  };
  add('queries_inside_innodb', 'Queries inside InnoDB.', /(\d+) queries inside InnoDB/);
  add('queries_in_queue', 'Queries that wait for InnoDB.', /(\d+) queries in queue/);
  add('read_views_open_inside_innodb', 'Read views open inside InnoDB.', /(\d+) read views open inside InnoDB/);
}

export async function addInnodbMetrics(page: Page, ask: Ask): Promise<void> {
  for (const raw of await ask('SELECT * FROM information_schema.innodb_metrics')) {
    const row = lowerKeys(raw);
    if (String(row['status'] ?? '') !== 'enabled' && String(row['enabled'] ?? '') !== '1') continue;
    const [subsystem, name] = [String(row['subsystem']), String(row['name'])];
    const value = Number(row['count']);
    const prefix = 'mysql_info_schema_innodb_metrics';
    const io = /^buffer_page_(read|written)_(.*)$/.exec(name);
    const pages = /^buffer_pool_pages_(.*)$/.exec(name)?.[1];
    if (subsystem === 'buffer_page_io' && io)
      page.counter(`${prefix}_buffer_page_${io[1]}_total`, 'Pages by type.', value, ['type', io[2]!]);
    else if (subsystem === 'buffer' && pages === 'dirty')
      page.gauge(`${prefix}_buffer_pool_dirty_pages`, 'Dirty pages of the buffer pool.', value);
    else if (subsystem === 'buffer' && pages !== undefined) {
      // The total is the sum of the others.
      if (pages !== 'total') page.gauge(`${prefix}_buffer_pool_pages`, 'Pages by state.', value, ['state', pages]);
    } else {
      const isCounter = /counter$/.test(String(row['type'])) && value >= 0;
      const metric = `${prefix}_${subsystem}_${name}`;
      if (isCounter) page.counter(`${metric}_total`, String(row['comment']), value);
      else page.gauge(metric, String(row['comment']), value);
    }
  }
}

export async function addReplicaHosts(page: Page, ask: Ask): Promise<void> {
  const rows = (await unlessAbsent(ask('SHOW REPLICAS'))) ?? (await ask('SHOW SLAVE HOSTS'));
  for (const raw of rows) {
    const row = lowerKeys(raw);
    const text = (...names: string[]) => String(names.map((name) => row[name]).find((value) => value != null) ?? '');
    page.gauge('mysql_heartbeat_mysql_slave_hosts_info', 'A replica that is connected.', 1, [
      'master_id',
      text('source_id', 'master_id'),
      'port',
      text('port'),
      'server_id',
      text('server_id'),
      'slave_host',
      text('host'),
      'slave_uuid',
      text('replica_uuid', 'slave_uuid'),
    ]);
  }
}
