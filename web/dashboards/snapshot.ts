// A dashboard frozen with its data in one file, which shows the same later and elsewhere without asking any source.

import { allPanels, type Dashboard } from '../../src/view/model.ts';
import type { PublicSource } from '../../src/view/sources/source.ts';
import { resolveRange, stepFor } from '../base/time.ts';
import { askPanel, asksNothing, type PanelData, panelSpan } from './data.ts';
import { resolveAll, scopeOf } from './variables.ts';

export const SNAPSHOT = 'pharos/snapshot-1';
export type Snapshot = {
  readonly snapshot: typeof SNAPSHOT;
  readonly takenAt: number;
  readonly dashboard: Dashboard;
  readonly data: Readonly<Record<number, PanelData>>;
};

const POINTS = 300;

export async function takeSnapshot(
  dashboard: Dashboard,
  sources: readonly PublicSource[],
  query: URLSearchParams,
): Promise<Snapshot> {
  const takenAt = Date.now();
  const range = {
    from: query.get('from') ?? dashboard.time?.from ?? 'now-1h',
    to: query.get('to') ?? dashboard.time?.to ?? 'now',
  };
  const span = resolveRange(range, takenAt);
  const resolved = await resolveAll(dashboard, query, sources, span);
  const scope = scopeOf(resolved);
  const context = {
    dashboard,
    sources,
    scope,
    range,
    span,
    nowMs: takenAt,
    marks: [],
    filters: [],
    onZoom: () => undefined,
    editing: false,
  };
  const data: Record<number, PanelData> = {};
  for (const panel of allPanels(dashboard)) {
    if (asksNothing(panel)) continue;
    const own = panelSpan(panel, span);
    data[panel.id] = await askPanel(panel, context, scope, own, stepFor(own, POINTS, 1000));
  }
  const frozen = {
    ...dashboard,
    time: { from: String(Math.round(span.fromMs)), to: String(Math.round(span.toMs)) },
    refresh: '',
    variables: [],
    panels: dashboard.panels.map(({ repeat: _repeat, ...panel }) => panel),
  };
  return { snapshot: SNAPSHOT, takenAt, dashboard: frozen, data };
}

export function isSnapshot(value: unknown): value is Snapshot {
  return typeof value === 'object' && value !== null && (value as { snapshot?: unknown }).snapshot === SNAPSHOT;
}
