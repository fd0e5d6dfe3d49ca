// Runs PromQL test scripts against the engine over samples in memory. Instant evaluations are repeated with every selector
// pinned by @ at other times, and as the middle step of a range.

import { systemClock } from '#base/clock.ts';
import type { CounterReset, Histogram } from '#model/histogram.ts';
import { formatLabels, type Labels, labelsKey } from '#model/labels.ts';
import { isStale } from '#model/value.ts';
import { FEATURES, QueryEngine, type QueryResult } from '../engine.ts';
import { ABSENT, HISTOGRAM } from '../execute/vector.ts';
import { compact, equalBounds } from '../histogram/arithmetic.ts';
import { almostEqual } from '../histogram/classic.ts';
import { MemorySource } from '../memory-twin.ts';
import { childrenOf, type Expr } from '../parse/ast.ts';
import { ALL_FEATURES, parseExpr } from '../parse/parser.ts';
import { printExpr } from '../parse/print.ts';
import { isStepDependent } from '../plan/build.ts';
import { type EvalCommand, type LoadCommand, parseScript } from './commands.suite.ts';
import { customBucketSeries } from './custom-buckets.suite.ts';
import type { SequenceValue } from './series-notation.ts';

const EPSILON = 1e-6;

export type ScriptOptions = {
  readonly shards?: number;
  readonly noPushdown?: boolean;
  readonly source?: () => MemorySource;
};
export type Failure = { readonly line: number; readonly expr: string; readonly message: string };
export type ScriptOutcome = { readonly evals: number; readonly failures: readonly Failure[] };

export async function runScript(text: string, options: ScriptOptions = {}): Promise<ScriptOutcome> {
  const source = options.source?.() ?? new MemorySource(options.shards);
  const engine = new QueryEngine({
    ...{ source, clock: systemClock, features: FEATURES.filter((name) => name !== 'type-and-unit-labels') },
    ...{ limits: { maxSamples: 10_000 }, noPushdown: options.noPushdown ?? false },
  });
  const failures: Failure[] = [];
  let evals = 0;
  for (const command of parseScript(text)) {
    if (command.kind === 'clear') source.clear();
    else if (command.kind === 'load') load(source, command);
    else {
      evals++;
      try {
        await (command.range ? checkRange(engine, command) : checkInstant(engine, command));
      } catch (error) {
        failures.push({
          line: command.line,
          expr: command.expr,
          message:
            error instanceof Error
              ? error.message.startsWith('BUG') || error instanceof TypeError
                ? error.stack!
                : error.message
              : String(error),
        });
      }
    }
  }
  return { evals, failures };
}

function load(source: MemorySource, command: LoadCommand): void {
  for (const { labels, values, starts } of command.series) {
    values.forEach((value, i) => {
      const time = i * command.step;
      const start = starts?.[i];
      const began = start === undefined ? 0 : time + start;
      if (value.kind === 'float') source.add(labels, time, value.value, began);
      else if (value.kind === 'stale') source.add(labels, time, 'stale', began);
      else if (value.kind === 'histogram') source.add(labels, time, value.value, began);
    });
  }
  if (!command.withCustomBuckets) return;
  for (const { labels, time, value } of customBucketSeries(command)) source.add(labels, time, value);
}

const fail = (message: string): never => {
  throw new Error(message);
};

/** Runs and checks errors and annotations; undefined if it failed as it should. */
async function evaluate(
  command: EvalCommand,
  run: () => Promise<QueryResult>,
  query: string,
): Promise<QueryResult | undefined> {
  let result: QueryResult;
  try {
    result = await run();
  } catch (error) {
    if (!command.fail || !(error instanceof Error) || error instanceof TypeError || error.message.startsWith('BUG'))
      throw error;
    const unmet = command.fail.find((expected) => !expected.matches(error.message));
    if (unmet) fail(`${query}: expected error ${unmet.shown}, got: ${error.message}`);
    return undefined;
  }
  if (command.fail) fail(`${query}: expected an error`);
  const { warnings, infos } = result.annotations.texts(query);
  checkAnnotations('warning', command.warn, warnings, command.someWarning, command.noWarn);
  checkAnnotations('info', command.info, infos, command.someInfo, command.noInfo);
  return result;
}

function checkAnnotations(
  level: string,
  expected: EvalCommand['warn'],
  actual: readonly string[],
  some: boolean,
  none: boolean,
): void {
  if (some && actual.length === 0) fail(`expected some ${level}`);
  if (none && actual.length > 0) fail(`unexpected ${level}: ${actual.join('; ')}`);
  if (expected.length === 0) return;
  for (const one of expected) {
    if (!actual.some(one.matches)) fail(`expected ${level} ${one.shown}, got: ${actual.join('; ') || 'none'}`);
  }
  for (const text of actual) {
    if (!expected.some((one) => one.matches(text))) fail(`unexpected ${level}: ${text}`);
  }
}

async function checkRange(engine: QueryEngine, command: EvalCommand): Promise<void> {
  const { expr, start, end, step } = command;
  const result = await evaluate(command, () => engine.range(expr, { start, end, step }), expr);
  if (result) compareSeries(command, pointsOf(result), command);
}

async function checkInstant(engine: QueryEngine, command: EvalCommand): Promise<void> {
  await checkAt(engine, command, command.expr, command.start);
  const pinned = pin(command.expr, command.start);
  if (pinned === undefined) return;
  const t = command.start;
  for (const time of t === 0 ? [-1000, 0, 1000] : [-10 * t, 0, Math.trunc(t / 5), t, 10 * t]) {
    await checkAt(engine, command, pinned, time);
  }
}

async function checkAt(engine: QueryEngine, command: EvalCommand, query: string, time: number): Promise<void> {
  const result = await evaluate(command, () => engine.instant(query, time), query);
  if (!result) return;
  try {
    compareInstant(command, result);
  } catch (error) {
    fail(`${query} @ ${time}: ${(error as Error).message}`);
  }
  if (command.rangeVector || command.text !== undefined || /(start|end|range|step)\(\)/.test(query)) return;
  const grid = { start: time - 60_000, end: time + 60_000, step: 60_000 };
  const range = await engine.range(query, grid);
  if (command.ordered) return;
  const middle = pointsOf(range)
    .map(({ labels, points }) => ({ labels, points: points.filter((point) => point.time === time) }))
    .filter(({ points }) => points.length > 0);
  try {
    if (command.scalar !== undefined) compareScalar(command.scalar, middle[0]?.points[0]?.value ?? Number.NaN);
    else compareVector(command, middle);
  } catch (error) {
    fail(`${query} as the middle of a range around ${time}: ${(error as Error).message}`);
  }
}

/** The expression with every selector pinned to `time`; undefined if its value depends on the evaluation time. */
function pin(text: string, time: number): string | undefined {
  const expr = parseExpr(text, ALL_FEATURES);
  let dependent = false;
  const walk = (node: Expr): void => {
    if (node.kind === 'call' && isStepDependent(node.func.name)) dependent = true;
    if (node.kind === 'vector' || node.kind === 'subquery') node.at ??= { time };
    // What is inside a pinned subquery is left alone.
    if (node.kind !== 'subquery') for (const child of childrenOf(node)) walk(child);
  };
  walk(expr);
  return dependent ? undefined : printExpr(expr);
}

type Point = { readonly time: number; readonly value: number | Histogram; readonly stale: boolean };
type Points = { readonly labels: Labels; readonly points: readonly Point[] };

function pointsOf({ data }: QueryResult): Points[] {
  if (data.type === 'samples') {
    return data.series.map(({ labels, timestamps, values, histograms }) => ({
      labels,
      points: [...timestamps].map((time, i) => ({
        time,
        value: histograms?.get(i) ?? values[i]!,
        stale: isStale(values, i),
      })),
    }));
  }
  if (data.type !== 'matrix' && data.type !== 'vector') return [];
  const { vector } = data;
  const start = data.type === 'vector' ? data.time : data.grid.start;
  const step = data.type === 'vector' ? 0 : data.grid.step;
  return vector.labels.map((labels, row) => ({
    labels,
    points: Array.from({ length: vector.steps }, (_, i) => i)
      .filter((i) => vector.kinds[row * vector.steps + i] !== ABSENT)
      .map((i) => {
        const at = row * vector.steps + i;
        const histogram = vector.kinds[at] === HISTOGRAM ? vector.histograms!.get(at)! : undefined;
        return { time: start + i * step, value: histogram ?? vector.values[at]!, stale: isStale(vector.values, at) };
      }),
  }));
}

function compareInstant(command: EvalCommand, result: QueryResult): void {
  const { data } = result;
  if (data.type === 'string') {
    if (data.value !== command.text)
      fail(`expected ${JSON.stringify(command.text)}, got ${JSON.stringify(data.value)}`);
  } else if (data.type === 'scalar') {
    if (command.scalar === undefined) fail(`got the scalar ${data.value}`);
    else compareScalar(command.scalar, data.value);
  } else if (data.type === 'vector') {
    if (command.scalar !== undefined) fail('expected a scalar, got a vector');
    compareVector(command, pointsOf(result));
  } else compareSeries(command, pointsOf(result), command.rangeVector ?? command);
}

function compareScalar(expected: number, actual: number | Histogram): void {
  if (typeof actual !== 'number' || !almostEqual(expected, actual, EPSILON))
    fail(`expected ${expected}, got ${show(actual)}`);
}

function compareVector(command: EvalCommand, actual: readonly Points[]): void {
  const expected = new Map(command.series.map((series, i) => [labelsKey(series.labels), { ...series, at: i }]));
  const seen = new Set<string>();
  actual.forEach(({ labels, points }, i) => {
    const key = labelsKey(labels);
    const wanted = expected.get(key);
    if (!wanted) throw new Error(`unexpected ${formatLabels(labels)} = ${show(points[0]!.value)}`);
    if (command.ordered && wanted.at !== i) fail(`${formatLabels(labels)} is at ${i}, expected at ${wanted.at}`);
    compareValue(wanted.values[0]!, points[0]!, labels);
    seen.add(key);
  });
  for (const [key, { labels }] of expected) if (!seen.has(key)) fail(`missing ${formatLabels(labels)}`);
}

function compareSeries(command: EvalCommand, actual: readonly Points[], grid: { start: number; step: number }): void {
  const expected = new Map(command.series.map((series) => [labelsKey(series.labels), series]));
  for (const { labels, points } of actual) {
    const wanted = expected.get(labelsKey(labels));
    if (!wanted)
      throw new Error(`unexpected ${formatLabels(labels)}: ${points.map((p) => `${show(p.value)}@${p.time}`)}`);
    expected.delete(labelsKey(labels));
    const times = wanted.values
      .map((value, i) => ({ value, time: grid.start + i * grid.step }))
      .filter(({ value }) => value.kind !== 'omitted');
    const got = points.map((point) => `${show(point.value)}@${point.time}`).join(' ');
    if (times.length !== points.length) fail(`${formatLabels(labels)}: expected ${times.length} points, got ${got}`);
    times.forEach(({ value, time }, i) => {
      if (points[i]!.time !== time) fail(`${formatLabels(labels)}: expected a point at ${time}, got ${got}`);
      compareValue(value, points[i]!, labels);
    });
  }
  for (const { labels } of expected.values()) fail(`missing ${formatLabels(labels)}`);
}

function compareValue(expected: SequenceValue, actual: Point, labels: Labels): void {
  const differ = (shown: string) => fail(`${formatLabels(labels)}: expected ${shown}, got ${show(actual.value)}`);
  if (expected.kind === 'histogram') {
    const { value } = actual;
    if (typeof value === 'number' || !equalHistogram(expected.value, value, expected.hintGiven))
      differ(show(expected.value));
  } else if (typeof actual.value !== 'number') differ(JSON.stringify(expected));
  else if (expected.kind === 'stale') {
    if (!actual.stale) differ('a stale marker');
  } else if (expected.kind === 'float' && (actual.stale || !almostEqual(expected.value, actual.value, EPSILON))) {
    differ(String(expected.value));
  }
}

function equalHistogram(wanted: Histogram, got: Histogram, hint: boolean): boolean {
  const [a, b] = [compact(wanted), compact(got)];
  const near = (x: number, y: number) => almostEqual(x, y, EPSILON);
  const spans = (x: Histogram['positiveSpans']) => JSON.stringify(x);
  const buckets = (x: Float64Array, y: Float64Array) =>
    x.length === y.length && x.every((value, i) => near(value, y[i]!));
  return (
    a.schema === b.schema &&
    near(a.count, b.count) &&
    near(a.sum, b.sum) &&
    equalBounds(a.customValues, b.customValues) &&
    a.zeroThreshold === b.zeroThreshold &&
    near(a.zeroCount, b.zeroCount) &&
    spans(a.positiveSpans) === spans(b.positiveSpans) &&
    spans(a.negativeSpans) === spans(b.negativeSpans) &&
    buckets(a.positiveBuckets, b.positiveBuckets) &&
    buckets(a.negativeBuckets, b.negativeBuckets) &&
    (!hint || hintOf(a) === hintOf(b))
  );
}

const hintOf = (h: Histogram): CounterReset => h.counterReset;

const show = (value: number | Histogram): string =>
  typeof value === 'number'
    ? String(value)
    : JSON.stringify(value, (_, part) => (part instanceof Float64Array ? [...part] : part));
