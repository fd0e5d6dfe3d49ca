// What is in a block and what makes it large: churn, cardinality, and how full its chunks are. The report reads as
// promtool's does.

import type { Disk } from '#base/disk/disk.ts';
import { labelValue, METRIC_NAME } from '#model/labels.ts';
import type { Matcher } from '#model/matcher.ts';
import { CHUNK_XOR } from '#model/query.ts';
import { type Block, readChunks } from '../block/block.ts';
import { findCandidates } from '../block/postings.ts';
import { ChunkWindow } from '../block/segment-reader.ts';
import { CHUNK_XOR2, decodeChunk } from '../codec/chunk.ts';
import { SampleColumns } from '../codec/samples.ts';
import { goDuration, openBlock } from './open.ts';

export type AnalyzeOptions = {
  readonly block?: string;
  readonly limit: number;
  readonly extended: boolean;
  readonly matchers: readonly Matcher[];
};

const EVER = { min: -Infinity, max: Infinity };

export function analyzeBlock(disk: Disk, folder: string, options: AnalyzeOptions): string {
  const block = openBlock(disk, folder, options.block);
  try {
    const lines = report(block, options);
    if (options.extended) lines.push(...chunkReport(block, options.matchers));
    return `${lines.join('\n')}\n`;
  } finally {
    block.close();
  }
}

function* matching(block: Block, matchers: readonly Matcher[]) {
  const { refs, test } = findCandidates(block.index, matchers);
  for (const ref of refs) {
    const series = block.index.series(ref, EVER);
    if (!test || test(series.labels)) yield series;
  }
}

function add(counts: Map<string, number>, key: string, amount: number): void {
  counts.set(key, (counts.get(key) ?? 0) + amount);
}

function report(block: Block, { matchers, limit }: AnalyzeOptions): string[] {
  const { meta } = block;
  const span = meta.maxTime - meta.minTime;
  const uncoveredNames = new Map<string, number>();
  const uncoveredPairs = new Map<string, number>();
  const pairs = new Map<string, number>();
  const valueBytes = new Map<string, number>();
  const valueCounts = new Map<string, number>();
  const metrics = new Map<string, number>();
  let series = 0;
  let entries = 0;
  for (const { labels, chunks } of matching(block, matchers)) {
    series++;
    const [first, last] = [chunks[0], chunks.at(-1)];
    const uncovered = first && last ? span - (last.maxTime - first.minTime) : span;
    add(metrics, labelValue(labels, METRIC_NAME), 1);
    for (let i = 0; i < labels.length; i += 2) {
      const [name, value] = [labels[i]!, labels[i + 1]!];
      const pair = `${name}=${value}`;
      if (!pairs.has(pair)) {
        add(valueCounts, name, 1);
        add(valueBytes, name, Buffer.byteLength(value));
      }
      add(pairs, pair, 1);
      add(uncoveredNames, name, uncovered);
      add(uncoveredPairs, pair, uncovered);
      entries++;
    }
  }
  const top = (title: string, counts: ReadonlyMap<string, number>, scale = 1) => [
    '',
    `${title}:`,
    ...[...counts]
      .map(([key, count]) => [key, Math.floor(count / scale)] as const)
      .sort(([, a], [, b]) => b - a)
      .slice(0, limit)
      .map(([key, count]) => `${count} ${key}`),
  ];
  return [
    `Block ID: ${meta.ulid}`,
    `Duration: ${goDuration(span)}`,
    `Total Series: ${meta.stats.numSeries ?? 0}`,
    ...(matchers.length > 0 ? [`Matched series: ${series}`] : []),
    `Label names: ${valueCounts.size}`,
    `Postings (unique label pairs): ${pairs.size}`,
    `Postings entries (total label pairs): ${entries}`,
    ...top('Label pairs most involved in churning', uncoveredPairs, span),
    ...top('Label names most involved in churning', uncoveredNames, span),
    ...top('Most common label pairs', pairs),
    ...top('Label names with highest cumulative label value length', valueBytes),
    ...top('Highest cardinality labels', valueCounts),
    ...top('Highest cardinality metric names', metrics),
  ];
}

function chunkReport(block: Block, matchers: readonly Matcher[]): string[] {
  const floats = { samples: [] as number[], bytes: [] as number[] };
  const histograms = { samples: [] as number[], bytes: [] as number[], buckets: [] as number[] };
  const window = new ChunkWindow(block.segments);
  for (const { chunks } of matching(block, matchers)) {
    for (const { encoding, samples, bytes } of readChunks(window, chunks)) {
      const kind = encoding === CHUNK_XOR || encoding === CHUNK_XOR2 ? floats : histograms;
      kind.samples.push(samples);
      kind.bytes.push(bytes.length);
      if (kind === floats) continue;
      const columns = new SampleColumns();
      decodeChunk(encoding, bytes, columns);
      const buckets = (columns.histograms ?? []).map((h) =>
        h ? h.positiveBuckets.length + h.negativeBuckets.length : 0,
      );
      histograms.buckets.push(buckets.reduce((sum, count) => sum + count, 0));
    }
  }
  const total = floats.samples.length + histograms.samples.length;
  return [
    '',
    'Compaction analysis:',
    '',
    ...distribution('samples per float chunk', floats.samples, total),
    ...distribution('bytes per float chunk', floats.bytes, total),
    ...distribution('samples per histogram chunk', histograms.samples, total),
    ...distribution('bytes per histogram chunk', histograms.bytes, total),
    ...distribution('buckets per histogram chunk', histograms.buckets, total),
  ];
}

const BAR_WIDTH = 50;
const BARS = 10;

function distribution(what: string, values: number[], total: number): string[] {
  if (values.length === 0) return [`${what}: N/A`, ''];
  values.sort((a, b) => a - b);
  const [min, max] = [values[0]!, values.at(-1)!];
  const step = Math.max(1, Math.ceil((max - min + 1) / BARS));
  const counts = new Array<number>(Math.floor((max - min) / step) + 1).fill(0);
  for (const value of values) counts[Math.floor((value - min) / step)]!++;
  const average = Math.floor(values.reduce((sum, value) => sum + value, 0) / values.length);
  const most = Math.max(...counts);
  const width = String(max + step).length;
  return [
    `${what} (min/avg/max): ${min}/${average}/${max}`,
    ...counts.map((count, i) => {
      const from = String(min + i * step).padStart(width);
      const to = String(min + (i + 1) * step).padEnd(width);
      const share = ((100 * count) / total).toFixed(2).padStart(6);
      return `[${from}, ${to}): ${String(count).padStart(String(most).length)} ${share}% ${'#'.repeat(Math.round((BAR_WIDTH * count) / most))}`;
    }),
    '',
  ];
}
