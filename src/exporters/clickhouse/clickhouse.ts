// ClickHouse over its HTTP interface: metrics, events and asynchronous metrics, under clickhouse_exporter's names and under those of
// its own page, for which most dashboards and alerts are made; parts of tables, disks.

import type { Page } from '../page.ts';
import { httpText, metricWord, type Source, type SourceEnvironment, type SourceKind } from '../source.ts';

/** Rows of a query, all values as text. */
export async function clickhouseRows(
  source: Source,
  sql: string,
  environment: SourceEnvironment,
  signal: AbortSignal,
): Promise<Record<string, string | number | null>[]> {
  const url = new URL(source.url);
  const text = await httpText({ ...source, url: url.href }, '', environment, signal, {
    method: 'POST',
    body: `${sql} FORMAT JSONEachRow`,
  });
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, string | number | null>);
}

export const clickhouseKind: SourceKind = {
  up: 'clickhouse_up',
  create: (source, environment) => ({
    close: async () => {},
    async read(page, signal) {
      const rows = (sql: string) => clickhouseRows(source, sql, environment, signal);
      for (const { metric, value } of await rows('SELECT metric, value FROM system.metrics'))
        addGauge(page, 'metric', String(metric), Number(value), 'ClickHouseMetrics');
      for (const { metric, value } of await rows('SELECT metric, value FROM system.asynchronous_metrics'))
        addGauge(page, 'asynchronous metric', String(metric), Number(value), 'ClickHouseAsyncMetrics');
      for (const { event, value } of await rows('SELECT event, value FROM system.events')) {
        const help = `ClickHouse event ${event}.`;
        page.counter(`clickhouse_${metricWord(String(event))}_total`, help, Number(value));
        page.counter(`ClickHouseProfileEvents_${nameOf(String(event))}`, help, Number(value));
      }
      addParts(
        page,
        await rows(
          'SELECT database, table, sum(bytes) AS bytes, count() AS parts, sum(rows) AS rows FROM system.parts WHERE active = 1 GROUP BY database, table',
        ),
      );
      for (const row of await rows('SELECT name, free_space, total_space FROM system.disks')) {
        const labels = ['disk', String(row['name'])];
        page.gauge('clickhouse_free_space_in_bytes', 'Free space of a disk.', Number(row['free_space']), labels);
        page.gauge('clickhouse_total_space_in_bytes', 'Size of a disk.', Number(row['total_space']), labels);
      }
    },
  }),
};

/** As ClickHouse's own page spells it. */
const nameOf = (text: string): string => text.replace(/[^a-zA-Z0-9_:]/g, '_');

function addGauge(page: Page, kind: string, name: string, value: number, own: string): void {
  const help = `ClickHouse ${kind} ${name}.`;
  page.gauge(`clickhouse_${metricWord(name)}`, help, value);
  page.gauge(`${own}_${nameOf(name)}`, help, value);
}

function addParts(page: Page, rows: readonly Record<string, string | number | null>[]): void {
  for (const row of rows) {
    const labels = ['database', String(row['database']), 'table', String(row['table'])];
    page.gauge('clickhouse_table_parts_bytes', 'Bytes of a table.', Number(row['bytes']), labels);
    page.gauge('clickhouse_table_parts_count', 'Parts of a table.', Number(row['parts']), labels);
    page.gauge('clickhouse_table_parts_rows', 'Rows of a table.', Number(row['rows']), labels);
  }
}
