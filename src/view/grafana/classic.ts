// Classic dashboards, schema 1 to 42: rows with spans or a grid, templating, annotations, links.

import {
  type Annotation,
  type Dashboard,
  GRID_COLUMNS,
  type Grid,
  type Link,
  type Panel,
  SCHEMA,
  type Variable,
  type VariableKind,
} from '../model.ts';
import { array, bool, compact, filled, type Json, number, object, objects, type Problems, string } from './json.ts';
import { readPanel } from './panels.ts';
import { type Inputs, readInputs, readSource, variableQuery } from './queries.ts';

/** Pixels of a grid row, which old heights are given in. */
const ROW_PX = 38;
const DEFAULT_HEIGHT = 7;

export function importClassic(source: Json, uid: string, problems: Problems): Dashboard {
  const inputs = readInputs(source);
  const constants = new Map(
    objects(source.__inputs)
      .filter((input) => input.type === 'constant')
      .map((input) => [string(input.name) ?? '', string(input.value) ?? '']),
  );
  const version = number(source.schemaVersion) ?? 0;
  if (version > 42) problems.add('', `schema version ${version} is newer than 42; what it added is left out`);
  const time = object(source.time);
  return compact({
    schema: SCHEMA,
    uid,
    title: string(source.title) ?? uid,
    description: filled(source.description),
    tags: array(source.tags).map(String),
    time: filled(time.from) && filled(time.to) ? { from: String(time.from), to: String(time.to) } : undefined,
    refresh: filled(source.refresh),
    zone: filled(source.timezone) === 'utc' ? 'UTC' : undefined,
    variables: objects(object(source.templating).list).flatMap((one) => readVariable(one, inputs, constants, problems)),
    annotations: objects(object(source.annotations).list).flatMap((one) => readAnnotation(one, inputs, problems)),
    links: objects(source.links).map(readDashboardLink),
    panels:
      Array.isArray(source.rows) && source.rows.length > 0
        ? panelsOfRows(objects(source.rows), inputs, problems)
        : panelsOfGrid(objects(source.panels), inputs, problems),
  });
}

function idGiver(panels: readonly Json[]): (panel: Json) => number {
  const used = new Set<number>();
  let next = Math.max(0, ...panels.map((panel) => number(panel.id) ?? 0)) + 1;
  return (panel) => {
    const own = number(panel.id);
    const id = own !== undefined && Number.isInteger(own) && own > 0 && !used.has(own) ? own : next++;
    used.add(id);
    return id;
  };
}

const heightOf = (value: unknown): number | undefined => {
  const px = number(typeof value === 'string' ? value.replace('px', '') : value);
  return px === undefined ? undefined : Math.max(3, Math.round(px / ROW_PX));
};

/** Spans of twelfths, in rows; a panel that does not fit begins a new line. */
function panelsOfRows(rows: readonly Json[], inputs: Inputs, problems: Problems): Panel[] {
  const giveId = idGiver(rows.flatMap((row) => objects(row.panels)));
  const result: Panel[] = [];
  const showRows = rows.some(
    (row) => row.showTitle === true || row.collapse === true || filled(row.repeat) !== undefined,
  );
  let y = 0;
  for (const row of rows) {
    const height = heightOf(row.height) ?? DEFAULT_HEIGHT;
    const folded = row.collapse === true;
    const header: Panel | undefined = showRows
      ? {
          id: giveId({}),
          type: 'row',
          title: string(row.title) ?? '',
          grid: { x: 0, y: y++, w: GRID_COLUMNS, h: 1 },
          queries: [],
          ...(folded ? { folded } : {}),
          ...repeatOf(row.repeat),
        }
      : undefined;
    let x = 0;
    let lineHeight = 0;
    const panels: Panel[] = [];
    for (const panel of objects(row.panels)) {
      const w = Math.min(GRID_COLUMNS, Math.max(1, Math.round((number(panel.span) ?? 4) * 2)));
      const h = heightOf(panel.height) ?? height;
      if (x + w > GRID_COLUMNS) {
        x = 0;
        y += lineHeight;
        lineHeight = 0;
      }
      const grid: Grid = { x, y, w, h };
      panels.push(readPanel(panel, giveId(panel), grid, inputs, problems));
      x += w;
      lineHeight = Math.max(lineHeight, h);
    }
    y += lineHeight;
    const holds = header !== undefined && (folded || header.repeat !== undefined);
    if (header) result.push(holds ? { ...header, panels } : header);
    if (!holds) result.push(...panels);
  }
  return result;
}

const repeatOf = (variable: unknown): Pick<Panel, 'repeat'> => {
  const name = filled(variable);
  return name === undefined ? {} : { repeat: { variable: name, direction: 'v' } };
};

function gridOf(panel: Json): Grid {
  const grid = object(panel.gridPos);
  const w = Math.min(GRID_COLUMNS, Math.max(1, Math.round(number(grid.w) ?? 12)));
  return {
    x: Math.min(GRID_COLUMNS - w, Math.max(0, Math.round(number(grid.x) ?? 0))),
    y: Math.max(0, number(grid.y) ?? 0),
    w,
    h: Math.max(1, number(grid.h) ?? DEFAULT_HEIGHT),
  };
}

function panelsOfGrid(panels: readonly Json[], inputs: Inputs, problems: Problems): Panel[] {
  const giveId = idGiver(panels.flatMap((panel) => [panel, ...objects(panel.panels)]));
  return heldByRepeatedRows(
    panels.map((panel): Panel => {
      if (panel.type !== 'row') return readPanel(panel, giveId(panel), gridOf(panel), inputs, problems);
      const inner = objects(panel.panels);
      return compact({
        id: giveId(panel),
        type: 'row',
        title: string(panel.title) ?? '',
        grid: { ...gridOf(panel), x: 0, w: GRID_COLUMNS, h: 1 },
        queries: [],
        folded: bool(panel.collapsed) || undefined,
        ...repeatOf(panel.repeat),
        panels:
          inner.length > 0 ? inner.map((one) => readPanel(one, giveId(one), gridOf(one), inputs, problems)) : undefined,
      });
    }),
  );
}

/** An open row is followed by its panels; one that repeats must know which they are. */
function heldByRepeatedRows(panels: readonly Panel[]): Panel[] {
  const result: Panel[] = [];
  for (const panel of panels) {
    const row = result.at(-1);
    if (panel.type !== 'row' && row?.type === 'row' && row.repeat && !row.folded)
      result[result.length - 1] = { ...row, panels: [...(row.panels ?? []), panel] };
    else result.push(panel);
  }
  return result;
}

const KINDS: Readonly<Record<string, VariableKind>> = {
  query: 'query',
  custom: 'custom',
  constant: 'constant',
  interval: 'interval',
  textbox: 'textbox',
  datasource: 'source',
  adhoc: 'adhoc',
};

export function readVariable(
  one: Json,
  inputs: Inputs,
  constants: ReadonlyMap<string, string>,
  problems: Problems,
): Variable[] {
  const name = string(one.name) ?? '';
  const where = `variable "${name}"`;
  const kind = KINDS[string(one.type) ?? 'query'];
  if (!kind || !/^\w+$/.test(name)) {
    problems.add(where, `variables of type "${String(one.type)}" are left out`);
    return [];
  }
  const current = object(one.current);
  const values = (
    Array.isArray(current.value)
      ? current.value
      : current.value === undefined || current.value === null
        ? []
        : [current.value]
  ).map(String);
  const constant = /^\$\{(\w+)\}$/.exec(string(one.query) ?? '')?.[1];
  let query =
    kind === 'query'
      ? variableQuery(one.query ?? one.definition) || (string(one.definition) ?? '')
      : (string(one.query) ?? '');
  if (constant !== undefined && constants.has(constant)) query = constants.get(constant)!;
  if (kind === 'query' && query === '') problems.add(where, 'its query is empty or of a kind that is not understood');
  return [
    compact({
      name,
      kind,
      label: filled(one.label),
      query,
      source: readSource(one.datasource, inputs, where, problems),
      regex: filled(one.regex),
      multi: bool(one.multi) || undefined,
      all: bool(one.includeAll) || undefined,
      allValue: filled(one.allValue),
      current: values.length > 0 && !values[0]!.startsWith('${') ? values : undefined,
      hide: one.hide === 1 ? ('label' as const) : one.hide === 2 ? ('variable' as const) : undefined,
      refresh: one.refresh === 2 ? ('range' as const) : undefined,
      sort: readSort(number(one.sort) ?? 0),
      filters:
        kind === 'adhoc'
          ? objects(one.filters).map((filter) => ({
              key: string(filter.key) ?? '',
              operator: string(filter.operator) ?? '=',
              value: string(filter.value) ?? '',
            }))
          : undefined,
    }),
  ];
}

function readSort(code: number): Variable['sort'] {
  return (
    [undefined, 'asc', 'desc', 'numeric-asc', 'numeric-desc', 'asc', 'desc', 'numeric-asc', 'numeric-desc'] as const
  )[code];
}

export function readAnnotation(one: Json, inputs: Inputs, problems: Problems): Annotation[] {
  if (isOfGrafana(one)) return readNotes(one);
  const name = string(one.name) ?? '';
  const where = `annotation "${name}"`;
  const expr = filled(one.expr) ?? filled(object(one.target).expr) ?? filled(one.rawQuery) ?? filled(one.query);
  if (expr === undefined) {
    problems.add(where, 'it has no query that is understood and is left out');
    return [];
  }
  return [
    compact({
      name,
      enabled: one.enable !== false,
      color: filled(one.iconColor) ?? 'red',
      expr,
      source: readSource(one.datasource, inputs, where, problems),
      title: filled(one.titleFormat),
      text: filled(one.textFormat),
      tags: filled(one.tagKeys),
      step: filled(one.step),
    }),
  ];
}

function isOfGrafana(one: Json): boolean {
  const source = object(one.datasource);
  return (
    one.builtIn === 1 ||
    one.builtIn === true ||
    source.type === 'grafana' ||
    source.uid === '-- Grafana --' ||
    (source.uid === 'grafana' && (source.type === 'datasource' || source.type === undefined)) ||
    one.datasource === '-- Grafana --'
  );
}

/** What Grafana itself keeps: annotations of the dashboard, or all that have some tags. */
function readNotes(one: Json): Annotation[] {
  const target = object(one.target);
  const tags = array(target.tags ?? one.tags).map(String);
  const byTags = (target.type ?? one.type) === 'tags' && tags.length > 0;
  const enabled = one.enable !== false;
  // Those of the dashboard are shown unless it says otherwise.
  if (!byTags && enabled) return [];
  return [
    compact({
      name: string(one.name) ?? '',
      enabled,
      color: filled(one.iconColor) ?? 'blue',
      expr: '',
      notes: byTags ? compact({ tags, anyTag: bool(target.matchAny ?? one.matchAny) || undefined }) : {},
    }),
  ];
}

export function readDashboardLink(link: Json): Link {
  const isTags = link.type === 'dashboards';
  return compact({
    title: string(link.title) ?? '',
    url: isTags ? undefined : filled(link.url ?? link.dashUri),
    tags: isTags ? array(link.tags).map(String) : undefined,
    newTab: bool(link.targetBlank) || undefined,
    keepTime: bool(link.keepTime) || undefined,
    keepVariables: bool(link.includeVars) || undefined,
  });
}
