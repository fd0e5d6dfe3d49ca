// The server about itself: its configuration, its flags, what it runs on and how long, whom it sends alerts to.

import { Button, Group, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { get, plain } from '../base/api.ts';
import { useText } from '../base/text.ts';
import { formatInstant } from '../base/time.ts';
import { Icon } from '../shell/icons.tsx';
import { Empty, Loaded, Page } from '../shell/parts.tsx';
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

export function YamlLine({ line }: { line: string }) {
  if (/^\s*#/.test(line)) return <span className="yaml-comment">{line}</span>;
  const match = /^(\s*(?:- )*)([\w.@/-]+)(:)(.*)$/.exec(line);
  if (!match) return <>{line || '\u00a0'}</>;
  return (
    <>
      {match[1]}
      <span className="yaml-key">{match[2]}</span>
      {match[3]}
      {match[4]}
    </>
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

export function Facts({ rows }: { rows: readonly (readonly [ReactNode, ReactNode])[] }) {
  const t = useText();
  return (
    <div className="surface scroll">
      {rows.length === 0 && <Empty title={t('Nothing matches the search')} />}
      <table className="data">
        <tbody>
          {rows.map(([name, value], index) => (
            <tr key={index}>
              <td style={{ width: '40%' }} className="wrap">
                {name}
              </td>
              <td className="wrap">{value}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const words = (name: string) => name.replace(/([a-z])([A-Z])/g, '$1 $2').replace(/^./, (first) => first.toUpperCase());

function show(value: unknown): string {
  if (typeof value === 'string' && /^\d{4}-\d\d-\d\dT/.test(value)) return formatInstant(Date.parse(value));
  if (typeof value === 'object' && value !== null) return JSON.stringify(value);
  return String(value);
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
  const alertmanager = useQuery({
    queryKey: ['am-status'],
    queryFn: () =>
      plain<{ versionInfo: Record<string, unknown>; uptime: string; cluster: Record<string, unknown> }>(
        '/alertmanager/api/v2/status',
      ),
    retry: false,
  });
  const section = (title: string, content: ReactNode) => (
    <section style={{ marginBottom: 18 }}>
      <Text component="h2" fw={650} fz={16} mb={8}>
        {title}
      </Text>
      {content}
    </section>
  );
  const facts = (data: Record<string, unknown>) => (
    <Facts rows={Object.entries(data).map(([name, value]) => [words(name), show(value)])} />
  );
  return (
    <Page title={t('Status')}>
      {section(t('Runtime'), <Loaded of={runtime}>{facts}</Loaded>)}
      {section(t('Build'), <Loaded of={build}>{facts}</Loaded>)}
      {alertmanager.data &&
        section(
          'Alertmanager',
          facts({
            uptime: alertmanager.data.uptime,
            ...alertmanager.data.versionInfo,
            cluster: alertmanager.data.cluster,
          }),
        )}
    </Page>
  );
}
