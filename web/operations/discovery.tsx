// What discovery found: per pool how many targets matched and were dropped, the labels before and after relabeling, and
// every relabeling step of one target. Also the Alertmanagers that were found.

import { Anchor, Button, Drawer, Group, Select, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { get } from '../base/api.ts';
import type { LabelSet } from '../base/prom.ts';
import { changeQuery, Link, useLocation } from '../base/router.tsx';
import { useText } from '../base/text.ts';
import { Empty, Labels, Loaded, Page, State } from '../shell/parts.tsx';
import { Table } from '../shell/table.tsx';
import { SearchField, type TargetsAnswer, useFilter } from './targets.tsx';

type Found = { readonly discovered: LabelSet; readonly labels: LabelSet | undefined };
const FIRST = 50;

function byPool(answer: TargetsAnswer): Map<string, Found[]> {
  const pools = new Map<string, Found[]>();
  const add = (pool: string, found: Found) => {
    const list = pools.get(pool);
    if (list) list.push(found);
    else pools.set(pool, [found]);
  };
  for (const target of answer.activeTargets)
    add(target.scrapePool, { discovered: target.discoveredLabels, labels: target.labels });
  for (const target of answer.droppedTargets)
    add(target.scrapePool ?? target.discoveredLabels.job ?? '', {
      discovered: target.discoveredLabels,
      labels: undefined,
    });
  return pools;
}

export function DiscoveryPage() {
  const t = useText();
  const { query } = useLocation();
  const { matches } = useFilter();
  const pool = query.get('pool') ?? '';
  const [steps, setSteps] = useState<{ pool: string; found: Found } | undefined>();
  const answer = useQuery({
    queryKey: ['discovery'],
    queryFn: ({ signal }) => get<TargetsAnswer>('/api/v1/targets', { state: 'any' }, signal),
    refetchInterval: 15_000,
  });
  const pools = answer.data ? byPool(answer.data) : new Map<string, Found[]>();
  const names = [...pools.keys()].sort();
  return (
    <Page
      title={t('Service discovery')}
      side={
        <Group gap="xs">
          <SearchField />
          <Select
            aria-label={t('Pool')}
            placeholder={t('All pools')}
            clearable
            searchable
            data={names}
            value={pool || null}
            onChange={(value) => changeQuery({ pool: value ?? '' })}
            w={200}
          />
          <Button component={Link} to="/alertmanager-discovery" variant="default">
            Alertmanager
          </Button>
        </Group>
      }
    >
      <Loaded of={answer} what={t('The discovered targets could not be loaded')}>
        {(data) => (
          <>
            {names.length === 0 && (
              <div className="surface">
                <Empty title={t('Nothing was discovered')}>
                  {t(
                    'The configuration has no scrape configurations, or their discovery has not answered yet; the log names the provider that fails.',
                  )}
                </Empty>
              </div>
            )}
            {names
              .filter((name) => pool === '' || name === pool)
              .map((name) => {
                const all = pools.get(name)!;
                const kept = all.filter((found) => found.labels).length;
                const dropped = data.droppedTargetCounts?.[name] ?? all.length - kept;
                const shown = all.filter((found) =>
                  matches(JSON.stringify(found.discovered) + JSON.stringify(found.labels ?? {})),
                );
                return (
                  <section
                    key={name}
                    className="surface"
                    style={{ marginBottom: 14, overflow: 'hidden' }}
                    aria-label={name}
                  >
                    <Group p="10px 14px" gap="sm">
                      <Text component="h2" fw={650} m={0} fz={16}>
                        {name}
                      </Text>
                      <State tone={kept > 0 ? 'good' : 'warn'}>
                        {t('{kept} of {all} kept', { kept, all: kept + dropped })}
                      </State>
                      {dropped > 0 && (
                        <Text size="sm" c="dimmed">
                          {t('{n} dropped by relabeling', { n: dropped })}
                        </Text>
                      )}
                      <Anchor component={Link} to={`/targets?pool=${encodeURIComponent(name)}`} size="sm">
                        {t('Targets')}
                      </Anchor>
                    </Group>
                    <Table label={name} head={[{ text: t('Discovered labels'), width: '55%' }, t('Target labels'), '']}>
                      {shown.slice(0, FIRST).map((found) => (
                        <tr key={JSON.stringify(found)}>
                          <td>
                            <Labels labels={found.discovered} />
                          </td>
                          <td>
                            {found.labels ? (
                              <Labels labels={found.labels} />
                            ) : (
                              <State tone="plain">{t('Dropped')}</State>
                            )}
                          </td>
                          <td>
                            <Button size="compact-sm" variant="default" onClick={() => setSteps({ pool: name, found })}>
                              {t('Steps')}
                            </Button>
                          </td>
                        </tr>
                      ))}
                    </Table>
                    {shown.length > FIRST && (
                      <Text size="sm" c="dimmed" p={10}>
                        {t('{n} more; narrow the list with the search', { n: shown.length - FIRST })}
                      </Text>
                    )}
                  </section>
                );
              })}
          </>
        )}
      </Loaded>
      <Drawer
        opened={steps !== undefined}
        onClose={() => setSteps(undefined)}
        position="right"
        size="xl"
        title={t('Relabeling, step by step')}
        closeButtonProps={{ 'aria-label': t('Close') }}
      >
        {steps && <Steps pool={steps.pool} found={steps.found} />}
      </Drawer>
    </Page>
  );
}

type RelabelStep = {
  readonly rule: Readonly<Record<string, unknown>>;
  readonly output: LabelSet;
  readonly keep: boolean;
};

function Steps({ pool, found }: { pool: string; found: Found }) {
  const t = useText();
  const answer = useQuery({
    queryKey: ['relabel-steps', pool, found.discovered],
    queryFn: ({ signal }) =>
      get<{ steps: readonly RelabelStep[] }>(
        '/api/v1/targets/relabel_steps',
        { scrapePool: pool, labels: JSON.stringify(found.discovered) },
        signal,
      ),
  });
  return (
    <Loaded of={answer} what={t('The relabeling steps could not be loaded')}>
      {({ steps }) => (
        <>
          <Text size="sm" c="dimmed">
            {t('Discovered labels')}
          </Text>
          <Labels labels={found.discovered} />
          {steps.length === 0 && <Empty title={t('This pool has no relabeling rules')} />}
          {steps.map((step, index) => {
            const before = index === 0 ? found.discovered : steps[index - 1]!.output;
            return (
              <div key={index} className="surface" style={{ padding: 12, marginTop: 12 }}>
                <Group justify="space-between" mb={6}>
                  <Text fw={600}>{t('Rule {n}', { n: index + 1 })}</Text>
                  {!step.keep && <State tone="bad">{t('Dropped here')}</State>}
                </Group>
                <pre className="code" style={{ padding: 0 }}>
                  {Object.entries(step.rule)
                    .filter(([, value]) => value !== '' && value !== null)
                    .map(
                      ([name, value]) => `${name}: ${Array.isArray(value) ? `[${value.join(', ')}]` : String(value)}`,
                    )
                    .join('\n')}
                </pre>
                {step.keep && <Changes before={before} after={step.output} />}
              </div>
            );
          })}
        </>
      )}
    </Loaded>
  );
}

function Changes({ before, after }: { before: LabelSet; after: LabelSet }) {
  const t = useText();
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .filter((name) => before[name] !== after[name])
    .sort();
  if (names.length === 0)
    return (
      <Text size="sm" c="dimmed" mt={6}>
        {t('Changes nothing for this target')}
      </Text>
    );
  return (
    <div style={{ marginTop: 6 }}>
      {names.map((name) => (
        <div key={name} className="mono wrap">
          {before[name] !== undefined && (
            <div style={{ color: 'var(--bad)' }}>
              − {name}="{before[name]}"
            </div>
          )}
          {after[name] !== undefined && (
            <div style={{ color: 'var(--good)' }}>
              + {name}="{after[name]}"
            </div>
          )}
        </div>
      ))}
    </div>
  );
}

type Alertmanagers = {
  readonly activeAlertmanagers: readonly { readonly url: string }[];
  readonly droppedAlertmanagers: readonly { readonly url: string }[];
};

export function AlertmanagersPage() {
  const t = useText();
  const answer = useQuery({
    queryKey: ['alertmanagers'],
    queryFn: ({ signal }) => get<Alertmanagers>('/api/v1/alertmanagers', undefined, signal),
  });
  return (
    <Page title={t('Alertmanagers')}>
      <Loaded of={answer}>
        {(data) => (
          <div className="surface scroll">
            {data.activeAlertmanagers.length + data.droppedAlertmanagers.length === 0 && (
              <Empty title={t('No Alertmanager was found')}>
                {t('The configuration names none under alerting.alertmanagers; alerts stay on the Alerts page.')}
              </Empty>
            )}
            <table className="data">
              <tbody>
                {data.activeAlertmanagers.map(({ url }) => (
                  <tr key={url}>
                    <td className="mono wrap">{url}</td>
                    <td>
                      <State tone="good">{t('Active')}</State>
                    </td>
                  </tr>
                ))}
                {data.droppedAlertmanagers.map(({ url }) => (
                  <tr key={`-${url}`}>
                    <td className="mono wrap">{url}</td>
                    <td>
                      <State tone="plain">{t('Dropped')}</State>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Loaded>
    </Page>
  );
}
