// Panels without a chart: text, alerts, log-like lists, clock, links to dashboards, and what stands in for a panel that
// could not be taken over.

import { Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { matcherOf } from '../../../src/view/display.ts';
import { fieldName, frameLength } from '../../../src/view/frame.ts';
import { interpolate, type Scope } from '../../../src/view/interpolate.ts';
import type { Panel } from '../../../src/view/model.ts';
import { ALERT_TONES, type RuleAlert } from '../../alerting/types.ts';
import { get } from '../../base/api.ts';
import { useNow } from '../../base/clock.ts';
import { Link } from '../../base/router.tsx';
import { useSettings } from '../../base/settings.ts';
import { localized, useText } from '../../base/text.ts';
import { formatAgo, formatDate, formatInstant, formatTime } from '../../base/time.ts';
import { Empty, Failure, Labels, State, Waiting } from '../../shell/parts.tsx';
import { useEntries } from '../entries.ts';
import { Markdown, stripHtml } from './markdown.tsx';
import type { PanelProps } from './panel.ts';

export function TextPanel({ panel, scope, height }: { panel: Panel; scope: Scope; height: number }) {
  const content = interpolate(localized(panel.options?.content), scope);
  const isHtml = panel.options?.mode === 'html';
  return (
    <div style={{ height, overflow: 'auto' }} tabIndex={0} role="region" aria-label={localized(panel.title) || 'text'}>
      {panel.options?.mode === 'code' ? (
        <pre className="code">{content}</pre>
      ) : (
        <Markdown text={isHtml ? stripHtml(content) : content} />
      )}
    </div>
  );
}

export function AlertsPanel({ panel, scope, height }: { panel: Panel; scope: Scope; height: number }) {
  const t = useText();
  const now = useNow(5000);
  const answer = useQuery({
    queryKey: ['alerts'],
    queryFn: ({ signal }) => get<{ alerts: readonly RuleAlert[] }>('/api/v1/alerts', undefined, signal),
    refetchInterval: 10_000,
  });
  if (answer.error) return <Failure error={answer.error} what={t('The alerts could not be loaded')} />;
  if (!answer.data) return <Waiting />;
  const filter = interpolate(panel.options?.filter ?? '', scope);
  const pattern = filter === '' ? undefined : matcherOf(filter);
  const states = panel.options?.states ?? [];
  const alerts = answer.data.alerts
    .filter(
      (alert) =>
        (pattern === undefined ||
          pattern.test(
            Object.entries(alert.labels)
              .map(([name, value]) => `${name}="${value}"`)
              .join(','),
          )) &&
        (states.length === 0 ||
          states.includes(alert.state) ||
          (states.includes('alerting') && alert.state === 'firing')),
    )
    .sort((a, b) => (a.state === b.state ? 0 : a.state === 'firing' ? -1 : 1))
    .slice(0, panel.options?.limit ?? 100);
  if (alerts.length === 0) return <Empty title={t('All quiet: no alert is active')} />;
  return (
    <div style={{ height, overflow: 'auto' }} tabIndex={0} role="region" aria-label={t('Alerts')}>
      {alerts.map((alert) => (
        <div key={JSON.stringify(alert.labels)} style={{ padding: '6px 2px', borderBottom: '1px solid var(--line)' }}>
          <State tone={ALERT_TONES[alert.state] ?? 'plain'}>
            {alert.state === 'firing' ? t('Firing') : t('Pending')}
          </State>{' '}
          <Link
            to={`/alerts?search=${encodeURIComponent(alert.labels.alertname ?? '')}`}
            style={{ color: 'inherit', fontWeight: 600 }}
          >
            {alert.labels.alertname}
          </Link>{' '}
          <span className="dim" style={{ fontSize: 12 }}>
            {alert.activeAt && formatAgo(Date.parse(alert.activeAt), now)}
          </span>
          <Text size="sm" className="wrap">
            {alert.annotations.summary ?? alert.annotations.description}
          </Text>
          <Labels labels={alert.labels} without={['alertname', 'severity']} />
        </div>
      ))}
    </div>
  );
}

/** Rows with a time and texts, newest first. */
export function LogsPanel({ data, height, panel }: PanelProps) {
  const frames = data.frames.filter((frame) => frameLength(frame) > 0);
  const rows = frames.flatMap((frame) => {
    const time = frame.fields.find((field) => field.kind === 'time');
    const line = frame.fields.find((field) => /^(line|message|msg|body|log)$/i.test(field.name));
    const rest = frame.fields.filter((field) => field !== time && field !== line);
    return [...Array(frameLength(frame)).keys()].map((row) => ({
      at: typeof time?.values[row] === 'number' ? (time.values[row] as number) : 0,
      line: String(line?.values[row] ?? ''),
      rest: Object.fromEntries(
        rest
          .filter((field) => field.values[row] !== null)
          .map((field) => [fieldName(field, frame), String(field.values[row])]),
      ),
    }));
  });
  rows.sort((a, b) => b.at - a.at);
  return (
    <div
      style={{ height, overflow: 'auto', fontSize: 12.5 }}
      tabIndex={0}
      role="log"
      aria-label={localized(panel.title)}
    >
      {rows.slice(0, 500).map((row, index) => (
        <div key={index} className="mono" style={{ padding: '3px 2px', borderBottom: '1px solid var(--line)' }}>
          {row.at > 0 && <span className="dim">{formatInstant(row.at)} </span>}
          <span className="wrap">{row.line}</span> {row.line === '' && <Labels labels={row.rest} />}
        </div>
      ))}
    </div>
  );
}

export function ClockPanel({ panel, width, height }: { panel: Panel; width: number; height: number }) {
  const { timeZone } = useSettings();
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  const zone = panel.options?.zone || timeZone;
  return (
    <div className="tile" style={{ height }}>
      <div
        style={{
          fontSize: Math.min(64, width / 6, height / 2.2),
          fontWeight: 650,
          fontVariantNumeric: 'tabular-nums',
          lineHeight: 1.1,
        }}
      >
        {formatTime(now, zone)}
      </div>
      <div className="dim">
        {formatDate(now, zone)} {zone === 'local' ? '' : zone}
      </div>
    </div>
  );
}

export function LinksPanel({ panel, height }: { panel: Panel; height: number }) {
  const t = useText();
  const entries = useEntries();
  const tags = panel.options?.tags ?? [];
  const words = (panel.options?.filter ?? '').toLowerCase();
  const shown = (entries.data ?? [])
    .filter(
      (entry) => tags.every((tag) => entry.tags.includes(tag)) && localized(entry.title).toLowerCase().includes(words),
    )
    .slice(0, panel.options?.limit ?? 50);
  return (
    <div style={{ height, overflow: 'auto' }} tabIndex={0} role="region" aria-label={t('Dashboards')}>
      {shown.length === 0 && <Empty title={t('No dashboard matches')} />}
      {shown.map((entry) => (
        <Link key={entry.uid} to={`/d/${entry.uid}`} className="item" title={localized(entry.title)}>
          <span className="cut">{localized(entry.title)}</span>
        </Link>
      ))}
    </div>
  );
}

export function UnsupportedPanel({ panel }: { panel: Panel }) {
  const t = useText();
  return (
    <Empty title={t('A panel of type "{type}" has no counterpart here', { type: panel.options?.original ?? '?' })}>
      {t('Edit the panel and pick another type; its queries are kept.')}
      {panel.queries.map((query) => (
        <code key={query.ref} className="chip" style={{ display: 'block', margin: '6px auto' }}>
          {query.expr}
        </code>
      ))}
    </Empty>
  );
}
