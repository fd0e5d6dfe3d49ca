// Time series drawn by uPlot: lines, areas, bars, points, stacks, two axes, thresholds, annotations, exemplars; a
// tooltip that lists what is under the crosshair; dragging zooms. The crosshair is shared between charts of one `sync`.

import 'uplot/dist/uPlot.min.css';
import './chart.css';
import { useComputedColorScheme } from '@mantine/core';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react';
import uPlot from 'uplot';
import { formatText } from '../../src/view/units.ts';
import { useSettings } from '../base/settings.ts';
import { formatInstant, type Span, zoneOffset } from '../base/time.ts';
import { CHART_COLORS, withAlpha } from './palette.ts';
import { stackLines } from './stack.ts';

export type Line = {
  readonly key: string;
  readonly name: string;
  readonly color: string;
  readonly values: readonly (number | null)[];
  readonly unit?: string;
  readonly decimals?: number | undefined;
  readonly axis?: 'left' | 'right';
  readonly style?: 'line' | 'bars' | 'points';
  readonly shape?: 'linear' | 'step' | 'smooth';
  readonly width?: number;
  readonly fill?: number;
  readonly dash?: readonly number[];
  readonly points?: 'never' | 'auto' | 'always';
  readonly connect?: boolean;
  /** Lines of one stack group are put on one another. */
  readonly stack?: string | undefined;
  readonly hidden?: boolean;
};

export type Mark = { readonly fromMs: number; readonly toMs?: number; readonly text: string; readonly color: string };
export type Threshold = { readonly value: number; readonly color: string; readonly band?: boolean };
export type Dot = { readonly timeMs: number; readonly value: number; readonly color: string; readonly text: string };

export type TimeSeriesProps = {
  /** Seconds since the epoch, rising. */
  readonly times: readonly number[];
  readonly lines: readonly Line[];
  readonly height: number;
  /** Of what is around it, when that is known; otherwise it is measured. */
  readonly width?: number;
  readonly span?: Span;
  readonly unit?: string;
  readonly decimals?: number | undefined;
  readonly rightUnit?: string;
  readonly min?: number | undefined;
  readonly max?: number | undefined;
  readonly logBase?: number | undefined;
  readonly percentStack?: boolean;
  readonly thresholds?: readonly Threshold[];
  readonly marks?: readonly Mark[];
  readonly dots?: readonly Dot[];
  readonly sync?: string;
  readonly onZoom?: (span: Span) => void;
  readonly onPickDot?: (dot: Dot) => void;
  readonly axisLabel?: string | undefined;
  readonly hideAxis?: boolean;
  readonly tooltip?: 'all' | 'single' | 'none';
  readonly label: string;
};

const TOOLTIP_ROWS = 14;
/** Steps of axes in bytes: round numbers of KiB, MiB and so on. */
const BINARY_STEPS = Array.from({ length: 61 }, (_, power) => 2 ** power);
const FONT = '11px Inter, -apple-system, "Segoe UI", Roboto, "Noto Sans", "PingFang SC", sans-serif';

export function TimeSeries(props: TimeSeriesProps) {
  const dark = useComputedColorScheme('light') === 'dark';
  const { timeZone } = useSettings();
  const holder = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const [width, setWidth] = useState(props.width ?? 0);

  useLayoutEffect(() => {
    const element = holder.current;
    if (!element) return;
    if (latest.current.width === undefined) setWidth(element.clientWidth);
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  const visible = useMemo(() => props.lines.filter((line) => !line.hidden), [props.lines]);
  const stacked = useMemo(
    () => stackLines(visible, props.times.length, props.percentStack === true),
    [visible, props.times, props.percentStack],
  );
  // What cannot be changed on a living plot; anything else is set without building it anew.
  const shape = JSON.stringify([
    visible.map((l) => [
      l.key,
      l.name,
      l.color,
      l.axis,
      l.style,
      l.shape,
      l.width,
      l.fill,
      l.dash,
      l.points,
      l.connect,
      l.stack,
      l.unit,
    ]),
    props.unit,
    props.decimals,
    props.rightUnit,
    props.min,
    props.max,
    props.logBase,
    props.percentStack,
    props.thresholds,
    props.axisLabel,
    props.hideAxis,
    props.tooltip,
    props.sync,
    dark,
    timeZone,
    props.onZoom !== undefined,
  ]);

  useEffect(() => {
    const element = holder.current;
    if (!element || width === 0) return;
    const data = [props.times as number[], ...stacked.columns] as uPlot.AlignedData;
    const made = new uPlot(options(latest, visible, stacked.order, width, props.height, dark, timeZone), data, element);
    plot.current = made;
    return () => {
      plot.current = null;
      made.destroy();
    };
  }, [shape, width === 0]);

  useEffect(() => {
    plot.current?.setSize({ width, height: props.height });
  }, [width, props.height]);
  useEffect(() => {
    const made = plot.current;
    if (made && made.series.length === stacked.columns.length + 1)
      made.setData([props.times as number[], ...stacked.columns] as uPlot.AlignedData);
  }, [stacked, props.times, props.span?.fromMs, props.span?.toMs, props.marks, props.dots]);

  return <div ref={holder} className="plot" style={{ height: props.height }} role="img" aria-label={props.label} />;
}

type Latest = { readonly current: TimeSeriesProps };

function options(
  latest: Latest,
  lines: readonly Line[],
  order: readonly number[],
  width: number,
  height: number,
  dark: boolean,
  zone: string,
): uPlot.Options {
  const props = latest.current;
  const { grid, axis: ink } = CHART_COLORS[dark ? 'dark' : 'light'];
  const hasRight = lines.some((line) => line.axis === 'right');
  const hasBars = lines.some((line) => line.style === 'bars');
  const unitOf = (right: boolean) =>
    (right ? props.rightUnit : props.percentStack ? 'percentunit' : props.unit) ?? 'short';
  const axis = (right: boolean): uPlot.Axis => ({
    scale: right ? 'right' : 'y',
    side: right ? 1 : 3,
    stroke: ink,
    font: FONT,
    show: props.hideAxis !== true,
    size: (_, values) => 14 + Math.max(28, ...(values ?? []).map((value) => 6.4 * String(value ?? '').length)),
    grid: { show: !right, stroke: grid, width: 1 },
    ticks: { show: false },
    gap: 6,
    ...(/bytes$|^(bin|Ki|Mi|Gi)B/i.test(unitOf(right)) ? { incrs: BINARY_STEPS } : {}),
    values: (_, splits) => labelsFor(splits, unitOf(right), props.decimals),
    ...(props.axisLabel && !right ? { label: props.axisLabel, labelFont: FONT, labelSize: 18 } : {}),
  });
  const yScale: uPlot.Scale = {
    range: (_, low, high) => yRange(low, high, latest.current),
    ...(props.logBase ? { distr: 3, log: props.logBase === 2 ? 2 : 10 } : {}),
  };
  return {
    width,
    height,
    padding: [10, hasRight ? 0 : 10, 0, 0],
    legend: { show: false },
    pxAlign: 1,
    tzDate: (seconds) => new Date(seconds * 1000 + zoneOffset(seconds * 1000, zone) + localShift(seconds * 1000, zone)),
    cursor: {
      drag: { x: props.onZoom !== undefined, y: false, setScale: false },
      points: { size: 7, width: 1 },
      focus: { prox: 24 },
      ...(props.sync ? { sync: { key: props.sync, setSeries: false } } : {}),
    },
    focus: { alpha: 1 },
    scales: {
      x: {
        time: true,
        range: (_, low, high) => {
          const span = latest.current.span;
          return span ? [span.fromMs / 1000, span.toMs / 1000] : low === high ? [low - 30, high + 30] : [low, high];
        },
      },
      y: yScale,
      ...(hasRight ? { right: { range: (_: uPlot, low: number, high: number) => paddedRange(low, high) } } : {}),
    },
    axes: [
      {
        stroke: ink,
        font: FONT,
        grid: { stroke: grid, width: 1 },
        ticks: { show: false },
        gap: 6,
        size: 26,
        space: 74,
        show: props.hideAxis !== true,
        values: (_, splits, __, space, increment) => timeLabels(splits, increment, zone, space),
      },
      axis(false),
      ...(hasRight ? [axis(true)] : []),
    ],
    series: [{}, ...order.map((index) => seriesOptions(lines[index]!, hasBars))],
    hooks: {
      drawClear: [(plot) => drawBands(plot, latest.current)],
      draw: [(plot) => drawMarks(plot, latest.current)],
      setSelect: [
        (plot) => {
          if (plot.select.width < 4) return;
          const from = plot.posToVal(plot.select.left, 'x') * 1000;
          const to = plot.posToVal(plot.select.left + plot.select.width, 'x') * 1000;
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          latest.current.onZoom?.({ fromMs: Math.round(from), toMs: Math.round(to) });
        },
      ],
    },
    plugins: props.tooltip === 'none' ? [] : [tooltipPlugin(latest, lines, order, zone)],
  };
}

/** uPlot reads local fields of the date it is given; this undoes the local zone. */
function localShift(ms: number, zone: string): number {
  return zone === 'local' ? -zoneOffset(ms, 'local') : -zoneOffset(ms, 'local');
}

function seriesOptions(line: Line, hasBars: boolean): uPlot.Series {
  const fill = line.fill ?? 0;
  const paths =
    line.style === 'bars'
      ? uPlot.paths.bars!({ size: [0.8, 60], gap: 1 })
      : line.style === 'points'
        ? () => null
        : line.shape === 'step'
          ? uPlot.paths.stepped!({ align: 1 })
          : line.shape === 'smooth'
            ? uPlot.paths.spline!()
            : uPlot.paths.linear!();
  return {
    label: line.name,
    scale: line.axis === 'right' ? 'right' : 'y',
    stroke: line.color,
    width: line.style === 'points' ? 0 : (line.width ?? 1.5),
    ...(fill > 0
      ? { fill: withAlpha(line.color, fill) }
      : line.style === 'bars'
        ? { fill: withAlpha(line.color, 0.75) }
        : {}),
    ...(line.dash ? { dash: [...line.dash] } : {}),
    paths,
    spanGaps: line.connect ?? false,
    points:
      line.style === 'points' || line.points === 'always'
        ? { show: true, size: 5, fill: line.color }
        : line.points === 'never' || hasBars
          ? { show: false }
          : { size: 5, fill: line.color, show: (plot, index) => isSparse(plot, index) },
  } as uPlot.Series;
}

function isSparse(plot: uPlot, index: number): boolean {
  const column = plot.data[index];
  if (!column) return false;
  let present = 0;
  for (const value of column) if (value !== null && value !== undefined) present++;
  return present > 0 && present <= 2;
}

function paddedRange(low: number | null, high: number | null): [number, number] {
  if (low === null || high === null || !Number.isFinite(low) || !Number.isFinite(high)) return [0, 1];
  if (low === high) {
    if (low === 0) return [0, 1];
    return low > 0 ? [0, low * 1.25] : [low * 1.25, 0];
  }
  const pad = (high - low) * 0.08;
  const bottom = low >= 0 && low - pad * 4 < 0 ? 0 : low - pad;
  return [bottom, high <= 0 && high + pad > 0 ? 0 : high + pad];
}

function yRange(low: number | null, high: number | null, props: TimeSeriesProps): [number, number] {
  if (props.logBase) {
    const base = props.logBase === 2 ? 2 : 10;
    const floor = low !== null && low > 0 ? low : 1;
    const top = high !== null && high > 0 ? high : 10;
    return [
      base ** Math.floor(Math.log(floor) / Math.log(base)),
      base ** Math.ceil(Math.log(top * 1.01) / Math.log(base)),
    ];
  }
  const [bottom, top] = props.percentStack ? [0, 1] : paddedRange(low, high);
  const from = props.min ?? bottom;
  const to = props.max ?? top;
  return from < to ? [from, to] : [from, from + 1];
}

function labelsFor(splits: readonly (number | null)[], unit: string, decimals: number | undefined): string[] {
  const plain = splits.map((value) => (value === null ? '' : formatText(value, unit, { decimals })));
  const distinct = new Set(plain.filter(Boolean));
  if (decimals !== undefined || distinct.size === plain.filter(Boolean).length) return plain;
  for (let more = 1; more < 6; more++) {
    const finer = splits.map((value) => (value === null ? '' : formatText(value, unit, { decimals: more })));
    if (new Set(finer).size === finer.length) return finer;
  }
  return plain;
}

function timeLabels(splits: readonly number[], increment: number, zone: string, _space: number): string[] {
  let lastDay = '';
  return splits.map((seconds, index) => {
    const full = formatInstant(seconds * 1000, zone);
    const day = full.slice(5, 10);
    const clock = increment < 60 ? full.slice(11, 19) : full.slice(11, 16);
    if (increment >= 86_400) return day;
    const first = index === 0;
    const changed = day !== lastDay && !first;
    lastDay = day;
    return changed ? `${day}\n${clock}`.split('\n')[0]! : clock;
  });
}

function drawBands(plot: uPlot, props: TimeSeriesProps): void {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  const thresholds = [...(props.thresholds ?? [])].sort((a, b) => a.value - b.value);
  thresholds.forEach((threshold, index) => {
    const y = Number.isFinite(threshold.value) ? plot.valToPos(threshold.value, 'y', true) : bbox.top + bbox.height;
    if (threshold.band) {
      const next = thresholds[index + 1];
      const top = next ? plot.valToPos(next.value, 'y', true) : bbox.top;
      ctx.fillStyle = withAlpha(threshold.color, 0.1);
      ctx.fillRect(bbox.left, top, bbox.width, y - top);
    } else if (Number.isFinite(threshold.value)) {
      ctx.strokeStyle = threshold.color;
      ctx.lineWidth = devicePixelRatio;
      ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
    }
  });
  for (const mark of props.marks ?? []) {
    const x = plot.valToPos(mark.fromMs / 1000, 'x', true);
    if (mark.toMs !== undefined && mark.toMs > mark.fromMs) {
      ctx.fillStyle = withAlpha(mark.color, 0.12);
      ctx.fillRect(x, bbox.top, plot.valToPos(mark.toMs / 1000, 'x', true) - x, bbox.height);
    }
    ctx.strokeStyle = mark.color;
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
  }
  ctx.restore();
}

function drawMarks(plot: uPlot, props: TimeSeriesProps): void {
  const { ctx, bbox } = plot;
  const size = 4 * devicePixelRatio;
  ctx.save();
  for (const dot of props.dots ?? []) {
    const x = plot.valToPos(dot.timeMs / 1000, 'x', true);
    const y = plot.valToPos(dot.value, 'y', true);
    if (x < bbox.left || x > bbox.left + bbox.width || y < bbox.top - size || y > bbox.top + bbox.height + size)
      continue;
    ctx.fillStyle = dot.color;
    ctx.beginPath();
    ctx.moveTo(x, y - size);
    ctx.lineTo(x + size, y);
    ctx.lineTo(x, y + size);
    ctx.lineTo(x - size, y);
    ctx.fill();
  }
  for (const mark of props.marks ?? []) {
    const x = plot.valToPos(mark.fromMs / 1000, 'x', true);
    ctx.fillStyle = mark.color;
    ctx.beginPath();
    ctx.moveTo(x - size, bbox.top + bbox.height + size);
    ctx.lineTo(x + size, bbox.top + bbox.height + size);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.fill();
  }
  ctx.restore();
}

function tooltipPlugin(latest: Latest, lines: readonly Line[], order: readonly number[], zone: string): uPlot.Plugin {
  const box = document.createElement('div');
  box.className = 'plot-tip';
  let over: HTMLElement;
  let inside = false;
  const hide = () => {
    box.style.display = 'none';
  };
  const enter = () => {
    inside = true;
  };
  const leave = () => {
    inside = false;
    hide();
  };
  return {
    hooks: {
      init: (plot) => {
        over = plot.over;
        document.body.append(box);
        hide();
        over.addEventListener('mouseenter', enter);
        over.addEventListener('mouseleave', leave);
      },
      destroy: () => box.remove(),
      setCursor: (plot) => {
        const { left = -1, top = -1, idx } = plot.cursor;
        if (!inside || left < 0 || idx === null || idx === undefined) return hide();
        const rows = rowsAt(latest.current, lines, order, idx, plot, top);
        if (rows.length === 0) return hide();
        fillTip(
          box,
          formatInstant(plot.data[0][idx]! * 1000, zone),
          rows,
          latest.current,
          plot.posToVal(left, 'x') * 1000,
        );
        box.style.display = 'block';
        const area = over.getBoundingClientRect();
        const x = area.left + left;
        const flip = x + box.offsetWidth + 28 > window.innerWidth;
        box.style.left = `${Math.max(4, flip ? x - box.offsetWidth - 16 : x + 16)}px`;
        box.style.top = `${Math.max(4, Math.min(area.top + top + 12, window.innerHeight - box.offsetHeight - 8))}px`;
      },
    },
  };
}

type Row = { readonly line: Line; readonly value: number; readonly near: boolean };

function rowsAt(
  props: TimeSeriesProps,
  lines: readonly Line[],
  order: readonly number[],
  at: number,
  plot: uPlot,
  top: number,
): Row[] {
  const found: Row[] = [];
  let nearest = -1;
  let least = Infinity;
  order.forEach((index, column) => {
    const line = props.lines.find((one) => one.key === lines[index]!.key) ?? lines[index]!;
    const value = line.values[at];
    if (value === null || value === undefined) return;
    const drawn = plot.data[column + 1]?.[at];
    const distance =
      drawn === null || drawn === undefined
        ? Infinity
        : Math.abs(plot.valToPos(drawn, line.axis === 'right' ? 'right' : 'y') - top);
    if (distance < least) {
      least = distance;
      nearest = found.length;
    }
    found.push({ line, value, near: false });
  });
  const marked = found.map((row, index) => (index === nearest && least < 40 ? { ...row, near: true } : row));
  if (props.tooltip === 'single') return marked.filter((row) => row.near);
  return marked.sort((a, b) => b.value - a.value);
}

function fillTip(
  box: HTMLElement,
  title: string,
  rows: readonly Row[],
  props: TimeSeriesProps,
  cursorMs: number,
): void {
  box.replaceChildren();
  const head = document.createElement('div');
  head.className = 'plot-tip-head';
  head.textContent = title;
  box.append(head);
  const nearAt = rows.findIndex((row) => row.near);
  const start = Math.max(0, Math.min(nearAt - Math.floor(TOOLTIP_ROWS / 2), rows.length - TOOLTIP_ROWS));
  for (const { line, value, near } of rows.slice(start, start + TOOLTIP_ROWS)) {
    const row = document.createElement('div');
    row.className = near ? 'plot-tip-row near' : 'plot-tip-row';
    const swatch = document.createElement('i');
    swatch.style.background = line.color;
    const name = document.createElement('span');
    name.textContent = line.name;
    const shown = document.createElement('b');
    shown.textContent = formatText(value, line.unit ?? props.unit ?? 'short', {
      decimals: line.decimals ?? props.decimals,
    });
    row.append(swatch, name, shown);
    box.append(row);
  }
  if (rows.length > TOOLTIP_ROWS) {
    const more = document.createElement('div');
    more.className = 'plot-tip-more';
    more.textContent = `+ ${rows.length - TOOLTIP_ROWS}`;
    box.append(more);
  }
  const reach = props.span ? (props.span.toMs - props.span.fromMs) / 150 : 0;
  const texts = [
    ...(props.marks ?? []).filter((m) => (m.toMs ?? m.fromMs) + reach >= cursorMs && m.fromMs - reach <= cursorMs),
    ...(props.dots ?? []).filter((d) => Math.abs(d.timeMs - cursorMs) <= reach),
  ].slice(0, 4);
  for (const { text, color } of texts) {
    const row = document.createElement('div');
    row.className = 'plot-tip-mark';
    row.style.borderLeftColor = color;
    row.textContent = text;
    box.append(row);
  }
}
