// States over time on a canvas: a row per thing, equal neighbours joined into one bar. Hovering names the state, dragging
// zooms.

import './chart.css';
import { useComputedColorScheme } from '@mantine/core';
import { type MouseEvent, useEffect, useLayoutEffect, useRef, useState } from 'react';
import { useSettings } from '../base/settings.ts';
import { formatInstant, type Span } from '../base/time.ts';
import { CHART_COLORS } from './palette.ts';

export type TimelineCell = { readonly text: string; readonly color: string };
export type TimelineRow = { readonly name: string; readonly cells: readonly (TimelineCell | null)[] };

const BOTTOM = 22;
const MIN_ROW = 18;
const MAX_ROW = 34;

export function Timeline(props: {
  times: readonly number[];
  rows: readonly TimelineRow[];
  height?: number;
  showTexts?: boolean;
  onZoom?: (span: Span) => void;
  label?: string;
}) {
  const dark = useComputedColorScheme('light') === 'dark';
  const { timeZone } = useSettings();
  const holder = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [width, setWidth] = useState(0);
  const [hover, setHover] = useState<{ x: number; y: number; column: number; row: number } | undefined>();
  const [drag, setDrag] = useState<number | undefined>();

  useLayoutEffect(() => {
    const element = holder.current;
    if (!element) return;
    setWidth(element.clientWidth);
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  const fitting = props.height ? (props.height - BOTTOM) / Math.max(1, props.rows.length) : MAX_ROW - 8;
  const rowHeight = Math.min(MAX_ROW, Math.max(MIN_ROW, fitting));
  const height = rowHeight * props.rows.length + BOTTOM;
  const left = Math.min(width * 0.4, 12 + Math.max(30, ...props.rows.map((row) => row.name.length * 6.4)));
  const columns = props.times.length;
  const cell = (width - left - 6) / Math.max(1, columns);

  useEffect(() => {
    const element = canvas.current;
    const context = element?.getContext('2d');
    if (!context || !element || width === 0) return;
    const ratio = devicePixelRatio;
    element.width = width * ratio;
    element.height = height * ratio;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    const ink = CHART_COLORS[dark ? 'dark' : 'light'].axis;
    context.font = '12px Inter, "Segoe UI", Roboto, "Noto Sans", "PingFang SC", sans-serif';
    context.textBaseline = 'middle';
    props.rows.forEach((row, index) => {
      const y = index * rowHeight;
      context.fillStyle = ink;
      context.textAlign = 'right';
      let name = row.name;
      while (name.length > 3 && context.measureText(name).width > left - 10)
        name = `${name.slice(0, -2)}…`.replace('……', '…');
      context.fillText(name, left - 8, y + rowHeight / 2);
      let from = 0;
      for (let column = 1; column <= columns; column++) {
        const before = row.cells[from];
        if (column < columns && row.cells[column]?.text === before?.text) continue;
        if (before) {
          const x = left + from * cell;
          const size = Math.max(1.5, (column - from) * cell - (cell > 3 ? 1 : 0));
          context.fillStyle = before.color;
          context.fillRect(x, y + 2, size, rowHeight - 4);
          if (props.showTexts && context.measureText(before.text).width + 8 < size) {
            context.fillStyle = dark ? '#0b1017' : '#ffffff';
            context.textAlign = 'left';
            context.fillText(before.text, x + 4, y + rowHeight / 2);
          }
        }
        from = column;
      }
    });
    context.fillStyle = ink;
    context.textAlign = 'center';
    const labels = Math.max(1, Math.floor((width - left) / 110));
    const long = columns > 1 && props.times[columns - 1]! - props.times[0]! > 86_400;
    for (let i = 0; i < labels; i++) {
      const column = Math.floor(((i + 0.5) / labels) * columns);
      const at = props.times[column];
      if (at === undefined) continue;
      const text = formatInstant(at * 1000, timeZone);
      context.fillText(long ? text.slice(5, 16) : text.slice(11, 16), left + (column + 0.5) * cell, height - 10);
    }
  }, [props.rows, props.times, props.showTexts, width, height, left, cell, rowHeight, columns, dark, timeZone]);

  const columnAt = (event: MouseEvent) =>
    Math.floor((event.clientX - (canvas.current?.getBoundingClientRect().left ?? 0) - left) / cell);
  const locate = (event: MouseEvent) => {
    const area = canvas.current?.getBoundingClientRect();
    if (!area) return;
    const column = columnAt(event);
    const row = Math.floor((event.clientY - area.top) / rowHeight);
    setHover(
      column >= 0 && column < columns && row >= 0 && row < props.rows.length
        ? { x: event.clientX, y: event.clientY, column, row }
        : undefined,
    );
  };
  const release = (event: MouseEvent) => {
    const to = columnAt(event);
    if (drag !== undefined && props.onZoom && Math.abs(to - drag) > 2) {
      const [low, high] = [Math.max(0, Math.min(drag, to)), Math.min(columns - 1, Math.max(drag, to))];
      props.onZoom({ fromMs: props.times[low]! * 1000, toMs: props.times[high]! * 1000 });
    }
    setDrag(undefined);
  };
  const row = hover && props.rows[hover.row];
  const state = hover && row?.cells[hover.column];
  return (
    <div ref={holder} className="plot" style={{ height: Math.min(height, props.height ?? height), overflowY: 'auto' }}>
      <canvas
        ref={canvas}
        style={{ width: '100%', height }}
        role="img"
        aria-label={props.label ?? props.rows.map((one) => one.name).join(', ')}
        onMouseDown={(event) => setDrag(columnAt(event))}
        onMouseUp={release}
        onMouseMove={locate}
        onMouseLeave={() => setHover(undefined)}
      />
      {hover && row && (
        <div className="plot-tip" style={{ left: Math.min(hover.x + 14, window.innerWidth - 260), top: hover.y + 14 }}>
          <div className="plot-tip-head">{formatInstant((props.times[hover.column] ?? 0) * 1000, timeZone)}</div>
          <div className="plot-tip-row">
            <i style={{ background: state?.color ?? 'transparent' }} />
            <span>{row.name}</span>
            <b>{state?.text ?? '–'}</b>
          </div>
        </div>
      )}
    </div>
  );
}
