// Silences: what is quiet, until when and in which windows; making, editing, expiring them.

import { Button, Group, Modal, SegmentedControl, Text } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { ALERTMANAGER, plain } from '../base/api.ts';
import { useNow } from '../base/clock.ts';
import { changeQuery, useLocation } from '../base/router.tsx';
import { useText } from '../base/text.ts';
import { formatDuration, formatInstant } from '../base/time.ts';
import { SearchField, useFilter } from '../operations/targets.tsx';
import { Icon } from '../shell/icons.tsx';
import { Empty, Failure, Loaded, Page, State, type Tone } from '../shell/parts.tsx';
import { toWindows } from './recurrence.ts';
import { useDescribeWindow } from './recurring.tsx';
import { SilenceForm } from './silence-form.tsx';
import { readMatchers, type Silence, writeMatcher } from './types.ts';

const TONES: Record<Silence['status']['state'], Tone> = { active: 'good', pending: 'warn', expired: 'plain' };

export function SilencesPage() {
  const t = useText();
  const { query } = useLocation();
  const { matches } = useFilter();
  const now = useNow(10_000);
  const describe = useDescribeWindow();
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
                    {one.annotationMatchers?.map((matcher) => (
                      <span className="chip" key={`annotation ${writeMatcher(matcher)}`}>
                        {t('annotation')} {writeMatcher(matcher)}
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
                  {one.untilResolved && ` · ${t('ends when its alerts resolve')}`}
                </Text>
                {toWindows(one.recurring ?? []).map((window) => (
                  <Text key={describe(window)} size="xs" c="dimmed">
                    {t('only {window}', { window: describe(window) })}
                  </Text>
                ))}
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
