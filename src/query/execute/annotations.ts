// Infos and warnings of an evaluation. Fragments report them by code and metric; here they get their text and position.
// Equal texts are one annotation, whose position is that of the last report.

import type { Annotation } from '#model/query.ts';
import { formatG } from '../histogram/print.ts';
import type { Range } from '../parse/ast.ts';
import { describePosition } from '../parse/errors.ts';
import { goQuote } from '../parse/quote.ts';

type Note = {
  readonly level: 'info' | 'warning';
  range: Range;
  readonly text: string;
  /** What follows the text once everything is known. */
  detail?: () => string;
  count: number;
  forced?: ForcedNote;
};
type ForcedNote = { minBucket: number; maxBucket: number; maxDiff: number; minTime: number; maxTime: number };

const WARNING = 'PromQL warning: ';
const INFO = 'PromQL info: ';

/** Texts by code; codes with a slash have their last word behind it. */
const TEXTS: Readonly<Record<string, (metric: string, word: string) => string>> = {
  mixed_floats_histograms: (metric) =>
    `${WARNING}encountered a mix of histograms and floats for metric name ${goQuote(metric)}`,
  mixed_floats_histograms_aggregation: () => `${WARNING}encountered a mix of histograms and floats for aggregation`,
  mixed_classic_native: (metric) =>
    `${WARNING}vector contains a mix of classic and native histograms${forMetric(metric)}`,
  not_counter: (metric) => `${WARNING}this native histogram metric is not a counter: ${goQuote(metric)}`,
  not_gauge: (metric) => `${WARNING}this native histogram metric is not a gauge: ${goQuote(metric)}`,
  mixed_exponential_custom: (metric) =>
    `${WARNING}vector contains a mix of histograms with exponential and custom buckets schemas for metric name ${goQuote(metric)}`,
  reset_collision: (_, word) => `${WARNING}conflicting counter resets during histogram ${word}`,
  start_overlap: (metric) =>
    `${WARNING}sample has start time that overlaps with previous sample timestamp for metric ${goQuote(metric)}`,
  incompatible_buckets: (_, word) => `${WARNING}incompatible bucket layout encountered for binary operator ${word}`,
  sort_in_range: () => `${WARNING}sort is ineffective for range queries since results are always ordered by labels`,
  mismatched_custom_buckets: (_, word) => `${INFO}mismatched custom buckets were reconciled during ${word}`,
  ignored_in_mixed_range: (metric) =>
    `${INFO}ignored histograms in a range containing both floats and histograms for metric name ${goQuote(metric)}`,
  ignored_in_aggregation: (_, word) => `${INFO}ignored histogram in ${word} aggregation`,
  possible_non_counter: (metric) =>
    `${INFO}metric might not be a counter, name does not end in _total/_sum/_count/_bucket: ${goQuote(metric)}`,
  possible_non_counter_label: (metric, word) =>
    `${INFO}metric might not be a counter, __type__ label is not set to "counter" or "histogram", got ${goQuote(word)}: ${goQuote(metric)}`,
  quantile_nan_result: (metric) =>
    `${INFO}input to histogram_quantile has NaN observations, result is NaN${forMetric(metric)}`,
  quantile_nan_skew: (metric) =>
    `${INFO}input to histogram_quantile has NaN observations, result is skewed higher${forMetric(metric)}`,
  remote_read: (problem) => `remote_read: ${problem}`,
  fraction_nan: (metric) =>
    `${INFO}input to histogram_fraction has NaN observations, which are excluded from all fractions${forMetric(metric)}`,
};

const forMetric = (metric: string): string => (metric === '' ? '' : ` for metric name ${goQuote(metric)}`);

const FORCED = `${INFO}input to histogram_quantile needed to be fixed for monotonicity (see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)`;

export class Annotations {
  readonly #notes = new Map<string, Note>();

  get isEmpty(): boolean {
    return this.#notes.size === 0;
  }

  /** By code, as fragments report them. */
  add(code: string, range: Range, metric = '', count = 1): void {
    const slash = code.indexOf('/');
    const text = TEXTS[slash < 0 ? code : code.slice(0, slash)]!(metric, slash < 0 ? '' : code.slice(slash + 1));
    const before = this.#notes.get(text);
    const note: Note = { level: levelOf(text), range, text, count: count + (before?.count ?? 0) };
    if (code === 'start_overlap') note.detail = () => (note.count > 1 ? ` (${note.count} occurrences)` : '');
    this.#notes.set(text, note);
  }

  addAll(annotations: readonly Annotation[], range: Range): void {
    for (const { code, metric, count } of annotations) this.add(code, range, metric, count);
  }

  /** Texts with values in them. */
  text(text: string, range: Range): void {
    this.#notes.set(text, { level: levelOf(text), range, text, count: 1 });
  }

  invalidQuantile(q: number, range: Range): void {
    this.text(`${WARNING}quantile value should be between 0 and 1, got ${formatG(q)}`, range);
  }

  invalidRatio(ratio: number, cap: number, range: Range): void {
    const text = `ratio value should be between -1 and 1, got ${formatG(ratio)}, capping to ${formatG(cap)}`;
    this.text(WARNING + text, range);
  }

  badBucketLabel(metric: string, label: string, range: Range): void {
    const text = `bucket label "le" is missing or has a malformed value of ${goQuote(label)}`;
    this.text(`${WARNING}${text}${forMetric(metric)}`, range);
  }

  incompatibleTypes(op: string, left: string, right: string, range: Range): void {
    const text = `incompatible sample types encountered for binary operator ${goQuote(op)}: ${left} ${op} ${right}`;
    this.text(INFO + text, range);
  }

  forcedMonotonicity(metric: string, range: Range, time: number, by: Omit<ForcedNote, 'minTime' | 'maxTime'>): void {
    const text = FORCED + forMetric(metric);
    const before = this.#notes.get(text);
    const old = before?.forced;
    const forced: ForcedNote = {
      minBucket: Math.min(by.minBucket, old?.minBucket ?? Infinity),
      maxBucket: Math.max(by.maxBucket, old?.maxBucket ?? -Infinity),
      maxDiff: Math.max(by.maxDiff, old?.maxDiff ?? 0),
      minTime: Math.min(time, old?.minTime ?? Infinity),
      maxTime: Math.max(time, old?.maxTime ?? -Infinity),
    };
    const note: Note = { level: 'info', range, text, count: 1 + (before?.count ?? 0), forced };
    note.detail = () => {
      const buckets = `from buckets ${formatG(forced.minBucket)} to ${formatG(forced.maxBucket)}`;
      const times = `from ${rfc3339(forced.minTime)} to ${rfc3339(forced.maxTime)}`;
      return `, ${buckets}, with a max diff of ${formatG2(forced.maxDiff)}, over ${note.count} samples ${times}`;
    };
    this.#notes.set(text, note);
  }

  /** Texts with positions in `query`, at most `limit` of each level. */
  texts(query: string, limit = 0): { warnings: string[]; infos: string[] } {
    const lists = { warning: [] as string[], info: [] as string[] };
    const skipped = { warning: 0, info: 0 };
    for (const note of this.#notes.values()) {
      if (limit > 0 && lists[note.level].length >= limit) skipped[note.level]++;
      else
        lists[note.level].push(`${note.text}${note.detail?.() ?? ''} (${describePosition(query, note.range.start)})`);
    }
    if (skipped.warning > 0) lists.warning.push(`${skipped.warning} more warning annotations omitted`);
    if (skipped.info > 0) lists.info.push(`${skipped.info} more info annotations omitted`);
    return { warnings: lists.warning, infos: lists.info };
  }
}

const levelOf = (text: string) => (text.startsWith(INFO) ? 'info' : 'warning');
const rfc3339 = (time: number) => `${new Date(Math.trunc(time / 1000) * 1000).toISOString().slice(0, 19)}Z`;

/** Go's %.2g. */
function formatG2(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return formatG(value);
  const [digits = '', exponent = '0'] = value.toExponential(1).split('e');
  const power = Number(exponent);
  if (power >= -4 && power < 2) return String(Number(value.toPrecision(2)));
  return `${digits.replace(/\.0$/, '')}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
}

/** What a shard collects while it works out a fragment. */
export class Notes {
  readonly #counts = new Map<string, { code: string; metric: string; count: number }>();

  add(code: string, metric: string): void {
    const key = `${code}\xff${metric}`;
    const before = this.#counts.get(key);
    if (before) before.count++;
    else this.#counts.set(key, { code, metric, count: 1 });
  }

  list(): Annotation[] {
    return [...this.#counts.values()].map((note) => ({
      level: levelOf(TEXTS[note.code.split('/')[0]!]!('', '')),
      ...note,
    }));
  }
}
