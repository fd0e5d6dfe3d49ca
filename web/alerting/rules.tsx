// All rules by group. Groups that are kept through the API are made, changed and deleted here; those of files are shown.

import { Button, Group, Modal, Stack, Text } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { lazy, Suspense, useState } from 'react';
import { useNow } from '../base/clock.ts';
import { linkTo } from '../base/router.tsx';
import { useText } from '../base/text.ts';
import { formatAgo, formatDuration } from '../base/time.ts';
import { SearchField, useFilter } from '../operations/targets.tsx';
import { CodeField } from '../shell/code-field.tsx';
import { Icon } from '../shell/icons.tsx';
import { Empty, Failure, Loaded, Page, State } from '../shell/parts.tsx';
import { RuleFacts, useRules } from './rule-facts.tsx';
import type { RuleDraft } from './rule-form.tsx';
import {
  deleteGroup,
  deleteRule,
  putGroup,
  readGroup,
  type StoredGroup,
  storedGroups,
  storedOf,
} from './stored-rules.ts';
import type { Rule, RuleGroup } from './types.ts';

const RuleForm = lazy(async () => ({ default: (await import('./rule-form.tsx')).RuleForm }));

const NEW_RULE: RuleDraft = { namespace: 'own', group: 'alerts', rule: { expr: '' } };
const NEW_GROUP = `name: recorded
interval: 1m
rules:
  - record: job:up:avg
    expr: avg by (job) (up)
`;

/** What is open: a rule in its form, or a whole group as text. */
type Editing =
  | { readonly kind: 'rule'; readonly draft: RuleDraft }
  | { readonly kind: 'group'; readonly group: StoredGroup | undefined };

export function RulesPage() {
  const t = useText();
  const { matches } = useFilter();
  const client = useQueryClient();
  const answer = useRules();
  const [editing, setEditing] = useState<Editing | undefined>();
  const stored = useQuery({
    queryKey: ['stored-rules'],
    retry: false,
    queryFn: ({ signal }) => storedGroups(signal),
  });
  const reload = async () => {
    await client.invalidateQueries({ queryKey: ['rules'] });
    await client.invalidateQueries({ queryKey: ['stored-rules'] });
  };
  const change = useMutation({ mutationFn: (action: () => Promise<unknown>) => action(), onSuccess: reload });
  const actions: Actions = {
    edit: async (group, index) => {
      const file = await readGroup(group.text);
      const rule = file.rules[index]!;
      setEditing(
        rule.alert === undefined
          ? { kind: 'group', group }
          : { kind: 'rule', draft: { namespace: group.namespace, group: group.name, rule, index } },
      );
    },
    editGroup: (group) => setEditing({ kind: 'group', group }),
    remove: (group, index, name) => {
      if (window.confirm(t('Delete {title}', { title: name })))
        change.mutate(() => deleteRule(group.namespace, group.name, index));
    },
    removeGroup: (group) => {
      if (window.confirm(t('Delete {title}', { title: group.name })))
        change.mutate(() => deleteGroup(group.namespace, group.name));
    },
  };
  return (
    <Page
      title={t('Rules')}
      side={
        <Group gap="xs">
          <SearchField />
          {stored.data && (
            <>
              {stored.data.length > 0 && (
                <Button variant="default" component="a" {...linkTo('/rule-versions')}>
                  {t('Versions')}
                </Button>
              )}
              <Button variant="default" onClick={() => setEditing({ kind: 'group', group: undefined })}>
                {t('New group')}
              </Button>
              <Button
                leftSection={<Icon name="plus" size={16} />}
                onClick={() => setEditing({ kind: 'rule', draft: NEW_RULE })}
              >
                {t('New alert rule')}
              </Button>
            </>
          )}
        </Group>
      }
    >
      {change.error && <Failure error={change.error} what={t('The rule could not be deleted')} />}
      <Loaded of={answer} what={t('The rules could not be loaded')}>
        {(groups) => (
          <>
            {groups.length === 0 && (
              <div className="surface">
                <Empty title={t('There are no rules')}>
                  {t('Name files with rules under rule_files in the configuration, or make one here.')}
                </Empty>
              </div>
            )}
            {groups.map((group) => (
              <GroupSection
                key={`${group.file};${group.name}`}
                group={group}
                stored={storedOf(group, stored.data ?? [])}
                matches={matches}
                actions={actions}
              />
            ))}
          </>
        )}
      </Loaded>
      {editing?.kind === 'rule' && (
        <Suspense fallback={null}>
          <RuleForm draft={editing.draft} onClose={() => setEditing(undefined)} />
        </Suspense>
      )}
      {editing?.kind === 'group' && (
        <GroupForm group={editing.group} onClose={() => setEditing(undefined)} onDone={reload} />
      )}
    </Page>
  );
}

type Actions = {
  readonly edit: (group: StoredGroup, index: number) => void;
  readonly editGroup: (group: StoredGroup) => void;
  readonly remove: (group: StoredGroup, index: number, name: string) => void;
  readonly removeGroup: (group: StoredGroup) => void;
};

function GroupSection({
  group,
  stored,
  matches,
  actions,
}: {
  group: RuleGroup;
  stored: StoredGroup | undefined;
  matches: (text: string) => boolean;
  actions: Actions;
}) {
  const t = useText();
  const now = useNow(5000);
  const shown = group.rules
    .map((rule, index) => ({ rule, index }))
    .filter(({ rule }) => matches(`${group.name} ${rule.name} ${rule.query} ${rule.lastError ?? ''}`));
  if (shown.length === 0) return null;
  const evaluatedMs = Date.parse(group.lastEvaluation ?? '');
  return (
    <section className="surface" style={{ marginBottom: 14, overflow: 'hidden' }} aria-label={group.name}>
      <Group p="10px 14px" gap="sm">
        <Text component="h2" fw={650} m={0} fz={16}>
          {group.name}
        </Text>
        {stored && <State tone="plain">{t('kept by this server, version {n}', { n: stored.version })}</State>}
        <Text size="sm" c="dimmed" className="wrap">
          {stored ? stored.namespace : group.file} ·{' '}
          {t('every {time}', { time: formatDuration(group.interval * 1000) })}
          {evaluatedMs > 0 && ` · ${t('evaluated {ago} ago', { ago: formatAgo(evaluatedMs, now) })}`}
          {group.evaluationTime !== undefined && ` · ${(group.evaluationTime * 1000).toFixed(1)} ms`}
        </Text>
        {stored && (
          <Group gap={6} ml="auto">
            <Button size="compact-sm" variant="default" onClick={() => actions.editGroup(stored)}>
              {t('Edit as YAML')}
            </Button>
            <Button size="compact-sm" variant="default" onClick={() => actions.removeGroup(stored)}>
              {t('Delete group')}
            </Button>
          </Group>
        )}
      </Group>
      {shown.map(({ rule, index }) => (
        <div
          key={`${rule.name};${rule.query};${index}`}
          style={{ padding: '8px 14px', borderTop: '1px solid var(--line)' }}
        >
          <Group gap="sm" mb={4}>
            <RuleState rule={rule} />
            <Text fw={600} className="wrap">
              {rule.name}
            </Text>
            <Text size="xs" c="dimmed">
              {rule.type === 'alerting' ? t('alert') : t('recording')}
              {rule.evaluationTime !== undefined && ` · ${(rule.evaluationTime * 1000).toFixed(2)} ms`}
            </Text>
            {stored && (
              <Group gap={6} ml="auto">
                <Button
                  size="compact-sm"
                  variant="default"
                  aria-label={t('Edit {title}', { title: rule.name })}
                  onClick={() => actions.edit(stored, index)}
                >
                  {t('Edit')}
                </Button>
                <Button
                  size="compact-sm"
                  variant="default"
                  aria-label={t('Delete {title}', { title: rule.name })}
                  onClick={() => actions.remove(stored, index, rule.name)}
                >
                  {t('Delete')}
                </Button>
              </Group>
            )}
          </Group>
          <RuleFacts rule={rule} />
        </div>
      ))}
    </section>
  );
}

function RuleState({ rule }: { rule: Rule }) {
  const t = useText();
  return (
    <State tone={rule.health === 'err' ? 'bad' : rule.health === 'ok' ? 'good' : 'plain'}>
      {rule.health === 'err' ? t('Error') : rule.health === 'ok' ? t('OK') : t('Unknown')}
    </State>
  );
}

/** A whole group as YAML: recording rules, intervals, and whatever else a rule file may hold. */
function GroupForm({
  group,
  onClose,
  onDone,
}: {
  group: StoredGroup | undefined;
  onClose: () => void;
  onDone: () => void;
}) {
  const t = useText();
  const [text, setText] = useState(group?.text ?? NEW_GROUP);
  const save = useMutation({
    mutationFn: async () => {
      const name = group?.name ?? (await readGroup(text)).name;
      await putGroup(group?.namespace ?? NEW_RULE.namespace, name, text, group?.version);
    },
    onSuccess: () => {
      onDone();
      onClose();
    },
  });
  return (
    <Modal
      opened
      onClose={onClose}
      size="xl"
      title={group ? t('Edit group {name}', { name: group.name }) : t('New group')}
      closeButtonProps={{ 'aria-label': t('Close') }}
    >
      <Stack gap="sm">
        <CodeField label={t('The group as YAML')} value={text} onChange={setText} minRows={12} maxRows={28} />
        {save.error && <Failure error={save.error} what={t('The group could not be saved')} />}
        <Button onClick={() => save.mutate()} loading={save.isPending}>
          {t('Save group')}
        </Button>
      </Stack>
    </Modal>
  );
}
