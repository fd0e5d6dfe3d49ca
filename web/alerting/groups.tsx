// The alerts as Alertmanager groups them: by receiver and group labels, with what is silenced, inhibited or muted. The
// filter is Alertmanager's own matchers.

import { Anchor, Button, Checkbox, Group, Modal, Select, Text, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { ALERTMANAGER, plain } from '../base/api.ts';
import { useNow } from '../base/clock.ts';
import { changeQuery, Link, linkTo, useLocation } from '../base/router.tsx';
import { recall, remember } from '../base/settings.ts';
import { useText } from '../base/text.ts';
import { formatAgo, formatInstant } from '../base/time.ts';
import { Empty, Failure, Labels, Loaded, Page, State } from '../shell/parts.tsx';
import { Annotations } from './annotations.tsx';
import {
  ALERT_TONES,
  type AmAlert,
  type AmGroup,
  AUTHOR_KEY,
  matcherForLabels,
  readMatchers,
  severityTone,
  writeMatcher,
} from './types.ts';

export function MatcherField({
  value,
  onChange,
  label,
}: {
  value: string;
  onChange: (value: string) => void;
  label: string;
}) {
  const t = useText();
  const [draft, setDraft] = useState(value);
  useEffect(() => setDraft(value), [value]);
  const wrong = readMatchers(draft) === undefined;
  return (
    <span style={{ flex: '1 1 280px', minWidth: 0 }}>
      <input
        className="field mono"
        style={{ width: '100%', boxSizing: 'border-box', ...(wrong ? { borderColor: 'var(--bad)' } : {}) }}
        placeholder='alertname="X", severity=~"warning|critical"'
        aria-label={label}
        aria-invalid={wrong}
        value={draft}
        onChange={(event) => setDraft(event.currentTarget.value)}
        onBlur={() => !wrong && onChange(draft)}
        onKeyDown={(event) => event.key === 'Enter' && !wrong && onChange(draft)}
      />
      {wrong && (
        <Text size="xs" style={{ color: 'var(--bad)' }}>
          {t('Write matchers as name="value", separated by commas; operators are = != =~ !~')}
        </Text>
      )}
    </span>
  );
}

export function GroupsPage() {
  const t = useText();
  const now = useNow(5000);
  const { query } = useLocation();
  const filter = query.get('filter') ?? '';
  const receiver = query.get('receiver') ?? '';
  const flag = (name: string) => query.get(name) === 'true';
  const matchers = readMatchers(filter) ?? [];
  const params = {
    filter: matchers.map(writeMatcher),
    receiver: receiver || undefined,
    active: true,
    silenced: flag('silenced'),
    inhibited: flag('inhibited'),
    muted: flag('muted'),
  };
  const answer = useQuery({
    queryKey: ['am-groups', params],
    queryFn: ({ signal }) => plain<readonly AmGroup[]>(`${ALERTMANAGER}/alerts/groups`, { params, signal }),
    refetchInterval: 5000,
  });
  const receivers = useQuery({
    queryKey: ['am-receivers'],
    queryFn: () => plain<readonly { name: string }[]>(`${ALERTMANAGER}/receivers`),
  });
  const add = (name: string, value: string) =>
    changeQuery({
      filter: [...matchers.filter((one) => one.name !== name), { name, value, isRegex: false, isEqual: true }]
        .map(writeMatcher)
        .join(', '),
    });
  return (
    <Page title={t('Alert groups')}>
      <Group gap="sm" mb="md" align="flex-start">
        <MatcherField
          value={filter}
          onChange={(value) => changeQuery({ filter: value })}
          label={t('Filter by matchers')}
        />
        <Select
          aria-label={t('Receiver')}
          placeholder={t('All receivers')}
          clearable
          data={receivers.data?.map((one) => one.name) ?? []}
          value={receiver || null}
          onChange={(value) => changeQuery({ receiver: value ?? '' })}
          w={180}
        />
        <Group h={34} gap="md">
          {(['silenced', 'inhibited', 'muted'] as const).map((name) => (
            <Checkbox
              key={name}
              label={t(name === 'silenced' ? 'Silenced' : name === 'inhibited' ? 'Inhibited' : 'Muted')}
              checked={flag(name)}
              onChange={(event) => changeQuery({ [name]: event.currentTarget.checked ? 'true' : '' })}
            />
          ))}
        </Group>
        <Button component="a" variant="default" {...linkTo(`/silences?new=${encodeURIComponent(filter)}`)}>
          {t('Silence')}
        </Button>
      </Group>
      <Loaded of={answer} what={t('The alert groups could not be loaded')}>
        {(groups) => (
          <>
            {groups.length === 0 && (
              <div className="surface">
                <Empty title={t('No alerts here')}>
                  {t(
                    'Nothing fires, or all that does is silenced, inhibited or outside the filter; tick the boxes above to see that too.',
                  )}
                </Empty>
              </div>
            )}
            {groups.map((group) => (
              <section
                key={JSON.stringify([group.labels, group.receiver])}
                className="surface"
                style={{ marginBottom: 14, overflow: 'hidden' }}
                aria-label={matcherForLabels(group.labels) || group.receiver.name}
              >
                <Group p="10px 14px" gap="sm">
                  {Object.keys(group.labels).length > 0 ? (
                    <Labels labels={group.labels} onPick={add} />
                  ) : (
                    <Text fw={600}>{t('Not grouped')}</Text>
                  )}
                  <Text size="sm" c="dimmed">
                    → {group.receiver.name} · {t('{n} alerts', { n: group.alerts.length })}
                  </Text>
                </Group>
                {group.alerts.map((alert) => (
                  <AlertEntry
                    key={alert.fingerprint}
                    alert={alert}
                    nowMs={now}
                    onPick={add}
                    without={Object.keys(group.labels)}
                  />
                ))}
              </section>
            ))}
          </>
        )}
      </Loaded>
    </Page>
  );
}

function AlertEntry({
  alert,
  nowMs,
  onPick,
  without,
}: {
  alert: AmAlert;
  nowMs: number;
  onPick: (name: string, value: string) => void;
  without: readonly string[];
}) {
  const t = useText();
  const { silencedBy, inhibitedBy, mutedBy = [] } = alert.status;
  return (
    <div style={{ padding: '9px 14px', borderTop: '1px solid var(--line)' }}>
      <Group gap="sm">
        <State tone={ALERT_TONES[alert.status.state] ?? 'plain'}>
          {alert.status.state === 'active'
            ? t('Active')
            : alert.status.state === 'suppressed'
              ? t('Suppressed')
              : t('Unprocessed')}
        </State>
        {alert.labels.severity && <State tone={severityTone(alert.labels)}>{alert.labels.severity}</State>}
        <Text size="sm" c="dimmed">
          {t('since {time} ({ago})', {
            time: formatInstant(Date.parse(alert.startsAt)),
            ago: formatAgo(Date.parse(alert.startsAt), nowMs),
          })}
        </Text>
        {silencedBy.map((id) => (
          <Anchor key={id} component={Link} to={`/silences?id=${id}`} size="sm">
            {t('silenced by {id}', { id: id.slice(0, 8) })}
          </Anchor>
        ))}
        {inhibitedBy.length > 0 && <State tone="plain">{t('Inhibited')}</State>}
        {mutedBy.length > 0 && <State tone="plain">{t('Muted by {names}', { names: mutedBy.join(', ') })}</State>}
        {alert.acknowledgement && (
          <State tone="good">
            {t('Acknowledged by {owner}', { owner: alert.acknowledgement.by })} {alert.acknowledgement.comment}
          </State>
        )}
        <span style={{ marginLeft: 'auto', display: 'flex', gap: 8 }}>
          {alert.generatorURL && (
            <Anchor href={alert.generatorURL} size="sm">
              {t('Source')}
            </Anchor>
          )}
          <Acknowledge alert={alert} />
          <Anchor
            component={Link}
            to={`/route-tester?labels=${encodeURIComponent(matcherForLabels(alert.labels))}`}
            size="sm"
          >
            {t('Route')}
          </Anchor>
          <Anchor component={Link} to={`/silences?new=${encodeURIComponent(matcherForLabels(alert.labels))}`} size="sm">
            {t('Silence')}
          </Anchor>
        </span>
      </Group>
      <div style={{ marginTop: 5 }}>
        <Labels labels={alert.labels} without={without} onPick={onPick} />
      </div>
      <Annotations annotations={alert.annotations} />
    </div>
  );
}

function Acknowledge({ alert }: { alert: AmAlert }) {
  const t = useText();
  const client = useQueryClient();
  const change = useMutation({
    mutationFn: (body: { by: string; comment: string } | undefined) =>
      plain(
        `${ALERTMANAGER}/alerts/${alert.fingerprint}/acknowledgement`,
        body ? { method: 'POST', body } : { method: 'DELETE' },
      ),
    onSuccess: () => client.invalidateQueries({ queryKey: ['am-groups'] }),
  });
  const [open, setOpen] = useState(false);
  const [by, setBy] = useState(() => recall(AUTHOR_KEY, ''));
  const [comment, setComment] = useState('');
  return (
    <>
      <Anchor
        component="button"
        type="button"
        size="sm"
        onClick={() => (alert.acknowledgement ? change.mutate(undefined) : setOpen(true))}
      >
        {alert.acknowledgement ? t('Take back') : t('Acknowledge')}
      </Anchor>
      <Modal
        opened={open}
        onClose={() => setOpen(false)}
        title={t('Acknowledge')}
        closeButtonProps={{ 'aria-label': t('Close') }}
      >
        <TextInput label={t('Your name')} value={by} onChange={(event) => setBy(event.currentTarget.value)} required />
        <TextInput
          mt="sm"
          label={t('Comment')}
          value={comment}
          onChange={(event) => setComment(event.currentTarget.value)}
        />
        {change.error && <Failure error={change.error} what={t('The alert could not be acknowledged')} />}
        <Button
          mt="md"
          disabled={by.trim() === ''}
          loading={change.isPending}
          onClick={() => {
            remember(AUTHOR_KEY, by);
            change.mutate({ by, comment }, { onSuccess: () => setOpen(false) });
          }}
        >
          {t('Acknowledge')}
        </Button>
      </Modal>
    </>
  );
}
