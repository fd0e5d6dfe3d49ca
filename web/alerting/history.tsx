// When alerts fired: a line per alert over the range, from the ALERTS series that rules write, with the episodes as a
// table. Needs nothing but the query API, so it works on whatever the storage still holds.

import { Group, Text, useComputedColorScheme } from '@mantine/core';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { useNow } from '../base/clock.ts';
import { type Columns, type LabelSet, queryRange, seriesName } from '../base/prom.ts';
import { changeQuery, useLocation } from '../base/router.tsx';
import { useText } from '../base/text.ts';
import { formatDuration, formatInstant, resolveRange, stepFor } from '../base/time.ts';
import { Timeline, type TimelineRow } from '../chart/timeline.tsx';
import { SearchField, useFilter } from '../operations/targets.tsx';
import { Empty, Labels, Loaded, Page, State } from '../shell/parts.tsx';
import { Table } from '../shell/table.tsx';
import { absolute, TimePicker } from '../shell/timepicker.tsx';
import { Notifications } from './notifications.tsx';

type Episode = {
  readonly labels: LabelSet;
  readonly state: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly open: boolean;
};

export function HistoryPage() {
  const t = useText();
  const { query } = useLocation();
  const { matches, text } = useFilter();
  const dark = useComputedColorScheme('light') === 'dark';
  const range = useMemo(() => ({ from: query.get('from') ?? 'now-24h', to: query.get('to') ?? 'now' }), [query]);
  const now = useNow(60_000, range);
  const span = useMemo(() => resolveRange(range, now), [range, now]);
  const stepMs = stepFor(span, 1000, 15_000);
  const answer = useQuery({
    queryKey: ['alert-history', span.fromMs, span.toMs, stepMs],
    queryFn: ({ signal }) => queryRange('', 'ALERTS', span, stepMs, { signal }),
    placeholderData: keepPreviousData,
  });
  return (
    <Page
      title={t('History')}
      side={
        <Group gap="xs">
          <SearchField />
          <TimePicker range={range} onRange={(next) => changeQuery({ from: next.from, to: next.to })} />
        </Group>
      }
    >
      <Loaded of={answer} what={t('The history could not be loaded')}>
        {({ data }) => {
          const shown = { ...data, columns: data.columns.filter((column) => matches(seriesName(column.labels))) };
          const episodes = episodesOf(shown, stepMs);
          const rows = timelineRows(shown, dark);
          if (rows.length === 0) {
            return (
              <div className="surface">
                <Empty title={t('No alert fired in this range')}>
                  {t(
                    'Widen the range, or change the search. Alerts are found here only when this server evaluates the rules.',
                  )}
                </Empty>
              </div>
            );
          }
          return (
            <>
              <div className="surface" style={{ padding: 14, marginBottom: 14 }}>
                <Timeline times={shown.times} rows={rows.slice(0, 60)} onZoom={(zoom) => changeQuery(absolute(zoom))} />
              </div>
              <div className="surface scroll">
                <Table head={[t('State'), t('Labels'), t('From'), t('To'), { text: t('Length'), number: true }]}>
                  {episodes.slice(0, 500).map((episode) => (
                    <tr key={JSON.stringify(episode)}>
                      <td>
                        <State tone={episode.state === 'firing' ? 'bad' : 'warn'}>
                          {episode.state === 'firing' ? t('Firing') : t('Pending')}
                        </State>
                      </td>
                      <td>
                        <Labels labels={episode.labels} />
                      </td>
                      <td style={{ whiteSpace: 'nowrap' }}>{formatInstant(episode.fromMs)}</td>
                      <td style={{ whiteSpace: 'nowrap' }}>
                        {episode.open ? t('still') : formatInstant(episode.toMs)}
                      </td>
                      <td className="num">
                        {formatDuration(Math.round((episode.toMs - episode.fromMs) / 1000) * 1000)}
                      </td>
                    </tr>
                  ))}
                </Table>
                {episodes.length > 500 && (
                  <Text size="sm" c="dimmed" p={10}>
                    {t('{n} more; narrow the list with the search', { n: episodes.length - 500 })}
                  </Text>
                )}
              </div>
            </>
          );
        }}
      </Loaded>
      <Notifications search={text} />
    </Page>
  );
}

function withoutState(labels: LabelSet): LabelSet {
  const { __name__: _name, alertstate: _state, ...rest } = labels;
  return rest;
}

/** Stretches of consecutive samples; a gap of more than two steps ends one. */
export function episodesOf(data: Columns, stepMs: number): Episode[] {
  const found: Episode[] = [];
  const end = (data.times.at(-1) ?? 0) * 1000;
  for (const column of data.columns) {
    let from: number | undefined;
    let last = 0;
    const close = () => {
      if (from !== undefined)
        found.push({
          labels: withoutState(column.labels),
          state: column.labels.alertstate ?? '',
          fromMs: from,
          toMs: last,
          open: end - last < stepMs,
        });
      from = undefined;
    };
    column.values.forEach((value, index) => {
      const at = data.times[index]! * 1000;
      if (value === null) return;
      if (from !== undefined && at - last > 2 * stepMs) close();
      from ??= at;
      last = at;
    });
    close();
  }
  return found.sort((a, b) => b.fromMs - a.fromMs);
}

function timelineRows(data: Columns, dark: boolean): TimelineRow[] {
  const byAlert = new Map<string, (string | null)[]>();
  for (const column of data.columns) {
    const { alertname = '', ...rest } = withoutState(column.labels);
    const name = `${alertname} ${Object.keys(rest).length > 0 ? seriesName(rest) : ''}`.trim();
    const row = byAlert.get(name) ?? new Array<string | null>(data.times.length).fill(null);
    column.values.forEach((value, index) => {
      if (value !== null && row[index] !== 'firing') row[index] = column.labels.alertstate ?? null;
    });
    byAlert.set(name, row);
  }
  const colors: Record<string, string> = {
    firing: dark ? '#ff8078' : '#c62a2f',
    pending: dark ? '#f0b24a' : '#c98a1b',
  };
  return [...byAlert.entries()].map(([name, values]) => ({
    name,
    cells: values.map((value) => (value === null ? null : { text: value, color: colors[value] ?? '#888' })),
  }));
}
