// PostgreSQL under postgres_exporter's names: settings, and a table of queries (queries.ts). A query that fails (an older server, a missing
// privilege) costs only its own families; its collector says so.

import type pg from 'pg';
import { errorText } from '#base/errors.ts';
import type { Page } from '../page.ts';
import { Parts } from '../parts.ts';
import type { SourceKind } from '../source.ts';
import { IDLE_BOUNDS, IDLE_SQL, LABEL_NAMES, QUERIES, type Query, type Row } from './queries.ts';

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
  create(source, { clock, log }) {
    let client: pg.Client | undefined;
    let scrapes = 0;
    const close = async () => {
      const old = client;
      client = undefined;
      await old?.end().catch((error) => log.debug('cannot close', { source: source.name, err: errorText(error) }));
    };
    return {
      close,
      async read(page, signal) {
        const started = clock.monotonic();
        scrapes++;
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
        const query: Ask = async (sql) => (await client!.query(sql)).rows as Row[];
        const parts = new Parts(clock, log.with({ source: source.name }), () => client !== undefined);
        try {
          await collectAll(page, query, parts, source.url);
        } catch (error) {
          await close();
          throw error;
        }
        page.gauge('pg_exporter_last_scrape_error', 'Whether queries failed in this scrape.', parts.haveFailed ? 1 : 0);
        const took = (clock.monotonic() - started) / 1000;
        page.gauge('pg_exporter_last_scrape_duration_seconds', 'How long this scrape took.', took);
        page.counter('pg_exporter_scrapes_total', 'Scrapes of this server.', scrapes);
      },
    };
  },
};

type Ask = (sql: string) => Promise<Row[]>;

async function collectAll(page: Page, query: Ask, parts: Parts, url: string): Promise<void> {
  const version = await addVersion(page, query, url);
  const extensions = new Set((await query('SELECT extname FROM pg_extension')).map((row) => row['extname']));
  await parts.run('settings', async () => addSettings(page, await query(SETTINGS_SQL)));
  await parts.run('process_idle', async () => addIdle(page, await query(IDLE_SQL)));
  for (const one of QUERIES) {
    const { from = 0, until = Infinity, extension } = one;
    if (version < from || version >= until || (extension !== undefined && !extensions.has(extension))) continue;
    await parts.run(one.collector, async () => addRows(page, one, await query(one.sql)));
  }
  parts.addTo(page, 'pg_scrape_collector');
}

function addRows(page: Page, { name, labels, counters }: Query, rows: readonly Row[]): void {
  for (const row of rows) {
    const pairs = labels.flatMap((label) => [LABEL_NAMES[label] ?? label, String(row[label] ?? '')]);
    for (const [column, value] of Object.entries(row)) {
      if (labels.includes(column) || value === null || typeof value === 'object') continue;
      const number = Number(value);
      if (Number.isNaN(number)) continue;
      const type = counters.test(column) ? 'counter' : 'gauge';
      page.add(type, `${name}_${column}`, `${name}: ${column}.`, number, pairs);
    }
  }
}

function addIdle(page: Page, rows: readonly Row[]): void {
  for (const row of rows) {
    const buckets = IDLE_BOUNDS.map((bound) => [bound, Number(row[`b${bound}`])] as const);
    const labels = ['application_name', String(row['application_name']), 'state', String(row['state'])];
    const help = 'How long sessions have been idle.';
    page.histogram('pg_process_idle_seconds', help, buckets, Number(row['sum']), Number(row['count']), labels);
  }
}

/** The version of the server as a number: 15.4 is 150004. */
async function addVersion(page: Page, query: Ask, url: string): Promise<number> {
  const { hostname, port } = new URL(url);
  const [row] = await query(
    `SELECT version() AS version, current_setting('server_version') AS short, current_setting('server_version_num')::int AS number`,
  );
  page.gauge('pg_static', 'The version of the server.', 1, [
    'server',
    `${hostname || 'localhost'}:${port || 5432}`,
    'short_version',
    String(row?.['short'] ?? '').split(' ')[0]!,
    'version',
    String(row?.['version'] ?? ''),
  ]);
  return Number(row?.['number'] ?? 0);
}

const SETTINGS_SQL = "SELECT name, setting, coalesce(unit, '') AS unit, vartype FROM pg_settings";

function addSettings(page: Page, rows: readonly Row[]): void {
  for (const row of rows) {
    const [name = '', setting, unit = '', type] = ['name', 'setting', 'unit', 'vartype'].map((key) => String(row[key]));
    if (type !== 'bool' && type !== 'integer' && type !== 'real') continue;
    const suffix = /B$/.test(unit) ? '_bytes' : /^(ms|s|min|h|d)$/.test(unit) ? '_seconds' : '';
    const number = type === 'bool' ? Number(setting === 'on') : Number(setting);
    // -1 says that there is none.
    const value = number === -1 ? -1 : number * (UNITS[unit] ?? 1);
    const metric = `pg_settings_${name.toLowerCase().replace(/[^a-z0-9_]/g, '_')}${type === 'bool' ? '' : suffix}`;
    if (Number.isFinite(value)) page.gauge(metric, `Setting ${name}.`, value);
  }
}
