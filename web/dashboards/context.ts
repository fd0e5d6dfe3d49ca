// What every panel of a dashboard on screen shares: the range, the variables' values, the sources, the crosshair.

import { createContext, useContext } from 'react';
import { builtIns, type Dialect, interpolate, type Scope } from '../../src/view/interpolate.ts';
import type { Annotation, Dashboard, SourceRef, Variable } from '../../src/view/model.ts';
import type { PublicSource } from '../../src/view/sources/source.ts';
import type { Range, Span } from '../base/time.ts';
import type { DashboardMark } from './marks.ts';

export type DashboardContext = {
  readonly dashboard: Dashboard;
  readonly sources: readonly PublicSource[];
  readonly scope: Scope;
  readonly range: Range;
  readonly span: Span;
  readonly nowMs: number;
  readonly marks: readonly DashboardMark[];
  readonly filters: readonly { readonly key: string; readonly operator: string; readonly value: string }[];
  readonly onZoom: (span: Span) => void;
  readonly editing: boolean;
};

export const CurrentDashboard = createContext<DashboardContext | undefined>(undefined);

export function useDashboard(): DashboardContext {
  const found = useContext(CurrentDashboard);
  if (!found) throw new Error('BUG: a panel outside a dashboard');
  return found;
}

export const SELF_UID = 'pharos';

/** The source that a reference means: by uid or name, else the default of its kind. */
export function resolveSource(
  ref: SourceRef | undefined,
  sources: readonly PublicSource[],
  scope: Scope,
): PublicSource | undefined {
  const uid = ref?.uid === undefined ? undefined : interpolate(ref.uid, scope);
  if (uid !== undefined && uid !== 'default') {
    const found = sources.find((source) => source.uid === uid) ?? sources.find((source) => source.name === uid);
    if (found) return found;
  }
  // A dashboard from elsewhere names sources that do not exist here; its kind says which one is meant.
  const kind = ref?.kind ?? 'prometheus';
  const ofKind = sources.filter((source) => source.kind === kind);
  return ofKind.find((source) => source.isDefault) ?? ofKind[0];
}

/** Where a Prometheus source's API lies below our prefix. */
export const apiOf = (source: PublicSource): string =>
  source.uid === SELF_UID ? '' : `/api/v1/view/sources/${encodeURIComponent(source.uid)}/proxy`;

/** What is assumed where a source does not say how often it scrapes. */
export const SCRAPE_MS = 15_000;
export const scrapeMsOf = (source: PublicSource | undefined): number => source?.scrapeMs ?? SCRAPE_MS;

export const dialectOf = (kind: string): Dialect =>
  kind === 'prometheus' ? 'prometheus' : kind === 'elasticsearch' ? 'lucene' : kind === 'json' ? 'text' : 'sql';

export function withBuiltIns(scope: Scope, span: Span, stepMs: number, scrapeMs: number, dashboard: Dashboard): Scope {
  const title = typeof dashboard.title === 'string' ? dashboard.title : dashboard.title.en;
  return {
    ...builtIns(
      { ...span, intervalMs: stepMs, scrapeMs },
      {
        __dashboard: title,
        __timezone: 'browser',
        timeFilter: `time >= ${Math.round(span.fromMs)}ms and time <= ${Math.round(span.toMs)}ms`,
      },
    ),
    ...scope,
  };
}

export type { Annotation, Variable };
