// A heat map on a canvas: columns are times, rows are buckets or series, colour is how much. Hovering names the cell.

import './chart.css';
import { useComputedColorScheme } from '@mantine/core';
import { type MouseEvent, useEffect, useLayoutEffect, useRef, useState } from 'react';
import { formatText } from '../../src/view/units.ts';
import { useSettings } from '../base/settings.ts';
import { formatInstant, type Span } from '../base/time.ts';
import { CHART_COLORS, heatColor } from './palette.ts';

export type HeatRow = { readonly name: string; readonly values: readonly (number | null)[] };

const LEFT = 64;
const BOTTOM = 24;
const TOP = 8;

export function HeatMap(props: {
  times: readonly number[];
  /** From the lowest to the highest. */
  rows: readonly HeatRow[];
  height: number;
  unit?: string;
  label: string;
  onZoom?: (span: Span) => void;
}) {
  const dark = useComputedColorScheme('light') === 'dark';
  const { timeZone } = useSettings();
  const holder = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [width, setWidth] = useState(0);
  const [hover, setHover] = useState<{ x: number; y: number; column: number; row: number } | undefined>();

  useLayoutEffect(() => {
    const element = holder.current;
    if (!element) return;
    setWidth(element.clientWidth);
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  const columns = props.times.length;
  const cellWidth = (width - LEFT - 8) / Math.max(1, columns);
  const cellHeight = (props.height - TOP - BOTTOM) / Math.max(1, props.rows.length);

  useEffect(() => {
    const context = canvas.current?.getContext('2d');
    const element = canvas.current;
    if (!context || !element || width === 0) return;
    const ratio = devicePixelRatio;
    element.width = width * ratio;
    element.height = props.height * ratio;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, props.height);
    let most = 0;
    for (const row of props.rows)
      for (const value of row.values) if (value !== null && value > most && Number.isFinite(value)) most = value;
    props.rows.forEach((row, index) => {
      const y = TOP + (props.rows.length - 1 - index) * cellHeight;
      row.values.forEach((value, column) => {
        if (value === null || !(value > 0)) return;
        // The root keeps small counts visible beside large ones.
        context.fillStyle = heatColor(0.12 + 0.88 * Math.sqrt(value / most), dark);
        context.fillRect(
          LEFT + column * cellWidth,
          y,
          Math.max(1, cellWidth - (cellWidth > 4 ? 1 : 0)),
          Math.max(1, cellHeight - (cellHeight > 5 ? 1 : 0)),
        );
      });
    });
    const ink = CHART_COLORS[dark ? 'dark' : 'light'].axis;
    context.fillStyle = ink;
    context.font = '11px Inter, "Segoe UI", Roboto, "Noto Sans", sans-serif';
    context.textAlign = 'right';
    context.textBaseline = 'middle';
    const every = Math.max(1, Math.ceil(16 / cellHeight));
    props.rows.forEach((row, index) => {
      if (index % every !== 0) return;
      const text = row.name.length > 10 ? `${row.name.slice(0, 9)}…` : row.name;
      context.fillText(text, LEFT - 6, TOP + (props.rows.length - 0.5 - index) * cellHeight);
    });
    context.textAlign = 'center';
    const labels = Math.max(1, Math.floor((width - LEFT) / 90));
    for (let i = 0; i < labels; i++) {
      const column = Math.floor(((i + 0.5) / labels) * columns);
      const at = props.times[column];
      if (at !== undefined)
        context.fillText(
          formatInstant(at * 1000, timeZone).slice(11, 16),
          LEFT + (column + 0.5) * cellWidth,
          props.height - 10,
        );
    }
  }, [props.rows, props.times, props.height, width, dark, timeZone, cellWidth, cellHeight, columns]);

  const locate = (event: MouseEvent) => {
    const area = canvas.current?.getBoundingClientRect();
    if (!area) return;
    const column = Math.floor((event.clientX - area.left - LEFT) / cellWidth);
    const row = props.rows.length - 1 - Math.floor((event.clientY - area.top - TOP) / cellHeight);
    const inside = column >= 0 && column < columns && row >= 0 && row < props.rows.length;
    setHover(inside ? { x: event.clientX, y: event.clientY, column, row } : undefined);
  };
  const cell = hover && props.rows[hover.row];
  return (
    <div ref={holder} className="plot" style={{ height: props.height }}>
      <canvas
        ref={canvas}
        style={{ width: '100%', height: props.height }}
        role="img"
        aria-label={props.label}
        onMouseMove={locate}
        onMouseLeave={() => setHover(undefined)}
      />
      {hover && cell && (
        <div className="plot-tip" style={{ left: Math.min(hover.x + 14, window.innerWidth - 240), top: hover.y + 14 }}>
          <div className="plot-tip-head">{formatInstant((props.times[hover.column] ?? 0) * 1000, timeZone)}</div>
          <div className="plot-tip-row">
            <i style={{ background: heatColor(0.8, dark) }} />
            <span>{cell.name}</span>
            <b>{formatText(cell.values[hover.column], props.unit ?? 'short')}</b>
          </div>
        </div>
      )}
    </div>
  );
}
