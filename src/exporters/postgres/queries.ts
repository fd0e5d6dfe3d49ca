// What is asked of PostgreSQL: a table of queries under postgres_exporter's names, one for each of its collectors and a few of its
// earlier ones. A column that is no label is a metric `<name>_<column>`; null is no sample.

/** Columns, as PostgreSQL gives them: numbers of 64 bits are text. */
export type Row = Readonly<Record<string, unknown>>;

export type Query = {
  /** The collector of postgres_exporter. */
  readonly collector: string;
  readonly name: string;
  readonly sql: string;
  readonly labels: readonly string[];
  /** Columns that become counters; all others that are no labels become gauges. */
  readonly counters: RegExp;
  /** The first version of the server that has it, as 120000, and the first that has it no more. */
  readonly from?: number;
  readonly until?: number;
  /** Without this extension there is nothing to ask. */
  readonly extension?: string;
};

const ALL = /./;
const NONE = /^$/;
const MAX_TABLES = 2000;
const MAX_STATEMENTS = 100;

/** Positions in the log of changes as bytes, within what a double holds exactly. */
const CURRENT_LSN = `CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END`;
const CHECKPOINTS = `checkpoints_timed AS checkpoints_timed_total, checkpoints_req AS checkpoints_req_total,
  checkpoint_write_time AS checkpoint_write_time_total, checkpoint_sync_time AS checkpoint_sync_time_total,
  buffers_checkpoint AS buffers_checkpoint_total, buffers_backend AS buffers_backend_total,
  buffers_backend_fsync AS buffers_backend_fsync_total,`;
const bgwriter = (more: string) => `SELECT ${more} buffers_clean AS buffers_clean_total,
  maxwritten_clean AS maxwritten_clean_total, buffers_alloc AS buffers_alloc_total,
  extract(epoch FROM stats_reset) AS stats_reset_total FROM pg_stat_bgwriter`;
const statements = (prefix: string) => `SELECT pg_get_userbyid(s.userid) AS user, d.datname, s.queryid,
  s.calls AS calls_total, s.total_exec_time / 1000.0 AS seconds_total, s.rows AS rows_total,
  s.${prefix}blk_read_time / 1000.0 AS block_read_seconds_total, s.${prefix}blk_write_time / 1000.0 AS block_write_seconds_total
  FROM pg_stat_statements(false) s JOIN pg_database d ON d.oid = s.dbid WHERE s.toplevel
  ORDER BY s.total_exec_time DESC LIMIT ${MAX_STATEMENTS}`;

export const QUERIES: readonly Query[] = [
  {
    collector: 'stat_database',
    name: 'pg_stat_database',
    sql: `SELECT d.*, extract(epoch FROM d.stats_reset) AS stats_reset FROM pg_stat_database d WHERE datname IS NOT NULL`,
    labels: ['datid', 'datname'],
    counters: /^(?!numbackends)/,
  },
  {
    collector: 'stat_database',
    name: 'pg_stat_database',
    sql: `SELECT datid, datname, active_time / 1000.0 AS active_time_seconds_total FROM pg_stat_database WHERE datname IS NOT NULL`,
    labels: ['datid', 'datname'],
    counters: ALL,
    from: 140000,
  },
  {
    collector: 'stat_database',
    name: 'pg_stat_database_conflicts',
    sql: 'SELECT * FROM pg_stat_database_conflicts',
    labels: ['datid', 'datname'],
    counters: ALL,
  },
  {
    collector: 'stat_bgwriter',
    name: 'pg_stat_bgwriter',
    sql: bgwriter(CHECKPOINTS),
    labels: [],
    counters: ALL,
    until: 170000,
  },
  { collector: 'stat_bgwriter', name: 'pg_stat_bgwriter', sql: bgwriter(''), labels: [], counters: ALL, from: 170000 },
  {
    collector: 'stat_checkpointer',
    name: 'pg_stat_checkpointer',
    sql: `SELECT num_timed AS num_timed_total, num_requested AS num_requested_total, restartpoints_timed AS restartpoints_timed_total,
            restartpoints_req AS restartpoints_req_total, restartpoints_done AS restartpoints_done_total, write_time AS write_time_total,
            sync_time AS sync_time_total, buffers_written AS buffers_written_total, extract(epoch FROM stats_reset) AS stats_reset_total
          FROM pg_stat_checkpointer`,
    labels: [],
    counters: ALL,
    from: 170000,
  },
  {
    collector: 'stat_archiver',
    name: 'pg_stat_archiver',
    sql: `SELECT archived_count, failed_count, coalesce(extract(epoch FROM now() - last_archived_time), -1) AS last_archive_age
          FROM pg_stat_archiver`,
    labels: [],
    counters: /_count$/,
  },
  {
    collector: 'database',
    name: 'pg_database',
    sql: 'SELECT datname, pg_database_size(datname) AS size_bytes, datconnlimit AS connection_limit FROM pg_database WHERE datallowconn',
    labels: ['datname'],
    counters: NONE,
  },
  {
    collector: 'database_wraparound',
    name: 'pg_database_wraparound',
    sql: `SELECT datname, age(datfrozenxid) AS age_datfrozenxid_seconds, mxid_age(datminmxid) AS age_datminmxid_seconds
          FROM pg_database WHERE datallowconn`,
    labels: ['datname'],
    counters: NONE,
  },
  {
    collector: 'locks',
    name: 'pg_locks',
    sql: `SELECT d.datname, lower(m.mode) AS mode, count(l.mode) AS count
          FROM pg_database d CROSS JOIN unnest(ARRAY['AccessShareLock','RowShareLock','RowExclusiveLock','ShareUpdateExclusiveLock',
            'ShareLock','ShareRowExclusiveLock','ExclusiveLock','AccessExclusiveLock','SIReadLock']) AS m(mode)
          LEFT JOIN pg_locks l ON l.database = d.oid AND l.mode = m.mode GROUP BY 1, 2`,
    labels: ['datname', 'mode'],
    counters: NONE,
  },
  {
    collector: 'long_running_transactions',
    name: 'pg',
    sql: `SELECT count(*) AS long_running_transactions,
            coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0) AS long_running_transactions_oldest_timestamp_seconds
          FROM pg_stat_activity
          WHERE state IS DISTINCT FROM 'idle' AND query NOT LIKE 'autovacuum:%' AND xact_start IS NOT NULL AND pid <> pg_backend_pid()`,
    labels: [],
    counters: NONE,
  },
  {
    collector: 'stat_activity',
    name: 'pg_stat_activity',
    sql: `SELECT d.datname, s.state, coalesce(a.usename, '') AS usename, coalesce(a.application_name, '') AS application_name,
            coalesce(a.backend_type, '') AS backend_type, coalesce(a.wait_event_type, '') AS wait_event_type,
            coalesce(a.wait_event, '') AS wait_event, count(a.pid) AS count,
            coalesce(max(extract(epoch FROM now() - a.xact_start)), 0) AS max_tx_duration
          FROM pg_database d CROSS JOIN unnest(ARRAY['active','idle','idle in transaction','idle in transaction (aborted)',
            'fastpath function call','disabled']) AS s(state)
          LEFT JOIN pg_stat_activity a ON a.datname = d.datname AND a.state = s.state AND a.pid <> pg_backend_pid()
          GROUP BY 1, 2, 3, 4, 5, 6, 7`,
    labels: ['application_name', 'backend_type', 'datname', 'state', 'usename', 'wait_event', 'wait_event_type'],
    counters: NONE,
  },
  {
    collector: 'stat_activity_autovacuum',
    name: 'pg_stat_activity_autovacuum',
    sql: `SELECT split_part(query, '.', 2) AS relname, min(extract(epoch FROM xact_start)) AS timestamp_seconds
          FROM pg_stat_activity WHERE query LIKE 'autovacuum:%' GROUP BY 1`,
    labels: ['relname'],
    counters: NONE,
  },
  {
    collector: 'stat_user_tables',
    name: 'pg_stat_user_tables',
    sql: `SELECT current_database() AS datname, schemaname, relname, seq_scan, seq_tup_read, coalesce(idx_scan, 0) AS idx_scan,
            coalesce(idx_tup_fetch, 0) AS idx_tup_fetch, n_tup_ins, n_tup_upd, n_tup_del, n_tup_hot_upd, n_live_tup, n_dead_tup,
            n_mod_since_analyze, vacuum_count, autovacuum_count, analyze_count, autoanalyze_count,
            coalesce(extract(epoch FROM last_vacuum), 0) AS last_vacuum, coalesce(extract(epoch FROM last_autovacuum), 0) AS last_autovacuum,
            coalesce(extract(epoch FROM last_analyze), 0) AS last_analyze,
            coalesce(extract(epoch FROM last_autoanalyze), 0) AS last_autoanalyze,
            pg_table_size(relid) AS table_size_bytes, pg_indexes_size(relid) AS index_size_bytes
          FROM pg_stat_user_tables LIMIT ${MAX_TABLES}`,
    labels: ['datname', 'relname', 'schemaname'],
    counters: /^(seq_|idx_|n_tup_)|_count$/,
  },
  {
    collector: 'statio_user_tables',
    name: 'pg_statio_user_tables',
    sql: `SELECT current_database() AS datname, schemaname, relname, heap_blks_read AS heap_blocks_read, heap_blks_hit AS heap_blocks_hit,
            coalesce(idx_blks_read, 0) AS idx_blocks_read, coalesce(idx_blks_hit, 0) AS idx_blocks_hit,
            coalesce(toast_blks_read, 0) AS toast_blocks_read, coalesce(toast_blks_hit, 0) AS toast_blocks_hit,
            coalesce(tidx_blks_read, 0) AS tidx_blocks_read, coalesce(tidx_blks_hit, 0) AS tidx_blocks_hit
          FROM pg_statio_user_tables LIMIT ${MAX_TABLES}`,
    labels: ['datname', 'relname', 'schemaname'],
    counters: ALL,
  },
  {
    collector: 'statio_user_indexes',
    name: 'pg_statio_user_indexes',
    sql: `SELECT schemaname, relname, indexrelname, idx_blks_read AS idx_blks_read_total, idx_blks_hit AS idx_blks_hit_total
          FROM pg_statio_user_indexes LIMIT ${MAX_TABLES}`,
    labels: ['indexrelname', 'relname', 'schemaname'],
    counters: ALL,
  },
  {
    collector: 'stat_statements',
    name: 'pg_stat_statements',
    sql: statements(''),
    labels: ['datname', 'queryid', 'user'],
    counters: ALL,
    extension: 'pg_stat_statements',
    from: 140000,
    until: 170000,
  },
  {
    collector: 'stat_statements',
    name: 'pg_stat_statements',
    sql: statements('shared_'),
    labels: ['datname', 'queryid', 'user'],
    counters: ALL,
    extension: 'pg_stat_statements',
    from: 170000,
  },
  {
    collector: 'buffercache_summary',
    name: 'pg_buffercache_summary',
    sql: 'SELECT * FROM pg_buffercache_summary()',
    labels: [],
    counters: NONE,
    extension: 'pg_buffercache',
    from: 160000,
  },
  {
    collector: 'replication',
    name: 'pg_replication',
    sql: `SELECT CASE WHEN NOT pg_is_in_recovery() OR pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
              ELSE greatest(0, extract(epoch FROM now() - pg_last_xact_replay_timestamp())) END AS lag_seconds,
            pg_is_in_recovery()::int AS is_replica,
            greatest(0, extract(epoch FROM now() - pg_last_xact_replay_timestamp())) AS last_replay_seconds`,
    labels: [],
    counters: NONE,
  },
  {
    collector: 'stat_replication',
    name: 'pg_stat_replication',
    sql: `SELECT coalesce(r.application_name, '') AS application_name, coalesce(r.client_addr::text, '') AS client_addr,
            coalesce(r.state, '') AS state, coalesce(s.slot_name, '') AS slot_name, r.pid::text AS pid,
            pg_wal_lsn_diff(${CURRENT_LSN}, '0/0')::float AS pg_current_wal_lsn_bytes,
            pg_wal_lsn_diff(${CURRENT_LSN}, r.replay_lsn)::float AS pg_wal_lsn_diff
          FROM pg_stat_replication r LEFT JOIN pg_replication_slots s ON s.active_pid = r.pid`,
    labels: ['application_name', 'client_addr', 'pid', 'slot_name', 'state'],
    counters: NONE,
  },
  {
    collector: 'stat_wal_receiver',
    name: 'pg_stat_wal_receiver',
    sql: `SELECT coalesce(trim(both '''' FROM substring(conninfo FROM 'host=([^ ]*)')), '') AS upstream_host, coalesce(slot_name, '') AS slot_name,
            coalesce(status, '') AS status, (receive_start_lsn - '0/0') % (2^52)::bigint AS receive_start_lsn,
            (flushed_lsn - '0/0') % (2^52)::bigint AS flushed_lsn, receive_start_tli, received_tli,
            extract(epoch FROM last_msg_send_time) AS last_msg_send_time, extract(epoch FROM last_msg_receipt_time) AS last_msg_receipt_time,
            (latest_end_lsn - '0/0') % (2^52)::bigint AS latest_end_lsn, extract(epoch FROM latest_end_time) AS latest_end_time,
            substring(slot_name FROM 'repmgr_slot_([0-9]*)')::bigint AS upstream_node
          FROM pg_stat_wal_receiver`,
    labels: ['slot_name', 'status', 'upstream_host'],
    counters: /lsn$|time$/,
    from: 130000,
  },
  {
    collector: 'replication_slots',
    name: 'pg_replication_slots',
    sql: `SELECT slot_name, coalesce(database, '') AS database, active::int AS active,
            pg_wal_lsn_diff(${CURRENT_LSN}, restart_lsn) AS pg_wal_lsn_diff FROM pg_replication_slots`,
    labels: ['database', 'slot_name'],
    counters: NONE,
  },
  // Releases before this table was made say "slot".
  ...['pg_replication_slot', 'pg_replication_slots'].map(
    (name): Query => ({
      collector: 'replication_slots',
      name,
      sql: `SELECT slot_name, slot_type, pg_wal_lsn_diff(${CURRENT_LSN}, '0/0') AS slot_current_wal_lsn,
              pg_wal_lsn_diff(coalesce(confirmed_flush_lsn, '0/0'), '0/0') AS slot_confirmed_flush_lsn,
              active::int AS slot_is_active, safe_wal_size AS safe_wal_size_bytes FROM pg_replication_slots`,
      labels: ['slot_name', 'slot_type'],
      counters: NONE,
      from: 130000,
    }),
  ),
  ...['pg_replication_slot', 'pg_replication_slots'].map(
    (name): Query => ({
      collector: 'replication_slots',
      name,
      sql: `SELECT slot_name, slot_type, wal_status AS status, 1 AS wal_status FROM pg_replication_slots WHERE active AND wal_status IS NOT NULL`,
      labels: ['slot_name', 'slot_type', 'status'],
      counters: NONE,
      from: 130000,
    }),
  ),
  {
    collector: 'stat_progress_vacuum',
    name: 'pg_stat_progress_vacuum',
    sql: `SELECT d.datname, coalesce(CASE WHEN d.datname = current_database() THEN s.relid::regclass::text END, s.relid::text) AS relname,
            s.param2 AS heap_blks, s.param3 AS heap_blks_scanned, s.param4 AS heap_blks_vacuumed, s.param5 AS index_vacuums,
            s.param6 AS max_dead_tuples, s.param7 AS num_dead_tuples
          FROM pg_stat_get_progress_info('VACUUM') s LEFT JOIN pg_database d ON s.datid = d.oid`,
    labels: ['datname', 'relname'],
    counters: NONE,
  },
  {
    collector: 'stat_progress_vacuum',
    name: 'pg_stat_progress_vacuum',
    sql: `SELECT d.datname, coalesce(CASE WHEN d.datname = current_database() THEN s.relid::regclass::text END, s.relid::text) AS relname,
            p.name AS phase_name, (s.param1 = p.number - 1)::int AS phase
          FROM pg_stat_get_progress_info('VACUUM') s LEFT JOIN pg_database d ON s.datid = d.oid
          CROSS JOIN unnest(ARRAY['initializing','scanning heap','vacuuming indexes','vacuuming heap','cleaning up indexes',
            'truncating heap','performing final cleanup']) WITH ORDINALITY AS p(name, number)`,
    labels: ['datname', 'phase_name', 'relname'],
    counters: NONE,
  },
  {
    collector: 'roles',
    name: 'pg_roles',
    sql: 'SELECT rolname, rolconnlimit AS connection_limit FROM pg_roles',
    labels: ['rolname'],
    counters: NONE,
  },
  {
    collector: 'wal',
    name: 'pg_wal',
    sql: `SELECT count(*) AS segments, coalesce(sum(size), 0) AS size_bytes FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$'`,
    labels: [],
    counters: NONE,
  },
  {
    collector: 'xlog_location',
    name: 'pg_xlog_location',
    sql: `SELECT (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END - '0/0') % (2^52)::bigint AS bytes`,
    labels: [],
    counters: NONE,
  },
  {
    collector: 'postmaster',
    name: 'pg_postmaster',
    sql: 'SELECT extract(epoch FROM pg_postmaster_start_time()) AS start_time_seconds',
    labels: [],
    counters: NONE,
  },
];

/** Labels whose column cannot have their name, because a metric has it. */
export const LABEL_NAMES: Readonly<Record<string, string>> = { phase_name: 'phase', status: 'wal_status' };

export const IDLE_BOUNDS = [1, 2, 5, 15, 30, 60, 90, 120, 300];
export const IDLE_SQL = `SELECT state, application_name, count(*) AS count, sum(idle) AS sum,
    ${IDLE_BOUNDS.map((bound) => `count(*) FILTER (WHERE idle <= ${bound}) AS b${bound}`).join(', ')}
  FROM (SELECT state, application_name, floor(extract(epoch FROM current_timestamp - state_change)) AS idle
        FROM pg_stat_activity WHERE state LIKE 'idle%' AND pid <> pg_backend_pid()) AS sessions
  GROUP BY state, application_name`;
