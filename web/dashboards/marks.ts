// Annotations of a dashboard as marks on its time axes.

import { useComputedColorScheme } from '@mantine/core';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { applyLegend } from '../../src/view/frame.ts';
import { interpolate } from '../../src/view/interpolate.ts';
import type { Dashboard } from '../../src/view/model.ts';
import { queryRange } from '../base/prom.ts';
import { type Span, stepFor } from '../base/time.ts';
import { namedColor } from '../chart/palette.ts';
import type { Mark } from '../chart/timeseries.tsx';
import { apiOf, type DashboardContext, resolveSource } from './context.ts';

export function useMarks(
  dashboard: Dashboard,
  sources: DashboardContext['sources'] | undefined,
  scope: DashboardContext['scope'],
  span: Span,
): readonly Mark[] {
  const dark = useComputedColorScheme('light') === 'dark';
  const wanted = (dashboard.annotations ?? []).filter((one) => one.enabled);
  const { data } = useQuery({
    queryKey: ['annotations', wanted, scope, span.fromMs, span.toMs],
    enabled: wanted.length > 0 && sources !== undefined,
    placeholderData: keepPreviousData,
    queryFn: async ({ signal }) => {
      const stepMs = stepFor(span, 500, 15_000);
      const found: { fromMs: number; toMs: number; text: string; color: string }[] = [];
      for (const annotation of wanted) {
        const source = resolveSource(annotation.source, sources ?? [], scope);
        if (source?.kind !== 'prometheus') continue;
        const { data: columns } = await queryRange(
          apiOf(source),
          interpolate(annotation.expr, scope, 'prometheus'),
          span,
          stepMs,
          { signal },
        );
        for (const column of columns.columns) {
          const text =
            [annotation.title, annotation.text]
              .filter(Boolean)
              .map((one) => applyLegend(one!, column.labels))
              .join(': ') || annotation.name;
          let from: number | undefined;
          column.values.forEach((value, index) => {
            const at = columns.times[index]! * 1000;
            const on = value !== null && value !== 0;
            if (on && from === undefined) from = at;
            if (from !== undefined && (!on || index === column.values.length - 1)) {
              found.push({ fromMs: from, toMs: on ? at : at - stepMs, text, color: annotation.color });
              from = undefined;
            }
          });
        }
      }
      return found.slice(0, 500);
    },
  });
  return useMemo(
    () => (data ?? []).map((mark): Mark => ({ ...mark, color: namedColor(mark.color, dark) ?? mark.color })),
    [data, dark],
  );
}
