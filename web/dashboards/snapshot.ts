// A dashboard frozen with its data in one file, which shows the same later and elsewhere without asking any source. What
// variables and repeats made of it is frozen as well: every panel that stood on it is one of the snapshot.

import { interpolate, type Scope } from '../../src/view/interpolate.ts';
import { allPanels, type Dashboard, type Panel } from '../../src/view/model.ts';
import type { PublicSource } from '../../src/view/sources/source.ts';
import { localized } from '../base/text.ts';
import { resolveRange, stepFor } from '../base/time.ts';
import { scrapeMsOf, withBuiltIns } from './context.ts';
import { askPanel, asksNothing, type PanelData, panelSpan } from './data.ts';
import { layOut } from './layout.ts';
import { askMarks, type DashboardMark } from './marks.ts';
import { filtersOf } from './variable-bar.tsx';
import { resolveAll, scopeOf } from './variables.ts';

export const SNAPSHOT = 'pharos/snapshot-1';
export type Snapshot = {
  readonly snapshot: typeof SNAPSHOT;
  readonly takenAt: number;
  readonly dashboard: Dashboard;
  /** By the panel's id. */
  readonly data: Readonly<Record<string, PanelData>>;
  readonly marks?: readonly DashboardMark[];
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
  const shared = { ...{ dashboard, sources, scope, range, span, marks: [] }, nowMs: takenAt, editing: false };
  const context = { ...shared, filters: filtersOf(resolved, query), onZoom: () => undefined };
  const folded = allPanels(dashboard).filter((panel) => panel.type === 'row' && panel.folded);
  const placed = layOut(dashboard, scope, resolved, new Set(folded.map(({ id }) => id)));
  const data: Record<string, PanelData> = {};
  const panels: Panel[] = [];
  for (const [index, { panel, grid, scope: own }] of placed.entries()) {
    const { repeat: _, panels: __, folded: ___, ...rest } = panel;
    const id = index + 1;
    const names = withBuiltIns(own, span, scrapeMsOf(undefined), scrapeMsOf(undefined), dashboard);
    panels.push({ ...rest, id, grid, ...frozenTexts(panel, names) });
    if (asksNothing(panel)) continue;
    const span_ = panelSpan(panel, span);
    data[id] = await askPanel(panel, context, own, span_, stepFor(span_, POINTS, 1000));
  }
  const frozen = {
    ...dashboard,
    time: { from: String(Math.round(span.fromMs)), to: String(Math.round(span.toMs)) },
    refresh: '',
    variables: [],
    panels,
  };
  const marks = await askMarks(dashboard, sources, scope, span);
  return { snapshot: SNAPSHOT, takenAt, dashboard: frozen, data, marks };
}

/** What a panel says with the values that variables had. */
function frozenTexts(panel: Panel, scope: Scope): Partial<Panel> {
  const filled = (text: Panel['title'] | undefined) => interpolate(localized(text), scope);
  return {
    title: filled(panel.title),
    ...(panel.description ? { description: filled(panel.description) } : {}),
    ...(panel.options?.content ? { options: { ...panel.options, content: filled(panel.options.content) } } : {}),
  };
}

export function isSnapshot(value: unknown): value is Snapshot {
  return typeof value === 'object' && value !== null && (value as { snapshot?: unknown }).snapshot === SNAPSHOT;
}
