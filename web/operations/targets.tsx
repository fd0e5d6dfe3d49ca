// What is scraped: per pool, each target with its health, last error, when and how long it was last scraped. The state in
// the address: filter by words, pool and health.

import { Anchor, Group, SegmentedControl, Select, Text, Tooltip } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { get } from '../base/api.ts';
import { useNow } from '../base/clock.ts';
import type { LabelSet } from '../base/prom.ts';
import { changeQuery, Link, useLocation } from '../base/router.tsx';
import { useText } from '../base/text.ts';
import { formatAgo, formatInstant } from '../base/time.ts';
import { exploreLink } from '../explore/state.ts';
import { Card, Empty, Labels, Loaded, Page, State, type Tone } from '../shell/parts.tsx';
import { Table } from '../shell/table.tsx';

export type Target = {
  readonly discoveredLabels: LabelSet;
  readonly labels: LabelSet;
  readonly scrapePool: string;
  readonly scrapeUrl: string;
  readonly lastError: string;
  readonly lastScrape: string;
  readonly lastScrapeDuration: number;
  readonly health: 'up' | 'down' | 'unknown';
  readonly scrapeInterval?: string;
  readonly scrapeTimeout?: string;
};
export type TargetsAnswer = {
  readonly activeTargets: readonly Target[];
  readonly droppedTargets: readonly { readonly discoveredLabels: LabelSet; readonly scrapePool?: string }[];
  readonly droppedTargetCounts?: Readonly<Record<string, number>>;
};

const TONES: Record<Target['health'], Tone> = { up: 'good', down: 'bad', unknown: 'plain' };
const REFRESH_MS = 5000;

export function useFilter(): { words: string[]; matches: (text: string) => boolean; text: string } {
  const { query } = useLocation();
  const text = query.get('search') ?? '';
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return { text, words, matches: (content) => words.every((word) => content.toLowerCase().includes(word)) };
}

export function SearchField({ width = 260 }: { width?: number }) {
  const t = useText();
  const { text } = useFilter();
  return (
    <input
      className="field"
      type="search"
      style={{ width }}
      placeholder={t('Search')}
      aria-label={t('Search')}
      value={text}
      onChange={(event) => changeQuery({ search: event.currentTarget.value }, { replace: true })}
    />
  );
}

export function TargetsPage() {
  const t = useText();
  const { query } = useLocation();
  const { matches } = useFilter();
  const now = useNow(1000);
  const health = query.get('health') ?? '';
  const pool = query.get('pool') ?? query.get('scrapePool') ?? '';
  const answer = useQuery({
    queryKey: ['targets'],
    queryFn: ({ signal }) => get<TargetsAnswer>('/api/v1/targets', { state: 'active' }, signal),
    refetchInterval: REFRESH_MS,
  });
  const all = answer.data?.activeTargets ?? [];
  const pools = [...new Set(all.map((target) => target.scrapePool))].sort();
  const shown = all.filter(
    (target) =>
      (health === '' || target.health === health) &&
      (pool === '' || target.scrapePool === pool) &&
      matches(
        `${target.scrapeUrl} ${target.lastError} ${Object.entries(target.labels)
          .map((pair) => pair.join('='))
          .join(' ')}`,
      ),
  );
  const count = (state: string) => all.filter((target) => target.health === state).length;
  return (
    <Page
      title={t('Targets')}
      side={
        <Group gap="xs">
          <SearchField />
          <Select
            aria-label={t('Pool')}
            placeholder={t('All pools')}
            clearable
            searchable
            data={pools}
            value={pool || null}
            onChange={(value) => changeQuery({ pool: value ?? '', scrapePool: undefined })}
            w={180}
          />
          <SegmentedControl
            aria-label={t('Health')}
            value={health}
            onChange={(value) => changeQuery({ health: value })}
            data={[
              { value: '', label: t('All') },
              { value: 'up', label: `${t('Up')} ${count('up')}` },
              { value: 'down', label: `${t('Down')} ${count('down')}` },
              { value: 'unknown', label: `${t('Unknown')} ${count('unknown')}` },
            ]}
          />
        </Group>
      }
    >
      <Loaded of={answer} what={t('The targets could not be loaded')}>
        {() => (
          <>
            <div className="cards" style={{ marginBottom: 16 }}>
              <Card what={t('Targets')} value={all.length} />
              <Card what={t('Up')} value={<span style={{ color: 'var(--good)' }}>{count('up')}</span>} />
              <Card
                what={t('Down')}
                value={<span style={count('down') > 0 ? { color: 'var(--bad)' } : undefined}>{count('down')}</span>}
              />
              <Card what={t('Pools')} value={pools.length} />
            </div>
            {pools
              .filter((name) => shown.some((target) => target.scrapePool === name))
              .map((name) => (
                <Pool
                  key={name}
                  name={name}
                  targets={shown.filter((target) => target.scrapePool === name)}
                  all={all.filter((target) => target.scrapePool === name)}
                  nowMs={now}
                />
              ))}
            {shown.length === 0 && (
              <div className="surface">
                <Empty title={all.length === 0 ? t('Nothing is scraped') : t('No target matches the filter')}>
                  {all.length === 0
                    ? t(
                        'No scrape configuration yields a target. Look at Service discovery to see what was found and dropped.',
                      )
                    : t('Change the search, the pool or the health above.')}
                </Empty>
              </div>
            )}
          </>
        )}
      </Loaded>
    </Page>
  );
}

const FIRST = 100;

function Pool({
  name,
  targets,
  all,
  nowMs,
}: {
  name: string;
  targets: readonly Target[];
  all: readonly Target[];
  nowMs: number;
}) {
  const t = useText();
  const up = all.filter((target) => target.health === 'up').length;
  const down = all.filter((target) => target.health === 'down').length;
  return (
    <section className="surface" style={{ marginBottom: 14, overflow: 'hidden' }} aria-label={name}>
      <Group p="10px 14px" gap="sm">
        <Text component="h2" fw={650} m={0} fz={16}>
          {name}
        </Text>
        <State tone={down === 0 ? (up === all.length ? 'good' : 'plain') : down === all.length ? 'bad' : 'warn'}>
          {t('{up} of {all} up', { up, all: all.length })}
        </State>
        <Anchor component={Link} to={`/service-discovery?pool=${encodeURIComponent(name)}`} size="sm">
          {t('Discovery')}
        </Anchor>
      </Group>
      <Table
        label={name}
        head={[
          { text: t('Endpoint'), width: '34%' },
          { text: t('Health'), width: 92 },
          t('Labels'),
          { text: t('Last scrape'), number: true, width: 104 },
          { text: t('Duration'), number: true, width: 96 },
          { text: t('Interval'), width: 84 },
          { text: '', width: 76 },
        ]}
        aligned
        minWidth={820}
      >
        {targets.slice(0, FIRST).map((target) => (
          <tr key={target.scrapeUrl + JSON.stringify(target.labels)}>
            <td className="wrap" style={{ minWidth: 200 }}>
              <Anchor href={target.scrapeUrl} target="_blank" rel="noreferrer" size="sm">
                {target.scrapeUrl}
              </Anchor>
              {target.lastError && (
                <Text size="sm" className="wrap" style={{ color: 'var(--bad)' }} mt={2}>
                  {target.lastError}
                </Text>
              )}
            </td>
            <td>
              <State tone={TONES[target.health]}>
                {target.health === 'up' ? t('Up') : target.health === 'down' ? t('Down') : t('Unknown')}
              </State>
            </td>
            <td>
              <Labels labels={target.labels} />
            </td>
            <td className="num">
              <Tooltip label={formatInstant(Date.parse(target.lastScrape))}>
                <span>
                  {target.lastScrape.startsWith('0001') ? t('never') : formatAgo(Date.parse(target.lastScrape), nowMs)}
                </span>
              </Tooltip>
            </td>
            <td className="num">{(target.lastScrapeDuration * 1000).toFixed(1)} ms</td>
            <td>{target.scrapeInterval}</td>
            <td style={{ whiteSpace: 'nowrap' }}>
              <Anchor
                component={Link}
                size="sm"
                to={exploreLink([
                  `scrape_samples_scraped{job=${JSON.stringify(target.labels.job ?? '')}, instance=${JSON.stringify(target.labels.instance ?? '')}}`,
                ])}
              >
                {t('Series')}
              </Anchor>
            </td>
          </tr>
        ))}
      </Table>
      {targets.length > FIRST && (
        <Text size="sm" c="dimmed" p={10}>
          {t('{n} more; narrow the list with the search', { n: targets.length - FIRST })}
        </Text>
      )}
    </section>
  );
}
