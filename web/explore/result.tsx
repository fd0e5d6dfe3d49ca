// The result of one query in the chosen view, with what it cost and what the server warned of.

import { Checkbox, Group, Loader, SegmentedControl, Text, useComputedColorScheme } from '@mantine/core';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { lazy, Suspense, useMemo, useState } from 'react';
import { useAbsent } from '../base/absent.ts';
import { get } from '../base/api.ts';
import { type Columns, type LabelSet, queryInstant, queryRange, seriesName, shortNames } from '../base/prom.ts';
import { type TextKey, useText } from '../base/text.ts';
import {
  formatDuration,
  formatInstant,
  parseDuration,
  type Range,
  resolveRange,
  type Span,
  stepFor,
} from '../base/time.ts';
import { heatRows } from '../chart/buckets.ts';
import { Legend } from '../chart/legend.tsx';
import { seriesColor } from '../chart/palette.ts';
import type { Dot, Line } from '../chart/timeseries.tsx';
import { Icon, type IconName } from '../shell/icons.tsx';
import { absentText, Empty, Failure, Waiting } from '../shell/parts.tsx';
import { absolute } from '../shell/timepicker.tsx';
import { Explain } from './explain.tsx';
import { type Panel, VIEWS, type View } from './state.ts';
import { ResultTable } from './table.tsx';

const TimeSeries = lazy(async () => ({ default: (await import('../chart/timeseries.tsx')).TimeSeries }));
const HeatMap = lazy(async () => ({ default: (await import('../chart/heatmap.tsx')).HeatMap }));

const POINTS = 360;
const LEAST_STEP_MS = 1000;
const MAX_DRAWN = 1000;
const GRAPH_HEIGHT = 380;

const VIEW_TEXTS: Record<View, { text: TextKey; icon: IconName }> = {
  graph: { text: 'Graph', icon: 'graph' },
  table: { text: 'Table', icon: 'table' },
  heat: { text: 'Heat map', icon: 'heat' },
  explain: { text: 'Explain', icon: 'tree' },
};

type Props = {
  panel: Panel;
  range: Range;
  nowMs: number;
  onChange: (change: Partial<Panel>) => void;
  onRange: (range: Range) => void;
};

export function Result(props: Props) {
  const t = useText();
  const { panel } = props;
  return (
    <>
      <div className="tabs" role="tablist" aria-label={t('View')}>
        {VIEWS.map((view) => (
          <button
            key={view}
            type="button"
            role="tab"
            aria-selected={panel.view === view}
            onClick={() => props.onChange({ view })}
          >
            <Icon name={VIEW_TEXTS[view].icon} size={16} />
            {t(VIEW_TEXTS[view].text)}
          </button>
        ))}
      </div>
      {panel.view === 'table' && <TableView {...props} />}
      {panel.view === 'explain' && <Explain expr={panel.expr} range={props.range} nowMs={props.nowMs} />}
      {(panel.view === 'graph' || panel.view === 'heat') && <GraphView {...props} />}
    </>
  );
}

function Notes({
  warnings,
  infos,
  children,
}: {
  warnings: readonly string[];
  infos: readonly string[];
  children?: React.ReactNode;
}) {
  return (
    <div style={{ padding: '4px 14px 10px' }}>
      {[...warnings, ...infos].map((note) => (
        <Text key={note} size="sm" style={{ color: 'var(--warn)' }} className="wrap">
          {note}
        </Text>
      ))}
      <Text size="xs" c="dimmed">
        {children}
      </Text>
    </div>
  );
}

function TableView({ panel, range, nowMs }: Props) {
  const t = useText();
  const endMs = resolveRange(range, nowMs).toMs;
  const answer = useQuery({
    queryKey: ['explore', 'instant', panel.expr, endMs],
    queryFn: ({ signal }) => queryInstant('', panel.expr, endMs, { signal }),
    placeholderData: keepPreviousData,
  });
  if (answer.error)
    return (
      <Padded>
        <Failure error={answer.error} what={t('The query failed')} retry={() => answer.refetch()} />
      </Padded>
    );
  if (!answer.data) return <Waiting />;
  const { rows } = answer.data.data;
  return (
    <>
      {rows.length === 0 ? <NoData expr={panel.expr} span={resolveRange(range, nowMs)} /> : <ResultTable rows={rows} />}
      <Notes warnings={answer.data.warnings} infos={answer.data.infos}>
        {t('{n} series at {time}, {ms} ms, {kb} kB', {
          n: rows.length,
          time: formatInstant(endMs),
          ms: answer.data.tookMs.toFixed(0),
          kb: (answer.data.bytes / 1000).toFixed(1),
        })}
      </Notes>
    </>
  );
}

const Padded = ({ children }: { children: React.ReactNode }) => <div style={{ padding: 14 }}>{children}</div>;

function GraphView({ panel, range, nowMs, onChange, onRange }: Props) {
  const t = useText();
  const span = useMemo(() => resolveRange(range, nowMs), [range, nowMs]);
  const stepMs = panel.stepMs ?? stepFor(span, POINTS, LEAST_STEP_MS);
  const answer = useQuery({
    queryKey: ['explore', 'range', panel.expr, span.fromMs, span.toMs, stepMs],
    queryFn: ({ signal }) => queryRange('', panel.expr, span, stepMs, { signal }),
    placeholderData: keepPreviousData,
  });
  const exemplars = useExemplars(panel, span);
  const [step, setStep] = useState('');
  return (
    <>
      <Group px={14} pt={10} gap="md">
        {panel.view === 'graph' && (
          <>
            <SegmentedControl
              size="xs"
              aria-label={t('Stacking')}
              value={panel.stacked ? 'stacked' : 'lines'}
              onChange={(value) => onChange({ stacked: value === 'stacked' })}
              data={[
                { value: 'lines', label: t('Lines') },
                { value: 'stacked', label: t('Stacked') },
              ]}
            />
            <Checkbox
              size="xs"
              label={t('Exemplars')}
              checked={panel.exemplars}
              onChange={(e) => onChange({ exemplars: e.currentTarget.checked })}
            />
          </>
        )}
        <Group gap={6}>
          <label className="dim" style={{ fontSize: 12 }}>
            {t('Step')}{' '}
            <input
              className="field"
              style={{ height: 26, width: 72 }}
              placeholder={formatDuration(stepMs)}
              value={step || (panel.stepMs ? formatDuration(panel.stepMs) : '')}
              onChange={(e) => setStep(e.currentTarget.value)}
              onBlur={() => {
                onChange({ stepMs: parseDuration(step) || undefined });
                setStep('');
              }}
              onKeyDown={(e) => e.key === 'Enter' && e.currentTarget.blur()}
            />
          </label>
        </Group>
        {answer.isFetching && <Loader size={14} />}
      </Group>
      {answer.error ? (
        <Padded>
          <Failure error={answer.error} what={t('The query failed')} retry={() => answer.refetch()} />
        </Padded>
      ) : answer.data ? (
        <>
          {answer.data.data.columns.length === 0 ? (
            <NoData expr={panel.expr} span={span} />
          ) : panel.view === 'heat' ? (
            <Padded>
              <Suspense fallback={<Waiting />}>
                <HeatMap
                  times={answer.data.data.times}
                  rows={heatRows(answer.data.data)}
                  height={GRAPH_HEIGHT}
                  label={panel.expr}
                />
              </Suspense>
            </Padded>
          ) : (
            <Graph
              data={answer.data.data}
              span={span}
              stacked={panel.stacked}
              dots={exemplars}
              label={panel.expr}
              onZoom={(zoomed) => onRange(absolute(zoomed))}
            />
          )}
          <Notes warnings={answer.data.warnings} infos={answer.data.infos}>
            {t('{n} series, step {step}, {ms} ms, {kb} kB', {
              n: answer.data.data.columns.length,
              step: formatDuration(stepMs),
              ms: answer.data.tookMs.toFixed(0),
              kb: (answer.data.bytes / 1000).toFixed(1),
            })}
          </Notes>
        </>
      ) : (
        <Waiting />
      )}
    </>
  );
}

export function Graph(props: {
  data: Columns;
  span: Span;
  stacked?: boolean;
  dots?: readonly Dot[];
  label: string;
  unit?: string;
  height?: number;
  onZoom?: (span: Span) => void;
}) {
  const t = useText();
  const dark = useComputedColorScheme('light') === 'dark';
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const drawn = useMemo(() => props.data.columns.slice(0, MAX_DRAWN), [props.data]);
  const lines = useMemo(() => {
    const names = shortNames(drawn.map((column) => column.labels));
    return drawn.map(
      (column, index): Line => ({
        key: seriesName(column.labels),
        name: names[index]!,
        color: seriesColor(index, dark),
        values: column.values,
        ...(props.stacked ? { stack: 'all', fill: 0.35 } : drawn.length === 1 ? { fill: 0.12 } : {}),
        hidden: hidden.has(seriesName(column.labels)),
      }),
    );
  }, [drawn, dark, hidden, props.stacked]);
  return (
    <div style={{ padding: '10px 14px 0' }}>
      {props.data.columns.length > MAX_DRAWN && (
        <Text size="sm" style={{ color: 'var(--warn)' }}>
          {t('Only the first {shown} of {n} series are drawn. Aggregate or narrow the query to see all.', {
            shown: MAX_DRAWN,
            n: props.data.columns.length,
          })}
        </Text>
      )}
      <Suspense fallback={<div style={{ height: props.height ?? GRAPH_HEIGHT }} />}>
        <TimeSeries
          times={props.data.times}
          lines={lines}
          height={props.height ?? GRAPH_HEIGHT}
          span={props.span}
          label={props.label}
          {...(props.unit ? { unit: props.unit } : {})}
          {...(props.dots ? { dots: props.dots } : {})}
          {...(props.onZoom ? { onZoom: props.onZoom } : {})}
        />
      </Suspense>
      <Legend lines={lines} hidden={hidden} onHide={setHidden} maxHeight={240} />
    </div>
  );
}

type ExemplarAnswer = readonly {
  readonly seriesLabels: LabelSet;
  readonly exemplars: readonly { readonly labels: LabelSet; readonly value: string; readonly timestamp: number }[];
}[];

function useExemplars(panel: Panel, span: Span): readonly Dot[] {
  const dark = useComputedColorScheme('light') === 'dark';
  const wanted = panel.exemplars && panel.view === 'graph';
  const { data } = useQuery({
    queryKey: ['explore', 'exemplars', panel.expr, span.fromMs, span.toMs],
    queryFn: ({ signal }) =>
      get<ExemplarAnswer>(
        '/api/v1/query_exemplars',
        { query: panel.expr, start: span.fromMs / 1000, end: span.toMs / 1000 },
        signal,
      ),
    enabled: wanted,
  });
  return useMemo(() => {
    if (!wanted || !data) return [];
    return data.flatMap(({ seriesLabels, exemplars }, index) =>
      exemplars.map(
        (exemplar): Dot => ({
          timeMs: exemplar.timestamp * 1000,
          value: Number(exemplar.value),
          color: seriesColor(index + 3, dark),
          text: `${seriesName(exemplar.labels)} = ${exemplar.value}\n${seriesName(seriesLabels)}`,
        }),
      ),
    );
  }, [data, wanted, dark]);
}

/** An empty result, with the likely reasons for this very query. */
export function NoData({ expr, span }: { expr: string; span: Span }) {
  const t = useText();
  const { data: absent = [] } = useAbsent([{ api: '', expr }], span);
  return (
    <Empty title={t('The query is right, but nothing matches it')}>
      <ul style={{ display: 'inline-block', textAlign: 'left', margin: '6px 0' }}>
        {absent.map((one) => (
          <li key={one.selector}>{absentText(t, one)}</li>
        ))}
        {absent.length === 0 && (
          <>
            <li>{t('There may be no samples in this range of time; widen it.')}</li>
            <li>{t('A label matcher may exclude everything; leave matchers out one by one.')}</li>
          </>
        )}
        {/[<>=!]=?/.test(expr.replace(/\{[^}]*\}/g, '')) && (
          <li>{t('A comparison keeps only what fulfils it: nothing does at present.')}</li>
        )}
        {/rate\(|increase\(|delta\(/.test(expr) && (
          <li>
            {t('A rate needs two samples inside its range: the range must be at least twice the scrape interval.')}
          </li>
        )}
      </ul>
    </Empty>
  );
}
