// The storage: the head, its blocks, and where the series come from: metric names, labels, pairs, memory.

import { Anchor, Group, Select, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { formatText } from '../../src/view/units.ts';
import { get } from '../base/api.ts';
import { queryInstant } from '../base/prom.ts';
import { changeQuery, Link, useLocation } from '../base/router.tsx';
import { useText } from '../base/text.ts';
import { formatDuration, formatInstant } from '../base/time.ts';
import { exploreLink } from '../explore/state.ts';
import { Card, Empty, Loaded, Page } from '../shell/parts.tsx';
import { Table } from '../shell/table.tsx';

type Pair = { readonly name: string; readonly value: number };
type TsdbStatus = {
  readonly headStats: {
    readonly numSeries: number;
    readonly numLabelPairs: number;
    readonly chunkCount: number;
    readonly minTime: number;
    readonly maxTime: number;
  };
  readonly seriesCountByMetricName: readonly Pair[];
  readonly labelValueCountByLabelName: readonly Pair[];
  readonly memoryInBytesByLabelName: readonly Pair[];
  readonly seriesCountByLabelValuePair: readonly Pair[];
};
type Block = {
  readonly ulid: string;
  readonly minTime: number;
  readonly maxTime: number;
  readonly stats?: { readonly numSamples?: number; readonly numSeries?: number; readonly numChunks?: number };
  readonly compaction?: { readonly level?: number };
};

const status = (limit: number) => ({
  queryKey: ['tsdb', limit],
  queryFn: ({ signal }: { signal: AbortSignal }) => get<TsdbStatus>('/api/v1/status/tsdb', { limit }, signal),
});

export function StoragePage() {
  const t = useText();
  const answer = useQuery(status(10));
  const blocks = useQuery({
    queryKey: ['tsdb-blocks'],
    queryFn: ({ signal }) => get<{ blocks: readonly Block[] }>('/api/v1/status/tsdb/blocks', undefined, signal),
    retry: false,
  });
  return (
    <Page title={t('Storage')}>
      <Loaded of={answer} what={t('The state of the storage could not be loaded')}>
        {({ headStats: head }) => (
          <div className="cards" style={{ marginBottom: 18 }}>
            <Card what={t('Series in the head')} value={head.numSeries.toLocaleString()} />
            <Card what={t('Chunks in the head')} value={head.chunkCount.toLocaleString()} />
            <Card what={t('Label pairs')} value={head.numLabelPairs.toLocaleString()} />
            <Card
              what={t('Head covers')}
              value={
                head.maxTime > head.minTime
                  ? formatDuration(Math.round((head.maxTime - head.minTime) / 60_000) * 60_000)
                  : '–'
              }
              note={
                head.maxTime > head.minTime
                  ? `${formatInstant(head.minTime)} → ${formatInstant(head.maxTime)}`
                  : undefined
              }
            />
          </div>
        )}
      </Loaded>
      <Text component="h2" fw={650} fz={16} mb={8}>
        {t('Blocks on disk')}
      </Text>
      {blocks.error ? (
        <div className="surface">
          <Empty title={t('This server does not list its blocks')}>{blocks.error.message}</Empty>
        </div>
      ) : (
        <Loaded of={blocks}>
          {({ blocks: list }) => (
            <div className="surface scroll">
              {list.length === 0 ? (
                <Empty title={t('No block yet')}>{t('The head is written as a block every two hours.')}</Empty>
              ) : (
                <Table
                  head={[
                    'ULID',
                    t('From'),
                    t('Length'),
                    { text: t('Series'), number: true },
                    { text: t('Samples'), number: true },
                    { text: t('Chunks'), number: true },
                    { text: t('Level'), number: true },
                  ]}
                >
                  {[...list]
                    .sort((a, b) => b.minTime - a.minTime)
                    .map((block) => (
                      <tr key={block.ulid}>
                        <td className="mono">{block.ulid}</td>
                        <td>{formatInstant(block.minTime)}</td>
                        <td>{formatDuration(block.maxTime - block.minTime)}</td>
                        <td className="num">{block.stats?.numSeries?.toLocaleString()}</td>
                        <td className="num">{block.stats?.numSamples?.toLocaleString()}</td>
                        <td className="num">{block.stats?.numChunks?.toLocaleString()}</td>
                        <td className="num">{block.compaction?.level}</td>
                      </tr>
                    ))}
                </Table>
              )}
            </div>
          )}
        </Loaded>
      )}
    </Page>
  );
}

export function CardinalityPage() {
  const t = useText();
  const { query } = useLocation();
  const limit = Number(query.get('limit') ?? 20);
  const answer = useQuery(status(limit));
  const churn = useQuery({
    queryKey: ['churn'],
    queryFn: ({ signal }) =>
      queryInstant('', 'topk(15, sum by (job) (increase(scrape_series_added[1h])))', undefined, { signal }),
  });
  return (
    <Page
      title={t('Cardinality')}
      side={
        <Select
          aria-label={t('How many')}
          data={['10', '20', '50', '100']}
          value={String(limit)}
          onChange={(value) => changeQuery({ limit: value ?? undefined })}
          w={90}
          allowDeselect={false}
        />
      }
    >
      <Loaded of={answer} what={t('The state of the storage could not be loaded')}>
        {(data) => (
          <div
            style={{ display: 'grid', gap: 14, gridTemplateColumns: 'repeat(auto-fit, minmax(min(100%, 430px), 1fr))' }}
          >
            <Ranking
              title={t('Metrics with most series')}
              pairs={data.seriesCountByMetricName}
              total={data.headStats.numSeries}
              link={(name) => exploreLink([`count by (job) ({__name__=${JSON.stringify(name)}})`], undefined, 'table')}
            />
            <Ranking
              title={t('Labels with most values')}
              pairs={data.labelValueCountByLabelName}
              link={(name) => exploreLink([`topk(20, count by (${name}) ({${name}!=""}))`], undefined, 'table')}
            />
            <Ranking
              title={t('Label pairs with most series')}
              pairs={data.seriesCountByLabelValuePair}
              total={data.headStats.numSeries}
              link={(name) => pairLink(name)}
            />
            <Ranking title={t('Memory by label')} pairs={data.memoryInBytesByLabelName} unit="bytes" />
            {churn.data && (
              <Ranking
                title={t('Series added within the last hour, by job')}
                pairs={churn.data.data.rows
                  .map((row) => ({ name: row.labels.job ?? '', value: Math.round(Number(row.value)) }))
                  .sort((a, b) => b.value - a.value)}
              />
            )}
          </div>
        )}
      </Loaded>
    </Page>
  );
}

function pairLink(pair: string): string {
  const at = pair.indexOf('=');
  return exploreLink(
    [`topk(20, count by (__name__) ({${pair.slice(0, at)}=${JSON.stringify(pair.slice(at + 1))}}))`],
    undefined,
    'table',
  );
}

function Ranking({
  title,
  pairs,
  total,
  unit,
  link,
}: {
  title: string;
  pairs: readonly Pair[];
  total?: number;
  unit?: string;
  link?: (name: string) => string;
}) {
  const t = useText();
  const most = Math.max(1, ...pairs.map((pair) => pair.value));
  return (
    <section className="surface" style={{ padding: 14 }} aria-label={title}>
      <Text component="h2" fw={650} fz={15} mb={8}>
        {title}
      </Text>
      {pairs.length === 0 && <Empty title={t('Nothing to show yet')} />}
      {pairs.map((pair) => (
        <div key={pair.name} style={{ marginBottom: 7 }}>
          <Group justify="space-between" gap="sm" wrap="nowrap">
            <span className="mono wrap" style={{ minWidth: 0 }}>
              {link ? (
                <Anchor component={Link} to={link(pair.name)} size="sm" inherit>
                  {pair.name}
                </Anchor>
              ) : (
                pair.name
              )}
            </span>
            <span className="num" style={{ fontSize: 13 }}>
              {unit ? formatText(pair.value, unit) : pair.value.toLocaleString()}
              {total ? <span className="dim"> · {((100 * pair.value) / total).toFixed(1)}%</span> : null}
            </span>
          </Group>
          <div className="bar">
            <span style={{ width: `${(100 * pair.value) / most}%` }} />
          </div>
        </div>
      ))}
    </section>
  );
}
