// Where an alert would go: for any labels, the routes that take it, their receivers, what keeps it quiet, and the message
// as it would read.

import { Button, Group, Text, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { ALERTMANAGER, plain } from '../base/api.ts';
import { changeQuery, Link, useLocation } from '../base/router.tsx';
import { useText } from '../base/text.ts';
import { formatDuration } from '../base/time.ts';
import { Empty, Loaded, Page, State } from '../shell/parts.tsx';
import { MatcherField } from './groups.tsx';
import { readMatchers } from './types.ts';

type DryRun = {
  readonly inhibition?: unknown;
  readonly silences: readonly string[];
  readonly routes: readonly {
    readonly receiver: string;
    readonly integrations: readonly string[];
    readonly route: string;
    readonly groupKey: string;
    readonly groupWaitMs: number;
    readonly mutedBy: readonly string[];
    readonly resolvedAtOnce: boolean;
    readonly onlyChanged: boolean;
    readonly subject: string;
    readonly message: string;
  }[];
};

export function RouteTesterPage() {
  const t = useText();
  const { query } = useLocation();
  const labelText = query.get('labels') ?? '';
  const [summary, setSummary] = useState(query.get('summary') ?? '');
  const labels = Object.fromEntries((readMatchers(labelText) ?? []).map(({ name, value }) => [name, value]));
  const given = query.get('summary') ?? '';
  const answer = useQuery({
    queryKey: ['dry-run', labels, given],
    enabled: Object.keys(labels).length > 0,
    queryFn: ({ signal }) =>
      plain<DryRun | readonly never[]>(`${ALERTMANAGER}/dry-run`, {
        method: 'POST',
        body: { labels, annotations: given ? { summary: given } : {} },
        signal,
      }),
  });
  return (
    <Page title={t('Route tester')}>
      <Text size="sm" c="dimmed" mb="sm">
        {t(
          'Give the labels of an alert and see which routes take it, who is notified, and what the message says. Nothing is sent.',
        )}
      </Text>
      <Group align="flex-start" mb="md" gap="sm">
        <MatcherField
          value={labelText}
          onChange={(value) => changeQuery({ labels: value })}
          label={t('Labels of the alert')}
        />
        <TextInput
          aria-label={t('Summary')}
          placeholder={t('Summary')}
          value={summary}
          onChange={(e) => setSummary(e.currentTarget.value)}
          onBlur={() => changeQuery({ summary })}
          w={260}
        />
        <Button onClick={() => changeQuery({ summary })}>{t('Test')}</Button>
      </Group>
      {Object.keys(labels).length === 0 ? (
        <div className="surface">
          <Empty title={t('No labels yet')}>alertname="Test", severity="critical"</Empty>
        </div>
      ) : (
        <Loaded of={answer} what={t('The route could not be tested')}>
          {(found) => <Outcome found={'routes' in found ? found : { silences: [], routes: [] }} />}
        </Loaded>
      )}
    </Page>
  );
}

function Outcome({ found }: { found: DryRun }) {
  const t = useText();
  const inhibited =
    found.inhibition !== undefined &&
    found.inhibition !== null &&
    found.inhibition !== false &&
    !(Array.isArray(found.inhibition) && found.inhibition.length === 0);
  return (
    <>
      <Group gap="sm" mb="sm">
        {inhibited && <State tone="warn">{t('Inhibited')}</State>}
        {found.silences.map((id) => (
          <Link key={id} to={`/silences?id=${id}`}>
            {t('silenced by {id}', { id: id.slice(0, 8) })}
          </Link>
        ))}
      </Group>
      {found.routes.length === 0 && (
        <div className="surface">
          <Empty title={t('No route takes this alert')} />
        </div>
      )}
      {found.routes.map((route) => (
        <section
          key={route.route + route.receiver}
          className="surface"
          style={{ padding: 14, marginBottom: 12 }}
          aria-label={route.receiver}
        >
          <Group gap="sm">
            <Text fw={650}>{route.receiver}</Text>
            {route.integrations.map((one) => (
              <span key={one} className="chip">
                {one}
              </span>
            ))}
            {route.resolvedAtOnce && <span className="chip">{t('resolutions at once')}</span>}
            {route.onlyChanged && <span className="chip">{t('only what changed')}</span>}
            {route.mutedBy.length > 0 && (
              <State tone="warn">{t('Muted by {names}', { names: route.mutedBy.join(', ') })}</State>
            )}
          </Group>
          <Text size="sm" c="dimmed" className="mono wrap" mt={4}>
            {route.route} · {t('sent after {time}', { time: formatDuration(route.groupWaitMs) })}
          </Text>
          <Text fw={600} mt={10}>
            {route.subject}
          </Text>
          <pre className="code" style={{ padding: '8px 0', whiteSpace: 'pre-wrap' }}>
            {route.message.trim()}
          </pre>
        </section>
      ))}
    </>
  );
}
