// Turns the classic histograms of a script's load into native ones with custom buckets, sample by sample.

import { CUSTOM_BUCKETS_SCHEMA, type Histogram } from '#model/histogram.ts';
import { type Labels, labelsKey, labelValue, withLabel } from '#model/labels.ts';
import { parseGoFloat } from '../functions/histograms.ts';
import { compact } from '../histogram/arithmetic.ts';
import type { LoadCommand } from './commands.suite.ts';

type Draft = { readonly buckets: Map<number, number>; count: number | undefined; sum: number };

export function* customBucketSeries(
  command: LoadCommand,
): Generator<{ labels: Labels; time: number; value: Histogram }> {
  const drafts = new Map<string, { labels: Labels; byTime: Map<number, Draft> }>();
  for (const { labels, values } of command.series) {
    const suffix = /^(.*)_(bucket|count|sum)$/s.exec(labelValue(labels, '__name__'));
    if (!suffix) continue;
    const le = parseGoFloat(labelValue(labels, 'le'));
    if (suffix[2] === 'bucket' && (le === undefined || Number.isNaN(le))) continue;
    const base = withLabel(withLabel(labels, 'le', ''), '__name__', suffix[1]!);
    const key = labelsKey(base);
    const entry = drafts.get(key) ?? { labels: base, byTime: new Map<number, Draft>() };
    drafts.set(key, entry);
    values.forEach((value, i) => {
      if (value.kind !== 'float') return;
      const time = i * command.step;
      const draft = entry.byTime.get(time) ?? { buckets: new Map(), count: undefined, sum: 0 };
      entry.byTime.set(time, draft);
      if (suffix[2] === 'bucket') draft.buckets.set(le!, value.value);
      else if (suffix[2] === 'count') draft.count = value.value;
      else draft.sum = value.value;
    });
  }
  for (const { labels, byTime } of drafts.values()) {
    for (const [time, draft] of byTime) yield { labels, time, value: convert(draft) };
  }
}

function convert({ buckets, count, sum }: Draft): Histogram {
  const bounds = [...buckets.keys()].sort((a, b) => a - b);
  const total = count ?? (bounds.length > 0 ? buckets.get(bounds.at(-1)!)! : 0);
  const cumulative = bounds.map((bound) => buckets.get(bound)!);
  if (bounds.at(-1) !== Infinity) cumulative.push(total);
  const own = cumulative.map((value, i) => value - (cumulative[i - 1] ?? 0));
  const none = new Float64Array(0);
  return compact({
    integer: false,
    schema: CUSTOM_BUCKETS_SCHEMA,
    zeroThreshold: 0,
    zeroCount: 0,
    count: total,
    sum,
    positiveSpans: [{ offset: 0, length: own.length }],
    negativeSpans: [],
    positiveBuckets: Float64Array.from(own),
    negativeBuckets: none,
    customValues: Float64Array.from(bounds.filter((bound) => bound !== Infinity)),
    counterReset: 'unknown',
  });
}
