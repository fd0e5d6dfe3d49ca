// Runs the unit tests of one file: samples are loaded step by step, rules evaluated at each, alerts and results of
// expressions compared. Differences are told as promtool tells them.

import type { Clock } from '#base/clock.ts';
import type { Disk } from '#base/disk/disk.ts';
import { errorText } from '#base/errors.ts';
import { silentLogger } from '#base/log.ts';
import { formatDuration } from '#base/units.ts';
import type { Appender } from '#model/batch.ts';
import { compareLabels, equalLabels, type Labels, labelsFrom } from '#model/labels.ts';
import type { RawSeries } from '#model/query.ts';
import { Registry } from '#model/registry.ts';
import type { ParseOptions } from '#query/parse/parser.ts';
import { parseValues, type SequenceValue } from '#query/script/series-notation.ts';
import { AlertingRule } from '../rules/alerting.ts';
import type { Row, RuleEngine, VectorSample } from '../rules/contract.ts';
import { RuleFileError } from '../rules/file.ts';
import { RuleGroup } from '../rules/group.ts';
import { ruleMetrics } from '../rules/metrics.ts';
import { appendRows, type KnownSeries } from '../rules/rows.ts';
import { loadRuleFiles } from '../rules/rules.ts';
import { formatFloat } from '../template/float.ts';
import { goQuote } from '../template/quote.ts';
import type { TestCase, TestFile } from './file.ts';
import { formatHistogram, parseHistogram, parseMetric } from './notation.ts';

/** An empty store with an engine on it, for one test. */
export type TestStorage = {
  readonly engine: RuleEngine;
  readonly appender: Appender;
  readonly source: { all(): readonly RawSeries[] };
};

export type RunOptions = {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly newStorage: (subqueryStepMs: number) => TestStorage;
  /** Only tests whose name matches. */
  readonly only?: RegExp | undefined;
  readonly ignoreUnknownFields?: boolean;
  readonly parse?: ParseOptions;
  /** Show alerts that differ as a difference, line by line. */
  readonly diff?: boolean;
  readonly debug?: (message: string) => void;
};

export type CaseResult = { readonly name: string; readonly failures: readonly string[] };

export async function runTestFile(file: TestFile, options: RunOptions): Promise<readonly CaseResult[]> {
  const results: CaseResult[] = [];
  for (const [index, test] of file.tests.entries()) {
    if (options.only && !options.only.test(test.name)) continue;
    const name = test.name === '' ? `unnamed#${index}` : test.name;
    const start = options.clock.monotonic();
    options.debug?.(`DEBUG: Starting test ${name}`);
    results.push({ name, failures: await runTest(file, test, options) });
    options.debug?.(`DEBUG: Test ${name} finished, took ${Math.round(options.clock.monotonic() - start)}ms`);
  }
  return results;
}

async function runTest(file: TestFile, test: TestCase, options: RunOptions): Promise<string[]> {
  const missing = test.alert_rule_test.find((testCase) => testCase.alertname === '');
  if (missing) {
    const inGroup = test.name === '' ? '' : ` (in TestGroup ${test.name})`;
    const at = formatDuration(missing.eval_time);
    return [`an item under alert_rule_test misses required attribute alertname at eval_time ${at}${inGroup}`];
  }
  const storage = options.newStorage(file.evaluation_interval);
  try {
    return await new TestRun(file, test, storage, options).run();
  } catch (error) {
    if (error instanceof RuleFileError) return [...error.problems];
    return [errorText(error)];
  }
}

type FoundAlert = { readonly labels: Labels; readonly annotations: Labels };

class TestRun {
  readonly #file: TestFile;
  readonly #test: TestCase;
  readonly #storage: TestStorage;
  readonly #options: RunOptions;
  readonly #failures: string[] = [];

  constructor(file: TestFile, test: TestCase, storage: TestStorage, options: RunOptions) {
    this.#file = file;
    this.#test = test;
    this.#storage = storage;
    this.#options = options;
  }

  async run(): Promise<string[]> {
    const { evaluation_interval: step } = this.#file;
    const start = this.#test.start_timestamp;
    const load = this.#loader();
    const groups = this.#groups();
    const cases = [...this.#test.alert_rule_test, ...this.#test.promql_expr_test];
    const end = start + Math.max(0, ...cases.map((testCase) => testCase.eval_time));
    for (let time = start; time <= end; time += step) {
      await load(time);
      if (!(await this.#evaluate(groups, time))) return this.#failures;
      for (const testCase of this.#test.alert_rule_test) {
        const at = start + testCase.eval_time;
        if (at >= time && at < time + step) this.#checkAlerts(groups, testCase);
      }
    }
    for (const testCase of this.#test.promql_expr_test) await this.#checkExpression(testCase, start);
    this.#dump(end);
    return this.#failures;
  }

  #dump(end: number): void {
    const { debug } = this.#options;
    if (!debug) return;
    debug(`DEBUG: Dump of all data (input_series and rules) at ${goDuration(end)}:`);
    for (const { labels, timestamps, values, histograms } of this.#storage.source.all()) {
      const points = Array.from(timestamps, (time, i) => {
        const histogram = histograms?.get(i);
        return `${histogram ? formatHistogram(histogram) : formatFloat(values[i]!, 'g', -1)} @[${time}]`;
      });
      debug(`${printLabels(labels)} =>\n${points.join('\n')}`);
    }
  }

  /** Appends the samples of a series of times, each call those up to its time. */
  #loader(): (until: number) => Promise<void> {
    const interval = this.#test.interval ?? this.#file.evaluation_interval;
    const start = this.#test.start_timestamp;
    const inputs = this.#test.input_series.map(({ series, values }) => ({
      labels: parseMetric(series),
      points: parseValues(values),
      next: 0,
    }));
    const known: KnownSeries = new Map();
    return async (until) => {
      const rows: Row[] = [];
      for (const input of inputs) {
        for (; input.next < input.points.length; input.next++) {
          const timestamp = start + input.next * interval;
          if (timestamp > until) break;
          const row = rowOf(input.labels, timestamp, input.points[input.next]!);
          if (row) rows.push(row);
        }
      }
      const [problem] = await appendRows(this.#storage.appender, rows, known);
      if (problem)
        this.#failures.push(`cannot load ${printLabels(problem.row.labels)}: ${problem.reason} ${problem.detail}`);
    };
  }

  #groups(): RuleGroup[] {
    const { ignoreUnknownFields, parse, disk, clock } = this.#options;
    const parsing = { ignoreUnknownFields: ignoreUnknownFields ?? false, ...(parse ? { parse } : {}) };
    const order = new Map(this.#file.group_eval_order.map((name, i) => [name, i]));
    const rank = (name: string) => order.get(name) ?? 0;
    return loadRuleFiles(disk, this.#file.rule_files, parsing)
      .map(
        (config) =>
          new RuleGroup(config, this.#test.interval ?? this.#file.evaluation_interval, false, {
            engine: this.#storage.engine,
            appender: this.#storage.appender,
            sink: { send() {} },
            clock,
            logger: silentLogger,
            metrics: ruleMetrics(new Registry()),
            externalLabels: labelsFrom(Object.entries(this.#test.external_labels)),
            externalUrl: this.#test.external_url,
            resendDelayMs: 60_000,
            outageToleranceMs: 3_600_000,
            forGracePeriodMs: 600_000,
            queryOffsetMs: 0,
            slots: undefined,
          }),
      )
      .sort((a, b) => rank(a.config.name) - rank(b.config.name));
  }

  /** False when a rule failed, which ends the test. */
  async #evaluate(groups: readonly RuleGroup[], time: number): Promise<boolean> {
    let good = true;
    for (const group of groups) {
      await group.evaluate(time);
      for (const entry of group.entries) {
        if (entry.lastError === '') continue;
        good = false;
        const at = goDuration(time);
        this.#failures.push(`    rule: ${entry.rule.config.name}, time: ${at}, err: ${entry.lastError}`);
      }
    }
    return good;
  }

  #checkAlerts(groups: readonly RuleGroup[], testCase: TestCase['alert_rule_test'][number]): void {
    const got: FoundAlert[] = groups
      .flatMap((group) => group.entries)
      .flatMap(({ rule }) => (rule instanceof AlertingRule && rule.config.name === testCase.alertname ? [rule] : []))
      .flatMap((rule) => rule.activeAlerts().filter((alert) => alert.state === 'firing'))
      .map(({ labels, annotations }) => ({ labels, annotations }))
      .sort(compareAlerts);
    const expected: FoundAlert[] = testCase.exp_alerts
      .map(({ exp_labels, exp_annotations }) => ({
        labels: labelsFrom([...Object.entries(exp_labels), ['alertname', testCase.alertname]]),
        annotations: labelsFrom(Object.entries(exp_annotations)),
      }))
      .sort(compareAlerts);
    if (got.length === expected.length && got.every((alert, i) => compareAlerts(alert, expected[i]!) === 0)) return;
    const name = this.#test.name === '' ? '' : `    name: ${this.#test.name},\n`;
    const head = `${name}    alertname: ${testCase.alertname}, time: ${formatDuration(testCase.eval_time)}, \n`;
    const indent = '            ';
    if (this.#options.diff) {
      this.#failures.push(`${head}        diff: ${indentLines(difference(expected, got), indent)}`);
      return;
    }
    const show = (alerts: readonly FoundAlert[]) => indentLines(printAlerts(alerts), indent);
    this.#failures.push(`${head}        exp:${show(expected)}, \n        got:${show(got)}`);
  }

  async #checkExpression(testCase: TestCase['promql_expr_test'][number], start: number): Promise<void> {
    const head = `    expr: ${goQuote(testCase.expr)}, time: ${formatDuration(testCase.eval_time)},`;
    const origin = { file: '', group: '', rule: '' };
    let result: readonly VectorSample[];
    try {
      result = await this.#storage.engine.evaluate(testCase.expr, start + testCase.eval_time, origin);
    } catch (error) {
      this.#failures.push(`${head} err: ${errorText(error)}`);
      return;
    }
    const expected: VectorSample[] = [];
    for (const sample of testCase.exp_samples) {
      try {
        const labels = parseMetric(sample.labels);
        if (sample.histogram === '') expected.push({ labels, value: sample.value });
        else expected.push({ labels, value: 0, histogram: parseHistogram(sample.histogram.trim()) });
      } catch (error) {
        this.#failures.push(`${head} err: labels ${goQuote(sample.labels)}: ${errorText(error)}`);
        return;
      }
    }
    const sorted = (samples: readonly VectorSample[]) => [...samples].sort((a, b) => compareLabels(a.labels, b.labels));
    const [want, have] = [sorted(expected), sorted(result)];
    const same = want.length === have.length && want.every((sample, i) => this.#sameSample(sample, have[i]!));
    if (same) return;
    this.#failures.push(`${head}\n        exp: ${printSamples(want)}\n        got: ${printSamples(have)}`);
  }

  #sameSample(a: VectorSample, b: VectorSample): boolean {
    if (!equalLabels(a.labels, b.labels)) return false;
    if (a.histogram || b.histogram) {
      return a.histogram !== undefined && b.histogram !== undefined
        ? formatHistogram(a.histogram) === formatHistogram(b.histogram)
        : false;
    }
    if (a.value === b.value) return true;
    if (Number.isNaN(a.value) && Number.isNaN(b.value)) return true;
    return this.#file.fuzzy_compare && areNeighbours(a.value, b.value);
  }
}

function rowOf(labels: Labels, timestamp: number, point: SequenceValue): Row | undefined {
  switch (point.kind) {
    case 'omitted':
      return undefined;
    case 'stale':
      return { labels, timestamp, value: undefined };
    case 'float':
      return { labels, timestamp, value: point.value };
    case 'histogram':
      return { labels, timestamp, value: 0, histogram: point.value };
  }
}

/** Whether two doubles are next to each other. */
function areNeighbours(a: number, b: number): boolean {
  const bits = new BigInt64Array(Float64Array.of(a, b).buffer);
  const distance = bits[0]! - bits[1]!;
  return distance === 1n || distance === -1n;
}

function compareAlerts(a: FoundAlert, b: FoundAlert): number {
  return compareLabels(a.labels, b.labels) || compareLabels(a.annotations, b.annotations);
}

/** As Go prints labels: the name is a label like others. */
function printLabels(labels: Labels): string {
  const parts: string[] = [];
  for (let i = 0; i < labels.length; i += 2) parts.push(`${labels[i]}=${goQuote(labels[i + 1]!)}`);
  return `{${parts.join(', ')}}`;
}

function printAlerts(alerts: readonly FoundAlert[]): string {
  if (alerts.length === 0) return '[]';
  const shown = alerts.map(
    (alert, i) =>
      `${i}:${indentLines(`\nLabels:${printLabels(alert.labels)}\nAnnotations:${printLabels(alert.annotations)}`, '  ')}`,
  );
  return `[\n${shown.join(',\n')}\n]`;
}

function printSamples(samples: readonly VectorSample[]): string {
  if (samples.length === 0) return 'nil';
  return samples
    .map(({ labels, value, histogram }) => {
      const shown = histogram ? formatHistogram(histogram) : formatFloat(value, 'e', -1).replace('e', 'E');
      return `${printLabels(labels)} ${shown}`;
    })
    .join(', ');
}

const indentLines = (text: string, indent: string): string => text.split('\n').join(`\n${indent}`);

/** A duration since the epoch as Go prints it, in whole units: "1h5m0s". */
function goDuration(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  if (h > 0) return `${h}h${m}m${s}s`;
  return m > 0 ? `${m}m${s}s` : `${s}s`;
}

/** Lines of what is expected and of what there is, marked where they differ. */
function difference(expected: readonly FoundAlert[], got: readonly FoundAlert[]): string {
  const lines = (alerts: readonly FoundAlert[]) => printAlerts(alerts).split('\n');
  const [want, have] = [lines(expected), lines(got)];
  const out: string[] = [];
  for (let i = 0; i < Math.max(want.length, have.length); i++) {
    if (want[i] === have[i]) out.push(`  ${want[i]}`);
    else {
      if (want[i] !== undefined) out.push(`- ${want[i]}`);
      if (have[i] !== undefined) out.push(`+ ${have[i]}`);
    }
  }
  return out.join('\n');
}
