// An instant result as a table: a column per label, sortable, long results in pages; native histograms as small bars.

import { useMemo, useState } from 'react';
import { type NativeHistogram, parseSample, type Row, seriesName } from '../base/prom.ts';
import { useText } from '../base/text.ts';

const PAGE = 200;
const MANY_LABELS = 12;

export function ResultTable({ rows }: { rows: readonly Row[] }) {
  const t = useText();
  const [sort, setSort] = useState<{ by: string; down: boolean } | undefined>();
  const [shown, setShown] = useState(PAGE);
  const names = useMemo(() => {
    const all = new Set<string>();
    for (const row of rows) for (const name of Object.keys(row.labels)) all.add(name);
    return [...all].sort((a, b) => (a === '__name__' ? -1 : b === '__name__' ? 1 : a.localeCompare(b)));
  }, [rows]);
  const wide = names.length > MANY_LABELS;
  const columns = wide ? ['series'] : names;
  const cell = (row: Row, column: string) => (wide ? seriesName(row.labels) : (row.labels[column] ?? ''));
  const sorted = useMemo(() => {
    if (!sort) return rows;
    const sign = sort.down ? -1 : 1;
    return [...rows].sort((a, b) =>
      sort.by === '='
        ? sign * (parseSample(a.value) - parseSample(b.value))
        : sign * (a.labels[sort.by] ?? '').localeCompare(b.labels[sort.by] ?? '', undefined, { numeric: true }),
    );
  }, [rows, sort]);
  const head = (by: string, text: string, numeric = false) => (
    <th
      key={by}
      className={numeric ? 'num' : undefined}
      aria-sort={sort?.by === by ? (sort.down ? 'descending' : 'ascending') : 'none'}
    >
      <button type="button" onClick={() => setSort({ by, down: sort?.by === by ? !sort.down : numeric })}>
        {text}
        {sort?.by === by ? (sort.down ? ' ↓' : ' ↑') : ''}
      </button>
    </th>
  );
  return (
    <div
      className="scroll"
      style={{ maxHeight: 620, overflowY: 'auto' }}
      tabIndex={0}
      role="region"
      aria-label={t('Result')}
    >
      <table className="data">
        <thead>
          <tr>
            {columns.map((name) => head(name, name === 'series' ? t('Series') : name))}
            {head('=', t('Value'), true)}
          </tr>
        </thead>
        <tbody>
          {sorted.slice(0, shown).map((row, index) => (
            <tr key={index}>
              {columns.map((column) => (
                <td key={column} className="mono wrap">
                  {cell(row, column)}
                </td>
              ))}
              <td className="num mono">{row.histogram ? <HistogramCell histogram={row.histogram} /> : row.value}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length > shown && (
        <button
          type="button"
          className="item"
          style={{ width: 'auto', margin: 8 }}
          onClick={() => setShown(shown + PAGE * 5)}
        >
          {t('Show more ({n} left)', { n: rows.length - shown })}
        </button>
      )}
    </div>
  );
}

function HistogramCell({ histogram }: { histogram: NativeHistogram }) {
  const t = useText();
  const buckets = histogram.buckets ?? [];
  const most = Math.max(1, ...buckets.map(([, , , count]) => parseSample(count)));
  return (
    <div style={{ minWidth: 240 }}>
      <div>
        {t('count')} {histogram.count}, {t('sum')} {histogram.sum}
      </div>
      <div style={{ display: 'flex', alignItems: 'flex-end', gap: 1, height: 44, justifyContent: 'flex-end' }}>
        {buckets.map(([, low, high, count]) => (
          <span
            key={`${low} ${high}`}
            title={`${low} – ${high}: ${count}`}
            style={{
              width: 8,
              height: `${Math.max(3, (100 * parseSample(count)) / most)}%`,
              background: 'var(--mantine-color-sea-4)',
              borderRadius: 1,
            }}
          />
        ))}
      </div>
    </div>
  );
}
