// Silences: what is quiet and until when; making one with a preview of what it would silence, editing, expiring.

import {
  ActionIcon,
  Button,
  Checkbox,
  Group,
  Modal,
  SegmentedControl,
  Select,
  Stack,
  Text,
  Textarea,
  TextInput,
} from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { ALERTMANAGER, plain } from '../base/api.ts';
import { useNow } from '../base/clock.ts';
import { changeQuery, useLocation } from '../base/router.tsx';
import { recall, remember } from '../base/settings.ts';
import { useText } from '../base/text.ts';
import { formatDuration, formatInstant, parseDuration, parseLocalInput, toLocalInput } from '../base/time.ts';
import { SearchField, useFilter } from '../operations/targets.tsx';
import { Icon } from '../shell/icons.tsx';
import { Empty, Failure, Labels, Loaded, Page, State, type Tone } from '../shell/parts.tsx';
import { type AmAlert, type Matcher, operatorOf, readMatchers, type Silence, writeMatcher } from './types.ts';

const TONES: Record<Silence['status']['state'], Tone> = { active: 'good', pending: 'warn', expired: 'plain' };
const OPERATORS = ['=', '!=', '=~', '!~'];
const AUTHOR_KEY = 'pharos.author';
const HOUR_MS = 3_600_000;

export function SilencesPage() {
  const t = useText();
  const { query } = useLocation();
  const { matches } = useFilter();
  const now = useNow(10_000);
  const client = useQueryClient();
  const state = query.get('state') ?? '';
  const only = query.get('id') ?? '';
  const answer = useQuery({
    queryKey: ['silences'],
    queryFn: ({ signal }) => plain<readonly Silence[]>(`${ALERTMANAGER}/silences`, { signal }),
    refetchInterval: 10_000,
  });
  const expire = useMutation({
    mutationFn: (id: string) => plain(`${ALERTMANAGER}/silence/${id}`, { method: 'DELETE' }),
    onSuccess: () => client.invalidateQueries({ queryKey: ['silences'] }),
  });
  const [editing, setEditing] = useState<Silence | undefined>();
  const fresh = query.get('new');
  const all = answer.data ?? [];
  const count = (which: string) => all.filter((one) => one.status.state === which).length;
  const order = { active: 0, pending: 1, expired: 2 };
  const shown = all
    .filter(
      (one) =>
        (only ? one.id === only : state ? one.status.state === state : one.status.state !== 'expired') &&
        matches(`${one.comment} ${one.createdBy} ${one.matchers.map(writeMatcher).join(' ')}`),
    )
    .sort((a, b) => order[a.status.state] - order[b.status.state] || Date.parse(a.endsAt) - Date.parse(b.endsAt));
  const close = () => {
    setEditing(undefined);
    if (fresh !== null) changeQuery({ new: undefined }, { replace: true });
  };
  return (
    <Page
      title={t('Silences')}
      side={
        <Group gap="xs">
          <SearchField />
          <SegmentedControl
            aria-label={t('State')}
            value={state}
            onChange={(value) => changeQuery({ state: value, id: undefined })}
            data={[
              { value: '', label: t('Current') },
              { value: 'active', label: `${t('Active')} ${count('active')}` },
              { value: 'pending', label: `${t('Pending')} ${count('pending')}` },
              { value: 'expired', label: `${t('Expired')} ${count('expired')}` },
            ]}
          />
          <Button leftSection={<Icon name="plus" size={16} />} onClick={() => changeQuery({ new: ' ' })}>
            {t('New silence')}
          </Button>
        </Group>
      }
    >
      {expire.error && <Failure error={expire.error} what={t('The silence could not be expired')} />}
      <Loaded of={answer} what={t('The silences could not be loaded')}>
        {() => (
          <>
            {shown.length === 0 && (
              <div className="surface">
                <Empty title={t('No silences here')}>
                  {t('A silence keeps matching alerts from notifying for a while. Make one here or from any alert.')}
                </Empty>
              </div>
            )}
            {shown.map((one) => (
              <section
                key={one.id}
                className="surface"
                style={{ padding: '11px 14px', marginBottom: 10 }}
                aria-label={one.comment || one.id}
              >
                <Group gap="sm">
                  <State tone={TONES[one.status.state]}>
                    {one.status.state === 'active'
                      ? t('Active')
                      : one.status.state === 'pending'
                        ? t('Pending')
                        : t('Expired')}
                  </State>
                  <span className="labels">
                    {one.matchers.map((matcher) => (
                      <span className="chip" key={writeMatcher(matcher)}>
                        {writeMatcher(matcher)}
                      </span>
                    ))}
                  </span>
                  <span style={{ marginLeft: 'auto', display: 'flex', gap: 8 }}>
                    <Button size="compact-sm" variant="default" onClick={() => setEditing(one)}>
                      {one.status.state === 'expired' ? t('Recreate') : t('Edit')}
                    </Button>
                    {one.status.state !== 'expired' && (
                      <Button
                        size="compact-sm"
                        variant="default"
                        loading={expire.isPending && expire.variables === one.id}
                        onClick={() => expire.mutate(one.id)}
                      >
                        {t('Expire')}
                      </Button>
                    )}
                  </span>
                </Group>
                <Text size="sm" mt={4} className="wrap">
                  {one.comment}
                </Text>
                <Text size="xs" c="dimmed">
                  {one.createdBy} · {formatInstant(Date.parse(one.startsAt))} → {formatInstant(Date.parse(one.endsAt))}
                  {one.status.state === 'active' &&
                    ` · ${t('{time} left', { time: formatDuration(Math.max(0, Math.round((Date.parse(one.endsAt) - now) / 60_000) * 60_000)) })}`}
                </Text>
              </section>
            ))}
          </>
        )}
      </Loaded>
      <Modal
        opened={fresh !== null || editing !== undefined}
        onClose={close}
        size="xl"
        title={editing ? t('Edit silence') : t('New silence')}
        closeButtonProps={{ 'aria-label': t('Close') }}
      >
        {(fresh !== null || editing) && (
          <SilenceForm
            {...(editing ? { silence: editing } : {})}
            matchers={editing?.matchers ?? readMatchers(fresh ?? '') ?? []}
            onDone={() => {
              close();
              client.invalidateQueries({ queryKey: ['silences'] });
            }}
          />
        )}
      </Modal>
    </Page>
  );
}

function SilenceForm({
  silence,
  matchers: given,
  onDone,
}: {
  silence?: Silence;
  matchers: readonly Matcher[];
  onDone: () => void;
}) {
  const t = useText();
  const reuse = silence && silence.status.state !== 'expired';
  const [matchers, setMatchers] = useState<readonly Matcher[]>(
    given.length > 0 ? given : [{ name: '', value: '', isRegex: false, isEqual: true }],
  );
  const [startMs, setStart] = useState(() => (reuse ? Date.parse(silence.startsAt) : Date.now()));
  const [length, setLength] = useState(() =>
    silence ? formatDuration(Date.parse(silence.endsAt) - Date.parse(silence.startsAt)) : '2h',
  );
  const [author, setAuthor] = useState(() => silence?.createdBy ?? recall(AUTHOR_KEY, ''));
  const [comment, setComment] = useState(silence?.comment ?? '');
  const [untilResolved, setUntilResolved] = useState(silence?.untilResolved ?? false);
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
          endsAt: new Date(startMs + (lengthMs ?? 2 * HOUR_MS)).toISOString(),
          createdBy: author,
          comment,
          ...(untilResolved ? { untilResolved: true } : {}),
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
