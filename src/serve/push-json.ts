// Pushed groups as Pushgateway's /api/v1/metrics gives them: one object per group, its families under their names.

import { groupedLabels } from '#collect/push/apply.ts';
import type { Group, PushedMetric, PushState } from '#collect/push/state.ts';
import { labelsToRecord } from '#model/labels.ts';
import { formatFloat } from '#wire/exposition/number.ts';

export function groupsJson(state: PushState): unknown[] {
  return [...state.groups.values()].map(groupJson);
}

function groupJson(group: Group): Record<string, unknown> {
  const labels = labelsToRecord(groupedLabels([], group.labels));
  const time = (ms: number) => ({
    time_stamp: isoTime(Math.max(group.pushedAt, group.failedAt)),
    type: 'GAUGE',
    metrics: [{ labels, value: formatFloat(ms / 1000) }],
  });
  const families: Record<string, unknown> = {};
  for (const { name, type, help, metrics, pushedAt } of Object.values(group.families))
    families[name] = {
      time_stamp: isoTime(pushedAt),
      type: type === 'gaugehistogram' ? 'GAUGE_HISTOGRAM' : type.toUpperCase(),
      ...(help === '' ? {} : { help }),
      metrics: metrics.map(metricJson),
    };
  return {
    ...families,
    push_time_seconds: { ...time(group.pushedAt), help: 'When the group was last pushed successfully.' },
    push_failure_time_seconds: { ...time(group.failedAt), help: 'When a push to the group last failed.' },
    labels: group.labels,
    last_push_successful: group.pushedAt >= group.failedAt && group.pushedAt > 0,
  };
}

const isoTime = (ms: number) => new Date(ms).toISOString();

function metricJson({ labels, value }: PushedMetric): Record<string, unknown> {
  const shared = { labels: labelsToRecord(labels) };
  const texts = (pairs: readonly (readonly [number, number])[]) =>
    Object.fromEntries(pairs.map(([bound, number]) => [formatFloat(bound), formatFloat(number)]));
  switch (value.kind) {
    case 'number':
      return { ...shared, value: formatFloat(value.number) };
    case 'summary':
      return {
        ...shared,
        quantiles: texts(value.quantiles),
        count: formatFloat(value.count),
        sum: formatFloat(value.sum),
      };
    case 'histogram':
      return { ...shared, buckets: texts(value.buckets), count: formatFloat(value.count), sum: formatFloat(value.sum) };
  }
}
