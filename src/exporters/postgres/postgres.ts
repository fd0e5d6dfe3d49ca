// PostgreSQL under postgres_exporter's names. A table of queries; one that fails (an older server, a missing privilege) costs only its own
// families and is counted.

import type pg from 'pg';
import { errorText } from '#base/errors.ts';
import type { Page } from '../page.ts';
import type { SourceKind } from '../source.ts';

type Row = Record<string, string | number | null>;
type Query = {
  readonly name: string;
  readonly sql: string;
  readonly labels: readonly string[];
  /** Columns that become counters; all other columns that are no labels become gauges. */
  readonly counters: RegExp;
};

const ALL = /./;
const NONE = /^$/;

const QUERIES: readonly Query[] = [
  {
    name: 'pg_stat_database',
    sql: `SELECT d.*, extract(epoch FROM d.stats_reset) AS stats_reset FROM pg_stat_database d WHERE datname IS NOT NULL`,
    labels: ['datid', 'datname'],
    counters: /^(?!numbackends|stats_reset)/,
  },
  {
    name: 'pg_stat_bgwriter',
    sql: 'SELECT *, extract(epoch FROM stats_reset) AS stats_reset FROM pg_stat_bgwriter',
    labels: [],
    counters: /^(?!stats_reset)/,
  },
  {
    name: 'pg_stat_archiver',
    sql: 'SELECT archived_count, failed_count, coalesce(extract(epoch FROM now() - last_archived_time), -1) AS last_archive_age FROM pg_stat_archiver',
    labels: [],
    counters: /_count$/,
  },
  {
    name: 'pg_database',
    sql: 'SELECT datname, pg_database_size(datname) AS size_bytes, datconnlimit AS connection_limit FROM pg_database WHERE datallowconn',
    labels: ['datname'],
    counters: NONE,
  },
  {
    name: 'pg_locks',
    sql: `SELECT d.datname, lower(m.mode) AS mode, count(l.mode) AS count
          FROM pg_database d CROSS JOIN unnest(ARRAY['AccessShareLock','RowShareLock','RowExclusiveLock','ShareUpdateExclusiveLock',
            'ShareLock','ShareRowExclusiveLock','ExclusiveLock','AccessExclusiveLock','SIReadLock']) AS m(mode)
          LEFT JOIN pg_locks l ON l.database = d.oid AND l.mode = m.mode GROUP BY 1, 2`,
    labels: ['datname', 'mode'],
    counters: NONE,
  },
  {
    name: 'pg_stat_activity',
    sql: `SELECT coalesce(datname, '') AS datname, coalesce(state, '') AS state, coalesce(usename, '') AS usename,
            coalesce(application_name, '') AS application_name, coalesce(backend_type, '') AS backend_type,
            coalesce(wait_event_type, '') AS wait_event_type, coalesce(wait_event, '') AS wait_event, count(*) AS count,
            coalesce(max(extract(epoch FROM now() - xact_start)), 0) AS max_tx_duration
          FROM pg_stat_activity GROUP BY 1, 2, 3, 4, 5, 6, 7`,
    labels: ['application_name', 'backend_type', 'datname', 'state', 'usename', 'wait_event', 'wait_event_type'],
    counters: NONE,
  },
  {
    name: 'pg_stat_user_tables',
    sql: `SELECT current_database() AS datname, schemaname, relname, seq_scan, seq_tup_read, idx_scan, idx_tup_fetch, n_tup_ins, n_tup_upd,
            n_tup_del, n_tup_hot_upd, n_live_tup, n_dead_tup, n_mod_since_analyze, vacuum_count, autovacuum_count, analyze_count,
            autoanalyze_count, coalesce(extract(epoch FROM last_vacuum), 0) AS last_vacuum,
            coalesce(extract(epoch FROM last_autovacuum), 0) AS last_autovacuum,
            pg_table_size(relid) AS table_size_bytes, pg_indexes_size(relid) AS index_size_bytes
          FROM pg_stat_user_tables LIMIT 2000`,
    labels: ['datname', 'relname', 'schemaname'],
    counters: /^(seq_|idx_|n_tup_)|_count$/,
  },
  {
    name: 'pg_statio_user_tables',
    sql: `SELECT current_database() AS datname, schemaname, relname, heap_blks_read, heap_blks_hit, idx_blks_read, idx_blks_hit,
            toast_blks_read, toast_blks_hit, tidx_blks_read, tidx_blks_hit FROM pg_statio_user_tables LIMIT 2000`,
    labels: ['datname', 'relname', 'schemaname'],
    counters: ALL,
  },
  {
    name: 'pg_replication',
    sql: `SELECT CASE WHEN pg_is_in_recovery() THEN greatest(0, extract(epoch FROM now() - pg_last_xact_replay_timestamp())) ELSE 0 END
            AS lag_seconds, pg_is_in_recovery()::int AS is_replica`,
    labels: [],
    counters: NONE,
  },
  {
    name: 'pg_stat_replication',
    sql: `SELECT coalesce(application_name, '') AS application_name, coalesce(host(client_addr), '') AS client_addr, coalesce(state, '') AS state,
            pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, replay_lsn)
            AS pg_wal_lsn_diff FROM pg_stat_replication`,
    labels: ['application_name', 'client_addr', 'state'],
    counters: NONE,
  },
  {
    name: 'pg_replication_slot',
    sql: `SELECT slot_name, coalesce(database, '') AS database, active::int AS slot_is_active FROM pg_replication_slots`,
    labels: ['database', 'slot_name'],
    counters: NONE,
  },
  {
    name: 'pg_roles',
    sql: 'SELECT rolname, rolconnlimit AS connection_limit FROM pg_roles',
    labels: ['rolname'],
    counters: NONE,
  },
  {
    name: 'pg_wal',
    sql: 'SELECT count(*) AS segments, coalesce(sum(size), 0) AS size_bytes FROM pg_ls_waldir()',
    labels: [],
    counters: NONE,
  },
  {
    name: 'pg_postmaster',
    sql: 'SELECT extract(epoch FROM pg_postmaster_start_time()) AS start_time_seconds',
    labels: [],
    counters: NONE,
  },
];

const UNITS: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1024,
  '8kB': 8192,
  '16kB': 16_384,
  '32kB': 32_768,
  '64kB': 65_536,
  MB: 1024 ** 2,
  '16MB': 16 * 1024 ** 2,
  GB: 1024 ** 3,
  ms: 0.001,
  s: 1,
  min: 60,
  h: 3600,
  d: 86_400,
};

export const postgresKind: SourceKind = {
  up: 'pg_up',
  create(source, { log }) {
    let client: pg.Client | undefined;
    const close = async () => {
      const old = client;
      client = undefined;
      await old?.end().catch(() => {});
    };
    return {
      close,
      async read(page, signal) {
        signal.addEventListener('abort', () => void close(), { once: true });
        if (!client) {
          const { Client } = (await import('pg')).default;
          const opened = new Client({
            connectionString: source.url,
            connectionTimeoutMillis: source.timeoutMs,
            statement_timeout: source.timeoutMs,
            application_name: 'pharos',
          });
          opened.on('error', () => void close());
          await opened.connect();
          client = opened;
        }
        const query = async (sql: string) => (await client!.query(sql)).rows as Row[];
        let errors = 0;
        try {
          await addSettings(page, query, source.url);
          for (const one of QUERIES) {
            try {
              addRows(page, one, await query(one.sql));
            } catch (error) {
              if (!client) throw error;
              errors++;
              log.debug('query failed', { source: source.name, query: one.name, err: errorText(error) });
            }
          }
        } catch (error) {
          await close();
          throw error;
        }
        page.gauge('pg_exporter_last_scrape_error', 'Whether queries failed in this scrape.', errors > 0 ? 1 : 0);
      },
    };
  },
};

function addRows(page: Page, { name, labels, counters }: Query, rows: readonly Row[]): void {
  for (const row of rows) {
    const pairs = labels.flatMap((label) => [label, String(row[label] ?? '')]);
    for (const [column, value] of Object.entries(row)) {
      if (labels.includes(column) || value === null || value === undefined) continue;
      const number = Number(value);
      if (Number.isNaN(number) || typeof value === 'object') continue;
      const type = counters.test(column) ? 'counter' : 'gauge';
      page.add(type, `${name}_${column}`, `${name}: ${column}.`, number, pairs);
    }
  }
}

async function addSettings(page: Page, query: (sql: string) => Promise<Row[]>, url: string): Promise<void> {
  const { hostname, port } = new URL(url);
  const server = `${hostname || 'localhost'}:${port || 5432}`;
  for (const row of await query("SELECT name, setting, coalesce(unit, '') AS unit, vartype FROM pg_settings")) {
    const [name, setting, unit, type] = ['name', 'setting', 'unit', 'vartype'].map((key) => String(row[key])) as [
      string,
      string,
      string,
      string,
    ];
    if (type === 'bool') setting_(name, setting === 'on' ? 1 : 0, '');
    else if (type === 'integer' || type === 'real') {
      const factor = UNITS[unit] ?? 1;
      const isNone = setting === '-1';
      const suffix = /B$/.test(unit) ? '_bytes' : /^(ms|s|min|h|d)$/.test(unit) ? '_seconds' : '';
      setting_(name, isNone ? -1 : Number(setting) * factor, suffix);
    }
  }
  const [version] = await query("SELECT version() AS version, current_setting('server_version') AS short_version");
  page.gauge('pg_static', 'The version of the server.', 1, [
    'server',
    server,
    'short_version',
    String(version?.['short_version'] ?? '').split(' ')[0]!,
    'version',
    String(version?.['version'] ?? ''),
  ]);

  function setting_(name: string, value: number, suffix: string): void {
    if (Number.isFinite(value))
      page.gauge(`pg_settings_${name.toLowerCase().replace(/[^a-z0-9_]/g, '_')}${suffix}`, `Setting ${name}.`, value, [
        'server',
        server,
      ]);
  }
}
