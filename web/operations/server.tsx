// The server about itself: its configuration, its flags, what it runs on and how long, whom it sends alerts to.

import { Button, Group, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { statusFacts, useAlertmanagerStatus } from '../alerting/status.tsx';
import { get } from '../base/api.ts';
import { useText } from '../base/text.ts';
import { Icon } from '../shell/icons.tsx';
import { Loaded, Page } from '../shell/parts.tsx';
import { Facts, factsOf, YamlLine } from './facts.tsx';
import { SearchField, useFilter } from './targets.tsx';

export function ConfigPage() {
  const t = useText();
  const { matches, words } = useFilter();
  const [copied, setCopied] = useState(false);
  const answer = useQuery({
    queryKey: ['config'],
    queryFn: ({ signal }) => get<{ yaml: string }>('/api/v1/status/config', undefined, signal),
  });
  const copy = async () => {
    await navigator.clipboard.writeText(answer.data?.yaml ?? '');
    setCopied(true);
  };
  return (
    <Page
      title={t('Configuration')}
      side={
        <Group gap="xs">
          <SearchField />
          <Button variant="default" leftSection={<Icon name={copied ? 'check' : 'copy'} size={16} />} onClick={copy}>
            {copied ? t('Copied') : t('Copy')}
          </Button>
        </Group>
      }
    >
      <Loaded of={answer} what={t('The configuration could not be loaded')}>
        {({ yaml }) => (
          <pre className="code surface" tabIndex={0} role="region" aria-label={t('Configuration')}>
            {yaml.split('\n').map((line, index) => (
              <div
                key={index}
                style={words.length > 0 && matches(line) ? { background: 'var(--warn-soft)' } : undefined}
              >
                <YamlLine line={line} />
              </div>
            ))}
          </pre>
        )}
      </Loaded>
    </Page>
  );
}

export function FlagsPage() {
  const t = useText();
  const { matches } = useFilter();
  const answer = useQuery({
    queryKey: ['flags'],
    queryFn: ({ signal }) => get<Record<string, string>>('/api/v1/status/flags', undefined, signal),
  });
  return (
    <Page title={t('Flags')} side={<SearchField />}>
      <Loaded of={answer} what={t('The flags could not be loaded')}>
        {(flags) => {
          const shown = Object.entries(flags)
            .filter(([name, value]) => matches(`${name} ${value}`))
            .sort(([a], [b]) => a.localeCompare(b));
          return (
            <Facts
              rows={shown.map(([name, value]) => [
                <span key="n" className="mono">
                  --{name}
                </span>,
                <span key="v" className="mono">
                  {value}
                </span>,
              ])}
            />
          );
        }}
      </Loaded>
    </Page>
  );
}

export function StatusPage() {
  const t = useText();
  const runtime = useQuery({
    queryKey: ['runtimeinfo'],
    queryFn: ({ signal }) => get<Record<string, unknown>>('/api/v1/status/runtimeinfo', undefined, signal),
    refetchInterval: 15_000,
  });
  const build = useQuery({
    queryKey: ['buildinfo'],
    queryFn: ({ signal }) => get<Record<string, unknown>>('/api/v1/status/buildinfo', undefined, signal),
  });
  const alertmanager = useAlertmanagerStatus();
  const section = (title: string, content: ReactNode) => (
    <section style={{ marginBottom: 18 }}>
      <Text component="h2" fw={650} fz={16} mb={8}>
        {title}
      </Text>
      {content}
    </section>
  );
  const facts = (data: Record<string, unknown>) => <Facts rows={factsOf(data)} />;
  return (
    <Page title={t('Status')}>
      {section(t('Runtime'), <Loaded of={runtime}>{facts}</Loaded>)}
      {section(t('Build'), <Loaded of={build}>{facts}</Loaded>)}
      {alertmanager.data && section('Alertmanager', <Facts rows={statusFacts(alertmanager.data)} />)}
    </Page>
  );
}
