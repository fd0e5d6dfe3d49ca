// What the definitions of shipped dashboards are made of. Panels flow from left to right in the order they
// are listed, so a definition says what is shown and how wide, not where.

import type {
  Dashboard,
  FieldOptions,
  Panel,
  PanelOptions,
  PanelType,
  Query,
  Text,
  ThresholdStep,
  Variable,
} from '../../src/view/model.ts';
import { GRID_COLUMNS, readDashboard, SCHEMA } from '../../src/view/model.ts';
import { legendText } from './legends.ts';

export type Draft = Omit<Panel, 'id' | 'grid'> & { readonly w: number; readonly h: number };

export const text = (en: string, zh: string): Text => ({ en, zh });

type Look = {
  readonly unit?: string;
  readonly w?: number;
  readonly h?: number;
  readonly options?: PanelOptions;
  readonly field?: FieldOptions;
  readonly description?: Text;
};
type Asked = string | readonly [expr: string, legend: string];

const queries = (asked: readonly Asked[], extra: Partial<Query> = {}): Query[] =>
  asked.map((one, index) => {
    const [expr, legend] = typeof one === 'string' ? [one, undefined] : one;
    return {
      ref: String.fromCharCode(65 + index),
      expr,
      ...(legend === undefined ? {} : { legend: legendText(legend) }),
      ...extra,
    };
  });

function panel(
  type: PanelType,
  title: Text,
  asked: readonly Asked[],
  look: Look,
  defaults: { w: number; h: number; field?: FieldOptions; options?: PanelOptions; query?: Partial<Query> },
): Draft {
  const field = { ...defaults.field, ...look.field, ...(look.unit ? { unit: look.unit } : {}) };
  const options = { ...defaults.options, ...look.options };
  return {
    type,
    title,
    queries: queries(asked, defaults.query),
    w: look.w ?? defaults.w,
    h: look.h ?? defaults.h,
    ...(look.description ? { description: look.description } : {}),
    ...(Object.keys(field).length > 0 ? { field } : {}),
    ...(Object.keys(options).length > 0 ? { options } : {}),
  };
}

export const graph = (title: Text, asked: readonly Asked[], unit = 'short', look: Look = {}): Draft =>
  panel('timeseries', title, asked, { unit, ...look }, { w: 12, h: 8, field: { draw: { fill: 0.08 } } });
export const stacked = (title: Text, asked: readonly Asked[], unit = 'short', look: Look = {}): Draft =>
  panel(
    'timeseries',
    title,
    asked,
    { unit, ...look },
    { w: 12, h: 8, field: { draw: { fill: 0.35, stack: 'normal', width: 1 } } },
  );
export const stat = (
  title: Text,
  expr: string,
  unit = 'short',
  look: Look & { steps?: readonly ThresholdStep[] } = {},
): Draft =>
  panel(
    'stat',
    title,
    [expr],
    { unit, ...look },
    {
      w: 4,
      h: 4,
      field: look.steps
        ? { thresholds: { mode: 'absolute', steps: look.steps }, color: { mode: 'thresholds' } }
        : { color: { mode: 'fixed', fixed: 'blue' } },
    },
  );
export const gauge = (
  title: Text,
  expr: string,
  unit = 'percentunit',
  look: Look & { steps?: readonly ThresholdStep[] } = {},
): Draft =>
  panel(
    'gauge',
    title,
    [expr],
    { unit, ...look },
    {
      w: 4,
      h: 5,
      field: {
        min: 0,
        max: unit === 'percentunit' ? 1 : 100,
        thresholds: {
          mode: 'absolute',
          steps: look.steps ?? levels(unit === 'percentunit' ? 0.75 : 75, unit === 'percentunit' ? 0.9 : 90),
        },
        color: { mode: 'thresholds' },
      },
    },
  );
export const top = (title: Text, expr: string, legend: string, unit = 'short', look: Look = {}): Draft =>
  panel(
    'bargauge',
    title,
    [[expr, legend]],
    { unit, ...look },
    {
      w: 8,
      h: 8,
      field: { color: { mode: 'fixed', fixed: 'blue' }, min: 0 },
      options: { orientation: 'horizontal' },
      query: { instant: true },
    },
  );
export const table = (title: Text, asked: readonly Asked[], unit = 'short', look: Look = {}): Draft =>
  panel('table', title, asked, { unit, ...look }, { w: 12, h: 8, query: { instant: true, format: 'table' } });
export const heat = (title: Text, expr: string, unit = 's', look: Look = {}): Draft =>
  panel('heatmap', title, [expr], { unit, ...look }, { w: 12, h: 8 });
export const pie = (title: Text, expr: string, legend: string, unit = 'short', look: Look = {}): Draft =>
  panel(
    'pie',
    title,
    [[expr, legend]],
    { unit, ...look },
    { w: 8, h: 8, options: { donut: true }, query: { instant: true } },
  );
export const states = (title: Text, asked: readonly Asked[], field: FieldOptions, look: Look = {}): Draft =>
  panel('timeline', title, asked, { ...look, field }, { w: 12, h: 6 });
export const row = (title: Text): Draft => ({ type: 'row', title, queries: [], w: GRID_COLUMNS, h: 1 });
export const alerts = (filter = '', look: Look = {}): Draft =>
  panel('alerts', text('Active alerts', '当前告警'), [], look, {
    w: 8,
    h: 8,
    ...(filter ? { options: { filter } } : {}),
  });

export const levels = (warn: number, bad: number): ThresholdStep[] => [
  { value: null, color: 'green' },
  { value: warn, color: 'orange' },
  { value: bad, color: 'red' },
];
export const badBelow = (limit: number): ThresholdStep[] => [
  { value: null, color: 'red' },
  { value: limit, color: 'green' },
];
export const badAbove = (limit: number): ThresholdStep[] => [
  { value: null, color: 'green' },
  { value: limit, color: 'red' },
];
export const UP_DOWN: FieldOptions = {
  mappings: [
    {
      kind: 'value',
      values: { '1': { text: text('Up', '正常'), color: 'green' }, '0': { text: text('Down', '异常'), color: 'red' } },
    },
  ],
};

export const choose = (name: string, label: Text, query: string, more: Partial<Variable> = {}): Variable => ({
  name,
  kind: 'query',
  label,
  query,
  sort: 'asc',
  ...more,
});
export const chooseMany = (name: string, label: Text, query: string): Variable =>
  choose(name, label, query, { multi: true, all: true, allValue: '.*' });

export type Definition = {
  readonly uid: string;
  readonly title: Text;
  readonly description?: Text;
  readonly tags: readonly string[];
  readonly variables?: readonly Variable[];
  readonly panels: readonly Draft[];
  readonly time?: string;
  readonly refresh?: string;
  readonly links?: Dashboard['links'];
};

function build(definition: Definition): Dashboard {
  let x = 0;
  let y = 0;
  let line = 0;
  const panels = definition.panels.map(({ w, h, ...rest }, index): Panel => {
    if (rest.type === 'row' || x + w > GRID_COLUMNS) {
      x = 0;
      y += line;
      line = 0;
    }
    const placed = { id: index + 1, grid: { x, y, w, h }, ...rest };
    x += w;
    line = Math.max(line, h);
    if (rest.type === 'row') {
      x = 0;
      y += 1;
      line = 0;
    }
    return placed;
  });
  return readDashboard({
    schema: SCHEMA,
    uid: definition.uid,
    title: definition.title,
    ...(definition.description ? { description: definition.description } : {}),
    tags: definition.tags,
    time: { from: definition.time ?? 'now-1h', to: 'now' },
    refresh: definition.refresh ?? '30s',
    ...(definition.variables ? { variables: definition.variables } : {}),
    ...(definition.links ? { links: definition.links } : {}),
    panels,
  });
}

export function definitionFiles(definitions: readonly Definition[]): Map<string, string> {
  return new Map(definitions.map((one) => [`${one.uid}.json`, `${JSON.stringify(build(one), null, 1)}\n`]));
}
