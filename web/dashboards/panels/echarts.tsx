// The panels that ECharts draws: pie, bars by category, histogram, scatter and bubbles, world map, wind rose, radar, node
// graph. Loaded only when a dashboard has one of them.

import { useComputedColorScheme } from '@mantine/core';
import { BarChart, EffectScatterChart, GraphChart, MapChart, PieChart, RadarChart, ScatterChart } from 'echarts/charts';
import {
  GeoComponent,
  GridComponent,
  LegendComponent,
  PolarComponent,
  RadarComponent,
  TooltipComponent,
  VisualMapComponent,
} from 'echarts/components';
import * as echarts from 'echarts/core';
import { CanvasRenderer } from 'echarts/renderers';
import { useEffect, useMemo, useRef } from 'react';
import world from 'world-atlas/countries-110m.json';
import { extentOf } from '../../../src/view/calculate.ts';
import { type Frame, fieldName } from '../../../src/view/frame.ts';
import type { Panel } from '../../../src/view/model.ts';
import { formatText } from '../../../src/view/units.ts';
import { localized, useText } from '../../base/text.ts';
import { seriesColor } from '../../chart/palette.ts';
import { Empty } from '../../shell/parts.tsx';
import { alignSeries } from './align.ts';
import type { PanelProps } from './panel.ts';
import { placeOf } from './places.ts';
import { asTable } from './table.tsx';
import { type Topology, toGeoJson } from './topology.ts';
import { readingsOf } from './values.tsx';

echarts.use([
  BarChart,
  EffectScatterChart,
  GraphChart,
  MapChart,
  PieChart,
  RadarChart,
  ScatterChart,
  GeoComponent,
  GridComponent,
  LegendComponent,
  PolarComponent,
  RadarComponent,
  TooltipComponent,
  VisualMapComponent,
  CanvasRenderer,
]);

type Option = Record<string, unknown>;
type Look = { readonly ink: string; readonly line: string; readonly surface: string; readonly dark: boolean };
type Build = (panel: Panel, frames: readonly Frame[], look: Look) => Option | undefined;

let isMapKnown = false;

function knowMap(): void {
  if (isMapKnown) return;
  echarts.registerMap('world', toGeoJson(world as unknown as Topology, 'countries') as never);
  isMapKnown = true;
}

export function EchartsPanel({ panel, data, width, height }: PanelProps) {
  const t = useText();
  const dark = useComputedColorScheme('light') === 'dark';
  const holder = useRef<HTMLDivElement>(null);
  const chart = useRef<echarts.ECharts | null>(null);
  const option = useMemo(() => {
    const css = getComputedStyle(document.documentElement);
    const look: Look = {
      ink: css.getPropertyValue('--mantine-color-text').trim(),
      line: css.getPropertyValue('--chart-grid').trim(),
      surface: css.getPropertyValue('--surface').trim(),
      dark,
    };
    return BUILDERS[panel.type]?.(panel, data.frames, look);
  }, [panel, data.frames, dark]);
  useEffect(() => {
    if (!holder.current) return;
    const made = echarts.init(holder.current);
    chart.current = made;
    return () => {
      chart.current = null;
      made.dispose();
    };
  }, []);
  useEffect(() => chart.current?.resize({ width, height }), [width, height]);
  useEffect(() => {
    if (option)
      chart.current?.setOption(
        { animationDuration: 250, textStyle: { fontFamily: 'inherit' }, ...option },
        { notMerge: true },
      );
  }, [option]);
  return (
    <>
      {option === undefined && (
        <Empty title={t('The data do not fit this panel')}>
          {t('It needs other columns; open the panel and look at its data as a table.')}
        </Empty>
      )}
      <div
        ref={holder}
        role="img"
        aria-label={localized(panel.title)}
        style={{ width, height: option === undefined ? 0 : height }}
      />
    </>
  );
}

const tooltip = (look: Look, extra: Option = {}): Option => ({
  backgroundColor: look.surface,
  borderColor: look.line,
  textStyle: { color: look.ink, fontSize: 12 },
  confine: true,
  // Pictures of the panel leave it out.
  className: 'no-print',
  ...extra,
});
const legend = (panel: Panel, look: Look): Option | undefined =>
  panel.options?.legend?.show === false
    ? undefined
    : {
        type: 'scroll',
        textStyle: { color: look.ink, fontSize: 12 },
        pageTextStyle: { color: look.ink },
        ...(panel.options?.legend?.placement === 'right'
          ? { orient: 'vertical', right: 0, top: 'middle' }
          : { bottom: 0 }),
      };
const unitOf = (panel: Panel): string => panel.field?.unit ?? 'short';
const axis = (look: Look): Option => ({
  axisLabel: { color: look.ink, fontSize: 11 },
  axisLine: { lineStyle: { color: look.line } },
  splitLine: { lineStyle: { color: look.line } },
  axisTick: { show: false },
});

const pie: Build = (panel, frames, look) => {
  const readings = readingsOf(panel, frames, look.dark).filter((one) => typeof one.value === 'number' && one.value > 0);
  const shows = panel.options?.labels ?? ['percent'];
  return {
    tooltip: tooltip(look, { trigger: 'item', valueFormatter: (value: number) => formatText(value, unitOf(panel)) }),
    legend: legend(panel, look),
    series: [
      {
        type: 'pie',
        radius: panel.options?.donut ? ['40%', '64%'] : '64%',
        center: ['50%', '46%'],
        labelLine: { length: 6, length2: 6 },
        itemStyle: { borderColor: look.surface, borderWidth: 2, borderRadius: 4 },
        label: {
          color: look.ink,
          overflow: 'none',
          formatter: ({ name, percent, value }: { name: string; percent: number; value: number }) =>
            [
              shows.includes('name') && name,
              shows.includes('value') && formatText(value, unitOf(panel)),
              shows.includes('percent') && `${percent.toFixed(0)}%`,
            ]
              .filter(Boolean)
              .join(' '),
        },
        data: readings.map((one, index) => ({
          name: one.name,
          value: one.value,
          itemStyle: { color: seriesColor(index, look.dark) },
        })),
      },
    ],
  };
};

const bar: Build = (panel, frames, look) => {
  const table = asTable(frames);
  const category =
    table.fields.find((field) =>
      panel.options?.xField ? field.name === panel.options.xField : field.kind === 'string',
    ) ?? table.fields.find((field) => field.kind === 'time');
  const numbers = table.fields.filter((field) => field.kind === 'number' && !field.options?.hidden);
  let names: string[];
  let columns: { name: string; values: readonly unknown[] }[];
  const isSeries = frames.length > 1 || table.fields.some((field) => field.labels);
  if (isSeries || !category) {
    const readings = readingsOf(panel, frames, look.dark);
    names = readings.map((one) => one.name);
    columns = [{ name: localized(panel.title), values: readings.map((one) => one.value) }];
  } else {
    names = category.values.map((value) =>
      category.kind === 'time' ? new Date(Number(value)).toISOString().slice(0, 16).replace('T', ' ') : String(value),
    );
    columns = numbers.map((field) => ({ name: fieldName(field, table), values: field.values }));
  }
  const flat = panel.options?.orientation === 'horizontal';
  const categories = { type: 'category', data: names, ...axis(look), ...(flat ? { inverse: true } : {}) };
  const values = {
    type: 'value',
    ...axis(look),
    axisLabel: { color: look.ink, fontSize: 11, formatter: (value: number) => formatText(value, unitOf(panel)) },
  };
  return {
    tooltip: tooltip(look, { trigger: 'axis', valueFormatter: (value: number) => formatText(value, unitOf(panel)) }),
    legend: columns.length > 1 ? legend(panel, look) : undefined,
    grid: { left: 8, right: 16, top: 12, bottom: columns.length > 1 ? 30 : 8, containLabel: true },
    xAxis: flat ? values : categories,
    yAxis: flat ? categories : values,
    series: columns.map((column, index) => ({
      type: 'bar',
      name: column.name,
      data: column.values,
      ...(panel.options?.stack && panel.options.stack !== 'none' ? { stack: 'all' } : {}),
      barMaxWidth: 46,
      colorBy: columns.length === 1 ? 'data' : 'series',
      itemStyle: { borderRadius: 3, ...(columns.length > 1 ? { color: seriesColor(index, look.dark) } : {}) },
      label: panel.options?.showValue
        ? {
            show: true,
            color: look.ink,
            position: flat ? 'right' : 'top',
            formatter: ({ value }: { value: number }) => formatText(value, unitOf(panel)),
          }
        : undefined,
    })),
    color: names.map((_, index) => seriesColor(index, look.dark)),
  };
};

const histogram: Build = (panel, frames, look) => {
  const values = frames.flatMap((frame) =>
    frame.fields
      .filter((field) => field.kind === 'number')
      .flatMap((field) =>
        field.values.filter((value): value is number => typeof value === 'number' && Number.isFinite(value)),
      ),
  );
  if (values.length === 0) return undefined;
  const { low, high } = extentOf(values);
  const wanted = panel.options?.buckets ?? Math.min(40, Math.max(8, Math.ceil(Math.sqrt(values.length))));
  const size = panel.options?.bucketSize ?? niceSize((high - low || 1) / wanted);
  const first = Math.floor(low / size);
  const counts = new Array<number>(Math.floor(high / size) - first + 1).fill(0);
  for (const value of values) counts[Math.floor(value / size) - first]! += 1;
  const name = (index: number) => formatText((first + index) * size, unitOf(panel));
  return {
    tooltip: tooltip(look, { trigger: 'axis' }),
    grid: { left: 8, right: 12, top: 10, bottom: 8, containLabel: true },
    xAxis: { type: 'category', data: counts.map((_, index) => name(index)), ...axis(look) },
    yAxis: { type: 'value', ...axis(look) },
    series: [
      {
        type: 'bar',
        data: counts,
        barCategoryGap: '6%',
        itemStyle: { color: seriesColor(0, look.dark), borderRadius: 2 },
      },
    ],
  };
};

function niceSize(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  return ([1, 2, 5, 10].find((one) => one * power >= rough) ?? 10) * power;
}

const scatter: Build = (panel, frames, look) => {
  const table = frames.length > 1 ? undefined : frames[0];
  const numbers = table?.fields.filter((field) => field.kind === 'number') ?? [];
  if (table && numbers.length >= 2) {
    const find = (name: string | undefined) =>
      name === undefined ? undefined : numbers.find((field) => field.name === name || fieldName(field, table) === name);
    const x = find(panel.options?.xField) ?? numbers[0]!;
    const y = find(panel.options?.yField) ?? numbers.find((field) => field !== x)!;
    const size = find(panel.options?.sizeField) ?? numbers.find((field) => field !== x && field !== y);
    const names = table.fields.find((field) => field.kind === 'string');
    const most = Math.max(1e-9, ...(size?.values.map((value) => Math.abs(Number(value))) ?? [1]));
    return points(
      panel,
      look,
      [
        {
          name: localized(panel.title),
          data: x.values.map((value, row) => [
            value,
            y.values[row],
            size ? Number(size.values[row]) : 0,
            names ? String(names.values[row]) : '',
          ]),
        },
      ],
      size ? (value) => 6 + 34 * Math.sqrt(Math.abs(value) / most) : undefined,
      fieldName(x, table),
      fieldName(y, table),
    );
  }
  const { times, series } = alignSeries(frames, look.dark);
  if (series.length === 0) return undefined;
  if (series.length >= 2) {
    const [x, ...rest] = series;
    return points(
      panel,
      look,
      rest.map((one) => ({
        name: one.name,
        data: one.values
          .map((value, index) => [x!.values[index], value, 0, ''])
          .filter(([a, b]) => a !== null && b !== null),
      })),
      undefined,
      x!.name,
      rest.length === 1 ? rest[0]!.name : '',
    );
  }
  return points(
    panel,
    look,
    [{ name: series[0]!.name, data: series[0]!.values.map((value, index) => [times[index]! * 1000, value, 0, '']) }],
    undefined,
    '',
    '',
    true,
  );
};

function points(
  panel: Panel,
  look: Look,
  series: { name: string; data: unknown[][] }[],
  size: ((value: number) => number) | undefined,
  xName: string,
  yName: string,
  isTime = false,
): Option {
  const named = { nameLocation: 'middle', nameGap: 26, nameTextStyle: { color: look.ink } };
  return {
    tooltip: tooltip(look, {
      formatter: ({ value, seriesName }: { value: unknown[]; seriesName: string }) =>
        `${String(value[3] || seriesName).replaceAll('<', '&lt;')}<br>${formatText(Number(value[0]), 'short')} / ${formatText(Number(value[1]), unitOf(panel))}`,
    }),
    legend: series.length > 1 ? legend(panel, look) : undefined,
    grid: { left: 34, right: 18, top: 14, bottom: 40, containLabel: true },
    xAxis: { type: isTime ? 'time' : 'value', scale: true, name: xName, ...named, ...axis(look) },
    yAxis: {
      type: 'value',
      scale: true,
      name: yName,
      ...named,
      nameGap: 44,
      ...axis(look),
      axisLabel: { color: look.ink, formatter: (value: number) => formatText(value, unitOf(panel)) },
    },
    series: series.map((one, index) => ({
      type: 'scatter',
      name: one.name,
      data: one.data,
      symbolSize: size ? (value: number[]) => size(value[2]!) : 7,
      itemStyle: { color: seriesColor(index, look.dark), opacity: 0.75 },
    })),
  };
}

const map: Build = (panel, frames, look) => {
  knowMap();
  const table = asTable(frames);
  const find = (given: string | undefined, pattern: RegExp) =>
    table.fields.find((field) => (given ? field.name === given : pattern.test(field.name)));
  const latitude = find(panel.options?.latitude, /^lat(itude)?$/i);
  const longitude = find(panel.options?.longitude, /^(lon|lng|long|longitude)$/i);
  const value = table.fields.find((field) => field.kind === 'number' && field !== latitude && field !== longitude);
  const name =
    find(panel.options?.locationField, /^(country|location|region|city|name|geohash|iso)/i) ??
    table.fields.find((field) => field.kind === 'string');
  const rows = table.fields[0]?.values.length ?? 0;
  const spots: { name: string; value: [number, number, number] }[] = [];
  for (let row = 0; row < rows; row++) {
    const amount = Number(value?.values[row] ?? 1);
    const label = String(name?.values[row] ?? '');
    const place =
      latitude && longitude ? ([Number(longitude.values[row]), Number(latitude.values[row])] as const) : placeOf(label);
    if (place?.every(Number.isFinite)) spots.push({ name: label, value: [place[0], place[1], amount] });
  }
  const most = Math.max(1e-9, ...spots.map((spot) => Math.abs(spot.value[2])));
  return {
    tooltip: tooltip(look, {
      formatter: ({ name: label, value: at }: { name: string; value: number[] }) =>
        Array.isArray(at) ? `${label.replaceAll('<', '&lt;')}: ${formatText(at[2], unitOf(panel))}` : label,
    }),
    geo: {
      map: 'world',
      roam: true,
      left: 4,
      right: 4,
      top: 4,
      bottom: 4,
      itemStyle: { areaColor: look.dark ? '#223041' : '#e3eaf2', borderColor: look.dark ? '#3a4758' : '#c3cfdd' },
      emphasis: { label: { show: false }, itemStyle: { areaColor: look.dark ? '#2d4057' : '#d2deeb' } },
    },
    series: [
      {
        type: 'scatter',
        coordinateSystem: 'geo',
        data: spots,
        symbolSize: (at: number[]) => 7 + 26 * Math.sqrt(Math.abs(at[2]!) / most),
        itemStyle: { color: seriesColor(1, look.dark), opacity: 0.8 },
      },
    ],
  };
};

const DIRECTIONS = ['N', 'NNE', 'NE', 'ENE', 'E', 'ESE', 'SE', 'SSE', 'S', 'SSW', 'SW', 'WSW', 'W', 'WNW', 'NW', 'NNW'];

/** Directions in degrees and speeds, counted by sixteen directions and speed classes. */
const windrose: Build = (_panel, frames, look) => {
  const fields = frames.flatMap((frame) =>
    frame.fields
      .filter((field) => field.kind === 'number')
      .map((field) => ({ name: fieldName(field, frame), values: field.values })),
  );
  const direction = fields.find((field) => /dir|deg|angle|方向/i.test(field.name)) ?? fields[0];
  const speed = fields.find((field) => field !== direction);
  if (!direction || !speed) return undefined;
  const speeds = speed.values.filter((value): value is number => typeof value === 'number');
  const top = Math.max(1e-9, ...speeds);
  const classes = 5;
  const counts = Array.from({ length: classes }, () => new Array<number>(16).fill(0));
  direction.values.forEach((value, row) => {
    const at = speed.values[row];
    if (typeof value !== 'number' || typeof at !== 'number') return;
    const sector = Math.round((((value % 360) + 360) % 360) / 22.5) % 16;
    counts[Math.min(classes - 1, Math.floor((at / top) * classes))]![sector]! += 1;
  });
  const step = top / classes;
  return {
    tooltip: tooltip(look),
    legend: { type: 'scroll', bottom: 0, textStyle: { color: look.ink }, pageTextStyle: { color: look.ink } },
    polar: { radius: '62%', center: ['50%', '45%'] },
    angleAxis: { type: 'category', data: DIRECTIONS, boundaryGap: true, startAngle: 101.25, ...axis(look) },
    radiusAxis: { ...axis(look), axisLabel: { color: look.ink, fontSize: 10 } },
    series: counts.map((row, index) => ({
      type: 'bar',
      stack: 'speed',
      coordinateSystem: 'polar',
      name: `${formatText(index * step, 'short')}–${formatText((index + 1) * step, 'short')}`,
      data: row,
      itemStyle: { color: seriesColor(index, look.dark) },
    })),
  };
};

const radar: Build = (panel, frames, look) => {
  const table = asTable(frames);
  const names = table.fields.find((field) => field.kind === 'string');
  const numbers = table.fields.filter((field) => field.kind === 'number');
  let axes: string[];
  let shapes: { name: string; value: unknown[] }[];
  if (numbers.length >= 3 && names) {
    axes = numbers.map((field) => fieldName(field, table));
    shapes = names.values.map((name, row) => ({
      name: String(name),
      value: numbers.map((field) => field.values[row]),
    }));
  } else {
    const readings = readingsOf(panel, frames, look.dark);
    axes = readings.map((one) => one.name);
    shapes = [{ name: localized(panel.title), value: readings.map((one) => one.value) }];
  }
  if (axes.length < 3) return undefined;
  const most = axes.map((_, index) => Math.max(1e-9, ...shapes.map((shape) => Number(shape.value[index]) || 0)));
  return {
    tooltip: tooltip(look),
    legend: shapes.length > 1 ? legend(panel, look) : undefined,
    radar: {
      indicator: axes.map((name, index) => ({ name, max: panel.field?.max ?? most[index]! * 1.1 })),
      axisName: { color: look.ink },
      splitLine: { lineStyle: { color: look.line } },
      splitArea: { show: false },
      axisLine: { lineStyle: { color: look.line } },
    },
    series: [
      {
        type: 'radar',
        data: shapes.map((shape, index) => ({
          ...shape,
          areaStyle: { opacity: 0.15 },
          lineStyle: { color: seriesColor(index, look.dark) },
          itemStyle: { color: seriesColor(index, look.dark) },
        })),
      },
    ],
  };
};

/** Frames with id/source/target columns as Grafana has them, or rows with a source and a target label. */
const nodes: Build = (panel, frames, look) => {
  const has = (frame: Frame, name: string) => frame.fields.find((field) => field.name.toLowerCase() === name);
  const tables =
    frames.length > 1 && frames.every((frame) => !has(frame, 'source') && !has(frame, 'id'))
      ? [asTable(frames)]
      : frames;
  const edgesFrame = tables.find(
    (frame) =>
      (has(frame, 'source') ?? has(frame, 'client') ?? has(frame, 'src')) &&
      (has(frame, 'target') ?? has(frame, 'server') ?? has(frame, 'dst')),
  );
  const nodesFrame = tables.find((frame) => frame !== edgesFrame && has(frame, 'id'));
  if (!edgesFrame && !nodesFrame) return undefined;
  const source = edgesFrame && (has(edgesFrame, 'source') ?? has(edgesFrame, 'client') ?? has(edgesFrame, 'src'))!;
  const target = edgesFrame && (has(edgesFrame, 'target') ?? has(edgesFrame, 'server') ?? has(edgesFrame, 'dst'))!;
  const weight = edgesFrame?.fields.find((field) => field.kind === 'number');
  const links = (source?.values ?? []).map((from, row) => ({
    source: String(from),
    target: String(target!.values[row]),
    value: Number(weight?.values[row] ?? 1),
  }));
  const titles = new Map(
    (nodesFrame ? has(nodesFrame, 'id')!.values : []).map((id, row) => [
      String(id),
      String((has(nodesFrame!, 'title') ?? has(nodesFrame!, 'id')!).values[row]),
    ]),
  );
  for (const link of links) for (const end of [link.source, link.target]) if (!titles.has(end)) titles.set(end, end);
  const most = Math.max(1e-9, ...links.map((link) => link.value));
  const busy = new Map<string, number>();
  for (const link of links)
    for (const end of [link.source, link.target]) busy.set(end, (busy.get(end) ?? 0) + link.value);
  const top = Math.max(1e-9, ...busy.values());
  return {
    tooltip: tooltip(look, {
      formatter: ({ data, name }: { data: { value?: number; source?: string; target?: string }; name: string }) =>
        `${(data.source ? `${data.source} → ${data.target}` : name).replaceAll('<', '&lt;')}${data.value === undefined ? '' : `: ${formatText(data.value, unitOf(panel))}`}`,
    }),
    series: [
      {
        type: 'graph',
        layout: 'force',
        roam: true,
        draggable: true,
        force: { repulsion: 220, edgeLength: 90 },
        edgeSymbol: ['none', 'arrow'],
        edgeSymbolSize: 7,
        label: { show: true, position: 'bottom', color: look.ink, fontSize: 11 },
        data: [...titles].map(([id, title], index) => ({
          id,
          name: title,
          value: busy.get(id),
          symbolSize: 16 + 24 * Math.sqrt((busy.get(id) ?? 0) / top),
          itemStyle: { color: seriesColor(index, look.dark) },
        })),
        links: links.map((link) => ({
          ...link,
          lineStyle: { width: 1 + 5 * (link.value / most), color: look.dark ? '#66758a' : '#93a1b5', curveness: 0.12 },
        })),
      },
    ],
  };
};

const BUILDERS: Partial<Record<Panel['type'], Build>> = { pie, bar, histogram, scatter, map, windrose, radar, nodes };
