// What Explore shows, as it stands in the address: several queries with their view, range, refresh. Addresses of
// Prometheus' own pages (g0.expr=..., g0.range_input=...) are understood.

import { formatDuration, parseDuration, type Range } from '../base/time.ts';

export type View = 'graph' | 'table' | 'heat' | 'explain';
export const VIEWS: readonly View[] = ['graph', 'table', 'heat', 'explain'];

export type Panel = {
  readonly expr: string;
  readonly view: View;
  readonly stacked: boolean;
  readonly exemplars: boolean;
  /** Milliseconds; undefined chooses by the width of the graph. */
  readonly stepMs: number | undefined;
  readonly hidden: boolean;
};

export type Explore = { readonly panels: readonly Panel[]; readonly range: Range; readonly refresh: string };

export const NEW_PANEL: Panel = {
  expr: '',
  view: 'graph',
  stacked: false,
  exemplars: false,
  stepMs: undefined,
  hidden: false,
};
const DEFAULT_RANGE: Range = { from: 'now-1h', to: 'now' };
const MAX_PANELS = 20;

export function readState(query: URLSearchParams): Explore {
  const panels: Panel[] = [];
  for (let i = 0; i < MAX_PANELS && query.has(`g${i}.expr`); i++) {
    const field = (name: string) => query.get(`g${i}.${name}`) ?? '';
    const tab = field('tab');
    const view = VIEWS.find((one) => one === tab) ?? (tab === '0' ? 'graph' : tab === '1' ? 'table' : 'graph');
    panels.push({
      expr: field('expr'),
      view,
      stacked: field('stacked') === '1' || field('display_mode') === 'stacked',
      exemplars: field('show_exemplars') === '1',
      stepMs: parseDuration(field('step_input') || field('res_step')) || undefined,
      hidden: field('hide') === '1',
    });
  }
  return {
    panels: panels.length > 0 ? panels : [NEW_PANEL],
    range: readRange(query),
    refresh: query.get('refresh') ?? '',
  };
}

function readRange(query: URLSearchParams): Range {
  const from = query.get('from');
  if (from) return { from, to: query.get('to') ?? 'now' };
  const length = parseDuration(query.get('g0.range_input') ?? '');
  if (length === undefined) return DEFAULT_RANGE;
  const end = query.get('g0.end_input');
  const endMs = end ? Date.parse(`${end.replace(' ', 'T')}Z`) : Number.NaN;
  return Number.isNaN(endMs)
    ? { from: `now-${singleUnit(length)}`, to: 'now' }
    : { from: String(endMs - length), to: String(endMs) };
}

/** Relative times take one unit: '1h30m' becomes '90m'. */
function singleUnit(ms: number): string {
  const text = formatDuration(ms);
  return /^\d+[a-z]+$/.test(text) ? text : `${Math.round(ms / 1000)}s`;
}

export function writeState(state: Explore): Record<string, string> {
  const query: Record<string, string> = { from: state.range.from, to: state.range.to };
  if (state.refresh) query.refresh = state.refresh;
  state.panels.forEach((panel, i) => {
    query[`g${i}.expr`] = panel.expr;
    query[`g${i}.tab`] = panel.view;
    if (panel.stacked) query[`g${i}.stacked`] = '1';
    if (panel.exemplars) query[`g${i}.show_exemplars`] = '1';
    if (panel.stepMs) query[`g${i}.step_input`] = formatDuration(panel.stepMs);
    if (panel.hidden) query[`g${i}.hide`] = '1';
  });
  return query;
}

/** An address of Explore that shows queries. */
export function exploreLink(exprs: readonly string[], range: Range = DEFAULT_RANGE, view: View = 'graph'): string {
  const panels = exprs.map((expr): Panel => ({ ...NEW_PANEL, expr, view }));
  return `/query?${new URLSearchParams(writeState({ panels, range, refresh: '' }))}`;
}
