// The time series panel, and what else draws series over time: heat maps and state timelines.

import { useComputedColorScheme } from '@mantine/core';
import { useMemo, useState } from 'react';
import { calculationOf } from '../../../src/view/calculate.ts';
import { showValue } from '../../../src/view/display.ts';
import { type Frame, fieldName, timeField } from '../../../src/view/frame.ts';
import { formatText } from '../../../src/view/units.ts';
import type { Columns, NativeHistogram } from '../../base/prom.ts';
import { localized } from '../../base/text.ts';
import { heatRows } from '../../chart/buckets.ts';
import { HeatMap } from '../../chart/heatmap.tsx';
import { Legend } from '../../chart/legend.tsx';
import { namedColor, seriesColor } from '../../chart/palette.ts';
import { Timeline, type TimelineRow } from '../../chart/timeline.tsx';
import { type Line, type Threshold, TimeSeries } from '../../chart/timeseries.tsx';
import { useDashboard } from '../context.ts';
import { alignSeries } from './align.ts';
import type { PanelProps } from './panel.ts';

const LEGEND_SHARE = 0.34;
const LEGEND_LINE_PX = 24;
const RIGHT_LEGEND_PX = 260;

export function TimeSeriesPanel({ panel, data, width, height }: PanelProps) {
  const dark = useComputedColorScheme('light') === 'dark';
  const { marks, onZoom, dashboard } = useDashboard();
  const own = useMemo(
    () => marks.filter((mark) => mark.panel === undefined || mark.panel === panel.id),
    [marks, panel.id],
  );
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const aligned = useMemo(() => alignSeries(data.frames, dark), [data.frames, dark]);
  const lines = useMemo(
    () =>
      aligned.series
        .filter((one) => !one.options.draw?.hideFrom?.includes('viz'))
        .map((one): Line => {
          const draw = one.options.draw ?? {};
          const stacks = draw.stack !== undefined && draw.stack !== 'none';
          return {
            key: one.key,
            name: one.name,
            color: one.color,
            values: one.values,
            ...(one.options.unit === undefined ? {} : { unit: one.options.unit }),
            decimals: one.options.decimals,
            axis: draw.axis === 'right' ? 'right' : 'left',
            style: draw.style ?? 'line',
            shape: draw.shape ?? 'linear',
            width: draw.width ?? 1.5,
            fill: draw.fill ?? (stacks ? 0.3 : 0),
            ...(draw.dash ? { dash: draw.dash } : {}),
            points: draw.points ?? 'auto',
            connect: draw.connect ?? false,
            ...(stacks ? { stack: `${draw.stackGroup ?? 'A'}${draw.axis === 'right' ? ' right' : ''}` } : {}),
            hidden: hidden.has(one.key),
          };
        }),
    [aligned, hidden],
  );
  const field = panel.field ?? {};
  const left = aligned.series.find((one) => one.options.draw?.axis !== 'right')?.options ?? field;
  const right = aligned.series.find((one) => one.options.draw?.axis === 'right')?.options;
  const legend = panel.options?.legend ?? { show: lines.length > 0 && lines.length <= 40 };
  const legendLines = lines.filter(
    (line) => !aligned.series.find((one) => one.key === line.key)?.options.draw?.hideFrom?.includes('legend'),
  );
  const calcs = (legend.calcs ?? []).map(calculationOf).filter((calc) => calc !== undefined);
  const isRight = legend.placement === 'right' && width > 560;
  const showLegend = legend.show && height > 110;
  const wanted = legend.table
    ? (legendLines.length + 1) * LEGEND_LINE_PX
    : Math.ceil(legendLines.reduce((sum, line) => sum + 34 + line.name.length * 6.6, 0) / Math.max(1, width)) *
      LEGEND_LINE_PX;
  const legendHeight = showLegend && !isRight ? Math.min(wanted, Math.max(LEGEND_LINE_PX, height * LEGEND_SHARE)) : 0;
  const style = field.draw?.thresholds ?? left.draw?.thresholds;
  const thresholds = useMemo(
    () =>
      style === undefined || style === 'off'
        ? []
        : (field.thresholds?.steps ?? []).flatMap((step): Threshold[] =>
            step.value === null || step.color === 'transparent'
              ? []
              : [{ value: step.value, color: namedColor(step.color, dark) ?? step.color, band: style === 'area' }],
          ),
    [style, field.thresholds, dark],
  );
  const title = localized(panel.title);
  return (
    <div style={{ display: 'flex', flexDirection: isRight ? 'row' : 'column', height }}>
      <div style={{ flex: 1, minWidth: 0 }}>
        <TimeSeries
          times={aligned.times}
          lines={lines}
          height={Math.max(40, height - legendHeight)}
          width={isRight && showLegend ? width - RIGHT_LEGEND_PX : width}
          span={data.span}
          unit={left.unit ?? 'short'}
          decimals={left.decimals}
          {...(right?.unit ? { rightUnit: right.unit } : {})}
          min={left.min}
          max={left.max}
          logBase={left.draw?.logBase}
          axisLabel={localized(left.draw?.axisLabel) || undefined}
          percentStack={lines.length > 0 && aligned.series.some((one) => one.options.draw?.stack === 'percent')}
          thresholds={thresholds}
          marks={own}
          sync={dashboard.uid}
          onZoom={onZoom}
          tooltip={panel.options?.tooltip ?? 'all'}
          hideAxis={left.draw?.axis === 'hidden'}
          label={title}
        />
      </div>
      {showLegend && (
        <div style={isRight ? { width: RIGHT_LEGEND_PX, flex: 'none' } : { flex: 'none', height: legendHeight }}>
          <Legend
            lines={legendLines}
            hidden={hidden}
            onHide={setHidden}
            calculations={calcs}
            unit={left.unit ?? 'short'}
            table={legend.table === true || calcs.length > 0}
            maxHeight={isRight ? height : legendHeight}
          />
        </div>
      )}
    </div>
  );
}

/** Frames back to what the bucket maker reads. */
function toColumns(frames: readonly Frame[]): { data: Columns; names: string[] } {
  const times = (timeField(frames[0] ?? { ref: '', fields: [] })?.values ?? []) as number[];
  const fields = frames.flatMap((frame) =>
    frame.fields.filter((field) => field.kind === 'number').map((field) => ({ field, frame })),
  );
  return {
    data: {
      times: times.map((ms) => ms / 1000),
      columns: fields.map(({ field }) => {
        const { histograms } = field as { histograms?: readonly (NativeHistogram | null)[] };
        return {
          labels: field.labels ?? {},
          values: field.values.map((value) => (typeof value === 'number' ? value : null)),
          ...(histograms ? { histograms } : {}),
        };
      }),
    },
    names: fields.map(({ field, frame }) => fieldName(field, frame)),
  };
}

export function HeatMapPanel({ panel, data, height }: PanelProps) {
  const { onZoom } = useDashboard();
  const rowUnit = panel.options?.rowUnit;
  const { times, rows } = useMemo(() => {
    const { data: columns, names } = toColumns(data.frames);
    const shown = rowUnit === undefined ? undefined : (bound: number) => formatText(bound, rowUnit);
    return { times: columns.times, rows: heatRows(columns, names, shown) };
  }, [data.frames, rowUnit]);
  return (
    <HeatMap
      times={times}
      rows={rows}
      height={height}
      unit={panel.field?.unit ?? 'short'}
      label={localized(panel.title)}
      onZoom={onZoom}
    />
  );
}

export function TimelinePanel({ panel, data, height }: PanelProps) {
  const dark = useComputedColorScheme('light') === 'dark';
  const { onZoom } = useDashboard();
  const { times, rows } = useMemo(() => {
    const palette = new Map<string, string>();
    const cellOf = (value: unknown, options: Parameters<typeof showValue>[1]) => {
      if (value === null || value === undefined) return null;
      const shown = showValue(value, options);
      const text = (shown.mapped === undefined ? shown.text + shown.suffix : localized(shown.mapped)) || '–';
      const hasColors = options?.thresholds !== undefined || options?.mappings !== undefined;
      let color = hasColors ? namedColor(shown.color, dark) : undefined;
      if (color === undefined) {
        color = palette.get(text) ?? seriesColor(palette.size, dark);
        palette.set(text, color);
      }
      return { text, color };
    };
    const texts = data.frames.flatMap((frame) =>
      frame.fields
        .filter((field) => field.kind === 'string' || field.kind === 'boolean')
        .map((field) => ({ frame, field })),
    );
    if (texts.length > 0 && !data.frames.some((frame) => frame.fields.some((field) => field.kind === 'number'))) {
      const time = timeField(data.frames[0]!)?.values as number[] | undefined;
      return {
        times: (time ?? []).map((ms) => ms / 1000),
        rows: texts.map(
          ({ frame, field }): TimelineRow => ({
            name: fieldName(field, frame),
            cells: field.values.map((value) => cellOf(value, field.options)),
          }),
        ),
      };
    }
    const aligned = alignSeries(data.frames, dark);
    return {
      times: aligned.times,
      rows: aligned.series.map(
        (one): TimelineRow => ({ name: one.name, cells: one.values.map((value) => cellOf(value, one.options)) }),
      ),
    };
  }, [data.frames, dark]);
  return (
    <Timeline
      times={times}
      rows={rows}
      height={height}
      showTexts={panel.options?.showValue !== false}
      onZoom={onZoom}
      label={localized(panel.title)}
    />
  );
}
