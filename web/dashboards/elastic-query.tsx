// What an Elasticsearch query asks beside its Lucene text: what is calculated, and by what documents are grouped; kept as
// Grafana keeps it (`metrics`, `bucketAggs`), with the fields that the index has to choose from.

import { ActionIcon, Autocomplete, Button, Group, NumberInput, Select, Text, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import type { Frame } from '../../src/view/frame.ts';
import type { Query } from '../../src/view/model.ts';
import type { PublicSource } from '../../src/view/sources/source.ts';
import { plain, VIEW } from '../base/api.ts';
import { type TextKey, useText } from '../base/text.ts';
import { Icon } from '../shell/icons.tsx';

type Part = {
  readonly id: string;
  readonly type: string;
  readonly field?: string;
  readonly settings?: Readonly<Record<string, unknown>>;
};

const METRICS: Readonly<Record<string, TextKey>> = {
  count: 'Count',
  avg: 'Mean',
  sum: 'Sum',
  min: 'Min',
  max: 'Max',
  cardinality: 'Different values',
  percentiles: '95th percentile',
  raw_data: 'The documents themselves',
};
const BUCKETS: Readonly<Record<string, TextKey>> = {
  date_histogram: 'Time',
  terms: 'Values of a field',
  histogram: 'Ranges of a number',
  filters: 'Filters',
};
const SAMPLE_MS = 24 * 3_600_000;

const partsOf = (value: unknown): readonly Part[] => (Array.isArray(value) ? (value as Part[]) : []);

export type ElasticFieldsProps = {
  readonly query: Query;
  readonly source: PublicSource;
  readonly onChange: (extra: NonNullable<Query['extra']>) => void;
};

export function ElasticFields({ query, source, onChange }: ElasticFieldsProps) {
  const t = useText();
  const { extra = {} } = query;
  const [metrics, buckets] = [partsOf(extra.metrics), partsOf(extra.bucketAggs)];
  const text = (name: string) => (typeof extra[name] === 'string' ? extra[name] : '');
  const set = (change: Readonly<Record<string, unknown>>) => onChange({ ...extra, ...change });
  const fields = useFields(source, text('index'));
  const nextId = String(Math.max(0, ...[...metrics, ...buckets].map(({ id }) => Number(id) || 0)) + 1);
  return (
    <>
      <Group grow mt={8}>
        <TextInput
          size="xs"
          label={t('Index')}
          placeholder="logs-*"
          value={text('index')}
          onChange={(e) => set({ index: e.currentTarget.value })}
        />
        <Autocomplete
          size="xs"
          label={t('Field of the time')}
          placeholder="@timestamp"
          data={fields}
          value={text('timeField')}
          onChange={(timeField) => set({ timeField })}
        />
      </Group>
      <Parts
        title={t('Calculated')}
        add={t('Add calculation')}
        texts={METRICS}
        parts={metrics}
        fields={fields}
        fresh={{ id: nextId, type: 'count' }}
        onChange={(next) => set({ metrics: next })}
      />
      <Parts
        title={t('Grouped by')}
        add={t('Add grouping')}
        texts={BUCKETS}
        parts={buckets}
        fields={fields}
        fresh={{ id: nextId, type: buckets.length === 0 ? 'date_histogram' : 'terms' }}
        onChange={(next) => set({ bucketAggs: next })}
      />
      {metrics.length > 0 && buckets.length === 0 && !metrics.some(({ type }) => type === 'raw_data') && (
        <Text size="xs" c="dimmed" mt={4}>
          {t('Without a grouping the latest documents are shown as they are.')}
        </Text>
      )}
    </>
  );
}

function Parts({
  title,
  add,
  texts,
  parts,
  fields,
  fresh,
  onChange,
}: {
  title: string;
  add: string;
  texts: Readonly<Record<string, TextKey>>;
  parts: readonly Part[];
  fields: readonly string[];
  fresh: Part;
  onChange: (parts: Part[]) => void;
}) {
  const t = useText();
  const set = (index: number, change: Partial<Part>) =>
    onChange(parts.map((one, i) => (i === index ? { ...one, ...change } : one)));
  return (
    <fieldset style={{ border: 0, padding: 0, margin: '8px 0 0' }}>
      <legend style={{ fontSize: 12, fontWeight: 600, padding: 0 }}>{title}</legend>
      {parts.map((part, index) => (
        <Group key={part.id} gap={6} mt={4} align="flex-end">
          <Select
            size="xs"
            w={190}
            aria-label={title}
            allowDeselect={false}
            data={[...new Set([...Object.keys(texts), part.type])].map((value) => ({
              value,
              label: texts[value] ? t(texts[value]) : value,
            }))}
            value={part.type}
            onChange={(type) => type && set(index, { type, ...settingsOf(type) })}
          />
          {!['count', 'raw_data', 'filters'].includes(part.type) && (
            <Autocomplete
              size="xs"
              w={200}
              aria-label={t('Field')}
              placeholder={part.type === 'date_histogram' ? '@timestamp' : t('Field')}
              data={[...fields]}
              value={part.field ?? ''}
              onChange={(field) => set(index, { field })}
            />
          )}
          <PartSettings part={part} onChange={(settings) => set(index, { settings })} />
          <ActionIcon
            variant="subtle"
            color="gray"
            aria-label={t('Remove')}
            onClick={() => onChange(parts.filter((_, i) => i !== index))}
          >
            <Icon name="trash" size={15} />
          </ActionIcon>
        </Group>
      ))}
      <Button mt={4} size="compact-xs" variant="default" onClick={() => onChange([...parts, fresh])}>
        {add}
      </Button>
    </fieldset>
  );
}

const settingsOf = (type: string): Partial<Part> =>
  type === 'percentiles' ? { settings: { percents: [95] } } : { settings: {} };

function PartSettings({ part, onChange }: { part: Part; onChange: (settings: Part['settings']) => void }) {
  const t = useText();
  const { settings = {} } = part;
  const set = (change: Readonly<Record<string, unknown>>) => onChange({ ...settings, ...change });
  const number = (name: string, label: TextKey, hint: string) => (
    <NumberInput
      size="xs"
      w={110}
      aria-label={t(label)}
      placeholder={hint}
      min={1}
      value={settings[name] === undefined ? '' : Number(settings[name])}
      onChange={(value) => set({ [name]: typeof value === 'number' ? value : undefined })}
    />
  );
  switch (part.type) {
    case 'terms':
      return (
        <>
          {number('size', 'How many', '10')}
          <Select
            size="xs"
            w={150}
            aria-label={t('Order')}
            allowDeselect={false}
            data={[
              { value: '_count', label: t('Most first') },
              { value: '_key', label: t('By name') },
            ]}
            value={settings.orderBy === '_key' || settings.orderBy === '_term' ? '_key' : '_count'}
            onChange={(orderBy) => set({ orderBy, order: orderBy === '_key' ? 'asc' : 'desc' })}
          />
        </>
      );
    case 'histogram':
      return number('interval', 'Width of a range', '1000');
    case 'date_histogram':
      return (
        <TextInput
          size="xs"
          w={110}
          aria-label={t('Step')}
          placeholder={t('automatic')}
          value={/^\d/.test(String(settings.interval ?? '')) ? String(settings.interval) : ''}
          onChange={(e) => set({ interval: e.currentTarget.value || 'auto' })}
        />
      );
    case 'filters': {
      const filters = Array.isArray(settings.filters) ? (settings.filters as { query: string }[]) : [];
      return (
        <TextInput
          size="xs"
          w={320}
          aria-label={t('Filters')}
          placeholder="status:200; status:500"
          value={filters.map((one) => one.query).join('; ')}
          onChange={(e) =>
            set({ filters: e.currentTarget.value.split(';').map((one) => ({ query: one.trimStart(), label: '' })) })
          }
        />
      );
    }
    default:
      return null;
  }
}

/** Names of fields, from the latest documents of the index. */
function useFields(source: PublicSource, index: string): readonly string[] {
  const { data } = useQuery({
    queryKey: ['elastic-fields', source.uid, index],
    staleTime: 60_000,
    retry: false,
    queryFn: async ({ signal }) => {
      const toMs = Date.now();
      const answer = await plain<{ data: readonly { frames: readonly Frame[] }[] }>(
        `${VIEW}/sources/${encodeURIComponent(source.uid)}/query`,
        {
          method: 'POST',
          body: {
            fromMs: toMs - SAMPLE_MS,
            toMs,
            queries: [{ ref: 'fields', expr: '', format: 'table', extra: index ? { index } : {} }],
          },
          signal,
        },
      );
      return (answer.data[0]?.frames[0]?.fields ?? []).map((field) => field.name).filter((name) => !/^_/.test(name));
    },
  });
  return data ?? [];
}
