// Panels of single values: stat, gauge, bar gauge. One value per series (or per row), reduced by the panel's calculation.

import { useComputedColorScheme } from '@mantine/core';
import { useId, useMemo } from 'react';
import { CALCULATIONS, calculationOf, extentOf } from '../../../src/view/calculate.ts';
import { type Shown, shareOf, showValue } from '../../../src/view/display.ts';
import { type Cell, type Frame, fieldName, frameLength } from '../../../src/view/frame.ts';
import type { FieldOptions, Panel } from '../../../src/view/model.ts';
import { localized, useText } from '../../base/text.ts';
import { heatColor, namedColor, seriesColor, withAlpha } from '../../chart/palette.ts';
import type { PanelProps } from './panel.ts';

export type Reading = {
  readonly key: string;
  readonly name: string;
  readonly value: Cell;
  readonly shown: Shown;
  readonly color: string;
  readonly options: FieldOptions;
  readonly history: readonly (number | null)[];
  readonly share: number;
};

export function readingsOf(panel: Panel, frames: readonly Frame[], dark: boolean): Reading[] {
  const calc = calculationOf(panel.options?.calc) ?? 'lastNotNull';
  const raw: { name: string; value: Cell; options: FieldOptions; history: readonly (number | null)[] }[] = [];
  for (const frame of frames) {
    const numbers = frame.fields.filter((field) => field.kind === 'number' && !field.options?.hidden);
    if (panel.options?.allRows) {
      const label = frame.fields.find((field) => field.kind === 'string');
      for (let row = 0; row < Math.min(frameLength(frame), panel.options.limit ?? 100); row++) {
        for (const field of numbers)
          raw.push({
            name: label ? String(label.values[row] ?? '') : fieldName(field, frame),
            value: field.values[row] ?? null,
            options: field.options ?? {},
            history: [],
          });
      }
      continue;
    }
    for (const field of numbers) {
      const history = field.values.map((value) => (typeof value === 'number' ? value : null));
      raw.push({
        name: fieldName(field, frame),
        value: CALCULATIONS[calc](history),
        options: field.options ?? {},
        history,
      });
    }
    if (numbers.length === 0) {
      for (const field of frame.fields.filter((one) => one.kind === 'string' && !one.options?.hidden))
        raw.push({
          name: fieldName(field, frame),
          value: field.values.at(-1) ?? null,
          options: field.options ?? {},
          history: [],
        });
    }
  }
  const values = raw.flatMap(({ value }) => (typeof value === 'number' && Number.isFinite(value) ? [value] : []));
  const { low, high } = extentOf(values);
  return raw.map(({ name, value, options, history }, index): Reading => {
    const shown = showValue(value, options, { low, high, nowMs: Date.now() });
    const share = typeof value === 'number' ? shareOf(value, options, low, high) : 0;
    const mode = options.color?.mode;
    const color =
      mode === 'palette'
        ? seriesColor(index, dark)
        : mode === 'scale'
          ? heatColor(0.3 + 0.7 * share, dark)
          : (namedColor(shown.color, dark) ?? seriesColor(index, dark));
    return { key: `${index} ${name}`, name, value, shown, color, options, history, share };
  });
}

const textOf = (shown: Shown): string => (shown.mapped === undefined ? shown.text : localized(shown.mapped));

/** Columns that keep tiles as square as the place allows. */
function columnsFor(count: number, width: number, height: number, orientation: string | undefined): number {
  if (orientation === 'horizontal') return 1;
  if (orientation === 'vertical') return count;
  let best = 1;
  let least = Infinity;
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    const penalty = Math.abs(Math.log(width / columns / (height / rows) / 2.2));
    if (penalty < least) {
      least = penalty;
      best = columns;
    }
  }
  return best;
}

export function StatPanel({ panel, data, width, height }: PanelProps) {
  const dark = useComputedColorScheme('light') === 'dark';
  const readings = useMemo(() => readingsOf(panel, data.frames, dark), [panel, data.frames, dark]);
  const columns = columnsFor(readings.length, width, height, panel.options?.orientation);
  const rows = Math.ceil(readings.length / columns);
  const tileWidth = width / columns - 6;
  const tileHeight = height / rows - 6;
  return (
    <div className="tiles" style={{ gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))`, height }}>
      {readings.map((reading) => (
        <Tile
          key={reading.key}
          reading={reading}
          panel={panel}
          width={tileWidth}
          height={tileHeight}
          single={readings.length === 1}
        />
      ))}
    </div>
  );
}

function Tile({
  reading,
  panel,
  width,
  height,
  single,
}: {
  reading: Reading;
  panel: Panel;
  width: number;
  height: number;
  single: boolean;
}) {
  const mode = panel.options?.text ?? 'auto';
  const showName = mode === 'both' || mode === 'name' || (mode === 'auto' && !single);
  const ground = panel.options?.color === 'ground';
  const plain = panel.options?.color === 'none';
  const text = textOf(reading.shown);
  const length = Math.max(3, text.length + reading.shown.suffix.length * 0.6);
  const spark =
    panel.options?.spark !== false && height > 62 && reading.history.filter((value) => value !== null).length > 2;
  const size = Math.max(
    13,
    Math.min(56, (height - (showName ? 20 : 0)) * (spark ? 0.4 : 0.48), (width * 1.55) / length),
  );
  return (
    <div
      className="tile"
      style={
        ground
          ? {
              background: withAlpha(reading.color, 0.22),
              boxShadow: `inset 0 0 0 1px ${withAlpha(reading.color, 0.55)}`,
            }
          : undefined
      }
    >
      {spark && <Spark values={reading.history} color={reading.color} width={width} height={height * 0.36} />}
      <div
        style={{
          position: 'relative',
          textAlign: 'center',
          minWidth: 0,
          maxWidth: '100%',
          ...(spark ? { marginBottom: height * 0.22 } : {}),
        }}
      >
        {showName && <div className="tile-name">{reading.name}</div>}
        {mode !== 'name' && mode !== 'none' && (
          <div
            style={{
              fontSize: size,
              lineHeight: 1.1,
              fontWeight: 660,
              color: plain || ground ? undefined : reading.color,
              fontVariantNumeric: 'tabular-nums',
              letterSpacing: -0.5,
              whiteSpace: 'nowrap',
            }}
          >
            {text}
            <span style={{ fontSize: size * 0.55, fontWeight: 550 }}>{reading.shown.suffix}</span>
          </div>
        )}
      </div>
    </div>
  );
}

function Spark({
  values,
  color,
  width,
  height,
}: {
  values: readonly (number | null)[];
  color: string;
  width: number;
  height: number;
}) {
  const id = useId();
  const present = values.filter((value): value is number => value !== null && Number.isFinite(value));
  const { low, high } = extentOf(present);
  const y = (value: number) => height - 2 - (high === low ? 0.3 : (value - low) / (high - low)) * (height - 6);
  let path = '';
  let started = false;
  values.forEach((value, index) => {
    if (value === null || !Number.isFinite(value)) return;
    path += `${started ? 'L' : 'M'}${((index / Math.max(1, values.length - 1)) * width).toFixed(1)} ${y(value).toFixed(1)}`;
    started = true;
  });
  return (
    <svg
      className="spark"
      viewBox={`0 0 ${Math.max(1, width)} ${Math.max(1, height)}`}
      preserveAspectRatio="none"
      style={{ height }}
      aria-hidden="true"
      focusable="false"
    >
      <defs>
        <linearGradient id={id} x1="0" y1="0" x2="0" y2="1">
          <stop offset="0" stopColor={color} stopOpacity="0.28" />
          <stop offset="1" stopColor={color} stopOpacity="0.03" />
        </linearGradient>
      </defs>
      <path d={`${path}L${width} ${height}L0 ${height}Z`} fill={`url(#${id})`} />
      <path d={path} fill="none" stroke={color} strokeWidth="1.5" vectorEffect="non-scaling-stroke" />
    </svg>
  );
}

const ARC_FROM = Math.PI * 0.8;
const ARC_TO = Math.PI * 2.2;

function arc(cx: number, cy: number, radius: number, from: number, to: number): string {
  const point = (angle: number) =>
    `${(cx + radius * Math.cos(angle)).toFixed(2)} ${(cy + radius * Math.sin(angle)).toFixed(2)}`;
  return `M${point(from)}A${radius} ${radius} 0 ${to - from > Math.PI ? 1 : 0} 1 ${point(to)}`;
}

export function GaugePanel({ panel, data, width, height }: PanelProps) {
  const t = useText();
  const dark = useComputedColorScheme('light') === 'dark';
  const readings = useMemo(() => {
    const options = panel.field ?? {};
    const bounded = { ...panel, field: options };
    return readingsOf(bounded, data.frames, dark).map((reading) => {
      const max = reading.options.max ?? (reading.options.unit === 'percentunit' ? 1 : 100);
      return {
        ...reading,
        share:
          typeof reading.value === 'number'
            ? shareOf(reading.value, { ...reading.options, min: reading.options.min ?? 0, max }, 0, max)
            : 0,
      };
    });
  }, [panel, data.frames, dark]);
  const columns = columnsFor(
    readings.length,
    width,
    height,
    panel.options?.orientation === 'horizontal' ? 'horizontal' : 'auto',
  );
  const rows = Math.ceil(readings.length / columns);
  const size = Math.max(40, Math.min(width / columns - 8, (height / rows - (readings.length > 1 ? 26 : 6)) * 1.18));
  const radius = size / 2 - size * 0.08;
  return (
    <div className="tiles" style={{ gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))`, height }}>
      {readings.map((reading) => (
        <div key={reading.key} className="tile">
          <svg
            width={size}
            height={size * 0.84}
            viewBox={`0 0 ${size} ${size * 0.84}`}
            role="img"
            aria-label={`${reading.name || t('Value')}: ${textOf(reading.shown)}${reading.shown.suffix}`}
          >
            <path
              d={arc(size / 2, size / 2, radius, ARC_FROM, ARC_TO)}
              fill="none"
              stroke="var(--surface-2)"
              strokeWidth={size * 0.11}
              strokeLinecap="round"
            />
            {reading.share > 0 && (
              <path
                d={arc(size / 2, size / 2, radius, ARC_FROM, ARC_FROM + (ARC_TO - ARC_FROM) * reading.share)}
                fill="none"
                stroke={reading.color}
                strokeWidth={size * 0.11}
                strokeLinecap="round"
              />
            )}
            <text
              x={size / 2}
              y={size / 2 + size * 0.05}
              textAnchor="middle"
              fontSize={Math.min(
                size * 0.17,
                (size * 0.95) / Math.max(3, (textOf(reading.shown) + reading.shown.suffix).length),
              )}
              fontWeight={650}
              fill="var(--mantine-color-text)"
            >
              {textOf(reading.shown)}
              {reading.shown.suffix}
            </text>
          </svg>
          {readings.length > 1 && <div className="tile-name">{reading.name}</div>}
        </div>
      ))}
    </div>
  );
}

export function BarGaugePanel({ panel, data, height }: PanelProps) {
  const dark = useComputedColorScheme('light') === 'dark';
  const readings = useMemo(() => readingsOf(panel, data.frames, dark), [panel, data.frames, dark]);
  if (panel.options?.orientation === 'vertical') {
    return (
      <div style={{ display: 'flex', gap: 8, height, alignItems: 'stretch', overflowX: 'auto' }}>
        {readings.map((reading) => (
          <div
            key={reading.key}
            style={{ flex: 1, minWidth: 44, display: 'flex', flexDirection: 'column', textAlign: 'center' }}
          >
            <b className="num" style={{ textAlign: 'center', fontSize: 13 }}>
              {textOf(reading.shown)}
              {reading.shown.suffix}
            </b>
            <div
              style={{
                flex: 1,
                background: 'var(--surface-2)',
                borderRadius: 6,
                position: 'relative',
                overflow: 'hidden',
              }}
            >
              <div
                style={{
                  position: 'absolute',
                  left: 0,
                  right: 0,
                  bottom: 0,
                  height: `${reading.share * 100}%`,
                  background: reading.color,
                }}
              />
            </div>
            <div className="tile-name">{reading.name}</div>
          </div>
        ))}
      </div>
    );
  }
  return (
    <div style={{ height, overflowY: 'auto' }} tabIndex={0} role="group">
      {readings.map((reading) => (
        <div key={reading.key} style={{ marginBottom: 7 }}>
          <div style={{ display: 'flex', justifyContent: 'space-between', gap: 10, fontSize: 12.5 }}>
            <span className="wrap">{reading.name}</span>
            <b className="num">
              {textOf(reading.shown)}
              {reading.shown.suffix}
            </b>
          </div>
          <div style={{ height: 9, borderRadius: 5, background: 'var(--surface-2)', overflow: 'hidden' }}>
            <div
              style={{ width: `${reading.share * 100}%`, height: '100%', borderRadius: 5, background: reading.color }}
            />
          </div>
        </div>
      ))}
    </div>
  );
}
