// Every sample of a folder's blocks as text: a line each as promtool dumps them, or OpenMetrics, which can be made blocks of
// again.

import type { Disk } from '#base/disk/disk.ts';
import type { Histogram } from '#model/histogram.ts';
import { isLegacyLabelName, type Labels, labelsToRecord, labelValue, METRIC_NAME, quote } from '#model/labels.ts';
import { compileMatchers, type Matcher } from '#model/matcher.ts';
import type { TimeRange } from '#model/query.ts';
import type { SeriesChunkSource } from '../chunks.ts';
import { decodeChunk } from '../codec/chunk.ts';
import { bucketIndexes } from '../codec/histogram-layout.ts';
import { SampleColumns } from '../codec/samples.ts';
import { mergeSources } from '../compact/merge.ts';
import { openBlocks } from './open.ts';

export type DumpOptions = {
  readonly range: TimeRange;
  /** Series that any of them selects; none: all. */
  readonly matchers: readonly (readonly Matcher[])[];
  readonly format: 'lines' | 'openmetrics' | 'seriesjson';
};

/** Lines, some thousand at a time. */
export function* dump(disk: Disk, folder: string, options: DumpOptions): Generator<string> {
  const blocks = openBlocks(disk, folder);
  try {
    yield* dumpSources(blocks, options);
  } finally {
    for (const block of blocks) block.close();
  }
}

const BATCH_CHARACTERS = 256 * 1024;

export function* dumpSources(sources: readonly SeriesChunkSource[], options: DumpOptions): Generator<string> {
  const { range, matchers, format } = options;
  const tests = matchers.map(compileMatchers);
  let batch = '';
  for (const { labels, chunks } of mergeSources(sources, range)) {
    if (tests.length > 0 && !tests.some((test) => test(labels))) continue;
    if (format === 'seriesjson') {
      yield `${JSON.stringify(labelsToRecord(labels))}\n`;
      continue;
    }
    const name = format === 'lines' ? labelsText(labels) : openMetricsName(labels);
    for (const { encoding, bytes } of chunks) {
      const samples = new SampleColumns();
      decodeChunk(encoding, bytes, samples);
      for (let i = 0; i < samples.length; i++) {
        const time = samples.timestamps[i]!;
        const histogram = samples.histograms?.[i];
        if (format === 'lines') {
          batch += `${name} ${histogram ? formatHistogram(histogram) : formatGo(samples.values[i]!)} ${time}\n`;
        } else if (!histogram) batch += `${name} ${formatGo(samples.values[i]!)} ${(time / 1000).toFixed(3)}\n`;
      }
      if (batch.length < BATCH_CHARACTERS) continue;
      yield batch;
      batch = '';
    }
  }
  yield format === 'openmetrics' ? `${batch}# EOF\n` : batch;
}

const labelName = (name: string) => (isLegacyLabelName(name) ? name : quote(name));

/** All labels in braces. */
function labelsText(labels: Labels): string {
  const parts: string[] = [];
  for (let i = 0; i < labels.length; i += 2) parts.push(`${labelName(labels[i]!)}=${quote(labels[i + 1]!)}`);
  return `{${parts.join(', ')}}`;
}

function openMetricsName(labels: Labels): string {
  const parts: string[] = [];
  for (let i = 0; i < labels.length; i += 2) {
    if (labels[i] !== METRIC_NAME) parts.push(`${labelName(labels[i]!)}=${quote(labels[i + 1]!)}`);
  }
  return `${labelValue(labels, METRIC_NAME)}{${parts.join(',')}}`;
}

/** Go decides as if for six digits when it prints the shortest form. */
const SHORTEST_DIGITS = 6;

/** As Go prints with %g: the shortest digits, with an exponent below 1e-4 and from 1e6 on. */
export function formatGo(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  if (Object.is(value, -0)) return '-0';
  const [digits, exponent] = value.toExponential().split('e') as [string, string];
  const power = Number(exponent);
  if (value === 0 || (power >= -4 && power < SHORTEST_DIGITS)) return String(value);
  return `${digits}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
}

/** "{count:5, sum:7, [-0.5,-0.25):1, [-0.001,0.001]:2, (0.5,1]:2}" */
export function formatHistogram(histogram: Histogram): string {
  const { schema, positiveSpans, negativeSpans, positiveBuckets, negativeBuckets, customValues } = histogram;
  const parts = [`count:${formatGo(histogram.count)}`, `sum:${formatGo(histogram.sum)}`];
  const bound = (index: number) => {
    if (!customValues) return 2 ** (index * 2 ** -schema);
    return index < 0 ? -Infinity : index >= customValues.length ? Infinity : customValues[index]!;
  };
  const negative = bucketIndexes(negativeSpans);
  for (let i = negative.length - 1; i >= 0; i--) {
    const index = negative[i]!;
    if (negativeBuckets[i] === 0) continue;
    parts.push(`[${formatGo(-bound(index))},${formatGo(-bound(index - 1))}):${formatGo(negativeBuckets[i]!)}`);
  }
  if (histogram.zeroCount !== 0) {
    const threshold = formatGo(histogram.zeroThreshold);
    parts.push(`[-${threshold},${threshold}]:${formatGo(histogram.zeroCount)}`);
  }
  for (const [i, index] of bucketIndexes(positiveSpans).entries()) {
    if (positiveBuckets[i] === 0) continue;
    parts.push(`(${formatGo(bound(index - 1))},${formatGo(bound(index))}]:${formatGo(positiveBuckets[i]!)}`);
  }
  return `{${parts.join(', ')}}`;
}
