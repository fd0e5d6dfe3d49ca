// Annotations of a dashboard as marks on its time axes: where a query is not zero, and what people and jobs left.

import { useComputedColorScheme } from '@mantine/core';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { applyLegend } from '../../src/view/frame.ts';
import { interpolate, type Scope } from '../../src/view/interpolate.ts';
import type { Annotation, Dashboard } from '../../src/view/model.ts';
import type { Note } from '../../src/view/notes.ts';
import type { PublicSource } from '../../src/view/sources/source.ts';
import { get, VIEW } from '../base/api.ts';
import { queryRange } from '../base/prom.ts';
import { type Span, stepFor } from '../base/time.ts';
import { namedColor } from '../chart/palette.ts';
import type { Mark } from '../chart/timeseries.tsx';
import { apiOf, resolveSource, scrapeMsOf } from './context.ts';

/** A mark of the whole dashboard, or of one panel of it. */
export type DashboardMark = Mark & { readonly panel?: number };

const MAX_MARKS = 500;
const POINTS = 500;
const NOTE_COLOR = 'blue';

export function useMarks(
  dashboard: Dashboard,
  sources: readonly PublicSource[] | undefined,
  scope: Scope,
  span: Span,
  given: readonly DashboardMark[] | undefined,
): { readonly marks: readonly DashboardMark[]; readonly error: unknown } {
  const dark = useComputedColorScheme('light') === 'dark';
  const { data, error } = useQuery({
    queryKey: ['annotations', dashboard.uid, dashboard.annotations, scope, span.fromMs, span.toMs],
    enabled: given === undefined && sources !== undefined,
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) => askMarks(dashboard, sources ?? [], scope, span, signal),
  });
  const found = given ?? data;
  const marks = useMemo(
    () => (found ?? []).map((mark): DashboardMark => ({ ...mark, color: namedColor(mark.color, dark) ?? mark.color })),
    [found, dark],
  );
  return { marks, error };
}

export async function askMarks(
  dashboard: Dashboard,
  sources: readonly PublicSource[],
  scope: Scope,
  span: Span,
  signal?: AbortSignal,
): Promise<DashboardMark[]> {
  const all = dashboard.annotations ?? [];
  const showsOwn = !all.some((one) => one.notes && !one.notes.tags && !one.enabled);
  const found = await Promise.all([
    showsOwn ? askNotes({ dashboard: dashboard.uid }, NOTE_COLOR, span, signal) : [],
    ...all
      .filter((one) => one.enabled)
      .map((one) =>
        one.notes
          ? askNotes({ tag: one.notes.tags ?? [], any: one.notes.anyTag }, one.color, span, signal)
          : askQuery(one, sources, scope, span, signal),
      ),
  ]);
  return found.flat().slice(0, MAX_MARKS);
}

async function askNotes(
  which: Readonly<Record<string, string | boolean | readonly string[] | undefined>>,
  color: string,
  span: Span,
  signal?: AbortSignal,
): Promise<DashboardMark[]> {
  const notes = await get<readonly Note[]>(
    `${VIEW}/annotations`,
    { ...which, from: Math.floor(span.fromMs), to: Math.ceil(span.toMs) },
    signal,
  );
  return notes.map(({ fromMs, toMs, text, tags, panel }) => ({
    fromMs,
    toMs,
    text: tags.length > 0 ? `${text} (${tags.join(', ')})` : text,
    color,
    ...(panel === undefined ? {} : { panel }),
  }));
}

async function askQuery(
  annotation: Annotation,
  sources: readonly PublicSource[],
  scope: Scope,
  span: Span,
  signal?: AbortSignal,
): Promise<DashboardMark[]> {
  const source = resolveSource(annotation.source, sources, scope);
  if (source?.kind !== 'prometheus') return [];
  const stepMs = stepFor(span, POINTS, scrapeMsOf(source));
  const expr = interpolate(annotation.expr, scope, 'prometheus');
  const { data } = await queryRange(apiOf(source), expr, span, stepMs, signal ? { signal } : {});
  return data.columns.flatMap((column) => {
    const text =
      [annotation.title, annotation.text]
        .filter(Boolean)
        .map((one) => applyLegend(one!, column.labels))
        .join(': ') || annotation.name;
    const found: DashboardMark[] = [];
    let from: number | undefined;
    column.values.forEach((value, index) => {
      const at = data.times[index]! * 1000;
      const on = value !== null && value !== 0;
      if (on && from === undefined) from = at;
      if (from !== undefined && (!on || index === column.values.length - 1)) {
        found.push({ fromMs: from, toMs: on ? at : at - stepMs, text, color: annotation.color });
        from = undefined;
      }
    });
    return found;
  });
}
