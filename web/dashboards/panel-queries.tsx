// What a panel asks: its queries with their sources, and what a kind of source needs beside the query.

import { ActionIcon, Button, Checkbox, Group, Select, Stack, Text, Textarea, TextInput } from '@mantine/core';
import { lazy, Suspense } from 'react';
import type { Panel, Query } from '../../src/view/model.ts';
import { localized, useText } from '../base/text.ts';
import { Icon } from '../shell/icons.tsx';
import { apiOf, resolveSource } from './context.ts';
import { ElasticFields } from './elastic-query.tsx';
import { useSources } from './entries.ts';

const PromqlEditor = lazy(() => import('../explore/editor.tsx'));

export function Queries({ panel, onChange }: { panel: Panel; onChange: (panel: Panel) => void }) {
  const t = useText();
  const sources = useSources();
  const set = (index: number, change: Partial<Query>) =>
    onChange({ ...panel, queries: panel.queries.map((one, i) => (i === index ? { ...one, ...change } : one)) });
  const nextRef = String.fromCharCode(65 + panel.queries.length);
  return (
    <Stack gap="sm">
      {panel.queries.map((query, index) => {
        const source = resolveSource(query.source ?? panel.source, sources.data ?? [], {});
        return (
          <div key={`${query.ref}${index}`} className="surface" style={{ padding: 10 }}>
            <Group gap={8} mb={8}>
              <b>{query.ref}</b>
              <Select
                size="xs"
                aria-label={t('Data source')}
                data={(sources.data ?? []).map((one) => ({ value: one.uid, label: one.name }))}
                value={source?.uid ?? null}
                onChange={(uid) => uid && set(index, { source: { uid } })}
              />
              <Checkbox
                size="xs"
                label={t('Instant')}
                checked={query.instant ?? false}
                onChange={(e) => set(index, { instant: e.currentTarget.checked })}
              />
              <Checkbox
                size="xs"
                label={t('As table')}
                checked={query.format === 'table'}
                onChange={(e) => set(index, { format: e.currentTarget.checked ? 'table' : 'series' })}
              />
              <span style={{ flex: 1 }} />
              <ActionIcon
                variant="subtle"
                color="gray"
                aria-label={t('Remove query')}
                onClick={() => onChange({ ...panel, queries: panel.queries.filter((_, i) => i !== index) })}
              >
                <Icon name="trash" size={16} />
              </ActionIcon>
            </Group>
            {query.panel ? (
              <Text size="sm" c="dimmed">
                {t('Takes the answers of panel {id}.', { id: query.panel.id })}
              </Text>
            ) : source === undefined || source.kind === 'prometheus' ? (
              <Suspense fallback={<Text size="sm">…</Text>}>
                <PromqlEditor
                  value={query.expr}
                  label={t('Query {n}', { n: query.ref })}
                  hint="up"
                  source={source ? apiOf(source) : ''}
                  onChange={(expr) => set(index, { expr })}
                  onRun={(expr) => set(index, { expr })}
                />
              </Suspense>
            ) : (
              <Textarea
                aria-label={t('Query {n}', { n: query.ref })}
                autosize
                minRows={3}
                value={query.expr}
                onChange={(e) => set(index, { expr: e.currentTarget.value })}
                styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: 12.5 } }}
              />
            )}
            {source?.kind === 'json' && (
              <ExtraField
                query={query}
                name="root_selector"
                label={t('Where the rows are')}
                hint="data.items"
                set={(change) => set(index, change)}
              />
            )}
            {source?.kind === 'elasticsearch' && (
              <ElasticFields query={query} source={source} onChange={(extra) => set(index, { extra })} />
            )}
            <TextInput
              size="xs"
              mt={8}
              label={t('Legend')}
              placeholder="{{instance}}"
              value={localized(query.legend)}
              onChange={(e) => set(index, { legend: e.currentTarget.value })}
            />
          </div>
        );
      })}
      <Button
        variant="default"
        leftSection={<Icon name="plus" size={15} />}
        onClick={() => onChange({ ...panel, queries: [...panel.queries, { ref: nextRef, expr: '' }] })}
      >
        {t('Add query')}
      </Button>
    </Stack>
  );
}

/** A text beside the query, for sources whose queries are more than one text. */
function ExtraField({
  query,
  name,
  label,
  hint,
  set,
}: {
  query: Query;
  name: string;
  label: string;
  hint: string;
  set: (change: Partial<Query>) => void;
}) {
  const value = query.extra?.[name];
  return (
    <TextInput
      size="xs"
      mt={8}
      label={label}
      placeholder={hint}
      value={typeof value === 'string' ? value : ''}
      onChange={(e) => set({ extra: { ...query.extra, [name]: e.currentTarget.value } })}
    />
  );
}
