// The form of a silence: which alerts, from when and how long, in which windows, why; with the alerts it would silence now.

import { ActionIcon, Button, Checkbox, Group, Select, Stack, Text, Textarea, TextInput } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { ALERTMANAGER, plain } from '../base/api.ts';
import { recall, remember } from '../base/settings.ts';
import { useText } from '../base/text.ts';
import { formatDuration, formatInstant, parseDuration, parseLocalInput, toLocalInput } from '../base/time.ts';
import { Icon } from '../shell/icons.tsx';
import { Failure, Labels } from '../shell/parts.tsx';
import { newWindow, toIntervals, toWindows, type Window } from './recurrence.ts';
import { browserZone, Windows } from './recurring.tsx';
import { type AmAlert, AUTHOR_KEY, type Matcher, operatorOf, type Silence, writeMatcher } from './types.ts';

const OPERATORS = ['=', '!=', '=~', '!~'];
const DEFAULT_LENGTH = '2h';
/** A silence that recurs makes sense over weeks only. */
const RECURRING_LENGTH = '30d';

export function SilenceForm({
  silence,
  matchers: given,
  onDone,
}: {
  silence?: Silence;
  matchers: readonly Matcher[];
  onDone: () => void;
}) {
  const t = useText();
  // An expired silence is made anew, a living one is changed.
  const reuse = silence && silence.status.state !== 'expired';
  const [matchers, setMatchers] = useState<readonly Matcher[]>(
    given.length > 0 ? given : [{ name: '', value: '', isRegex: false, isEqual: true }],
  );
  const [startMs, setStart] = useState(() => (reuse ? Date.parse(silence.startsAt) : Date.now()));
  const [length, setLength] = useState(() =>
    silence
      ? formatDuration(Math.round((Date.parse(silence.endsAt) - Date.parse(silence.startsAt)) / 1000) * 1000)
      : DEFAULT_LENGTH,
  );
  const [author, setAuthor] = useState(() => silence?.createdBy ?? recall(AUTHOR_KEY, ''));
  const [comment, setComment] = useState(silence?.comment ?? '');
  const [untilResolved, setUntilResolved] = useState(silence?.untilResolved ?? false);
  const [windows, setWindows] = useState<readonly Window[]>(() => toWindows(silence?.recurring ?? []));
  const used = matchers.filter((one) => one.name !== '');
  const lengthMs = parseDuration(length);
  const preview = useQuery({
    queryKey: ['silence-preview', used],
    enabled: used.length > 0,
    queryFn: ({ signal }) =>
      plain<readonly AmAlert[]>(`${ALERTMANAGER}/alerts`, { params: { filter: used.map(writeMatcher) }, signal }),
  });
  const save = useMutation({
    mutationFn: () =>
      plain(`${ALERTMANAGER}/silences`, {
        method: 'POST',
        body: {
          ...(reuse ? { id: silence.id } : {}),
          matchers: used,
          startsAt: new Date(startMs).toISOString(),
          endsAt: new Date(startMs + (lengthMs ?? 0)).toISOString(),
          createdBy: author,
          comment,
          ...(silence?.annotationMatchers ? { annotationMatchers: silence.annotationMatchers } : {}),
          ...(untilResolved ? { untilResolved: true } : {}),
          ...(windows.length > 0 ? { recurring: windows.flatMap(toIntervals) } : {}),
        },
      }),
    onSuccess: () => {
      remember(AUTHOR_KEY, author);
      onDone();
    },
  });
  const change = (index: number, next: Partial<Matcher>) =>
    setMatchers(matchers.map((one, i) => (i === index ? { ...one, ...next } : one)));
  const ready = used.length > 0 && author.trim() !== '' && comment.trim() !== '' && lengthMs !== undefined;
  return (
    <Stack gap="sm">
      <Text fw={600} size="sm">
        {t('Alerts that match all of')}
      </Text>
      {matchers.map((matcher, index) => (
        <Group key={index} gap={6} wrap="nowrap">
          <TextInput
            aria-label={t('Label')}
            placeholder={t('Label')}
            value={matcher.name}
            onChange={(e) => change(index, { name: e.currentTarget.value })}
            style={{ flex: 2 }}
          />
          <Select
            aria-label={t('Operator')}
            w={76}
            data={OPERATORS}
            value={operatorOf(matcher)}
            allowDeselect={false}
            onChange={(value) =>
              change(index, { isRegex: value?.endsWith('~') ?? false, isEqual: !value?.startsWith('!') })
            }
          />
          <TextInput
            aria-label={t('Value')}
            placeholder={t('Value')}
            value={matcher.value}
            onChange={(e) => change(index, { value: e.currentTarget.value })}
            style={{ flex: 3 }}
          />
          <ActionIcon
            variant="default"
            size={36}
            aria-label={t('Remove')}
            onClick={() => setMatchers(matchers.filter((_, i) => i !== index))}
            disabled={matchers.length === 1}
          >
            <Icon name="trash" />
          </ActionIcon>
        </Group>
      ))}
      <Button
        variant="default"
        size="compact-sm"
        w="fit-content"
        onClick={() => setMatchers([...matchers, { name: '', value: '', isRegex: false, isEqual: true }])}
      >
        {t('Add matcher')}
      </Button>
      <Group grow align="flex-start">
        <TextInput
          label={t('Starts')}
          type="datetime-local"
          step={1}
          value={toLocalInput(startMs)}
          onChange={(e) => {
            const at = parseLocalInput(e.currentTarget.value);
            if (at !== undefined) setStart(at);
          }}
        />
        <TextInput
          label={t('Lasts')}
          inputWrapperOrder={['label', 'input', 'description', 'error']}
          value={length}
          onChange={(e) => setLength(e.currentTarget.value)}
          error={lengthMs === undefined ? t('A duration such as 30m, 2h or 1d') : undefined}
          description={
            lengthMs === undefined ? undefined : t('until {time}', { time: formatInstant(startMs + lengthMs) })
          }
        />
      </Group>
      <Checkbox
        label={t('End it when its alerts resolve')}
        checked={untilResolved}
        onChange={(e) => setUntilResolved(e.currentTarget.checked)}
      />
      <Checkbox
        label={t('Recurring: only within these windows')}
        checked={windows.length > 0}
        onChange={(e) => {
          setWindows(e.currentTarget.checked ? [newWindow(browserZone())] : []);
          if (e.currentTarget.checked && length === DEFAULT_LENGTH) setLength(RECURRING_LENGTH);
        }}
      />
      {windows.length > 0 && <Windows windows={windows} onChange={setWindows} />}
      <TextInput label={t('Your name')} value={author} onChange={(e) => setAuthor(e.currentTarget.value)} required />
      <Textarea
        label={t('Why')}
        value={comment}
        onChange={(e) => setComment(e.currentTarget.value)}
        required
        autosize
        minRows={2}
      />
      <div className="surface" style={{ padding: 10, maxHeight: 220, overflow: 'auto' }}>
        <Text size="sm" fw={600}>
          {preview.data ? t('Would silence {n} alerts now', { n: preview.data.length }) : t('Preview')}
        </Text>
        {preview.error && <Failure error={preview.error} />}
        {preview.data?.slice(0, 20).map((alert) => (
          <div key={alert.fingerprint} style={{ marginTop: 4 }}>
            <Labels labels={alert.labels} />
          </div>
        ))}
      </div>
      {save.error && <Failure error={save.error} what={t('The silence could not be saved')} />}
      <Button onClick={() => save.mutate()} disabled={!ready} loading={save.isPending}>
        {t('Save silence')}
      </Button>
    </Stack>
  );
}
