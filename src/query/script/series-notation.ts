// The short notation for series in test scripts and rule tests: `name{label="value"} 1+2x3 _ stale {{schema:0 sum:1}}x2`.
// Each item stands for one or several consecutive values.

import { UserError } from '#base/errors.ts';
import { type CounterReset, CUSTOM_BUCKETS_SCHEMA, type Histogram } from '#model/histogram.ts';
import { type Labels, labelsFrom } from '#model/labels.ts';
import { addHistograms, subtractHistograms } from '../histogram/arithmetic.ts';
import { parseDurationText, parseNumber } from '../parse/numbers.ts';
import { parseSelector } from '../parse/parser.ts';

export type SequenceValue =
  | { readonly kind: 'omitted' }
  | { readonly kind: 'stale' }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'histogram'; readonly value: Histogram; readonly hintGiven: boolean };

export type SeriesDescription = { readonly labels: Labels; readonly values: readonly SequenceValue[] };

export function parseSeries(line: string): SeriesDescription {
  const end = metricEnd(line);
  return { labels: parseMetric(line.slice(0, end)), values: parseValues(line.slice(end)) };
}

export function parseMetric(text: string): Labels {
  const matchers = parseSelector(text.trim());
  for (const { type, name } of matchers) if (type !== '=') throw new UserError(`label ${name} needs "="`);
  return labelsFrom(matchers.map(({ name, value }) => [name, value] as const));
}

/** Where the metric ends: behind its closing brace, or at the first space. */
function metricEnd(line: string): number {
  let quote = '';
  let braces = false;
  for (let i = 0; i < line.length; i++) {
    const c = line[i]!;
    if (quote) {
      if (c === '\\' && quote !== '`') i++;
      else if (c === quote) quote = '';
    } else if (c === '"' || c === "'" || c === '`') quote = c;
    else if (c === '{') braces = true;
    else if (c === '}') return i + 1;
    else if (!braces && (c === ' ' || c === '\t') && !/^\s*\{[^{]/.test(line.slice(i))) return i;
  }
  return line.length;
}

const NUMBER = '[+-]?(?:inf|nan|\\d[\\d_]*(?:\\.\\d*)?(?:e[+-]?\\d+)?|\\.\\d+(?:e[+-]?\\d+)?|\\d+(?:ms|[smhdwy]))';
const ITEM = new RegExp(`^(${NUMBER})(?:([+-])(${NUMBER}))?(?:x(\\d+))?$`, 'i');
const HISTOGRAM_ITEM = /^\{\{([^}]*)\}\}(?:([+-])\{\{([^}]*)\}\})?(?:x(\d+))?$/;

export function parseValues(text: string): SequenceValue[] {
  const values: SequenceValue[] = [];
  for (const item of text.match(/\{\{[^}]*\}\}(?:[+-]\{\{[^}]*\}\})?\S*|\S+/g) ?? []) values.push(...parseItem(item));
  return values;
}

function parseItem(item: string): SequenceValue[] {
  const gap = /^_(?:x(\d+))?$/.exec(item);
  if (gap) return repeat({ kind: 'omitted' }, gap[1] === undefined ? 1 : Number(gap[1]));
  const stale = /^stale(?:x(\d+))?$/.exec(item);
  if (stale) return repeat({ kind: 'stale' }, Number(stale[1] ?? 0) + 1);
  if (item.startsWith('{{')) return histogramItem(item);
  const match = ITEM.exec(item);
  if (!match) throw new UserError(`invalid value ${JSON.stringify(item)} in series`);
  const [, first, sign, change, times] = match;
  let value = numberOf(first!);
  const step = change === undefined ? 0 : numberOf(change) * (sign === '-' ? -1 : 1);
  if (change !== undefined && times === undefined) throw new UserError(`${JSON.stringify(item)} needs a repetition`);
  const result: SequenceValue[] = [];
  for (let i = 0; i <= Number(times ?? 0); i++) {
    result.push({ kind: 'float', value });
    if (change !== undefined) value += step;
  }
  return result;
}

const repeat = (value: SequenceValue, times: number): SequenceValue[] => Array.from({ length: times }, () => value);

function numberOf(text: string): number {
  const negative = text.startsWith('-');
  const body = /^[+-]/.test(text) ? text.slice(1) : text;
  const duration = /[smhdwy]$/i.test(body) ? parseDurationText(body) : undefined;
  const value = typeof duration === 'number' ? duration / 1000 : parseNumber(body);
  if (value === undefined) throw new UserError(`invalid number ${JSON.stringify(text)} in series`);
  return negative ? -value : value;
}

function histogramItem(item: string): SequenceValue[] {
  const match = HISTOGRAM_ITEM.exec(item);
  if (!match) throw new UserError(`invalid histogram ${JSON.stringify(item)} in series`);
  const base = parseHistogram(match[1]!);
  const times = Number(match[4] ?? 0);
  if (match[2] === undefined) return repeat({ kind: 'histogram', ...base }, times + 1);
  const change = parseHistogram(match[3]!);
  const values: SequenceValue[] = [{ kind: 'histogram', value: base.value, hintGiven: change.hintGiven }];
  let current = base.value;
  for (let i = 0; i < times; i++) {
    const combined =
      match[2] === '+' ? addHistograms(current, change.value) : subtractHistograms(current, change.value);
    if (!combined) throw new UserError(`cannot combine the histograms in ${JSON.stringify(item)}`);
    current = combined.value;
    values.push({ kind: 'histogram', value: current, hintGiven: change.hintGiven });
  }
  return values;
}

const HINTS: Readonly<Record<string, CounterReset>> = {
  unknown: 'unknown',
  reset: 'reset',
  not_reset: 'notReset',
  gauge: 'gauge',
};

/** The text between the double braces. */
export function parseHistogram(text: string): { value: Histogram; hintGiven: boolean } {
  const fields = new Map<string, string>();
  for (const [, name, value] of text.matchAll(/([a-z_]+):(\[[^\]]*\]|\S+)/gi)) fields.set(name!.toLowerCase(), value!);
  const number = (name: string) => numberOf(fields.get(name) ?? '0');
  const list = (name: string) =>
    Float64Array.from((fields.get(name) ?? '').replace(/[[\]]/g, '').split(/\s+/).filter(Boolean), numberOf);
  const schema = number('schema');
  const positive = list('buckets');
  const negative = list('n_buckets');
  const spans = (offset: string, buckets: Float64Array) =>
    buckets.length > 0 ? [{ offset: number(offset), length: buckets.length }] : [];
  const value: Histogram = {
    integer: false,
    schema,
    zeroThreshold: number('z_bucket_w'),
    zeroCount: number('z_bucket'),
    count: number('count'),
    sum: number('sum'),
    positiveSpans: spans('offset', positive),
    negativeSpans: spans('n_offset', negative),
    positiveBuckets: positive,
    negativeBuckets: negative,
    counterReset: HINTS[fields.get('counter_reset_hint') ?? 'unknown'] ?? 'unknown',
    ...(schema === CUSTOM_BUCKETS_SCHEMA ? { customValues: list('custom_values') } : {}),
  };
  return { value, hintGiven: fields.has('counter_reset_hint') };
}
