// Editing one panel: its queries, how it looks, its fields, and, for all that has no field here, its JSON. The panel is
// drawn beside it as it changes.

import { Button, Drawer, Group, SegmentedControl, Select, Stack, TextInput } from '@mantine/core';
import { useMemo, useState } from 'react';
import {
  type Dashboard,
  type FieldOptions,
  PANEL_TYPES,
  type Panel,
  type PanelOptions,
  type PanelType,
  readDashboard,
} from '../../src/view/model.ts';
import { localized, type TextKey, useText } from '../base/text.ts';
import { resolveRange } from '../base/time.ts';
import { CodeField } from '../shell/code-field.tsx';
import { Failure } from '../shell/parts.tsx';
import { CurrentDashboard } from './context.ts';
import { useSources } from './entries.ts';
import { PanelFrame } from './frame.tsx';
import { changePanel } from './layout.ts';
import { Look } from './panel-look.tsx';
import { Queries } from './panel-queries.tsx';
import { scopeOf, useVariables } from './variables.ts';

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
        {tab === 'json' && <CodeField label="JSON" value={json} onChange={setJson} />}
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
