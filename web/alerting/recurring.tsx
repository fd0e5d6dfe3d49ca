// The windows of a recurring silence: edited in its form, and said in one line in lists.

import { ActionIcon, Button, Chip, Group, NativeSelect, Stack, Text, TextInput } from '@mantine/core';
import { settings } from '../base/settings.ts';
import { useText } from '../base/text.ts';
import { zoneChoices } from '../base/time.ts';
import { Icon } from '../shell/icons.tsx';
import { isOverMidnight, newWindow, WEEK, type Window } from './recurrence.ts';

/** 2023-01-01 was a Sunday. */
const dayName = (day: number): string =>
  new Intl.DateTimeFormat(settings().language === 'zh' ? 'zh-CN' : 'en', { weekday: 'short', timeZone: 'UTC' }).format(
    Date.UTC(2023, 0, 1 + day),
  );

export const browserZone = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone;

export function useDescribeWindow(): (window: Window) => string {
  const t = useText();
  return (window) =>
    [
      window.weekdays.length === 0 || window.weekdays.length === 7
        ? t('every day')
        : WEEK.filter((day) => window.weekdays.includes(day))
            .map(dayName)
            .join(' '),
      window.from === '' ? t('all day') : `${window.from}–${window.to}${isOverMidnight(window) ? ' (+1)' : ''}`,
      window.daysOfMonth && t('days of the month {list}', { list: window.daysOfMonth }),
      window.months && t('months {list}', { list: window.months }),
      window.years,
      window.zone,
    ]
      .filter(Boolean)
      .join(' · ');
}

export function Windows({
  windows,
  onChange,
}: {
  windows: readonly Window[];
  onChange: (windows: readonly Window[]) => void;
}) {
  const t = useText();
  const set = (index: number, change: Partial<Window>) =>
    onChange(windows.map((one, i) => (i === index ? { ...one, ...change } : one)));
  const zones = [...new Set([...windows.map((one) => one.zone), browserZone(), ...zoneChoices()])].filter(
    (zone) => zone !== 'local',
  );
  return (
    <Stack gap="xs">
      {windows.map((window, index) => (
        <fieldset key={index} className="surface" style={{ padding: 10, margin: 0, minWidth: 0 }}>
          <legend className="dim" style={{ fontSize: 13, padding: '0 4px' }}>
            {t('Window {n}', { n: index + 1 })}
          </legend>
          <Group gap={6} mb={8}>
            {WEEK.map((day) => (
              <Chip
                key={day}
                size="xs"
                checked={window.weekdays.includes(day)}
                onChange={(on) =>
                  set(index, {
                    weekdays: on ? [...window.weekdays, day].sort() : window.weekdays.filter((one) => one !== day),
                  })
                }
              >
                {dayName(day)}
              </Chip>
            ))}
            {window.weekdays.length === 0 && (
              <Text size="xs" c="dimmed">
                {t('every day')}
              </Text>
            )}
            <ActionIcon
              ml="auto"
              variant="subtle"
              color="gray"
              aria-label={t('Remove')}
              disabled={windows.length === 1}
              onClick={() => onChange(windows.filter((_, i) => i !== index))}
            >
              <Icon name="trash" size={16} />
            </ActionIcon>
          </Group>
          <Group gap="xs" align="flex-start">
            <TextInput
              size="xs"
              type="time"
              label={t('From')}
              value={window.from}
              onChange={(e) => set(index, { from: e.currentTarget.value })}
            />
            <TextInput
              size="xs"
              type="time"
              label={t('To')}
              value={window.to}
              onChange={(e) => set(index, { to: e.currentTarget.value })}
              description={isOverMidnight(window) ? t('on the next day') : undefined}
              inputWrapperOrder={['label', 'input', 'description', 'error']}
            />
            <NativeSelect
              size="xs"
              label={t('Time zone')}
              data={zones}
              value={window.zone}
              onChange={(e) => set(index, { zone: e.currentTarget.value })}
              style={{ flex: '1 1 150px' }}
            />
            <TextInput
              size="xs"
              label={t('Days of the month')}
              placeholder="1:5, -1"
              value={window.daysOfMonth}
              onChange={(e) => set(index, { daysOfMonth: e.currentTarget.value })}
              style={{ flex: '1 1 110px' }}
            />
            <TextInput
              size="xs"
              label={t('Months')}
              placeholder="january:march"
              value={window.months}
              onChange={(e) => set(index, { months: e.currentTarget.value })}
              style={{ flex: '1 1 110px' }}
            />
          </Group>
        </fieldset>
      ))}
      <Button
        variant="default"
        size="compact-sm"
        w="fit-content"
        onClick={() => onChange([...windows, newWindow(windows.at(-1)?.zone ?? browserZone())])}
      >
        {t('Add window')}
      </Button>
    </Stack>
  );
}
