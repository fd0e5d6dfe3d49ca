// What the server is busy with: queries that run and those that cost most, groups that were pushed, and its shards.

import { Anchor, Button, Group, Text } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { formatText } from '../../src/view/units.ts';
import { get, plain } from '../base/api.ts';
import { useNow } from '../base/clock.ts';
import { type LabelSet, queryInstant, type Row } from '../base/prom.ts';
import { Link } from '../base/router.tsx';
import { useText } from '../base/text.ts';
import { formatAgo, formatInstant } from '../base/time.ts';
import { exploreLink } from '../explore/state.ts';
import { Card, Empty, Failure, Labels, Loaded, Page, State } from '../shell/parts.tsx';
import { Table } from '../shell/table.tsx';

type ActiveQuery = {
  readonly id: number;
  readonly query: string;
  readonly since?: number | string;
  readonly running?: boolean;
  readonly origin?: string;
};
type TopQuery = {
  readonly query: string;
  readonly count: number;
  readonly totalMs: number;
  readonly maxMs: number;
  readonly samples?: number;
};
type QueryLoad = { readonly active: readonly ActiveQuery[]; readonly top: readonly TopQuery[] };

export function QueriesPage() {
  const t = useText();
  const now = useNow(1000);
  const cancel = useMutation({
    mutationFn: (id: number) => plain(`/api/v1/status/queries/${id}/cancel`, { method: 'POST' }),
  });
  const answer = useQuery({
    queryKey: ['query-load'],
    queryFn: ({ signal }) => get<QueryLoad>('/api/v1/status/queries', undefined, signal),
    refetchInterval: 2000,
    retry: false,
  });
  return (
    <Page title={t('Queries')}>
      {cancel.error && <Failure error={cancel.error} what={t('The query could not be cancelled')} />}
      <Loaded of={answer} what={t('The list of queries could not be loaded')}>
        {({ active, top }) => (
          <>
            <Heading>{t('Running now')}</Heading>
            <div className="surface scroll" style={{ marginBottom: 18 }}>
              {active.length === 0 ? (
                <Empty title={t('No query is running')}>
                  {t('Queries appear here while they run; those that have ended are below.')}
                </Empty>
              ) : (
                <Table head={[t('Query'), { text: t('Running for'), number: true }, '']}>
                  {active.map((one) => (
                    <tr key={one.id}>
                      <QueryCell query={one.query} />
                      <td className="num">
                        {one.since === undefined
                          ? '–'
                          : formatAgo(typeof one.since === 'number' ? one.since : Date.parse(one.since), now)}
                      </td>
                      <td>
                        <Button size="compact-sm" variant="default" onClick={() => cancel.mutate(one.id)}>
                          {t('Cancel')}
                        </Button>
                      </td>
                    </tr>
                  ))}
                </Table>
              )}
            </div>
            <Heading>{t('Most expensive since the start')}</Heading>
            <div className="surface scroll">
              {top.length === 0 ? (
                <Empty title={t('No query has run yet')} />
              ) : (
                <Table
                  head={[
                    t('Query'),
                    { text: t('Times'), number: true },
                    { text: t('Total time'), number: true },
                    { text: t('Longest'), number: true },
                    { text: t('Samples'), number: true },
                  ]}
                >
                  {top.map((one) => (
                    <tr key={one.query}>
                      <QueryCell query={one.query} />
                      <td className="num">{one.count}</td>
                      <td className="num">{formatText(one.totalMs, 'ms')}</td>
                      <td className="num">{formatText(one.maxMs, 'ms')}</td>
                      <td className="num">{one.samples?.toLocaleString() ?? '–'}</td>
                    </tr>
                  ))}
                </Table>
              )}
            </div>
          </>
        )}
      </Loaded>
    </Page>
  );
}

function Heading({ children }: { children: string }) {
  return (
    <Text component="h2" fw={650} fz={16} mb={8}>
      {children}
    </Text>
  );
}

function QueryCell({ query }: { query: string }) {
  return (
    <td className="mono wrap">
      <Anchor component={Link} to={exploreLink([query])} inherit>
        {query}
      </Anchor>
    </td>
  );
}

type PushFamily = {
  readonly type?: string;
  readonly time_stamp?: string;
  readonly metrics?: readonly { readonly value?: string; readonly labels?: LabelSet }[];
};
type PushGroup = {
  readonly labels: LabelSet;
  readonly last_push_successful?: boolean;
  readonly push_time_seconds?: PushFamily;
  readonly [family: string]: unknown;
};

export function PushGroupsPage() {
  const t = useText();
  const now = useNow(5000);
  const client = useQueryClient();
  const answer = useQuery({
    queryKey: ['push-groups'],
    queryFn: async () => (await plain<{ data: readonly PushGroup[] }>('/push/api/v1/metrics')).data ?? [],
    refetchInterval: 10_000,
    retry: false,
  });
  const remove = useMutation({
    mutationFn: (labels: LabelSet) => plain(groupPath(labels), { method: 'DELETE' }),
    onSuccess: () => client.invalidateQueries({ queryKey: ['push-groups'] }),
  });
  return (
    <Page title={t('Push groups')}>
      {remove.error && <Failure error={remove.error} what={t('The group could not be deleted')} />}
      <Loaded of={answer} what={t('The pushed groups could not be loaded')}>
        {(groups) => (
          <>
            {groups.length === 0 && (
              <div className="surface">
                <Empty title={t('Nothing was pushed yet')}>
                  <code className="chip">
                    echo "jobs_done 1" | curl --data-binary @- {window.location.origin}/push/metrics/job/demo
                  </code>
                </Empty>
              </div>
            )}
            {groups.map((group) => {
              const families = Object.entries(group).filter(
                ([name, value]) =>
                  name !== 'labels' && typeof value === 'object' && value !== null && 'metrics' in value,
              ) as [string, PushFamily][];
              const pushed = Number(group.push_time_seconds?.metrics?.[0]?.value ?? Number.NaN) * 1000;
              return (
                <section key={JSON.stringify(group.labels)} className="surface" style={{ marginBottom: 14 }}>
                  <Group p="10px 14px" justify="space-between">
                    <Group gap="sm">
                      <Labels labels={group.labels} />
                      {group.last_push_successful !== undefined && (
                        <State tone={group.last_push_successful ? 'good' : 'bad'}>
                          {group.last_push_successful ? t('Last push succeeded') : t('Last push failed')}
                        </State>
                      )}
                      <Text size="sm" c="dimmed">
                        {t('pushed {ago} ago', { ago: formatAgo(pushed, now) })} · {formatInstant(pushed)}
                      </Text>
                    </Group>
                    <Button size="compact-sm" variant="default" onClick={() => remove.mutate(group.labels)}>
                      {t('Delete group')}
                    </Button>
                  </Group>
                  <div className="scroll">
                    <table className="data">
                      <tbody>
                        {families.map(([name, family]) => (
                          <tr key={name}>
                            <td className="mono">{name}</td>
                            <td className="dim">{family.type}</td>
                            <td className="mono">
                              {family.metrics
                                ?.slice(0, 5)
                                .map((metric) => metric.value)
                                .join(', ')}
                            </td>
                          </tr>
                        ))}
                      </tbody>
                    </table>
                  </div>
                </section>
              );
            })}
          </>
        )}
      </Loaded>
    </Page>
  );
}

/** Grouping labels in a path; values that a path cannot hold go as base64. */
function groupPath(labels: LabelSet): string {
  const { job = '', ...rest } = labels;
  const part = (name: string, value: string) => {
    if (value !== '' && !value.includes('/')) return `/${name}/${encodeURIComponent(value)}`;
    const bytes = new TextEncoder().encode(value);
    const base64 =
      btoa(String.fromCharCode(...bytes))
        .replaceAll('+', '-')
        .replaceAll('/', '_') || '=';
    return `/${name}@base64/${base64}`;
  };
  return `/push/metrics${part('job', job)}${Object.entries(rest)
    .map(([name, value]) => part(name, value))
    .join('')}`;
}

const SHARD_METRICS =
  '{__name__=~"pharos_shard_.+|prometheus_tsdb_head_series|prometheus_tsdb_head_chunks|process_resident_memory_bytes", shard!=""}';

type ShardState = { readonly shard: number; readonly up: boolean; readonly restarts: number };

export function ShardsPage() {
  const t = useText();
  const states = useQuery({
    queryKey: ['shard-states'],
    queryFn: async ({ signal }) =>
      (await get<{ shards?: readonly ShardState[] }>('/api/v1/status/runtimeinfo', undefined, signal)).shards ?? [],
    refetchInterval: 5000,
  });
  const answer = useQuery({
    queryKey: ['shards'],
    queryFn: ({ signal }) => queryInstant('', SHARD_METRICS, undefined, { signal }),
    refetchInterval: 10_000,
  });
  return (
    <Page title={t('Shards')}>
      {states.data && states.data.length > 0 && (
        <div className="cards" style={{ marginBottom: 16 }}>
          {states.data.map((one) => (
            <Card
              key={one.shard}
              what={t('Shard {n}', { n: one.shard })}
              value={<State tone={one.up ? 'good' : 'bad'}>{one.up ? t('Up') : t('Down')}</State>}
              note={t('restarted {n} times', { n: one.restarts })}
            />
          ))}
        </div>
      )}
      <Loaded of={answer} what={t('The shards could not be loaded')}>
        {({ data }) => {
          const shards = [...new Set(data.rows.map((row) => row.labels.shard ?? ''))].sort((a, b) =>
            a.localeCompare(b, undefined, { numeric: true }),
          );
          const names = [...new Set(data.rows.map((row) => row.labels.__name__ ?? ''))].sort();
          if (shards.length === 0) {
            return (
              <div className="surface">
                <Empty title={t('No metric is kept per shard')}>
                  {t(
                    'The server scrapes its own metrics into these tables; either it runs as one piece, or it does not scrape itself.',
                  )}
                </Empty>
              </div>
            );
          }
          return (
            <div className="surface scroll">
              <Table
                head={[t('Metric'), ...shards.map((shard) => ({ text: t('Shard {n}', { n: shard }), number: true }))]}
              >
                {names.map((name) => (
                  <tr key={name}>
                    <td className="mono">{name}</td>
                    {shards.map((shard) => (
                      <td key={shard} className="num">
                        {cellOf(data.rows, name, shard)}
                      </td>
                    ))}
                  </tr>
                ))}
              </Table>
            </div>
          );
        }}
      </Loaded>
    </Page>
  );
}

function cellOf(rows: readonly Row[], name: string, shard: string): string {
  const found = rows.filter((row) => row.labels.__name__ === name && row.labels.shard === shard);
  if (found.length === 0) return '–';
  const total = found.reduce((sum, row) => sum + Number(row.value), 0);
  return formatText(total, /_bytes/.test(name) ? 'bytes' : /_seconds/.test(name) ? 's' : 'short');
}
