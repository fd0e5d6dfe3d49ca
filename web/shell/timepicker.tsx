// Choosing a range of time and how often it is refreshed: quick ranges, absolute ones in the chosen zone, back, forward,
// wider.

import { ActionIcon, Button, Divider, Group, Popover, Stack, Text, TextInput, Tooltip } from '@mantine/core';
import { useEffect, useState } from 'react';
import { useSettings } from '../base/settings.ts';
import { type TextKey, useText } from '../base/text.ts';
import {
  formatInstant,
  parseLocalInput,
  type Range,
  resolveInstant,
  resolveRange,
  type Span,
  toLocalInput,
} from '../base/time.ts';
import { Icon } from './icons.tsx';

const QUICK: readonly (readonly [string, string, TextKey])[] = [
  ['now-5m', 'now', 'Last 5 minutes'],
  ['now-15m', 'now', 'Last 15 minutes'],
  ['now-30m', 'now', 'Last 30 minutes'],
  ['now-1h', 'now', 'Last hour'],
  ['now-3h', 'now', 'Last 3 hours'],
  ['now-6h', 'now', 'Last 6 hours'],
  ['now-12h', 'now', 'Last 12 hours'],
  ['now-24h', 'now', 'Last 24 hours'],
  ['now-2d', 'now', 'Last 2 days'],
  ['now-7d', 'now', 'Last 7 days'],
  ['now-30d', 'now', 'Last 30 days'],
  ['now-90d', 'now', 'Last 90 days'],
  ['now/d', 'now', 'Today so far'],
  ['now-1d/d', 'now-1d/d', 'Yesterday'],
  ['now/w', 'now', 'This week so far'],
  ['now/M', 'now', 'This month so far'],
];
export const REFRESH = ['', '5s', '10s', '30s', '1m', '5m', '15m'] as const;

export function rangeText(range: Range, t: (key: TextKey) => string): string {
  const quick = QUICK.find(([from, to]) => from === range.from && to === range.to);
  if (quick) return t(quick[2]);
  const show = (text: string, end: boolean) =>
    text.startsWith('now') ? text : formatInstant(resolveInstant(text, Date.now(), end) ?? 0).replace(/:00$/, '');
  return `${show(range.from, false)} → ${show(range.to, true)}`;
}

export const absolute = (span: Span): Range => ({
  from: String(Math.round(span.fromMs)),
  to: String(Math.round(span.toMs)),
});

export function TimePicker(props: {
  range: Range;
  onRange: (range: Range) => void;
  refresh?: string;
  onRefresh?: (refresh: string) => void;
  onReload?: () => void;
  busy?: boolean;
}) {
  const t = useText();
  const { timeZone } = useSettings();
  const [open, setOpen] = useState(false);
  const [from, setFrom] = useState('');
  const [to, setTo] = useState('');
  useEffect(() => {
    if (!open) return;
    setFrom(
      props.range.from.startsWith('now')
        ? props.range.from
        : toLocalInput(resolveInstant(props.range.from, Date.now(), false) ?? 0, timeZone),
    );
    setTo(
      props.range.to.startsWith('now')
        ? props.range.to
        : toLocalInput(resolveInstant(props.range.to, Date.now(), true) ?? 0, timeZone),
    );
  }, [open, props.range, timeZone]);
  const read = (text: string, end: boolean): string | undefined => {
    if (text.startsWith('now')) return resolveInstant(text, Date.now(), end) === undefined ? undefined : text;
    const local = parseLocalInput(text.replace(' ', 'T'), timeZone);
    return local === undefined ? undefined : String(local);
  };
  const apply = () => {
    const next = { from: read(from, false), to: read(to, true) };
    if (next.from === undefined || next.to === undefined) return;
    props.onRange({ from: next.from, to: next.to });
    setOpen(false);
  };
  const move = (shift: (span: Span) => Span) => props.onRange(absolute(shift(resolveRange(props.range, Date.now()))));
  const half = (span: Span) => (span.toMs - span.fromMs) / 2;
  return (
    <Group gap={4} className="no-print">
      <Tooltip label={t('Earlier')}>
        <ActionIcon
          variant="default"
          size={34}
          aria-label={t('Earlier')}
          onClick={() => move((s) => ({ fromMs: s.fromMs - half(s), toMs: s.toMs - half(s) }))}
        >
          <Icon name="left" />
        </ActionIcon>
      </Tooltip>
      <Popover opened={open} onChange={setOpen} position="bottom-end" shadow="lg" trapFocus>
        <Popover.Target>
          <Button
            variant="default"
            h={34}
            px="sm"
            leftSection={<Icon name="clock" size={16} />}
            onClick={() => setOpen(!open)}
          >
            {rangeText(props.range, t)}
          </Button>
        </Popover.Target>
        <Popover.Dropdown p="sm">
          <Group align="flex-start" gap="md" wrap="wrap">
            <Stack gap="xs" w={230}>
              <TextInput
                label={t('From')}
                value={from}
                onChange={(e) => setFrom(e.currentTarget.value)}
                error={
                  open && from !== '' && read(from, false) === undefined
                    ? t('now-6h, now/d, or 2026-11-21 08:00:00')
                    : undefined
                }
                onKeyDown={(e) => e.key === 'Enter' && apply()}
              />
              <TextInput
                label={t('To')}
                value={to}
                onChange={(e) => setTo(e.currentTarget.value)}
                error={
                  open && to !== '' && read(to, true) === undefined
                    ? t('now-6h, now/d, or 2026-11-21 08:00:00')
                    : undefined
                }
                onKeyDown={(e) => e.key === 'Enter' && apply()}
              />
              <Text size="xs" c="dimmed">
                {t('Time zone')}: {timeZone === 'local' ? t('Browser time') : timeZone}
              </Text>
              <Button onClick={apply}>{t('Apply')}</Button>
            </Stack>
            <Divider orientation="vertical" />
            <div style={{ display: 'grid', gridTemplateColumns: '1fr 1fr', gap: 2 }}>
              {QUICK.map(([quickFrom, quickTo, text]) => (
                <Button
                  key={text}
                  size="compact-sm"
                  variant={props.range.from === quickFrom && props.range.to === quickTo ? 'light' : 'subtle'}
                  color="gray"
                  justify="flex-start"
                  onClick={() => {
                    props.onRange({ from: quickFrom, to: quickTo });
                    setOpen(false);
                  }}
                >
                  {t(text)}
                </Button>
              ))}
            </div>
          </Group>
        </Popover.Dropdown>
      </Popover>
      <Tooltip label={t('Later')}>
        <ActionIcon
          variant="default"
          size={34}
          aria-label={t('Later')}
          onClick={() => move((s) => ({ fromMs: s.fromMs + half(s), toMs: s.toMs + half(s) }))}
        >
          <Icon name="right" />
        </ActionIcon>
      </Tooltip>
      <Tooltip label={t('Wider')}>
        <ActionIcon
          className="wide-only"
          variant="default"
          size={34}
          aria-label={t('Wider')}
          onClick={() => move((s) => ({ fromMs: s.fromMs - half(s), toMs: s.toMs + half(s) }))}
        >
          <Icon name="zoomOut" />
        </ActionIcon>
      </Tooltip>
      {props.onReload && (
        <Tooltip label={t('Refresh now')}>
          <ActionIcon
            variant="default"
            size={34}
            aria-label={t('Refresh now')}
            onClick={props.onReload}
            loading={props.busy ?? false}
          >
            <Icon name="refresh" />
          </ActionIcon>
        </Tooltip>
      )}
      {props.onRefresh && (
        <select
          className="select"
          aria-label={t('Refresh every')}
          value={props.refresh ?? ''}
          onChange={(e) => props.onRefresh?.(e.currentTarget.value)}
        >
          {[...new Set([...REFRESH, props.refresh ?? ''])].map((one) => (
            <option key={one} value={one}>
              {one === '' ? t('Off') : one}
            </option>
          ))}
        </select>
      )}
    </Group>
  );
}
