// Explore: several queries one below another, all over one range. The address holds everything, so it can be shared.

import { ActionIcon, Button, Group, Menu, ScrollArea, Text, Tooltip } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { lazy, Suspense, useEffect, useMemo, useRef, useState } from 'react';
import { useNow } from '../base/clock.ts';
import { navigate, useLocation } from '../base/router.tsx';
import { recall, remember } from '../base/settings.ts';
import { useText } from '../base/text.ts';
import { parseDuration } from '../base/time.ts';
import { Boundary } from '../shell/boundary.tsx';
import { Icon } from '../shell/icons.tsx';
import { Page } from '../shell/parts.tsx';
import { TimePicker } from '../shell/timepicker.tsx';
import { Result } from './result.tsx';
import { type Explore, NEW_PANEL, type Panel, readState, writeState } from './state.ts';

const Editor = lazy(() => import('./editor.tsx'));
const HISTORY_KEY = 'pharos.queries';
const HISTORY_LENGTH = 100;

const EXAMPLES = [
  'up',
  'sum by (mode) (rate(node_cpu_seconds_total[5m]))',
  '100 * (1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes)',
  'topk(10, count by (__name__) ({__name__=~".+"}))',
];

export function ExplorePage() {
  const t = useText();
  const { query } = useLocation();
  const client = useQueryClient();
  const state = useMemo(() => readState(query), [query]);
  const [run, setRun] = useState(0);
  const refreshMs = parseDuration(state.refresh) || 0;
  const now = useNow(refreshMs, run);
  const set = (next: Partial<Explore>, replace = false) =>
    navigate(`/query?${new URLSearchParams(writeState({ ...state, ...next }))}`, { replace });
  const setPanel = (index: number, change: Partial<Panel>) =>
    set({ panels: state.panels.map((panel, i) => (i === index ? { ...panel, ...change } : panel)) });
  const runQuery = (index: number, expr: string) => {
    keepHistory(expr);
    if (state.panels[index]?.expr !== expr) setPanel(index, { expr });
    setRun((count) => count + 1);
    client.invalidateQueries({ queryKey: ['explore'] });
  };
  return (
    <Page
      title={t('Explore')}
      wide
      side={
        <Group gap="xs">
          <ShareButton />
          <TimePicker
            range={state.range}
            onRange={(range) => set({ range })}
            refresh={state.refresh}
            onRefresh={(refresh) => set({ refresh }, true)}
            onReload={() => {
              setRun((count) => count + 1);
              client.invalidateQueries({ queryKey: ['explore'] });
            }}
          />
        </Group>
      }
    >
      {state.panels.map((panel, index) => (
        <QueryPanel
          key={index}
          index={index}
          panel={panel}
          state={state}
          nowMs={now}
          single={state.panels.length === 1}
          onRun={(expr) => runQuery(index, expr)}
          onChange={(change) => setPanel(index, change)}
          onRange={(range) => set({ range })}
          onRemove={() => set({ panels: state.panels.filter((_, i) => i !== index) })}
        />
      ))}
      <Button
        variant="default"
        leftSection={<Icon name="plus" size={16} />}
        onClick={() => set({ panels: [...state.panels, NEW_PANEL] })}
      >
        {t('Add query')}
      </Button>
    </Page>
  );
}

function keepHistory(expr: string): void {
  if (expr.trim() === '') return;
  const before = recall<string[]>(HISTORY_KEY, []);
  remember(HISTORY_KEY, [expr, ...before.filter((one) => one !== expr)].slice(0, HISTORY_LENGTH));
}

function QueryPanel(props: {
  index: number;
  panel: Panel;
  state: Explore;
  nowMs: number;
  single: boolean;
  onRun: (expr: string) => void;
  onChange: (change: Partial<Panel>) => void;
  onRange: (range: Explore['range']) => void;
  onRemove: () => void;
}) {
  const t = useText();
  const [draft, setDraft] = useState(props.panel.expr);
  const latest = useRef(draft);
  latest.current = draft;
  useEffect(() => setDraft(props.panel.expr), [props.panel.expr]);
  const label = t('Query {n}', { n: props.index + 1 });
  return (
    <section className="surface" style={{ marginBottom: 14, overflow: 'hidden' }} aria-label={label}>
      <div style={{ display: 'flex', gap: 8, padding: 12, alignItems: 'flex-start', flexWrap: 'wrap' }}>
        <div style={{ flex: '1 1 320px', minWidth: 0, display: 'flex' }}>
          <Suspense
            fallback={<input className="field" style={{ flex: 1 }} defaultValue={draft} aria-label={label} readOnly />}
          >
            <Editor
              value={draft}
              label={label}
              hint={t('A PromQL expression; Enter runs it, Shift and Enter breaks the line')}
              onChange={setDraft}
              onRun={props.onRun}
              focus={props.single && props.panel.expr === ''}
            />
          </Suspense>
        </div>
        <Group gap={6} wrap="nowrap">
          <Button h={36} onClick={() => props.onRun(latest.current)} leftSection={<Icon name="play" size={14} />}>
            {t('Run')}
          </Button>
          <HistoryMenu onPick={(expr) => props.onRun(expr)} />
          <Tooltip label={t('Hide or show the result')}>
            <ActionIcon
              variant="default"
              size={36}
              aria-pressed={props.panel.hidden}
              aria-label={t('Hide or show the result')}
              onClick={() => props.onChange({ hidden: !props.panel.hidden })}
            >
              <Icon name={props.panel.hidden ? 'down' : 'up'} />
            </ActionIcon>
          </Tooltip>
          {!props.single && (
            <Tooltip label={t('Remove query')}>
              <ActionIcon variant="default" size={36} aria-label={t('Remove query')} onClick={props.onRemove}>
                <Icon name="trash" />
              </ActionIcon>
            </Tooltip>
          )}
        </Group>
      </div>
      {!props.panel.hidden &&
        (props.panel.expr.trim() === '' ? (
          <Examples onPick={props.onRun} />
        ) : (
          <Boundary about={props.panel}>
            <Result
              panel={props.panel}
              range={props.state.range}
              nowMs={props.nowMs}
              onChange={props.onChange}
              onRange={props.onRange}
            />
          </Boundary>
        ))}
    </section>
  );
}

function Examples({ onPick }: { onPick: (expr: string) => void }) {
  const t = useText();
  return (
    <div style={{ padding: '4px 14px 16px' }}>
      <Text size="sm" c="dimmed" mb={6}>
        {t('Nothing asked yet. Write a query above, pick a metric on the Metrics page, or start from one of these:')}
      </Text>
      <Group gap={6}>
        {EXAMPLES.map((expr) => (
          <button
            type="button"
            key={expr}
            className="chip"
            style={{ cursor: 'pointer', padding: '2px 9px' }}
            onClick={() => onPick(expr)}
          >
            {expr}
          </button>
        ))}
      </Group>
    </div>
  );
}

function HistoryMenu({ onPick }: { onPick: (expr: string) => void }) {
  const t = useText();
  const [open, setOpen] = useState(false);
  const entries = open ? recall<string[]>(HISTORY_KEY, []) : [];
  return (
    <Menu opened={open} onChange={setOpen} position="bottom-end" shadow="lg">
      <Menu.Target>
        <ActionIcon variant="default" size={36} aria-label={t('Query history')} title={t('Query history')}>
          <Icon name="history" />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown maw={640}>
        <Menu.Label>{t('Query history')}</Menu.Label>
        {entries.length === 0 && <Menu.Item disabled>{t('No query was run in this browser yet')}</Menu.Item>}
        <ScrollArea.Autosize mah={380}>
          {entries.map((expr) => (
            <Menu.Item key={expr} className="mono" onClick={() => onPick(expr)}>
              {expr}
            </Menu.Item>
          ))}
        </ScrollArea.Autosize>
      </Menu.Dropdown>
    </Menu>
  );
}

function ShareButton() {
  const t = useText();
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(window.location.href);
    setCopied(true);
    setTimeout(() => setCopied(false), 1500);
  };
  return (
    <Button variant="default" h={34} leftSection={<Icon name={copied ? 'check' : 'share'} size={16} />} onClick={copy}>
      {copied ? t('Copied') : t('Copy link')}
    </Button>
  );
}
