// Alerts of this server: state, value, how long, why, and a graph of the rule one click away.

import { Button, Collapse, Group, SegmentedControl } from '@mantine/core';
import { useState } from 'react';
import { useNow } from '../base/clock.ts';
import { changeQuery, linkTo, useLocation } from '../base/router.tsx';
import { useText } from '../base/text.ts';
import { formatAgo } from '../base/time.ts';
import { SearchField, useFilter } from '../operations/targets.tsx';
import { Card, Empty, Labels, Loaded, Page, State } from '../shell/parts.tsx';
import { Table } from '../shell/table.tsx';
import { Annotations } from './annotations.tsx';
import { Explanation } from './explanation.tsx';
import { RuleFacts, useRules } from './rule-facts.tsx';
import { ALERT_TONES, matcherForLabels, type Rule, type RuleAlert, type RuleGroup, severityTone } from './types.ts';

const stateText = { firing: 'Firing', pending: 'Pending', inactive: 'Inactive', unknown: 'Unknown' } as const;

export function AlertsPage() {
  const t = useText();
  const { query } = useLocation();
  const { matches } = useFilter();
  const now = useNow(5000);
  const state = query.get('state') ?? '';
  const answer = useRules();
  const rules = (answer.data ?? []).flatMap((group) =>
    group.rules.filter((rule) => rule.type === 'alerting').map((rule) => ({ group, rule })),
  );
  const order = { firing: 0, pending: 1, inactive: 2, unknown: 3 };
  const count = (which: string) => rules.filter(({ rule }) => rule.state === which).length;
  const shown = rules
    .filter(
      ({ rule }) =>
        (state === '' || rule.state === state) &&
        matches(
          `${rule.name} ${rule.query} ${JSON.stringify(rule.labels)} ${(rule.alerts ?? [])
            .map((alert) =>
              Object.entries(alert.labels)
                .map((pair) => pair.join('='))
                .join(' '),
            )
            .join(' ')}`,
        ),
    )
    .sort(
      (a, b) =>
        order[a.rule.state ?? 'inactive'] - order[b.rule.state ?? 'inactive'] || a.rule.name.localeCompare(b.rule.name),
    );
  return (
    <Page
      title={t('Alerts')}
      side={
        <Group gap="xs">
          <SearchField />
          <SegmentedControl
            aria-label={t('State')}
            value={state}
            onChange={(value) => changeQuery({ state: value })}
            data={[
              { value: '', label: t('All') },
              ...(['firing', 'pending', 'inactive'] as const).map((one) => ({
                value: one,
                label: `${t(stateText[one])} ${count(one)}`,
              })),
            ]}
          />
        </Group>
      }
    >
      <Loaded of={answer} what={t('The alerts could not be loaded')}>
        {() => (
          <>
            <div className="cards" style={{ marginBottom: 16 }}>
              <Card
                what={t('Firing')}
                value={<span style={count('firing') > 0 ? { color: 'var(--bad)' } : undefined}>{count('firing')}</span>}
                note={t('{n} alerts', {
                  n: rules.reduce(
                    (sum, { rule }) => sum + (rule.alerts ?? []).filter((alert) => alert.state === 'firing').length,
                    0,
                  ),
                })}
              />
              <Card
                what={t('Pending')}
                value={
                  <span style={count('pending') > 0 ? { color: 'var(--warn)' } : undefined}>{count('pending')}</span>
                }
              />
              <Card what={t('Inactive')} value={count('inactive')} />
              <Card what={t('Rules in error')} value={rules.filter(({ rule }) => rule.health === 'err').length} />
            </div>
            {shown.length === 0 && (
              <div className="surface">
                <Empty title={rules.length === 0 ? t('There are no alerting rules') : t('No alert matches the filter')}>
                  {rules.length === 0
                    ? t('Name files with rules under rule_files in the configuration, or make one on the page Rules.')
                    : t('Change the search or the state above.')}
                </Empty>
              </div>
            )}
            {shown.map(({ group, rule }) => (
              <AlertRule
                key={`${group.file};${group.name};${rule.name};${rule.query}`}
                rule={rule}
                group={group}
                nowMs={now}
              />
            ))}
          </>
        )}
      </Loaded>
    </Page>
  );
}

function AlertRule({ rule, group, nowMs }: { rule: Rule; group: RuleGroup; nowMs: number }) {
  const t = useText();
  const [open, setOpen] = useState(rule.state === 'firing' || rule.state === 'pending');
  const alerts = [...(rule.alerts ?? [])].sort((a, b) => (a.state === b.state ? 0 : a.state === 'firing' ? -1 : 1));
  return (
    <section className="surface" style={{ marginBottom: 10, overflow: 'hidden' }} aria-label={rule.name}>
      <button type="button" className="rule-head" aria-expanded={open} onClick={() => setOpen(!open)}>
        <State tone={ALERT_TONES[rule.state ?? 'inactive'] ?? 'plain'}>{t(stateText[rule.state ?? 'inactive'])}</State>
        <b>{rule.name}</b>
        {rule.labels?.severity && <State tone={severityTone(rule.labels)}>{rule.labels.severity}</State>}
        {rule.health === 'err' && <State tone="bad">{t('Error')}</State>}
        {rule.neverMatched && <State tone="warn">{t('Never matched a series')}</State>}
        <span className="dim" style={{ marginLeft: 'auto', fontSize: 13 }}>
          {group.name}
          {alerts.length > 0 && ` · ${t('{n} alerts', { n: alerts.length })}`}
        </span>
      </button>
      <Collapse expanded={open}>
        <div style={{ padding: '0 14px 12px' }}>
          <RuleFacts rule={rule} />
          {alerts.length > 0 && (
            <div className="scroll" tabIndex={0} role="region" aria-label={t('Alerts')} style={{ marginTop: 8 }}>
              <Table
                head={[
                  t('State'),
                  t('Labels'),
                  { text: t('Value'), number: true },
                  { text: t('Active for'), number: true },
                  '',
                ]}
              >
                {alerts.slice(0, 200).map((alert) => (
                  <AlertRow key={JSON.stringify(alert.labels)} alert={alert} nowMs={nowMs} />
                ))}
              </Table>
            </div>
          )}
        </div>
      </Collapse>
    </section>
  );
}

function AlertRow({ alert, nowMs }: { alert: RuleAlert; nowMs: number }) {
  const t = useText();
  const [why, setWhy] = useState(false);
  return (
    <>
      <tr>
        <td>
          <State tone={ALERT_TONES[alert.state] ?? 'plain'}>{t(stateText[alert.state])}</State>
        </td>
        <td>
          <Labels labels={alert.labels} without={['alertname']} />
          <Annotations annotations={alert.annotations} />
        </td>
        <td className="num mono">
          {Number.isFinite(Number(alert.value)) ? Number(Number(alert.value).toPrecision(6)) : alert.value}
        </td>
        <td className="num">{alert.activeAt ? formatAgo(Date.parse(alert.activeAt), nowMs) : '–'}</td>
        <td style={{ whiteSpace: 'nowrap' }}>
          <Button size="compact-sm" variant="default" aria-expanded={why} onClick={() => setWhy(!why)} mr={6}>
            {t('Why?')}
          </Button>
          <Button
            component="a"
            size="compact-sm"
            variant="default"
            {...linkTo(`/silences?new=${encodeURIComponent(matcherForLabels(alert.labels))}`)}
          >
            {t('Silence')}
          </Button>
        </td>
      </tr>
      {why && (
        <tr>
          <td colSpan={5}>
            <Explanation labels={alert.labels} />
          </td>
        </tr>
      )}
    </>
  );
}
