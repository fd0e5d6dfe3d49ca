// For people who do not know PromQL: pick a metric, read what it is, see its labels, and get the query that fits its
// type (a rate for counters, quantiles for histograms).

import { Badge, Button, Group, SegmentedControl, Select, Stack, Text } from '@mantine/core';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { get } from '../base/api.ts';
import { useNow } from '../base/clock.ts';
import { queryRange } from '../base/prom.ts';
import { changeQuery, Link, linkTo, useLocation } from '../base/router.tsx';
import { useText } from '../base/text.ts';
import { resolveRange, stepFor } from '../base/time.ts';
import { Icon } from '../shell/icons.tsx';
import { Empty, Loaded, Page } from '../shell/parts.tsx';
import { Table } from '../shell/table.tsx';
import { TimePicker } from '../shell/timepicker.tsx';
import { Graph, NoData } from './result.tsx';
import { exploreLink } from './state.ts';
import { type MetricKind, suggest } from './suggest.ts';

type Metadata = Readonly<
  Record<string, readonly { readonly type: string; readonly help: string; readonly unit: string }[]>
>;
/** Programs describe their metrics in English. */
const HELP_LANGUAGE = 'en';

type Entry = { readonly name: string; readonly type: MetricKind; readonly help: string; readonly unit: string };

const FIRST = 300;

/** Metrics as people think of them: a histogram is one entry, not three. */
function entriesOf(names: readonly string[], metadata: Metadata): Entry[] {
  const found = new Map<string, Entry>();
  for (const name of names) {
    const base = name.replace(/_(bucket|sum|count)$/, '');
    const asBase = base !== name ? metadata[base]?.[0] : undefined;
    const family = asBase && (asBase.type === 'histogram' || asBase.type === 'summary') ? base : name;
    if (found.has(family)) continue;
    const about = metadata[family]?.[0] ?? metadata[name.replace(/_total$/, '')]?.[0];
    const guessed = /_total$/.test(name) ? 'counter' : /_bucket$/.test(name) ? 'histogram' : 'unknown';
    found.set(family, {
      name: guessed === 'histogram' && !about ? base : family,
      type: (about?.type as MetricKind | undefined) ?? guessed,
      help: about?.help ?? '',
      unit: about?.unit ?? '',
    });
  }
  return [...found.values()].sort((a, b) => a.name.localeCompare(b.name));
}

export function MetricsPage() {
  const t = useText();
  const { query } = useLocation();
  const picked = query.get('metric') ?? '';
  const [search, setSearch] = useState('');
  const list = useQuery({
    queryKey: ['metrics'],
    queryFn: async ({ signal }) => {
      const [names, metadata] = await Promise.all([
        get<string[]>('/api/v1/label/__name__/values', undefined, signal),
        get<Metadata>('/api/v1/metadata', undefined, signal),
      ]);
      return entriesOf(names, metadata);
    },
  });
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const found =
    list.data?.filter((entry) => words.every((word) => `${entry.name} ${entry.help}`.toLowerCase().includes(word))) ??
    [];
  const entry = list.data?.find((one) => one.name === picked);
  return (
    <Page
      title={t('Metrics')}
      note={
        list.data && (
          <Text c="dimmed" size="sm">
            {t('{n} metrics', { n: list.data.length })}
          </Text>
        )
      }
    >
      <div className="browser">
        <div className="surface browser-list">
          <div style={{ padding: 10, borderBottom: '1px solid var(--line)' }}>
            <input
              className="field"
              style={{ width: '100%', boxSizing: 'border-box' }}
              type="search"
              placeholder={t('Search names and descriptions')}
              aria-label={t('Search names and descriptions')}
              value={search}
              onChange={(e) => setSearch(e.currentTarget.value)}
            />
          </div>
          <Loaded of={list} what={t('The list of metrics could not be loaded')}>
            {() => (
              <ul>
                {found.slice(0, FIRST).map((one) => (
                  <li key={one.name}>
                    <Link
                      to={`/metric-browser?metric=${encodeURIComponent(one.name)}`}
                      aria-current={one.name === picked ? 'true' : undefined}
                    >
                      <span className="mono wrap">{one.name}</span>
                      <span className="dim" lang={HELP_LANGUAGE}>
                        {one.help}
                      </span>
                    </Link>
                  </li>
                ))}
                {found.length > FIRST && (
                  <li className="dim" style={{ padding: 10 }}>
                    {t('{n} more; type to narrow the list', { n: found.length - FIRST })}
                  </li>
                )}
                {found.length === 0 && (
                  <Empty title={t('No metric matches')}>
                    {t('Search for parts of a name or of its description; nothing is listed before the first scrape.')}
                  </Empty>
                )}
              </ul>
            )}
          </Loaded>
        </div>
        <div style={{ minWidth: 0 }}>
          {entry ? (
            <Metric key={entry.name} entry={entry} />
          ) : (
            <div className="surface">
              <Empty title={t('Pick a metric')}>
                {t('You will see what it means, its labels, its graph, and the query that fits it.')}
              </Empty>
            </div>
          )}
        </div>
      </div>
    </Page>
  );
}

function Metric({ entry }: { entry: Entry }) {
  const t = useText();
  const { query } = useLocation();
  const [by, setBy] = useState<string | null>(null);
  const [where, setWhere] = useState<Readonly<Record<string, string>>>({});
  const [choice, setChoice] = useState(0);
  const range = { from: query.get('from') ?? 'now-1h', to: query.get('to') ?? 'now' };
  const now = useNow(30_000, range.from + range.to);
  const span = useMemo(() => resolveRange({ from: range.from, to: range.to }, now), [range.from, range.to, now]);
  const selector = entry.type === 'histogram' ? `{__name__=~"${entry.name}(_count)?"}` : entry.name;
  const series = useQuery({
    queryKey: ['metric-series', entry.name],
    queryFn: ({ signal }) =>
      get<Record<string, string>[]>(
        '/api/v1/series',
        {
          'match[]': entry.type === 'summary' ? `${entry.name}_count` : selector,
          start: span.fromMs / 1000,
          end: span.toMs / 1000,
          limit: 5000,
        },
        signal,
      ),
  });
  const labels = useMemo(() => {
    const values = new Map<string, Map<string, number>>();
    for (const one of series.data ?? [])
      for (const [name, value] of Object.entries(one)) {
        if (name === '__name__') continue;
        const seen = values.get(name) ?? new Map<string, number>();
        seen.set(value, (seen.get(value) ?? 0) + 1);
        values.set(name, seen);
      }
    return [...values.entries()].sort(([a], [b]) => a.localeCompare(b));
  }, [series.data]);
  const native = entry.type === 'histogram' && (series.data?.some((one) => one.__name__ === entry.name) ?? false);
  const options = suggest({ name: entry.name, type: entry.type, unit: entry.unit, native }, where, by ?? undefined);
  const chosen = options[Math.min(choice, options.length - 1)]!;
  const stepMs = stepFor(span, 300, 1000);
  const answer = useQuery({
    queryKey: ['metric-graph', chosen.query, span.fromMs, span.toMs, stepMs],
    queryFn: ({ signal }) => queryRange('', chosen.query, span, stepMs, { signal }),
    placeholderData: keepPreviousData,
  });
  return (
    <Stack gap="md">
      <div className="surface" style={{ padding: 16 }}>
        <Group gap="sm" align="center">
          <Text component="h2" className="mono wrap" fw={650} fz={18} m={0}>
            {entry.name}
          </Text>
          <Badge variant="light" color="gray" style={{ color: 'var(--mantine-color-text)' }}>
            {entry.type}
          </Badge>
          {entry.unit && (
            <Badge variant="outline" color="gray" style={{ color: 'var(--mantine-color-text)' }}>
              {entry.unit}
            </Badge>
          )}
        </Group>
        <Text mt={4} size="sm">
          {entry.help ? (
            <span lang={HELP_LANGUAGE}>{entry.help}</span>
          ) : (
            t('The program that exposes it does not describe it.')
          )}
        </Text>
        <Text mt={4} size="sm" c="dimmed">
          {t(chosen.why)}
        </Text>
      </div>
      <div className="surface" style={{ overflow: 'hidden' }}>
        <Group p={12} gap="sm" justify="space-between">
          <Group gap="sm">
            {options.length > 1 && (
              <SegmentedControl
                size="xs"
                aria-label={t('What to show')}
                value={String(Math.min(choice, options.length - 1))}
                onChange={(value) => setChoice(Number(value))}
                data={options.map((option, index) => ({ value: String(index), label: t(option.title) }))}
              />
            )}
            <Select
              size="xs"
              w={190}
              clearable
              placeholder={t('Split by label')}
              aria-label={t('Split by label')}
              data={labels.map(([name]) => name).filter((name) => name !== 'le')}
              value={by}
              onChange={setBy}
            />
          </Group>
          <TimePicker range={range} onRange={(next) => changeQuery({ from: next.from, to: next.to })} />
        </Group>
        <Group px={12} gap="xs" wrap="nowrap">
          <code className="chip" style={{ flex: 1, padding: '4px 10px' }}>
            {chosen.query}
          </code>
          <Button
            component="a"
            variant="light"
            size="compact-md"
            leftSection={<Icon name="explore" size={15} />}
            {...linkTo(exploreLink([chosen.query], range))}
          >
            {t('Open in Explore')}
          </Button>
        </Group>
        <Loaded of={answer} what={t('The query failed')}>
          {(data) =>
            data.data.columns.length === 0 ? (
              <NoData expr={chosen.query} span={span} />
            ) : (
              <Graph
                data={data.data}
                span={span}
                label={chosen.query}
                unit={chosen.unit}
                height={300}
                onZoom={(zoom) => changeQuery({ from: String(zoom.fromMs), to: String(zoom.toMs) })}
              />
            )
          }
        </Loaded>
        <div style={{ height: 10 }} />
      </div>
      <div className="surface scroll">
        <Table head={[t('Label'), { text: t('Values'), number: true }, t('Most frequent values (click to filter)')]}>
          {labels.map(([name, values]) => (
            <tr key={name}>
              <td className="mono">{name}</td>
              <td className="num">{values.size}</td>
              <td>
                <span className="labels">
                  {[...values.entries()]
                    .sort((a, b) => b[1] - a[1])
                    .slice(0, 12)
                    .map(([value]) => (
                      <button
                        type="button"
                        key={value}
                        className="chip"
                        aria-pressed={where[name] === value}
                        style={{
                          cursor: 'pointer',
                          ...(where[name] === value
                            ? { borderColor: 'var(--mantine-color-anchor)', background: 'var(--info-soft)' }
                            : {}),
                        }}
                        onClick={() => setWhere(toggled(where, name, value))}
                      >
                        {value === '' ? '""' : value}
                      </button>
                    ))}
                </span>
              </td>
            </tr>
          ))}
        </Table>
        {labels.length === 0 && !series.isLoading && (
          <Empty title={t('No labels')}>{t('There are no series of this metric in the chosen range.')}</Empty>
        )}
      </div>
    </Stack>
  );
}

function toggled(where: Readonly<Record<string, string>>, name: string, value: string): Record<string, string> {
  const { [name]: before, ...rest } = where;
  return before === value ? rest : { ...rest, [name]: value };
}
