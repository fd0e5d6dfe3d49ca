// The form of an alerting rule that is kept through the rules API: made from nothing, from a panel, or changed. Says how
// many alerts the expression gives now.

import { Autocomplete, Button, Group, Modal, Stack, Text, Textarea, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { lazy, Suspense, useState } from 'react';
import { queryInstant } from '../base/prom.ts';
import { useText } from '../base/text.ts';
import { Failure, Labels } from '../shell/parts.tsx';
import { putRule, type StoredRule } from './stored-rules.ts';
import { readMatchers, writeMatcher } from './types.ts';

const PromqlEditor = lazy(() => import('../explore/editor.tsx'));

export type RuleDraft = {
  readonly namespace: string;
  readonly group: string;
  readonly rule: StoredRule;
  /** Its place in the group, for a rule that exists. */
  readonly index?: number;
};

const SHOWN = 20;
const DURATION = /^(\d+(ms|[smhdwy]))+$|^0$/;
/** Labels and annotations with fields of their own. */
const OWN_LABELS = ['severity'];
const OWN_ANNOTATIONS = ['summary', 'description'];

const pairsOf = (record: Readonly<Record<string, string>> | undefined, without: readonly string[]): string =>
  Object.entries(record ?? {})
    .filter(([name]) => !without.includes(name))
    .map(([name, value]) => writeMatcher({ name, value, isRegex: false, isEqual: true }))
    .join(', ');

function recordOf(text: string): Record<string, string> | undefined {
  const pairs = readMatchers(text);
  if (!pairs || pairs.some((pair) => pair.isRegex || !pair.isEqual)) return undefined;
  return Object.fromEntries(pairs.map(({ name, value }) => [name, value]));
}

/** Whether anything outside of braces and quotes is compared. */
const compares = (expr: string): boolean =>
  /[<>]|[=!]=|\babsent|\bunless\b/.test(
    expr.replace(/"(?:[^"\\]|\\.)*"|'[^']*'|`[^`]*`/g, '').replace(/\{[^}]*\}/g, ''),
  );

export function RuleForm({ draft, onClose, onDone }: { draft: RuleDraft; onClose: () => void; onDone?: () => void }) {
  const t = useText();
  const client = useQueryClient();
  const given = draft.rule;
  const [namespace, setNamespace] = useState(draft.namespace);
  const [group, setGroup] = useState(draft.group);
  const [name, setName] = useState(given.alert ?? '');
  const [expr, setExpr] = useState(given.expr);
  const [asked, setAsked] = useState(given.expr);
  const [holds, setHolds] = useState(given.for ?? '5m');
  const [keeps, setKeeps] = useState(given.keep_firing_for ?? '');
  const [severity, setSeverity] = useState(given.labels?.severity ?? (given.alert === undefined ? 'warning' : ''));
  const [summary, setSummary] = useState(given.annotations?.summary ?? '');
  const [description, setDescription] = useState(given.annotations?.description ?? '');
  const [labels, setLabels] = useState(() => pairsOf(given.labels, OWN_LABELS));
  const [annotations, setAnnotations] = useState(() => pairsOf(given.annotations, OWN_ANNOTATIONS));
  const preview = useQuery({
    queryKey: ['rule-preview', asked],
    enabled: asked.trim() !== '',
    retry: false,
    queryFn: async ({ signal }) => (await queryInstant('', asked, undefined, { signal })).data.rows,
  });
  const moreLabels = recordOf(labels);
  const moreAnnotations = recordOf(annotations);
  const ready =
    [name, expr, namespace, group].every((one) => one.trim() !== '') &&
    [holds, keeps].every((one) => one === '' || DURATION.test(one)) &&
    moreLabels !== undefined &&
    moreAnnotations !== undefined;
  const save = useMutation({
    mutationFn: () => {
      const rule: StoredRule = {
        alert: name.trim(),
        expr,
        ...(holds ? { for: holds } : {}),
        ...(keeps ? { keep_firing_for: keeps } : {}),
        labels: { ...(severity ? { severity } : {}), ...moreLabels },
        annotations: { ...(summary ? { summary } : {}), ...(description ? { description } : {}), ...moreAnnotations },
      };
      return putRule(namespace.trim(), group.trim(), rule, draft.index);
    },
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: ['rules'] });
      await client.invalidateQueries({ queryKey: ['stored-rules'] });
      onDone?.();
      onClose();
    },
  });
  const duration = (text: string) =>
    text === '' || DURATION.test(text) ? undefined : t('A duration such as 30m, 2h or 1d');
  const pairs = (record: unknown) =>
    record === undefined ? t('Write pairs as name="value", separated by commas') : undefined;
  return (
    <Modal
      opened
      onClose={onClose}
      size="xl"
      title={draft.index === undefined ? t('New alert rule') : t('Edit alert rule')}
      closeButtonProps={{ 'aria-label': t('Close') }}
    >
      <Stack gap="sm">
        <Group grow>
          <TextInput label={t('Name')} value={name} onChange={(e) => setName(e.currentTarget.value)} required />
          <Autocomplete
            label={t('Severity')}
            data={['info', 'warning', 'critical']}
            value={severity}
            onChange={setSeverity}
          />
        </Group>
        <div>
          <Text size="sm" fw={500} mb={2}>
            {t('Fires for every series of')}
          </Text>
          <div className="surface">
            <Suspense fallback={<Text size="sm">…</Text>}>
              <PromqlEditor
                value={expr}
                label={t('Expression')}
                hint="up == 0"
                onChange={setExpr}
                onRun={(text) => setAsked(text)}
              />
            </Suspense>
          </div>
          <Group gap="xs" mt={6}>
            <Button size="compact-sm" variant="default" onClick={() => setAsked(expr)}>
              {t('Try it')}
            </Button>
            <Text size="sm" c="dimmed" role="status">
              {asked === expr && preview.data ? t('{n} alerts now', { n: preview.data.length }) : ''}
            </Text>
          </Group>
          {expr.trim() !== '' && !compares(expr) && (
            <Text size="sm" style={{ color: 'var(--warn)' }} mt={4}>
              {t('Nothing is compared: every series fires, whatever its value. Add a limit such as > 0.9.')}
            </Text>
          )}
          {preview.error && asked === expr && <Failure error={preview.error} />}
          {asked === expr && preview.data && preview.data.length > 0 && (
            <div
              className="surface"
              style={{ padding: 8, maxHeight: 150, overflow: 'auto', marginTop: 6 }}
              tabIndex={0}
            >
              {preview.data.slice(0, SHOWN).map((row) => (
                <Group key={JSON.stringify(row.labels)} gap={8} wrap="nowrap" justify="space-between">
                  <Labels labels={row.labels} />
                  <span className="mono">{row.value}</span>
                </Group>
              ))}
            </div>
          )}
        </div>
        <Group grow align="flex-start">
          <TextInput
            label={t('Holds for')}
            description={t('before it fires')}
            value={holds}
            error={duration(holds)}
            onChange={(e) => setHolds(e.currentTarget.value.trim())}
          />
          <TextInput
            label={t('Keeps firing for')}
            description={t('after it holds no more')}
            value={keeps}
            error={duration(keeps)}
            onChange={(e) => setKeeps(e.currentTarget.value.trim())}
          />
        </Group>
        <TextInput
          label={t('Summary')}
          placeholder="{{ $labels.instance }}: {{ $value }}"
          value={summary}
          onChange={(e) => setSummary(e.currentTarget.value)}
        />
        <Textarea
          label={t('Description')}
          autosize
          minRows={2}
          value={description}
          onChange={(e) => setDescription(e.currentTarget.value)}
        />
        <TextInput
          label={t('More labels')}
          placeholder='team="db"'
          value={labels}
          error={pairs(moreLabels)}
          onChange={(e) => setLabels(e.currentTarget.value)}
        />
        <TextInput
          label={t('More annotations')}
          placeholder='runbook_url="https://..."'
          value={annotations}
          error={pairs(moreAnnotations)}
          onChange={(e) => setAnnotations(e.currentTarget.value)}
        />
        {draft.index === undefined && (
          <Group grow>
            <TextInput
              label={t('Namespace')}
              value={namespace}
              onChange={(e) => setNamespace(e.currentTarget.value)}
              required
            />
            <TextInput label={t('Group')} value={group} onChange={(e) => setGroup(e.currentTarget.value)} required />
          </Group>
        )}
        {save.error && <Failure error={save.error} what={t('The rule could not be saved')} />}
        <Button onClick={() => save.mutate()} disabled={!ready} loading={save.isPending}>
          {t('Save rule')}
        </Button>
      </Stack>
    </Modal>
  );
}
