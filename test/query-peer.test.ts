// Random queries over random series, asked of Debian's Prometheus (2.42) and of this engine. What 3.x has changed since is
// listed in DIFFERENCES; queries that would meet one are not drawn, or compared where it does not show.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../src/base/clock.ts';
import { type Random, seeded } from '../src/base/random.ts';
import { formatLabels, type Labels, labelsOf } from '../src/model/labels.ts';
import { QueryEngine } from '../src/query/engine.ts';
import { MemorySource } from '../src/query/memory-twin.ts';
import { RandomExpressions } from '../src/query/parse/expressions.suite.ts';
import { WriteV1Encoder } from '../src/wire/remote/write-v1.ts';
import { snappyEncode } from '../src/wire/snappy.ts';
import { prometheus, startPrometheus } from './prometheus.ts';

/** Each difference between 2.42 and 3.x that random queries would meet, and how it is kept out. */
const DIFFERENCES = {
  'windows are open on the left': 'samples lie 7 ms beside the seconds of the grid, so none is ever on a border',
  'subqueries are open on the left': 'evaluation times are 13 s beside the steps of subqueries',
  'values as labels': 'count_values is not compared: it shows the last bits of sums',
  'dates of what is no time': 'queries with a date function of values are not compared',
  'sums are compensated': 'values are compared with a tolerance, and where rounding decides, as far as it does',
  'comparisons check many-to-one': 'queries that fail in 3.x for several matches are not compared',
  'merged rows': 'unary minus merges series that differ in their name only, which 2.42 refuses',
  'first aggregated NaN': 'the extreme of groups with NaN depends on the order of series in 2.42',
  'one moment, changing parameter': '2.42 answers the first step only when @ stands beside time() or in predict_linear',
  'the zero point only shortens': 'counters begin high, before any window, and rates of gauges are not compared',
  'spread of times': 'stddev and stdvar of numbers as large as times depend on the order of series',
  'spread of infinities': 'stddev and stdvar of an infinity or NaN are NaN, in 2.42 they may be 0',
  'timestamps beside @': 'of selectors with @ and an offset 2.42 forgets the offset',
} as const;

const MEETS_DIFFERENCE = [
  /\b(hour|minute|day_of_week|month|year)\(/,
  /count_values/,
  /(predict_linear|quantile_over_time)\(.*@/,
  /std(dev|var)\b.*(quantile|\/|\^|exp|ln|log|time|scalar)/,
  /\b(rate|increase)\(.*load/,
  /timestamp\(.*(offset.*@|@.*offset)/,
];

const START = 1_600_000_000_000;
const GRID = { start: START + 2_413_000, end: START + 3_313_000, step: 60_000 };
/** Longer than windows, subqueries and offsets together. */
const BEFORE_MS = 12_000_000;
const QUERIES = 300;

function fill(random: Random, add: (labels: Labels, time: number, value: number) => void): void {
  for (let i = 0; i < 18; i++) {
    const name = i % 2 ? 'load' : 'work_total';
    const labels = labelsOf({ __name__: name, host: `h${i % 6}`, zone: `z${i % 3}`, n: String(i) });
    let value = 2000 + random.below(100);
    for (let time = START + 7 + random.below(15) * 1000 - BEFORE_MS; time < START + 3_900_000; time += 15_000) {
      if (random.below(15) === 0) continue;
      value = random.below(60) === 0 ? 2000 : value + random.below(20);
      add(labels, time, i % 2 ? random.below(1000) - 300 : value);
    }
  }
}

type Rows = Map<string, Map<number, number>>;

test('Debian Prometheus answers the same', { skip: prometheus.skip, timeout: 300_000 }, async (t) => {
  const seed = Number(process.env['PHAROS_SEED'] ?? 2_420);
  t.diagnostic(`seed ${seed}; ${Object.keys(DIFFERENCES).length} known differences`);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pharos-peer-'));
  const peer = await startPrometheus(path.join(folder, 'data'));
  t.after(async () => {
    await peer.end('SIGKILL');
    fs.rmSync(folder, { recursive: true, force: true });
  });
  const source = new MemorySource(2);
  await load(peer, source, seeded(seed));
  const engine = new QueryEngine({ source, clock: systemClock });
  const shaken = Array.from({ length: SHAKEN }, (_, i) => {
    const random = seeded(seed + 100 + i);
    const other = new MemorySource(2);
    fill(seeded(seed), (labels, time, value) => other.add(labels, time, value * (1 + SHAKE * (random.next() - 0.5))));
    return new QueryEngine({ source: other, clock: systemClock });
  });
  const expressions = new RandomExpressions(seeded(seed + 1), {
    selectors: ['work_total', 'load{zone="z1"}', 'work_total{host=~"h[0-3]"}', 'load'],
    labels: ['host', 'zone', 'n'],
    classic: true,
  });
  let compared = 0;
  const failures: string[] = [];
  for (let i = 0; i < QUERIES; i++) {
    const query = expressions.vector(3);
    if (MEETS_DIFFERENCE.some((pattern) => pattern.test(query))) continue;
    const mine = await ours(engine, query);
    const theirs = await peersAnswer(peer, query);
    if (mine instanceof Error || theirs instanceof Error) {
      const both = mine instanceof Error && theirs instanceof Error;
      const known =
        mine instanceof Error ? /multiple matches/.test(mine.message) : /same labelset/.test(String(theirs));
      if (!both && !known) failures.push(`${query}\nours: ${shown(mine)}\ntheirs: ${shown(theirs)}`);
      continue;
    }
    failures.push(...(await compare(mine, theirs, query, shaken)));
    compared++;
  }
  assert.equal(failures.length, 0, failures.join('\n\n'));
  assert.ok(compared > QUERIES / 2, `only ${compared} queries were compared`);
});

const shown = (answer: Rows | Error): string => (answer instanceof Error ? answer.message : `${answer.size} series`);

async function load(
  peer: Awaited<ReturnType<typeof startPrometheus>>,
  source: MemorySource,
  random: Random,
): Promise<void> {
  const encoder = new WriteV1Encoder();
  const words = new Uint32Array(new Float64Array(1).buffer);
  let last: Labels | undefined;
  fill(random, (labels, time, value) => {
    source.add(labels, time, value);
    if (labels !== last) encoder.series(labels);
    last = labels;
    new Float64Array(words.buffer)[0] = value;
    encoder.sample(time, words[0]!, words[1]!);
  });
  const headers = {
    'content-encoding': 'snappy',
    'content-type': 'application/x-protobuf',
    'x-prometheus-remote-write-version': '0.1.0',
  };
  await peer.post('/api/v1/write', headers, snappyEncode(encoder.finish()));
}

async function ours(engine: QueryEngine, query: string): Promise<Rows | Error> {
  try {
    const { data } = await engine.range(query, GRID);
    assert.ok(data.type === 'matrix');
    const rows: Rows = new Map();
    const { vector } = data;
    vector.labels.forEach((labels, row) => {
      const points = new Map<number, number>();
      for (let step = 0; step < vector.steps; step++) {
        const at = row * vector.steps + step;
        if (vector.kinds[at] !== 0) points.set(GRID.start + step * GRID.step, vector.values[at]!);
      }
      rows.set(formatLabels(labels), points);
    });
    return rows;
  } catch (error) {
    assert.ok(
      error instanceof Error && !error.message.startsWith('BUG') && !(error instanceof TypeError),
      String(error),
    );
    return error;
  }
}

type PeerData = { result: { metric: Record<string, string>; values: [number, string][] }[] };

async function peersAnswer(peer: Awaited<ReturnType<typeof startPrometheus>>, query: string): Promise<Rows | Error> {
  const times = `start=${GRID.start / 1000}&end=${GRID.end / 1000}&step=${GRID.step / 1000}`;
  try {
    const data = (await peer.get(`/api/v1/query_range?query=${encodeURIComponent(query)}&${times}`)) as PeerData;
    const parse = (text: string) => (text === '+Inf' ? Infinity : text === '-Inf' ? -Infinity : Number(text));
    return new Map(
      data.result.map(({ metric, values }) => [
        formatLabels(labelsOf(metric)),
        new Map(values.map(([seconds, value]) => [Math.round(seconds * 1000), parse(value)])),
      ]),
    );
  } catch (error) {
    return error as Error;
  }
}

/** What rounding may make of a value that does not depend on it much. */
const TINY = 1e-9;
/**
 * Where it does, the same query over samples that are changed by this much shows it: its points move too, or come and go. What
 * differs from the peer by no more than a multiple of that is a matter of rounding.
 */
const SHAKE = 1e-11;
const SHAKEN = 4;
const MULTIPLE = 1000;

async function compare(mine: Rows, theirs: Rows, query: string, shaken: readonly QueryEngine[]): Promise<string[]> {
  const differing: { text: string; labels: string; time: number; x: number | undefined; y: number | undefined }[] = [];
  for (const labels of new Set([...mine.keys(), ...theirs.keys()])) {
    const [a, b] = [mine.get(labels) ?? new Map<number, number>(), theirs.get(labels) ?? new Map<number, number>()];
    for (const time of new Set([...a.keys(), ...b.keys()])) {
      const [x, y] = [a.get(time), b.get(time)];
      if (x !== undefined && y !== undefined && isNear(x, y)) continue;
      differing.push({ text: `${labels} at ${time}: ${x} and ${y}`, labels, time, x, y });
    }
  }
  if (differing.length === 0) return [];
  const others = await Promise.all(shaken.map((engine) => ours(engine, query)));
  const isDelicate = ({ labels, time, x, y }: (typeof differing)[number]): boolean =>
    others.some((other) => {
      if (other instanceof Error) return true;
      const z = other.get(labels)?.get(time);
      if ((z === undefined) !== (x === undefined)) return true;
      if (x === undefined || y === undefined || z === undefined) return false;
      return Math.abs(x - y) <= MULTIPLE * Math.abs(x - z) || Number.isNaN(x) !== Number.isNaN(z);
    });
  const firm = differing.filter((point) => !isDelicate(point));
  if (firm.length === 0) return [];
  const points = [...theirs.values()].reduce((sum, row) => sum + row.size, 0);
  const shownPoints = firm.slice(0, 3).map(({ text }) => text);
  return [`${query}\n${shownPoints.join('\n')}\n${firm.length} of ${points}, ${differing.length} with rounding`];
}

function isNear(x: number, y: number): boolean {
  if (Object.is(x, y) || x === y || (Number.isNaN(x) && Number.isNaN(y))) return true;
  return Math.abs(x - y) <= TINY * Math.max(1, Math.abs(x), Math.abs(y));
}
