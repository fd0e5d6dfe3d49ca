// Editing one panel: its queries, how it looks, its fields, and, for all that has no field here, its JSON. The panel is
// drawn beside it as it changes.

import {
  ActionIcon,
  Button,
  Checkbox,
  Drawer,
  Group,
  NumberInput,
  SegmentedControl,
  Select,
  Stack,
  Text,
  Textarea,
  TextInput,
} from '@mantine/core';
import { lazy, Suspense, useMemo, useState } from 'react';
import { CALCULATIONS } from '../../src/view/calculate.ts';
import {
  type Dashboard,
  type FieldOptions,
  PANEL_TYPES,
  type Panel,
  type PanelOptions,
  type PanelType,
  type Query,
  readDashboard,
  type ThresholdStep,
} from '../../src/view/model.ts';
import { UNIT_IDS } from '../../src/view/units.ts';
import { localized, type TextKey, useText } from '../base/text.ts';
import { resolveRange } from '../base/time.ts';
import { Icon } from '../shell/icons.tsx';
import { Failure } from '../shell/parts.tsx';
import { apiOf, CurrentDashboard, resolveSource } from './context.ts';
import { useSources } from './entries.ts';
import { PanelFrame } from './frame.tsx';
import { changePanel } from './layout.ts';
import { scopeOf, useVariables } from './variables.ts';

const PromqlEditor = lazy(() => import('../explore/editor.tsx'));

export const TYPE_TEXTS: Record<PanelType, TextKey> = {
  row: 'Row',
  timeseries: 'Time series',
  stat: 'Single value',
  gauge: 'Gauge',
  bargauge: 'Bar gauge',
  table: 'Table',
  heatmap: 'Heat map',
  histogram: 'Histogram',
  pie: 'Pie',
  bar: 'Bars',
  timeline: 'State timeline',
  text: 'Text',
  alerts: 'Alerts',
  logs: 'Log lines',
  clock: 'Clock',
  scatter: 'Scatter and bubbles',
  map: 'World map',
  windrose: 'Wind rose',
  radar: 'Radar',
  nodes: 'Node graph',
  links: 'Dashboard links',
  unsupported: 'Not supported',
};

type Tab = 'query' | 'look' | 'json';

export function PanelEditor({
  panel: given,
  dashboard,
  onDone,
  onClose,
}: {
  panel: Panel;
  dashboard: Dashboard;
  onDone: (dashboard: Dashboard) => void;
  onClose: () => void;
}) {
  const t = useText();
  const [panel, setPanel] = useState(given);
  const [tab, setTab] = useState<Tab>('query');
  const [json, setJson] = useState('');
  const [error, setError] = useState<unknown>();
  const apply = () => {
    try {
      const next = tab === 'json' ? (JSON.parse(json) as Panel) : panel;
      onDone(readDashboard(changePanel(dashboard, given.id, () => ({ ...next, id: given.id }))));
    } catch (caught) {
      setError(caught);
    }
  };
  const toTab = (next: Tab) => {
    setError(undefined);
    try {
      if (next === 'json') setJson(JSON.stringify(panel, null, 2));
      else if (tab === 'json') setPanel({ ...(JSON.parse(json) as Panel), id: given.id });
      setTab(next);
    } catch (caught) {
      setError(caught);
    }
  };
  const options = (change: Partial<PanelOptions>) => setPanel({ ...panel, options: { ...panel.options, ...change } });
  const field = (change: Partial<FieldOptions>) => setPanel({ ...panel, field: { ...panel.field, ...change } });
  return (
    <Drawer
      opened
      onClose={onClose}
      position="right"
      size="min(860px, 100%)"
      title={t('Edit panel')}
      closeButtonProps={{ 'aria-label': t('Close') }}
    >
      <Stack gap="sm">
        <div style={{ height: 260 }}>
          <Preview panel={panel} dashboard={dashboard} />
        </div>
        <Group grow>
          <TextInput
            label={t('Title')}
            value={localized(panel.title)}
            onChange={(e) => setPanel({ ...panel, title: e.currentTarget.value })}
          />
          <Select
            label={t('Type')}
            searchable
            allowDeselect={false}
            data={PANEL_TYPES.filter((type) => type !== 'row' && type !== 'unsupported').map((type) => ({
              value: type,
              label: t(TYPE_TEXTS[type]),
            }))}
            value={panel.type}
            onChange={(type) => type && setPanel({ ...panel, type: type as PanelType })}
          />
        </Group>
        <SegmentedControl
          aria-label={t('What to edit')}
          value={tab}
          onChange={(next) => toTab(next as Tab)}
          data={[
            { value: 'query', label: t('Queries') },
            { value: 'look', label: t('Look') },
            { value: 'json', label: 'JSON' },
          ]}
        />
        {tab === 'query' && <Queries panel={panel} onChange={setPanel} />}
        {tab === 'look' && <Look panel={panel} onOptions={options} onField={field} onPanel={setPanel} />}
        {tab === 'json' && (
          <Textarea
            aria-label="JSON"
            autosize
            minRows={14}
            maxRows={30}
            value={json}
            onChange={(e) => setJson(e.currentTarget.value)}
            styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: 12 } }}
          />
        )}
        {error !== undefined && <Failure error={error} what={t('The panel is not right yet')} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            {t('Cancel')}
          </Button>
          <Button onClick={apply}>{t('Apply')}</Button>
        </Group>
      </Stack>
    </Drawer>
  );
}

function Preview({ panel, dashboard }: { panel: Panel; dashboard: Dashboard }) {
  const sources = useSources();
  const query = useMemo(() => new URLSearchParams(location.search), []);
  const [nowMs] = useState(() => Date.now());
  const range = useMemo(
    () => ({
      from: query.get('from') ?? dashboard.time?.from ?? 'now-1h',
      to: query.get('to') ?? dashboard.time?.to ?? 'now',
    }),
    [query, dashboard.time],
  );
  const span = useMemo(() => resolveRange(range, nowMs), [range, nowMs]);
  const variables = useVariables(dashboard, query, sources.data, span);
  const scope = useMemo(() => scopeOf(variables.data ?? []), [variables.data]);
  const context = useMemo(
    () => ({
      dashboard,
      sources: sources.data ?? [],
      scope,
      range,
      span,
      nowMs,
      marks: [],
      filters: [],
      onZoom: () => undefined,
      editing: false,
    }),
    [dashboard, sources.data, scope, range, span, nowMs],
  );
  if (!sources.data) return null;
  return (
    <CurrentDashboard.Provider value={context}>
      <PanelFrame panel={panel} scope={scope} />
    </CurrentDashboard.Provider>
  );
}

function Queries({ panel, onChange }: { panel: Panel; onChange: (panel: Panel) => void }) {
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
            {source === undefined || source.kind === 'prometheus' ? (
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
            <TextInput
              size="xs"
              mt={8}
              label={t('Legend')}
              placeholder="{{instance}}"
              value={query.legend ?? ''}
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

function Look({
  panel,
  onOptions,
  onField,
  onPanel,
}: {
  panel: Panel;
  onOptions: (change: Partial<PanelOptions>) => void;
  onField: (change: Partial<FieldOptions>) => void;
  onPanel: (panel: Panel) => void;
}) {
  const t = useText();
  const field = panel.field ?? {};
  const draw = field.draw ?? {};
  const number = (value: string | number) => (typeof value === 'number' ? { value } : {});
  return (
    <Stack gap="sm">
      {panel.type === 'text' && (
        <Textarea
          label={t('Text (Markdown)')}
          autosize
          minRows={5}
          value={localized(panel.options?.content)}
          onChange={(e) => onOptions({ content: e.currentTarget.value })}
        />
      )}
      <TextInput
        label={t('Description')}
        value={localized(panel.description)}
        onChange={(e) => onPanel({ ...panel, description: e.currentTarget.value })}
      />
      <Group grow>
        <Select
          label={t('Unit')}
          searchable
          clearable
          data={[...UNIT_IDS]}
          value={field.unit ?? null}
          onChange={(unit) => onField(unit ? { unit } : { unit: '' })}
        />
        <NumberInput
          label={t('Decimals')}
          min={0}
          max={12}
          value={field.decimals ?? ''}
          onChange={(value) => onField(number(value).value === undefined ? {} : { decimals: Number(value) })}
        />
        <NumberInput
          label={t('Min')}
          value={field.min ?? ''}
          onChange={(value) => onField(number(value).value === undefined ? {} : { min: Number(value) })}
        />
        <NumberInput
          label={t('Max')}
          value={field.max ?? ''}
          onChange={(value) => onField(number(value).value === undefined ? {} : { max: Number(value) })}
        />
      </Group>
      {panel.type === 'timeseries' && (
        <Group grow>
          <Select
            label={t('Style')}
            allowDeselect={false}
            data={[
              { value: 'line', label: t('Lines') },
              { value: 'bars', label: t('Bars') },
              { value: 'points', label: t('Points') },
            ]}
            value={draw.style ?? 'line'}
            onChange={(style) => onField({ draw: { ...draw, style: style as 'line' } })}
          />
          <Select
            label={t('Stacking')}
            allowDeselect={false}
            data={[
              { value: 'none', label: t('Off') },
              { value: 'normal', label: t('Stacked') },
              { value: 'percent', label: '100 %' },
            ]}
            value={draw.stack ?? 'none'}
            onChange={(stack) => onField({ draw: { ...draw, stack: stack as 'none' } })}
          />
          <NumberInput
            label={t('Fill')}
            min={0}
            max={1}
            step={0.1}
            decimalScale={2}
            value={draw.fill ?? 0}
            onChange={(fill) => onField({ draw: { ...draw, fill: Number(fill) } })}
          />
          <Select
            label={t('Thresholds')}
            allowDeselect={false}
            data={[
              { value: 'off', label: t('Off') },
              { value: 'line', label: t('Lines') },
              { value: 'area', label: t('Areas') },
            ]}
            value={draw.thresholds ?? 'off'}
            onChange={(thresholds) => onField({ draw: { ...draw, thresholds: thresholds as 'off' } })}
          />
        </Group>
      )}
      <Group grow>
        <Select
          label={t('Calculation')}
          searchable
          clearable
          data={Object.keys(CALCULATIONS)}
          value={panel.options?.calc ?? null}
          onChange={(calc) => onOptions(calc ? { calc } : {})}
        />
        <Select
          label={t('Legend')}
          allowDeselect={false}
          data={[
            { value: 'bottom', label: t('Below') },
            { value: 'right', label: t('Right') },
            { value: 'table', label: t('Table') },
            { value: 'none', label: t('Off') },
          ]}
          value={
            panel.options?.legend?.show === false
              ? 'none'
              : panel.options?.legend?.table
                ? 'table'
                : (panel.options?.legend?.placement ?? 'bottom')
          }
          onChange={(value) =>
            onOptions({
              legend: {
                show: value !== 'none',
                placement: value === 'right' ? 'right' : 'bottom',
                ...(value === 'table' ? { table: true, calcs: ['mean', 'max', 'lastNotNull'] } : {}),
              },
            })
          }
        />
        {panel.type === 'stat' && (
          <Select
            label={t('Colour')}
            allowDeselect={false}
            data={[
              { value: 'value', label: t('Value') },
              { value: 'ground', label: t('Background') },
              { value: 'none', label: t('Off') },
            ]}
            value={panel.options?.color ?? 'value'}
            onChange={(color) => onOptions({ color: color as 'value' })}
          />
        )}
      </Group>
      <Thresholds
        steps={field.thresholds?.steps ?? []}
        onChange={(steps) => onField({ thresholds: { mode: field.thresholds?.mode ?? 'absolute', steps } })}
      />
    </Stack>
  );
}

const COLORS = ['green', 'yellow', 'orange', 'red', 'blue', 'purple', 'transparent'];

function Thresholds({
  steps,
  onChange,
}: {
  steps: readonly ThresholdStep[];
  onChange: (steps: ThresholdStep[]) => void;
}) {
  const t = useText();
  const set = (index: number, change: Partial<ThresholdStep>) =>
    onChange(steps.map((one, i) => (i === index ? { ...one, ...change } : one)));
  return (
    <div>
      <Text size="sm" fw={500}>
        {t('Thresholds')}
      </Text>
      {steps.map((step, index) => (
        <Group key={index} gap={6} mt={4}>
          {step.value === null ? (
            <Text size="sm" w={120}>
              {t('Base')}
            </Text>
          ) : (
            <NumberInput
              aria-label={t('From this value')}
              w={120}
              value={step.value}
              onChange={(value) => set(index, { value: Number(value) })}
            />
          )}
          <Select
            aria-label={t('Colour')}
            w={140}
            allowDeselect={false}
            data={[...new Set([...COLORS, step.color])]}
            value={step.color}
            onChange={(color) => color && set(index, { color })}
          />
          <ActionIcon
            variant="subtle"
            color="gray"
            aria-label={t('Remove')}
            onClick={() => onChange(steps.filter((_, i) => i !== index))}
          >
            <Icon name="trash" size={16} />
          </ActionIcon>
        </Group>
      ))}
      <Button
        size="compact-sm"
        mt={6}
        variant="default"
        onClick={() =>
          onChange(
            steps.length === 0
              ? [
                  { value: null, color: 'green' },
                  { value: 80, color: 'red' },
                ]
              : [...steps, { value: (steps.at(-1)?.value ?? 0) + 10, color: 'red' }],
          )
        }
      >
        {t('Add threshold')}
      </Button>
    </div>
  );
}
