// The table panel: columns of the (transformed) frames, sortable, coloured by threshold, with bars and links in cells.

import { Anchor, useComputedColorScheme } from '@mantine/core';
import { useMemo, useState } from 'react';
import { CALCULATIONS, calculationOf, extentOf } from '../../../src/view/calculate.ts';
import { shareOf, showValue } from '../../../src/view/display.ts';
import { type Cell, type Field, type Frame, fieldName, frameLength } from '../../../src/view/frame.ts';
import { interpolate } from '../../../src/view/interpolate.ts';
import type { PanelOptions } from '../../../src/view/model.ts';
import { hrefOf } from '../../base/router.tsx';
import { localized, useText } from '../../base/text.ts';
import { formatInstant } from '../../base/time.ts';
import { CALCULATION_TEXTS } from '../../chart/legend.tsx';
import { namedColor, withAlpha } from '../../chart/palette.ts';
import type { PanelProps } from './panel.ts';

const FIRST = 200;

/** Series that nobody made into a table are one: a row per series with its labels and last value. */
export function asTable(frames: readonly Frame[]): Frame {
  const tables = frames.filter((frame) => frameLength(frame) > 0);
  const isSeries =
    tables.length > 1 &&
    tables.every(
      (frame) =>
        frame.fields.some((field) => field.kind === 'time') &&
        frame.fields.length === 2 &&
        frame.fields.some((field) => field.labels),
    );
  if (!isSeries) return tables[0] ?? frames[0] ?? { ref: 'A', fields: [] };
  const fields = tables.map((frame) => frame.fields.find((field) => field.kind === 'number')!);
  const names = [...new Set(fields.flatMap((field) => Object.keys(field?.labels ?? {})))]
    .filter((name) => name !== '__name__')
    .sort();
  const last = (field: Field | undefined): Cell => {
    const present = (field?.values ?? []).filter((value) => value !== null);
    return present.at(-1) ?? null;
  };
  return {
    ref: tables[0]!.ref,
    fields: [
      ...names.map(
        (name): Field => ({ name, kind: 'string', values: fields.map((field) => field?.labels?.[name] ?? null) }),
      ),
      {
        name: 'Value',
        kind: 'number',
        values: fields.map(last),
        ...(fields[0]?.options ? { options: fields[0].options } : {}),
      },
    ],
  };
}

export function TablePanel({ panel, data, scope, height }: PanelProps) {
  const t = useText();
  const dark = useComputedColorScheme('light') === 'dark';
  const [frameAt, setFrameAt] = useState(0);
  const [shown, setShown] = useState(FIRST);
  const tables = data.frames.filter((frame) => frameLength(frame) > 0);
  const many = tables.length > 1 && asTable(data.frames) === tables[0];
  const frame = many ? (tables[frameAt] ?? tables[0]!) : asTable(data.frames);
  const columns = frame.fields.filter((field) => !field.options?.hidden);
  const given = panel.options?.sortBy?.[0];
  const [sort, setSort] = useState<{ name: string; desc: boolean } | undefined>(
    given ? { name: given.name, desc: given.desc ?? false } : undefined,
  );
  const rows = useMemo(() => {
    const order = [...Array(frameLength(frame)).keys()];
    const by = sort && frame.fields.find((field) => fieldName(field, frame) === sort.name || field.name === sort.name);
    if (!by) return order;
    const sign = sort.desc ? -1 : 1;
    return order.sort((a, b) => {
      const [x, y] = [by.values[a] ?? null, by.values[b] ?? null];
      if (x === null || y === null) return x === y ? 0 : x === null ? 1 : -1;
      return (
        sign *
        (typeof x === 'number' && typeof y === 'number'
          ? x - y
          : String(x).localeCompare(String(y), undefined, { numeric: true }))
      );
    });
  }, [frame, sort]);
  const extremes = useMemo(
    () =>
      new Map(
        columns.map((field) => {
          const numbers = field.values.filter(
            (value): value is number => typeof value === 'number' && Number.isFinite(value),
          );
          return [field, extentOf(numbers)];
        }),
      ),
    [columns],
  );
  return (
    <div
      style={{ height, overflow: 'auto' }}
      tabIndex={0}
      role="region"
      aria-label={localized(panel.title) || t('Table')}
    >
      {many && (
        <select
          className="select"
          aria-label={t('Table')}
          value={frameAt}
          onChange={(event) => setFrameAt(Number(event.currentTarget.value))}
        >
          {tables.map((one, index) => (
            <option key={`${one.ref}${index}`} value={index}>
              {one.name ?? one.ref}
            </option>
          ))}
        </select>
      )}
      <table className="data compact">
        <thead>
          <tr>
            {columns.map((field, index) => {
              const name = fieldName(field, frame);
              return (
                <th
                  key={`${name}${index}`}
                  className={field.kind === 'number' ? 'num' : undefined}
                  style={field.options?.width ? { minWidth: field.options.width } : undefined}
                  aria-sort={sort?.name === name ? (sort.desc ? 'descending' : 'ascending') : 'none'}
                >
                  <button
                    type="button"
                    onClick={() => setSort({ name, desc: sort?.name === name ? !sort.desc : field.kind === 'number' })}
                  >
                    {localized(field.options?.displayName) || name}
                    {sort?.name === name ? (sort.desc ? ' ↓' : ' ↑') : ''}
                  </button>
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, shown).map((row) => (
            <tr key={row}>
              {columns.map((field, index) => (
                <TableCell
                  key={`${field.name}${index}`}
                  field={field}
                  value={field.values[row] ?? null}
                  extremes={extremes.get(field)!}
                  dark={dark}
                  link={linkOf(field, frame, row, scope)}
                />
              ))}
            </tr>
          ))}
        </tbody>
        {panel.options?.footer && <Footer footer={panel.options.footer} columns={columns} frame={frame} />}
      </table>
      {rows.length > shown && (
        <button type="button" className="item" style={{ width: 'auto' }} onClick={() => setShown(shown + FIRST * 5)}>
          {t('Show more ({n} left)', { n: rows.length - shown })}
        </button>
      )}
    </div>
  );
}

/** A last line that sums the columns up. */
function Footer({
  footer,
  columns,
  frame,
}: {
  footer: NonNullable<PanelOptions['footer']>;
  columns: readonly Field[];
  frame: Frame;
}) {
  const t = useText();
  const calculation = calculationOf(footer.calc) ?? 'sum';
  return (
    <tfoot>
      <tr>
        {columns.map((field, index) => {
          const wanted = !footer.fields || footer.fields.includes(fieldName(field, frame));
          const numbers = field.kind === 'number' && wanted;
          const value = numbers ? CALCULATIONS[calculation](field.values as (number | null)[]) : undefined;
          const shown = value === undefined ? undefined : showValue(value, field.options);
          return (
            <td key={`${field.name}${index}`} className={field.kind === 'number' ? 'num' : undefined}>
              {shown ? shown.text + shown.suffix : index === 0 ? t(CALCULATION_TEXTS[calculation] ?? 'Sum') : ''}
            </td>
          );
        })}
      </tr>
    </tfoot>
  );
}

/** Longer texts of cells are broken. */
const LONGEST_LINE = 48;

function linkOf(
  field: Field,
  frame: Frame,
  row: number,
  scope: PanelProps['scope'],
): { url: string; newTab: boolean } | undefined {
  const link = field.options?.links?.[0];
  if (!link?.url) return undefined;
  const cells: Record<string, string> = {
    '__value.raw': String(field.values[row] ?? ''),
    '__value.text': String(field.values[row] ?? ''),
    __cell: String(field.values[row] ?? ''),
  };
  frame.fields.forEach((one, index) => {
    cells[`__cell_${index}`] = String(one.values[row] ?? '');
    cells[`__data.fields.${one.name}`] = String(one.values[row] ?? '');
  });
  const filled = link.url.replace(
    /\$\{(__[^}:]+)(?::[^}]*)?\}|\$(__cell(?:_\d+)?)/g,
    (whole, braced: string, plain: string) => {
      const key = (braced ?? plain).replace(/\["?([^"\]]+)"?\]/g, '.$1');
      const value = cells[key];
      return value === undefined ? whole : encodeURIComponent(value);
    },
  );
  const url = interpolate(filled, scope);
  return /^(https?:|\/|\?|#)/.test(url) ? { url, newTab: link.newTab === true } : undefined;
}

function TableCell({
  field,
  value,
  extremes,
  dark,
  link,
}: {
  field: Field;
  value: Cell;
  extremes: { low: number; high: number };
  dark: boolean;
  link: { url: string; newTab: boolean } | undefined;
}) {
  const options = field.options ?? {};
  const isTime = field.kind === 'time' && typeof value === 'number';
  const shown = showValue(value, options, { ...extremes, nowMs: Date.now() });
  const text =
    isTime && !/^(date|time:)/.test(options.unit ?? '')
      ? formatInstant(value)
      : shown.mapped === undefined
        ? shown.text + shown.suffix
        : localized(shown.mapped);
  const color = namedColor(shown.color, dark);
  const numeric = field.kind === 'number' && shown.mapped === undefined;
  const style = {
    ...(options.align ? { textAlign: options.align } : {}),
    ...(options.cell === 'ground' && color ? { background: withAlpha(color, 0.25) } : {}),
    ...(options.cell === 'text' && color ? { color, fontWeight: 600 } : {}),
  };
  const content = link ? (
    <Anchor href={hrefOf(link.url)} inherit {...(link.newTab ? { target: '_blank', rel: 'noreferrer' } : {})}>
      {text}
    </Anchor>
  ) : (
    text
  );
  return (
    <td className={numeric ? 'num' : text.length <= LONGEST_LINE ? 'once' : 'wrap'} style={style}>
      {options.cell === 'bar' && typeof value === 'number' ? (
        <span style={{ display: 'grid', gridTemplateColumns: '1fr auto', gap: 8, alignItems: 'center', minWidth: 110 }}>
          <span className="bar" style={{ height: 8 }}>
            <span
              style={{
                width: `${shareOf(value, options, extremes.low, extremes.high) * 100}%`,
                background: options.thresholds ? color : undefined,
              }}
            />
          </span>
          {content}
        </span>
      ) : (
        content
      )}
    </td>
  );
}
