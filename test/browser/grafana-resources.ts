// Dashboards as Grafana 11 to 13 writes them: V1 resources (the classic model inside) and V2 resources (elements, layouts,
// kinds), with every type of panel, variables, links and annotations, asking for what any server measures of itself.

import { SHAPES } from './gallery.ts';

type Json = Readonly<Record<string, unknown>>;

/** Grafana's types of panels, with the panel of the gallery that has the data for it. */
export const PANELS: readonly (readonly [type: string, data: string, options?: Json])[] = [
  [
    'timeseries',
    'timeseries',
    { legend: { calcs: ['mean', 'max'], displayMode: 'table', placement: 'bottom', showLegend: true } },
  ],
  ['graph', 'timeseries'],
  ['trend', 'timeseries', { xField: 'Time' }],
  ['stat', 'stat', { reduceOptions: { calcs: ['lastNotNull'], values: false }, graphMode: 'area', colorMode: 'value' }],
  ['singlestat', 'stat'],
  ['gauge', 'gauge', { reduceOptions: { calcs: ['lastNotNull'] }, showThresholdMarkers: true }],
  ['bargauge', 'bargauge', { orientation: 'horizontal', displayMode: 'gradient' }],
  ['table', 'table', { showHeader: true, cellHeight: 'sm', sortBy: [{ displayName: 'instance', desc: false }] }],
  ['heatmap', 'heatmap', { calculate: false, yAxis: { unit: 's' }, color: { scheme: 'Spectral' } }],
  ['histogram', 'histogram', { bucketCount: 10 }],
  ['piechart', 'pie', { pieType: 'donut', displayLabels: ['name', 'percent'] }],
  ['barchart', 'bar', { orientation: 'auto', showValue: 'auto' }],
  ['state-timeline', 'timeline', { mergeValues: true, showValue: 'auto' }],
  ['status-history', 'timeline', { rowHeight: 0.9 }],
  ['text', 'text', { mode: 'markdown', content: '# Words\n\nand **more** of them' }],
  ['alertlist', 'alerts', { maxItems: 20, sortOrder: 1, viewMode: 'list' }],
  ['logs', 'logs', { showTime: true }],
  ['grafana-clock-panel', 'clock', { mode: 'time', clockType: '24 hour' }],
  ['xychart', 'scatter', { mapping: 'auto' }],
  ['geomap', 'map', { layers: [{ type: 'markers', location: { mode: 'lookup', lookup: 'country' } }] }],
  ['fatcloud-windrose-panel', 'windrose'],
  ['snuids-radar-panel', 'radar'],
  ['nodeGraph', 'nodes'],
  ['dashlist', 'links', { showSearch: true, tags: ['pharos'] }],
  ['canvas', 'stat', { root: { elements: [] } }],
];

const SOURCE = { type: 'prometheus', uid: 'abc123' };

/** Answers of another panel. */
const DASHBOARD = { type: 'datasource', uid: '-- Dashboard --' };

const targetOf = (data: string, refId = 'A'): Json[] => {
  const { expr, query } = SHAPES[data] ?? {};
  if (!expr) return [];
  const format = query?.format === 'table' ? 'table' : 'time_series';
  const instant = query?.instant === true;
  return [
    { refId, expr, legendFormat: query?.legend ?? '__auto', format, instant, range: !instant, editorMode: 'code' },
  ];
};

const fieldConfig = {
  defaults: {
    color: { mode: 'palette-classic' },
    mappings: [],
    thresholds: { mode: 'absolute', steps: [{ color: 'green' }, { color: 'red', value: 80 }] },
    unit: 'short',
    custom: { drawStyle: 'line', lineWidth: 1, fillOpacity: 10, showPoints: 'never', spanNulls: false },
  },
  overrides: [
    {
      matcher: { id: 'byRegexp', options: '/query/' },
      properties: [{ id: 'color', value: { mode: 'fixed', fixedColor: 'purple' } }],
    },
  ],
};

const classicPanels = PANELS.map(([type, data, options], index) => ({
  id: index + 1,
  type,
  title: `Of ${type}`,
  description: `What $job looks like as ${type}`,
  datasource: SOURCE,
  gridPos: { x: (index % 4) * 6, y: Math.floor(index / 4) * 7, w: 6, h: 7 },
  fieldConfig,
  options: options ?? {},
  ...(type === 'graph' ? { yaxes: [{ format: 'short' }, { format: 'short' }], lines: true, fill: 1 } : {}),
  ...(type === 'singlestat' ? { format: 'none', valueName: 'current', sparkline: { show: true } } : {}),
  targets: targetOf(data).map((target) => ({ ...target, datasource: SOURCE })),
}));

const classicVariables = [
  { name: 'source', type: 'datasource', query: 'prometheus', current: {}, hide: 0 },
  {
    ...{ name: 'job', type: 'query', label: 'Job', datasource: { type: 'prometheus', uid: `\${source}` } },
    ...{ query: { qryType: 1, query: 'label_values(up, job)', refId: 'V' }, definition: 'label_values(up, job)' },
    ...{ multi: true, includeAll: true, refresh: 2, sort: 1, current: { text: ['All'], value: ['$__all'] } },
  },
  { name: 'size', type: 'custom', query: 'small : 1,big : 10', current: { text: 'small', value: '1' } },
  { name: 'every', type: 'interval', query: '1m,5m', auto: false, current: { text: '1m', value: '1m' } },
  { name: 'words', type: 'textbox', query: 'up', current: { text: 'up', value: 'up' } },
  { name: 'fixed', type: 'constant', query: 'seven', hide: 2 },
  { name: 'Filters', type: 'adhoc', datasource: SOURCE, filters: [] },
  { name: 'grouping', type: 'groupby', datasource: SOURCE },
];

const annotations = {
  list: [
    {
      ...{ builtIn: 1, datasource: { type: 'grafana', uid: '-- Grafana --' }, enable: true, hide: true },
      ...{ name: 'Annotations & Alerts', iconColor: 'rgba(0, 211, 255, 1)', type: 'dashboard' },
    },
    {
      name: 'Ups',
      datasource: SOURCE,
      enable: true,
      expr: 'up{job="pharos"}',
      iconColor: 'green',
      titleFormat: '{{job}}',
    },
    {
      ...{ name: 'Deploys', datasource: { type: 'datasource', uid: 'grafana' }, enable: true, iconColor: 'purple' },
      target: { type: 'tags', tags: ['deploy'], matchAny: false, limit: 100 },
    },
  ],
};

const links = [
  { title: 'Elsewhere', type: 'link', url: 'https://example.com/', targetBlank: true, icon: 'external link' },
  { title: 'Friends', type: 'dashboards', tags: ['pharos'], asDropdown: true, includeVars: true, keepTime: true },
];

export const v1 = (apiVersion: string, name: string): Json => ({
  kind: 'Dashboard',
  apiVersion: `dashboard.grafana.app/${apiVersion}`,
  metadata: { name, namespace: 'default', annotations: { 'grafana.app/folder': '' } },
  spec: {
    ...{
      title: `One ${apiVersion}`,
      editable: true,
      schemaVersion: 42,
      version: 7,
      tags: ['imported'],
      graphTooltip: 1,
    },
    ...{
      time: { from: 'now-5m', to: 'now' },
      refresh: '',
      timezone: 'browser',
      weekStart: '',
      fiscalYearStartMonth: 0,
    },
    ...{ annotations, links, templating: { list: classicVariables } },
    panels: [
      ...classicPanels,
      {
        ...{ id: 99, type: 'stat', title: 'Of stat again', datasource: DASHBOARD, fieldConfig, options: {} },
        ...{ gridPos: { x: 6, y: 42, w: 6, h: 7 }, targets: [{ refId: 'A', datasource: DASHBOARD, panelId: 4 }] },
      },
      {
        ...{ id: 100, type: 'row', title: 'Of job $job', collapsed: false, repeat: 'job', panels: [] },
        gridPos: { x: 0, y: 60, w: 24, h: 1 },
      },
      {
        ...{ id: 101, type: 'stat', title: 'Targets of $job', datasource: SOURCE, fieldConfig, options: {} },
        ...{ gridPos: { x: 0, y: 61, w: 12, h: 4 }, targets: [{ refId: 'A', expr: 'count(up{job=~"$job"})' }] },
      },
    ],
  },
});

/** `v2alpha1` names the kind of the source in the query's own kind, `v2beta1` in its group. */
const dataQuery = (isAlpha: boolean, spec: Json): Json =>
  isAlpha
    ? { query: { kind: 'prometheus', spec }, datasource: SOURCE }
    : { query: { kind: 'DataQuery', version: 'v0', group: 'prometheus', datasource: { name: SOURCE.uid }, spec } };

function element(
  isAlpha: boolean,
  id: number,
  type: string,
  title: string,
  targets: readonly Json[],
  options: Json = {},
) {
  const vizSpec = { options, fieldConfig };
  return {
    kind: 'Panel',
    spec: {
      ...{ id, title, description: '', links: [] },
      data: {
        kind: 'QueryGroup',
        spec: {
          queries: targets.map(({ refId, ...spec }) => ({
            kind: 'PanelQuery',
            spec: { refId, hidden: false, ...dataQuery(isAlpha, spec) },
          })),
          transformations: [],
          queryOptions: {},
        },
      },
      vizConfig: isAlpha
        ? { kind: type, spec: { pluginVersion: '12.0.0', ...vizSpec } }
        : { kind: 'VizConfig', group: type, version: '12.2.0', spec: vizSpec },
    },
  };
}

const reference = (name: string): Json => ({ kind: 'ElementReference', name });
const gridOf = (names: readonly string[]): Json => ({
  kind: 'GridLayout',
  spec: {
    items: names.map((name, index) => ({
      kind: 'GridLayoutItem',
      spec: {
        ...{ x: (index % 4) * 6, y: Math.floor(index / 4) * 7, width: 6, height: 7 },
        element: reference(name),
      },
    })),
  },
});
const autoOf = (names: readonly string[]): Json => ({
  kind: 'AutoGridLayout',
  spec: {
    ...{ maxColumnCount: 3, columnWidthMode: 'standard', rowHeightMode: 'standard', fillScreen: false },
    items: names.map((name) => ({ kind: 'AutoGridLayoutItem', spec: { element: reference(name) } })),
  },
});
const rowOf = (title: string, layout: Json, more: Json = {}): Json => ({
  kind: 'RowsLayoutRow',
  spec: { title, collapse: false, layout, ...more },
});

function variables(isAlpha: boolean): Json[] {
  const from = isAlpha ? { datasource: SOURCE } : {};
  const query = isAlpha
    ? { kind: 'prometheus', spec: { qryType: 1, query: 'label_values(up, job)', refId: 'V' } }
    : {
        ...{ kind: 'DataQuery', version: 'v0', group: 'prometheus', datasource: { name: SOURCE.uid } },
        spec: { qryType: 1, query: 'label_values(up, job)', refId: 'V' },
      };
  const common = { hide: 'dontHide', skipUrlSync: false };
  return [
    {
      kind: 'QueryVariable',
      spec: {
        ...{ ...common, ...from, name: 'job', label: 'Job', query, regex: '', sort: 'alphabeticalAsc', options: [] },
        ...{ refresh: 'onTimeRangeChanged', multi: true, includeAll: true, definition: 'label_values(up, job)' },
        current: { text: ['All'], value: ['$__all'] },
      },
    },
    { kind: 'CustomVariable', spec: { ...common, name: 'size', query: '1,10', multi: false, current: { value: '1' } } },
    { kind: 'IntervalVariable', spec: { ...common, name: 'every', query: '1m,5m', current: { value: '1m' } } },
    { kind: 'TextVariable', spec: { ...common, name: 'words', query: 'up', current: { value: 'up' } } },
    { kind: 'ConstantVariable', spec: { ...common, name: 'fixed', hide: 'hideVariable', query: 'seven' } },
    { kind: 'DatasourceVariable', spec: { ...common, name: 'source', pluginId: 'prometheus', current: {} } },
    { kind: 'AdhocVariable', spec: { ...common, ...from, name: 'Filters', baseFilters: [], filters: [] } },
    { kind: 'SwitchVariable', spec: { ...common, name: 'flag', enabledValue: 'true', disabledValue: 'false' } },
  ];
}

function v2Spec(isAlpha: boolean, title: string, layout: Json, elements: Json): Json {
  const ask = (spec: Json) =>
    isAlpha ? { datasource: SOURCE, query: { kind: 'prometheus', spec } } : dataQuery(false, spec);
  return {
    ...{ title, cursorSync: 'Crosshair', editable: true, preload: false, liveNow: false, tags: ['imported'], links },
    annotations: [
      {
        kind: 'AnnotationQuery',
        spec: {
          ...{
            builtIn: true,
            enable: true,
            hide: true,
            iconColor: 'rgba(0, 211, 255, 1)',
            name: 'Annotations & Alerts',
          },
          query: {
            kind: 'DataQuery',
            group: 'grafana',
            version: 'v0',
            datasource: { name: '-- Grafana --' },
            spec: {},
          },
        },
      },
      {
        kind: 'AnnotationQuery',
        spec: { name: 'Ups', enable: true, hide: false, iconColor: 'green', ...ask({ expr: 'up{job="pharos"}' }) },
      },
    ],
    variables: variables(isAlpha),
    timeSettings: { from: 'now-5m', to: 'now', autoRefresh: '', timezone: 'browser', hideTimepicker: false },
    elements,
    layout,
  };
}

/** Every type of panel in rows: an open one with a grid, a folded one with an automatic grid, one per job. */
export function v2Rows(name: string): Json {
  const elements = Object.fromEntries(
    PANELS.map(([type, data, options], index) => [
      `panel-${index + 1}`,
      element(true, index + 1, type, `Of ${type}`, targetOf(data), options),
    ]),
  );
  const names = Object.keys(elements);
  const perJob = element(true, 101, 'stat', 'Targets of $job', [{ refId: 'A', expr: 'count(up{job=~"$job"})' }]);
  const layout = {
    kind: 'RowsLayout',
    spec: {
      rows: [
        rowOf('First', gridOf(names.slice(0, 16))),
        rowOf('Second', autoOf(names.slice(16)), { collapse: true }),
        rowOf('Of job $job', autoOf(['panel-101']), { repeat: { mode: 'variable', value: 'job' } }),
      ],
    },
  };
  return {
    ...{ kind: 'Dashboard', apiVersion: 'dashboard.grafana.app/v2alpha1', metadata: { name } },
    spec: v2Spec(true, 'Two with rows', layout, { ...elements, 'panel-101': perJob }),
  };
}

/** Tabs: one with an automatic grid, one with rows. */
export function v2Tabs(name: string): Json {
  const wanted = ['timeseries', 'stat', 'bargauge', 'table'];
  const elements = Object.fromEntries(
    PANELS.filter(([type]) => wanted.includes(type)).map(([type, data, options], index) => [
      type,
      element(false, index + 1, type, `Of ${type}`, targetOf(data), options),
    ]),
  );
  const tab = (title: string, layout: Json): Json => ({ kind: 'TabsLayoutTab', spec: { title, layout } });
  const layout = {
    kind: 'TabsLayout',
    spec: {
      tabs: [
        tab('Overview', autoOf(['timeseries', 'stat'])),
        tab('Details', {
          kind: 'RowsLayout',
          spec: { rows: [rowOf('Inner', gridOf(['bargauge', 'table']))] },
        }),
      ],
    },
  };
  return {
    ...{ kind: 'Dashboard', apiVersion: 'dashboard.grafana.app/v2beta1', metadata: { name } },
    spec: v2Spec(false, 'Two with tabs', layout, elements),
  };
}
