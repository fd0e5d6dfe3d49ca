import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readDashboard } from '../model.ts';
import { toUid } from '../uid.ts';
import { importDashboard } from './import.ts';

test('a dashboard of rows with spans becomes a grid, old panels what replaced them', () => {
  const { dashboard, problems } = importDashboard({
    title: 'Old one',
    schemaVersion: 6,
    __inputs: [{ name: 'DS_PROMETHEUS', type: 'datasource', pluginId: 'prometheus' }],
    rows: [
      {
        title: 'First',
        height: '250px',
        panels: [
          {
            id: 3,
            type: 'graph',
            span: 8,
            title: 'Traffic',
            datasource: `\${DS_PROMETHEUS}`,
            fill: 3,
            stack: true,
            yaxes: [{ format: 'Bps', min: '0', label: 'in' }, { format: 'percent' }],
            seriesOverrides: [
              { alias: 'errors', yaxis: 2, transform: 'negative-Y' },
              { alias: '/^p9/', fillBelowTo: 'p50' },
            ],
            targets: [{ refId: 'A', expr: 'rate(x[$__rate_interval])', legendFormat: '{{job}}' }],
          },
          {
            id: 4,
            type: 'singlestat',
            span: 4,
            title: 'Up',
            format: 'none',
            valueName: 'current',
            colorValue: true,
            thresholds: '1,2',
            colors: ['red', 'orange', 'green'],
            valueMaps: [{ op: '=', value: '1', text: 'fine' }],
            targets: [{ expr: 'up' }],
          },
        ],
      },
    ],
    templating: {
      list: [
        {
          name: 'job',
          type: 'query',
          query: 'label_values(up, job)',
          datasource: 'Prometheus',
          multi: true,
          includeAll: true,
          refresh: 2,
        },
      ],
    },
  });
  readDashboard(dashboard);
  assert.equal(dashboard.uid, 'old-one');
  const [traffic, up] = dashboard.panels;
  assert.deepEqual(traffic!.grid, { x: 0, y: 0, w: 16, h: 7 });
  assert.deepEqual(up!.grid, { x: 16, y: 0, w: 8, h: 7 });
  assert.equal(traffic!.type, 'timeseries');
  assert.deepEqual(traffic!.source, { kind: 'prometheus' });
  assert.deepEqual(
    {
      unit: traffic!.field?.unit,
      min: traffic!.field?.min,
      stack: traffic!.field?.draw?.stack,
      fill: traffic!.field?.draw?.fill,
    },
    { unit: 'Bps', min: 0, stack: 'normal', fill: 0.3 },
  );
  assert.deepEqual(traffic!.overrides![0], {
    match: { by: 'name', value: 'errors' },
    set: { unit: 'percent', draw: { axis: 'right', negative: true } },
  });
  assert.equal(up!.type, 'stat');
  assert.equal(up!.options?.calc, 'lastNotNull');
  assert.deepEqual(up!.field?.thresholds?.steps, [
    { value: null, color: 'red' },
    { value: 1, color: 'orange' },
    { value: 2, color: 'green' },
  ]);
  assert.deepEqual(up!.field?.mappings, [{ kind: 'value', values: { '1': { text: 'fine' } } }]);
  assert.equal(dashboard.variables![0]!.refresh, 'range');
  assert.deepEqual(problems, ['panel "Traffic": the band of "/^p9/" down to "p50" is drawn as a line']);
});

test('single values of old: gauges, text around the value, steps that nobody reads', () => {
  const stat = (more: Record<string, unknown>) => {
    const { dashboard, problems } = importDashboard({
      title: 'Old',
      schemaVersion: 14,
      panels: [
        {
          id: 1,
          type: 'singlestat',
          gridPos: { x: 0, y: 0, w: 4, h: 4 },
          targets: [{ expr: 'up', step: 900 }],
          ...more,
        },
      ],
    });
    return { ...dashboard.panels[0]!, problems };
  };
  const gauge = stat({ format: 'percent', gauge: { show: true, minValue: 0, maxValue: 100 } });
  assert.deepEqual([gauge.type, gauge.field?.min, gauge.field?.max], ['gauge', 0, 100]);
  assert.equal(gauge.queries[0]!.step, undefined);
  assert.deepEqual([stat({ postfix: ' pods' }).field?.unit, stat({ postfix: ' pods' }).problems], ['suffix: pods', []]);
  assert.equal(stat({ prefix: '~', format: 'none' }).field?.unit, 'prefix:~');
  assert.match(stat({ prefix: '~', format: 'bytes' }).problems[0]!, /text before or after the value is left out/);
});

test('what has no counterpart is listed, not dropped', () => {
  const { dashboard, problems } = importDashboard({
    uid: 'abc',
    title: 'T',
    schemaVersion: 39,
    panels: [
      { id: 1, type: 'volkovlabs-form-panel', title: 'Form', gridPos: { x: 0, y: 0, w: 12, h: 4 } },
      {
        id: 2,
        type: 'timeseries',
        title: 'Calc',
        gridPos: { x: 12, y: 0, w: 12, h: 4 },
        targets: [
          { refId: 'A', expr: 'up' },
          { refId: 'B', datasource: { type: '__expr__', uid: '__expr__' }, type: 'math', expression: '$A * 2' },
        ],
        transformations: [{ id: 'spatial', options: {} }],
        fieldConfig: {
          defaults: { unit: 'bytes' },
          overrides: [
            { matcher: { id: 'byName', options: 'a' }, properties: [{ id: 'custom.axisCenteredZero', value: true }] },
          ],
        },
      },
    ],
    templating: { list: [{ name: 'g', type: 'groupby' }] },
    annotations: {
      list: [
        { builtIn: 1, name: 'x' },
        { name: 'deploys', target: { expr: 'changes(build[1m]) > 0' } },
      ],
    },
  });
  assert.equal(dashboard.panels[0]!.type, 'unsupported');
  assert.equal(dashboard.panels[0]!.options?.original, 'volkovlabs-form-panel');
  assert.equal(dashboard.panels[1]!.queries.length, 1);
  assert.equal(dashboard.annotations!.length, 1);
  assert.deepEqual(problems, [
    'variable "g": variables of type "groupby" are left out',
    'panel "Form": panels of type "volkovlabs-form-panel" have no counterpart; it shows what it was',
    'panel "Calc": field override "custom.axisCenteredZero" is left out',
    'panel "Calc": query B is a server-side expression (math), which is left out',
    'panel "Calc": transformation "spatial" is left out',
  ]);
});

test('a V2 resource: elements, grid and rows, variables', () => {
  const element = (id: number, title: string) => ({
    kind: 'Panel',
    spec: {
      id,
      title,
      vizConfig: {
        kind: 'VizConfig',
        group: 'stat',
        spec: { options: { reduceOptions: { calcs: ['max'] } }, fieldConfig: { defaults: { unit: 's' } } },
      },
      data: {
        kind: 'QueryGroup',
        spec: {
          queries: [
            {
              kind: 'PanelQuery',
              spec: {
                refId: 'A',
                query: { kind: 'DataQuery', group: 'prometheus', datasource: { name: 'prom' }, spec: { expr: 'up' } },
              },
            },
          ],
        },
      },
    },
  });
  const { dashboard, problems } = importDashboard({
    apiVersion: 'dashboard.grafana.app/v2beta1',
    kind: 'Dashboard',
    metadata: { name: 'v2-one' },
    spec: {
      title: 'Two',
      elements: { a: element(1, 'A'), b: element(2, 'B') },
      layout: {
        kind: 'RowsLayout',
        spec: {
          rows: [
            {
              kind: 'RowsLayoutRow',
              spec: {
                title: 'R',
                layout: {
                  kind: 'GridLayout',
                  spec: {
                    items: [
                      {
                        kind: 'GridLayoutItem',
                        spec: { x: 0, y: 0, width: 6, height: 5, element: { kind: 'ElementReference', name: 'a' } },
                      },
                    ],
                  },
                },
              },
            },
            {
              kind: 'RowsLayoutRow',
              spec: {
                title: 'S',
                collapse: true,
                layout: {
                  kind: 'AutoGridLayout',
                  spec: { items: [{ kind: 'AutoGridLayoutItem', spec: { element: { name: 'b' } } }] },
                },
              },
            },
          ],
        },
      },
      variables: [{ kind: 'CustomVariable', spec: { name: 'v', query: 'a,b', multi: true } }],
      timeSettings: { from: 'now-6h', to: 'now', autoRefresh: '1m' },
    },
  });
  assert.deepEqual(problems, []);
  assert.equal(dashboard.uid, 'v2-one');
  assert.deepEqual(
    dashboard.panels.map((panel) => [panel.type, panel.title, panel.grid.y]),
    [
      ['row', 'R', 0],
      ['stat', 'A', 1],
      ['row', 'S', 6],
    ],
  );
  assert.equal(dashboard.panels[2]!.panels![0]!.title, 'B');
  assert.deepEqual(dashboard.panels[1]!.queries[0], {
    ref: 'A',
    source: { uid: 'prom', kind: 'prometheus' },
    expr: 'up',
  });
  assert.deepEqual({ refresh: dashboard.refresh, from: dashboard.time?.from }, { refresh: '1m', from: 'now-6h' });
});

test('texts that are no names get an address of their own', () => {
  assert.equal(toUid('Node Exporter Full'), 'node-exporter-full');
  assert.match(toUid('仪表盘'), /^dashboard-[0-9a-z]+$/);
  assert.throws(() => importDashboard({ hello: 1 }), /neither a title nor panels/);
});

test('rows that repeat hold their panels, tabs are tabs, and fields are chosen by what is calculated of them', () => {
  const stat = (id: number, y: number) => ({
    ...{ id, type: 'stat', title: `S${id}`, gridPos: { x: 0, y, w: 6, h: 4 }, targets: [{ refId: 'A', expr: 'up' }] },
    fieldConfig: {
      defaults: {},
      overrides: [
        {
          matcher: { id: 'byValue', options: { reducer: 'max', op: 'lte', value: 0 } },
          properties: [{ id: 'custom.hideFrom', value: { viz: true } }],
        },
      ],
    },
  });
  const { dashboard, problems } = importDashboard({
    title: 'R',
    schemaVersion: 42,
    panels: [
      { id: 9, type: 'row', title: '$job', repeat: 'job', collapsed: false, gridPos: { x: 0, y: 0, w: 24, h: 1 } },
      stat(1, 1),
      stat(2, 1),
      { id: 10, type: 'row', title: 'rest', collapsed: false, gridPos: { x: 0, y: 6, w: 24, h: 1 } },
      stat(3, 7),
    ],
  });
  assert.deepEqual(problems, []);
  assert.deepEqual(
    dashboard.panels.map((panel) => [panel.id, panel.repeat?.variable, panel.panels?.map(({ id }) => id)]),
    [
      [9, 'job', [1, 2]],
      [10, undefined, undefined],
      [3, undefined, undefined],
    ],
  );
  assert.deepEqual(dashboard.panels[2]!.overrides![0]!.match, { by: 'value', value: 'max <= 0' });

  const layout = (title: string) => ({
    kind: 'TabsLayoutTab',
    spec: { title, layout: { kind: 'GridLayout', spec: {} } },
  });
  const tabs = importDashboard({
    apiVersion: 'dashboard.grafana.app/v2beta1',
    metadata: { name: 't' },
    spec: { title: 'T', elements: {}, layout: { kind: 'TabsLayout', spec: { tabs: [layout('A'), layout('B')] } } },
  });
  assert.deepEqual(
    tabs.dashboard.panels.map((panel) => [panel.type, panel.title, panel.tab]),
    [
      ['row', 'A', true],
      ['row', 'B', true],
    ],
  );
});

test('annotations that Grafana keeps are asked for by their tags; options without effect are named', () => {
  const { dashboard, problems } = importDashboard({
    title: 'A',
    panels: [
      {
        ...{ id: 1, type: 'table', title: 'T', gridPos: { x: 0, y: 0, w: 6, h: 4 }, targets: [] },
        options: {
          showHeader: false,
          cellHeight: 'lg',
          strange: { deep: 7 },
          footer: { show: true, reducer: ['mean'] },
        },
        fieldConfig: { defaults: { custom: { fillBelowTo: 'x', width: 80 } }, overrides: [] },
      },
    ],
    annotations: {
      list: [
        { builtIn: 1, datasource: { type: 'grafana', uid: '-- Grafana --' }, enable: true, name: 'own' },
        {
          ...{ datasource: { type: 'datasource', uid: 'grafana' }, enable: true, iconColor: 'red', name: 'deploys' },
          target: { type: 'tags', tags: ['deploy'], matchAny: true },
        },
      ],
    },
  });
  assert.deepEqual(
    dashboard.annotations!.map(({ name, notes }) => [name, notes]),
    [['deploys', { tags: ['deploy'], anyTag: true }]],
  );
  assert.deepEqual(dashboard.panels[0]!.options?.footer, { calc: 'mean' });
  assert.deepEqual(problems, [
    'option "showHeader" of panels of type "table" is left out',
    'option "strange.deep" of panels of type "table" is left out',
    'option "custom.fillBelowTo" of panels of type "table" is left out',
    'details of drawing are as in all dashboards here: cellHeight',
  ]);
});

test('the rows of a heat map keep their unit, whichever way it is written', () => {
  const { dashboard, problems } = importDashboard({
    title: 'Heat',
    schemaVersion: 39,
    panels: [
      { id: 1, type: 'heatmap', title: 'new', options: { yAxis: { unit: 's' } }, targets: [{ expr: 'x' }] },
      { id: 2, type: 'heatmap', title: 'old', yAxis: { format: 'decbytes' }, targets: [{ expr: 'x' }] },
      { id: 3, type: 'heatmap', title: 'none', targets: [{ expr: 'x' }] },
    ],
  });
  assert.deepEqual(
    dashboard.panels.map((panel) => panel.options?.rowUnit),
    ['s', 'decbytes', undefined],
  );
  assert.deepEqual(problems, []);
});
