// Dashboards of the V2 resource: elements by name, layouts that place them (grid, rows, tabs, automatic), variables and
// queries as kinds with specs. Each element is brought to the classic shape and read as such.

import {
  type Annotation,
  type Dashboard,
  GRID_COLUMNS,
  type Grid,
  type Panel,
  SCHEMA,
  type Variable,
} from '../model.ts';
import { readAnnotation, readDashboardLink, readVariable } from './classic.ts';
import { array, compact, filled, type Json, number, object, objects, type Problems, string } from './json.ts';
import { readPanel } from './panels.ts';

const AUTO_WIDTH = 8;
const AUTO_HEIGHT = 8;

export function importV2(spec: Json, uid: string, problems: Problems): Dashboard {
  const time = object(spec.timeSettings);
  const elements = object(spec.elements);
  const placed: Panel[] = [];
  let nextId =
    1 + Math.max(0, ...Object.values(elements).map((element) => number(object(object(element).spec).id) ?? 0));
  const used = new Set<number>();
  const freshId = (wanted?: number) => {
    const id = wanted !== undefined && wanted > 0 && !used.has(wanted) ? wanted : nextId++;
    used.add(id);
    return id;
  };
  const put = (item: Json, grid: Grid, into: Panel[]) => {
    const name = string(object(item.element).name) ?? '';
    const element = object(elements[name]);
    if (element.kind === 'LibraryPanel')
      problems.add(
        `panel "${string(object(element.spec).title) ?? name}"`,
        'it is a library panel; its content is not part of the dashboard',
      );
    if (element.kind === undefined) {
      problems.add(`layout item "${name}"`, 'it names an element that is not there');
      return;
    }
    noteConditions(item, `panel "${string(object(element.spec).title) ?? name}"`, problems);
    const classic = classicPanel(object(element.spec), object(item.repeat));
    into.push(readPanel(classic, freshId(number(object(element.spec).id)), grid, new Map(), problems));
  };
  layout(object(spec.layout), 0, placed, { all: placed, put, freshId, problems });
  return compact({
    schema: SCHEMA,
    uid,
    title: string(spec.title) ?? uid,
    description: filled(spec.description),
    tags: array(spec.tags).map(String),
    time: filled(time.from) && filled(time.to) ? { from: String(time.from), to: String(time.to) } : undefined,
    refresh: filled(time.autoRefresh),
    zone: filled(time.timezone) === 'utc' ? 'UTC' : undefined,
    variables: objects(spec.variables).flatMap((one) => variable(one, problems)),
    annotations: objects(spec.annotations).flatMap((one) => annotation(one, problems)),
    links: objects(spec.links).map(readDashboardLink),
    panels: placed,
  });
}

/** Shown or hidden by variables, data or the range's length. */
function noteConditions(spec: Json, where: string, problems: Problems): void {
  if (objects(object(object(spec.conditionalRendering).spec).items).length > 0)
    problems.add(where, 'it is always shown, whatever its conditions say');
}

type Placing = {
  /** The panels of the dashboard itself, to know what stands inside something else. */
  readonly all: readonly Panel[];
  readonly put: (item: Json, grid: Grid, into: Panel[]) => void;
  readonly freshId: (wanted?: number) => number;
  readonly problems: Problems;
};

/** Places a layout from a line on and returns the line below it. */
function layout(node: Json, top: number, into: Panel[], how: Placing): number {
  const spec = object(node.spec);
  switch (node.kind) {
    case 'GridLayout': {
      let bottom = top;
      for (const item of objects(spec.items)) {
        const one = object(item.spec);
        if (item.kind === 'GridLayoutRow') {
          const row = rowPanel(one, top + (number(one.y) ?? 0), how);
          const inner: Panel[] = [];
          for (const each of objects(one.elements)) {
            const at = object(each.spec);
            how.put(at, gridOf(at, row.grid.y + 1), inner);
          }
          bottom = Math.max(bottom, row.grid.y + 1, ...inner.map(({ grid }) => grid.y + grid.h));
          if (row.folded || row.repeat) into.push({ ...row, panels: inner });
          else into.push(row, ...inner);
          continue;
        }
        const grid = gridOf(one, top);
        how.put(one, grid, into);
        bottom = Math.max(bottom, grid.y + grid.h);
      }
      return bottom;
    }
    case 'AutoGridLayout': {
      const perRow = Math.max(1, Math.min(4, number(spec.maxColumnCount) ?? 3));
      const width = Math.floor(GRID_COLUMNS / perRow) || AUTO_WIDTH;
      const items = objects(spec.items);
      items.forEach((item, index) => {
        how.put(
          object(item.spec),
          { x: (index % perRow) * width, y: top + Math.floor(index / perRow) * AUTO_HEIGHT, w: width, h: AUTO_HEIGHT },
          into,
        );
      });
      return top + Math.ceil(items.length / perRow) * AUTO_HEIGHT;
    }
    case 'RowsLayout':
    case 'TabsLayout': {
      const isTabs = node.kind === 'TabsLayout';
      // Tabs inside of something are rows: there is one bar of tabs on a dashboard.
      const asTabs = isTabs && into === how.all;
      if (isTabs && !asTabs) how.problems.add('', 'tabs inside rows or other tabs are shown as rows');
      let y = top;
      for (const part of objects(spec.rows ?? spec.tabs)) {
        const one = object(part.spec);
        const given = rowPanel(one, y, how);
        const row = asTabs ? { ...given, tab: true, folded: undefined } : given;
        const inner: Panel[] = [];
        const bottom = layout(object(one.layout), y + 1, inner, how);
        if (row.folded || row.repeat) into.push({ ...row, panels: withoutRows(inner, row, how) });
        else into.push(...(one.hideHeader === true && !asTabs ? [] : [row]), ...inner);
        y = bottom;
      }
      return y;
    }
    default:
      how.problems.add('', `layout "${String(node.kind)}" is not understood`);
      return top;
  }
}

/** A folded or repeated row holds panels, no further rows. */
function withoutRows(panels: readonly Panel[], row: Panel, how: Placing): Panel[] {
  if (panels.some((panel) => panel.type === 'row'))
    how.problems.add(`row "${String(row.title)}"`, 'the rows inside it are shown as one');
  return panels.flatMap((panel) => (panel.type === 'row' ? (panel.panels ?? []) : [panel]));
}

function rowPanel(spec: Json, y: number, how: Placing): Panel {
  const repeat = filled(object(spec.repeat).value);
  noteConditions(spec, `row "${string(spec.title) ?? ''}"`, how.problems);
  return compact({
    id: how.freshId(),
    type: 'row',
    title: string(spec.title) ?? '',
    grid: { x: 0, y, w: GRID_COLUMNS, h: 1 },
    queries: [],
    folded: spec.collapse === true || spec.collapsed === true || undefined,
    repeat: repeat === undefined ? undefined : { variable: repeat, direction: 'v' as const },
  });
}

function gridOf(spec: Json, top: number): Grid {
  const w = Math.min(GRID_COLUMNS, Math.max(1, number(spec.width) ?? AUTO_WIDTH));
  return {
    x: Math.min(GRID_COLUMNS - w, Math.max(0, number(spec.x) ?? 0)),
    y: top + (number(spec.y) ?? 0),
    w,
    h: Math.max(1, number(spec.height) ?? AUTO_HEIGHT),
  };
}

/** A V2 element as a classic panel. */
function classicPanel(spec: Json, repeat: Json): Json {
  const viz = object(spec.vizConfig);
  const vizSpec = object(viz.spec);
  const data = object(object(spec.data).spec);
  const options = object(data.queryOptions);
  const targets = objects(data.queries).map((query) => {
    const outer = object(query.spec);
    const inner = object(outer.query);
    const source = object(outer.datasource ?? inner.datasource);
    const type = string(inner.group) ?? string(inner.kind);
    return {
      ...object(inner.spec),
      refId: outer.refId,
      hide: outer.hidden,
      ...(type && type !== 'DataQuery'
        ? { datasource: compact({ type, uid: filled(source.uid) ?? filled(source.name) }) }
        : {}),
    };
  });
  return {
    type: string(viz.group) ?? (viz.kind === 'VizConfig' ? undefined : viz.kind),
    title: spec.title,
    description: spec.description,
    links: spec.links,
    transparent: spec.transparent,
    options: vizSpec.options,
    fieldConfig: vizSpec.fieldConfig,
    targets,
    transformations: objects(data.transformations).map((one) => {
      const inner = object(one.spec);
      return { id: inner.id ?? one.group ?? one.kind, options: inner.options, disabled: inner.disabled };
    }),
    interval: options.interval ?? options.minInterval,
    maxDataPoints: options.maxDataPoints,
    timeFrom: options.timeFrom,
    timeShift: options.timeShift,
    ...(repeat.mode === 'variable'
      ? { repeat: repeat.value, repeatDirection: repeat.direction, maxPerRow: repeat.maxPerRow }
      : {}),
  };
}

const VARIABLE_TYPES: Readonly<Record<string, string>> = {
  QueryVariable: 'query',
  CustomVariable: 'custom',
  ConstantVariable: 'constant',
  IntervalVariable: 'interval',
  TextVariable: 'textbox',
  DatasourceVariable: 'datasource',
  AdhocVariable: 'adhoc',
};
const HIDES: Readonly<Record<string, number>> = { hideLabel: 1, hideVariable: 2 };
const SORTS: Readonly<Record<string, number>> = {
  alphabeticalAsc: 1,
  alphabeticalDesc: 2,
  numericalAsc: 3,
  numericalDesc: 4,
  alphabeticalCaseInsensitiveAsc: 5,
  alphabeticalCaseInsensitiveDesc: 6,
  naturalAsc: 7,
  naturalDesc: 8,
};

function variable(one: Json, problems: Problems): Variable[] {
  const spec = object(one.spec);
  const query = object(spec.query);
  const source = object(spec.datasource ?? query.datasource);
  const kind = string(query.group) ?? string(query.kind);
  return readVariable(
    {
      ...spec,
      type: VARIABLE_TYPES[string(one.kind) ?? ''] ?? one.kind,
      query: typeof spec.query === 'object' ? query.spec : (spec.query ?? spec.pluginId),
      hide: HIDES[string(spec.hide) ?? ''],
      sort: SORTS[string(spec.sort) ?? ''],
      refresh: spec.refresh === 'onTimeRangeChanged' ? 2 : 1,
      datasource:
        kind && kind !== 'DataQuery'
          ? compact({ type: kind, uid: filled(source.uid) ?? filled(source.name) })
          : undefined,
    },
    new Map(),
    new Map(),
    problems,
  );
}

function annotation(one: Json, problems: Problems): Annotation[] {
  const spec = object(one.spec);
  const query = object(spec.query);
  const source = object(spec.datasource ?? query.datasource);
  const kind = string(query.group) ?? string(query.kind);
  return readAnnotation(
    {
      ...object(spec.legacyOptions),
      ...spec,
      ...object(query.spec),
      name: spec.name,
      enable: spec.enable,
      datasource:
        kind && kind !== 'DataQuery'
          ? compact({ type: kind, uid: filled(source.uid) ?? filled(source.name) })
          : spec.datasource,
    },
    new Map(),
    problems,
  );
}
