// The legend: names with colours, or a table with calculations. A click shows one line alone, with a modifier key it
// hides or shows that line only. Long legends are cut and say by how much.

import { useState } from 'react';
import { CALCULATIONS, type Calculation } from '../../src/view/calculate.ts';
import { formatText } from '../../src/view/units.ts';
import { type TextKey, useText } from '../base/text.ts';
import type { Line } from './timeseries.tsx';

const FIRST = 60;

export const CALCULATION_TEXTS: Partial<Record<Calculation, TextKey>> = {
  last: 'Last',
  lastNotNull: 'Last',
  min: 'Min',
  max: 'Max',
  mean: 'Mean',
  sum: 'Sum',
  count: 'Count',
  first: 'First',
  firstNotNull: 'First',
  range: 'Range',
  delta: 'Delta',
  diff: 'Difference',
};

/** The keys that are hidden after a click on one. */
export function toggleHidden(
  keys: readonly string[],
  hidden: ReadonlySet<string>,
  key: string,
  single: boolean,
): Set<string> {
  if (single) {
    const next = new Set(hidden);
    if (!next.delete(key)) next.add(key);
    return next;
  }
  const alone = !hidden.has(key) && hidden.size === keys.length - 1;
  return alone ? new Set() : new Set(keys.filter((one) => one !== key));
}

export function Legend(props: {
  lines: readonly Line[];
  hidden: ReadonlySet<string>;
  onHide: (hidden: Set<string>) => void;
  calculations?: readonly Calculation[];
  unit?: string;
  table?: boolean;
  maxHeight?: number;
}) {
  const t = useText();
  const [all, setAll] = useState(false);
  const [sort, setSort] = useState<{ by: Calculation | 'name'; down: boolean } | undefined>();
  const keys = props.lines.map((line) => line.key);
  const calculations = props.calculations ?? [];
  const value = (line: Line, by: Calculation) => CALCULATIONS[by](line.values);
  let lines = props.lines;
  if (sort) {
    const sign = sort.down ? -1 : 1;
    lines = [...lines].sort((a, b) =>
      sort.by === 'name'
        ? sign * a.name.localeCompare(b.name)
        : sign * ((value(a, sort.by) ?? -Infinity) - (value(b, sort.by) ?? -Infinity)),
    );
  }
  const shown = all ? lines : lines.slice(0, FIRST);
  const pick = (key: string, event: { ctrlKey: boolean; metaKey: boolean; shiftKey: boolean }) =>
    props.onHide(toggleHidden(keys, props.hidden, key, event.ctrlKey || event.metaKey || event.shiftKey));
  const button = (line: Line) => (
    <button
      type="button"
      aria-pressed={!props.hidden.has(line.key)}
      title={t('Click: show alone. Ctrl or Shift and click: hide or show')}
      onClick={(event) => pick(line.key, event)}
    >
      <i style={{ background: line.color }} />
      <span className="name">{line.name}</span>
    </button>
  );
  const head = (by: Calculation | 'name', text: string) => (
    <th
      key={by}
      aria-sort={sort?.by === by ? (sort.down ? 'descending' : 'ascending') : 'none'}
      onClick={() => setSort({ by, down: sort?.by === by ? !sort.down : by !== 'name' })}
    >
      {text}
      {sort?.by === by ? (sort.down ? ' ↓' : ' ↑') : ''}
    </th>
  );
  return (
    <div
      className="legend"
      tabIndex={props.maxHeight ? 0 : undefined}
      style={props.maxHeight ? { maxHeight: props.maxHeight, overflowY: 'auto' } : undefined}
    >
      {props.table ? (
        <table className="legend-table">
          <thead>
            <tr>
              {head('name', t('Name'))}
              {calculations.map((by) => {
                const key = CALCULATION_TEXTS[by];
                return head(by, key ? t(key) : by);
              })}
            </tr>
          </thead>
          <tbody>
            {shown.map((line) => (
              <tr key={line.key}>
                <td>{button(line)}</td>
                {calculations.map((by) => (
                  <td key={by} className="num">
                    {formatText(value(line, by), line.unit ?? props.unit ?? 'short', { decimals: line.decimals })}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      ) : (
        <div className="legend-list">
          {shown.map((line) => (
            <span key={line.key}>{button(line)}</span>
          ))}
        </div>
      )}
      {lines.length > FIRST && (
        <button type="button" className="item" style={{ width: 'auto' }} onClick={() => setAll(!all)}>
          {all ? t('Show fewer') : t('Show all {n} series', { n: lines.length })}
        </button>
      )}
    </div>
  );
}
