// Business figures straight from a database: queries on a schedule, each with its time limit; columns become values and labels. A page
// shows the latest result of every query and how it fared, so a slow query never holds up a scrape.

import { every, type Timer } from '#base/clock.ts';
import {
  boolean,
  duration,
  type Infer,
  list,
  object,
  oneOf,
  optional,
  record,
  secret,
  string,
  withDefault,
} from '#base/config/schema.ts';
import { errorText } from '#base/errors.ts';
import type { MetricFamily } from '#model/family.ts';
import { labelsOf } from '#model/labels.ts';
import { clickhouseRows } from '../clickhouse/clickhouse.ts';
import { Page } from '../page.ts';
import type { SourceEnvironment } from '../source.ts';

const hidePassword = (url: string) => url.replace(/:[^:@/]*@/, ':<secret>@');

export const queriesSchema = list(
  object({
    name: string(),
    /** mysql://, postgres:// or http(s):// (ClickHouse). */
    url: secret(hidePassword),
    sql: string(),
    interval: withDefault(duration(), 60_000),
    timeout: withDefault(duration(), 10_000),
    labels: withDefault(record(string()), {}),
    metrics: list(
      object({
        name: string(),
        type: withDefault(oneOf('gauge', 'counter'), 'gauge'),
        help: withDefault(string(), ''),
        /** The column with the value. */
        value: string(),
        /** Columns that become labels of the same name. */
        labels: withDefault(list(string()), []),
        /** Rows whose value is NULL: left out, or 0. */
        null_is_zero: withDefault(boolean(), false),
      }),
    ),
    description: optional(string()),
  }),
);
export type QueryConfig = Infer<typeof queriesSchema>[number];

type Row = Record<string, unknown>;
type Result = {
  families: readonly MetricFamily[];
  ok: boolean;
  seconds: number;
  at: number;
  runs: number;
  failures: number;
};

/** At most so many rows of a query become series. */
const MAX_ROWS = 10_000;

export class SqlQueries {
  readonly #queries: readonly QueryConfig[];
  readonly #environment: SourceEnvironment;
  readonly #results = new Map<string, Result>();
  #timers: Timer[] = [];

  constructor(queries: readonly QueryConfig[], environment: SourceEnvironment) {
    this.#queries = queries;
    this.#environment = environment;
  }

  /** Runs every query once, and from then on each at its interval. */
  async start(): Promise<void> {
    await Promise.all(this.#queries.map((query) => this.#run(query)));
    this.#timers = this.#queries.map((query) => every(this.#environment.clock, query.interval, () => this.#run(query)));
  }

  stop(): void {
    for (const timer of this.#timers) timer.cancel();
  }

  families(): MetricFamily[] {
    const page = new Page();
    const found: MetricFamily[] = [];
    for (const { name } of this.#queries) {
      const result = this.#results.get(name);
      if (!result) continue;
      found.push(...result.families);
      const labels = ['query', name];
      page.gauge('sql_query_success', 'Whether the last run of a query succeeded.', result.ok ? 1 : 0, labels);
      page.gauge('sql_query_duration_seconds', 'How long the last run took.', result.seconds, labels);
      page.gauge('sql_query_last_run_timestamp_seconds', 'When it ran last.', result.at / 1000, labels);
      page.counter('sql_query_runs_total', 'Runs of a query.', result.runs, labels);
      page.counter('sql_query_failures_total', 'Failed runs of a query.', result.failures, labels);
    }
    return [...joinFamilies(found), ...page.families()];
  }

  async #run(query: QueryConfig): Promise<void> {
    const { clock, log } = this.#environment;
    const before = this.#results.get(query.name);
    const started = clock.monotonic();
    const done = (families: readonly MetricFamily[], ok: boolean) =>
      this.#results.set(query.name, {
        families,
        ok,
        seconds: (clock.monotonic() - started) / 1000,
        at: clock.now(),
        runs: (before?.runs ?? 0) + 1,
        failures: (before?.failures ?? 0) + (ok ? 0 : 1),
      });
    const abort = new AbortController();
    const timer = clock.after(
      query.timeout,
      () => abort.abort(new Error(`no result within ${query.timeout} ms`)),
      true,
    );
    try {
      const late = new Promise<never>((_, reject) =>
        abort.signal.addEventListener('abort', () => reject(abort.signal.reason), { once: true }),
      );
      const rows = await Promise.race([fetchRows(query, this.#environment, abort.signal), late]);
      done(rowsToFamilies(query, rows), true);
    } catch (error) {
      log.warn('query failed', { query: query.name, err: errorText(error) });
      // What is no longer known is no longer shown.
      done([], false);
    } finally {
      timer.cancel();
    }
  }
}

export async function fetchRows(
  query: QueryConfig,
  environment: SourceEnvironment,
  signal: AbortSignal,
): Promise<Row[]> {
  const { url, sql, timeout } = query;
  switch (new URL(url).protocol) {
    case 'mysql:':
    case 'mariadb:': {
      const { default: mysql } = await import('mysql2/promise');
      const connection = await mysql.createConnection({
        uri: url.replace(/^mariadb:/, 'mysql:'),
        connectTimeout: timeout,
      });
      signal.addEventListener('abort', () => connection.destroy(), { once: true });
      try {
        return (await connection.query({ sql, timeout }))[0] as Row[];
      } finally {
        connection.destroy();
      }
    }
    case 'postgres:':
    case 'postgresql:': {
      const { default: pg } = await import('pg');
      const client = new pg.Client({
        connectionString: url,
        connectionTimeoutMillis: timeout,
        statement_timeout: timeout,
      });
      const end = () =>
        client
          .end()
          .catch((error) => environment.log.debug('cannot close', { query: query.name, err: errorText(error) }));
      // The query under way fails with it.
      client.on('error', () => {});
      signal.addEventListener('abort', end, { once: true });
      await client.connect();
      try {
        return (await client.query(sql)).rows as Row[];
      } finally {
        await end();
      }
    }
    case 'http:':
    case 'https:':
      return clickhouseRows(
        { kind: 'clickhouse', name: query.name, url, timeoutMs: timeout },
        sql,
        environment,
        signal,
      );
    default:
      throw new Error(`no database is known by the scheme of ${hidePassword(url)}`);
  }
}

/** Throws when a column is missing, a value is no number, or two rows make the same series. */
export function rowsToFamilies(query: QueryConfig, rows: readonly Row[]): MetricFamily[] {
  if (rows.length > MAX_ROWS) throw new Error(`${rows.length} rows, more than the limit of ${MAX_ROWS}`);
  const page = new Page();
  const seen = new Set<string>();
  for (const metric of query.metrics)
    for (const row of rows) {
      for (const column of [metric.value, ...metric.labels])
        if (!(column in row)) throw new Error(`the result has no column ${column}`);
      const raw = row[metric.value];
      if (raw === null && !metric.null_is_zero) continue;
      const value = raw instanceof Date ? raw.getTime() / 1000 : Number(raw);
      if (Number.isNaN(value))
        throw new Error(`column ${metric.value} holds ${JSON.stringify(raw)}, which is no number`);
      const own = Object.fromEntries(metric.labels.map((column) => [column, textOf(row[column])]));
      const labels = labelsOf({ ...query.labels, ...own });
      const key = `${metric.name}\xff${labels.join('\xff')}`;
      if (seen.has(key)) throw new Error(`two rows have the same labels: ${labels.join(' ') || '(none)'}`);
      seen.add(key);
      page.add(metric.type, metric.name, metric.help, value, labels);
    }
  return page.families();
}

const textOf = (value: unknown): string =>
  value === null || value === undefined ? '' : value instanceof Date ? value.toISOString() : String(value);

function joinFamilies(families: readonly MetricFamily[]): MetricFamily[] {
  const byName = new Map<string, MetricFamily>();
  for (const family of families) {
    const known = byName.get(family.name);
    byName.set(family.name, known ? { ...known, samples: [...known.samples, ...family.samples] } : family);
  }
  return [...byName.values()];
}
