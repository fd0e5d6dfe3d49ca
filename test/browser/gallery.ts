// A dashboard with one panel of every type, drawn from what any server measures of itself.

import { PANEL_TYPES, SCHEMA } from '#view/model.ts';

const REQUESTS = 'sum by (handler) (rate(prometheus_http_requests_total[1m]))';
const labelled = (pairs: Readonly<Record<string, string>>, value: string): string =>
  Object.entries(pairs).reduce(
    (inner, [name, text]) => `label_replace(${inner}, "${name}", "${text}", "", "")`,
    `vector(${value})`,
  );
const many = (name: string, values: Readonly<Record<string, number>>): string =>
  Object.entries(values)
    .map(([text, value]) => labelled({ [name]: text }, String(value)))
    .join(' or ');

type Shape = {
  readonly expr?: string;
  readonly more?: Record<string, unknown>;
  readonly query?: Record<string, unknown>;
};

export const SHAPES: Readonly<Record<string, Shape>> = {
  timeseries: { expr: REQUESTS },
  stat: { expr: 'count(up)' },
  gauge: { expr: 'avg(up) * 73', more: { field: { unit: 'percent', min: 0, max: 100 } } },
  bargauge: { expr: many('team', { red: 3, green: 7, blue: 5 }), query: { instant: true, legend: '{{team}}' } },
  table: { expr: 'up', query: { instant: true, format: 'table' } },
  heatmap: {
    expr: 'sum by (le) (rate(prometheus_http_request_duration_seconds_bucket[1m]))',
    query: { legend: '{{le}}' },
  },
  histogram: { expr: 'rate(prometheus_http_requests_total[1m])' },
  pie: { expr: many('team', { red: 3, green: 7, blue: 5 }), query: { instant: true, legend: '{{team}}' } },
  bar: { expr: many('team', { red: 3, green: 7, blue: 5 }), query: { instant: true, legend: '{{team}}' } },
  timeline: { expr: 'up', query: { legend: '{{job}}' } },
  text: { more: { options: { content: '# Text\n\nwith **bold** words' } } },
  alerts: {},
  logs: { expr: 'up', query: { instant: true, format: 'table' } },
  clock: {},
  scatter: {
    expr: `${labelled({ axis: 'x' }, 'time() % 60')} or ${labelled({ axis: 'y' }, 'time() % 7')}`,
    query: { legend: '{{axis}}' },
  },
  map: { expr: many('country', { CN: 9, DE: 4, BR: 6 }), query: { instant: true, format: 'table' } },
  windrose: {
    expr: `${labelled({ what: 'direction' }, 'time() % 360')} or ${labelled({ what: 'speed' }, 'time() % 11')}`,
    query: { legend: '{{what}}' },
  },
  radar: { expr: many('skill', { a: 3, b: 7, c: 5, d: 6 }), query: { instant: true, legend: '{{skill}}' } },
  nodes: {
    expr: `${labelled({ source: 'web', target: 'api' }, '5')} or ${labelled({ source: 'api', target: 'db' }, '3')}`,
    query: { instant: true, format: 'table' },
  },
  links: {},
};

/** Every type a user can choose. */
export const GALLERY_TYPES = PANEL_TYPES.filter((type) => type !== 'row' && type !== 'unsupported');

export const gallery = (uid: string) => ({
  schema: SCHEMA,
  uid,
  title: 'Gallery',
  time: { from: 'now-5m', to: 'now' },
  panels: GALLERY_TYPES.map((type, index) => ({
    id: index + 1,
    type,
    title: `A ${type}`,
    grid: { x: (index % 4) * 6, y: Math.floor(index / 4) * 7, w: 6, h: 7 },
    queries: SHAPES[type]?.expr ? [{ ref: 'A', expr: SHAPES[type].expr, ...SHAPES[type].query }] : [],
    ...SHAPES[type]?.more,
  })),
});
